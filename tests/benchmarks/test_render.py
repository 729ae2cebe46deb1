"""The page, the README's blocks and the picture from made records: best, losing and missing cells stand as they are."""

import json
import re

import pytest

from _page import page
from _records import studies
from _tables import MOST_COLUMNS
from _verdict import verdict
from render import render, with_blocks

README = """# Name

before
<!-- table:start -->
old
<!-- table:end -->
between
<!-- picture:start -->
<!-- picture:end -->
after
"""


@pytest.fixture
def records(record, cell):
    """arfc is best at 8 bytes, behind RQ at 16 and 32 (clearly at 32), and level with KLT floats at 64."""
    return [
        record(codes={8: cell(0.60), 16: cell(0.70), 32: cell(0.80)}, floats={8: cell(0.3), 16: cell(0.5)}),
        record("rq", codes={8: cell(0.55), 16: cell(0.705), 32: cell(0.85)}),
        record("klt", floats={8: cell(0.25), 16: cell(0.5)}),
        record("int8", codes={8: cell(0.1), 16: None}),
    ]


@pytest.fixture
def home(tmp_path, records):
    """A checkout with these records."""
    (tmp_path / "benchmarks" / "records").mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text(README)
    lines = [json.dumps(one) + "\n" for one in records]
    (tmp_path / "benchmarks" / "records" / "quality.jsonl").write_text("".join(lines))
    return tmp_path


def rows_of(text):
    """The rows of all tables by their first cell: lists of cells, in their order."""
    found = {}
    for line in text.splitlines():
        if line.startswith("| "):
            first, *cells = line.strip("| ").split(" | ")
            found.setdefault(first, []).append(cells)
    return found


def test_the_best_is_bold_and_what_lies_within_its_interval_is_marked(records):
    rows = rows_of(page(studies(records)))
    assert rows["bytes per vector"][0] == ["8", "16", "32", "64"]
    assert rows["arfc codes"][0] == ["**0.600**", "0.700†", "0.800", "-"]
    assert rows["arfc floats"][0] == ["-", "-", "0.300", "**0.500**"]
    assert rows["RQ"][0] == ["0.550", "**0.705**", "**0.850**", "-"]
    assert rows["KLT floats"][0] == ["-", "-", "0.250", "**0.500**"]
    assert rows["int8, first dims"][0] == ["0.100", "-", "-", "-"]
    assert rows["RQ"][1][1] == "**0.705 (0.695-0.715)**"
    assert list(rows)[:3] == ["set", "Flickr8k captions, MiniLM 384 dims, no supervision", "bytes per vector"]


def test_losing_cells_are_named(records):
    (study,) = studies(records)
    assert verdict(study.tables[0]) == [
        "arfc is best at 8 bytes (at 8 beyond the intervals).",
        "arfc is level with the best other at 64 bytes.",
        "**Loses** at 16 bytes, 0.700, to RQ (0.705); the intervals overlap.",
        "**Loses** at 32 bytes, 0.800, to RQ (0.850); beyond the intervals.",
    ]
    text = page([study])
    for said in verdict(study.tables[0]):
        assert f"- {said}" in text
    summary = rows_of(text)["Flickr8k captions, MiniLM 384 dims, no supervision"][0]
    assert summary == ["recall@10", "8, 64", "16 to RQ; **32** to RQ"]


def test_every_method_that_is_ahead_is_named(record, cell):
    records = [record(codes={8: cell(0.4)}), *(record(m, codes={8: cell(s)}) for m, s in (("rq", 0.6), ("opq", 0.5)))]
    (study,) = studies(records)
    assert verdict(study.tables[0]) == [
        "**Loses** at 8 bytes, 0.400, to RQ (0.600) and OPQ (0.500); beyond the intervals."
    ]
    assert verdict(studies(records[1:])[0].tables[0]) == ["arfc and others have no size in common here."]


def test_ratios_hold_the_best_at_no_more_bytes(record, cell):
    records = [
        record(codes={8: cell(0.6), 16: cell(0.8)}, floats={2: cell(0.3), 16: cell(1.0)}),
        record("autoencoder", floats={2: cell(0.35), 8: cell(0.7)}),
        record("q-former", floats={8: cell(0.65)}),
        record("klt + int8", codes={16: cell(0.85)}),
        record("int8", codes={16: cell(0.5)}),
        record("fp16", codes={8: cell(0.1), 32: cell(0.9)}),
    ]
    rows = rows_of(page(studies(records)))
    assert rows["ratio"] == [["bytes", "arfc", "autoencoder", "Q-Former", "PTQ", "best other"]]
    at_two, at_eight, at_sixteen = rows["2"][0], rows["8"][0], rows["16"][0]
    assert at_two == [
        "32",
        "80.0 (79.0-81.0)<br>arfc codes, 16 B",
        "70.0 (69.0-71.0)<br>autoencoder floats, 32 B",
        "65.0 (64.0-66.0)<br>Q-Former floats, 32 B",
        "85.0 (84.0-86.0)<br>KLT + int8, 16 B",
        "**90.0** (89.0-91.0)<br>fp16, first dims, 32 B",
    ]
    assert at_eight[1:4] == [
        "**60.0** (59.0-61.0)<br>arfc codes, 8 B",
        "35.0 (34.0-36.0)<br>autoencoder floats, 8 B",
        "-",
    ]
    assert at_sixteen == ["4", *"-----"]


