from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from densight.assessment.tables import write_assessments
from densight.cli.figures import figures as figures_command
from densight.figures.bootstrap import bootstrap_sums
from densight.figures.confusion import (
    accuracy,
    balanced_accuracy,
    confusion_matrix,
    macro_precision,
    macro_recall,
    precision_per_class,
    recall_per_class,
)
from densight.figures.evaluate import Figures, figures_of_predictions, figures_of_run, write_figures
from densight.figures.intervals import percentile_interval, wilson_interval
from densight.figures.merit import measure
from densight.figures.metrics import METRICS, patient_confusions
from densight.vocabulary import DensightError

PROJECTIONS = ("ccr", "ccl", "mlor", "mlol")
PUBLISHED = {
    "CC_R": (0.7734, 0.7882, 0.7642),
    "CC_L": (0.7500, 0.7473, 0.7596),
    "MLO_R": (0.7422, 0.6992, 0.7167),
    "MLO_L": (0.7188, 0.7518, 0.6948),
    "right": (0.8047, 0.7934, 0.7939),
    "left": (0.7656, 0.7559, 0.7729),
    "exam": (0.8125, 0.8127, 0.8026),
}
AGREEMENT = {  # κ linear, κ quadratic, dense accuracy, macro AUC
    "CC_R": (0.7315, 0.8054, 0.8672, 0.9247),
    "CC_L": (0.7131, 0.8118, 0.8516, 0.9090),
    "MLO_R": (0.6928, 0.7856, 0.8750, 0.9299),
    "MLO_L": (0.6730, 0.7626, 0.8438, 0.9183),
    "right": (0.7685, 0.8372, 0.8906, 0.9394),
    "left": (0.7149, 0.7904, 0.8594, 0.9263),
    "exam": (0.7789, 0.8448, 0.8906, 0.9390),
}
PUBLISHED_EXAM_CONFUSION = ((12, 2, 0, 0), (3, 40, 7, 1), (0, 6, 42, 2), (0, 0, 3, 10))

app = typer.Typer()
app.command()(figures_command)


def run_command(*arguments: str | Path) -> tuple[str, BaseException | None]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "100"})
    return result.output, result.exception


@pytest.fixture
def tutorial_labels(tmp_path: Path) -> Path:
    path = tmp_path / "labels.csv"
    path.write_text("density\n" + "\n".join("A" * 14 + "B" * 51 + "C" * 50 + "D" * 13) + "\n")
    return path


@pytest.fixture
def tutorial(data: Path, tutorial_labels: Path) -> Figures:
    folder = data / "infn" / "Predictions"
    return figures_of_predictions([folder / f"predictions_{name}.txt" for name in PROJECTIONS], tutorial_labels)


