"""Trials on networks of which it is known what they look at, and on cases worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.trials.planted import looks_at_dense_tissue, reads_marker, reads_size
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from densight.assessment.assess import ImageResult, prepare_image, run_network
from densight.assessment.models import Models
from densight.intake.image import read_mammogram
from densight.intake.mammogram import Mammogram
from densight.network.architecture import Architecture, build_network
from densight.network.blocks import DensityNetwork
from densight.network.bundle import Bundle
from densight.network.facts import BundleFacts
from densight.phantom.settings import Settings
from densight.phantom.stored import read_truth, without_dense_tissue
from densight.preparation.prepare import Preparation
from densight.trials import map_measures
from densight.trials.battery import BASELINES, try_baseline, try_method
from densight.trials.bench import Bench
from densight.trials.case import KNOWN, PAINTED, PHYSICS, READ, Case, make_blocks
from densight.trials.deletion import block_means, deletion_curve, insertion_curve, order_blocks
from densight.trials.measure import MEASURES, Trial
from densight.trials.verdicts import JUDGED, Card, make_card
from densight.vocabulary import BIRADS, PROJECTIONS, DensightError, Projection
from tests.examples import draw_breast
from tests.phantoms import Shared

SHAPE = (96, 64)


def bundle_of(network: DensityNetwork, preset: str) -> Bundle:
    channels = Preparation.usual(preset).channels
    architecture = Architecture("planted", len(BIRADS), channels)
    facts = BundleFacts(architecture, Preparation(preset, SHAPE), BIRADS, PROJECTIONS)
    return Bundle(facts, network.eval(), f"{id(network):064x}", Path("planted"))


@pytest.fixture(scope="module")
def exams(shared: Shared) -> Path:
    return shared.phantoms(6, 3, Settings(mix=(0, 0.3, 0.4, 0.3), shape=(192, 156)))


def mark(mammogram: Mammogram) -> Mammogram:
    """Burn a bright cross into the lower corner that is air."""
    pixels = mammogram.pixels.copy()
    half = pixels.shape[1] // 2
    left = -26 if pixels[:, :half].sum() > pixels[:, half:].sum() else 6
    block = np.zeros((20, 20), bool)
    block[8:12], block[:, 8:12] = True, True
    pixels[-26:-6, left : left + 20][block] = np.iinfo(pixels.dtype).max
    return Mammogram(pixels, mammogram.projection, mammogram.path, mammogram.patient_id, mammogram.exam_id)


def load(exams: Path, bundle: Bundle, *, marked: bool = False) -> list[ImageResult]:
    found = []
    for number in range(1, 7):
        name = f"P{number:06d}"
        projection = PROJECTIONS[number % 4]
        path = exams / name / f"{name}_{projection}.png"
        image = read_mammogram(path, projection, patient_id=name, exam_id=name)
        found.append(run_network(bundle, prepare_image(bundle, mark(image) if marked else image)))
    return found


def judge(exams: Path, network: DensityNetwork, preset: str, method: str, *, marked: bool = False) -> dict[str, str]:
    """Each deciding measure's verdict."""
    bundle = bundle_of(network, preset)
    bench = Bench(tuple(Case.of(one) for one in load(exams, bundle, marked=marked)))
    return {trial.measure: trial.summary().verdict for trial in try_method(bench, method)}


@pytest.mark.parametrize("method", ["expected-class", "hires-cam", "deep-lift"])
def test_a_network_that_looks_at_dense_tissue_passes(exams: Path, method: str) -> None:
    found = judge(exams, looks_at_dense_tissue(), "default", method)
    judged = {name for names in JUDGED.values() for name in names} & set(found)
    assert {name: found[name] for name in judged} == dict.fromkeys(judged, "passes")


def test_a_network_that_reads_a_marker_is_convicted(exams: Path) -> None:
    found = judge(exams, reads_marker(), "tutorial", "expected-class", marked=True)
    assert found["tissue.inside"] == "fails"  # its evidence lies beside the breast
    assert found["cause.effect"] == "fails"  # and dense tissue does not move it
    assert found["cause.beside"] == "fails"  # but what is beside the breast does
    assert found["cause.rank"] == "passes"  # which its map tells truly


def test_a_network_that_reads_the_size_of_the_breast_is_convicted(exams: Path) -> None:
    found = judge(exams, reads_size(), "tutorial", "expected-class")
    assert found["cause.effect"] == "fails"
    assert {found["deletion"], found["insertion"]} <= {"fails", "at chance"}
    assert found["tissue.inside"] == "passes"  # overlap with the breast alone would have let it through


def test_in_a_random_network_nothing_is_found(exams: Path) -> None:
    torch.manual_seed(0)
    network = build_network(Architecture("mobilenetv2-035", 4, 1))
    found = judge(exams, network, "default", "expected-class")
    assert found["cause.effect"] == "fails"
    assert found["deletion"] != "passes"
    assert found["cause.rank"] != "passes"


