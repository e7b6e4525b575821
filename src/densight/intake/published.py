"""The published data sets that are known by name: how each lays out its files and records density, view and patient."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from densight.intake.datasets import REASON, DataSet, columns_of, find_table, read_table, table_beside, with_columns
from densight.vocabulary import BIRADS, DensightError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AS_DICOM", "DATA_SETS", "data_set_in"]

_SIDES = {"L": "L", "R": "R", "LEFT": "L", "RIGHT": "R"}
_SPLITS = {"training": "train", "train": "train", "test": "test"}
_BY_NUMBER = dict(zip("1234", BIRADS, strict=True))
_ONE_EXAM = "patient taken from the exam, because the data set names no patients"
_VIEWS = ("CC", "MLO")


def _side(column: pd.Series) -> pd.Series:
    return column.map(lambda side: _SIDES.get(side.upper(), side))


def _by_number(column: pd.Series) -> pd.Series:
    """The class that a number from 1 to 4 stands for; none for others."""
    return column.map(lambda number: _BY_NUMBER.get(number, ""))


def _view_reason(view: pd.Series) -> pd.Series:
    """Why images of other views than CC and MLO are left out."""
    return view.map(lambda name: "" if name in _VIEWS else f"view {name or 'unknown'}")


_MIAS, _MIAS_COLUMNS = "manifest.csv", ("path", "patient_id", "laterality", "view", "tissue")


def _mini_mias(root: Path) -> pd.DataFrame:
    if find_table(root, _MIAS):
        table = read_table(root, _MIAS, _MIAS_COLUMNS)
        columns = {name: table[name] for name in ("path", "patient_id", "laterality", "view")}
        return with_columns(
            table.drop(columns="tissue"), columns | {"exam_id": table["patient_id"], "density": table["tissue"]}
        )
    import pandas as pd

    path = find_table(root, "Info.txt")
    if path is None:
        raise DensightError("mini-MIAS has its table here, but there is none", root / "Info.txt", "check the folder")
    rows = re.findall(r"^(mdb(\d{3}))\s+([FGD])\b", path.read_text(encoding="latin-1"), re.MULTILINE)
    # A film with several abnormalities has a row for each.
    films = {name: (int(number), tissue) for name, number, tissue in rows}
    table = pd.DataFrame({"image_id": list(films)})
    numbers = pd.Series([number for number, _ in films.values()])
    patient = numbers.map(lambda number: f"M{(number + 1) // 2:03d}")
    folder = path.parent.relative_to(root)
    return with_columns(
        table,
        {
            "path": table["image_id"].map(lambda name: (folder / f"{name}.pgm").as_posix()),
            "patient_id": patient,
            "exam_id": patient,
            # By the markers on the films; the data set's text says the opposite.
            "laterality": numbers.map(lambda number: "L" if number % 2 else "R"),
            "view": "MLO",
            "density": [tissue for _, tissue in films.values()],
            "assumed": "laterality taken from the film markers: odd numbers are left",
        },
    )


_VINDR = "breast-level_annotations.csv"
_VINDR_COLUMNS = ("study_id", "image_id", "laterality", "view_position", "breast_density", "split")


def _vindr_mammo(root: Path) -> pd.DataFrame:
    table = read_table(root, _VINDR, _VINDR_COLUMNS)
    return with_columns(
        table.drop(columns=["laterality", "split"]),
        {
            "path": "images/" + table["study_id"] + "/" + table["image_id"] + ".dicom",
            "patient_id": table["study_id"],
            "exam_id": table["study_id"],
            "laterality": table["laterality"],
            "view": table["view_position"],
            "density": table["breast_density"].str.removeprefix("DENSITY "),
            "split": table["split"].map(lambda split: _SPLITS.get(split, split)),
            "assumed": _ONE_EXAM,
        },
    )


_INBREAST, _INBREAST_COLUMNS = "INbreast.csv", ("Laterality", "View", "File Name", "ACR", "Acquisition date")


def _inbreast(root: Path) -> pd.DataFrame:
    table = read_table(root, _INBREAST, _INBREAST_COLUMNS)
    table = table[table["File Name"] != ""].reset_index(drop=True)
    files = {path.name.split("_")[0]: path for path in sorted(root.rglob("*_MG_*")) if path.suffix != ".xml"}
    present = [files.get(name) for name in table["File Name"]]
    patient = [path.name.split("_")[1] if path else "unknown" for path in present]
    paths = [
        path.relative_to(root).as_posix() if path else f"AllDICOMs/{name}.dcm"
        for path, name in zip(present, table["File Name"], strict=True)
    ]
    return with_columns(
        table,
        {
            "path": paths,
            "patient_id": patient,
            "exam_id": [f"{name}_{date}" for name, date in zip(patient, table["Acquisition date"], strict=True)],
            "laterality": table["Laterality"],
            "view": table["View"],
            "density": _by_number(table["ACR"]),
            REASON: _view_reason(table["View"]),
            "assumed": "ACR 1 to 4 taken as A to D",
        },
    )


_CBIS_TABLES = tuple(
    f"{kind}_case_description_{split}_set.csv" for kind in ("mass", "calc") for split in ("train", "test")
)

_CBIS_COLUMNS = ("patient_id", "left or right breast", "image view", "image file path")


def _cbis_ddsm(root: Path) -> pd.DataFrame:
    import pandas as pd

    parts = []
    for name in _CBIS_TABLES:
        part = read_table(root, name, _CBIS_COLUMNS).rename(columns={"breast density": "breast_density"})
        parts.append(part.assign(part="train" if "_train_" in name else "test"))
    # A row an abnormality: of a film, one.
    table = pd.concat(parts).drop_duplicates("image file path").reset_index(drop=True)
    in_test = set(table.loc[table["part"] == "test", "patient_id"])
    both = (table["part"] == "train") & table["patient_id"].isin(in_test)
    return with_columns(
        table.drop(columns="part"),
        {
            "path": _cbis_files(root, list(table["image file path"])),
            "patient_id": table["patient_id"],
            "exam_id": table["patient_id"],
            "laterality": _side(table["left or right breast"]),
            "view": table["image view"],
            "density": _by_number(table["breast_density"]),
            "split": table["part"].mask(both, "test"),
            "assumed": both.map({True: "taken as test, because other films of the patient are", False: ""}),
        },
    )


def _cbis_files(root: Path, named: list[str]) -> list[str]:
    """The files of films: as the tables name them, as TCIA's retriever lays out a case, or as JPEG by series."""
    cases = {path.name: path for pattern in ("*", "*/*") for path in root.glob(f"{pattern}/") if path.is_dir()}
    files = []
    for name in named:
        parts = Path(name).parts
        places = [root / name]
        if parts and parts[0] in cases:
            places += sorted(cases[parts[0]].rglob("*.dcm"))
        if len(parts) > 2 and parts[2] in cases:
            places += sorted(cases[parts[2]].glob("*.jpg"))
        place = next((path for path in places if path.is_file()), places[0])
        files.append(place.relative_to(root).as_posix())
    return files


