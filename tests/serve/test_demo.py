"""The page at /: what stands behind it, and the page itself in a browser."""

import shutil
import time

import httpx
import numpy as np
import pytest
from fastapi.responses import JSONResponse

from arfc.search import exact_search
from arfc.serve.corpus import Corpus, Passage
from arfc.serve.demo import CHUNK, Demo

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WORDS = [
    "read",
    "write",
    "open",
    "close",
    "file",
    "line",
    "row",
    "table",
    "csv",
    "json",
    "text",
    "list",
    "number",
    "name",
]
WORDS += ["path", "thread"]
EVIL = "<img src=x onerror=alert(1)> & what it says"


@pytest.fixture(scope="module")
def corpus():
    """Made sentences of few words, so that an encoder of random words finds them; more than one chunk."""
    passages = [
        Passage(f"{one}.{two}", f"{one} a {two} and a {three}")
        for one, two, three in zip(WORDS * 3, WORDS[5:] * 4, WORDS[2:] * 4, strict=False)
    ]
    passages = list({passage.text: passage for passage in passages}.values())
    assert len(passages) > CHUNK
    return Corpus(
        named="made sentences", passages=[*passages, Passage("", EVIL)], examples=("read a csv", "close a path")
    )


@pytest.fixture(scope="module")
def build(corpus, fitted_model):
    def make(source):
        return Demo(source, corpus, curve=fitted_model.curve)

    return make


@pytest.fixture(scope="module")
def url(running, local_app, build):
    with running(local_app(demo=build)) as address:
        yield address


