"""The command line in this process."""

from __future__ import annotations

from typer.testing import CliRunner, Result

from densight.cli.main import app


def invoke(*arguments: object, columns: int = 100, **environment: str) -> Result:
    """``densight`` with these arguments; an error is left in the result as it was raised, not as it is printed."""
    return CliRunner().invoke(app, [str(word) for word in arguments], env={"COLUMNS": str(columns)} | environment)
