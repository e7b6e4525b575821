from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from densight.runs import drawing_pool as pool_module
from densight.runs.drawing_pool import drawing_pool
from densight.vocabulary import DensightError
from tests.examples import write_exam, write_model
from tests.indexing import densight


def write_word(path: Path, word: str) -> None:
    path.write_text(f"{word} {os.getpid()}")


def refuse(path: Path) -> None:
    raise DensightError("no space left on the disk", path, "free some space")


def end(_: Path) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(pool_module, "is_own_process", lambda: True)


@pytest.mark.usefixtures("two_cores")
def test_many_images_are_drawn_by_other_processes_and_few_by_this_one(tmp_path: Path) -> None:
    for images, elsewhere in ((pool_module.FEW, False), (pool_module.FEW + 1, True)):
        with drawing_pool(images) as paint:
            paint([(write_word, (tmp_path / word, word)) for word in "abc"])
        printed = [(tmp_path / word).read_text().split() for word in "abc"]
        assert [word for word, _ in printed] == list("abc")
        assert all((int(process) != os.getpid()) == elsewhere for _, process in printed)


@pytest.mark.usefixtures("two_cores")
def test_what_goes_wrong_in_another_process_is_told_as_it_is() -> None:
    with drawing_pool(100) as paint, pytest.raises(DensightError) as caught:
        paint([(refuse, (Path("maps/a.png"),))])
    assert (caught.value.path, caught.value.remedy) == (Path("maps/a.png"), "free some space")


@pytest.mark.usefixtures("two_cores")
def test_a_process_that_is_killed_is_told_and_nothing_hangs() -> None:
    with drawing_pool(100) as paint, pytest.raises(DensightError, match="a process that draws was ended"):
        paint([(end, (Path("a"),)), (end, (Path("b"),))])


@pytest.mark.usefixtures("two_cores")
def test_the_same_files_whoever_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_exam(tmp_path / "exams" / "E1", 1, 0.3)
    model = write_model(tmp_path / "all")
    for name, few in (("alone", 100), ("together", 1)):
        monkeypatch.setattr(pool_module, "FEW", few)
        assert densight("explain", str(tmp_path / "exams"), "-m", str(model), "-o", str(tmp_path / name)).status == 0
    alone, together = (
        {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("maps/**/*.*")}
        for name in ("alone", "together")
    )
    assert len(alone) > 40
    assert alone == together


WAITING = """
import os, sys, time
import torch
from densight.process import own_process
from densight.runs.drawing_pool import drawing_pool

def say(place):
    open(place, "w").write(str(os.getpid()))
    time.sleep(300)

if __name__ == "__main__":
    torch.set_num_threads(2)
    own_process()
    with drawing_pool(100) as paint:
        paint([(say, (sys.argv[1],))])
"""


def runs(process: int) -> bool:
    stat = Path(f"/proc/{process}/stat")
    return stat.is_file() and stat.read_text().split()[2] != "Z"


def test_no_process_outlives_the_one_that_began_it(tmp_path: Path) -> None:
    script, printed = tmp_path / "waiting.py", tmp_path / "pid"
    script.write_text(WAITING)
    deadline = time.monotonic() + 60
    with subprocess.Popen([sys.executable, str(script), str(printed)]) as process:
        while not printed.is_file() or not printed.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.kill()
    while runs(int(printed.read_text())):
        assert time.monotonic() < deadline
        time.sleep(0.05)


SCRIPT = """
import sys
import densight
import torch

torch.set_num_threads(2)
print("begun")
result = densight.run(sys.argv[1], sys.argv[2], model=sys.argv[3], methods=("grad-cam",))
print(len(result.images), len(result.failures))
"""


def test_a_script_that_calls_densight_at_its_top_level_runs_once(tmp_path: Path) -> None:
    """On more images than one process draws by default: in a program's own process nothing else is started."""
    for number in range(3):
        write_exam(tmp_path / "exams" / f"E{number}", number, 0.4)
    model = write_model(tmp_path / "all")
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, tmp_path / "script.py", tmp_path / "exams", tmp_path / "run", model]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.stdout == "begun\n12 0\n", done.stderr
    assert len(list((tmp_path / "run" / "maps" / "exams").glob("*.png"))) == 3
