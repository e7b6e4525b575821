from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from densight.assessment.predictions import read_predictions, write_predictions
from densight.assessment.tables import read_assessments, read_breasts, read_exams, read_table, write_assessments
from densight.vocabulary import DensightError

HEADER = (
    "path,patient_id,exam_id,laterality,view,density,p_A,p_B,p_C,p_D,predicted,"
    "percent_density,preparation,warnings,model"
)
GOOD = "a.png,001,001_1,R,CC,B,0.1,0.7,0.1,0.1,B,23.5,default,,starter"


def assessed(count: int = 3) -> pd.DataFrame:
    probabilities = np.random.default_rng(1).dirichlet(np.ones(4), size=count).astype(np.float32)
    return pd.DataFrame(
        {
            "path": [f"{i}.png" for i in range(count)],
            "patient_id": "007",
            "exam_id": "007_1",
            "laterality": ["R", "R", "L"][:count],
            "view": ["CC", "MLO", "CC"][:count],
            "density": "B",
            **{f"p_{label}": probabilities[:, i] for i, label in enumerate("ABCD")},
            "predicted": ["ABCD"[i] for i in probabilities.argmax(axis=1)],
            "percent_density": [12.25, None, 80.0][:count],
            "preparation": "default, cropped",
            "warnings": ['said "so", twice', "", "two\nlines"][:count],
            "model": "starter",
        }
    )


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    images = assessed()
    write_assessments(tmp_path, images.assign(site="Pisa"))
    back, classes = read_assessments(tmp_path)
    assert classes == ("A", "B", "C", "D")
    assert (tmp_path / "assessments.csv").read_text().splitlines()[0] == f"{HEADER},site"
    for column in ("path", "patient_id", "exam_id", "laterality", "density", "predicted", "preparation", "warnings"):
        assert back[column].tolist() == images[column].tolist()
    for label in "ABCD":
        assert (back[f"p_{label}"].to_numpy(np.float32) == images[f"p_{label}"].to_numpy()).all()
    assert back["percent_density"].tolist() == pytest.approx([12.25, np.nan, 80.0], nan_ok=True)

    exams, _ = read_exams(tmp_path)
    assert exams.loc[0, ["exam_id", "patient_id", "missing"]].tolist() == ["007_1", "007", "MLO_L"]
    assert exams.loc[0, "p_A"] == pytest.approx(images["p_A"].astype(float).mean())
    breasts, _ = read_breasts(tmp_path / "breasts.csv", ["A", "B", "C", "D"])
    assert breasts["laterality"].tolist() == ["R", "L"]


def test_other_classes_have_columns_of_their_own(tmp_path: Path) -> None:
    images = assessed(1).drop(columns=["p_A", "p_B", "p_C", "p_D"])
    write_assessments(tmp_path, images.assign(p_F=0.2, p_G=0.5, p_D=0.3, density="D", predicted="G"), ["F", "G", "D"])
    assert read_assessments(tmp_path)[1] == ("F", "G", "D")
    assert read_exams(tmp_path)[0]["predicted"].tolist() == ["G"]
    with pytest.raises(DensightError, match="its classes are F, G, D, not D, G, F"):
        read_assessments(tmp_path, ["D", "G", "F"])


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (GOOD.replace("0.7", "0.75"), r"row 2: the probabilities sum to 1\.05, not to 1"),
        (GOOD.replace("0.1,0.7", "-0.1,0.9"), "row 2: a probability lies outside 0 to 1"),
        (GOOD.replace("0.7", "inf"), "row 2: a probability is not a finite number"),
        (GOOD.replace("0.7", "nan"), "row 2: p_B is 'nan', not a number"),
        (GOOD.replace("0.7", ""), "row 2: p_B is '', not a number"),
        (GOOD.replace("23.5", "many"), "row 2: percent_density is 'many', not a number"),
        (GOOD.replace("23.5", "123"), "row 2: the percent density is 123, not 0 to 100"),
        (GOOD.replace("CC,B", "CC,E"), r"row 2: density is 'E', not one of \(empty\), A, B, C, D"),
        (GOOD.replace("0.1,B", "0.1,C"), "row 2: predicted is C, but B has the greatest probability"),
        (GOOD.replace(",R,", ",X,"), "row 2: laterality is 'X', not one of R, L"),
        (GOOD.replace(",CC,", ",,"), "row 2: view is '', not one of CC, MLO"),
        (GOOD.replace("a.png", "0.png"), "row 2 repeats the image 0.png"),
    ],
)
def test_a_faulty_row_is_named_with_its_file(tmp_path: Path, row: str, fault: str) -> None:
    path = tmp_path / "assessments.csv"
    path.write_text("\n".join([HEADER, GOOD.replace("a.png", "0.png"), row]) + "\n")
    with pytest.raises(DensightError, match=fault) as caught:
        read_assessments(tmp_path)
    assert caught.value.path == path
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "cannot be read as a table"),
        (f"{HEADER}\n", "a header but no row"),
        ("path,density\na.png,B\n", "no column patient_id, exam_id"),
        (f"{HEADER}\n{GOOD},surplus\n", "more cells than its header"),
        (f"{HEADER}\n{GOOD}\n{GOOD},surplus\n", "cannot be read as a table"),
        (HEADER.replace("p_A,p_B,p_C,p_D", "p_A") + "\n" + GOOD.replace("0.1,0.7,0.1,0.1", "1"), "at least two"),
    ],
)
def test_what_is_no_such_table_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "assessments.csv").write_text(text)
    with pytest.raises(DensightError, match=fault):
        read_assessments(tmp_path)


