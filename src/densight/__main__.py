"""``python -m densight``: the same as the command ``densight``."""

from densight.cli.main import run

if __name__ == "__main__":
    run()
