from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import densight
from densight.assessment.assess import assess_exam
from densight.assessment.models import load_models
from densight.intake.mammogram import Exam, Mammogram
from densight.vocabulary import DensightError, Projection
from tests.examples import draw_breast, write_exam, write_model
from tests.keras_files import unpack


def test_the_four_lines_of_the_readme(model_folder: Path, exams_folder: Path) -> None:
    model = densight.load_model(model_folder)
    exam = densight.read_exam(exams_folder / "E1")
    result = model.assess(exam)
    maps = model.explain(exam, method="grad-cam")

    assert result.density in model.classes
    assert result.probabilities.dtype == np.float32
    assert result.probabilities.sum() == pytest.approx(1, abs=1e-6)
    assert list(result.images) == list(densight.PROJECTIONS)
    assert result.images["MLO_R"].probabilities.shape == (4,)  # type: ignore[index]
    assert {projection: one.map("B").shape for projection, one in maps.items()} == dict.fromkeys(
        densight.PROJECTIONS, (160, 120)
    )


def test_a_breast_is_the_mean_of_its_images_and_the_exam_of_all(model_folder: Path, exams_folder: Path) -> None:
    result = densight.load_model(model_folder).assess(densight.read_exam(exams_folder / "E2"))

    of = {str(projection): image.probabilities for projection, image in result.images.items()}
    np.testing.assert_allclose(
        result.breasts[densight.Laterality.R].probabilities, (of["CC_R"] + of["MLO_R"]) / 2, atol=1e-6
    )
    np.testing.assert_allclose(result.probabilities, sum(of.values()) / 4, atol=1e-6)
    assert result.missing == ()


def test_what_is_missing_is_said_and_the_rest_is_the_mean(model_folder: Path, exams_folder: Path) -> None:
    result = densight.load_model(model_folder).assess(densight.read_exam(exams_folder / "E3"))

    assert result.missing == ("CC_L", "MLO_R")
    assert result.breasts[densight.Laterality.R].missing == ("MLO_R",)
    means = np.mean([image.probabilities for image in result.images.values()], axis=0)
    np.testing.assert_allclose(result.probabilities, means, atol=1e-6)


def test_one_mammogram_is_an_exam_of_one_projection(model_folder: Path, exams_folder: Path) -> None:
    model = densight.load_model(model_folder)
    image = densight.read_mammogram(exams_folder / "E1" / "CC_R.png", projection="CC_R")

    result = model.assess(image)

    np.testing.assert_array_equal(result.probabilities, result.images["CC_R"].probabilities)  # type: ignore[index]
    assert model.explain(image).map().shape == image.shape


def test_an_image_is_assessed_and_explained_the_same_alone_first_or_last(model_folder: Path) -> None:
    models = load_models([model_folder])
    images = [
        Mammogram(draw_breast(i, i / 4, right=p.laterality == "R"), p) for i, p in enumerate(densight.PROJECTIONS)
    ]
    together, examined = assess_exam(models, images)
    reverse, _ = assess_exam(models, images[::-1])

    for image, one in zip(images, examined, strict=True):
        alone, (only,) = assess_exam(models, [image])
        np.testing.assert_array_equal(only.features.numpy(), one.features.numpy())
        for result in (together, reverse):
            np.testing.assert_array_equal(
                result.images[image.projection].probabilities,  # type: ignore[index]
                alone.probabilities,
            )


def test_each_projection_has_its_own_model(tmp_path: Path, exams_folder: Path) -> None:
    folders = [
        write_model(tmp_path / "models" / projection, (projection,), seed=i)
        for i, projection in enumerate(densight.PROJECTIONS)
    ]
    exam = densight.read_exam(exams_folder / "E1")

    listed = densight.load_model(folders).assess(exam)
    found = densight.load_model(tmp_path / "models").assess(exam)

    assert {p: image.model.split("@")[0] for p, image in listed.images.items()} == {
        p: str(p) for p in densight.PROJECTIONS
    }
    np.testing.assert_array_equal(listed.probabilities, found.probabilities)