def test_a_second_training_and_shuffled_labels_are_compared_with(exams: Path) -> None:
    bundle, same = (bundle_of(looks_at_dense_tissue(), "default") for _ in range(2))
    cases = tuple(Case.of(one) for one in load(exams, bundle))
    bench = Bench(cases, second=Models((same,)), shuffled=Models((same,)))
    found = {trial.measure: trial for trial in try_method(bench, "grad-cam")}
    # The same network again: the same map, and one that shuffled labels gave too would be convicted.
    assert found["repeatability.seed"].values == pytest.approx(1.0)
    assert found["sanity.labels"].summary().verdict == "fails"
    other = bundle_of(looks_at_dense_tissue(), "tutorial")
    with pytest.raises(DensightError, match="preparation or classes differ from those of the model that is tested"):
        try_method(Bench(cases, second=Models((other,))), "grad-cam")


def test_baselines_know_nothing_of_the_network(exams: Path) -> None:
    bench = Bench(tuple(Case.of(one) for one in load(exams, bundle_of(looks_at_dense_tissue(), "default"))))
    found = {name: {trial.measure: trial for trial in try_baseline(bench, name)} for name in BASELINES}
    assert found["breast"]["tissue.auc"].values == pytest.approx(0.5)
    assert found["brightness"]["spearman.frame"].values == pytest.approx(1.0)
    assert found["brightness"]["tissue.auc"].summary().value > found["blur"]["tissue.auc"].summary().value > 0.5
    assert "deletion" not in found["breast"]


def test_phantoms_are_known_and_imaged_again_patients_are_read_and_painted(exams: Path) -> None:
    bundle = bundle_of(looks_at_dense_tissue(), "default")
    known = Case.of(load(exams, bundle)[0])
    assert (known.reference, known.replaced) == (KNOWN, PHYSICS)
    inside, beside = known.tissue.dense, known.tissue.fat
    changed = np.abs(known.without - known.image)
    assert changed[inside].mean() > 5 * changed[beside].mean()

    read = Case.of(run_network(bundle, prepare_image(bundle, Mammogram(draw_breast(1, 0.9), Projection.CC_L))))
    assert (read.reference, read.replaced) == (READ, PAINTED)
    assert (known.regions[~known.tissue.breast] == known.regions.max()).all()
    assert (known.blocks[~known.tissue.breast] == 0).all()


def test_a_phantom_without_dense_tissue_keeps_everything_else(exams: Path) -> None:
    path = exams / "P000002" / "P000002_MLO_R.png"
    image = read_mammogram(path, "MLO_R")
    truth = read_truth(path)
    assert truth is not None
    bare = without_dense_tissue(mark(image))
    assert np.array_equal(bare.pixels[~truth.breast], mark(image).pixels[~truth.breast])
    assert bare.pixels[truth.dense].mean() < 0.95 * image.pixels[truth.dense].mean()
    assert read_truth(exams / "catalogue.csv") is None
    other = Mammogram(image.pixels + 1, image.projection, path)
    with pytest.raises(DensightError, match="not the image that the phantom's record describes"):
        without_dense_tissue(other)


def test_deletion_and_insertion_worked_out_by_hand() -> None:
    # Four blocks of one pixel that count 8, 4, 2, 1: taken in the order of the map they leave 7, 3, 1, 0.
    image, without = np.array([[8.0, 4.0, 2.0, 1.0]], np.float32), np.zeros((1, 4), np.float32)
    blocks = make_blocks(np.ones((1, 4), bool), 4)

    def total(images: list[np.ndarray]) -> np.ndarray:
        return np.array([float(one.sum()) for one in images])

    order = order_blocks(block_means(np.array([[9.0, 5.0, 5.5, 1.0]]), blocks))
    assert order.tolist() == [0, 2, 1, 3]
    falls = deletion_curve(total, image, without, blocks, order)
    # After 10 steps of four blocks: 0, 0.4, .8, 1.2, 1.6, 2, 2.4, 2.8, 3.2, 3.6, 4 blocks, rounded.
    assert falls.tolist() == [15, 15, 7, 7, 5, 5, 5, 1, 1, 0, 0]
    assert insertion_curve(total, image, without, blocks, order).tolist() == [0, 0, 8, 8, 10, 10, 10, 14, 14, 15, 15]


def test_ties_are_broken_in_random_order_not_in_the_order_of_pixels() -> None:
    means = np.zeros(50)
    assert sorted(order_blocks(means, 1)) == list(range(50))
    assert order_blocks(means, 1).tolist() != list(range(50))
    assert order_blocks(means, 1).tolist() == order_blocks(means, 1).tolist()
    assert abs(np.corrcoef(order_blocks(means, 1), np.arange(50))[0, 1]) < 0.4


