"""Grey values as displays show them: beside dcmtk's, over every encoding, and worked out with a pencil."""

from __future__ import annotations

import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, FileDataset, dcmread, dcmwrite
from pydicom.data import get_testdata_files
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

import densight
from densight.intake.dicom.display import render
from densight.intake.dicom.pixels import TRANSFER_SYNTAXES
from densight.intake.dicom.read import read_dicom
from densight.phantom.exams import write_exams
from densight.phantom.settings import Settings
from densight.vocabulary import DensightError
from tests import dicom_files as files
from tests.dicom_files import compress, mammogram, pixels_of, write
from tests.pacs_servers import require
from tests.phantoms import Shared

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning")

LEVEL = 1 / 255
"""One grey level of eight bits, as a part of the whole range."""


def shown_by_dcmtk(path: Path, folder: Path, voi: tuple[str, ...]) -> np.ndarray | None:
    """What dcmtk shows, 0 to 1; None where it does not know the encoding."""
    require("dcm2pnm", "dcmj2pnm", "dcml2pnm")
    for tool in ("dcm2pnm", "dcmj2pnm", "dcml2pnm"):
        picture = folder / f"{tool}.png"
        subprocess.run([tool, "+on2", "-O", *voi, "+F", "1", str(path), str(picture)], capture_output=True)
        if picture.is_file():
            return np.asarray(Image.open(picture), np.float64) / 65535
    return None


def as_parts(pixels: np.ndarray) -> np.ndarray:
    return pixels / np.iinfo(pixels.dtype).max


def readable_test_files() -> list[str]:
    """The images among pydicom's test files that densight reads, and no colour image, volume or report."""
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in get_testdata_files():
            if Path(name).is_file():
                try:
                    read_dicom(name)
                except DensightError:
                    continue
                found.append(name)
    return sorted(found)


READABLE = readable_test_files()
KNOWN_TO_DCMTK = 12


def test_pydicoms_test_files_are_shown_as_dcmtk_shows_them(tmp_path: Path) -> None:
    compared = 0
    for name in READABLE:
        dataset = dcmread(name)
        voi = ("+Wi", "1") if "WindowCenter" in dataset else ("-W",)
        beside = shown_by_dcmtk(Path(name), tmp_path, voi)
        for picture in tmp_path.iterdir():
            picture.unlink()
        if beside is not None:
            np.testing.assert_allclose(as_parts(read_dicom(name).shown), beside, atol=LEVEL, err_msg=name)
            compared += 1
    assert compared >= KNOWN_TO_DCMTK, READABLE