def test_a_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DensightError, match=r"assessments\.csv: cannot be read as a table \(No such file"):
        read_assessments(tmp_path / "assessments.csv")


def test_writing_is_strict(tmp_path: Path) -> None:
    with pytest.raises(DensightError, match="the images have no column model"):
        write_assessments(tmp_path, assessed().drop(columns="model"))
    with pytest.raises(DensightError, match="row 1: the probabilities sum to"):
        write_assessments(tmp_path, assessed().assign(p_A=0.9))
    assert list(tmp_path.iterdir()) == []


def test_a_spreadsheets_byte_order_mark_and_blanks_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes("\ufeffdensity , exam_id\n B , 001\n".encode())
    assert read_table(path, ["density"], "").to_dict("records") == [{"density": "B", "exam_id": "001"}]


@pytest.mark.parametrize("projection", ["ccr", "ccl", "mlor", "mlol"])
def test_the_tutorials_files_are_read_and_written_byte_for_byte(data: Path, tmp_path: Path, projection: str) -> None:
    original = data / "infn" / "Predictions" / f"predictions_{projection}.txt"
    probabilities = read_predictions(original)
    assert probabilities.shape == (128, 4)
    write_predictions(tmp_path / original.name, probabilities)
    assert (tmp_path / original.name).read_bytes() == original.read_bytes()


@given(st.lists(st.lists(st.floats(0.01, 1.0), min_size=3, max_size=3), min_size=1, max_size=5))
def test_predictions_survive_exactly(tmp_path_factory: pytest.TempPathFactory, rows: list[list[float]]) -> None:
    probabilities = np.array(rows) / np.sum(rows, axis=1, keepdims=True)
    path = tmp_path_factory.mktemp("predictions") / "predictions_ccr.txt"
    write_predictions(path, probabilities)
    assert (read_predictions(path, "FGD") == probabilities).all()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "the file has no row"),
        ("0.5 0.5\n", r"row 1 has 2 columns but there are 4 classes \(A, B, C, D\)"),
        ("0.25 0.25 0.25 0.25\n0.25 0.25 0.5\n", "row 2 has 3 columns"),
        ("0.25 0.25 0.25 0.25\n0.25 0.25 0.25 x\n", "row 2: could not convert string to float: 'x'"),
        ("0.25 0.25 0.25 0.25\n0.25 0.25 0.25 nan\n", "row 2: a probability is not a finite number"),
        ("0.25 0.25 0.25 0.35\n", r"row 1: the probabilities sum to 1\.1"),
    ],
)
def test_faulty_predictions_are_refused(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "predictions_ccr.txt"
    path.write_text(text)
    with pytest.raises(DensightError, match=fault) as caught:
        read_predictions(path)
    assert caught.value.path == path


def test_predictions_that_are_not_there_or_no_probabilities_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DensightError, match="cannot be read"):
        read_predictions(tmp_path / "predictions_ccr.txt")
    with pytest.raises(DensightError, match="sum to 2"):
        write_predictions(tmp_path / "predictions_ccr.txt", [[1.0, 1.0]])
    assert list(tmp_path.iterdir()) == []
