"""What is asked beside the figures: other models, readers, groups, time, other exams, how many exams."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

from densight.assessment.fusion import patients_of
from densight.figures.agreement import cohen_kappa
from densight.figures.alternatives import compare_fusions, compare_scalings
from densight.figures.comparison import adjust, compare
from densight.figures.data import Cases, cases_of, read_evaluation_data, read_prediction_files
from densight.figures.drift import measure_drift, population_stability
from densight.figures.groups import chart_over, measure_groups
from densight.figures.planning import exams_for_width, expected_table
from densight.figures.readers import measure_readers, read_readings
from densight.figures.selective import cross_sets, risk_coverage
from densight.vocabulary import BIRADS, DensightError
from tests.runner import invoke

PROJECTIONS = ("ccr", "ccl", "mlor", "mlol")


def command(*words: str | Path) -> str:
    result = invoke(*words)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def write_table(path: Path, exams: int = 60, seed: int = 0, shift: float = 0.0, **columns: object) -> Path:
    """A table of exams, one a patient, told a little wrong."""
    rng = np.random.default_rng(seed)
    y_true = np.random.default_rng(100).choice(4, exams, p=[0.2, 0.3, 0.3, 0.2])
    logits = -((y_true[:, None] + shift + rng.normal(0, 0.6, (exams, 1)) - np.arange(4)) ** 2)
    y_prob = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    table = pd.DataFrame({"patient_id": [f"P{i}" for i in range(exams)], "exam_id": [f"E{i}" for i in range(exams)]})
    table["density"] = [BIRADS[k] for k in y_true]
    table[["p_A", "p_B", "p_C", "p_D"]] = y_prob
    table.assign(**columns).to_csv(path, index=False)
    return path


class TestComparison:
    def test_a_model_does_not_differ_from_itself(self, tmp_path: Path) -> None:
        one = read_evaluation_data(write_table(tmp_path / "a.csv"))
        found = compare(one, one, 2)
        assert (found.n, found.patients, found.left_out) == (60, 60, 0)
        for difference in found.differences.values():
            assert (difference.difference.value, difference.difference.interval) == (0.0, None)
            assert np.isnan(difference.p)
        assert all(np.isnan(test.p) for test in found.tests.values())

    def test_the_order_of_rows_and_what_only_one_has_do_not_matter(self, tmp_path: Path) -> None:
        one = read_evaluation_data(write_table(tmp_path / "a.csv"))
        write_table(tmp_path / "b.csv", seed=1)
        whole = compare(one, read_evaluation_data(tmp_path / "b.csv"), 2)
        table = pd.read_csv(tmp_path / "b.csv").sample(frac=1, random_state=0)
        more = table.assign(patient_id="other", exam_id=[f"X{i}" for i in range(60)]).head(7)
        pd.concat([table, more]).to_csv(tmp_path / "c.csv", index=False)
        found = compare(one, read_evaluation_data(tmp_path / "c.csv"), 2)
        assert found.left_out == 7
        assert found.differences == whole.differences
        assert found.tests == whole.tests

    def test_a_difference_is_that_of_the_figures_and_turns_its_sign(self, tmp_path: Path) -> None:
        one = read_evaluation_data(write_table(tmp_path / "a.csv"))
        other = read_evaluation_data(write_table(tmp_path / "b.csv", seed=1, shift=0.8))
        there, back = compare(one, other, 2), compare(other, one, 2)
        for name, found in there.differences.items():
            assert found.difference.value == pytest.approx(found.one - found.other)
            assert back.differences[name].difference.value == pytest.approx(-found.difference.value)
            assert back.differences[name].p == pytest.approx(found.p, abs=1e-9)
        low, high = there.differences["accuracy"].difference.interval or (0, 0)
        assert 0 < low < there.differences["accuracy"].difference.value < high
        assert there.tests["mcnemar"].p < 0.01
        assert there.tests["stuart_maxwell"].p < 0.01

    def test_holm_by_hand(self, tmp_path: Path) -> None:
        one = read_evaluation_data(write_table(tmp_path / "a.csv"))
        others = [read_evaluation_data(write_table(tmp_path / f"{i}.csv", seed=i, shift=i / 10)) for i in range(1, 4)]
        alone = [compare(one, other, 2) for other in others]
        values = sorted(found.tests["mcnemar"].p for found in alone)
        adjusted = sorted(found.tests["mcnemar"].adjusted for found in adjust(alone))
        first = min(1, 3 * values[0])
        second = max(first, min(1, 2 * values[1]))
        assert adjusted == pytest.approx([first, second, max(second, values[2])])

    def test_what_cannot_be_compared_is_refused(self, tmp_path: Path) -> None:
        one = read_evaluation_data(write_table(tmp_path / "a.csv"))
        pd.read_csv(tmp_path / "a.csv").replace({"density": {"A": "B"}}).to_csv(tmp_path / "b.csv", index=False)
        with pytest.raises(DensightError, match=r"b\.csv: exam E\d+ has the reference B, but A in a\.csv"):
            compare(one, read_evaluation_data(tmp_path / "b.csv"), 2)
        (tmp_path / "c.csv").write_text("density,p_F,p_G\nF,0.5,0.5\n")
        with pytest.raises(DensightError, match=r"c\.csv: its classes are F, G, not A, B, C, D"):
            compare(one, read_evaluation_data(tmp_path / "c.csv"), 2)
        (tmp_path / "d.csv").write_text("density,p_A,p_B,p_C,p_D\nA,1,0,0,0\n")
        with pytest.raises(DensightError, match=r"d\.csv: it shares no labelled exam with a\.csv"):
            compare(one, read_evaluation_data(tmp_path / "d.csv"), 2)


class TestReaders:
    def test_by_hand(self, tmp_path: Path) -> None:
        exams = pd.DataFrame({"patient_id": "", "exam_id": list("123456"), "predicted": list("AABBCD")})
        (tmp_path / "r.csv").write_text(
            "exam_id,R1,R2,R3,site\n1,A,A,B,x\n2,A,B,B,x\n3,B,B,B,y\n4,B,C,D,y\n5,C,C,,y\n6,D,D,D,y\n7,A,A,A,x\n"
        )
        readings, readers = read_readings(tmp_path / "r.csv", BIRADS)
        assert readers == ("R1", "R2", "R3")
        found = measure_readers(exams, readings, readers, BIRADS, 2)
        pairs = {(pair.one, pair.other): pair for pair in found.pairs}
        assert list(pairs) == [
            ("R1", "R2"),
            ("R1", "R3"),
            ("R2", "R3"),
            ("model", "R1"),
            ("model", "R2"),
            ("model", "R3"),
        ]
        assert pairs["model", "R1"].estimates["accuracy"].value == 1
        assert pairs["model", "R2"].estimates["accuracy"].value == pytest.approx(4 / 6)
        assert (pairs["R1", "R3"].n, pairs["R1", "R3"].estimates["accuracy"].value) == (5, pytest.approx(2 / 5))
        assert found.complete == 5
        # Majority: A, B, B, none (B, C and D), C, D. Median: A, B, B, C, C (both say so), D.
        majority, median = found.references
        assert (majority.n, majority.estimates["accuracy"].value) == (5, pytest.approx(4 / 5))
        assert (median.n, median.estimates["accuracy"].value) == (6, pytest.approx(4 / 6))

    def test_a_model_that_is_a_copy_of_the_readers_is_one_of_them(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(0)
        y_true = rng.integers(4, size=200)
        ratings = [np.clip(y_true + rng.choice([-1, 0, 0, 0, 1], 200), 0, 3) for _ in range(4)]
        words = [[BIRADS[k] for k in one] for one in ratings]
        ids = [str(i) for i in range(200)]
        exams = pd.DataFrame({"patient_id": ids, "exam_id": ids, "predicted": words[0]})
        readings = pd.DataFrame({"patient_id": ids, "exam_id": ids, "R1": words[1], "R2": words[2], "R3": words[3]})
        found = measure_readers(exams, readings, ("R1", "R2", "R3"), BIRADS, 2)
        assert found.difference is not None
        assert found.difference.interval is not None
        assert found.difference.interval[0] < 0 < found.difference.interval[1]
        kappas = [cohen_kappa(pd.crosstab(ratings[i], ratings[j]), "quadratic") for i, j in ((1, 2), (1, 3), (2, 3))]
        assert found.among_readers is not None
        assert found.among_readers.value == pytest.approx(np.mean(kappas))

    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            ("exam_id,R1\n1,A\n2,E\n", r"r\.csv: row 2: R1 is 'E', not one of A, B, C, D"),
            ("exam_id,R1\n1,A\n1,B\n", r"r\.csv: row 2 repeats an exam"),
            ("exam_id,age\n1,50\n", r"r\.csv: no column contains readings of A, B, C, D"),
            ("R1\nA\n", r"r\.csv: no column exam_id"),
            ("exam_id,model\n1,A\n", r"r\.csv: a reader is named model"),
        ],
    )
    def test_faulty_readings_are_refused(self, tmp_path: Path, text: str, fault: str) -> None:
        (tmp_path / "r.csv").write_text(text)
        with pytest.raises(DensightError, match=fault):
            read_readings(tmp_path / "r.csv", BIRADS)

    def test_readings_of_other_exams_are_refused(self) -> None:
        exams = pd.DataFrame({"patient_id": "", "exam_id": ["1"], "predicted": ["A"]})
        readings = pd.DataFrame({"patient_id": "", "exam_id": ["2"], "R1": ["A"]})
        with pytest.raises(DensightError, match="none of the exams read has been assessed"):
            measure_readers(exams, readings, ("R1",), BIRADS, 2)

    def test_readings_that_may_be_of_several_patients_are_refused(self) -> None:
        exams = pd.DataFrame({"patient_id": ["a", "b"], "exam_id": ["1", "1"], "predicted": ["A", "B"]})
        readings = pd.DataFrame({"patient_id": "", "exam_id": ["1"], "R1": ["A"]})
        with pytest.raises(DensightError, match=r"no patient_id.*add the column patient_id"):
            measure_readers(exams, readings, ("R1",), BIRADS, 2)


class TestGroups:
    def test_groups_are_measured_alone(self, tmp_path: Path) -> None:
        vendors = ["X", "Y", ""] * 20
        material = read_evaluation_data(write_table(tmp_path / "a.csv", vendor=vendors))
        exams = material.labelled("exam")
        rows = {row.name: row for row in measure_groups(exams, exams["vendor"], BIRADS, 2)}
        assert list(rows) == ["X", "Y", "not known"]
        alone = exams[exams["vendor"] == "X"]
        assert rows["X"].estimates["accuracy"].value == (alone["density"] == alone["predicted"]).mean()
        assert sum(row.n for row in rows.values()) == 60

    def test_a_change_lies_outside_the_limits(self, tmp_path: Path) -> None:
        good = read_evaluation_data(write_table(tmp_path / "a.csv", exams=400)).labelled("exam")
        months = pd.Series([f"2025-{1 + i // 100:02}" for i in range(400)], index=good.index)
        chart = chart_over(good, months, BIRADS)
        assert [point.name for point in chart.points] == ["2025-01", "2025-02", "2025-03", "2025-04"]
        assert not any(point.out for point in chart.points)
        bad = good.assign(predicted=good["predicted"].where(months != "2025-03", "B"))
        assert [point.out for point in chart_over(bad, months, BIRADS).points] == [False, False, True, False]
        with pytest.raises(DensightError, match="all exams have the same time 2025-01"):
            chart_over(good, pd.Series(["2025-01"] * 400, index=good.index), BIRADS)

    def test_numbers_are_sorted_as_numbers(self, tmp_path: Path) -> None:
        exams = read_evaluation_data(write_table(tmp_path / "a.csv")).labelled("exam")
        ages = pd.Series([str(8 + i % 13) for i in range(60)], index=exams.index)
        names = [row.name for row in measure_groups(exams, ages, BIRADS, 2)]
        assert names == ["8–10", "11–13", "14–16", "17–20"] or [int(name.split("–")[0]) for name in names] == sorted(
            int(name.split("–")[0]) for name in names
        )


class TestDrift:
    def test_stability_by_hand(self) -> None:
        found = population_stability([99.5, 99.5], [49.5, 149.5])
        index = (0.5 - 0.25) * np.log(2) + (0.5 - 0.75) * np.log(0.5 / 0.75)
        assert found.index == pytest.approx(index)
        assert found.p == pytest.approx(chi2.sf(index / (2 / 199), 1))

    def test_other_exams_are_told_from_the_same_ones(self, tmp_path: Path) -> None:
        one = read_evaluation_data(write_table(tmp_path / "a.csv", exams=300))
        same, denser = (
            read_evaluation_data(write_table(tmp_path / f"{shift}.csv", exams=300, seed=5, shift=shift))
            for shift in (0.0, 0.7)
        )
        assert all(found.p > 0.01 for found in measure_drift(one, same).stability)
        assert all(found.p < 1e-6 and found.index > 0.1 for found in measure_drift(one, denser).stability)
        mix = measure_drift(one, denser).mix
        assert mix[1]["D"].value > mix[0]["D"].value
        assert sum(estimate.value for estimate in mix[0].values()) == pytest.approx(1)


class TestPlanning:
    def test_the_promised_width_is_found(self) -> None:
        table = expected_table([10, 40, 40, 10], 0.8)
        n = exams_for_width(table, 0.1)
        rng = np.random.default_rng(0)
        counts = rng.multinomial(n, table.ravel(), size=4000).reshape(-1, 4, 4)
        low, high = np.quantile(cohen_kappa(counts, "quadratic"), [0.025, 0.975])
        assert high - low == pytest.approx(0.1, rel=0.06)

    def test_unweighted_by_the_textbook(self) -> None:
        # Fleiss, Cohen, Everitt for a 2×2 table of equal margins: var κ = (1 - p_o²) / n, here p_o = .8, κ = .6.
        assert exams_for_width([[40, 10], [10, 40]], 0.2, "none") == np.ceil((2 * 1.959964 / 0.2) ** 2 * 0.64)

    @pytest.mark.parametrize(
        ("words", "fault"),
        [
            ((), "either --kappa or --pilot"),
            (("--kappa", "1.2"), "κ 1.2 does not lie between 0 and 1"),
            (("--kappa", "0.8", "--mix", "a,b"), "the mix 'a,b' is not a list of numbers"),
            (("--kappa", "0.8", "--mix", "1,0,2"), "is not a list of shares above 0"),
            (("--kappa", "0.8", "--weights", "cubic"), "unknown weights 'cubic'"),
        ],
    )
    def test_faults_are_refused(self, words: tuple[str, ...], fault: str) -> None:
        with pytest.raises(DensightError, match=fault):
            command("plan", "--width", "0.1", *words)

    def test_a_pilot_tells(self, tmp_path: Path) -> None:
        write_table(tmp_path / "a.csv")
        merit = read_evaluation_data(tmp_path / "a.csv").labelled("exam")
        table = pd.crosstab(merit["density"], merit["predicted"]).reindex(index=list(BIRADS), columns=list(BIRADS))
        expected = exams_for_width(table.fillna(0).to_numpy(), 0.1)
        assert f": {expected} exams" in command("plan", "--width", "0.1", "--pilot", tmp_path / "a.csv")


@pytest.mark.usefixtures("undrawn_figures")
class TestTutorial:
    @pytest.fixture
    def files(self, data: Path, tmp_path: Path) -> tuple[list[Path], Path]:
        (tmp_path / "labels.csv").write_text("density\n" + "\n".join("A" * 14 + "B" * 51 + "C" * 50 + "D" * 13) + "\n")
        folder = data / "infn" / "Predictions"
        return [folder / f"predictions_{name}.txt" for name in PROJECTIONS], tmp_path / "labels.csv"

    def test_fusion_scaling_sets_and_risk(self, files: tuple[list[Path], Path]) -> None:
        material = read_prediction_files(*files)
        exams = material.labelled("exam")
        assert material.images is not None
        fusions = {row.name: row for row in compare_fusions(material.images, exams, BIRADS, 2)}
        assert list(fusions) == ["mean", "logit-mean", "median", "denser-breast", "learned"]
        assert fusions["mean"].estimates["kappa_quadratic"].value == pytest.approx(0.8448, abs=5e-5)
        assert all(0.78 < row.estimates["accuracy"].value < 0.85 for row in fusions.values())
        cases, patients = cases_of(exams, BIRADS), patients_of(exams)
        scalings = {row.name: row.estimates["ece"].value for row in compare_scalings(cases, patients, 2)}
        assert scalings["none"] == pytest.approx(0.1101, abs=5e-5)
        assert scalings["temperature"] < scalings["none"]
        sets = cross_sets(cases, patients, BIRADS, 0.9)
        assert sets.coverage.intervals["wilson"][0] < 0.9 < sets.coverage.intervals["wilson"][1]
        assert sum(sets.sizes) == 128
        risk = risk_coverage(cases)
        assert (risk.kept[-1], risk.risk[-1]) == (1.0, pytest.approx(1 - 0.8125))
        assert risk.area < risk.risk[-1]

    def test_the_command_answers_all_questions(self, files: tuple[list[Path], Path], tmp_path: Path) -> None:
        labels = pd.read_csv(files[1]).assign(
            vendor=["X", "Y"] * 64, month=[f"2025-{1 + i % 3:02}" for i in range(128)]
        )
        labels.to_csv(files[1], index=False)
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / files[0][0].name).write_bytes(files[0][0].read_bytes())
        densities = labels["density"].tolist()
        pd.DataFrame({"exam_id": range(1, 129), "R1": densities, "R2": [*densities[1:], "D"]}).to_csv(
            tmp_path / "r.csv", index=False
        )
        write_table(tmp_path / "later.csv", exams=50)
        output = command(
            *("figures", *files[0], "--labels", files[1], "-o", tmp_path / "out", "--by", "vendor", "--over", "month"),
            *("--against", tmp_path / "other", "--against", tmp_path / "later.csv", "--readers", tmp_path / "r.csv"),
            *("--at", "0.4", "--coverage", "0.95"),
        )
        for words in (
            "Exam, by vendor",
            "quadratic κ over month",
            "predictions, against other",
            "McNemar",
            "Stuart–Maxwell",
            "DeLong",
            "From later.csv to predictions",
            "Population stability index",
            "Readers and the model",
            "95 %",
            "Exam, rules of fusion",
            "temperature",
        ):
            assert words in output, words
        written = json.loads((tmp_path / "out" / "figures.json").read_text())
        assert [point["threshold"] for point in written["levels"]["exam"]["dense"]["points"]] == [0.4, 0.5]
        for name in ("fusions", "scalings", "sets", "risk", "against", "drift", "readers", "groups", "over"):
            assert name in written
        drawn = {path.stem for path in (tmp_path / "out" / "figures").glob("*.svg")}
        assert {"reliability", "roc", "risk", "by_vendor", "over_month"} <= drawn


class TestBadInput:
    ROW = "exam_id,density,p_A,p_B,p_C,p_D\n1,A,0.7,0.1,0.1,0.1\n"

    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            (ROW + "2,B,0.7,0.1,0.1,0.3\n", r"t\.csv: row 2: the probabilities sum to 1\.2, not to 1"),
            (ROW + "2,B,nan,0.1,0.1,0.1\n", r"t\.csv: row 2: p_A is 'nan', not a number"),
            (ROW + "2,B,,0.1,0.1,0.1\n", r"t\.csv: row 2: p_A is '', not a number"),
            (ROW + "2,E,0.7,0.1,0.1,0.1\n", r"t\.csv: row 2: density is 'E', not one of"),
            (ROW + "1,B,0.7,0.1,0.1,0.1\n", r"t\.csv: row 2 repeats an exam"),
            (ROW + ",B,0.7,0.1,0.1,0.1\n", r"t\.csv: row 2 has no exam_id"),
            ("exam_id,density\n1,A\n", r"t\.csv: no column predicted and none such as p_A"),
            ("exam_id,density,predicted\n1,A,B\n2,A,F\n", r"t\.csv: row 2: predicted is 'F'"),
            ("exam_id,density,p_A,p_B,p_C,p_D\n1,,0.7,0.1,0.1,0.1\n", r"t\.csv: no image has a reference density"),
            ("", r"t\.csv: cannot be read as a table"),
        ],
    )
    def test_a_faulty_table_is_refused_with_file_and_row(self, tmp_path: Path, text: str, fault: str) -> None:
        (tmp_path / "t.csv").write_text(text)
        with pytest.raises(DensightError, match=fault):
            command("figures", tmp_path / "t.csv", "-o", tmp_path / "out")
        assert not (tmp_path / "out").exists()

    def test_classes_alone_are_enough(self, tmp_path: Path) -> None:
        (tmp_path / "t.csv").write_text("exam_id,density,predicted\n1,A,A\n2,A,B\n3,C,C\n4,,C\n")
        output = command("figures", tmp_path / "t.csv", "-o", tmp_path / "out")
        assert "exam: 1 of 4 without a reference density, left out" in output
        exam = json.loads((tmp_path / "out" / "figures.json").read_text())["levels"]["exam"]
        assert exam["accuracy"]["value"] == pytest.approx(2 / 3)
        assert "macro_auc" not in exam
        assert exam["dense_accuracy"]["value"] == 1

    @pytest.mark.parametrize(
        ("words", "fault"),
        [
            (("--at", "1.5"), "the operating point 1.5 does not lie between 0 and 1"),
            (("--dense", "A"), "A are not the most dense of the classes A, B, C, D"),
            (("--coverage", "90"), "the coverage 90 is no share"),
            (("--by", "vendor"), "no column vendor; the columns are"),
            (("--against", "missing.csv"), r"missing\.csv: cannot be read as a table"),
        ],
    )
    def test_questions_that_cannot_be_answered_are_refused(
        self, tmp_path: Path, words: tuple[str, str], fault: str
    ) -> None:
        write_table(tmp_path / "t.csv")
        with pytest.raises(DensightError, match=fault):
            command("figures", tmp_path / "t.csv", "-o", tmp_path / "out", *words)

    def test_a_table_needs_an_output_folder(self, tmp_path: Path) -> None:
        with pytest.raises(DensightError, match="for a table, --output must be given"):
            command("figures", write_table(tmp_path / "t.csv"))
        with pytest.raises(DensightError, match="2 runs or tables were given"):
            command("figures", tmp_path / "t.csv", tmp_path / "t.csv", "-o", tmp_path / "out")


def test_risk_keeps_equal_certainties_together() -> None:
    cases = Cases.of([0, 1, 0], [0, 0, 0], ["a", "b", "c"], 2, [[0.9, 0.1], [0.9, 0.1], [0.6, 0.4]])
    curve = risk_coverage(cases)
    assert curve.kept == pytest.approx((2 / 3, 1.0))
    assert curve.risk == pytest.approx((1 / 2, 1 / 3))
