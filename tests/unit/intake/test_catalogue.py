from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from densight.intake.catalogue import COLUMNS, Catalogue, check_trainable, read_catalogue, write_catalogue
from densight.intake.failures import Failure, write_failures
from densight.vocabulary import BIRADS, DensightError, Projection

HEADER = ",".join(COLUMNS)
ROWS = [
    "a/1_CC_R.png,007,1,R,CC,A,train",
    "a/1_MLO_L.png,007,1,L,MLO,A,train",
    "b/2_CC_R.png,8,2,R,CC,D,test",
    "b/3_CC_R.png,9,3,R,CC,,",
]


def write(path: Path, *lines: str, encoding: str = "utf-8", end: str = "\n") -> Path:
    path.write_bytes((end.join(lines) + end).encode(encoding))
    return path


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return read_catalogue(write(tmp_path / "catalogue.csv", HEADER, *ROWS))


def test_ids_are_text_and_classes_default_to_birads(catalogue: Catalogue, tmp_path: Path) -> None:
    assert catalogue.table["patient_id"].tolist() == ["007", "007", "8", "9"]
    assert catalogue.table["density"].tolist() == ["A", "A", "D", ""]
    assert catalogue.classes == BIRADS
    assert catalogue.paths[0] == tmp_path / "a/1_CC_R.png"
    assert catalogue.projections == (Projection.CC_R, Projection.MLO_L)
    assert len(catalogue) == 4


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_what_is_written_is_read_again_and_the_bytes_are_the_same(
    suffix: str, catalogue: Catalogue, tmp_path: Path
) -> None:
    first, second = tmp_path / f"first.{suffix}", tmp_path / f"second.{suffix}"
    write_catalogue(catalogue, first)
    again = read_catalogue(first)
    pd.testing.assert_frame_equal(again.table, catalogue.table)
    assert again.classes == catalogue.classes
    write_catalogue(again, second)
    assert first.read_bytes() == second.read_bytes()
    if suffix == "csv":
        assert first.read_text() == "\n".join([HEADER, *ROWS]) + "\n"


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_other_classes_and_further_columns_are_kept(suffix: str, tmp_path: Path) -> None:
    rows = ["a.png,1,1,R,MLO,G,train,F G D,Lorad", "b.png,2,2,L,MLO,,,F G D,"]
    source = write(tmp_path / "source.csv", HEADER + ",classes,vendor", *rows)
    path = tmp_path / f"copy.{suffix}"
    write_catalogue(read_catalogue(source), path)
    copy = read_catalogue(path)
    assert copy.classes == ("F", "G", "D")
    assert copy.table.columns.tolist() == [*COLUMNS, "vendor"]
    assert copy.table["vendor"].tolist() == ["Lorad", ""]
    if suffix == "csv":
        assert path.read_bytes() == source.read_bytes()


def test_paths_are_relative_to_the_file_that_holds_them(catalogue: Catalogue, tmp_path: Path) -> None:
    path = tmp_path / "runs" / "one" / "catalogue.csv"
    write_catalogue(catalogue, path)
    moved = read_catalogue(path)
    assert moved.table["path"][0] == "../../a/1_CC_R.png"
    assert [p.resolve() for p in moved.paths] == [p.resolve() for p in catalogue.paths]


def test_columns_may_stand_in_any_order(tmp_path: Path) -> None:
    path = write(
        tmp_path / "c.csv", "site,split,density,view,laterality,exam_id,patient_id,path", "x,test,B,CC,L,1,2,a.png"
    )
    assert read_catalogue(path).table.iloc[0].tolist() == ["a.png", "2", "1", "L", "CC", "B", "test", "x"]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(("encoding", "end"), [("utf-8", "\n"), ("utf-8-sig", "\r\n")])
def test_the_csv_files_of_spreadsheets_are_read(separator: str, encoding: str, end: str, tmp_path: Path) -> None:
    lines = [line.replace(",", separator) for line in (HEADER, *ROWS)]
    path = write(tmp_path / "c.csv", *lines, encoding=encoding, end=end)
    assert read_catalogue(path).table["path"].tolist() == [row.split(",")[0] for row in ROWS]


