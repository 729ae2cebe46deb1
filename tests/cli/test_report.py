"""`arfc evaluate --report`: one page, written whole, and refused before the work starts."""

import json
import sys

import pytest

from arfc.evaluate.report import report_page


@pytest.fixture
def refuse(refused, fitted, monkeypatch):
    """Run `arfc evaluate` with flags that must be refused before anything is measured."""
    monkeypatch.setattr("arfc.evaluate.evaluate", None)
    return lambda *flags, match: refused("evaluate", fitted.features, "-m", fitted.model, *flags, match=match)


def test_the_page_is_that_of_the_json(arfc, fitted, tmp_path):
    flags = ["--report", "out.html", "--json", "out.json"]
    arfc("evaluate", fitted.features, "-m", fitted.model, *flags)
    result = json.loads((tmp_path / "out.json").read_text())
    page = report_page(result, features="features.npy", model="model", facts=fitted.load().facts)
    assert (tmp_path / "out.html").read_text(encoding="utf-8") == page
    assert {path.name for path in tmp_path.iterdir()} == {"out.html", "out.json"}


def test_overwrite_replaces_the_page(arfc, fitted, tmp_path):
    (tmp_path / "out.html").write_text("old")
    arfc("evaluate", fitted.features, "-m", fitted.model, "--report", "out.html", "--overwrite")
    assert (tmp_path / "out.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_what_cannot_be_written_is_refused(refuse, tmp_path):
    (tmp_path / "out.html").write_text("old")
    refuse("--report", "out.html", match=r"an output must not exist yet, got out\.html")
    refuse("--report", "none/out.html", match="the folder of an output must exist")
    refuse("--report", "x", "--json", "x", match="--json and --report must name two files, got x for both")


def test_without_altair_the_cure_is_named(refuse, monkeypatch):
    monkeypatch.setitem(sys.modules, "altair", None)
    refuse("--report", "out.html", match=r"altair is not installed; run: pip install 'arfc\[report\]'")
