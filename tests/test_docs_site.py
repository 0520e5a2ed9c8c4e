"""The documentation as a site: built strictly, whole, and without anything from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RESOURCE = re.compile(r"<(?:script|link|img|iframe|source|audio|video)\b[^>]*?\b(?:src|href)=[\"']?(\w+:)?//")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_there(site: Path) -> None:
    made = {path.stem for path in site.glob("*.html")} - {"404"}
    assert made == {path.stem for path in ROOT.glob("docs/*.md")} | {"model-card"}
    for name in (
        "grafana/aed-daemon.json",
        "prometheus/alerts.yml",
        "event.schema.json",
        "images/listen.png",
    ):
        assert (site / name).read_bytes() == (ROOT / "docs" / name).read_bytes()


def test_links_to_other_files_of_the_repository_do_not_lead_astray(site: Path) -> None:
    pages = [page for page in site.glob("*.html") if page.name != "404.html"]  # its links begin at the root
    for page in pages:
        for link in re.findall(r'href="([^"#:]+)["#]', page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
    text = (site / "linux-boards.html").read_text(encoding="utf-8")
    assert "<code>benchmarks/results.json</code>" in text
    assert 'href="model-card.html"' in (site / "troubleshooting.html").read_text(encoding="utf-8")


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        assert not RESOURCE.search(page.read_text(encoding="utf-8")), page.name
    for style in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(\w+:)?//|@import", style.read_text(encoding="utf-8")), style.name


@pytest.mark.parametrize("there", ['<script src="https://x/y.js">', "<link rel=a href=//x/y.css>"])
def test_what_is_loaded_from_elsewhere_would_show(there: str) -> None:
    assert RESOURCE.search(there)
