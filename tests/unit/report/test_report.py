from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from densight.assessment.calibration import Fusion
from densight.assessment.conformal import PredictionSets
from densight.assessment.fusion import probability_columns
from densight.assessment.tables import read_exams, write_assessments
from densight.explanation.explanation import Explanation
from densight.explanation.page_layers import save_film
from densight.figures.data import read_evaluation_data
from densight.figures.evaluate import EvaluationOptions, evaluate, figures_of_run, write_figures
from densight.figures.metrics import METRICS
from densight.figures.plots import save_plots
from densight.geometry import Geometry
from densight.intake.failures import Failure, write_failures
from densight.intake.mammogram import Mammogram
from densight.report.embed import embed_picture
from densight.report.report import write_report
from densight.storage import plain, write_json
from densight.vocabulary import BIRADS, PROJECTIONS, DensightError, Projection

VOID = {"meta", "link", "img", "br", "input", "hr", "base"}
LOADING = {"src", "srcset", "href", "data", "poster", "action", "formaction", "background", "xlink:href"}
NASTY = '<script>alert("x")</script>'


class Page(HTMLParser):
    """The page as a browser sees it: text, tags with their attributes; complains where tags do not match."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.source = path.read_text(encoding="utf-8")
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.script = ""
        self.feed(self.source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.script += data
        elif not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def table(exams: int, classes: tuple[str, ...] = BIRADS, projections: int = 4, label: bool = True) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    rows: list[dict[str, Any]] = []
    for exam in range(exams):
        for projection in PROJECTIONS[:projections]:
            p = rng.dirichlet(np.ones(len(classes)))
            name = f"{exam}_{projection}"
            rows.append(
                {
                    "path": f"test/{name}.png",
                    "patient_id": f"P{exam:03}",
                    "exam_id": f"E{exam:03}",
                    "laterality": projection.laterality.value,
                    "view": projection.view.value,
                    "density": classes[exam % len(classes)] if label else "",
                    **dict(zip(probability_columns(classes), p, strict=True)),
                    "predicted": classes[int(p.argmax())],
                    "percent_density": None,
                    "preparation": f"preset default; cropped to {exam + 10} rows",
                    "warnings": "",
                    "model": "starter@0123abcd",
                    "maps": f"maps/{projection}/{classes[int(p.argmax())]}_{name}",
                }
            )
    return pd.DataFrame(rows)


def facts(**more: Any) -> dict[str, Any]:
    training = {
        "recipe_name": "default",
        "recipe": {"batch_size": 16, "learning_rate": 0.001},
        "seed": 7,
        "images": {"train": {"A": 3, "B": 4}},
        "versions": {"torch": "2.6.0"},
    }
    model = {"name": "starter", "sha256": "ab" * 32, "network": "mobilenetv2-050", "preparation": "default, 384×256"}
    model |= {"projections": ["CC_R", "CC_L"], "licence": "not stated", "training": training}
    said = {"densight": "0.1.0", "command": "explain", "input": "a folder", "split": "test", "device": "cpu"}
    said |= {"methods": ["grad-cam"], "classes": list(BIRADS), "models": [model]}
    return said | {"started": "2026-01-02T03:04:05+00:00", "finished": "2026-01-02T03:09:05+00:00"} | more


def make_run(folder: Path, images: pd.DataFrame, classes: tuple[str, ...] = BIRADS, **more: Any) -> Path:
    write_assessments(folder, images, classes)
    write_json(folder / "run.json", facts(classes=list(classes)) | more)
    return folder


def draw_picture(path: Path, size: tuple[int, int] = (1650, 1500), noise: float = 0.0) -> None:
    rows, columns = np.mgrid[: size[1], : size[0]]
    image = 120 * (1 + np.sin(rows / 90) * np.cos(columns / 70))
    image += np.random.default_rng(1).normal(0, noise, image.shape) if noise else 0
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).convert("RGB").save(path)


def draw_film(run: Path, maps: str, methods: tuple[str, ...] = ("grad-cam",)) -> None:
    """A film as densight explain writes it, of a breast at the left with a map that grows downwards."""
    pixels = np.zeros((256, 192), np.uint8)
    pixels[40:220, :110] = 90
    pixels[90:150, :60] = 180
    cells = (
        np.linspace(-1, 1, 8 * 6, dtype=np.float32).reshape(1, 8, 6) * np.arange(1, 5, dtype=np.float32)[:, None, None]
    )
    geometry = Geometry.stretched((256, 192), (128, 96))
    p = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    explanations = [Explanation(cells, BIRADS, p, one, "add_12", geometry, (8, 8), (16, 16)) for one in methods]
    (run / maps).parent.mkdir(parents=True, exist_ok=True)
    save_film(Mammogram(pixels, Projection(Path(maps).parent.name)), explanations, run / maps)


def decoded(source: str) -> tuple[Image.Image, int]:
    kind, _, content = source.partition(";base64,")
    assert kind == "data:image/webp"
    data = base64.b64decode(content, validate=True)
    return Image.open(io.BytesIO(data)), len(data)


def check_self_contained(page: Page) -> None:
    """Nothing but data URIs and places in the page itself, and a policy that lets a browser load nothing else."""
    for tag, attributes in page.tags:
        assert tag not in {"link", "iframe", "object", "embed", "base", "video", "audio"}
        for name, value in attributes.items():
            assert name not in LOADING or value.startswith(("data:image/", "#")), (tag, name, value[:80])
            assert not name.startswith("on")
    styles = "".join(re.findall(r"<style>(.*?)</style>", page.source, re.DOTALL))
    assert styles
    assert "url(" not in styles
    assert "@import" not in styles
    (policy,) = (meta["content"] for meta in page.all("meta") if "content-security-policy" in str(meta).lower())
    assert "default-src 'none'" in policy
    digest = base64.b64encode(hashlib.sha256(page.script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy


def test_a_run_with_everything_becomes_one_page(tmp_path: Path) -> None:
    images = table(5).assign(percent_density=[float(i % 60) for i in range(20)])
    images.loc[0, "warnings"] = "the film's edge was cut"
    run = make_run(tmp_path, images)
    for maps in images["maps"][:4]:
        draw_film(run, maps)
    write_failures(run / "failures.csv", [Failure(Path("bad.png"), "the file is empty (0 bytes)", "export it again")])

    path = write_report(run)
    assert path == run / "report.html"
    page = Page(path)
    check_self_contained(page)
    for said in (
        "5 exams, 20 images, test split · model starter · Grad-CAM · 2026-01-02, 03:09 UTC",
        "Research software, not a medical device",
        "C heterogeneously dense",
        "the film's edge was cut",
        "bad.png the file is empty (0 bytes) export it again",
        "cropped to … rows (20 images)",
        "densight explain 'a folder' --model starter --method grad-cam --split test --device cpu -o run/",
        "ab" * 32,
        "batch_size 16, learning_rate 0.001",
        "seed 7",
        "torch 2.6.0",
        "Scapicchio, F. Lizzi, M. E. Fantacci",
        "Selvaraju",
    ):
        assert said in page.text
    for exam in range(5):
        assert f"E{exam:03} patient P{exam:03}" in page.text
        for projection in PROJECTIONS:
            assert f"test/{exam}_{projection}.png" in page.text
    pictures = page.all("img")
    assert all(one["alt"] and one["width"] and one["height"] and one["loading"] == "lazy" for one in pictures)
    hung = [one["alt"].split(",")[0] for one in pictures]
    assert hung == ["Mammogram R-CC", "Mammogram L-CC", "Mammogram R-MLO", "Mammogram L-MLO"]
    assert len(page.all("canvas")) == 4
    assert "4 pictures" in page.text


def test_a_film_carries_every_classs_map_by_every_method(tmp_path: Path) -> None:
    images = table(1, projections=1)
    run = make_run(tmp_path, images)
    draw_film(run, images.loc[0, "maps"], ("grad-cam", "deep-lift"))
    page = Page(write_report(run))
    (canvas,) = page.all("canvas")
    maps = json.loads(canvas["data-maps"])["methods"]
    assert list(maps) == ["grad-cam", "deep-lift"]
    one = maps["grad-cam"]
    cells = np.frombuffer(base64.b64decode(one["cells"]), np.int8).reshape(5, one["rows"], one["columns"])
    assert max(one["rows"], one["columns"]) == 32
    assert (np.abs(cells).max(axis=(1, 2)) > 90).all()
    # The chest wall of a right breast hangs at the right, and the map is mirrored with it: it grows downwards still.
    assert (cells[0, -2].astype(int) > cells[0, 1]).all()
    assert one["peaks"][3] == pytest.approx(4 * one["peaks"][0])
    assert canvas["style"].startswith("clip-path: polygon(")
    corners = re.findall(r"([\d.]+)% ([\d.]+)%", canvas["style"])
    assert len(corners) >= 4
    assert all(0 <= float(value) <= 100 for corner in corners for value in corner)
    options = [one["value"] for one in page.all("option") if one.get("value") in ("grad-cam", "deep-lift")]
    assert options == ["grad-cam", "deep-lift"]
    assert "mirrored for display" in page.text


def test_figures_of_other_assessments_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    run = make_run(tmp_path, table(12, projections=1))
    figures = figures_of_run(run)
    write_figures(figures, run)
    save_plots(figures, run)
    make_run(tmp_path, table(11, projections=1))
    page = Page(write_report(run))
    assert "were computed from other assessments and are left out" in page.text
    assert "exam accuracy" not in page.text
    assert page.all("img") == []


def test_figures_of_another_form_are_left_out(tmp_path: Path) -> None:
    run = make_run(tmp_path, table(12, projections=1))
    figures = figures_of_run(run).as_dict()
    write_json(run / "figures.json", {name: value for name, value in figures.items() if name != "format"})
    assert "Run densight figures again to compute them." in Page(write_report(run)).text


def test_figures_of_merit_are_shown_with_their_intervals_and_plots(tmp_path: Path) -> None:
    run = make_run(tmp_path, table(12, projections=1))
    figures = figures_of_run(run)
    write_figures(figures, run)
    save_plots(figures, run)
    page = Page(write_report(run))
    check_self_contained(page)
    for level, merit in figures.levels.items():
        assert level in page.text
        assert merit["accuracy"].interval is not None
        low, high = merit["accuracy"].interval
        assert f"{merit['accuracy'].value:.3f} [{low:.3f}, {high:.3f}]" in page.text
    for name, estimate in figures.levels["exam"].estimates.items():
        assert METRICS[name].title in page.text
        assert f"{estimate.value:.4f}" in page.text
    assert "2000 draws from seed 0" in page.text
    for remark in figures.assumed:
        assert remark in page.text
    assert [one["src"].partition(";")[0] for one in page.all("img")] == ["data:image/svg+xml"] * 4
    assert int(page.all("img")[0]["width"]) > 500


def test_what_was_asked_beside_the_figures_is_shown(tmp_path: Path) -> None:
    images = table(40)
    run = make_run(tmp_path / "run", images)
    other = make_run(
        tmp_path / "other",
        images.assign(**{"p_A": images["p_B"], "p_B": images["p_A"]}).assign(
            predicted=images["predicted"].replace({"A": "B", "B": "A"})
        ),
    )
    readings, catalogue = tmp_path / "readings.csv", tmp_path / "catalogue.csv"
    exams = images.drop_duplicates("exam_id")
    told = {"R1": exams["density"], "R2": exams["density"].shift(1, fill_value="A")}
    pd.DataFrame({"exam_id": exams["exam_id"], **told}).to_csv(readings, index=False)
    known = images[["path", "patient_id", "exam_id", "laterality", "view", "density"]]
    months = [f"2025-{1 + row // 4 % 3:02}" for row in range(160)]
    known.assign(split="test", vendor=["X", "Y"] * 80, month=months).to_csv(catalogue, index=False)
    asked = EvaluationOptions(
        by=("vendor",), over=("month",), against=(read_evaluation_data(other),), readings=readings, catalogue=catalogue
    )
    figures = evaluate(read_evaluation_data(run), asked)
    write_figures(figures, run)
    save_plots(figures, run)
    page = Page(write_report(run))
    check_self_contained(page)
    for said in (
        "By vendor",
        "several",
        "Over month",
        "Against other",
        "after Holm",
        "R1 R2",
        "model R1",
        "Rules of fusion",
        "denser-breast",
        "temperature",
        "Sets of classes",
        "0.9 of each class",
        "On 40 exams read by all",
    ):
        assert said in page.text, said
    assert {"Control chart over month", "Accuracy and κ by vendor"} <= {one["alt"] for one in page.all("img")}


def test_sets_of_classes_are_shown_where_the_calibration_leaves_more_than_one_open(tmp_path: Path) -> None:
    images = table(6)
    fusion = Fusion(sets=PredictionSets(0.9, (0.5,) * 4, 100, 90))
    write_assessments(tmp_path, images, BIRADS, fusion)
    write_json(tmp_path / "run.json", facts(fusion=plain(fusion), calibration=fusion.words))
    page = Page(write_report(tmp_path))
    exams = read_exams(tmp_path)[0]
    more = exams[exams["set"].str.contains(" ")]
    assert len(more) > 0
    assert sum("data-open-set" in one for one in page.all("details")) == len(more)
    assert all("{" + labels.replace(" ", ", ") + "}" in page.text for labels in more["set"])
    assert (
        "sets of classes that hold the true one in 90 % of all exams, fitted on 100 exams of 90 patients" in page.text
    )


def test_a_run_with_assessments_alone_becomes_a_page(tmp_path: Path) -> None:
    images = table(2, ("F", "G", "D"), projections=2, label=False)
    write_assessments(tmp_path, images, ["F", "G", "D"])
    (tmp_path / "exams.csv").unlink()
    write_json(tmp_path / "run.json", {})
    page = Page(write_report(tmp_path))
    check_self_contained(page)
    assert page.all("img") == []
    assert "no pictures" in page.text
    assert "R-MLO, L-MLO" in page.text
    for absent in ("reference", "Figures of merit", "Failures", "undefined", "None", "heterogeneously"):
        assert absent not in page.text
    assert "densight assess INPUT -o run/" in page.text


@pytest.mark.parametrize("missing", ["assessments.csv", "run.json"])
def test_what_a_report_needs_is_named_where_it_is_missing(tmp_path: Path, missing: str) -> None:
    run = make_run(tmp_path, table(1))
    (run / missing).unlink()
    with pytest.raises(DensightError, match="cannot be read") as caught:
        write_report(run)
    assert caught.value.path == run / missing
    assert not (run / "report.html").exists()


def test_whatever_ids_hold_is_text(tmp_path: Path) -> None:
    images = table(1).assign(patient_id=NASTY, exam_id=f"'\"&{NASTY}", warnings=NASTY, preparation=NASTY)
    images["path"] = [f"{i}{NASTY.replace('/', '')}.png" for i in range(4)]
    run = make_run(tmp_path, images, input=NASTY, split=NASTY, densight=NASTY)
    write_failures(run / "failures.csv", [Failure(Path("a.png"), NASTY, NASTY)])
    draw_film(run, images.loc[0, "maps"])
    page = Page(write_report(run))
    check_self_contained(page)
    assert len(page.all("script")) == 1
    assert "alert" not in page.script
    (details,) = page.all("details")
    assert details["data-id"] == f"'\"&{NASTY}\n{NASTY}"
    assert f"'\"&{NASTY} patient {NASTY}" in page.text
    assert NASTY.replace("/", "") in page.all("img")[0]["alt"]


def test_no_folder_of_the_machine_is_shown(tmp_path: Path) -> None:
    images = table(1)
    images["path"] = ["/home/jane/a.png", "../../home/jane/b.png", "C:\\Users\\jane\\c.png", "below/d.png"]
    run = make_run(tmp_path, images)
    failure = Failure(
        Path("/home/jane/e.png"), "/home/jane/e.png holds 3 pages", "see C:\\jane\\f.png and/or /home/jane/g.png"
    )
    write_failures(run / "failures.csv", [failure])
    page = Page(write_report(run))
    assert "jane" not in page.source
    assert str(tmp_path) not in page.source
    for name in ("a.png", "b.png", "c.png", "below/d.png", "e.png holds 3 pages", "see f.png and/or g.png"):
        assert name in page.text


def test_a_picture_is_sharp_where_it_may_be_large_and_fits_where_it_may_not(tmp_path: Path) -> None:
    draw_picture(tmp_path / "a.png", noise=10)
    sizes = []
    for budget in (900_000, 200_000, 60_000):
        picture = embed_picture(tmp_path / "a.png", "words", budget)
        image, size = decoded(picture.source)
        assert size <= budget
        assert (picture.width, picture.height, picture.alt) == (1650, 1500, "words")
        sizes.append(image.size)
    assert sizes[0] == (1650, 1500)
    assert sizes[0] > sizes[1] > sizes[2] > (500, 400)


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    images = table(1)
    run = make_run(tmp_path, images)
    draw_film(run, images.loc[0, "maps"])
    path = run / f"{images.loc[0, 'maps']}_film.webp"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DensightError, match="the picture is truncated or damaged") as caught:
        write_report(run)
    assert caught.value.path == path


def test_no_picture_from_outside_the_run_folder_is_taken(tmp_path: Path) -> None:
    images = table(1)
    draw_film(tmp_path, "CC_R/outside")
    outside = str(tmp_path / "CC_R" / "outside")
    images["maps"] = ["../CC_R/outside", "maps/../../CC_R/outside", outside, ""]
    page = Page(write_report(make_run(tmp_path / "run", images)))
    assert page.all("img") == []


def test_maps_of_further_methods_are_left_out_where_the_page_would_become_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = table(2, projections=1)
    run = make_run(tmp_path, images)
    for maps in images["maps"]:
        draw_film(run, maps, ("grad-cam", "deep-lift"))
    assert "left out to keep" not in Page(write_report(run)).text
    monkeypatch.setattr("densight.report.films._MAPS_BUDGET", 10_000)
    page = Page(write_report(run))
    assert "The maps of 1 method are left out to keep this page small" in page.text
    assert all(list(json.loads(one["data-maps"])["methods"]) == ["grad-cam"] for one in page.all("canvas"))
    assert len(page.all("img")) == 2


def test_five_hundred_exams_are_one_page(tmp_path: Path) -> None:
    images = table(500)
    run = make_run(tmp_path, images)
    draw_film(run, images.loc[0, "maps"])
    first = run / images.loc[0, "maps"]
    for maps in images["maps"][1:]:
        (run / maps).parent.mkdir(parents=True, exist_ok=True)
        (run / f"{maps}_film.json").write_bytes(Path(f"{first}_film.json").read_bytes())
        (run / maps).with_name(f"{first.name}_film.webp").write_bytes(Path(f"{first}_film.webp").read_bytes())
    page = Page(write_report(run))
    assert len(page.all("details")) == 500
    assert len(page.all("canvas")) == 2000
    assert len(page.source) < 40_000_000


def test_the_list_tells_what_it_can_be_sorted_and_filtered_by(tmp_path: Path) -> None:
    images = table(2, projections=1)
    images[probability_columns(BIRADS)] = [[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.1, 0.1]]
    images["predicted"], images["density"] = ["D", "A"], ["D", "B"]
    page = Page(write_report(make_run(tmp_path, images)))
    first, second = page.all("details")
    assert (first["data-predicted"], first["data-dense"], first["data-doubt"]) == ("D", "2.0000", "0.4000")
    assert "data-wrong" not in first
    assert "data-wrong" in second
    for key in ("place", "id", "predicted", "dense", "doubt", "wrong"):
        assert f"data-{key}" in second
        assert re.search(rf'dataset\.{key}\b|"{key}"', page.script)