class TestPublishedFigures:
    def test_levels(self, tutorial: Figures) -> None:
        found = {
            level: (merit["accuracy"].value, merit["macro_recall"].value, merit["macro_precision"].value)
            for level, merit in tutorial.levels.items()
        }
        assert list(found) == list(PUBLISHED)
        for level, values in PUBLISHED.items():
            assert [round(value, 4) for value in found[level]] == pytest.approx(values, abs=1e-9), level
            assert tutorial.levels[level].n == tutorial.levels[level].patients == 128
        assert tutorial.levels["exam"].confusion == PUBLISHED_EXAM_CONFUSION

    def test_agreement_order_and_calibration(self, tutorial: Figures) -> None:
        names = ("kappa_linear", "kappa_quadratic", "dense_accuracy", "macro_auc")
        for level, values in AGREEMENT.items():
            found = [tutorial.levels[level][name].value for name in names]
            assert found == pytest.approx(values, abs=5e-5), level
        exam = tutorial.levels["exam"]
        assert exam["accuracy"].intervals["percentile"] == pytest.approx((0.7422, 0.8750), abs=5e-5)
        assert exam["ece"].value == pytest.approx(0.1101, abs=5e-5)

    def test_command(self, data: Path, tmp_path: Path, tutorial_labels: Path) -> None:
        folder = data / "infn" / "Predictions"
        options = [part for name in PROJECTIONS for part in ("--predictions", folder / f"predictions_{name}.txt")]
        output, error = run_command(*options, "--labels", tutorial_labels, "-o", tmp_path / "out")
        assert error is None
        lines = [line.split() for line in output.splitlines()]
        for level, values in PUBLISHED.items():
            row = next(line for line in lines if line and line[0] == level)
            assert [row[1], row[2], row[3], *row[-2:]] == ["128", "128", *(f"{value:.4f}" for value in values)]
        assert "0.8125 [0.736, 0.871]" in output
        for label, counts in zip("ABCD", PUBLISHED_EXAM_CONFUSION, strict=True):
            assert [label, *map(str, counts)] in [line[:5] for line in lines]
        assert "note: no patient_id" in output

        written = json.loads((tmp_path / "out" / "figures.json").read_text())
        exam = written["levels"]["exam"]
        assert exam["confusion"] == [list(row) for row in PUBLISHED_EXAM_CONFUSION]
        assert (exam["accuracy"]["value"], exam["accuracy"]["method"]) == (0.8125, "wilson")
        assert exam["accuracy"]["interval"] == pytest.approx([0.7362, 0.8706], abs=5e-5)
        for level in PUBLISHED:
            for suffix in ("png", "svg"):
                assert (tmp_path / "out" / "figures" / f"confusion_{level}.{suffix}").stat().st_size > 0

    def test_a_run_folder_gives_the_same_as_prediction_files(self, data: Path, tmp_path: Path) -> None:
        ids = [f"{i:03}" for i in range(128)]
        known = {"patient_id": ids, "exam_id": ids, "density": list("A" * 14 + "B" * 51 + "C" * 50 + "D" * 13)}
        pd.DataFrame(known).to_csv(tmp_path / "labels.csv", index=False)
        files = [data / "infn" / "Predictions" / f"predictions_{name}.txt" for name in PROJECTIONS]
        tables = []
        for name, file in zip(PROJECTIONS, files, strict=True):
            probabilities = np.loadtxt(file)
            table = pd.DataFrame({"path": [f"{name}/{i}.png" for i in ids]} | known)
            table[["p_A", "p_B", "p_C", "p_D"]] = probabilities.astype(np.float32)
            table["predicted"] = ["ABCD"[i] for i in probabilities.argmax(axis=1)]
            table = table.assign(view=name[:-1].upper(), laterality=name[-1].upper())
            tables.append(table.assign(percent_density=None, preparation="", warnings="", model="m"))
        write_assessments(tmp_path, pd.concat(tables, ignore_index=True))
        from_run = figures_of_run(tmp_path)
        from_files = figures_of_predictions(files, tmp_path / "labels.csv")
        for level, merit in from_run.levels.items():
            other = from_files.levels[level]
            assert merit.confusion == other.confusion
            for name, estimate in merit.estimates.items():  # the run's probabilities are single precision
                assert estimate.value == pytest.approx(other[name].value, abs=1e-6), (level, name)
                assert estimate.interval == pytest.approx(other[name].interval, abs=1e-6), (level, name)
        assert from_run.levels["exam"].confusion == PUBLISHED_EXAM_CONFUSION
        assert from_run.assumed == ("exam: fewer than 30 patients of A (14), D (13), so that their figures are rough",)


