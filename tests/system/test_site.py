"""The documentation's pages as they are built: strictly, complete, without a dead link, and without the network."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.references import DOCS, load_extension

sphinx = pytest.importorskip("sphinx", reason="the pages are built with sphinx")


class Page(HTMLParser):
    """What a page links to, what it loads, and what can be linked to in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "link" and given.get("rel") == "stylesheet":
            self.loaded.append(given["href"])
        elif "src" in given:
            self.loaded.append(given["src"])


def build(folder: Path) -> Path:
    """The site, built strictly from a copy of its sources."""
    shutil.copytree(DOCS, folder / "docs", ignore=shutil.ignore_patterns("reference"))
    shutil.copy(DOCS.parent / "CHANGELOG.md", folder)
    for linked in ("README.md", "benchmarks/RESULTS.md", "src/densight/network/models/starter/MODEL_CARD.md"):
        (folder / linked).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(DOCS.parent / linked, folder / linked)
    site = folder / "site"
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", folder / "docs", site]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "80"})
    assert done.returncode == 0, done.stdout + done.stderr
    return site


def dead_links(site: Path) -> list[str]:
    """Links within the site that lead nowhere, and files that a page loads and that are not there, or elsewhere."""
    pages = {path: Page(path) for path in site.rglob("*.html")}
    dead = []
    for path, page in pages.items():
        where = path.relative_to(site)
        dead += [f"{where} loads {one}" for one in page.loaded if urlsplit(one).netloc]
        for link in (*page.links, *(one for one in page.loaded if not urlsplit(one).netloc)):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or link.startswith("data:"):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            known = pages.get(target)
            if not target.exists() or (known and parts.fragment and unquote(parts.fragment) not in known.anchors):
                dead.append(f"{where} -> {link}")
    return dead


def undocumented(site: Path) -> list[str]:
    """Public names and options that the index of the site lacks."""
    from sphinx.util.inventory import InventoryFile

    reference = load_extension("reference")
    content = (site / "objects.inv").read_bytes()
    known = {
        (kind.partition(":")[0], name)
        for kind, names in InventoryFile.loads(content, uri="").data.items()
        for name in names
    }
    lacking = []
    for room in reference.ROOMS:
        for module in reference.modules(room):
            names = importlib.import_module(module).__all__
            lacking += [f"{module}.{name}" for name in names if ("py", f"{module}.{name}") not in known]
    for command, parsed in reference.commands():
        for parameter in parsed.params:
            if parameter.param_type_name == "option":
                wanted = [f"{command.replace(' ', '-')}.{option}" for option in parameter.opts]
                lacking += [one for one in wanted if ("std", one) not in known]
    return lacking


def test_the_site_is_built_strictly_is_complete_and_has_no_dead_link(tmp_path: Path) -> None:
    site = build(tmp_path)
    assert dead_links(site) == []
    assert undocumented(site) == []
