"""Published data sets: a miniature tree of each, as its documents lay it out, and what becomes of it.

The documents are those that ``DATA_SETS`` names as each one's source.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from densight.intake.catalogue import read_catalogue
from densight.intake.published import DATA_SETS
from tests.dicom_files import mammogram, write
from tests.indexing import index, write_image

PLACES = ("CC_R", "MLO_R", "CC_L", "MLO_L")


def film(path: Path, projection: str = "CC_R", exam: object = 1) -> Path:
    return write(path, mammogram(projection=projection, exam=exam))


def table(path: Path, rows: list[dict[str, object]], separator: str = ",") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, index=False, sep=separator)


def indexed(root: Path, *options: object, status: int = 0) -> pd.DataFrame:
    """What ``densight index`` makes of a folder that it knows by itself."""
    output = root.parent / "catalogue.csv"
    done = index(root, "-o", output, *options)
    assert done.status == status, done.fault + done.said
    assert f"layout {root.name}" in done.said
    return read_catalogue(output).table


def left_out(root: Path) -> dict[str, str]:
    listed = root.parent / "not_assessed.csv"
    read = pd.read_csv(listed) if listed.is_file() else pd.DataFrame(columns=["path", "reason"])
    return {Path(path).name: reason for path, reason in zip(read["path"], read["reason"], strict=True)}


def test_every_data_set_says_where_it_is_described_and_where_to_ask_for_it() -> None:
    for name, dataset in DATA_SETS.items():
        assert dataset.name == name
        assert dataset.source
        assert dataset.access


def test_mini_mias_of_the_project_has_its_known_counts(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "c.csv"
    assert index(data / "mias", "--dataset", "mini-mias", "-o", output).status == 0
    catalogue = read_catalogue(output)
    assert catalogue.classes == ("F", "G", "D")
    assert catalogue.table["density"].value_counts().to_dict() == {"F": 90, "D": 76, "G": 74}
    assert catalogue.table["patient_id"].nunique() == 120
    assert set(catalogue.table["view"]) == {"MLO"}


def test_mini_mias_as_it_is_published(tmp_path: Path) -> None:
    root = tmp_path / "mini-mias"
    for number in range(1, 5):
        write_image(root / f"mdb{number:03d}.pgm")
    (root / "Info.txt").write_text(
        "INFORMATION ABOUT THE DATABASE\n\nmdb001 G CIRC B 535 425 197\nmdb002 G CIRC B 522 280 69\n"
        "mdb003 D NORM \nmdb004 D CALC M 1 2 3\nmdb004 D CALC B 4 5 6\n"
    )
    found = indexed(root, "--classes", "F,G,D")
    assert found["density"].tolist() == ["G", "G", "D", "D"]
    assert found["patient_id"].tolist() == ["M001", "M001", "M002", "M002"]
    assert found["laterality"].tolist() == ["L", "R", "L", "R"]
    assert found["assumed"].str.contains("film markers").all()


def test_a_note_of_the_same_name_makes_no_mini_mias(tmp_path: Path) -> None:
    write_image(tmp_path / "in" / "P1_CC_R.png")
    (tmp_path / "in" / "Info.txt").write_text("exported on Monday")
    assert "layout loose" in index(tmp_path / "in", "-o", tmp_path / "c.csv").said


def test_vindr_mammo(tmp_path: Path) -> None:
    root, rows = tmp_path / "vindr-mammo", []
    for study, density, split in (("s1", "A", "training"), ("s2", "C", "training"), ("s3", "D", "test")):
        for number, place in enumerate(PLACES):
            view, side = place.split("_")
            film(root / "images" / study / f"{study}i{number}.dicom", place, study)
            rows.append(
                {
                    "study_id": study,
                    "series_id": "x",
                    "laterality": side,
                    "image_id": f"{study}i{number}",
                    "view_position": view,
                    "height": 160,
                    "width": 120,
                    "breast_birads": "BI-RADS 1",
                    "breast_density": f"DENSITY {density}",
                    "split": split,
                }
            )
    table(root / "breast-level_annotations.csv", rows)
    found = indexed(root)
    assert found.groupby("exam_id")["density"].first().to_dict() == {"s1": "A", "s2": "C", "s3": "D"}
    assert found.groupby("exam_id").size().tolist() == [4, 4, 4]
    assert found[found["exam_id"] == "s3"]["split"].tolist() == ["test"] * 4
    assert set(found[found["exam_id"] != "s3"]["split"]) <= {"train", "validation"}
    assert set(found["breast_birads"]) == {"BI-RADS 1"}


def test_inbreast(tmp_path: Path) -> None:
    root = tmp_path / "inbreast"
    films = [("20586908", "R", "CC", "1"), ("20586934", "R", "MLO", "4"), ("20586960", "L", "MLO", "")]
    for name, side, view, _ in films:
        film(root / "AllDICOMs" / f"{name}_6c613a14b80a8591_MG_{side}_{view[:2]}_ANON.dcm", f"{view}_{side}")
    rows = [
        {
            "Patient ID": "removed",
            "Patient age": "removed",
            "Laterality": side,
            "View": view,
            "Acquisition date": "201001",
            "File Name": name,
            "ACR": acr,
            "Bi-Rads": "2",
        }
        for name, side, view, acr in films
    ]
    table(root / "INbreast.csv", [*rows, rows[0] | {"Laterality": "R", "View": "FB", "File Name": "99"}], ";")
    found = indexed(root)
    assert found["density"].fillna("").tolist() == ["A", "D", ""]
    assert set(found["patient_id"]) == {"6c613a14b80a8591"}
    assert set(found["exam_id"]) == {"6c613a14b80a8591_201001"}
    assert list(left_out(root).values()) == ["view FB"]


def cbis_row(case: str, density: int, file: str = "000000.dcm") -> dict[str, object]:
    patient, side, view = case.split("_", 1)[1].rsplit("_", 2)
    return {
        "patient_id": patient,
        "left or right breast": side,
        "image view": view,
        "abnormality id": 1,
        "pathology": "BENIGN",
        "image file path": f"{case}/1.3.1/1.3.2.{case}/{file}\n",
        "breast_density": density,
    }


def test_cbis_ddsm(tmp_path: Path) -> None:
    root = tmp_path / "cbis-ddsm"
    mass, calc = "Mass-Training_P_00001_LEFT_CC", "Calc-Training_P_00005_RIGHT_MLO"
    other, tested = "Calc-Training_P_00007_LEFT_MLO", "Mass-Test_P_00007_LEFT_CC"
    film(root / mass / "1.3.1" / f"1.3.2.{mass}" / "000000.dcm", "CC_L")  # as the table names it
    film(root / "CBIS-DDSM" / calc / "08-07-2016-DDSM" / "1.000000-full" / "1-1.dcm", "MLO_R")  # TCIA's retriever
    write_image(root / "jpeg" / f"1.3.2.{other}" / "1-263.jpg")  # a common repackaging
    film(root / tested / "1.3.1" / f"1.3.2.{tested}" / "000000.dcm", "CC_L")
    table(root / "mass_case_description_train_set.csv", [cbis_row(mass, 3), cbis_row(mass, 3)])
    table(root / "mass_case_description_test_set.csv", [cbis_row(tested, 2)])
    rows = [cbis_row(calc, 0), cbis_row(other, 2)]
    table(
        root / "calc_case_description_train_set.csv",
        [{name.replace("breast_density", "breast density"): value for name, value in row.items()} for row in rows],
    )
    table(root / "calc_case_description_test_set.csv", [cbis_row(tested, 2)])
    found = indexed(root).set_index("patient_id")
    assert len(found) == 4
    assert found.loc["P_00001", "density"] == "C"
    assert found["density"].fillna("")["P_00005"] == ""
    assert found.loc["P_00005", "view"] == "MLO"
    assert found.loc["P_00007", "split"].tolist() == ["test", "test"]
    assert "taken as test" in " ".join(found.loc["P_00007", "assumed"].fillna(""))


def test_rsna(tmp_path: Path) -> None:
    root, rows = tmp_path / "rsna-breast-cancer", []
    for number, (view, side) in enumerate((("CC", "L"), ("CC", "L"), ("MLO", "R"), ("AT", "R"))):
        place = f"{view}_{side}" if view != "AT" else "MLO_R"
        film(root / "train_images" / "10006" / f"{number}.dcm", place, number)
        rows.append(
            {"site_id": 2, "patient_id": 10006, "image_id": number, "laterality": side, "view": view}
            | {"age": 61.0, "implant": 0, "density": "B", "machine_id": 29}
        )
    table(root / "train.csv", rows)
    found = indexed(root)
    assert found["path"].map(lambda path: Path(path).name).tolist() == ["0.dcm", "2.dcm"]
    assert found["density"].tolist() == ["B", "B"]
    reasons = left_out(root)
    assert reasons["3.dcm"] == "view AT"
    assert "0.dcm" in reasons["1.dcm"]


def test_embed(tmp_path: Path) -> None:
    root, rows = tmp_path / "embed", []
    kinds = [("cview", "CC", 0), ("2D", "CC", 0), ("2D", "MLO", 1), ("2D", "XCCL", 0), ("cview", "MLO", 0)]
    for number, (kind, view, special) in enumerate(kinds):
        film(root / "images" / "cohort_1" / "100" / "s1" / f"{number}.dcm", "CC_L", number)
        rows.append(
            {"empi_anon": 100, "acc_anon": 7, "FinalImageType": kind, "ImageLateralityFinal": "L", "spot_mag": special}
            | {"anon_dicom_path": f"/mnt/NAS2/mammo/anon_dicom/cohort_1/100/s1/{number}.dcm", "ViewPosition": view}
        )
    table(root / "tables" / "EMBED_OpenData_metadata.csv", rows)
    table(
        root / "tables" / "EMBED_OpenData_clinical.csv",
        [{"empi_anon": 100, "acc_anon": 7, "tissueden": density, "side": "L"} for density in ("", 3.0, 3.0)],
    )
    found = indexed(root)
    assert sorted(Path(path).name for path in found["path"]) == ["1.dcm", "4.dcm"]
    assert found["density"].tolist() == ["C", "C"]
    assert (found["patient_id"].astype(str) == "100").all()
    reasons = left_out(root)
    assert "1.dcm" in reasons["0.dcm"]
    assert reasons["2.dcm"] == "a spot or magnification view"
    assert reasons["3.dcm"] == "view XCCL"


def test_csaw_cc(tmp_path: Path) -> None:
    root, rows = tmp_path / "csaw-cc", []
    for number, place in enumerate(PLACES):
        view, side = place.split("_")
        film(root / "batch_1" / f"{number}.dcm", place)
        rows.append(
            {"anon_patientid": "p1", "exam_year": 2013, "imagelaterality": {"L": "Left", "R": "Right"}[side]}
            | {"viewposition": view, "libra_percentdensity": 24.3, "anon_filename": f"{number}.dcm"}
        )
    table(root / "CSAW-CC_breast_cancer_screening_data.csv", rows, ";")
    found = indexed(root)
    assert len(found) == 4
    assert (found["exam_id"] == "p1_2013").all()
    assert (found["density"].fillna("") == "").all()
    assert set(found["libra_percentdensity"].astype(str)) == {"24.3"}


def test_cmmd(tmp_path: Path) -> None:
    root = tmp_path / "cmmd"
    for number, place in enumerate(PLACES):
        patient = f"D1-000{1 + number // 2}"
        film(root / "CMMD" / patient / "07-18-2010-NA" / "1.000000-NA" / f"1-{number}.dcm", place, patient)
    found = indexed(root, "--dataset", "cmmd")
    assert found["patient_id"].nunique() == 2
    # The order of patients is that of their pseudonyms, which the key decides.
    assert sorted(found["view"] + "_" + found["laterality"]) == sorted(PLACES)


@pytest.mark.parametrize("name", DATA_SETS)
def test_a_data_set_whose_table_is_not_there(tmp_path: Path, name: str) -> None:
    write_image(tmp_path / "in" / "a_CC_R.png")
    done = index(tmp_path / "in", "--dataset", name, "-o", tmp_path / "c.csv")
    assert done.status == 2
    assert "there is none" in done.fault
    assert "Fix: check the folder" in done.fault


def test_a_table_that_lacks_a_column_is_refused(tmp_path: Path) -> None:
    table(tmp_path / "in" / "breast-level_annotations.csv", [{"study_id": "s", "image_id": "i"}])
    done = index(tmp_path / "in", "--dataset", "vindr-mammo", "-o", tmp_path / "c.csv")
    assert done.status == 2
    assert "the table has not the columns laterality, view_position, breast_density, split" in done.fault