class TestMerit:
    def test_hand_worked(self) -> None:
        confusion = confusion_matrix([0, 0, 0, 1, 1, 2, 2, 2], [0, 0, 1, 1, 2, 2, 2, 0], 3)
        assert confusion.tolist() == [[2, 1, 0], [0, 1, 1], [1, 0, 2]]
        assert accuracy(confusion) == 5 / 8
        assert recall_per_class(confusion).tolist() == [2 / 3, 1 / 2, 2 / 3]
        assert precision_per_class(confusion).tolist() == [2 / 3, 1 / 2, 2 / 3]
        assert macro_recall(confusion) == pytest.approx(11 / 18)

    def test_undefined_values_and_the_rule_of_the_macro_means(self) -> None:
        # B is predicted but never true, C is true but never predicted, D is neither.
        merit = measure([0, 0, 2, 2], [0, 1, 1, 0], ["a", "b", "c", "d"], 4)
        assert [one.recall.value for one in merit.by_class] == pytest.approx([0.5, np.nan, 0.0, np.nan], nan_ok=True)
        assert [one.precision.value for one in merit.by_class] == pytest.approx([0.5, 0.0, np.nan, np.nan], nan_ok=True)
        assert merit["macro_recall"].value == pytest.approx(0.5 / 3)
        assert merit["macro_precision"].value == pytest.approx(0.5 / 3)
        assert merit["balanced_accuracy"].value == pytest.approx(0.25)

    @given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
    def test_equal_to_scikit_learn(self, pairs: list[tuple[int, int]]) -> None:
        y_true, y_pred = map(list, zip(*pairs, strict=True))
        confusion = confusion_matrix(y_true, y_pred, 4)
        options = {"average": "macro", "zero_division": 0}
        assert accuracy(confusion) == pytest.approx(sklearn.metrics.accuracy_score(y_true, y_pred))
        assert macro_recall(confusion) == pytest.approx(sklearn.metrics.recall_score(y_true, y_pred, **options))
        assert macro_precision(confusion) == pytest.approx(sklearn.metrics.precision_score(y_true, y_pred, **options))
        recalls = sklearn.metrics.recall_score(y_true, y_pred, labels=range(4), average=None, zero_division=np.nan)
        assert recall_per_class(confusion) == pytest.approx(recalls, nan_ok=True)
        assert balanced_accuracy(confusion) == pytest.approx(np.nanmean(recalls))

    @pytest.mark.parametrize(
        "figure", [accuracy, recall_per_class, precision_per_class, macro_recall, macro_precision, balanced_accuracy]
    )
    def test_a_stack_gives_what_each_matrix_gives_alone(self, figure: object) -> None:
        stack = np.random.default_rng(0).integers(0, 4, size=(20, 3, 3)) + np.eye(3, dtype=int)
        alone = np.array([figure(matrix) for matrix in stack])  # type: ignore[operator]
        assert np.array_equal(figure(stack), alone, equal_nan=True)  # type: ignore[operator]

    @pytest.mark.parametrize(
        ("y_true", "y_pred"), [([], []), ([0, 1], [0]), ([0, 4], [0, 0]), ([0, -1], [0, 0]), ([0.0, 1.0], [0, 1])]
    )
    def test_anything_but_class_indices_is_refused(self, y_true: list[int], y_pred: list[int]) -> None:
        with pytest.raises(DensightError, match=r"true and predicted classes|class indices are integers from 0 to 3"):
            confusion_matrix(y_true, y_pred, 4)

    def test_every_row_needs_its_patient(self) -> None:
        with pytest.raises(DensightError, match="2 rows but 1 patients"):
            measure([0, 1], [0, 1], ["a"], 2)


