"""The page holds every number, needs no network, and can be read with pointer and keys."""

import json
import re
import shutil
import sys
from html.parser import HTMLParser

import pytest

from arfc import MissingExtraError
from arfc.evaluate.report import check_report, report_page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FACTS = {"width": 64, "task": "features", "data": {"fit_rows": 5000}}
METRICS = {"recall@10": 1.0, "R@1 by class": 0.8}


def made_cell(score, top):
    ends = (score, 0.98 * score, min(1.0, 1.015 * score))
    return dict(zip(("score", "low", "high"), ends, strict=True)) | dict(
        zip(("retention", "retention_low", "retention_high"), (end / top for end in ends), strict=True)
    )


def made_table(metric, top):
    """Made scores of a 64-dim set; binary exists at one size only, and int8 wins at its largest."""

    def score(size, half):
        return top * size / (size + half)

    halves = {"arfc": 3.0, "klt": 3.2, "int8": 20.0, "binary": 2.0}
    codes = [
        {"bytes": size}
        | {
            name: None if name == "binary" and size != 8 else made_cell(score(size, half), top)
            for name, half in halves.items()
        }
        for size in (8, 16, 32, 48, 64)
    ]
    codes[-1]["int8"] = made_cell(0.99 * top, top)
    floats = [
        {"dims": size, "bytes": 4 * size}
        | {name: made_cell(score(size, half), top) for name, half in (("arfc", 5), ("klt", 6), ("truncation", 30))}
        for size in (8, 16, 32, 64)
    ]
    return {"metric": metric, "queries": 750, "uncompressed": made_cell(top, top), "floats": floats, "bytes": codes}


@pytest.fixture(scope="module")
def result():
    return {
        "rows": 9000,
        "checked_rows": 9000,
        "left_out_rows": 6000,
        "queries": 750,
        "database_rows": 2250,
        "seed": 0,
        "tables": [made_table(metric, top) for metric, top in METRICS.items()],
        "notes": ["klt and int8 codes are fitted on 6,000 rows"],
    }


@pytest.fixture(scope="module")
def page(result):
    return report_page(result, features="features.npy", model="model", facts=FACTS)


class Parts(HTMLParser):
    """The rows of all tables as lists of text, and the names of all attributes."""

    def __init__(self):
        super().__init__()
        self.rows, self.inside, self.attributes = [], False, set()

    def handle_starttag(self, tag, attributes):
        self.attributes |= dict(attributes).keys()
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append(["best" in dict(attributes).get("class", "").split()])
        self.inside = self.inside or tag in ("td", "th")

    def handle_endtag(self, tag):
        self.inside = self.inside and tag not in ("td", "th")

    def handle_data(self, data):
        if self.inside:
            self.rows[-1][-1].append(data.replace("\u2060", "").replace("\xa0", " "))


def test_the_table_holds_every_cell_and_marks_the_best_of_each_row(page, result):
    parser = Parts()
    parser.feed(page)
    rows = iter(parser.rows)
    for table in result["tables"]:
        for form in ("bytes", "floats"):
            next(rows)  # names
            for expected in table[form]:
                names = [name for name in expected if name not in ("dims", "bytes")]
                cells = next(rows)[-len(names) :]
                best = max(expected[name]["score"] for name in names if expected[name])
                for name, (marked, *texts) in zip(names, cells, strict=True):
                    cell = expected[name]
                    if cell is None:
                        assert (marked, texts) == (False, ["–"])
                        continue
                    wanted = [f"{cell['score']:.3f}", f"{cell['low']:.3f}–{cell['high']:.3f}"]
                    if table["metric"] != "recall@10":
                        low, high = 100 * cell["retention_low"], 100 * cell["retention_high"]
                        wanted.append(f"{100 * cell['retention']:.1f} % ({low:.1f}–{high:.1f})")
                    assert texts == wanted
                    assert marked == (f"{cell['score']:.3f}" == f"{best:.3f}")
    assert next(rows, None) is None


def test_what_was_measured_stands_on_the_page(page):
    for text in (
        "750 queries among 2,250 rows",
        "6,000 of 9,000 rows",
        "5,000 rows of 64 dims, without labels or pairs",
        "klt and int8 codes are fitted on 6,000 rows",
        "KLT + bits",
        "truncated floats",
    ):
        assert text in page


def test_names_are_text_and_not_markup(result):
    evil = "<img src=x onerror=alert(1)>&\"'</script>.npy"
    made = json.loads(json.dumps(result))
    made["tables"][0]["metric"] = made["notes"][0] = evil
    made["tables"][0]["bytes"][0][evil] = None
    for row in made["tables"][0]["bytes"]:
        row[evil] = row["klt"]
    page = report_page(made, features=evil, model=evil, facts=FACTS)
    assert "<img src=x" not in page
    assert page.count("</script>") == 3
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    found = json.loads(re.search(r'<script type="application/json" id="drawn">(.*?)</script>', page)[1])
    assert found["tables"][0]["metric"] == evil