_RSNA, _RSNA_COLUMNS = "train.csv", ("patient_id", "image_id", "laterality", "view", "density")


def _rsna(root: Path) -> pd.DataFrame:
    table = read_table(root, _RSNA, _RSNA_COLUMNS)
    stems = "train_images/" + table["patient_id"] + "/" + table["image_id"]
    return with_columns(
        table.drop(columns=["patient_id", "laterality", "view", "density"]),
        {
            "path": [f"{stem}.png" if (root / f"{stem}.png").is_file() else f"{stem}.dcm" for stem in stems],
            "patient_id": table["patient_id"],
            "exam_id": table["patient_id"],
            "laterality": table["laterality"],
            "view": table["view"],
            "density": table["density"],
            REASON: _view_reason(table["view"]),
        },
    )


_EMBED_IMAGES = ("EMBED_OpenData_metadata.csv", "EMBED_OpenData_metadata_reduced.csv")
_EMBED_EXAMS = ("EMBED_OpenData_clinical.csv", "EMBED_OpenData_clinical_reduced.csv")
_EMBED_COLUMNS = ("anon_dicom_path", "empi_anon", "acc_anon", "FinalImageType", "ImageLateralityFinal", "ViewPosition")


def _embed(root: Path) -> pd.DataFrame:
    images = read_table(root, _either(root, _EMBED_IMAGES), _EMBED_COLUMNS)
    exams = read_table(root, _either(root, _EMBED_EXAMS), ("acc_anon", "tissueden"))
    exams = exams[exams["tissueden"] != ""].drop_duplicates("acc_anon").set_index("acc_anon")
    # Those that are chosen first among several of a projection.
    images = images.sort_values("FinalImageType", key=lambda kind: kind != "2D", kind="stable").reset_index(drop=True)
    tissue = images["acc_anon"].map(exams["tissueden"]).fillna("").str.removesuffix(".0")
    special = images["spot_mag"] if "spot_mag" in images else images["acc_anon"].map(lambda _: "")
    reason = _view_reason(images["ViewPosition"])
    reason = reason.mask(special.str.removesuffix(".0") == "1", "a spot or magnification view")
    flat = images["FinalImageType"].str.lower().isin(["2d", "cview", "c-view"])
    reason = reason.mask(~flat, "image type " + images["FinalImageType"]).mask(tissue == "5", "of a man")
    places = images["anon_dicom_path"].str.replace(r"^.*?(?=cohort_)", "images/", regex=True)
    synthetic = images["FinalImageType"] != "2D"
    return with_columns(
        images,
        {
            "path": places,
            "patient_id": images["empi_anon"],
            "exam_id": images["acc_anon"],
            "laterality": images["ImageLateralityFinal"],
            "view": images["ViewPosition"],
            "density": _by_number(tissue),
            REASON: reason,
            "assumed": synthetic.map({True: "a synthetic image, computed from tomosynthesis", False: ""}),
        },
    )


