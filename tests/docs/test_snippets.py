"""Every command and every line of Python on the pages runs, and every link leads somewhere."""

import dataclasses
import re
import shlex
import tomllib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from arfc import Compressor
from arfc.cli import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
INTEGRATIONS = [page for page in PAGES if page.parent.name == "integrations" and page.name != "serve.md"]
"""Pages whose snippets run here; the server's page runs in tests/serve/test_docs.py, where it is stopped again."""
SNIPPET = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
RUNNABLE = {"python", "sh"}
SET_UP = {"git", "cd", "make", "pip"}
"""Commands that change a machine; what they name is looked up instead."""


def snippets(page):
    """Return (language, text) of every fenced block, in order."""
    return SNIPPET.findall(page.read_text(encoding="utf-8"))


def commands(text):
    """Return the commands of a shell block as lists of words."""
    lines = text.replace("\\\n", " ").splitlines()
    return [words for line in lines for words in split_and(shlex.split(line, comments=True)) if words]


def split_and(words):
    """Return the commands between `&&`."""
    if "&&" not in words:
        return [words]
    at = words.index("&&")
    return [words[:at], *split_and(words[at + 1 :])]


def run_page(page):
    """Do what a reader would who follows the page from top to bottom in one folder."""
    namespace = {"__name__": "__main__"}
    for language, text in snippets(page):
        if language == "python":
            exec(compile(text, page.name, "exec"), namespace)
        elif language == "sh":
            for words in commands(text):
                run_command(words)


def run_command(words):
    if words[0] in SET_UP:
        check_set_up(words)
        return
    assert words[0] == "arfc", f"not a command that the pages may use: {words}"
    assert not {"|", ">", "<", ";"} & set(words)
    done = CliRunner().invoke(app, words[1:])
    assert done.exit_code == 0, f"{words}: {done.output}\n{done.exception!r}"


def check_set_up(words):
    """Check what a set-up command names: make targets and extras must exist."""
    if words[0] == "make":
        targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
        assert words[1:] and set(words[1:]) <= targets, f"no such target: {words}"
    elif words[0] == "pip":
        assert words[1] == "install"
        known = set(
            tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
        )
        for package in words[2:]:
            match = re.fullmatch(r"\.(?:\[([a-z,-]+)\])?", package)
            assert match, f"not this package: {words}"
            assert set((match[1] or "").split(",")) - {""} <= known, f"no such extra: {words}"
    elif words[0] == "git":
        assert words[1] == "clone"


@pytest.mark.slow
def test_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_page(ROOT / "README.md")


def test_format_page_runs(model_folder):
    run_page(ROOT / "docs" / "format.md")


@pytest.mark.parametrize("lengths", [np.empty(0), np.geomspace(0.01, 1, 256)], ids=["none", "256"])
def test_format_page_runs_on_codes_of_all_parts(integration_folder, coded_model, lengths):
    codec = coded_model.codec
    missed = dataclasses.replace(codec.missed, lengths=lengths.astype(np.float32))
    codec = dataclasses.replace(codec, missed=missed)
    facts = coded_model.facts
    Compressor(coded_model.network, codec, coded_model.seen, facts).save("model", overwrite=True)
    run_page(ROOT / "docs" / "format.md")


# mteb 2.26 calls what it and sentence-transformers 6 have renamed.
@pytest.mark.filterwarnings("ignore:The fill_missing parameter is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The `get_sentence_embedding_dimension` method:FutureWarning")
@pytest.mark.parametrize("page", INTEGRATIONS, ids=lambda page: page.name)
def test_integration_page_runs(integration_folder, page, request):
    if "DATABASE_URL" in page.read_text(encoding="utf-8"):
        request.getfixturevalue("database_url")
    if "push_to_hub" in page.read_text(encoding="utf-8"):
        request.getfixturevalue("local_hub")
    run_page(page)


def test_other_pages_hold_nothing_that_should_run():
    for page in PAGES:
        if page.name not in ("README.md", "format.md", "serve.md") and page not in INTEGRATIONS:
            assert not [language for language, _ in snippets(page) if language in RUNNABLE], page


def test_every_code_block_names_its_language():
    for page in PAGES:
        opened = re.findall(r"^```(.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)[::2]
        assert all(opened), page


def test_readme_shows_python_and_the_pages_every_command():
    blocks = snippets(ROOT / "README.md")
    assert any("from arfc import Compressor" in text for language, text in blocks if language == "python")
    blocks += [block for page in INTEGRATIONS for block in snippets(page)]
    shown = [words for language, text in blocks if language == "sh" for words in commands(text)]
    # `serve` ends when it is told to: its own page shows it, and tests/serve/test_docs.py runs that.
    assert {words[1] for words in shown if words[0] == "arfc"} == set(app.commands) - {"serve"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_and_headings_exist(page):
    for link in LINK.findall(re.sub(SNIPPET, "", page.read_text(encoding="utf-8"))):
        if link.startswith(("http://", "https://")):
            continue
        path, _, heading = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), f"{page.name} links to {link}"
        if heading:
            titles = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
            assert heading in anchors, f"{page.name} links to {link}"


def test_make_targets_and_extras_are_checked():
    check_set_up(["make", "demo"])
    check_set_up(["pip", "install", ".[parquet]"])
    for words in (["make", "no-such-target"], ["pip", "install", ".[no-such-extra]"], ["pip", "install", "other"]):
        with pytest.raises(AssertionError):
            check_set_up(words)
    with pytest.raises(AssertionError, match="not a command"):
        run_command(["rm", "-r", "model"])
