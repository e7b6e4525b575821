"""DICOM as an output of a run: report, capture, maps and segmentations per exam, and FHIR beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from densight.anatomy.reading import Anatomy
from densight.assessment.assess import fuse_images
from densight.explanation.explanation import EXPECTED_CLASS, Explanation
from densight.explanation.picture_names import EXAM_PICTURES, exam_picture_name
from densight.intake.failures import Failure
from densight.intake.files import is_dicom
from densight.interchange.capture import make_capture
from densight.interchange.fhir import make_fhir
from densight.interchange.maps import make_map
from densight.interchange.report import make_report
from densight.interchange.segmentation import make_segmentation
from densight.interchange.source import Source, read_source
from densight.runs.outputs import AssessedExam, AssessedImage, RunContext
from densight.runs.result import RunResult
from densight.storage import replacing, write_json
from densight.vocabulary import BIRADS, PROJECTIONS, DensightError, Projection

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


__all__ = ["DICOM_FOLDER", "FHIR", "IDENTIFIED", "REPORT", "Dicom", "DicomOutput"]

DICOM_FOLDER = "dicom"
"""The folder of all DICOM objects in a run folder; in it one an exam."""

IDENTIFIED, PSEUDONYMOUS = "dicom, identified", "dicom, pseudonymous"
"""What the journal and ``run.json`` say of the objects."""

REPORT, CAPTURE, FHIR = "report.dcm", "capture.dcm", "report.fhir.json"
"""File names in the folder of an exam."""


@dataclass(frozen=True)
class Dicom:
    """A request for DICOM objects and FHIR.

    Parameters
    ----------
    identified : bool
        Whether the objects bear the patients' names and ids; see `densight.interchange.source.read_source`.
    """

    identified: bool = False

    @property
    def flags(self) -> tuple[str, ...]:
        """The options of the command line that request it."""
        return ("--dicom", "--identified") if self.identified else ("--dicom",)

    def open(self, context: RunContext) -> DicomOutput:
        """Check that DICOM objects can be made of these images.

        Raises
        ------
        DensightError
            If the models' classes are not A B C D, no image is DICOM, or highdicom is not installed.
        """
        models, entries = context.models, context.entries
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
        return DicomOutput(context, self.identified)


@dataclass(frozen=True, eq=False)
class DicomOutput:
    """The DICOM objects and FHIR resources of a run.

    Under ``dicom/<exam>/`` in the run folder: ``report.dcm`` (structured report), ``report.fhir.json``,
    ``dense_<PROJECTION>.dcm`` (Segmentation of breast, pectoral muscle and dense tissue); and where exams are
    explained, ``capture.dcm`` (the exam as it is hung, with maps) and ``map_<PROJECTION>.dcm`` and
    ``map_<PROJECTION>_expected.dcm`` (Parametric Maps of the predicted and of the expected class, by the first method).

    Parameters
    ----------
    context : RunContext
    identified : bool
    """

    context: RunContext
    identified: bool

    @property
    def key(self) -> str:
        """What the journal and ``run.json`` hold."""
        return IDENTIFIED if self.identified else PSEUDONYMOUS

    def write_exam(self, exam: AssessedExam) -> list[Failure]:
        """Write the objects of an exam, each on its own; those that could not be written are returned."""
        try:
            sources = self._sources(exam)
        except DensightError as error:
            fault = f"no DICOM written: {error.fault}"
            return [Failure(image.entry.path, fault, error.remedy or "") for image in exam.images]
        failures = []
        picture = self.context.folder / EXAM_PICTURES / exam_picture_name(exam.patient_id, exam.exam_id)
        folder = self.context.folder / DICOM_FOLDER / picture.stem
        for path, name, write in self._objects(exam, sources, picture):
            try:
                write(folder / name)
            except DensightError as error:
                failures.append(Failure(path, f"{name} not written: {error.fault}", error.remedy or ""))
        return failures

    def finish(self, result: RunResult) -> None:
        """Do nothing: every exam is written already."""

    def _sources(self, exam: AssessedExam) -> dict[Projection, Source]:
        """What the objects take over from each image, in the tutorial's order of projections."""
        by_projection = {image.result.assessment.projection: image for image in exam.images}
        if len(by_projection) < len(exam.images):
            raise DensightError("the exam has two images of one projection", remedy="keep one of them")
        sources = {
            projection: read_source(by_projection[projection].entry.path, projection, identified=self.identified)
            for projection in PROJECTIONS
            if projection in by_projection
        }
        if len({source.study for source in sources.values()}) > 1:
            raise DensightError("the exam's images are of several studies", remedy="give them different exam_id")
        return sources

    def _objects(
        self, exam: AssessedExam, sources: dict[Projection, Source], picture: Path
    ) -> Iterator[tuple[Path, str, Callable[[Path], None]]]:
        """Each object of an exam: the image that a failure is listed for, the file's name, and what writes it."""
        models = [bundle.label for bundle in self.context.models.bundles]
        images = {image.result.assessment.projection: image for image in exam.images}
        first, of_exam = images[next(iter(sources))].entry.path, list(sources.values())
        fused = fuse_images(self.context.models, [images[projection].result.assessment for projection in sources])
        yield first, REPORT, lambda path: _save(path, make_report(fused, sources, models))
        yield first, FHIR, lambda path: write_json(path, make_fhir(fused, of_exam, models))
        for projection, source in sources.items():
            yield from self._image_objects(images[projection], source, models)
        if self.context.methods and picture.is_file():
            words = [self.context.methods[0], *models]
            yield first, CAPTURE, lambda path: _save(path, make_capture(_read_picture(picture), of_exam, words))

    def _image_objects(
        self, image: AssessedImage, source: Source, models: Sequence[str]
    ) -> Iterator[tuple[Path, str, Callable[[Path], None]]]:
        projection = image.result.assessment.projection
        yield image.entry.path, f"dense_{projection}.dcm", partial(_save_tissue, image.result.anatomy, source, models)
        explanation = image.explanation(self.context.methods[0]) if self.context.methods else None
        if explanation is None:
            return
        for label, ending in ((explanation.predicted, ""), (EXPECTED_CLASS, "_expected")):
            name = f"map_{projection}{ending}.dcm"
            yield image.entry.path, name, partial(_save_map, explanation, label, source, models)


def _save_tissue(anatomy: Anatomy, source: Source, models: Sequence[str], path: Path) -> None:
    """Write the masks of an image; no file where there is no tissue."""
    tissue = make_segmentation(anatomy, source, models)
    if tissue is not None:
        _save(path, tissue)


def _save_map(explanation: Explanation, label: str, source: Source, models: Sequence[str], path: Path) -> None:
    _save(path, make_map(explanation, label, source, models))


def _read_picture(path: Path) -> np.ndarray:
    from PIL import Image

    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def _save(path: Path, dataset: Dataset) -> None:
    with replacing(path) as temporary:
        dataset.save_as(temporary)
