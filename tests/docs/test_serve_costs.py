"""The server's page says what its latest record says."""

import json
import re
from pathlib import Path

import serve

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "integrations" / "serve.md").read_text(encoding="utf-8")
RECORD = json.loads((ROOT / "benchmarks" / "records" / "serve.jsonl").read_text(encoding="utf-8").splitlines()[-1])
WAYS = {
    serve.SERVED: "plain HTTP",
    serve.BY_CLIENT: "OpenAI's client",
    serve.IN_FRONT: "plain HTTP, two servers",
}


def added(cell):
    """Lay out what a way adds: the median, the lowest and the highest, and the share of the encoder's."""
    ms, share = cell["ms"], cell["share"]
    return f"{ms['median']:.1f} ms ({ms['low']:.1f} to {ms['high']:.1f}), {share['median']:.0%}".replace("%", " %")


def test_the_table_has_every_way_on_record():
    assert not RECORD["uncommitted_changes"]
    lines = re.search(r"<!-- costs:start -->\n(.*?)<!-- costs:end -->", PAGE, re.DOTALL)[1].splitlines()[2:]
    wanted = []
    for row in RECORD["latency"]:
        assert set(row["ways"]) == {serve.BARE, *WAYS}
        for way, name in WAYS.items():
            cell = row["ways"][way]
            bare = f"{row['ways'][serve.BARE]['p50_ms']:.1f} ms"
            parts = [str(row["inputs"]), bare, name, added(cell["clock"]), added(cell["processor"])]
            wanted.append(f"| {' | '.join(parts)} |")
    assert lines == wanted


def test_the_words_around_it_fit():
    page = " ".join(PAGE.split())
    medians = {way: [row["ways"][way]["clock"]["ms"]["median"] for row in RECORD["latency"]] for way in WAYS}
    plain, two = (f"{min(medians[way]):.0f} to {max(medians[way]):.0f} ms" for way in (serve.SERVED, serve.IN_FRONT))
    assert f"With plain HTTP to a local encoder the median adds {plain}; with a second server in front" in page
    assert f"both add {two}." in page
    rates = {way: cell["of_bare"]["median"] for way, cell in RECORD["throughput"].items()}
    assert f"get {rates[serve.SERVED]:.2f} times" in page
    assert f"through two servers it is {rates[serve.IN_FRONT]:.2f} times" in page
    repeats = {5: "five", 7: "seven", 9: "nine"}[RECORD["repeats"]]
    assert f"median of {repeats} repeats" in page
    assert f"on {RECORD['date']}:" in page