UNCOMPRESSED = (ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
LOSSLESS = (
    files.RLE,
    files.JPEG_LOSSLESS,
    files.JPEG_LOSSLESS_1,
    files.JPEG_LS,
    files.JPEG_2000_LOSSLESS,
    files.HTJ2K_LOSSLESS,
    files.HTJ2K_RPCL,
)
LOSSY = (files.JPEG_EXTENDED, files.JPEG_LS_NEAR, files.JPEG_2000, files.HTJ2K)


def encoded(syntax: UID, dataset: FileDataset, path: Path) -> Path:
    if syntax == ExplicitVRBigEndian:
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
        dataset.file_meta.TransferSyntaxUID = syntax
        dcmwrite(path, dataset, implicit_vr=False, little_endian=False, force_encoding=True)
        return path
    if syntax in UNCOMPRESSED:
        dataset.file_meta.TransferSyntaxUID = syntax
    elif syntax != dataset.file_meta.TransferSyntaxUID:
        dataset = compress(dataset, syntax)
    return write(path, dataset)


def test_every_transfer_syntax_is_tried() -> None:
    tried = {str(one) for one in (*UNCOMPRESSED, *LOSSLESS, *LOSSY, files.JPEG_BASELINE)}
    assert tried | {"1.2.840.10008.1.2.1"} == set(TRANSFER_SYNTAXES) - {
        "1.2.840.10008.1.2.4.92",  # JPEG 2000 with components that are not those of a grey image
        "1.2.840.10008.1.2.4.93",
    }


@pytest.fixture(scope="module")
def phantom(shared: Shared) -> Path:
    return shared.phantoms(1, 4, Settings(shape=(256, 208)), ".dcm") / "P000001"


@pytest.mark.parametrize("syntax", [*UNCOMPRESSED, *LOSSLESS], ids=lambda syntax: syntax.name)
def test_a_phantom_in_every_lossless_encoding_is_shown_as_dcmtk_shows_the_original(
    phantom: Path, tmp_path: Path, syntax: UID
) -> None:
    original = phantom / "P000001_MLO_L.dcm"
    path = encoded(syntax, dcmread(original), tmp_path / "encoded.dcm")

    shown = read_dicom(path)

    np.testing.assert_array_equal(shown.stored, read_dicom(original).stored)
    beside = shown_by_dcmtk(original, tmp_path, ("+Wi", "1"))
    assert beside is not None
    np.testing.assert_allclose(as_parts(shown.shown), beside, atol=LEVEL)


@pytest.mark.parametrize("syntax", LOSSY, ids=lambda syntax: syntax.name)
def test_a_phantom_compressed_with_loss_is_nearly_the_original(phantom: Path, tmp_path: Path, syntax: UID) -> None:
    original = read_dicom(phantom / "P000001_CC_R.dcm")
    path = encoded(syntax, dcmread(phantom / "P000001_CC_R.dcm"), tmp_path / "encoded.dcm")

    difference = np.abs(read_dicom(path).stored.astype(int) - original.stored)

    assert np.median(difference) <= 20
    assert np.percentile(difference, 99) <= 100
    beside = shown_by_dcmtk(path, tmp_path, ("+Wi", "1"))
    if beside is not None:  # dcmtk knows neither JPEG 2000 nor its high-throughput kind
        np.testing.assert_allclose(as_parts(read_dicom(path).shown), beside, atol=LEVEL)


def test_eight_bits_of_jpeg_baseline(tmp_path: Path) -> None:
    pixels = (pixels_of(3) >> 4).astype(np.uint8)
    path = write(tmp_path / "a.dcm", compress(mammogram(pixels), files.JPEG_BASELINE))

    image = read_dicom(path)

    assert image.pixels.dtype == np.uint8
    beside = shown_by_dcmtk(path, tmp_path, ("+Wi", "1"))
    assert beside is not None
    np.testing.assert_allclose(as_parts(image.shown), beside, atol=LEVEL)


@pytest.mark.parametrize(
    ("attributes", "voi"),
    [
        ({"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"}, ("+Wi", "1")),
        ({"PhotometricInterpretation": "MONOCHROME1"}, ("+Wi", "1")),
        ({"WindowCenter": [900, 2000], "WindowWidth": [500, 4000]}, ("+Wi", "1")),
        ({"WindowCenter": 1800, "WindowWidth": 1, "VOILUTFunction": "LINEAR"}, ("+Wi", "1")),
        ({"WindowCenter": 2000, "WindowWidth": 900, "VOILUTFunction": "SIGMOID"}, ("+Wfs", "+Wi", "1")),
        ({"RescaleSlope": 2, "RescaleIntercept": -500, "WindowCenter": 3000, "WindowWidth": 4000}, ("+Wi", "1")),
        ({"WindowCenter": None, "WindowWidth": None}, ("-W",)),
        ({"BitsStored": 10, "HighBit": 9, "WindowCenter": 512, "WindowWidth": 1024}, ("+Wi", "1")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else None,
)
def test_displays_are_as_dcmtks(tmp_path: Path, attributes: dict[str, object], voi: tuple[str, ...]) -> None:
    pixels = pixels_of(4)
    if attributes.get("BitsStored") == 10:
        pixels >>= 2
    path = write(tmp_path / "a.dcm", mammogram(pixels, **attributes))
    beside = shown_by_dcmtk(path, tmp_path, voi)
    assert beside is not None
    np.testing.assert_allclose(as_parts(read_dicom(path).shown), beside, atol=LEVEL)


def test_a_voi_lut_and_a_modality_lut_are_as_dcmtks(tmp_path: Path) -> None:
    curve = (4095 * (np.arange(4096) / 4095) ** 2).astype(np.uint16)
    voi = Dataset()
    voi.LUTDescriptor, voi.LUTExplanation, voi.LUTData = [4096, 0, 12], "NORMAL", curve.tobytes()
    path = write(tmp_path / "voi.dcm", mammogram(pixels_of(5), VOILUTSequence=[voi]))
    image = read_dicom(path)
    assert "VOI LUT NORMAL" in image.notes
    np.testing.assert_allclose(as_parts(image.shown), shown_by_dcmtk(path, tmp_path, ("+Wl", "1")), atol=LEVEL)

    modality = Dataset()
    modality.LUTDescriptor, modality.ModalityLUTType, modality.LUTData = [4096, 0, 16], "US", (curve * 16).tobytes()
    attributes = {"ModalityLUTSequence": [modality], "WindowCenter": 20000, "WindowWidth": 30000}
    path = write(tmp_path / "modality.dcm", mammogram(pixels_of(5), **attributes))
    image = read_dicom(path)
    assert "modality LUT" in image.notes
    np.testing.assert_allclose(as_parts(image.shown), shown_by_dcmtk(path, tmp_path, ("+Wi", "1")), atol=LEVEL)


def test_signed_values_and_bits_that_hold_something_else(tmp_path: Path) -> None:
    signed = (pixels_of(6).astype(np.int32) - 2048).astype(np.int16)
    dataset = mammogram(signed, WindowCenter=0, WindowWidth=4096, PixelRepresentation=1)
    np.testing.assert_array_equal(read_dicom(write(tmp_path / "signed.dcm", dataset)).stored, signed)

    high = (pixels_of(6) << 4) | 0b1010
    image = read_dicom(write(tmp_path / "high.dcm", mammogram(high.astype(np.uint16), HighBit=15)))
    np.testing.assert_array_equal(image.stored, pixels_of(6))

    overlay = pixels_of(6) | 0x8000
    image = read_dicom(write(tmp_path / "overlay.dcm", mammogram(overlay.astype(np.uint16))))
    np.testing.assert_array_equal(image.stored, pixels_of(6))


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black(tmp_path: Path, photometric: str) -> None:
    pixels = pixels_of(7)
    pixels[:20], pixels[20:30] = 4000, 4040
    attributes = {"PixelPaddingValue": 4000, "PixelPaddingRangeLimit": 4050, "PhotometricInterpretation": photometric}
    image = read_dicom(write(tmp_path / "a.dcm", mammogram(pixels, **attributes)))
    assert not image.shown[:30].any()
    assert "padding shown as black" in image.notes
    assert image.shown[30:].any()


def test_stored_values_to_shown_ones_with_a_pencil() -> None:
    dataset = Dataset()
    dataset.BitsStored, dataset.PixelRepresentation = 4, 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.WindowCenter, dataset.WindowWidth = 8, 5  # from 5.5 to 9.5, so that 7.5 is the middle
    shown, printed = render(np.array([[5, 6, 7, 8, 9, 10]], np.int32), dataset)
    assert shown.tolist() == [[0, round(255 / 8), round(255 * 3 / 8), round(255 * 5 / 8), round(255 * 7 / 8), 255]]
    assert printed == ("window 8/5, linear",)


def test_equal_channels_are_grey_and_others_are_refused(tmp_path: Path) -> None:
    grey = (pixels_of(8) >> 4).astype(np.uint8)
    for name, channels, kind in (("grey", [grey] * 3, "RGB"), ("colour", [grey, grey // 2, grey], "RGB")):
        pixels = np.stack(channels, axis=-1)
        attributes = {"SamplesPerPixel": 3, "PlanarConfiguration": 0, "PhotometricInterpretation": kind}
        write(tmp_path / name, mammogram(pixels, SOPClassUID=files.CAPTURE, BitsStored=8, HighBit=7, **attributes))
    image = densight.read_mammogram(tmp_path / "grey")
    assert image.projection == "CC_R"
    assert "equal colour channels taken as grey" in image.assumed
    with pytest.raises(DensightError, match="in colour"):
        densight.read_mammogram(tmp_path / "colour")


FAULTY = {
    "cut off": ({"PixelData": b"\0" * 100}, "cut off: 100 of 38400 bytes"),
    "no pixels": ({"PixelData": None}, "has no image"),
    "32 bits": ({"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31}, "32 of 32 bits"),
    "palette": ({"PhotometricInterpretation": "PALETTE COLOR"}, "PALETTE COLOR"),
    "no kind": ({"PhotometricInterpretation": None}, "of no stated kind"),
    "enormous": ({"Rows": 60000, "Columns": 60000}, "too large"),
    "no rows": ({"Rows": 0}, "has no image"),
    "bits": ({"BitsStored": 17}, "17 of 16 bits"),
    "window of no width": ({"WindowWidth": 0}, "the window is 0 wide"),
    "window function": ({"VOILUTFunction": "CUBIC"}, "'CUBIC' is not known"),
    "window beyond": ({"WindowCenter": 90000}, "constant"),
}


@pytest.mark.parametrize("name", FAULTY)
def test_what_cannot_be_shown_is_refused(tmp_path: Path, name: str) -> None:
    attributes, fault = FAULTY[name]
    path = write(tmp_path / "a.dcm", mammogram(**attributes))
    with pytest.raises(DensightError, match=fault) as refused:
        densight.read_mammogram(path)
    assert refused.value.path == path
    assert refused.value.remedy


def test_a_compressed_image_larger_than_the_header_says_is_not_decoded(tmp_path: Path) -> None:
    for syntax in (files.JPEG_LOSSLESS_1, files.JPEG_LS, files.JPEG_2000_LOSSLESS, files.HTJ2K_LOSSLESS):
        dataset = compress(mammogram(), syntax)
        dataset.Rows = 100
        with pytest.raises(DensightError, match="compressed pixels are 160×120, the header says 100×120"):
            densight.read_mammogram(write(tmp_path / "a.dcm", dataset))


def test_for_processing_images_are_shown_nearly_as_the_phantoms_own_display(tmp_path: Path) -> None:
    for style in ("raw", "display"):
        write_exams(1, 11, tmp_path / style, Settings(shape=(512, 416), style=style), suffix=".dcm", jobs=1)
    for projection in ("CC_R", "MLO_L"):
        raw, display = (
            densight.read_mammogram(tmp_path / style / "P000001" / f"P000001_{projection}.dcm")
            for style in ("raw", "display")
        )
        assert "for processing: shown by densight's own display" in raw.assumed
        breast = densight.anatomy.read(display).breast
        inside = np.corrcoef(raw.pixels[breast], display.pixels[breast])[0, 1]
        assert inside > 0.9
        assert np.median(raw.pixels[~breast]) == 0


def test_logarithmic_and_inverted_detector_images_are_the_same_picture(tmp_path: Path) -> None:
    write_exams(1, 12, tmp_path, Settings(shape=(256, 208), style="raw"), suffix=".dcm", jobs=1)
    path = tmp_path / "P000001" / "P000001_CC_L.dcm"
    linear = densight.read_mammogram(path)
    dataset = dcmread(path)
    signal = np.maximum(np.frombuffer(dataset.PixelData, "<u2").reshape(256, 208).astype(float), 1)

    inverted = (16383 - signal).astype(np.uint16)
    dataset.PixelData, dataset.PixelIntensityRelationshipSign = inverted.tobytes(), -1
    np.testing.assert_array_equal(densight.read_mammogram(write(tmp_path / "i.dcm", dataset)).pixels, linear.pixels)

    logarithm = (2000 * np.log(16384 / signal)).clip(0, 16383).astype(np.uint16)
    dataset.PixelData, dataset.PixelIntensityRelationship = logarithm.tobytes(), "LOG"
    shown = densight.read_mammogram(write(tmp_path / "l.dcm", dataset)).pixels
    breast = densight.anatomy.read(linear).breast
    assert np.corrcoef(shown[breast], linear.pixels[breast])[0, 1] > 0.98
