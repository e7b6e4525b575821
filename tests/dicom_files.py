"""DICOM files that tests make: mammograms of any kind, in any encoding, with any fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from pydicom import Dataset, FileDataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian

from densight.intake.dicom.uids import stable_uid
from tests.examples import draw_breast

FOR_PRESENTATION, FOR_PROCESSING = "1.2.840.10008.5.1.4.1.1.1.2", "1.2.840.10008.5.1.4.1.1.1.2.1"
CAPTURE, TOMOSYNTHESIS = "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.13.1.3"
VIEW_CODES = {"CC": "399162004", "MLO": "399368009"}

SECRETS = {
    "PatientName": "Zzyzxname^Quellinda",
    "PatientID": "PIDX-774411",
    "PatientBirthDate": "19511213",
    "OtherPatientIDs": "OTHX-99123",
    "AccessionNumber": "ACCX-55220",
    "StudyID": "STUX-3141",
    "StudyDate": "20231117",
    "SeriesDate": "20231117",
    "AcquisitionDate": "20231117",
    "ContentDate": "20231117",
    "InstitutionName": "Xanadu-Klinikum",
    "InstitutionAddress": "Nowherestreet 77",
    "ReferringPhysicianName": "Drxavier^Hippokrat",
    "OperatorsName": "Opxander^Eratorix",
    "StationName": "STNX-ROOM9",
    "PatientAddress": "Hiddenlane 5",
    "ImageComments": "seen Quellinda again",
}
"""What must be found in no output."""


def code(value: str, meaning: str = "", scheme: str = "SCT") -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning or value
    return item


def pixels_of(seed: int = 1, dense: float = 0.5, *, right: bool = True, bits: int = 12) -> np.ndarray:
    """A drawn breast of so many bits."""
    drawn = draw_breast(seed, dense, right=right).astype(np.uint16)
    return (drawn.astype(np.int64) * ((1 << bits) - 1) // 255).astype(np.uint16)


def mammogram(
    pixels: np.ndarray | None = None, projection: str = "CC_R", *, exam: object = 1, **attributes: Any
) -> FileDataset:
    """A mammogram for presentation, its pixels uncompressed; attributes of None are left out."""
    view, side = projection.split("_")
    pixels = pixels_of(right=side == "R") if pixels is None else pixels
    dataset = FileDataset("", {}, file_meta=FileMetaDataset(), preamble=b"\0" * 128)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.Modality = FOR_PRESENTATION, "MG"
    dataset.SOPInstanceUID = stable_uid("test", exam, projection, sorted(map(str, attributes.items())))
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = stable_uid("study", exam), stable_uid("series", exam)
    dataset.PatientID, dataset.PatientName, dataset.PatientSex = f"patient-{exam}", f"Test^{exam}", "F"
    dataset.PatientBirthDate, dataset.StudyDate, dataset.StudyTime = "", "20240102", "120000"
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.ImageType = ["DERIVED", "PRIMARY", ""]
    dataset.ImageLaterality, dataset.ViewPosition = side, view
    dataset.ViewCodeSequence = [code(VIEW_CODES[view], view)]
    down = "F" if view == "MLO" else ("L" if side == "R" else "R")
    dataset.PatientOrientation = ["P" if side == "R" else "A", down]
    dataset.ImagerPixelSpacing = [0.1, 0.1]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.BitsAllocated = pixels.dtype.itemsize * 8
    dataset.BitsStored = 8 if pixels.dtype.itemsize == 1 else 12
    dataset.HighBit = dataset.BitsStored - 1
    dataset.WindowCenter, dataset.WindowWidth = 1 << (dataset.BitsStored - 1), 1 << dataset.BitsStored
    dataset.PixelData = pixels.tobytes()
    for keyword, value in attributes.items():
        if value is None:
            del dataset[keyword]
        else:
            setattr(dataset, keyword, value)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return dataset


def write(path: Path, dataset: FileDataset) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path)
    return path


def write_exam(folder: Path, exam: object = 1, **attributes: Any) -> list[Path]:
    """The four projections of an exam, in files without a telling name."""
    paths = []
    for i, projection in enumerate(("CC_R", "CC_L", "MLO_R", "MLO_L")):
        pixels = pixels_of(10 * hash(str(exam)) % 97 + i, 0.5, right=projection.endswith("R"))
        paths.append(write(folder / f"IM{i}", mammogram(pixels, projection, exam=exam, **attributes)))
    return paths


JPEG_BASELINE, JPEG_EXTENDED, JPEG_LOSSLESS, JPEG_LOSSLESS_1 = (
    UID(f"1.2.840.10008.1.2.4.{number}") for number in (50, 51, 57, 70)
)
JPEG_LS, JPEG_LS_NEAR, JPEG_2000_LOSSLESS, JPEG_2000 = (
    UID(f"1.2.840.10008.1.2.4.{number}") for number in (80, 81, 90, 91)
)
HTJ2K_LOSSLESS, HTJ2K_RPCL, HTJ2K = (UID(f"1.2.840.10008.1.2.4.{number}") for number in (201, 202, 203))
RLE = UID("1.2.840.10008.1.2.5")


def compress(dataset: FileDataset, syntax: UID) -> FileDataset:
    """The same image in another encoding."""
    shape = (dataset.Rows, dataset.Columns)
    pixels = np.frombuffer(dataset.PixelData, f"<u{dataset.BitsAllocated // 8}").reshape(shape)
    bits = dataset.BitsStored
    encoders = {
        JPEG_BASELINE: lambda: imagecodecs.jpeg8_encode(pixels, level=95),
        JPEG_EXTENDED: lambda: imagecodecs.jpeg_encode(pixels, level=95, bitspersample=bits),
        JPEG_LOSSLESS: lambda: imagecodecs.jpeg_encode(pixels, lossless=True, predictor=4, bitspersample=bits),
        JPEG_LOSSLESS_1: lambda: imagecodecs.jpeg_encode(pixels, lossless=True, predictor=1, bitspersample=bits),
        JPEG_LS: lambda: imagecodecs.jpegls_encode(pixels),
        JPEG_LS_NEAR: lambda: imagecodecs.jpegls_encode(pixels, level=2),
        JPEG_2000_LOSSLESS: lambda: imagecodecs.jpeg2k_encode(pixels, level=0, reversible=True, codecformat="j2k"),
        JPEG_2000: lambda: imagecodecs.jpeg2k_encode(pixels, level=90, reversible=False, codecformat="j2k"),
        HTJ2K_LOSSLESS: lambda: imagecodecs.htj2k_encode(pixels),
        HTJ2K_RPCL: lambda: imagecodecs.htj2k_encode(pixels),
        HTJ2K: lambda: imagecodecs.htj2k_encode(pixels, reversible=False, level=0.001),
    }
    if syntax == RLE:
        dataset.compress(RLE)
        return dataset
    dataset.PixelData = encapsulate([bytes(encoders[syntax]())])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = syntax
    return dataset