def ready(ask, url, **options):
    """Search until the corpus is embedded."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        response = ask(url, path="/demo/search", **options)
        if response.status_code != 200 or response.json()["ready"]:
            return response
        time.sleep(0.01)
    raise AssertionError("the corpus is never ready")


def test_results_are_those_of_an_exact_search(url, ask, small, fitted_model, corpus):
    found = ready(ask, url, query="read a csv", dimensions=9).json()
    rows = fitted_model.compress(small.encode([one.text for one in corpus.passages], show_progress_bar=False), dims=24)
    query = fitted_model.compress(small.encode(["read a csv"], show_progress_bar=False), dims=24)
    for part, dims in (("full", 24), ("chosen", 9)):
        ids, scores = exact_search(query[:, :dims], rows[:, :dims], k=5)
        assert [one["id"] for one in found[part]] == ids[0].tolist()
        np.testing.assert_allclose([one["score"] for one in found[part]], scores[0], atol=1e-5)
        assert [one["text"] for one in found[part]] == [corpus.passages[row].text for row in ids[0]]


def test_the_page_is_told_what_the_model_says_of_itself(url, fitted_model, corpus):
    facts = httpx.get(f"{url}/demo").json()
    assert (facts["model"], facts["width"], facts["metric"]) == ("small", 24, "recall@10")
    assert facts["curve"] == [
        {name: row[name] for name in ("dims", "arfc", "klt", "truncation")} for row in fitted_model.curve["floats"]
    ]
    assert facts["corpus"] == {
        "named": "made sentences",
        "texts": len(corpus.passages),
        "examples": ["read a csv", "close a path"],
    }
    assert facts["asks_for_key"] is False


@pytest.mark.parametrize(
    ("asked", "param", "code"),
    [
        ({"query": "", "dimensions": 8}, "query", "invalid_value"),
        ({"query": "a" * 501, "dimensions": 8}, "query", "invalid_value"),
        ({"query": 3, "dimensions": 8}, "query", "invalid_type"),
        ({"query": "a", "dimensions": 0}, "dimensions", "invalid_value"),
        ({"query": "a", "dimensions": 25}, "dimensions", "invalid_value"),
        ({"query": "a"}, "dimensions", "missing_required_parameter"),
    ],
)
def test_searches_that_make_no_sense(url, refused, asked, param, code):
    refused(url, 400, code, param=param, path="/demo/search", **asked)


def test_an_upstream_is_asked_when_somebody_searches_and_once_per_query(
    served, plain, upstream_app, build, ask, corpus
):
    url = served(upstream_app(f"{served(plain.app)}/v1", demo=build))
    assert httpx.get(f"{url}/demo").json()["asks_for_key"] is True
    assert plain.seen == []
    for dims in (8, 9, 10):
        assert ready(ask, url, key="theirs", query="read a csv", dimensions=dims).status_code == 200
    inputs = [body["input"] for _, body in plain.seen]
    assert sum(map(len, inputs)) == len(corpus.passages) + 1
    assert inputs[-1] == ["read a csv"]
    assert {headers["authorization"] for headers, _ in plain.seen} == {"Bearer theirs"}
    ready(ask, url, key="another", query="read a csv", dimensions=8)  # may ask for itself alone
    assert plain.seen[-1][0]["authorization"] == "Bearer another"


def test_a_corpus_that_could_not_be_embedded_goes_on_where_it_was(served, plain, upstream_app, build, ask, corpus):
    url = served(upstream_app(f"{served(plain.app)}/v1", demo=build))
    error = {"error": {"message": "no such key", "type": "a", "param": None, "code": "b"}}
    plain.misbehave = lambda answer: JSONResponse(error, status_code=401) if len(plain.seen) == 2 else answer
    response = ready(ask, url, query="read a csv", dimensions=8)
    assert (response.status_code, response.json()) == (401, error)
    assert ready(ask, url, query="read a csv", dimensions=8).status_code == 200
    inputs = [body["input"] for _, body in plain.seen]
    assert inputs[1] == inputs[2]
    assert [text for some in (inputs[0], *inputs[2:-1]) for text in some] == [one.text for one in corpus.passages]


def test_the_failure_of_one_caller_is_not_told_to_another(served, plain, upstream_app, build, ask, until):
    url = served(upstream_app(f"{served(plain.app)}/v1", demo=build))
    error = {"error": {"message": "no such key", "type": "a", "param": None, "code": "b"}}
    plain.misbehave = lambda answer: (
        JSONResponse(error, status_code=401) if "bad" in plain.seen[-1][0]["authorization"] else answer
    )
    asked = {"path": "/demo/search", "query": "read a csv", "dimensions": 8}
    assert ask(url, key="bad", **asked).json()["ready"] is False
    until(lambda: plain.seen)
    time.sleep(0.2)
    assert ready(ask, url, key="good", query="read a csv", dimensions=8).status_code == 200
    assert ask(url, key="bad", **asked).status_code == 401


def test_a_key_is_asked_for(served, local_app, build, ask, refused):
    url = served(local_app(demo=build, api_key="right"))
    assert httpx.get(url).status_code == 200
    assert httpx.get(f"{url}/demo").json()["asks_for_key"] is True
    refused(url, 401, "invalid_api_key", path="/demo/search", query="a", dimensions=8)
    assert ready(ask, url, key="right", query="a", dimensions=8).status_code == 200


def test_without_the_page_its_paths_do_not_exist(served, local_app):
    url = served(local_app())
    assert {httpx.get(f"{url}{path}").status_code for path in ("/", "/page.js", "/demo", "/demo/search")} == {404}


def test_nothing_may_be_loaded_from_elsewhere(url):
    for path, kind in (("/", "text/html"), ("/page.css", "text/css"), ("/page.js", "text/javascript")):
        response = httpx.get(f"{url}{path}")
        assert response.headers["content-type"].startswith(kind)
        policy = response.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy and "http" not in policy
        assert "//" not in response.text.replace("http://www.w3.org/2000/svg", "").replace(" // ", "")


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
def opened(browser, url):
    """A function that opens the page; a request to another place fails, and the test with it."""
    trouble, contexts = [], []

    def guard(route):
        if route.request.url.startswith(url):
            route.continue_()
        else:
            trouble.append(route.request.url)
            route.abort()

    def run(*, width=1280, scheme="light", address=url):
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme))
        tab = contexts[-1].new_page()
        tab.set_default_timeout(15_000)
        if address == url:
            tab.route("**/*", guard)
            tab.on("console", lambda message: trouble.append(message.text))
        tab.on("pageerror", lambda error: trouble.append(str(error)))
        tab.goto(address)
        tab.wait_for_selector("html[data-ready]")
        return tab

    yield run
    for context in contexts:
        context.close()
    assert trouble == []


def fresh(tab):
    """Wait until the results are those of what is asked."""
    tab.wait_for_selector("#found:not([hidden]):not(.stale)")


def titles(tab, part):
    return tab.locator(f"#{part} li").evaluate_all(
        "all => all.map(one => one.querySelector('span').firstChild.textContent)"
    )


def test_a_search_by_keyboard_shows_both_sizes(opened, url, ask):
    tab = opened()
    assert tab.get_by_role("heading", level=1).inner_text() == "small"
    tab.get_by_role("searchbox", name="What to look for").focus()
    tab.keyboard.type("read a csv")
    tab.keyboard.press("Enter")
    fresh(tab)
    found = ready(ask, url, query="read a csv", dimensions=8).json()
    for part in ("full", "chosen"):
        assert titles(tab, part) == [one["title"] or one["text"] for one in found[part]]
    assert tab.locator("#full-size").inner_text() == "24 dims, 96 bytes"
    assert tab.locator("#chosen-size").inner_text() == "8 dims, 32 bytes"
    same = len({one["id"] for one in found["full"]} & {one["id"] for one in found["chosen"]})
    status = tab.get_by_role("status")
    assert status.inner_text() == f"{same} of the 5 nearest at full size are among those at 8 dims."
    assert tab.locator("#chosen .note", has_text="not among the first 5").count() == 5 - same


def test_the_slider_chooses_the_size_by_keys(opened, url, ask, fitted_model):
    tab = opened()
    tab.get_by_role("button", name="close a path").click()
    fresh(tab)
    slider = tab.get_by_role("slider")
    slider.focus()
    tab.keyboard.press("PageUp")
    assert tab.locator("#dims").input_value() == "16"
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowRight")
    assert tab.locator("#dims").input_value() == "18"
    tab.locator("#chosen-size", has_text="18 dims").wait_for()  # a function to wait for would have to be compiled
    fresh(tab)
    assert titles(tab, "chosen") == [
        one["title"] or one["text"] for one in ready(ask, url, query="close a path", dimensions=18).json()["chosen"]
    ]
    assert tab.locator("#bytes").inner_text() == "72"
    assert tab.locator("#ratio").inner_text() == "1.3"
    assert tab.locator("#quality").inner_text().startswith("about 0.")
    assert slider.get_attribute("aria-valuetext").startswith("18 dims, recall@10 0.")
    assert "dimensions=18)" in tab.locator("#code").inner_text()
    for key, dims in (("Home", "8"), ("ArrowLeft", "8"), ("End", "24"), ("ArrowUp", "24"), ("PageDown", "16")):
        tab.keyboard.press(key)
        assert tab.locator("#dims").input_value() == dims
    measured = {row["dims"]: row["arfc"] for row in fitted_model.curve["floats"]}
    assert tab.locator("#quality").inner_text() == f"{measured[16]:.2f}"


def test_a_size_can_be_typed_and_the_slider_be_dragged(opened):
    tab = opened()
    field = tab.get_by_role("spinbutton", name="Size")
    field.fill("20")
    assert tab.locator("#bytes").inner_text() == "80"
    field.fill("99")
    assert tab.locator("#bytes").inner_text() == "80"
    field.blur()
    assert field.input_value() == "20"
    box = tab.get_by_role("slider").bounding_box()
    tab.mouse.click(box["x"] + 1, box["y"] + box["height"] / 2)
    assert field.input_value() == "8"


def test_the_point_stands_on_the_curve(opened):
    tab = opened()
    for key in ("Home", "PageUp", "End"):
        tab.get_by_role("slider").focus()
        tab.keyboard.press(key)
        place = "({x: Number(point.getAttribute('cx')), y: Number(point.getAttribute('cy'))})"
        point = tab.locator("#curve circle").evaluate(f"point => {place}")
        line = tab.locator("#curve path.arfc").get_attribute("d")[1:].split("L")
        assert any(
            abs(float(x) - point["x"]) < 0.1 and abs(float(y) - point["y"]) < 0.1
            for x, y in (p.split(",") for p in line)
        )


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_its_window_and_follows_the_theme(opened, width):
    papers = []
    for scheme in ("light", "dark"):
        tab = opened(width=width, scheme=scheme)
        tab.get_by_role("button", name="read a csv").click()
        fresh(tab)
        assert tab.evaluate("document.documentElement.scrollWidth") == width
        outside = (
            "all => all.filter(one => one.getBoundingClientRect().right > innerWidth + .5).map(one => one.tagName)"
        )
        assert tab.locator("body *:not(code)").evaluate_all(outside) == []
        papers.append(tab.evaluate("getComputedStyle(document.body).backgroundColor"))
        slider, chart = tab.locator("#slider").bounding_box(), tab.locator("#curve").bounding_box()
        assert chart["x"] <= slider["x"] and slider["x"] + slider["width"] <= chart["x"] + chart["width"] + 0.5
    assert papers[0] != papers[1]


def test_everything_that_can_be_used_has_a_name(opened):
    tab = opened()
    tab.get_by_role("button", name="read a csv").click()
    fresh(tab)
    named = (
        "all => all.filter(one => !(one.labels?.length || one.textContent.trim() || one.ariaLabel)).map(one => one.id)"
    )
    assert tab.locator("input, button").evaluate_all(named) == []
    for role, name in (
        ("region", "The same from your code"),
        ("region", "Python"),
        ("region", "Full size"),
        ("region", "Chosen size"),
    ):
        assert tab.get_by_role(role, name=name).count() == 1
    assert tab.get_by_role("img", name="recall@10 by size, from 8 to 24 dims").count() == 1


def test_texts_are_text_and_not_markup(opened):
    tab = opened()
    tab.get_by_role("searchbox").fill(EVIL)
    tab.keyboard.press("Enter")
    fresh(tab)
    assert tab.locator("#full li .text").first.inner_text() == EVIL
    assert tab.locator("main img").count() == 0


def test_what_goes_wrong_is_said(opened, served, local_app, build):
    tab = opened(address=served(local_app(demo=build, api_key="right")))
    tab.get_by_role("button", name="read a csv").click()
    alert = tab.get_by_role("alert")
    alert.wait_for()
    assert alert.inner_text() == (
        "The server says: the API key is missing or wrong; send it as Authorization: Bearer KEY."
    )
    tab.get_by_label("API key").fill("right")
    tab.keyboard.press("Enter")
    fresh(tab)
    assert not alert.is_visible()
    assert "YOUR KEY" in tab.locator("#code").inner_text()