def _either(root: Path, names: tuple[str, ...]) -> str:
    """The first of these tables that is there, else the first."""
    return next((name for name in names if find_table(root, name)), names[0])


_CSAW = "CSAW-CC_breast_cancer_screening_data.csv"
_CSAW_COLUMNS = ("anon_patientid", "exam_year", "imagelaterality", "viewposition", "anon_filename")


def _csaw_cc(root: Path) -> pd.DataFrame:
    table = read_table(root, _CSAW, _CSAW_COLUMNS)
    files = {path.name: path.relative_to(root).as_posix() for path in root.rglob("*.dcm")}
    return with_columns(
        table,
        {
            "path": table["anon_filename"].map(lambda name: files.get(name, name)),
            "patient_id": table["anon_patientid"],
            "exam_id": table["anon_patientid"] + "_" + table["exam_year"],
            "laterality": _side(table["imagelaterality"]),
            "view": table["viewposition"],
            REASON: _view_reason(table["viewposition"]),
        },
    )


DATA_SETS: Mapping[str, DataSet] = {
    data_set.name: data_set
    for data_set in (
        DataSet(
            "mini-mias",
            {_MIAS: _MIAS_COLUMNS, "mdb001.pgm": ()},
            _mini_mias,
            ("F", "G", "D"),
            "Suckling et al., The Mammographic Image Analysis Society digital mammogram database, 1994",
            "free of charge; research only",
        ),
        DataSet(
            "vindr-mammo",
            {_VINDR: _VINDR_COLUMNS},
            _vindr_mammo,
            BIRADS,
            "Nguyen et al., Scientific Data 10, 277, 2023, doi 10.1038/s41597-023-02100-7",
            "PhysioNet, doi 10.13026/br2v-7517, after registering; research, no redistribution",
        ),
        DataSet(
            "inbreast",
            {_INBREAST: _INBREAST_COLUMNS},
            _inbreast,
            BIRADS,
            "Moreira et al., Academic Radiology 19, 2012, doi 10.1016/j.acra.2011.09.014",
            "by request to its authors; research",
        ),
        DataSet(
            "cbis-ddsm",
            dict.fromkeys(_CBIS_TABLES, _CBIS_COLUMNS),
            _cbis_ddsm,
            BIRADS,
            "Lee et al., Scientific Data 4, 170177, 2017, doi 10.1038/sdata.2017.177",
            "The Cancer Imaging Archive, doi 10.7937/K9/TCIA.2016.7O02S9CY; CC BY 3.0",
        ),
        DataSet(
            "rsna-breast-cancer",
            {_RSNA: _RSNA_COLUMNS},
            _rsna,
            BIRADS,
            "RSNA, Screening Mammography Breast Cancer Detection, 2022: wiki of RSNA/AI-Challenge-Data",
            "Kaggle, competition rsna-breast-cancer-detection, after accepting its rules; not commercial",
        ),
        DataSet(
            "embed",
            dict.fromkeys(_EMBED_IMAGES, _EMBED_COLUMNS),
            _embed,
            BIRADS,
            "Jeong et al., Radiology: Artificial Intelligence 5, 2023, doi 10.1148/ryai.220047",
            "Registry of Open Data on AWS, after a request to Emory; research, not commercial",
        ),
        DataSet(
            "csaw-cc",
            {_CSAW: _CSAW_COLUMNS},
            _csaw_cc,
            BIRADS,
            "Strand, CSAW-CC (mammography), Karolinska Institutet, 2022, with a codebook",
            "Swedish National Data Service, after a request; research",
        ),
    )
}
"""The data sets known by name, in the order in which `data_set_in` looks for them.

In mini-MIAS, F is fatty, G fatty-glandular and D dense-glandular: not BI-RADS. CSAW-CC has percent density of LIBRA
(``libra_percentdensity``) and no classes.
"""

AS_DICOM = ("cmmd",)
"""Published data sets of which the files' headers tell the views, and nothing the density: they are listed as any DICOM
files. CMMD: Cui et al., The Chinese Mammography Database, 2021, doi 10.7937/tcia.eqde-4b16."""


def data_set_in(root: Path) -> str | None:
    """The name of the published data set whose table is in a folder, recognised by the table's name and columns."""
    for name, dataset in DATA_SETS.items():
        for table, columns in dataset.marks.items():
            path = table_beside(root, table)
            if path is not None and set(columns) <= columns_of(path):
                return name
    return None
