"""A set of phantom exams in a folder: made on all cores, stopped and gone on with, the same bytes each time."""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import multiprocessing
import multiprocessing.connection
import os
import shutil
import signal
import threading
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from densight.intake.catalogue import COLUMNS, Catalogue, write_catalogue
from densight.intake.split import split_by_patient
from densight.phantom.dicom import write_dicom
from densight.phantom.imaging import exam
from densight.phantom.settings import Settings
from densight.phantom.truth import ImageTruth, PhantomExam
from densight.storage import read_json, replacing, write_bytes, write_json
from densight.vocabulary import BIRADS, PROJECTIONS, DensightError, Laterality

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CATALOGUE", "RECORD", "SHIFT", "TRUTH", "count_cores", "exam_name", "exam_seed", "write_exams"]

CATALOGUE = "catalogue.csv"
"""The catalogue's file name in the folder of a set."""

RECORD = "phantom.json"
"""What a folder's exams were asked for: number, seed, settings and densight's version."""

TRUTH = "truth.json"
"""The numbers that are known of an exam, in the exam's folder."""

_MOST = 999_999
"""As many exams as `exam_name` can number."""

SHIFT = {"display": 4, "raw": 2, "film": 0}
"""Bits by which pixels of 12, 14 and 8 bits are shifted to fill those of the file."""

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def exam_name(number: int) -> str:
    """The id, and the folder, of an exam of a set and of its patient.

    Examples
    --------
    >>> exam_name(1)
    'P000001'
    """
    return f"P{number:06d}"


def exam_seed(seed: int, number: int) -> int:
    """The seed of an exam of a set, whatever the size of the set; 53 bits, so that tables hold it exactly.

    Parameters
    ----------
    seed : int
        The set's, not negative.
    number : int
        The exam's, from 1.

    Examples
    --------
    >>> exam_seed(1, 1) == exam_seed(1, 1) != exam_seed(1, 2)
    True
    """
    return int(np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0] >> 11)


