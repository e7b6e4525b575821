"""Which views a file says that it shows: every code, every way of saying it, and what contradicts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.sr.codedict import codes

from densight.geometry import set_back, set_upright
from densight.intake.dicom.kinds import why_not_assessed
from densight.intake.dicom.orientation import Orientation, read_orientation
from densight.intake.dicom.spacing import read_spacing
from densight.intake.dicom.views import MODIFIERS, VIEWS, ModifierCode, ViewCode, what_is_shown
from densight.vocabulary import PROJECTIONS, DensightError, Laterality, Projection, View
from tests.dicom_files import CAPTURE, FOR_PROCESSING, TOMOSYNTHESIS, code, mammogram

PAGE = Path(__file__).resolve().parents[3] / "docs" / "dicom.md"


def shown(view: str = "", side: str = "", **attributes: object) -> Dataset:
    dataset = Dataset()
    if view:
        dataset.ViewCodeSequence = [code(view)]
    if side:
        dataset.ImageLaterality = side
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def test_all_codes_of_the_standard_are_known() -> None:
    for context, known in ((codes.cid4014, VIEWS), (codes.cid4015, MODIFIERS)):
        listed = {getattr(context, name).value for name in context.dir()}
        assert listed <= {one.sct for one in known}
    assert len({one.sct for one in (*VIEWS, *MODIFIERS)} | {one.srt for one in (*VIEWS, *MODIFIERS)}) == 52


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.meaning)
def test_each_view_by_both_of_its_codes(view: ViewCode) -> None:
    for value in (view.sct, view.srt):
        seen = what_is_shown(shown(value, "L"))
        assert seen.view == view.view
        assert seen.laterality == Laterality.L
        assert bool(seen.excluded) == (view.view is None)
        assert view.view is not None or view.meaning in seen.excluded
        assert seen.notes == ("view from ViewCodeSequence", "side from ImageLaterality")
    assert {one.meaning for one in VIEWS if one.view} == {"cranio-caudal", "medio-lateral oblique"}


@pytest.mark.parametrize("modifier", MODIFIERS, ids=lambda modifier: modifier.meaning)
@pytest.mark.parametrize("within", [True, False], ids=["of the view", "beside the view"])
def test_each_modifier_by_both_of_its_codes(modifier: ModifierCode, within: bool) -> None:
    for value in (modifier.sct, modifier.srt):
        dataset = shown("399368009", "R")
        holder = dataset.ViewCodeSequence[0] if within else dataset
        holder.ViewModifierCodeSequence = [code(value)]
        seen = what_is_shown(dataset)
        assert seen.view == View.MLO
        assert seen.excluded == ("" if modifier.whole else f"the view is modified: {modifier.meaning}")
    assert [one.meaning for one in MODIFIERS if one.whole] == ["nipple in profile"]


@pytest.mark.parametrize("label", [one.label for one in (*VIEWS, *MODIFIERS) if one.label])
def test_the_letters_of_the_acr_in_view_position(label: str) -> None:
    view = next((one for one in VIEWS if one.label == label), None)
    if view:
        seen = what_is_shown(shown(side="R", ViewPosition=label))
        assert (seen.view, bool(seen.excluded)) == (view.view, view.view is None)
        return
    modifier = next(one for one in MODIFIERS if one.label == label)
    for position in (f"CC{label}", f"{label}CC", f"CC {label}", f"cc-{label.lower()}"):
        seen = what_is_shown(shown(side="R", ViewPosition=position))
        assert seen.view == View.CC, position
        assert seen.excluded == ("" if modifier.whole else f"the view is modified: {modifier.meaning}"), position


def test_a_code_that_nobody_knows_is_not_taken_for_a_standard_view() -> None:
    dataset = shown(side="R")
    dataset.ViewCodeSequence = [code("X-1", "biopsy window", "99MAKER")]
    assert what_is_shown(dataset).excluded == "the view 'biopsy window' is neither CC nor MLO"
    dataset = shown("399162004", "R")
    dataset.ViewModifierCodeSequence = [code("X-2", "with a needle", "99MAKER")]
    assert what_is_shown(dataset).excluded == "the view is modified: 'with a needle'"


@pytest.mark.parametrize(
    ("attributes", "projection", "said"),
    [
        ({"ViewPosition": "MLO", "ImageLaterality": "L"}, "MLO_L", "view from ViewPosition"),
        ({"ViewPosition": "RCC", "FrameLaterality": "R"}, "CC_R", "side from FrameLaterality"),
        ({"ViewPosition": "CC", "Laterality": "L"}, "CC_L", "side from Laterality"),
        ({"SeriesDescription": "R MLO screening"}, "MLO_R", "side from SeriesDescription"),
        ({"ProtocolName": "LCC"}, "CC_L", "view from ProtocolName"),
        ({"ViewPosition": "CC", "ImageLaterality": "L", "SeriesDescription": "R MLO"}, "CC_L", "contradiction"),
        ({"ViewPosition": "", "ImageLaterality": ""}, None, None),
        ({"ViewPosition": "CC"}, None, "view from ViewPosition"),
    ],
)
def test_places_that_tell_it(attributes: dict[str, str], projection: str | None, said: str | None) -> None:
    seen = what_is_shown(shown(**attributes))
    found = Projection.of(seen.view, seen.laterality) if seen.view and seen.laterality else None
    assert found == projection
    assert seen.excluded == ""
    assert said is None or any(words.startswith(said) for words in seen.notes)


def test_contradictions_are_told_one_by_one() -> None:
    dataset = shown("399162004", "L", ViewPosition="MLO", Laterality="R")
    assert what_is_shown(dataset).notes == (
        "view from ViewCodeSequence",
        "contradiction: ViewPosition says view MLO",
        "side from ImageLaterality",
        "contradiction: Laterality says side R",
    )


@pytest.mark.parametrize(("side", "excluded"), [("B", "the side 'B' is neither R nor L"), ("U", "the side 'U' is")])
def test_both_breasts_in_one_image_are_not_assessed(side: str, excluded: str) -> None:
    assert what_is_shown(shown("399162004", side)).excluded.startswith(excluded)


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({}, ""),
        ({"SOPClassUID": FOR_PROCESSING}, ""),
        ({"SOPClassUID": TOMOSYNTHESIS, "NumberOfFrames": 1}, ""),
        ({"SOPClassUID": TOMOSYNTHESIS, "NumberOfFrames": 61}, "a tomosynthesis volume of 61 slices"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.13.1.4"}, "projections of a tomosynthesis"),
        ({"ImageType": ["DERIVED", "PRIMARY", "TOMO_PROJ"]}, "projections of a tomosynthesis"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.6.1"}, "Ultrasound Image, no mammogram"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4"}, "MR Image, no mammogram"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.33"}, "Comprehensive SR, no mammogram"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.104.1"}, "Encapsulated PDF, no mammogram"),
        ({"SOPClassUID": "9.9.9"}, "an object of an unknown kind, no mammogram"),
        ({"SOPClassUID": CAPTURE}, ""),
        ({"SOPClassUID": CAPTURE, "Modality": "US"}, "an image of the modality US, no mammogram"),
        ({"SOPClassUID": CAPTURE, "Modality": "CR", "BodyPartExamined": "CHEST"}, "another part of the body"),
        ({"SOPClassUID": CAPTURE, "NumberOfFrames": 3}, "it holds 3 frames"),
        ({"QualityControlImage": "YES"}, "an image for quality control"),
        ({"BreastImplantPresent": "YES"}, "the breast has an implant"),
        ({"EstimatedRadiographicMagnificationFactor": 1.8}, "the view is magnified 1.8 times"),
        ({"EstimatedRadiographicMagnificationFactor": 1.07}, ""),
    ],
)
def test_kinds_of_objects(attributes: dict[str, object], reason: str) -> None:
    said = why_not_assessed(mammogram(**attributes))
    assert said == reason if not reason else reason in said


def test_a_damaged_attribute_is_named() -> None:
    dataset = shown("399162004", "R")
    dataset.add_new(0x00280008, "LO", "many")
    dataset.SOPClassUID = TOMOSYNTHESIS
    with pytest.raises(DensightError, match="NumberOfFrames is damaged"):
        why_not_assessed(dataset)


HUNG = {"CC_R": ["P", "L"], "CC_L": ["A", "R"], "MLO_R": ["P", "F"], "MLO_L": ["A", "F"]}


@pytest.mark.parametrize("projection", PROJECTIONS)
def test_hung_images_stay_as_they_are(projection: Projection) -> None:
    for directions in (HUNG[projection], [word + "R" if word == "F" else word for word in HUNG[projection]]):
        assert read_orientation(shown(PatientOrientation=directions), projection) == Orientation()


@given(st.sampled_from(PROJECTIONS), st.integers(0, 3), st.booleans())
def test_any_way_an_image_lies_is_brought_to_the_hung_one(projection: Projection, turns: int, mirrored: bool) -> None:
    """Letters for directions are laid on an arrow's picture, which is then turned as an image would be."""
    opposite = {"P": "A", "A": "P", "L": "R", "R": "L", "F": "H", "H": "F"}
    across, down = HUNG[projection]
    hung = np.arange(12).reshape(3, 4)
    stored = set_back(hung, turns, mirrored)
    if mirrored:
        across = opposite[across]
    for _ in range(turns):
        across, down = opposite[down], across
    found = read_orientation(shown(PatientOrientation=[across, down]), projection)
    np.testing.assert_array_equal(set_upright(stored, found.turns, found.mirrored), hung)
    assert bool(found.note) == (found != Orientation())


