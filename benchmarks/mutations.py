"""Plant faults in central code, one at a time in a copy of the tree, and show which of them the tests catch.

python benchmarks/mutations.py            # all
python benchmarks/mutations.py fusion     # those whose name holds a word

A fault is a line of Python that is found by a regular expression and replaced; the expressions hold as little of the
line as they can, so that they outlive other names. Exit status 1 if a fault is not caught, 2 if its line is not there.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Fault:
    """One fault: where, what, and the tests that should catch it."""

    name: str
    file: str
    pattern: str
    """A regular expression that matches once in the file."""
    replacement: str
    tests: str
    """Files of tests, below tests/."""


FAULTS = (
    Fault(
        "fusion: every group is divided by the size of the largest",
        "assessment/fusion.py",
        r"sums / counts\[:, None\]",
        "sums / counts.max()",
        "unit/assessment/test_fusion.py",
    ),
    Fault(
        "class codes: of equal probabilities the denser class is predicted",
        "assessment/fusion.py",
        r"\[classes\[(\w+)\] for \w+ in np\.asarray\((\w+)\)\.argmax\(axis=1\)\]",
        r"[classes[-1 - \1] for \1 in np.asarray(\2)[:, ::-1].argmax(axis=1)]",
        "unit/assessment",
    ),
    Fault(
        "preparation: the breast is centred a pixel too low",
        "geometry.py",
        r"\(\(frame_shape\[0\] - rows\) // 2, 0\)",
        "((frame_shape[0] - rows) // 2 + 1, 0)",
        "unit/test_geometry.py unit/preparation",
    ),
    Fault(
        "geometry: half a pixel is lost on the way to the frame",
        "geometry.py",
        r"- self\.box\[axis\] \+ 0\.5\) \* self\.scale\[axis\] - 0\.5",
        "- self.box[axis]) * self.scale[axis]",
        "unit/test_geometry.py",
    ),
    Fault(
        "geometry: an upright image is turned back the wrong way",
        "geometry.py",
        r"if mirrored else upright, -turns\)",
        "if mirrored else upright, turns)",
        "unit/test_geometry.py unit/anatomy/test_anatomy.py",
    ),
    Fault(
        "grad-cam: the slope of the activation is left out",
        "explanation/methods/gradcam.py",
        r" \* mean_slope\[:, None\] / positions",
        " / positions",
        "unit/explanation unit/network/test_network.py",
    ),
    Fault(
        "grad-cam: maps are not divided by the number of positions",
        "explanation/methods/gradcam.py",
        r"(mean_slope\[:, None\]) / positions",
        r"\1",
        "unit/explanation unit/network/test_network.py",
    ),
    Fault(
        "journal: a file that changed counts as done",
        "runs/journal.py",
        r"return (\w+) is not None and \w+\[\"file\"\] == stamp\(entry\.path\)",
        r"return \1 is not None",
        "unit/runs",
    ),
    Fault(
        "journal: an image that was never explained counts as explained",
        "runs/journal.py",
        r"return self\.is_assessed\(entry\) and .*",
        "return self.is_assessed(entry)",
        "unit/runs",
    ),
    Fault(
        "percent density: in parts of one, not of a hundred",
        "anatomy/reading.py",
        r"float\(100 \* np\.count_nonzero",
        "float(np.count_nonzero",
        "unit/anatomy/test_anatomy_reading.py",
    ),
    Fault(
        "percent density: dense tissue in the muscle counts",
        "anatomy/reading.py",
        r"np\.greater\(tissue, pectoral, out=tissue\)",
        "np.logical_or(tissue, pectoral, out=tissue)",
        "unit/anatomy/test_anatomy_reading.py",
    ),
    Fault(
        "DICOM orientation: the chest wall of a right breast is hung at the left",
        "intake/dicom/orientation.py",
        r"\"P\" if projection\.laterality == Laterality\.R else \"A\"",
        '"A" if projection.laterality == Laterality.R else "P"',
        "unit/intake/test_dicom_views.py",
    ),
    Fault(
        "atomic writes: the temporary file is left where writing fails",
        "storage.py",
        r"        if temporary is not None:\n            temporary\.unlink\(missing_ok=True\)",
        "        pass",
        "command/test_index.py",
    ),
    Fault(
        "calibration: the logarithms are multiplied by the temperature",
        "assessment/scaling.py",
        r"(_logs\(\w+\)) / parameters\[0\]",
        r"\1 * parameters[0]",
        "unit/assessment/test_scaling.py",
    ),
    Fault(
        "group split: a patient's class is that of the fewest images",
        "intake/split.py",
        r"label = max\(of_patient",
        "label = min(of_patient",
        "unit/intake/test_split.py",
    ),
    Fault(
        "group split: images are split one by one",
        "intake/split.py",
        r"split or str\(chosen\.get\(patient, \"\"\)\)",
        'split or str(generator.choice(SPLITS) if chosen.get(patient) else "")',
        "unit/intake/test_split.py",
    ),
)


def plant(fault: Fault, tree: Path) -> str:
    """Change the line in the tree; what the file held before."""
    path = tree / "src" / "densight" / fault.file
    source = path.read_text()
    changed, count = re.subn(fault.pattern, fault.replacement, source)
    if count != 1:
        raise LookupError(f"{fault.file}: {count} matches of {fault.pattern}")
    path.write_text(changed)
    return source


def is_caught(fault: Fault, tree: Path) -> str | None:
    """The first test that fails with the fault in the tree."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--tb=no"]
    done = subprocess.run(
        [*command, *(f"tests/{name}" for name in fault.tests.split())],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    return failed.group(1) if done.returncode == 1 and failed else None


def main() -> int:
    """Plant each fault, run its tests, and print whether they caught it."""
    chosen = [fault for fault in FAULTS if all(word in fault.name for word in sys.argv[1:])]
    status = 0
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        for name in ("src", "tests", "tools", "docs", "benchmarks"):
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "conftest.py", "README.md", "CHANGELOG.md"):
            shutil.copy(ROOT / name, tree / name)
        for fault in chosen:
            try:
                source = plant(fault, tree)
            except LookupError as error:
                print(f"not planted  {fault.name}\n             {error}", flush=True)
                status = 2
                continue
            caught = is_caught(fault, tree)
            (tree / "src" / "densight" / fault.file).write_text(source)
            print(f"{'caught' if caught else 'NOT CAUGHT':12} {fault.name}\n             {caught or ''}", flush=True)
            status = max(status, 0 if caught else 1)
    return status


if __name__ == "__main__":
    sys.exit(main())
