"""The performance page says what the latest records say."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from _records import read, studies
from _verdict import listed
from arfc.codec.token_count import TOKEN_CHOICES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
RECORDS = {
    record["part"]: record["result"]
    for record in map(json.loads, (ROOT / "benchmarks" / "records" / "speed.jsonl").read_text().splitlines())
}


@pytest.mark.parametrize("part", ["vectors", "codes"])
def test_rates_are_those_of_the_record(part):
    rates = {name: cell["per_s"] for name, cell in RECORDS[part].items() if isinstance(cell, dict)}
    if part == "vectors":  # RQ makes codes; it stands among them
        rates = {name: rate for name, rate in rates.items() if "RQ" not in name}
    numbers = set(re.findall(r"\d[\d,.]*\d", PAGE))
    missing = {
        name: rate for name, rate in rates.items() if f"{rate:,}" not in numbers and f"{rate / 1e6:.1f}" not in numbers
    }
    assert not missing


@pytest.mark.parametrize(
    ("tokens", "of_32"),
    [(", 8 tokens", "are made at"), (", 16 tokens", "with 16 at"), ("", "with 48, the most there can be, at")],
)
def test_codes_are_held_against_rq_as_the_record_says(tokens, of_32):
    rate = {name: cell["per_s"] for name, cell in RECORDS["codes"].items() if isinstance(cell, dict)}
    page = " ".join(PAGE.split())
    with_tables, without = (
        [
            rate[f"arfc encode{tokens}, {size} bytes"] / rate[f"faiss RQ encode, beam 5{tables}, {size} bytes"]
            for size in (16, 32, 64)
        ]
        for tables in (", its tables", "")
    )
    said = "at {:.2f} times the rate at 16 bytes, {:.2f} times at 32 and {:.2f} times at 64; ".format(*with_tables)
    said += "against RQ without them, at {:.1f}, {:.1f} and {:.1f} times.".format(*without)
    assert said.replace(" 0.", " .") in page
    assert f"{of_32} {with_tables[1]:.2f} times".replace(" 0.", " .") in page.split("## Limits")[1]


def test_what_models_chose_is_what_the_records_say():
    chosen = Counter()
    for name in ("quality", "carry-over"):
        for line in (ROOT / "benchmarks" / "records" / f"{name}.jsonl").read_text().splitlines():
            record = json.loads(line)
            if record["method"] == "arfc":
                chosen[record["variant"], record["settings"]["joint_tokens"]] += 1
    page = " ".join(PAGE.split())
    for variant, said in (
        ("none", "In the benchmark's fits without supervision"),
        ("labels", "with labels"),
        ("pairs", "with pairs"),
    ):
        counts = [f"{count} chose {tokens}" for (told, tokens), count in sorted(chosen.items()) if told == variant]
        assert f"{said} {listed(counts)}" in page


def test_what_codes_find_beyond_those_of_rq_is_what_the_records_say():
    captions = [
        one for one in studies(read(ROOT / "benchmarks" / "records" / "quality.jsonl")) if one.set == "captions"
    ]
    (table,) = (
        one for study in captions if study.variant == "none" for one in study.tables if one.metric == "recall@10"
    )
    ours, rq = ({size: cell.score.value for size, cell in line.cells.items()} for line in lines_of(table, "arfc", "rq"))
    short, long = (f"{100 * (ours[size] - rq[size]):.1f}".lstrip("0") for size in (16, 32))
    assert f"codes of 16 and 32 bytes find {short} and {long} points of recall@10 more than RQ's" in " ".join(
        PAGE.split()
    )


def lines_of(table, *methods):
    """Return the lines of codes, in this order."""
    found = {line.method: line for line in table.lines if line.form == "bytes"}
    return [found[method] for method in methods]


def test_the_dates_are_those_of_the_records():
    lines = (ROOT / "benchmarks" / "records" / "speed.jsonl").read_text().splitlines()
    dates = {record["part"]: record["date"] for record in map(json.loads, lines)}
    vectors, codes, growth, memory = (
        " ".join(PAGE.split(f"## {title}\n")[1].split("\n## ")[0].split())
        for title in ("Vectors", "Codes", "How the cost grows", "Memory and start")
    )
    assert vectors.startswith(f"Measured on {dates['vectors']}.")
    assert vectors.endswith(f"measured on {dates['one_query']}.")
    assert codes.startswith(f"Measured on {dates['codes']}.")
    assert f"Measured on {dates['growth']}." in growth
    assert f"(nine repeats, {dates['start_up']})" in memory


def test_exponents_are_those_of_the_record():
    section = PAGE.split("## How the cost grows")[1].split("## Memory")[0]
    for name, found in RECORDS["growth"].items():
        assert f"{found['exponent']:.2f}" in section, name
    assert RECORDS["codes"]["joint_tokens"] == TOKEN_CHOICES[-1]


def test_the_budgeted_fit_is_that_of_the_record():
    record = json.loads((ROOT / "benchmarks" / "records" / "fit_speed.jsonl").read_text().splitlines()[-1])
    shares = [share for sizes in record["kept"].values() for share in sizes.values()]
    page = " ".join(PAGE.split())
    assert f"takes {record['whole']['seconds']:.0f} s on these cores" in page
    assert f"With `--budget {record['budget']}` it took {record['short']['seconds']:.0f} s" in page
    assert f"has {min(shares):.1%} to {max(shares):.1%} of the score".replace("%", " %") in page


def test_what_the_readme_says_it_costs():
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    fit = json.loads((ROOT / "benchmarks" / "records" / "fit_speed.jsonl").read_text().splitlines()[-1])
    assert f"**Fit**: {fit['whole']['seconds']:.0f} s for 40,000 rows of 384 dims" in readme
    few, more = (RECORDS["codes"][f"arfc encode, {tokens} tokens, 32 bytes"]["per_s"] for tokens in (8, 16))
    assert f"{round(more, -3):,} to {round(few, -3):,} codes of 32 bytes" in readme
    assert round(RECORDS["vectors"]["arfc, linear, ratio 4"]["per_s"], -6) == 1_000_000


def test_a_query_takes_what_the_record_says():
    linear, opened = RECORDS["one_query"]["linear"], RECORDS["one_query"]["all tokens open"]
    page = " ".join(PAGE.split())
    assert f"One query takes a linear model {linear['p50_ms']:.2f} ms".replace("0.", ".") in page
    assert (
        f"within {linear['p99_ms']:.2f} ms".replace("0.", ".") in page
        and f"an open one {opened['p50_ms']:.1f} ms" in page
    )
