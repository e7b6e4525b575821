"""Damaged DICOM files: each is a clear error or a right answer, in bounded time and memory, and the run goes on."""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian

from tests import dicom_files as files
from tests.dicom_files import compress, mammogram, pixels_of, write

PROBE = """
import json, resource, signal, sys, time, warnings
from densight.intake.exam import find_inputs, read_entry
from densight.vocabulary import DensightError
warnings.simplefilter("ignore")
for line in sys.stdin:
    start, said = time.monotonic(), ""
    signal.alarm(60)
    try:
        inputs = find_inputs(line.strip())
        said = "; ".join([*(one.fault for one in inputs.failures), *(one.reason for one in inputs.left_out)])
        for entry in inputs.entries:
            image = read_entry(entry)
            said = f"read {image.pixels.shape} {image.projection}"
    except DensightError as error:
        said = f"fault {error.fault}" if error.path and error.remedy else f"NO PATH OR REMEDY: {error}"
    print(json.dumps([line.strip(), said, time.monotonic() - start]), flush=True)
print(json.dumps(["memory", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 0]))
"""


def bytes_of(dataset: Dataset, folder: Path) -> bytes:
    return write(folder / "whole.dcm", dataset).read_bytes()


EMPTY = b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
"""A table of offsets and the end of the sequence: no frame."""