class TestIntervals:
    def test_wilson_by_its_formula(self) -> None:
        p, n, z = 0.7, 10, 1.959963984540054
        centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
        assert wilson_interval(7, 10) == pytest.approx((centre - half, centre + half))

    def test_patients_come_and_go_together(self) -> None:
        counts = patient_confusions([0, 0, 1, 1, 1], [0, 1, 1, 1, 1], [0, 0, 1, 1, 1], 2)
        sums = bootstrap_sums(counts, draws=200)
        assert {tuple(draw.ravel()) for draw in sums} == {(2, 2, 0, 0), (1, 1, 0, 3), (0, 0, 0, 6)}

    def test_the_bootstraps_spread_is_the_binomials(self) -> None:
        shares = bootstrap_sums([1] * 60 + [0] * 40, draws=4000) / 100
        assert shares.mean() == pytest.approx(0.6, abs=0.005)
        assert shares.std() == pytest.approx(np.sqrt(0.6 * 0.4 / 100), rel=0.05)
        assert percentile_interval(shares) == pytest.approx((0.504, 0.696), abs=0.012)

    def test_the_seed_decides(self) -> None:
        counts = np.arange(30).reshape(10, 3)
        first = bootstrap_sums(counts, draws=50)
        assert (bootstrap_sums(counts, draws=50) == first).all()
        assert (bootstrap_sums(counts, draws=50, seed=1) != first).any()

    def test_no_patient_is_refused(self) -> None:
        with pytest.raises(DensightError, match="no patient"):
            bootstrap_sums(np.empty((0, 2, 2)))

    def test_repeating_a_patients_rows_adds_no_certainty(self) -> None:
        rng = np.random.default_rng(3)
        y_true, y_pred = rng.integers(0, 3, size=(2, 40))
        patients = [f"{i:02}" for i in range(40)]
        once = measure(y_true, y_pred, patients, 3)
        thrice = measure(np.tile(y_true, 3), np.tile(y_pred, 3), patients * 3, 3)
        assert (once["accuracy"].method, thrice["accuracy"].method) == ("wilson", "bca")
        assert (thrice.n, thrice.patients) == (120, 40)
        assert thrice["macro_recall"].interval == pytest.approx(once["macro_recall"].interval)
        assert thrice["macro_precision"].interval == pytest.approx(once["macro_precision"].interval)
        low, high = wilson_interval(int(once["accuracy"].value * 40) * 3, 120)
        assert thrice["accuracy"].interval is not None
        assert thrice["accuracy"].interval[0] < low
        assert thrice["accuracy"].interval[1] > high

    def test_the_order_of_rows_does_not_matter(self) -> None:
        rng = np.random.default_rng(4)
        y_true, y_pred, groups = rng.integers(0, 3, size=(3, 30))
        order = rng.permutation(30)
        one = measure(y_true, y_pred, groups.astype(str).tolist(), 3)
        assert measure(y_true[order], y_pred[order], groups[order].astype(str).tolist(), 3) == one

    def test_a_single_patient_leaves_nothing_to_resample(self) -> None:
        merit = measure([0, 1], [0, 0], ["a", "a"], 2)
        assert (merit["accuracy"].interval, merit["accuracy"].method) == (None, "none")
        assert merit["macro_recall"].interval is None