@pytest.mark.parametrize("directions", [None, ["A"], ["X", "Y"], ["A", "P"]])
def test_an_orientation_that_says_nothing_is_told(directions: list[str] | None) -> None:
    dataset = shown(PatientOrientation=directions) if directions else shown()
    found = read_orientation(dataset, Projection.CC_L)
    assert (found.turns, found.mirrored) == (0, False)
    assert "taken as hung" in found.note


@pytest.mark.parametrize(
    ("attributes", "pitch", "said"),
    [
        ({"ImagerPixelSpacing": [0.07, 0.07]}, 0.07, "pitch from ImagerPixelSpacing"),
        (
            {"ImagerPixelSpacing": [0.1, 0.1], "EstimatedRadiographicMagnificationFactor": 1.25},
            0.08,
            "pitch from ImagerPixelSpacing, magnified 1.25 times",
        ),
        (
            {"ImagerPixelSpacing": [0.1, 0.1], "DistanceSourceToDetector": 660, "DistanceSourceToPatient": 600},
            0.1 / 1.1,
            "pitch from ImagerPixelSpacing, magnified 1.1 times",
        ),
        (
            {"ImagerPixelSpacing": [0.1, 0.1], "PixelSpacing": [0.09, 0.09], "PixelSpacingCalibrationType": "FIDUCIAL"},
            0.09,
            "pitch from PixelSpacing, calibrated",
        ),
        ({"ImagerPixelSpacing": [0.1, 0.1], "PixelSpacing": [0.09, 0.09]}, 0.1, "pitch from ImagerPixelSpacing"),
        ({"PixelSpacing": [0.09, 0.09]}, 0.09, "pitch from PixelSpacing"),
        ({"DetectorElementSpacing": [0.085, 0.085]}, 0.085, "pitch from DetectorElementSpacing"),
        ({"ImagerPixelSpacing": [0, 0]}, None, "no pixel pitch in the file"),
        ({}, None, "no pixel pitch in the file"),
    ],
)
def test_pixel_pitch(attributes: dict[str, object], pitch: float | None, said: str) -> None:
    found, words = read_spacing(shown(**attributes))
    assert words == said
    assert found == (None if pitch is None else pytest.approx((pitch, pitch)))


def test_the_page_lists_every_view_and_modifier_and_what_is_done() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for one in (*VIEWS, *MODIFIERS):
        taken = getattr(one, "view", None) or ("assessed" if getattr(one, "whole", False) else "not assessed")
        row = f"| {one.meaning} | {one.label or '–'} | {one.sct} | {one.srt} | {taken} |"
        assert row in page