def test_nothing_is_linked_and_the_page_repeats(page, result):
    parser = Parts()
    parser.feed(page)
    assert not {"src", "href", "srcset", "action"} & parser.attributes
    assert "default-src 'none'" in page
    assert page == report_page(result, features="features.npy", model="model", facts=FACTS)


@pytest.mark.parametrize("name", ["altair", "jinja2", "vl_convert"])
def test_a_missing_package_is_named_with_its_cure(monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=rf"{name} is not installed; run: pip install 'arfc\[report\]'"):
        check_report()


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium found on the path")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser, page, tmp_path):
    """A function that opens the page; every request but the page's own fails, and the test with it."""
    path = tmp_path / "report.html"
    path.write_text(page, encoding="utf-8")
    address, trouble, contexts = path.as_uri(), [], []

    def guard(route):
        if route.request.url == address:
            route.continue_()
        else:
            trouble.append(route.request.url)
            route.abort()

    def run(*, width=1280, scheme="light"):
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme))
        tab = contexts[-1].new_page()
        tab.set_default_timeout(10_000)
        tab.route("**/*", guard)
        tab.on("pageerror", lambda error: trouble.append(str(error)))
        tab.on("console", lambda message: trouble.append(message.text))
        tab.goto(address)
        tab.wait_for_selector('html[data-drawn="recall@10"]')
        return tab

    yield run
    for context in contexts:
        context.close()
    assert trouble == []


def reading(cell):
    return f"{cell['score']:.3f} ({cell['low']:.3f}–{cell['high']:.3f})"


def readout(tab, unit):
    text = tab.locator(f"figure[data-unit={unit}] .readout").inner_text().replace("\u2060", "").replace("\xa0", " ")
    title, *lines = text.splitlines()
    return title, {name: values for name, *values in (line.split("\t") for line in lines)}


def test_pointing_at_a_point_reads_what_was_measured(opened, result):
    tab = opened()
    expected = result["tables"][0]["bytes"][2]
    point = tab.locator(
        'figure[data-unit=bytes] .mark-symbol path[aria-label*="vector: 32;"][aria-label*="arfc codes"]'
    )
    point.scroll_into_view_if_needed()
    box = point.bounding_box()
    tab.mouse.move(box["x"] + box["width"] / 2 + 2, box["y"] + box["height"] / 2 + 2)
    title, values = readout(tab, "bytes")
    assert title == "32 bytes per vector"
    for label, name in (("arfc codes", "arfc"), ("KLT + bits", "klt"), ("int8, first dims", "int8")):
        assert values[label] == [reading(expected[name])]
    assert values["arfc floats"] == [reading(result["tables"][0]["floats"][0]["arfc"])]
    assert list(values) == sorted(values, key=values.get, reverse=True)
    tab.mouse.move(1, 1)
    assert not tab.locator("figure[data-unit=bytes] .readout").is_visible()


def test_the_keys_read_the_sizes_and_the_metric_can_be_chosen(opened, result):
    tab = opened(width=390, scheme="dark")
    tab.get_by_label("Metric").select_option("R@1 by class")
    tab.wait_for_selector('html[data-drawn="R@1 by class"]')
    assert [section.is_visible() for section in tab.locator("section.tables").all()] == [False, True]
    tab.locator("figure[data-unit=dims] .reader").focus()
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowRight")
    title, values = readout(tab, "dims")
    cell = result["tables"][1]["floats"][1]["klt"]
    assert title == "16 dims per vector"
    assert values["KLT floats"][0] == reading(cell)
    assert values["KLT floats"][1].startswith(f"{100 * cell['retention']:.1f} %")
    tab.keyboard.press("Escape")
    assert not tab.locator("figure[data-unit=dims] .readout").is_visible()


def test_the_legend_takes_methods_away_and_back(opened):
    tab = opened()
    box = tab.locator("figure[data-unit=bytes]").get_by_role("checkbox", name="int8, first dims")
    points = tab.locator('figure[data-unit=bytes] .mark-symbol path[aria-label*="int8"]')
    assert points.count() == 5
    box.focus()
    tab.keyboard.press("Space")
    points.first.wait_for(state="detached")
    tab.keyboard.press("Space")
    points.first.wait_for()
    assert points.count() == 5


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_its_window_and_follows_the_theme(opened, width):
    tab = opened(width=width)
    line = 'figure[data-unit=bytes] .mark-symbol path[aria-label*="arfc codes"]'
    colours = []
    for scheme in ("light", "dark"):
        tab.emulate_media(color_scheme=scheme)
        tab.wait_for_function(
            "line => getComputedStyle(document.querySelector(line)).fill.replace(/[^0-9,]/g, '') === "
            "(hex => [1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16)).join())"
            "(getComputedStyle(document.documentElement).getPropertyValue('--series-0').trim())",
            arg=line,
        )
        colours.append(tab.locator(line).first.get_attribute("fill"))
        assert tab.evaluate("document.documentElement.scrollWidth") == width
        for plot in tab.locator(".plot svg").all():
            box, outer = plot.bounding_box(), plot.locator("xpath=ancestor::figure").bounding_box()
            assert outer["x"] <= box["x"] and box["x"] + box["width"] <= outer["x"] + outer["width"]
    assert colours[0] != colours[1]
