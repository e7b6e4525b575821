"""Everything that is written of an exam for a PACS: report, capture, maps, segmentations, and FHIR beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from densight.assessment.assess import ImageResult, fuse_images
from densight.assessment.models import Models
from densight.explanation.explain import explain
from densight.explanation.explanation import EXPECTED_CLASS
from densight.explanation.picture_names import EXAM_PICTURES, exam_picture_name
from densight.intake.dicom.header import is_dicom
from densight.intake.failures import Failure
from densight.intake.mammogram import Entry
from densight.interchange.capture import make_capture
from densight.interchange.fhir import make_fhir
from densight.interchange.maps import make_map
from densight.interchange.report import make_report
from densight.interchange.segmentation import make_segmentation
from densight.interchange.source import Source, read_source
from densight.runs.run import OnExam
from densight.storage import replacing, write_json
from densight.vocabulary import BIRADS, DensightError, Projection

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["DICOM_FOLDER", "FHIR", "IDENTIFIED", "REPORT", "DicomWriter"]

DICOM_FOLDER = "dicom"
"""The folder of all DICOM objects in a run folder; in it one an exam."""

IDENTIFIED, PSEUDONYMOUS = "dicom, identified", "dicom, pseudonymous"
"""What the journal and ``run.json`` say of the objects."""

REPORT, CAPTURE, FHIR = "report.dcm", "capture.dcm", "report.fhir.json"
"""File names in the folder of an exam."""


@dataclass(frozen=True, eq=False)
class DicomWriter:
    """What `densight.runs.run.assess_run` calls with each exam in order to write it as DICOM.

    Under ``dicom/<exam>/`` in the run folder: ``report.dcm`` (structured report), ``report.fhir.json``,
    ``dense_<PROJECTION>.dcm`` (Segmentation of breast, pectoral muscle and dense tissue); and where exams are
    explained, ``capture.dcm`` (the exam as it is hung, with maps) and ``map_<PROJECTION>.dcm`` and
    ``map_<PROJECTION>_expected.dcm`` (Parametric Maps of the predicted and of the expected class).

    Parameters
    ----------
    folder : Path
        The run folder.
    models : Models
    identified : bool
        See `densight.interchange.source.read_source`.
    explainer : callable, optional
        What explains the exams of the run; it is called first.
    method : str
        The method whose maps are written; empty where exams are not explained.
    layer : str, optional
        The layer that is mapped.
    """

    folder: Path
    models: Models
    identified: bool
    explainer: OnExam | None = None
    method: str = ""
    layer: str | None = None

    @classmethod
    def of(
        cls,
        folder: Path,
        models: Models,
        entries: Sequence[Entry],
        *,
        identified: bool,
        explainer: OnExam | None = None,
        method: str = "",
        layer: str | None = None,
    ) -> DicomWriter:
        """Check that DICOM can be written of these images; parameters as of the class.

        Raises
        ------
        DensightError
            If the models' classes are not A B C D, no image is DICOM, or highdicom is not installed.
        """
        if models.classes != BIRADS:
            fault = f"the model's classes are {', '.join(models.classes)}, and DICOM has codes for A, B, C, D alone"
            raise DensightError(fault, remedy="leave out --dicom, or use a model of BI-RADS classes")
        if entries and not any(is_dicom(entry.path) for entry in entries):
            fault = "no image of the input is a DICOM file, and results are written into the exam of one"
            raise DensightError(fault, remedy="leave out --dicom, or give the DICOM files of the exams")
        try:
            import highdicom  # noqa: F401
        except ImportError:
            raise DensightError(
                "what writes DICOM objects is not installed", remedy="pip install 'densight[dicom]'"
            ) from None
        return cls(folder, models, identified, explainer, method, layer)

    @property
    def said(self) -> str:
        """What is written, in a word, for the journal and ``run.json``."""
        return IDENTIFIED if self.identified else PSEUDONYMOUS

    def __call__(self, examined: list[tuple[Entry, ImageResult]]) -> tuple[dict[Path, str], list[Failure]]:
        """Explain the images of an exam, if that is asked for, and write it; what could not be done is listed."""
        maps, failures = self.explainer(examined) if self.explainer else ({}, [])
        try:
            self._write(examined)
        except DensightError as error:
            fault = f"no DICOM written: {error.fault}"
            failures += [Failure(entry.path, fault, error.remedy or "") for entry, _ in examined]
        return maps, failures

    def _write(self, examined: list[tuple[Entry, ImageResult]]) -> None:
        order = list(Projection)
        examined = sorted(examined, key=lambda pair: order.index(pair[1].assessment.projection))
        projections = [one.assessment.projection for _, one in examined]
        if len(set(projections)) < len(projections):
            raise DensightError("the exam has two images of one projection", remedy="keep one of them")
        sources = {
            one.assessment.projection: read_source(entry.path, one.assessment.projection, identified=self.identified)
            for entry, one in examined
        }
        if len({source.study for source in sources.values()}) > 1:
            raise DensightError("the exam's images are of several studies", remedy="give them different exam_id")
        first = examined[0][0]
        picture = self.folder / EXAM_PICTURES / exam_picture_name(first.patient_id, first.exam_id)
        folder = self.folder / DICOM_FOLDER / picture.stem
        models = [bundle.label for bundle in self.models.bundles]
        assessment = fuse_images(self.models, [one.assessment for _, one in examined])
        _save(folder / REPORT, make_report(assessment, sources, models))
        write_json(folder / FHIR, make_fhir(assessment, list(sources.values()), models))
        for _, one in examined:
            self._write_image(folder, one, sources[one.assessment.projection], models)
        if self.method and picture.is_file():
            words = [self.method, *models]
            _save(folder / CAPTURE, make_capture(_read_picture(picture), list(sources.values()), words))

    def _write_image(self, folder: Path, examined: ImageResult, source: Source, models: Sequence[str]) -> None:
        projection = examined.assessment.projection
        tissue = make_segmentation(examined.anatomy, source, models)
        if tissue is not None:
            _save(folder / f"dense_{projection}.dcm", tissue)
        if not self.method:
            return
        explanation = explain(examined, self.method, self.layer)
        for label, ending in ((explanation.predicted, ""), (EXPECTED_CLASS, "_expected")):
            _save(folder / f"map_{projection}{ending}.dcm", make_map(explanation, label, source, models))


def _read_picture(path: Path) -> np.ndarray:
    from PIL import Image

    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def _save(path: Path, dataset: Dataset) -> None:
    with replacing(path) as temporary:
        dataset.save_as(temporary)
