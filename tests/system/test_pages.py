"""What the pages say: their Python runs, their commands exist with the options that they give."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from tests.dicom_files import mammogram, write
from tests.indexing import densight
from tests.references import every_command

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/howto/*.md"), *ROOT.glob("docs/*/index.md")]
)
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


def blocks(page: Path, language: str | None = None) -> list[str]:
    """The fenced blocks of a page, all or those of a language."""
    found = re.findall(r"^```(\S*)[^\n]*\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [text for name, text in found if language is None or name == language]


def commands(page: Path) -> list[str]:
    """The lines of a page's blocks that begin with densight, and what a backslash joins to them."""
    text = "\n".join(blocks(page)).replace("\\\n", " ")
    return [line.strip().removeprefix("$ ") for line in text.splitlines() if re.match(r"\s*(\$ )?densight\s", line)]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_the_commands_of_a_page_are_there_with_their_options(page: Path) -> None:
    known = dict(every_command())
    for line in commands(page):
        words = shlex.split(line, comments=True)
        name = words[0]
        while len(words) > len(name.split()) and f"{name} {words[len(name.split())]}" in known:
            name = f"{name} {words[len(name.split())]}"
        options = {one for parameter in known[name].params for one in (*parameter.opts, *parameter.secondary_opts)}
        given = [word.partition("=")[0] for word in words if re.fullmatch(r"--?[a-zA-Z][\w-]*(=.*)?", word)]
        assert set(given) <= options, f"{page.name}: {line}"
        if name in ("densight", "densight pacs"):
            assert len(words) == 1 or given, f"{page.name}: there is no such command: {line}"


def write_model(folder: Path) -> None:
    """A network of all projections that has learnt nothing, of those whose activations DeepLIFT knows."""
    from densight.network.architecture import Architecture, build_network
    from densight.network.bundle import write_bundle
    from densight.network.facts import BundleFacts
    from densight.preparation.prepare import Preparation
    from densight.vocabulary import BIRADS, PROJECTIONS

    architecture = Architecture("mobilenetv2-035", n_classes=4, channels=1)
    facts = BundleFacts(architecture, Preparation("default", (64, 48)), BIRADS, PROJECTIONS)
    write_bundle(folder, build_network(architecture).state_dict(), facts)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that the pages' Python names: an exam twice, an image, a DICOM file, a model, a run,
    and a folder of exams."""
    folder = tmp_path_factory.mktemp("pages")
    made = densight("phantom", "-n", 1, "--seed", 3, "--size", "256x208", "-o", folder / "made")
    assert made.status == 0, made.fault
    exam = folder / "made" / "P000001"
    for name in ("exam_folder", "exam"):
        # The pictures alone, as one's own would be.
        shutil.copytree(exam, folder / name, ignore=shutil.ignore_patterns("*.npz", "*.json"))
    shutil.copytree(folder / "exam", folder / "exams" / "exam")
    shutil.copy(exam / "P000001_MLO_R.png", folder / "image.png")
    write(folder / "IM0001", mammogram(projection="MLO_R"))
    write_model(folder / "models" / "all")
    done = densight("assess", folder / "exam", "--model", folder / "models" / "all", "-o", folder / "run")
    assert done.status == 0, done.printed + done.fault
    return folder


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.stem)
def test_the_python_of_a_page_runs(page: Path, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(place, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    # The page calls the command by its name, which need not be on the path of who runs the tests.
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    names: dict[str, object] = {"__name__": "page"}
    exec("import densight", names)
    for text in blocks(page, "python"):
        exec(compile(text, str(page), "exec"), names)