@pytest.mark.usefixtures("undrawn_figures")
class TestPredictionFiles:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        for name in ("ccr", "mlor", "ccl"):
            np.savetxt(tmp_path / f"predictions_{name}.txt", [[0.7, 0.1, 0.1, 0.1], [0.1, 0.1, 0.1, 0.7]])
        (tmp_path / "labels.csv").write_text("patient_id,exam_id,density\n01,1,A\n01,2,C\n")
        return tmp_path

    def test_ids_are_used_and_what_is_missing_is_said(self, folder: Path) -> None:
        files = [folder / f"predictions_{name}.txt" for name in ("mlor", "ccl", "ccr")]
        found = figures_of_predictions(files, folder / "labels.csv")
        assert list(found.levels) == ["CC_R", "CC_L", "MLO_R", "right", "left", "exam"]
        assert (found.levels["exam"].n, found.levels["exam"].patients) == (2, 1)
        assert found.assumed == (
            "MLO_L: left out, because it has no image",
            "left: 2 of 2 fused with a projection missing",
            "exam: 2 of 2 fused with a projection missing",
            "exam: fewer than 30 patients of A (1), C (1), so that their figures are rough",
        )
        assert found.source == {
            "kind": "predictions",
            "files": ["predictions_ccr.txt", "predictions_ccl.txt", "predictions_mlor.txt"],
            "labels": "labels.csv",
        }

    def test_json_keeps_its_order_and_says_undefined_as_null(self, folder: Path) -> None:
        found = figures_of_predictions([folder / "predictions_ccr.txt"], folder / "labels.csv")
        written = json.loads(write_figures(found, folder / "out").read_text())
        assert list(written) == ["format", "classes", "dense", "source", "intervals", "levels", "assumed"]
        assert list(written["levels"]) == ["CC_R", "right", "exam"]
        level = written["levels"]["CC_R"]
        assert list(level) == [
            "n",
            "patients",
            *METRICS,
            "per_class",
            "confusion",
            "dense",
            "brier_parts",
            "reliability",
        ]
        assert (level["per_class"]["B"]["n"], level["per_class"]["B"]["recall"]["value"]) == (0, None)
        assert level["per_class"]["C"]["recall"]["value"] == 0.0
        assert level["per_class"]["C"]["precision"]["value"] is None
        assert level["per_class"]["D"]["precision"]["value"] == 0.0
        assert level["macro_recall"] == {"value": 1 / 3, "interval": None, "method": "none", "intervals": {}}
        assert written["intervals"] == {"confidence": 0.95, "bootstrap_draws": 2000, "bootstrap_seed": 0}

    def test_other_classes(self, folder: Path) -> None:
        np.savetxt(folder / "predictions_mlol.txt", [[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]])
        (folder / "labels.csv").write_text("density\nF\nD\n")
        output, error = run_command(
            *("--predictions", folder / "predictions_mlol.txt", "--labels", folder / "labels.csv"),
            *("--classes", "F,G,D", "-o", folder / "out"),
        )
        assert error is None
        assert "undefined" in output  # the recall of G, which no exam has
        assert json.loads((folder / "out" / "figures.json").read_text())["classes"] == ["F", "G", "D"]

    @pytest.mark.parametrize(
        ("labels", "faults"),
        [
            ("density\nA\n", ["predictions_ccr.txt: it has 2 rows but", "labels.csv has 1"]),
            ("density\nA\nE\n", ["labels.csv: row 2: the density 'E' is not one of A, B, C, D"]),
            ("density\nA\nB\nC\n\n", ["it has 2 rows", "labels.csv has 3"]),
            ("class\nA\nB\n", ["labels.csv: no column density; its columns are: class"]),
            ("exam_id,density\n1,A\n1,B\n", ["labels.csv: row 2 repeats an exam"]),
            ("exam_id,density\n,A\n1,B\n", ["labels.csv: row 1 has no exam_id"]),
            ("exam_id,density\n1,A\n2,\n", ["row 2: the density '' is not one of"]),
        ],
    )
    def test_faulty_labels_are_refused(self, folder: Path, labels: str, faults: list[str]) -> None:
        (folder / "labels.csv").write_text(labels)
        with pytest.raises(DensightError) as caught:
            figures_of_predictions([folder / "predictions_ccr.txt"], folder / "labels.csv")
        assert all(fault in str(caught.value) for fault in faults), caught.value
        assert caught.value.remedy

    def test_files_of_unequal_length_are_refused(self, folder: Path) -> None:
        np.savetxt(folder / "predictions_ccl.txt", [[0.7, 0.1, 0.1, 0.1]])
        files = [folder / "predictions_ccr.txt", folder / "predictions_ccl.txt"]
        with pytest.raises(DensightError, match=r"predictions_ccl\.txt: it has 1 rows but .*labels\.csv has 2"):
            figures_of_predictions(files, folder / "labels.csv")

    def test_names_must_tell_different_projections(self, folder: Path) -> None:
        nameless = (folder / "predictions_ccr.txt").rename(folder / "predictions.txt")
        with pytest.raises(DensightError, match=r"predictions\.txt: its name contains no projection"):
            figures_of_predictions([nameless], folder / "labels.csv")
        twice = [folder / "predictions_mlor.txt", folder / "other_MLO_R.txt"]
        with pytest.raises(DensightError, match=r"other_MLO_R\.txt: it is of MLO_R, and so is .*predictions_mlor\.txt"):
            figures_of_predictions(twice, folder / "labels.csv")
        with pytest.raises(DensightError, match="no prediction file"):
            figures_of_predictions([], folder / "labels.csv")

    @pytest.mark.parametrize(
        ("arguments", "fault"),
        [
            ([], "without a run folder, --predictions and --labels and --output must be given"),
            (["--predictions", "predictions_ccr.txt", "-o", "out"], "--labels must be given"),
            (["run", "--labels", "labels.csv"], "a run folder and prediction files were given together"),
            (["run", "--classes", "A"], "at least two different labels"),
            (["run"], "assessments.csv: cannot be read as a table"),
        ],
    )
    def test_options_that_do_not_go_together_are_refused(self, arguments: list[str], fault: str) -> None:
        _, error = run_command(*arguments)
        assert isinstance(error, DensightError)
        assert fault in str(error)
        assert error.remedy