def test_keras_weights_are_a_model_whose_name_tells_its_projection(tmp_path: Path) -> None:
    keras = unpack("tutorial_keras_2.15", tmp_path).rename(tmp_path / "weights_mlol.h5")

    model = densight.load_model(keras)

    assert (model.projections, model.classes) == (("MLO_L",), ("A", "B", "C", "D"))
    assert model.models.bundles[0].facts.preparation.shape == (650, 650)


def test_models_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    one = write_model(tmp_path / "one", ("CC_R", "CC_L"))
    same = write_model(tmp_path / "same", ("CC_L",))
    other = write_model(tmp_path / "other", ("MLO_R",), classes=("F", "G", "D"))

    with pytest.raises(DensightError, match=r"same: it has learnt CC_L, and so has .*one"):
        densight.load_model([one, same])
    with pytest.raises(DensightError, match="its classes are F, G, D, those of the first model A, B, C, D"):
        densight.load_model([one, other])
    with pytest.raises(DensightError, match=r"nothing: there is no model bundle \(no model.json\)"):
        densight.load_model(tmp_path / "nothing")
    with pytest.raises(DensightError, match=r"model.json: .*HDF5"):
        densight.load_model(one / "model.json")


def test_a_device_that_is_unknown_or_not_there_is_refused(model_folder: Path) -> None:
    absent = "cuda" if torch.backends.mps.is_available() else "mps"
    with pytest.raises(DensightError, match=rf"the device '{absent}' cannot be used.*use --device cpu"):
        densight.load_model(model_folder, device=absent)
    with pytest.raises(DensightError, match=r"unknown device 'abacus'.*use one of cpu, cuda, mps"):
        densight.load_model(model_folder, device="abacus")


def test_a_projection_that_no_model_has_learnt_or_that_is_unknown_is_refused(tmp_path: Path) -> None:
    model = densight.load_model(write_model(tmp_path / "cc", ("CC_R", "CC_L")))

    with pytest.raises(DensightError, match=r"no model given has learnt MLO_R.*give one for it beside CC_R, CC_L"):
        model.assess(Mammogram(draw_breast(1, 0.5), Projection.MLO_R))
    with pytest.raises(DensightError, match="the projection is not known"):
        model.assess(Mammogram(draw_breast(1, 0.5)))


def test_real_exams_are_assessed_and_explained(data: Path, tmp_path: Path) -> None:
    model = densight.load_model(write_model(tmp_path / "all", preset="tutorial"))
    test_set = data / "infn" / "TestSet"
    exam = densight.read_exam([test_set / f"{p}/test/D/1302_1_D_{p}.png" for p in ("CC_L", "MLO_L", "MLO_R")])

    result, maps = model.assess(exam), model.explain(exam)

    assert exam.exam_id == "1302"
    assert result.missing == ("CC_R",)
    assert all(maps[one.projection].map().shape == one.shape for one in exam if one.projection)


def test_weights_that_give_no_number_are_refused(tmp_path: Path) -> None:
    import torch

    model = densight.load_model(write_model(tmp_path / "all"))
    torch.nn.init.constant_(model.models.bundles[0].network.classifier.weight, float("nan"))

    with pytest.raises(DensightError, match="the network's answer is not a number"):
        model.assess(Exam((Mammogram(draw_breast(1, 0.5), Projection.CC_R),)))


def test_an_unknown_name_is_no_part_of_the_package() -> None:
    with pytest.raises(AttributeError, match="No densight attribute diagnose"):
        _ = densight.diagnose
    assert "load_model" in dir(densight)


def test_an_exam_read_from_a_folder_keeps_its_ids(tmp_path: Path) -> None:
    exam = densight.read_exam(write_exam(tmp_path / "P7", 1, 0.5))
    assert (exam.exam_id, len(exam)) == ("P7", 4)
