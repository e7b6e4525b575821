"""Which model assesses which projection: one bundle for all, or one per projection as in the tutorial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from densight.assessment.calibration import Calibration, Fusion
from densight.intake.mammogram import projection_unknown
from densight.network.bundle import Bundle, read_bundle
from densight.network.engine import Computing, Engine, build_engine
from densight.network.shipped import is_shipped, model_folder
from densight.validation import validate
from densight.vocabulary import PROJECTIONS, DensightError, Projection

__all__ = ["DEVICES", "Models", "load_models"]

DEVICES = ("cpu", "cuda", "mps")
"""Where networks run."""


@dataclass(frozen=True, eq=False)
class Models:
    """One to four bundles that share their classes, at most one per projection.

    Parameters
    ----------
    bundles : tuple of Bundle
    calibrated : bool
        Whether they use the calibrations that they hold.
    computing : Computing
        How their networks are run.
    sources : tuple of path-like
        What they were loaded from, as `load_models` was given it.

    Raises
    ------
    DensightError
        If there is none, two learnt the same projection, their classes differ, or a calibration is damaged.
    """

    bundles: tuple[Bundle, ...]
    calibrated: bool = True
    computing: Computing = field(default_factory=Computing)
    sources: tuple[str | Path, ...] = ()

    def __post_init__(self) -> None:
        if not self.bundles:
            raise DensightError("no model was given", remedy="give --model FOLDER")
        of: dict[Projection, Bundle] = {}
        for bundle in self.bundles:
            if bundle.facts.classes != self.classes:
                raise DensightError(
                    f"its classes are {', '.join(bundle.facts.classes)}, those of the first model "
                    f"{', '.join(self.classes)}",
                    bundle.folder,
                    "give models of the same classes",
                )
            for projection in bundle.facts.projections:
                if projection in of:
                    raise DensightError(
                        f"it has learnt {projection}, and so has {of[projection].folder}",
                        bundle.folder,
                        "give one model per projection, or one for all",
                    )
                of[projection] = bundle
        # Reads the calibrations of all, so that a damaged one is reported before anything is done.
        self.calibration_of(self.bundles[0])

    @cached_property
    def _calibrations(self) -> dict[Bundle, Calibration]:
        """The calibrations that are used."""
        held = [bundle for bundle in self.bundles if self.calibrated and bundle.facts.calibration is not None]
        return {bundle: _read_calibration(bundle) for bundle in held}

    @cached_property
    def engines(self) -> dict[Bundle, Engine]:
        """What computes each bundle's feature maps."""
        return {
            bundle: build_engine(
                bundle.network,
                bundle.facts.architecture.channels,
                bundle.facts.preparation.shape,
                self.computing,
            )
            for bundle in self.bundles
        }

    def calibration_of(self, bundle: Bundle) -> Calibration | None:
        """The calibration that a bundle holds, if it is used."""
        return self._calibrations.get(bundle)

    @cached_property
    def fusion(self) -> Fusion:
        """How images become breasts and exams: as it was fitted for just these models, else the mean."""
        found = [self.calibration_of(bundle) for bundle in self.bundles]
        first = found[0]
        if first is None or any(one is None or one.fusion != first.fusion for one in found):
            return Fusion()
        return first.fusion if set(first.models) == {bundle.checksum for bundle in self.bundles} else Fusion()

    @property
    def calibration_notes(self) -> list[str]:
        """What the models' calibration does, in words, and what of it is not used."""
        words = []
        for bundle in self.bundles:
            calibration = self.calibration_of(bundle)
            if calibration and calibration.images:
                words.append(f"{bundle.label}: {calibration.images.words}")
        return [*words, *self.fusion.words, *([self.not_calibrated] if self.not_calibrated else [])]

    @property
    def not_calibrated(self) -> str:
        """What of the models' calibration is not used, and why; nothing if all of it is, or if there is none."""
        if self._calibrations and self.fusion == Fusion():
            return "breasts and exams are not calibrated, because that was fitted with other models together"
        return ""

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels, from the least to the most dense."""
        return self.bundles[0].facts.classes

    @property
    def projections(self) -> tuple[Projection, ...]:
        """The projections that can be assessed, in the tutorial's order."""
        known = {projection for bundle in self.bundles for projection in bundle.facts.projections}
        return tuple(projection for projection in PROJECTIONS if projection in known)

    def of(self, projection: Projection | None, path: Path | None = None) -> Bundle:
        """The bundle for a projection.

        Parameters
        ----------
        projection : Projection or None
        path : Path, optional
            The image, for the message.

        Raises
        ------
        DensightError
            If the projection is not known, or no bundle has learnt it.
        """
        if projection is None:
            raise projection_unknown(path)
        for bundle in self.bundles:
            if projection in bundle.facts.projections:
                return bundle
        raise DensightError(
            f"no model given has learnt {projection}", path, f"give one for it beside {', '.join(self.projections)}"
        )


def load_models(
    sources: Sequence[str | Path],
    device: str = "cpu",
    *,
    calibrated: bool = True,
    computing: Computing | None = None,
) -> Models:
    """Load bundles and put their networks on a device.

    Parameters
    ----------
    sources : sequence of path-like
        Names of models that come with densight, such as ``starter``; bundle folders; folders of bundle folders such as
        ``densight train --projection each -o models/`` makes; or Keras weights, as
        `densight.network.keras.read_keras_bundle` reads them.
    device : {"cpu", "cuda", "mps"}
    calibrated : bool
        Whether they shall use the calibrations that they hold.
    computing : Computing, optional
        How their networks shall be run.

    Raises
    ------
    DensightError
        If a source holds no bundle, a bundle is damaged, the bundles do not go together, or the device is not there.
    """
    import torch

    if device not in DEVICES:
        raise DensightError(f"unknown device {device!r}", remedy=f"use one of {', '.join(DEVICES)}")
    bundles = tuple(bundle for source in sources for bundle in _read(Path(source)))
    models = Models(bundles, calibrated, computing or Computing(), tuple(sources))
    try:
        for bundle in models.bundles:
            bundle.network.to(torch.device(device))
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise DensightError(f"the device {device!r} cannot be used ({reason})", remedy="use --device cpu") from error
    return models


def _read_calibration(bundle: Bundle) -> Calibration:
    return validate(
        Calibration,
        bundle.facts.calibration,
        bundle.folder,
        "calibrate the model again",
        prefix="its calibration is damaged: ",
    )


def _read(source: Path) -> list[Bundle]:
    if is_shipped(source):
        return [read_bundle(model_folder(source))]
    if source.suffix.lower() == ".onnx":
        raise DensightError(
            "an ONNX file can be run elsewhere but not explained: it has no gradients and no layers to look into",
            source,
            "give the bundle that it was exported from",
        )
    if source.is_file():
        from densight.network.keras import read_keras_bundle

        return [read_keras_bundle(source)]
    if (source / "model.json").is_file():
        return [read_bundle(source)]
    folders = sorted(path.parent for path in source.glob("*/model.json"))
    return [read_bundle(folder) for folder in folders or [source]]
