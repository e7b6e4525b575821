from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from densight.intake.image import read_mammogram, read_pixels
from densight.vocabulary import DensightError, Projection

RANDOM = np.random.default_rng(7)
GREY8 = RANDOM.integers(0, 256, (80, 96), dtype=np.uint8)
GREY16 = RANDOM.integers(0, 65536, (80, 96), dtype=np.uint16)
GREY12 = (GREY16 >> 4).astype(np.uint16)
# JPEG keeps a smooth image to within a few grey levels.
SMOOTH = np.add.outer(np.arange(80), np.arange(96)).astype(np.uint8)


def encode(pixels: np.ndarray, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def pgm(pixels: np.ndarray, maximum: int) -> bytes:
    rows, columns = pixels.shape
    stored = pixels.astype(np.uint8 if maximum < 256 else ">u2").tobytes()
    return b"P5\n# a comment\n%d %d\n%d\n" % (columns, rows, maximum) + stored


def plain_pgm(pixels: np.ndarray, maximum: int) -> bytes:
    rows, columns = pixels.shape
    return b"P2 %d %d %d\n" % (columns, rows, maximum) + b" ".join(b"%d" % value for value in pixels.ravel()) + b"\n"


LOSSLESS = {
    "png8": (encode(GREY8, "PNG"), GREY8),
    "png16": (encode(GREY16, "PNG"), GREY16),
    "tiff8": (encode(GREY8, "TIFF"), GREY8),
    "tiff16": (encode(GREY16, "TIFF"), GREY16),
    "tiff16-lzw": (encode(GREY16, "TIFF", compression="tiff_lzw"), GREY16),
    "tiff16-deflate": (encode(GREY16, "TIFF", compression="tiff_adobe_deflate"), GREY16),
    "tiff16-big-endian": (encode(GREY16.astype(">u2"), "TIFF"), GREY16),
    "tiff32-in-range": (encode(GREY16.astype(np.int32), "TIFF"), GREY16),
    "pgm8": (pgm(GREY8, 255), GREY8),
    "pgm16": (pgm(GREY16, 65535), GREY16),
    "pgm12": (pgm(GREY12, 4095), GREY12),
    "pgm7": (pgm(GREY8 // 2, 127), GREY8 // 2),
    "pgm8-plain": (plain_pgm(GREY8, 255), GREY8),
    "pgm12-plain": (plain_pgm(GREY12, 4095), GREY12),
}


@pytest.mark.parametrize("name", LOSSLESS)
def test_grey_values_are_as_stored(name: str, tmp_path: Path) -> None:
    content, expected = LOSSLESS[name]
    path = tmp_path / "image.of-no-known-suffix"
    path.write_bytes(content)
    pixels, assumed = read_pixels(path)
    assert pixels.dtype == expected.dtype
    np.testing.assert_array_equal(pixels, expected)
    assert assumed == ()
    assert pixels.flags.writeable
    assert pixels.flags.c_contiguous


def test_jpeg_is_read_to_within_its_losses(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encode(SMOOTH, "JPEG", quality=95))
    pixels, assumed = read_pixels(path)
    assert np.abs(pixels.astype(int) - SMOOTH).max() <= 4
    assert assumed == ()


def test_the_content_decides_not_the_suffix(tmp_path: Path) -> None:
    path = tmp_path / "really_a_png.jpg"
    path.write_bytes(encode(GREY16, "PNG"))
    np.testing.assert_array_equal(read_pixels(path)[0], GREY16)


def rgb(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=2)


def save_palette(path: Path) -> None:
    image = Image.fromarray(GREY8, "L").convert("P")
    image.putpalette([level for level in range(256) for _ in range(3)])
    image.save(path)


def save_transparent(path: Path) -> None:
    Image.fromarray(np.dstack([rgb(GREY8), GREY8])).save(path)


EQUAL_CHANNELS: dict[str, tuple[Callable[[Path], None], tuple[str, ...]]] = {
    "rgb": (lambda path: Image.fromarray(rgb(GREY8)).save(path), ("equal colour channels taken as grey",)),
    "palette": (save_palette, ("equal colour channels taken as grey",)),
    "rgba": (save_transparent, ("equal colour channels taken as grey", "transparency ignored")),
    "la": (lambda path: Image.fromarray(np.dstack([GREY8, GREY8])).save(path), ("transparency ignored",)),
}


@pytest.mark.parametrize("name", EQUAL_CHANNELS)
def test_equal_channels_are_grey_and_that_is_recorded(name: str, tmp_path: Path) -> None:
    save, said = EQUAL_CHANNELS[name]
    path = tmp_path / "a.png"
    save(path)
    pixels, assumed = read_pixels(path)
    np.testing.assert_array_equal(pixels, GREY8)
    assert assumed == said


def test_channels_may_differ_by_two_grey_levels_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    channels = rgb(np.clip(GREY8, 3, 250))
    channels[5, 5, 0] += 2
    Image.fromarray(channels).save(path)
    assert read_pixels(path)[1] == ("equal colour channels taken as grey",)
    channels[5, 5, 0] += 1
    Image.fromarray(channels).save(path)
    with pytest.raises(DensightError, match="in colour"):
        read_pixels(path)


def test_a_grey_jpeg_saved_in_colour_is_grey(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encode(rgb(SMOOTH), "JPEG", quality=90))
    pixels, assumed = read_pixels(path)
    assert np.abs(pixels.astype(int) - SMOOTH).max() <= 8
    assert assumed == ("equal colour channels taken as grey",)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_an_orientation_tag_is_followed_and_recorded(kind: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the stored image is to be turned clockwise by a quarter
    path = tmp_path / "a"
    path.write_bytes(encode(GREY16, kind, exif=exif))
    pixels, assumed = read_pixels(path)
    np.testing.assert_array_equal(pixels, np.rot90(GREY16, -1))
    assert assumed == ("turned as its orientation tag says",)


def white_is_zero(stored: np.ndarray) -> bytes:
    """A TIFF that says white is zero, its grey values as they lie in the file."""
    content = bytearray(encode(stored, "TIFF"))
    entry = content.index(struct.pack("<HHIHH", 262, 3, 1, 1, 0))
    content[entry + 8] = 0
    return bytes(content)


@pytest.mark.parametrize("stored", [GREY8, GREY16], ids=["8 bit", "16 bit"])
def test_white_is_zero_is_inverted_and_recorded(stored: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(white_is_zero(stored))
    pixels, assumed = read_pixels(path)
    np.testing.assert_array_equal(pixels, np.iinfo(stored.dtype).max - stored)
    assert assumed == ("grey values inverted, because the TIFF says that white is zero",)


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and has hardly any data."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


def two_pages() -> bytes:
    buffer = io.BytesIO()
    page = Image.fromarray(GREY8)
    page.save(buffer, "TIFF", save_all=True, append_images=[page])
    return buffer.getvalue()


def cmyk_jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rgb(GREY8)).convert("CMYK").save(buffer, "JPEG")
    return buffer.getvalue()


def rgb16_png() -> bytes:
    content = encode(GREY16[:, :96], "PNG")
    # The header says colour type 2 (RGB) instead of 0 (grey); it is refused before the pixels are decoded.
    body = content[12:25] + b"\x02" + content[26:29]
    return content[:12] + body + struct.pack(">I", zlib.crc32(body)) + content[33:]


REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", r"the file is empty \(0 bytes\)"),
    "text": (b"not an image at all\n", "not a DICOM, PNG, JPEG, TIFF or PGM image"),
    "gif": (encode(GREY8, "GIF"), "not a DICOM, PNG, JPEG, TIFF or PGM image"),
    "dicom": (b"\0" * 128 + b"DICM" + b"\0" * 64, "the DICOM file has no image"),
    "photograph": (encode(RANDOM.integers(0, 256, (80, 96, 3), dtype=np.uint8), "JPEG"), "in colour"),
    "cmyk": (cmyk_jpeg(), r"in colour \(CMYK\)"),
    "constant": (encode(np.full((80, 96), 17, np.uint8), "PNG"), r"constant \(all grey values are 17\)"),
    "small": (encode(GREY8[:63], "PNG"), r"too small \(63 rows, 96 columns"),
    "pages": (two_pages(), "holds 2 pages"),
    "float": (encode(GREY8.astype(np.float32), "TIFF"), "floating-point"),
    "one bit": (encode(GREY8 > 99, "PNG"), "one bit a pixel"),
    "negative": (encode(GREY16.astype(np.int32) - 9, "TIFF"), "do not fit 16 bits"),
    "16-bit colour": (rgb16_png(), "several channels of 16 bits"),
    "bomb": (png_header(60_000, 60_000), "too large"),
    "large": (png_header(13_000, 12_000), "too large"),
}


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_mammogram_is_refused(name: str, tmp_path: Path) -> None:
    content, fault = REFUSED[name]
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(DensightError, match=fault) as refused:
        read_pixels(path)
    assert refused.value.path == path
    assert refused.value.remedy


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DensightError, match="there is no such file"):
        read_pixels(tmp_path / "missing.png")
    with pytest.raises(DensightError, match="a folder, not an image"):
        read_pixels(tmp_path)


TO_CUT = {name: content for name, (content, _) in LOSSLESS.items()} | {
    "jpeg": encode(GREY8, "JPEG"),
    "jpeg-progressive": encode(GREY8, "JPEG", progressive=True),
    "jpeg-colour": encode(rgb(GREY8), "JPEG"),
}


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("name", TO_CUT)
def test_truncated_files_are_refused_wherever_they_are_cut(name: str, tmp_path: Path) -> None:
    content = TO_CUT[name]
    path = tmp_path / "a"
    lengths = [*np.linspace(20, len(content) - 20, 25).astype(int), len(content) - 8]
    for length in lengths:
        path.write_bytes(content[:length])
        with pytest.raises(DensightError, match="truncated or damaged") as refused:
            read_pixels(path)
        assert "0x" not in str(refused.value), "an address in memory is no fault of the file"


@pytest.mark.parametrize(
    "name", ["jpeg", "jpeg-progressive", "jpeg-colour", "tiff8", "tiff16", "pgm8", "pgm12", "pgm16"]
)
def test_a_single_missing_byte_is_noticed(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(TO_CUT[name][:-1])
    with pytest.raises(DensightError, match="truncated or damaged"):
        read_pixels(path)


def save(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(GREY8).save(path)
    return path


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("1302_1_D_MLO_R.png", Projection.MLO_R),
        ("CC_L/1302_1_D_MLO_R.png", Projection.MLO_R),
        ("MLO_L/test/A/7.png", Projection.MLO_L),
        ("CC_R/MLO_L/7.png", Projection.MLO_L),
        ("any/7.png", None),
    ],
)
def test_the_projection_is_in_the_name_else_in_the_nearest_folder(
    where: str, expected: Projection | None, tmp_path: Path
) -> None:
    mammogram = read_mammogram(save(tmp_path / where))
    assert mammogram.projection is expected
    by_folder = "7" in where and expected is not None
    assert mammogram.assumed == (("projection taken from the folder's name",) if by_folder else ())


def test_the_projection_given_wins(tmp_path: Path) -> None:
    path = save(tmp_path / "1302_1_D_MLO_R.png")
    mammogram = read_mammogram(path, "lcc", patient_id="007", exam_id="1", density="D")
    assert mammogram.projection is Projection.CC_L
    assert (mammogram.patient_id, mammogram.exam_id, mammogram.density, mammogram.path) == ("007", "1", "D", path)
    with pytest.raises(DensightError, match="unknown projection 'sideways'"):
        read_mammogram(path, "sideways")


def test_real_mammograms_are_read(data: Path) -> None:
    tutorial = read_mammogram(data / "infn/TestSet/MLO_R/test/D/1302_1_D_MLO_R.png")
    assert (tutorial.shape, tutorial.pixels.dtype, tutorial.projection) == ((2293, 1112), np.uint8, Projection.MLO_R)
    film = read_mammogram(data / "mias/images/mdb003.png", Projection.MLO_L)
    assert (film.shape, film.assumed) == ((1024, 1024), ())
