"""The reference: one page per command, from its help, and one page per room of the package, from docstrings.

The pages are written into ``docs/reference`` before a build and are not kept. So are pages for files beside ``docs``,
to which the pages link by their place in the repository.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOMS = {
    "vocabulary": "Classes, views, projections, and the error type",
    "geometry": "The transformation from an image to the network's frame and back",
    "intake": "Reading images, folders, catalogues and DICOM files",
    "phantom": "Synthetic patients",
    "anatomy": "Breast, pectoral muscle, dense tissue",
    "preparation": "The network's input",
    "network": "Networks, bundles, Keras and ONNX",
    "training": "Recipes and training",
    "assessment": "Probabilities of images, breasts and exams; calibration",
    "figures": "Figures of merit",
    "explanation": "Maps",
    "trials": "Trials of maps",
    "report": "The report",
    "interchange": "DICOM results and FHIR",
    "runs": "Runs: from an input to a run folder",
    "pacs": "Connections to a PACS",
    "model": "Load, assess and explain in Python",
}
"""The rooms of the package in their order; the public names of their modules are documented, one page per room."""

BESIDE = {
    "benchmarks/RESULTS.md": "results.md",
    "src/densight/network/models/starter/MODEL_CARD.md": "starter_card.md",
    "CHANGELOG.md": "changelog.md",
}
"""Files outside ``docs``, and the pages of the reference that show them."""


def commands() -> Iterator[tuple[str, Any]]:
    """Every command with its full name, for instance ``densight pacs pull``."""
    from typer.main import get_command

    from densight.cli.main import app

    def below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
        yield name, command
        for word, subcommand in getattr(command, "commands", {}).items():
            yield from below(f"{name} {word}", subcommand)

    yield from below("densight", get_command(app))


def modules(room: str) -> list[str]:
    """The modules of a room that have public names, including the room itself."""
    package = import_module(f"densight.{room}")
    names = [package.__name__]
    inside = pkgutil.walk_packages(getattr(package, "__path__", []), f"{package.__name__}.")
    names += [module.name for module in inside if not module.ispkg]
    return [name for name in names if getattr(import_module(name), "__all__", None)]


def _command_page(name: str, command: Any) -> str:
    lines = [f"# {'Commands' if name == 'densight' else name}", ""]
    help_text = (command.help or "").strip()
    for paragraph in re.split(r"\n\s*\n", help_text):
        text = paragraph.strip()
        lines += ["```", text, "```", ""] if text.startswith("densight ") else [text, ""]
    lines += [f"```{{program}} {name}", "```", ""]
    for parameter in command.params:
        if not getattr(parameter, "hidden", False):
            lines += _parameter(parameter)
    below = getattr(command, "commands", {})
    if below:
        pages = [_page_name(f"{name} {word}").removesuffix(".md") for word in below]
        pages = [page if name == "densight" else Path(page).name for page in pages]
        lines += ["```{toctree}", ":maxdepth: 1", "", *pages, "```", ""]
    return "\n".join(lines)


def _parameter(parameter: Any) -> list[str]:
    metavar = parameter.metavar or parameter.name.upper()
    if parameter.param_type_name == "argument":
        return [f"```{{describe}} {metavar}", parameter.help or "", "```", ""]
    names = ", ".join([*parameter.opts, *parameter.secondary_opts])
    value = "" if parameter.is_flag else f" {metavar}"
    text = parameter.help or ""
    default = parameter.default
    if parameter.show_default is not False and default not in (None, False, "", ()) and not callable(default):
        text += f" By default `{default}`."
    return [f"```{{option}} {names}{value}", text, "```", ""]


def _page_name(name: str) -> str:
    words = name.split()[1:]
    return f"commands/{'_'.join(words)}.md" if words else "commands.md"


def _room_page(room: str, title: str) -> str:
    heading = f"densight.{room}"
    lines = [heading, "=" * len(heading), "", f"{title}.", ""]
    for name in modules(room):
        if name != heading:
            lines += [name, "-" * len(name), ""]
        module = import_module(name)
        values = [
            public
            for public in module.__all__
            if not callable(getattr(module, public)) or _is_alias(getattr(module, public))
        ]
        members = ", ".join(public for public in module.__all__ if public not in values)
        lines += [f".. automodule:: {name}", f"   :members: {members}" if members else "   :no-members:", ""]
        for value in values:
            if not type(getattr(module, value)).__module__.startswith("densight."):
                docstring_of(name, value)
            lines += [f".. autodata:: {name}.{value}", "   :no-value:", ""]
    return "\n".join(lines)


def docstring_of(module: str, name: str) -> list[str]:
    """The lines of the docstring below a value.

    Raises
    ------
    LookupError
        If there is none. The page would then show the docstring of the value's type.
    """
    from sphinx.pycode import ModuleAnalyzer

    docstring = ModuleAnalyzer.for_module(module).find_attr_docs().get(("", name))
    if not docstring:
        raise LookupError(f"{module}.{name} has no docstring")
    return docstring


def _is_alias(value: Any) -> bool:
    """Whether a value is an alias of another type."""
    return not isinstance(value, type) and not hasattr(value, "__code__") and hasattr(value, "__args__")


def _python_page() -> str:
    import densight

    names = [name for name in densight.__all__ if name not in ("anatomy", "phantom")]
    lines = ["# Python", "", "```{eval-rst}", ".. automodule:: densight", "   :no-members:", ""]
    for name in names:
        value = getattr(densight, name)
        if isinstance(value, type):
            kind = "exception" if issubclass(value, Exception) else "class"
            lines += [f".. auto{kind}:: densight.{name}", "   :members:", ""]
        elif callable(value):
            lines += [f".. autofunction:: densight.{name}", ""]
        else:
            docstring = [f"   {line}".rstrip() for line in docstring_of("densight.vocabulary", name)]
            lines += [f".. py:data:: densight.{name}", "", *docstring, ""]
    lines += ["```", "", "## The rooms", "", "The public names of each room. Only these names are promised.", ""]
    rooms = [f"python/{room}" for room in ROOMS]
    return "\n".join([*lines, "```{toctree}", ":maxdepth: 1", "", *rooms, "```", ""])


def write_pages(folder: Path) -> None:
    """Write the pages of the reference, and delete pages of names that no longer exist."""
    pages = {_page_name(name): _command_page(name, command) for name, command in commands()}
    pages["python.md"] = _python_page()
    pages |= {f"python/{room}.rst": _room_page(room, title) for room, title in ROOMS.items()}
    for source, page in BESIDE.items():
        pages[page] = f"```{{include}} ../../{source}\n:relative-docs: docs/\n:relative-images:\n```\n"
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # An unchanged page keeps its time stamp, so that Sphinx does not build it again.
        if not path.is_file() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
    for path in folder.rglob("*.*"):
        if path.relative_to(folder).as_posix() not in pages:
            path.unlink()


def lead_inside(app: Sphinx, name: str, source: list[str]) -> None:
    """Redirect links to files outside ``docs`` to the pages that show them."""
    up = "../" * name.count("/")
    for path, page in BESIDE.items():
        source[0] = source[0].replace(f"]({up}../{path}", f"]({up}reference/{page}")


def unlink_plain_words(_: Sphinx, page: Any) -> None:
    """Remove links from plain words in the types of parameters: "shape (rows, columns)" names no attribute."""
    from docutils.nodes import emphasis
    from sphinx.addnodes import pending_xref

    for link in list(page.findall(pending_xref)):
        if link.get("refspecific") and link.get("reftype") == "class" and link["reftarget"].islower():
            link.replace_self(emphasis(text=link["reftarget"]))


def is_alias_of_field(_: Sphinx, kind: str, name: str, value: Any, *__: object) -> bool | None:
    """Whether to skip a member: a named tuple's field, for which Python documents only the number."""
    return True if (getattr(value, "__doc__", None) or "").startswith("Alias for field number") else None


def keep_colons(_: Sphinx, kind: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Keep Napoleon from reading text before a colon in a value's docstring as a type: it reads only the first line."""
    if kind in ("attribute", "data", "property"):
        # An empty comment, which shows nothing.
        lines[:0] = ["..", ""]


def setup(app: Sphinx) -> dict[str, Any]:
    """Write the pages before Sphinx collects them."""
    write_pages(Path(app.srcdir) / "reference")
    app.connect("source-read", lead_inside)
    app.connect("doctree-read", unlink_plain_words)
    app.connect("autodoc-skip-member", is_alias_of_field)
    app.connect("autodoc-process-docstring", keep_colons, priority=400)
    return {"parallel_read_safe": True}
