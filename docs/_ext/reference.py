"""The reference: a page a command, from what it says of itself, and a page a room of the package, from docstrings.

Pages are written before a build into ``docs/reference``, which is not kept. So are pages of files that lie beside
``docs``, to which its pages link as they lie in the repository.
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
    "vocabulary": "The field's words as types, and the one error",
    "geometry": "The way from an image to the network's frame and exactly back",
    "intake": "Reading images, folders, catalogues and DICOM files",
    "phantom": "Women who never were",
    "anatomy": "Breast, pectoral muscle, dense tissue",
    "preparation": "What the network sees",
    "network": "Networks, bundles, Keras and ONNX",
    "training": "Recipes and training",
    "assessment": "Probabilities of images, breasts and exams; calibration",
    "figures": "Figures of merit",
    "explanation": "Maps, and trials of maps",
    "report": "The report",
    "interchange": "DICOM results, FHIR, PACS",
    "model": "The same for Python: load, assess, explain",
}
"""The rooms of the package in the order of its flow; their modules' public names are documented, one page a room."""

BESIDE = {
    "benchmarks/RESULTS.md": "results.md",
    "src/densight/network/models/starter/MODEL_CARD.md": "starter_card.md",
    "CHANGELOG.md": "changelog.md",
}
"""Files beside the pages, and the pages of the reference that show them."""


def commands() -> Iterator[tuple[str, Any]]:
    """Every command with its full name, ``densight pacs pull`` for one."""
    from typer.main import get_command

    from densight.cli.main import app

    def below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
        yield name, command
        for word, one in getattr(command, "commands", {}).items():
            yield from below(f"{name} {word}", one)

    yield from below("densight", get_command(app))


def modules(room: str) -> list[str]:
    """The modules of a room that have public names, and it itself."""
    package = import_module(f"densight.{room}")
    found = [package.__name__]
    inside = pkgutil.walk_packages(getattr(package, "__path__", []), f"{package.__name__}.")
    found += [one.name for one in inside if not one.ispkg]
    return [name for name in found if getattr(import_module(name), "__all__", None)]


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
            one for one in module.__all__ if not callable(getattr(module, one)) or _is_alias(getattr(module, one))
        ]
        members = ", ".join(one for one in module.__all__ if one not in values)
        lines += [f".. automodule:: {name}", f"   :members: {members}" if members else "   :no-members:", ""]
        for one in values:
            if not type(getattr(module, one)).__module__.startswith("densight."):
                words_below(name, one)
            lines += [f".. autodata:: {name}.{one}", "   :no-value:", ""]
    return "\n".join(lines)


def words_below(module: str, name: str) -> list[str]:
    """Lines of the docstring below a value.

    Raises
    ------
    LookupError
        If there is none. Its page would show what Python says of the value's type.
    """
    from sphinx.pycode import ModuleAnalyzer

    words = ModuleAnalyzer.for_module(module).find_attr_docs().get(("", name))
    if not words:
        raise LookupError(f"{module}.{name} has no docstring")
    return words


def _is_alias(value: Any) -> bool:
    """Whether a name stands for a type that has another name."""
    return not isinstance(value, type) and not hasattr(value, "__code__") and hasattr(value, "__args__")


def _python_page() -> str:
    import densight

    names = [name for name in densight.__all__ if name not in ("anatomy", "phantom")]
    lines = ["# Python", "", "```{eval-rst}", ".. automodule:: densight", "   :no-members:", ""]
    for name in names:
        one = getattr(densight, name)
        if isinstance(one, type):
            kind = "exception" if issubclass(one, Exception) else "class"
            lines += [f".. auto{kind}:: densight.{name}", "   :members:", ""]
        elif callable(one):
            lines += [f".. autofunction:: densight.{name}", ""]
        else:
            words = [f"   {line}".rstrip() for line in words_below("densight.vocabulary", name)]
            lines += [f".. py:data:: densight.{name}", "", *words, ""]
    lines += ["```", "", "## The rooms", "", "What is public in each; no more than is named here is promised.", ""]
    rooms = [f"python/{room}" for room in ROOMS]
    return "\n".join([*lines, "```{toctree}", ":maxdepth: 1", "", *rooms, "```", ""])


def write_pages(folder: Path) -> None:
    """Write the pages of the reference, and delete those that it has no longer."""
    pages = {_page_name(name): _command_page(name, command) for name, command in commands()}
    pages["python.md"] = _python_page()
    pages |= {f"python/{room}.rst": _room_page(room, title) for room, title in ROOMS.items()}
    for source, page in BESIDE.items():
        pages[page] = f"```{{include}} ../../{source}\n:relative-docs: docs/\n:relative-images:\n```\n"
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # What has not changed keeps its time, so that Sphinx builds nothing twice.
        if not path.is_file() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
    for path in folder.rglob("*.*"):
        if path.relative_to(folder).as_posix() not in pages:
            path.unlink()


def lead_inside(app: Sphinx, name: str, source: list[str]) -> None:
    """Let links to files beside the pages lead to the pages that show them."""
    up = "../" * name.count("/")
    for path, page in BESIDE.items():
        source[0] = source[0].replace(f"]({up}../{path}", f"]({up}reference/{page}")


def unlink_words(_: Sphinx, page: Any) -> None:
    """Take the links from words in the types of parameters: a "shape (rows, columns)" is no class's attribute."""
    from docutils.nodes import emphasis
    from sphinx.addnodes import pending_xref

    for link in list(page.findall(pending_xref)):
        if link.get("refspecific") and link.get("reftype") == "class" and link["reftarget"].islower():
            link.replace_self(emphasis(text=link["reftarget"]))


def is_alias_of_field(_: Sphinx, kind: str, name: str, one: Any, *__: object) -> bool | None:
    """Whether a member is a named tuple's field, of which Python says no more than its number."""
    return True if (getattr(one, "__doc__", None) or "").startswith("Alias for field number") else None


def keep_colons(_: Sphinx, kind: str, name: str, one: Any, options: Any, lines: list[str]) -> None:
    """Let Napoleon take a colon in the first line of a value's docstring for no type: it looks at that line alone."""
    if kind in ("attribute", "data", "property"):
        # An empty comment, which shows nothing.
        lines[:0] = ["..", ""]


def setup(app: Sphinx) -> dict[str, Any]:
    """Write the pages before Sphinx looks for them."""
    write_pages(Path(app.srcdir) / "reference")
    app.connect("source-read", lead_inside)
    app.connect("doctree-read", unlink_words)
    app.connect("autodoc-skip-member", is_alias_of_field)
    app.connect("autodoc-process-docstring", keep_colons, priority=400)
    return {"parallel_read_safe": True}