def count_cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def write_exams(
    n: int,
    seed: int,
    folder: str | Path,
    settings: Settings | None = None,
    *,
    suffix: str = ".png",
    jobs: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Catalogue:
    """Make phantom exams and write them with their truth and a catalogue.

    In the folder of an exam, ``P000001``, are for each projection an image, ``P000001_CC_R.png``, and beside it what is
    known of its pixels, ``P000001_CC_R.npz``, and for all of them ``truth.json``. PNG images fill 16 bits, those of the
    style film 8, and know their pixel pitch. ``numpy.load`` gives of an ``.npz``, without pickle, the masks ``breast``,
    ``pectoral``, ``skin``, ``nipple`` and ``dense`` (bool), the map ``glandular`` (float32, mm along the ray, to 1/256
    mm), all of shape (rows, columns), and ``spacing`` (rows, columns; mm). No folder's listing takes them for
    mammograms.

    ``catalogue.csv`` has one row per image: beside the columns of every catalogue, patients split as
    `densight.intake.split.split_by_patient` does, ``volumetric_density`` (of the exam, in per cent),
    ``breast_volumetric_density``, ``volume`` (of the breast, in ml), ``percent_density``, ``thickness`` (of the image;
    in mm), ``vendor``, ``reader_1``, ``reader_2`` and the exam's ``seed``.

    An exam's folder is whole or absent, whatever stops the work. The same command goes on where it was and ends in the
    same bytes, on however many cores. Exam i is the same in sets of every size.

    Parameters
    ----------
    n : int
        Exams, at least 1.
    seed : int
        Not negative.
    folder : path-like
        New, empty, or that of the same command.
    settings : Settings, optional
    suffix : {".png", ".dcm"}
        The format of the images: PNG, or DICOM as a mammography unit, or a film's scanner, sends it.
    jobs : int, optional
        Processes, each on one core. All cores if None. A script calls this below ``if __name__ == "__main__":``.
    progress : callable
        Called with the number of exams that are there and of all exams: at once, then after each.

    Returns
    -------
    Catalogue

    Raises
    ------
    DensightError
        If a number is impossible, the folder holds something else or exams of another command, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     catalogue = write_exams(1, 1, folder, Settings(shape=(128, 104)))
    >>> catalogue.table["path"].tolist()[:2]
    ['P000001/P000001_CC_R.png', 'P000001/P000001_CC_L.png']
    """
    folder, settings = Path(folder), settings or Settings()
    jobs = count_cores() if jobs is None else jobs
    _check_numbers(n, seed, jobs)
    _claim(folder, n, seed, settings, suffix)
    numbers = range(1, n + 1)
    missing = [number for number in numbers if not _is_whole(folder / exam_name(number), suffix)]
    write = functools.partial(_write_exam, folder=folder, seed=seed, settings=settings, suffix=suffix)
    progress(n - len(missing), n)
    try:
        _spread(write, missing, jobs, lambda done: progress(n - len(missing) + done, n))
    except BrokenProcessPool:
        fault = "a process that made exams was ended from outside, perhaps because memory ran out"
        raise DensightError(fault, folder, "give the same command again with fewer --jobs") from None
    catalogue = Catalogue(_table(folder, numbers, suffix, seed), BIRADS, folder)
    write_catalogue(catalogue, folder / CATALOGUE)
    return catalogue


def _check_numbers(n: int, seed: int, jobs: int) -> None:
    if not 1 <= n <= _MOST:
        raise DensightError(f"{n} exams cannot be made", remedy=f"give a number from 1 to {_MOST}: -n 200")
    if seed < 0:
        raise DensightError(f"the seed {seed} is negative", remedy="give 0 or more: --seed 1")
    if jobs < 1:
        raise DensightError(f"{jobs} processes make no exam", remedy="give 1 or more: --jobs 2")


def _claim(folder: Path, n: int, seed: int, settings: Settings, suffix: str) -> None:
    """Make the folder that of this command, or find that it is already."""
    asked = {"densight": version("densight"), "n": n, "seed": seed, **asdict(settings)}
    asked |= {"mix": list(settings.mix), "shape": list(settings.shape), "suffix": suffix}
    if (folder / RECORD).is_file():
        earlier = read_json(folder / RECORD)
        earlier.setdefault("suffix", ".png")
        other = [f"{key} {earlier.get(key)}, not {value}" for key, value in asked.items() if earlier.get(key) != value]
        if other:
            fault = f"the folder holds exams of another command ({'; '.join(other)})"
            raise DensightError(fault, folder, "give that command to go on with it, or choose another folder with -o")
        return
    if folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir()):
        raise DensightError("the folder holds other files", folder, "choose a new or an empty folder with -o")
    write_json(folder / RECORD, asked)


def _files(name: str, suffix: str) -> list[str]:
    """What makes up the folder of an exam."""
    return [TRUTH, *(f"{name}_{projection}{ending}" for projection in PROJECTIONS for ending in (suffix, ".npz"))]


def _is_whole(folder: Path, suffix: str) -> bool:
    return all((folder / file).is_file() for file in _files(folder.name, suffix))


def _spread(write: Callable[[int], None], numbers: list[int], jobs: int, progress: Callable[[int], None]) -> None:
    """Write exams in processes, no more begun than are being made, so that a stop waits for those alone."""
    if not numbers:
        return
    waiting, running, done = iter(numbers), set[Future[None]](), 0
    with _one_thread_each(), _pool(min(jobs, len(numbers))) as pool:
        while True:
            with _interrupts_held():
                running |= {pool.submit(write, number) for number in itertools.islice(waiting, jobs - len(running))}
            if not running:
                return
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                future.result()
                done += 1
                progress(done)