def mutations(folder: Path) -> Iterator[tuple[str, bytes]]:
    """More than three hundred damaged files; the same each time."""
    rng = random.Random(20240917)
    plain = bytes_of(mammogram(pixels_of(1)), folder)
    packed = bytes_of(compress(mammogram(pixels_of(2)), files.JPEG_LOSSLESS_1), folder)
    wavelets = bytes_of(compress(mammogram(pixels_of(3)), files.JPEG_2000_LOSSLESS), folder)
    header = plain.index(b"\xe0\x7f\x10\x00")

    for i in range(60):
        yield f"cut {i}", plain[: 132 + i * (header - 132) // 60]
    for i in range(20):
        yield f"cut pixels {i}", plain[: header + 8 + i * (len(plain) - header - 8) // 20]
    for name, whole in (("jpeg", packed), ("j2k", wavelets)):
        start = whole.index(b"\xe0\x7f\x10\x00")
        for i in range(20):
            yield f"cut {name} {i}", whole[: start + i * (len(whole) - start) // 20]
        for i in range(30):
            yield f"{name} byte {i}", changed(whole, rng, start + 20, len(whole), 3)
    for i in range(100):
        yield f"header byte {i}", changed(plain, rng, 132, header, 1 + i % 5)
    for i in range(20):
        at = rng.randrange(300, header)
        yield f"inserted {i}", plain[:at] + rng.randbytes(rng.randrange(1, 40)) + plain[at:]
    for i in range(20):
        at = rng.randrange(132, header - 60)
        yield f"left out {i}", plain[:at] + plain[at + rng.randrange(1, 50) :]
    yield from odd_attributes(folder)
    yield from traps(folder, plain)


def changed(whole: bytes, rng: random.Random, first: int, last: int, times: int) -> bytes:
    content = bytearray(whole)
    for _ in range(times):
        content[rng.randrange(first, last)] = rng.randrange(256)
    return bytes(content)


def odd_attributes(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Values that are no values."""
    odd = {
        "Rows": [0, 1, 65535],
        "Columns": [0, 65535],
        "BitsAllocated": [0, 1, 12, 64],
        "BitsStored": [0, 1, 99],
        "HighBit": [0, 255],
        "SamplesPerPixel": [0, 2, 3, 4],
        "PixelRepresentation": [7],
        "PhotometricInterpretation": ["", "MONOCHROME3", "RGB", "YBR_FULL_422"],
        "WindowWidth": [0, -1, 1e300],
        "WindowCenter": [1e300],
        "ImagerPixelSpacing": [[0, 0], [-1, 1], [1e9, 1e9], [0.1]],
        "PixelPaddingValue": [4095],
        "PatientOrientation": [["", ""], ["AAA", "ZZ"], "A"],
        "NumberOfFrames": [0, 2, 10**9],
        "ViewPosition": ["É", "C" * 16],
        "ImageLaterality": ["Q"],
    }
    for keyword, values in odd.items():
        for i, value in enumerate(values):
            yield f"{keyword} {i}", bytes_of(mammogram(**{keyword: value}), folder)
    for keyword in (*odd, "ViewCodeSequence", "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "PatientID"):
        if keyword in mammogram():
            dataset = mammogram()
            del dataset[keyword]
            yield f"no {keyword}", bytes_of(dataset, folder)
    for tag, kind, value in ((0x00280010, "LO", "many"), (0x00540220, "LO", "a view"), (0x00280100, "FD", 16.5)):
        dataset = mammogram()
        del dataset[tag]
        dataset.add_new(tag, kind, value)
        yield f"kind of {tag:08x}", bytes_of(dataset, folder)


def traps(folder: Path, plain: bytes) -> Iterator[tuple[str, bytes]]:
    """Files that are made to fill the memory or the day."""
    at = plain.index(b"\x10\x00\x10\x00PN")
    level = b"\x08\x00\x40\x11SQ\0\0" + b"\xff" * 4 + b"\xfe\xff\x00\xe0" + b"\xff" * 4
    yield "deep", plain[:at] + level * 100_000 + plain[at:]
    yield "many private", bytes_of(with_private(), folder)
    yield "many items", bytes_of(mammogram(ReferencedImageSequence=[Dataset() for _ in range(3000)]), folder)
    dataset = mammogram()
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    whole = bytes_of(dataset, folder)
    start = whole.index(DeflatedExplicitVRLittleEndian.encode()) + 22
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = b"".join([squeeze.compress(b"\0" * 2**20) for _ in range(600)] + [squeeze.flush()])
    yield "deflated bomb", whole[:start] + body
    large = compress(mammogram(pixels_of(4)), files.JPEG_2000_LOSSLESS)
    frame = bytearray(large.PixelData)
    at = frame.index(b"\xff\x4f\xff\x51")
    frame[at + 8 : at + 16] = (60000).to_bytes(4, "big") * 2
    large.PixelData = bytes(frame)
    yield "wavelet bomb", bytes_of(large, folder)
    for i, content in enumerate((b"", b"\0", b"\xff" * 999, b"\xff\xd8\xff\xd9", b"\xff\x4f\xff\x51")):
        for syntax in (files.JPEG_LOSSLESS_1, files.JPEG_LS, files.JPEG_2000_LOSSLESS, files.HTJ2K_LOSSLESS, files.RLE):
            dataset = mammogram()
            dataset.file_meta.TransferSyntaxUID = syntax
            dataset.PixelData = encapsulate([content]) if content else EMPTY
            dataset["PixelData"].is_undefined_length = True
            yield f"frame {i} {syntax.name}", bytes_of(dataset, folder)
    yield "no preamble", plain[132:]
    yield "only a mark", plain[:132]
    yield "twice", plain + plain


def with_private() -> Dataset:
    dataset = mammogram()
    for number in range(200):
        block = dataset.private_block(0x0099 + 2 * (number // 100), f"MAKER {number}", create=True)
        block.add_new(1, "UN", bytes(range(256)) * 40)
    return dataset


@pytest.mark.filterwarnings("ignore")
def test_every_mutation_is_a_clear_error_or_a_right_answer(tmp_path: Path) -> None:
    paths = {}
    for number, (name, content) in enumerate(mutations(tmp_path)):
        path = tmp_path / "in" / f"F{number:04d}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        paths[str(path)] = name
    assert len(paths) >= 300
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PROBE], input="\n".join(paths), capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(paths) + 1
    *answers, (_, memory, _) = answers
    assert memory <= 2.0, "GiB"
    read = 0
    for path, said, seconds in answers:
        assert seconds <= 10, paths[path]
        assert said, f"{paths[path]}: neither read nor listed"
        assert not said.startswith("NO PATH"), f"{paths[path]}: {said}"
        read += said.startswith("read")
    said_of = {paths[path]: said for path, said, _ in answers}
    assert 20 < read < len(paths) - 100, "some are harmless, many are not"
    assert "too large" in said_of["deflated bomb"]
    assert "60000×60000" in said_of["wavelet bomb"]
    assert said_of["many private"].startswith("read (160, 120) CC_R")


@pytest.mark.filterwarnings("ignore")
def test_the_run_goes_on_among_damaged_files(tmp_path: Path, model_folder: Path) -> None:
    files.write_exam(tmp_path / "in" / "good", 1)
    for number, (_, content) in enumerate(mutations(tmp_path)):
        if number % 9 == 0:
            (tmp_path / "in" / f"F{number:04d}").write_bytes(content)
    command = [sys.executable, "-m", "densight", "assess", str(tmp_path / "in"), "-m", str(model_folder)]
    done = subprocess.run([*command, "-o", str(tmp_path / "run")], capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    with (tmp_path / "run" / "assessments.csv").open() as file:
        assessed = [row["path"] for row in csv.DictReader(file)]
    assert {f"good/IM{i}" for i in range(4)} <= set(assessed)
    with (tmp_path / "run" / "failures.csv").open() as file:
        assert all(row["fault"] and row["remedy"] for row in csv.DictReader(file))