MASKED = {
    "auc": lambda values, mask, among: map_measures.area_under_curve(values, mask, among),
    "overlap": lambda values, mask, among: map_measures.overlap_at_equal_area(values, mask, among),
    "pointing": lambda values, mask, among: map_measures.points_at(values, mask, among),
}


@pytest.mark.parametrize("name", MASKED)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_measures_of_order_see_order_alone_and_only_inside(name: str, data: st.DataObject) -> None:
    shape = (5, 6)
    values = data.draw(hnp.arrays(np.int64, shape, elements=st.integers(-4, 4))).astype(float)
    mask, among = (data.draw(hnp.arrays(np.bool_, shape)) for _ in range(2))
    mask &= among
    outside = np.where(among, values, data.draw(st.integers(-9, 9)))
    order = data.draw(st.permutations(range(values.size)))
    first = MASKED[name](values, mask, among)
    assert first == pytest.approx(MASKED[name](np.exp(values / 2) + 3, mask, among), nan_ok=True)
    assert first == pytest.approx(MASKED[name](outside, mask, among), nan_ok=True)
    moved = (array.ravel()[order].reshape(shape) for array in (values, mask, among))
    assert first == pytest.approx(MASKED[name](*moved), nan_ok=True)
    assert np.isnan(first) or 0 <= first <= 1


@settings(max_examples=40, deadline=None)
@given(values=hnp.arrays(np.float64, (4, 5), elements=st.integers(-100, 100).map(float)), scale=st.floats(0.01, 100))
def test_measures_of_mass_do_not_see_the_scale(values: np.ndarray, scale: float) -> None:
    mask, among = np.zeros((4, 5), bool), np.ones((4, 5), bool)
    mask[:2] = True
    for measure in (lambda v: map_measures.mass_in(v, mask, among), lambda v: map_measures.effective_part(v, among)):
        assert measure(values) == pytest.approx(measure(scale * values), nan_ok=True)
    share = map_measures.mass_in(values, mask, among)
    assert np.isnan(share) == (not (values > 0).any())


def test_a_map_without_positive_evidence_is_nothing_and_not_a_number() -> None:
    none = -np.ones((4, 4))
    assert np.isnan(map_measures.mass_in(none, none < 0, none < 0))
    trial = Trial("grad-cam", "tissue.mass", np.full(8, np.nan), np.full(8, 0.2), tuple("abcdefgh"))
    summary = trial.summary()
    assert (summary.verdict, summary.images, summary.nothing) == ("nothing", 0, 8)
    card = make_card("grad-cam", {"tissue.auc": summary})
    assert "nothing to measure in 8 images" in card.lines[0].words
    assert card.warning == ""


def test_a_trial_is_judged_by_patients_against_chance() -> None:
    def verdict(measure: str, values: list[float], patients: str, chance: float = 0.5) -> str:
        return Trial("m", measure, np.array(values), np.full(len(values), chance), tuple(patients)).summary().verdict

    high = [0.7, 0.8, 0.9, 0.75, 0.65, 0.8]
    assert verdict("tissue.auc", high, "abcdef") == "passes"
    assert verdict("tissue.auc", [1 - value for value in high], "abcdef") == "fails"
    assert verdict("tissue.auc", [0.9, 0.1, 0.8, 0.2, 0.6, 0.4], "abcdef") == "at chance"
    assert verdict("sanity.cascade", [1 - value for value in high], "abcdef") == "passes"  # lower is better
    assert verdict("tissue.auc", high, "aaabbb") == "told"  # two women are too few, however many images
    assert verdict("complexity", high, "abcdef") == "told"
    # Six images of one woman count as one: 30 hits of hers do not outweigh five women's misses.
    many = Trial("m", "tissue.auc", np.array([1.0] * 30 + [0.2] * 5), np.full(35, 0.5), tuple("a" * 30 + "bcdef"))
    assert many.summary().value == pytest.approx((1 + 5 * 0.2) / 6)


def test_a_card_has_the_worst_verdict_of_a_trial_and_a_warning() -> None:
    good = Trial("m", "tissue.auc", np.linspace(0.7, 0.9, 6), np.full(6, 0.5), tuple("abcdef")).summary()
    bad = Trial("m", "tissue.inside", np.linspace(0.1, 0.2, 6), np.full(6, 0.5), tuple("abcdef")).summary()
    card: Card = make_card("grad-cam", {"tissue.auc": good, "tissue.inside": bad, "cause.rank": good})
    assert [(line.trial, line.verdict) for line in card.lines] == [("tissue", "fails"), ("cause", "passes")]
    assert card.warning == "Grad-CAM did not pass: tissue. See the trials before you trust this map."
    assert set(MEASURES) >= {name for names in JUDGED.values() for name in names}