@contextlib.contextmanager
def _pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that are waited for in the end, however often Ctrl-C is pressed: a second time it would hang."""
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=spawn, initializer=_begin_worker)
    try:
        yield pool
    finally:
        with _interrupts_held():
            pool.shutdown()


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started meanwhile compute on one thread, as libraries read that from the environment at import."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Keep Ctrl-C from processes that are being started: they inherit that it is held back, this one gets it after."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin_worker() -> None:
    import cv2

    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A process whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)


def _write_exam(number: int, folder: Path, seed: int, settings: Settings, suffix: str) -> None:
    """Make an exam in a hidden folder, then put it in place."""
    name = exam_name(number)
    hidden = folder / f".{name}"
    try:
        shutil.rmtree(hidden, ignore_errors=True)
        made = exam(exam_seed(seed, number), **asdict(settings))
        for mammogram in made:
            assert mammogram.projection is not None
            stem = hidden / f"{name}_{mammogram.projection}"
            if suffix == ".png":
                pixels = np.left_shift(mammogram.pixels, SHIFT[settings.style], dtype=mammogram.pixels.dtype)
                _write_image(stem.with_suffix(suffix), pixels, settings.pitch)
            else:
                write_dicom(stem.with_suffix(suffix), mammogram, made, name, number)
            _write_truth(stem.with_suffix(".npz"), made.truth.images[mammogram.projection], settings.pitch)
        write_json(hidden / TRUTH, _numbers(made))
        _put_in_place(hidden, folder / name)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def _write_image(path: Path, pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16], pitch: float) -> None:
    from PIL import Image

    with replacing(path) as temporary:
        Image.fromarray(pixels).save(temporary, dpi=(25.4 / pitch, 25.4 / pitch), compress_level=3)


def _write_truth(path: Path, truth: ImageTruth, pitch: float) -> None:
    """As ``numpy.savez_compressed`` does, but quickly and without the time."""
    arrays: dict[str, npt.NDArray[Any]] = {
        **{name: getattr(truth, name) for name in ("breast", "pectoral", "skin", "nipple", "dense")},
        "glandular": np.rint(truth.glandular * np.float32(256)) / np.float32(256),
        "spacing": np.array([pitch, pitch]),
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
    write_bytes(path, content.getvalue())


def _numbers(made: PhantomExam) -> dict[str, Any]:
    """All that is known of an exam but its pixels."""
    truth, patient = made.truth, made.patient
    return {
        "seed": patient.seed,
        "density": truth.density,
        "volumetric_density": float(truth.volumetric_density),
        "percent_density": float(truth.percent_density),
        "readers": list(truth.readers),
        "vendor": patient.vendor,
        "breasts": {
            side.value: {
                "volumetric_density": float(truth.breast_volumetric_density[side]),
                "volume": float(patient.volume[side]),
            }
            for side in Laterality
        },
        "images": {
            projection.value: {"percent_density": float(image.percent_density), "thickness": float(image.thickness)}
            for projection, image in truth.images.items()
        },
    }


def _put_in_place(hidden: Path, folder: Path) -> None:
    try:
        if folder.exists():  # an exam that someone took files from
            shutil.rmtree(folder)
        hidden.rename(folder)
    except OSError as error:
        raise DensightError(
            f"cannot be written ({error.strerror})", folder, "check its permissions or choose another folder with -o"
        ) from error


def _table(folder: Path, numbers: range, suffix: str, seed: int) -> pd.DataFrame:
    import pandas as pd

    rows = [row for number in numbers for row in _rows(folder, exam_name(number), suffix)]
    return split_by_patient(pd.DataFrame(rows), BIRADS, seed=seed)


def _rows(folder: Path, name: str, suffix: str) -> Iterator[dict[str, object]]:
    """The catalogue's rows of an exam."""
    known = read_json(folder / name / TRUTH)
    for projection in PROJECTIONS:
        place = (f"{name}/{name}_{projection}{suffix}", name, name, projection.laterality.value, projection.view.value)
        breast, image = known["breasts"][projection.laterality], known["images"][projection]
        yield {
            **dict(zip(COLUMNS, (*place, known["density"], ""), strict=True)),
            "volumetric_density": round(known["volumetric_density"], 6),
            "breast_volumetric_density": round(breast["volumetric_density"], 6),
            "percent_density": round(image["percent_density"], 6),
            "thickness": round(image["thickness"], 3),
            "volume": round(breast["volume"], 3),
            "vendor": known["vendor"],
            "reader_1": known["readers"][0],
            "reader_2": known["readers"][1],
            "seed": known["seed"],
        }