def assessed(rows: list[tuple[str, str, str, str]]) -> pd.DataFrame:
    """Images of (exam, projection, density, predicted), each sure of its prediction."""
    table = []
    for number, (exam, projection, density, y_pred) in enumerate(rows):
        view, side = projection.split("_")
        known = {"path": f"{number}.png", "patient_id": exam, "exam_id": exam, "laterality": side, "view": view}
        sure = {f"p_{label}": 0.7 if label == y_pred else 0.1 for label in "ABCD"}
        after = {"predicted": y_pred, "percent_density": None, "preparation": "", "warnings": "", "model": "m"}
        table.append(known | {"density": density} | sure | after)
    return pd.DataFrame(table)


@pytest.mark.usefixtures("undrawn_figures")
class TestRunFolder:
    def test_levels_without_labels_are_left_out_and_said(self, tmp_path: Path) -> None:
        rows = [("1", "CC_R", "A", "A"), ("1", "CC_R", "A", "B"), ("2", "CC_R", "", "B"), ("3", "MLO_L", "", "C")]
        write_assessments(tmp_path, assessed(rows))
        output, error = run_command(tmp_path)
        assert error is None
        written = json.loads((tmp_path / "figures.json").read_text())
        assert list(written["levels"]) == ["CC_R", "right", "exam"]
        assert written["levels"]["CC_R"]["n"] == 2
        assert written["levels"]["exam"]["n"] == 1
        assert written["assumed"] == [
            "CC_R: 1 of 3 without a reference density, left out",
            "CC_L: left out, because it has no image",
            "MLO_R: left out, because it has no image",
            "MLO_L: left out, because it has no labelled image",
            "right: 1 of 2 without a reference density, left out",
            "right: 1 of 1 fused with a projection missing",
            "right: in 1 of 1 images of one projection were averaged first",
            "left: left out, because it has no labelled image",
            "exam: 2 of 3 without a reference density, left out",
            "exam: 1 of 1 fused with a projection missing",
            "exam: in 1 of 1 images of one projection were averaged first",
            "exam: fewer than 30 patients of A (1), so that their figures are rough",
        ]
        assert all(remark in output for remark in written["assumed"])

    def test_a_run_without_any_label_is_refused_with_a_remedy(self, tmp_path: Path) -> None:
        write_assessments(tmp_path, assessed([("1", "CC_R", "", "A")]))
        _, error = run_command(tmp_path)
        assert isinstance(error, DensightError)
        assert "no image has a reference density" in str(error)
        assert "fill the column density" in str(error.remedy)
        assert not (tmp_path / "figures.json").exists()

    def test_another_folder_and_the_class_order_can_be_asked_for(self, tmp_path: Path) -> None:
        write_assessments(tmp_path / "run", assessed([("1", "CC_R", "A", "A"), ("2", "CC_R", "B", "B")]))
        assert run_command(tmp_path / "run", "-o", tmp_path / "out", "--classes", "A, B C,D")[1] is None
        assert (tmp_path / "out" / "figures.json").exists()
        assert not (tmp_path / "run" / "figures.json").exists()
        _, error = run_command(tmp_path / "run", "--classes", "D,C,B,A")
        assert "its classes are A, B, C, D, not D, C, B, A" in str(error)
