"""Which view of which side a file says that it shows.

Sources: DICOM PS3.16, CID 4014 "View for Mammography" and CID 4015 "View Modifier for Mammography", in SNOMED CT and in
the SNOMED-RT codes that older units write; PS3.3, sections C.8.11.7 (Mammography Image Module: ViewCodeSequence,
PartialView) and C.8.21.6 (Breast View Module); ACR, Mammography Quality Control Manual (1999), labelling codes of
views, which units write as ViewPosition.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from densight.intake.dicom.header import sequence, text
from densight.vocabulary import Laterality, View, find_projection

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["MODIFIERS", "VIEWS", "ModifierCode", "Shown", "ViewCode", "what_is_shown"]


@dataclass(frozen=True)
class ViewCode:
    """A view that a mammogram can have.

    Parameters
    ----------
    sct, srt : str
        Its codes in SNOMED CT and in SNOMED-RT.
    label : str
        The ACR's letters.
    meaning : str
    view : View or None
        What densight takes it as; None where it is not assessed.
    """

    sct: str
    srt: str
    label: str
    meaning: str
    view: View | None = None


@dataclass(frozen=True)
class ModifierCode:
    """What can be added to a view.

    Parameters
    ----------
    sct, srt, label, meaning : str
        As of `ViewCode`.
    whole : bool
        Whether the view is still one of the whole breast as it is, which is assessed.
    """

    sct: str
    srt: str
    label: str
    meaning: str
    whole: bool = False


VIEWS = (
    ViewCode("399162004", "R-10242", "CC", "cranio-caudal", View.CC),
    ViewCode("399368009", "R-10226", "MLO", "medio-lateral oblique", View.MLO),
    ViewCode("399260004", "R-10224", "ML", "medio-lateral"),
    ViewCode("399352003", "R-10228", "LM", "latero-medial"),
    ViewCode("399099002", "R-10230", "LMO", "latero-medial oblique"),
    ViewCode("399196006", "R-10244", "FB", "caudo-cranial (from below)"),
    ViewCode("399188001", "R-102D0", "SIO", "superolateral to inferomedial oblique"),
    ViewCode("441555000", "R-40AAA", "ISO", "inferomedial to superolateral oblique"),
    ViewCode("399265009", "R-102CF", "XCC", "exaggerated cranio-caudal"),
    ViewCode("399192008", "R-1024A", "XCCL", "cranio-caudal exaggerated laterally"),
    ViewCode("399101009", "R-1024B", "XCCM", "cranio-caudal exaggerated medially"),
    ViewCode("127457009", "G-8310", "", "tissue specimen from breast"),
)
"""CID 4014, and the exaggerated cranio-caudal view without a side that some editions of it list."""

MODIFIERS = (
    ModifierCode("399161006", "R-102D2", "CV", "cleavage"),
    ModifierCode("399011000", "R-102D1", "AT", "axillary tail"),
    ModifierCode("399197002", "R-102D3", "RL", "rolled lateral"),
    ModifierCode("399226006", "R-102D4", "RM", "rolled medial"),
    ModifierCode("414493004", "R-102CA", "RI", "rolled inferior"),
    ModifierCode("415670009", "R-102C9", "RS", "rolled superior"),
    ModifierCode("399209000", "R-102D5", "ID", "implant displaced"),
    ModifierCode("399163009", "R-102D6", "M", "magnification"),
    ModifierCode("399055006", "R-102D7", "S", "spot compression"),
    ModifierCode("399110001", "R-102C2", "TAN", "tangential"),
    ModifierCode("442580003", "R-40AB2", "AX", "axillary tissue"),
    ModifierCode("442593008", "R-40ABE", "IMF", "infra-mammary fold"),
    ModifierCode("441752004", "P2-00161", "AC", "anterior compression"),
    ModifierCode("442581004", "R-40AB3", "NP", "nipple in profile", whole=True),
)
"""CID 4015. All but the nipple in profile show a part of the breast, or the breast otherwise than it is."""

_VIEW_OF = {code: view for view in VIEWS for code in (view.sct, view.srt)}
_MODIFIER_OF = {code: modifier for modifier in MODIFIERS for code in (modifier.sct, modifier.srt)}
_LABELS = {one.label: one for one in (*VIEWS, *MODIFIERS) if one.label}
_SIDES = {"R": Laterality.R, "RIGHT": Laterality.R, "L": Laterality.L, "LEFT": Laterality.L}
_DESCRIPTIONS = ("SeriesDescription", "ProtocolName", "AcquisitionDeviceProcessingDescription", "ImageComments")


@dataclass(frozen=True)
class Shown:
    """What a file says that it shows.

    Parameters
    ----------
    laterality : Laterality or None
    view : View or None
        None of both where it does not say so.
    excluded : str
        Why this view is not assessed; empty where it is, or where the view is not known.
    notes : tuple of str
        Where it says so, and what it says otherwise elsewhere, in words.
    """

    laterality: Laterality | None
    view: View | None
    excluded: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Claim:
    """One place of a file and what it says."""

    place: str
    value: str


def what_is_shown(dataset: Dataset) -> Shown:
    """Read a file's view and laterality, from the most to the least reliable place that tells them.

    The view: ViewCodeSequence with its modifiers, ViewPosition, descriptions in words. The laterality: ImageLaterality,
    FrameLaterality, Laterality, descriptions in words. The first place that tells it counts; those that say otherwise
    are reported in ``notes``.

    Parameters
    ----------
    dataset : pydicom.Dataset

    Examples
    --------
    >>> from pydicom.dataset import Dataset
    >>> dataset = Dataset()
    >>> dataset.ViewPosition, dataset.ImageLaterality, dataset.SeriesDescription = "MLO", "L", "R MLO"
    >>> shown = what_is_shown(dataset)
    >>> shown.laterality, shown.view, shown.notes[-1]
    (<Laterality.L: 'L'>, <View.MLO: 'MLO'>, 'contradiction: SeriesDescription says side R')
    """
    views = list(_claims_of_view(dataset))
    sides = list(_claims_of_side(dataset))
    notes = (*_notes_of("view", views), *_notes_of("side", sides))
    side = sides[0].value if sides else ""
    known = views[0].value if views else ""
    excluded = _excluded(dataset, known, side)
    view = View(known) if known in (View.CC, View.MLO) else None
    return Shown(_SIDES.get(side), view, excluded, notes)


def _excluded(dataset: Dataset, view: str, side: str) -> str:
    """Why a view is none that is assessed; empty where nothing speaks against it."""
    if view not in ("", View.CC, View.MLO):
        known = _LABELS.get(view)
        return f"the view {f'{view}, {known.meaning},' if known else view} is neither CC nor MLO"
    for modifier in _modifiers(dataset):
        if not modifier.whole:
            return f"the view is modified: {modifier.meaning}"
    if side and side not in _SIDES:
        return f"the side {side!r} is neither R nor L"
    return ""


def _notes_of(word: str, claims: list[_Claim]) -> Iterator[str]:
    if claims:
        yield f"{word} from {claims[0].place}"
    for claim in claims[1:]:
        if claim.value != claims[0].value:
            yield f"contradiction: {claim.place} says {word} {claim.value}"


def _claims_of_view(dataset: Dataset) -> Iterator[_Claim]:
    for item in sequence(dataset, "ViewCodeSequence")[:1]:
        code = text(item, "CodeValue")
        known = _VIEW_OF.get(code)
        meaning = (text(item, "CodeMeaning") or code)[:60]
        yield _Claim("ViewCodeSequence", (known.label or known.meaning) if known else f"{meaning!r}")
    position = _letters(text(dataset, "ViewPosition"))
    if position:
        yield _Claim("ViewPosition", position[0])
    for place in _DESCRIPTIONS:
        found = find_projection(text(dataset, place))
        if found:
            yield _Claim(place, found.view)


def _claims_of_side(dataset: Dataset) -> Iterator[_Claim]:
    for place in ("ImageLaterality", "FrameLaterality", "Laterality"):
        value = text(dataset, place).upper()
        if value:
            yield _Claim(place, _SIDES.get(value, value[:8]))
    for place in _DESCRIPTIONS:
        found = find_projection(text(dataset, place))
        if found:
            yield _Claim(place, found.laterality)


def _modifiers(dataset: Dataset) -> Iterator[ModifierCode]:
    """Modifiers by code, whether of the view or beside it, and those that ViewPosition spells."""
    for holder in (*sequence(dataset, "ViewCodeSequence")[:1], dataset):
        for item in sequence(holder, "ViewModifierCodeSequence"):
            code = text(item, "CodeValue")
            meaning = (text(item, "CodeMeaning") or code)[:60]
            yield _MODIFIER_OF.get(code) or ModifierCode(code, "", "", repr(meaning))
    for letters in _letters(text(dataset, "ViewPosition"))[1:]:
        modifier = _LABELS[letters]
        if isinstance(modifier, ModifierCode):
            yield modifier


def _letters(position: str) -> list[str]:
    """A view's letters as the ACR's, then those of its modifiers: ``MLOID`` and ``MLO ID`` are MLO, ID.

    Examples
    --------
    >>> _letters("MCC"), _letters("cc id"), _letters("LATERAL"), _letters("RMLO")
    (['CC', 'M'], ['CC', 'ID'], ['LATERAL'], ['MLO'])
    """
    plain = re.sub(r"[^A-Z]", "", position.upper())
    if not plain:
        return []
    for view in sorted((one.label for one in VIEWS if one.label), key=len, reverse=True):
        for found in re.finditer(f"(?={view})", plain):
            parts = (plain[: found.start()], plain[found.start() + len(view) :])
            rest = [part for part in parts if part and part not in _SIDES]
            if all(part in _LABELS for part in rest):
                return [view, *rest]
    return [plain[:16]]