def test_a_page_says_how_methods_differ_in_rows_seeds_and_supervision(record, cell):
    some = {8: cell(0.5)}
    records = [record(codes=some, variant="labels", seed=seed, fit_s=10 * seed) for seed in (1, 2)]
    records += [record("opq", codes=some, rows={"fit": 500}, notes=["it is coarse"], uncommitted_changes=True)]
    text = " ".join(page(studies(records)).split())
    assert "Seeds: 1 and 2; 0 for opq. Rows to fit on: 1,000; 500 for opq." in text
    assert "when the others were measured: ffffffffffff with uncommitted changes." in text
    assert "| OPQ, no labels |" in text
    assert "- opq: it is coarse" in text
    assert "| method | captions, none | captions, labels |" in text
    assert "| arfc | - | 15 |" in text


def test_ablations_stand_apart(record, cell):
    records = [record(codes={8: cell(0.6)}), record("opq", codes={8: cell(0.5)})]
    records += [record("ARC alone", codes={8: cell(0.7)}, fit_s=30)]
    main, apart = page(studies(records)).split("## Ablations: ")
    assert "ARC alone" not in main
    rows = rows_of(apart.split("## Time")[0])
    assert rows["arfc codes (10 s)"] == [["0.600"]]
    assert rows["ARC alone, codes (30 s)"] == [["**0.700**"]]


def test_wide_tables_are_cut(record, cell):
    sizes = range(1, 2 * MOST_COLUMNS + 2)
    text = page(studies([record(codes={size: cell(size / 100) for size in sizes}), record("rq", codes={1: cell(0.5)})]))
    rows = rows_of(text.split("<details>")[0])
    assert [len(cells) for cells in rows["bytes per vector"]] == [6, 6, 5]
    assert sum(rows["bytes per vector"], []) == [str(size) for size in sizes]
    assert len(rows["RQ"]) == 1  # not where it has no score


def test_only_what_stands_between_the_marks_is_replaced():
    text = with_blocks(README, {"table": "new \\1\nlines"})
    assert text == README.replace("\nold\n", "\nnew \\1\nlines\n")
    assert with_blocks(text, {"table": "new \\1\nlines"}) == text
    for broken in (README.replace("<!-- table:end -->", ""), README + README):
        with pytest.raises(SystemExit, match="the README must have <!-- table:start --> and after it"):
            with_blocks(broken, {"table": ""})


def test_the_readme_shows_who_wins(home):
    pytest.importorskip("matplotlib", reason="the picture needs the extra `bench`")
    render(home)
    text = (home / "README.md").read_text()
    assert re.sub(r"(:start -->\n).*?\n?(<!-- \w+:end)", r"\1\2", text, flags=re.DOTALL) == README.replace("old\n", "")
    said = " ".join(text.split())
    assert "100 queries, one seed." in said
    stands = "arfc is best at 8 bytes, is level with the best at 64, loses to RQ at 16 and 32; the intervals of arfc "
    assert stands + "and of the best other overlap at all sizes shown but 8 and 32." in said
    rows = rows_of(text)
    assert rows["bytes per vector"] == [["8", "16", "32", "64"]]
    assert rows["RQ"] == [["0.550", "**0.705**", "**0.850**", "-"]]
    for name in re.findall(r'(?:src|srcset)="([^"]+)"', text):
        assert (home / name).is_file()


def test_a_winner_joins_the_readme(home, record, cell):
    pytest.importorskip("matplotlib", reason="the picture needs the extra `bench`")
    path = home / "benchmarks" / "records" / "quality.jsonl"
    others = [record("lsq", codes={8: cell(0.9)}), record("pq", codes={8: cell(0.2)})]
    path.write_text(path.read_text() + "".join(json.dumps(one) + "\n" for one in others))
    render(home)
    rows = rows_of((home / "README.md").read_text())
    assert rows["LSQ"] == [["**0.900**", "-", "-", "-"]]
    assert re.search("LSQ.*src=", (home / "README.md").read_text())  # it is in the picture, too
    assert "PQ" not in rows


def test_the_same_records_give_the_same_files(home, records):
    pytest.importorskip("matplotlib", reason="the picture needs the extra `bench`")
    names = ["README.md", "docs/results.md", "docs/images/quality.svg", "docs/images/quality-dark.svg"]
    render(home)
    first = [(home / name).read_bytes() for name in names]
    assert b"<dc:date>" not in first[2]
    path = home / "benchmarks" / "records" / "quality.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in [records[0], *records[:0:-1]]))
    render(home)
    assert [(home / name).read_bytes() for name in names] == first
    path.write_text(path.read_text().replace("0.85", "0.75"))
    render(home)
    assert all((home / name).read_bytes() != one for name, one in zip(names, first, strict=True))


def test_the_readme_says_of_how_many_seeds_scores_are(home, record, cell):
    pytest.importorskip("matplotlib", reason="the picture needs the extra `bench`")
    codes, floats = {8: cell(0.60), 16: cell(0.70), 32: cell(0.80)}, {8: cell(0.3), 16: cell(0.5)}
    path = home / "benchmarks" / "records" / "quality.jsonl"
    more = [record(codes=codes, floats=floats, seed=seed) for seed in (1, 2)]
    path.write_text(path.read_text() + "".join(json.dumps(one) + "\n" for one in more))
    render(home)
    said = " ".join((home / "README.md").read_text().split())
    assert "mean of 3 seeds (of one: RQ; their intervals leave out the spread of seeds)." in said