def test_numbers_in_parquet_become_text(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    frame = pd.DataFrame(
        {
            "path": ["a.png", "b.png"],
            "patient_id": [1, 2],
            "exam_id": [10.0, 20.0],
            "laterality": ["r", "l"],
            "view": ["cc", "mlo"],
            "density": ["A", None],
            "split": [None, "test"],
            "age": [51, 62],
        }
    )
    frame.to_parquet(path)
    table = read_catalogue(path).table
    assert table.iloc[0].tolist() == ["a.png", "1", "10", "R", "CC", "A", "", 51]
    assert table.iloc[1].tolist() == ["b.png", "2", "20", "L", "MLO", "", "test", 62]


GOOD = "a.png,1,1,R,CC,A,train"
REFUSED: dict[str, tuple[list[str], str, str]] = {
    "class": ([HEADER, GOOD, "b.png,2,2,R,CC,E,train"], r"row 3 \(b.png\) has the unknown class 'E'", "A, B, C, D"),
    "small class": ([HEADER, "b.png,2,2,R,CC,a,train"], r"row 2 \(b.png\) has the unknown class 'a'", "A, B, C, D"),
    "view": ([HEADER, GOOD, "b.png,2,2,R,LM,A,train"], r"row 3 \(b.png\) has the unknown view 'LM'", "CC, MLO"),
    "side": ([HEADER, "b.png,2,2,,CC,A,train"], r"row 2 \(b.png\) has no laterality", "fill it in"),
    "split": ([HEADER, GOOD, "b.png,2,2,R,CC,A,val"], r"row 3 \(b.png\) has the unknown split 'val'", "validation"),
    "duplicate": ([HEADER, GOOD, "./a.png,1,2,L,CC,A,train"], r"row 3 \(./a.png\) is a duplicate", "keep one"),
    "two splits": (
        [HEADER, GOOD, "b.png,2,2,R,CC,A,train", "c.png,1,3,L,CC,A,test"],
        r"the patient '1' is in two splits: train \(row 2 \(a.png\)\) and test \(row 4 \(c.png\)\)",
        "in one split",
    ),
    "no row": ([HEADER], "has no row", "at least one image"),
    "no patient": ([HEADER, "a.png,,1,R,CC,A,train"], r"row 2 \(a.png\) has no patient_id", "fill it in"),
    "no path": ([HEADER, " ,1,1,R,CC,A,train"], "row 2 .* has no path", "fill it in"),
    "columns": (["path,patient_id,view,density", "a.png,1,CC,A"], "no column exam_id, laterality, split", "exam_id"),
    "after a gap": ([HEADER, GOOD, ",,,,,,", "", "b.png,2,2,R,CC,E,"], r"row 5 \(b.png\)", "A, B, C, D"),
    "cells": ([HEADER, GOOD, "b.png,2,2,R,CC,A,train,x"], "row 3 has 8 cells, the header has 7", "double quotes"),
    "few cells": ([HEADER, "b.png,2"], "row 2 has 2 cells, the header has 7", "double quotes"),
    "prose": (["Dear reader", "this is a letter"], "not a CSV file", "UTF-8"),
    "empty": ([""], "not a CSV file", "UTF-8"),
    "twice": ([HEADER + ",view", GOOD + ",CC"], "header of different names", "UTF-8"),
    "classes differ": (
        [HEADER + ",classes", "a.png,1,1,R,CC,F,train,F G D", "b.png,2,2,R,CC,F,train,F D"],
        "row 3 has the classes 'F D', the first row 'F G D'",
        "the same classes",
    ),
    "one class": ([HEADER + ",classes", "a.png,1,1,R,CC,F,train,F"], "at least two different", "F G D"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_faults_are_refused_with_file_row_and_remedy(name: str, tmp_path: Path) -> None:
    lines, fault, remedy = REFUSED[name]
    path = write(tmp_path / "catalogue.csv", *lines)
    with pytest.raises(DensightError, match=fault) as refused:
        read_catalogue(path)
    assert refused.value.path == path
    assert remedy in str(refused.value.remedy)


def test_files_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DensightError, match="no such catalogue"):
        read_catalogue(tmp_path / "missing.csv")
    with pytest.raises(DensightError, match=r"cannot be a \.xlsx file"):
        read_catalogue(write(tmp_path / "c.xlsx", HEADER))
    with pytest.raises(DensightError, match="not a CSV file in UTF-8"):
        read_catalogue(write(tmp_path / "c.csv", HEADER, *ROWS, encoding="utf-16"))
    with pytest.raises(DensightError, match="not a Parquet table"):
        read_catalogue(write(tmp_path / "c.parquet", HEADER))


def test_a_catalogue_made_in_memory_is_checked_too() -> None:
    table = pd.DataFrame([["a.png", "1", "1", "R", "CC", "Z", ""]], columns=COLUMNS)
    with pytest.raises(DensightError, match=r"the image a\.png has the unknown class 'Z'"):
        Catalogue(table, BIRADS, Path("exams"))
    with pytest.raises(DensightError, match="holds a space"):
        Catalogue(table, ("Z", "very dense"), Path("exams"))


def test_select_takes_a_split_or_projections_or_both(catalogue: Catalogue) -> None:
    assert catalogue.select(split="train").table["path"].tolist() == ["a/1_CC_R.png", "a/1_MLO_L.png"]
    assert len(catalogue.select(projection=Projection.CC_R)) == 3
    assert len(catalogue.select(projection=[Projection.CC_R, Projection.MLO_L])) == 4
    assert len(catalogue.select(split="train", projection=Projection.CC_R)) == 1
    assert len(catalogue.select(split="validation")) == 0
    assert catalogue.select(projection=Projection.CC_L).projections == ()


def trainable(tmp_path: Path, *, without: str = "") -> Catalogue:
    parts = [("A", "train"), ("B", "train"), ("C", "train"), ("D", "train"), ("B", "validation"), ("A", "test")]
    rows = [
        f"{side}{i}.png,{i},{i},{side},CC,{density},{split}"
        for i, (density, split) in enumerate(parts)
        for side in "RL"
        if f"{side} {density} {split}" != without
    ]
    return read_catalogue(write(tmp_path / "c.csv", HEADER, *rows))


def test_training_needs_each_class_and_validation(tmp_path: Path) -> None:
    check_trainable(trainable(tmp_path), [Projection.CC_R])
    lacks_class = trainable(tmp_path, without="R C train")
    with pytest.raises(DensightError, match="no training image of class C among the projections CC_R"):
        check_trainable(lacks_class, [Projection.CC_R])
    check_trainable(lacks_class, [Projection.CC_L])
    check_trainable(lacks_class, [Projection.CC_R, Projection.CC_L])
    lacks_validation = trainable(tmp_path, without="L B validation")
    with pytest.raises(DensightError, match="no validation image among the projections CC_L"):
        check_trainable(lacks_validation, [Projection.CC_L])


def test_failures_are_a_table(tmp_path: Path) -> None:
    path = tmp_path / "run" / "failures.csv"
    write_failures(path, [Failure(Path("a,b.png"), "the file is empty (0 bytes)", "copy it again")])
    assert path.read_text() == 'path,fault,remedy\n"a,b.png",the file is empty (0 bytes),copy it again\n'
