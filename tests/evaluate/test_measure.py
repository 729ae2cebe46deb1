"""Any method on any task: tables, missing scores, one compression per set."""

import numpy as np
import pytest

from arfc.baselines import Int8, Truncation
from arfc.evaluate import CrossModal, NeighbourFidelity, SiblingRetrieval, measure
from arfc.evaluate.intervals import interval
from arfc.evaluate.methods import Small, of_codes, of_floats

LADDERS = {"dims": (8, 24), "bytes": (8, 24)}


def methods_of(vectors, calls):
    truncation, int8 = Truncation(width=24), Int8.fit(vectors)

    def counted(rows):
        calls.append(len(rows))
        return truncation.compress(rows, dims=24)

    return {
        "dims": {"truncation": of_floats(counted)},
        "bytes": {"int8": of_codes(int8.project, lambda rows: int8.compress(rows, bytes=24)), "none": None},
    }


@pytest.fixture
def tasks(vectors):
    images, texts = vectors[:100], vectors[100:]
    return [
        NeighbourFidelity(rows={"images": images}),
        CrossModal(rows={"images": images, "texts": texts}, image_of_text=np.arange(100)),
    ]


def test_a_table_per_metric_and_a_cell_per_method_and_size(vectors, tasks):
    calls, reports = [], []
    tables, notes = measure(tasks, methods_of(vectors, calls), LADDERS, report=lambda *done: reports.append(done))
    assert [table["metric"] for table in tables][:3] == ["recall@10", "recall@1", "R@1 images to texts"]
    assert calls == [100, 100]  # each set once, for all sizes and tasks
    assert reports == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert notes == []
    first = tables[0]
    assert (first["queries"], first["uncompressed"]["score"]) == (100, 1.0)
    assert [(row["dims"], row["bytes"]) for row in first["floats"]] == [(8, 32), (24, 96)]
    for table in tables:
        whole = table["floats"][1]["truncation"]
        assert (whole["retention"], whole["retention_low"], whole["retention_high"]) in ((1, 1, 1), (None, None, None))
        assert whole["score"] == table["uncompressed"]["score"]
        assert [row["none"] for row in table["bytes"]] == [None, None]
    cell = first["bytes"][0]["int8"]
    decoded = Int8.fit(vectors).compress(vectors[:100], bytes=8).decode()
    expected = tasks[0].scores({"images": vectors[:100]}, {"images": decoded})["recall@10"]
    assert cell["score"] == pytest.approx(expected.mean())
    assert cell["low"] < cell["score"] == cell["retention"] < cell["high"] < 1


def test_a_method_may_make_each_size_anew(vectors, tasks):
    def sized(rows):
        return lambda dims: Small(asked=rows[:, -dims:], stored=rows[:, -dims:])

    methods = {"dims": {"last dims": sized}, "bytes": {}}
    tables, _ = measure(tasks[:1], methods, LADDERS)
    last = vectors[:100, -8:]
    expected = tasks[0].scores({"images": last}, {"images": last})["recall@10"].mean()
    assert tables[0]["floats"][0]["last dims"]["score"] == pytest.approx(expected)
    assert tables[0]["bytes"] == [{"bytes": 8}, {"bytes": 24}]


def test_rows_cut_to_zeros_have_no_score_and_a_note(vectors, tasks):
    vectors[3, :8] = 0
    tables, notes = measure(tasks, methods_of(vectors, []), LADDERS)
    assert all(table["floats"][0]["truncation"] is None for table in tables)
    assert all(table["floats"][1]["truncation"] is not None for table in tables)
    assert notes == ["truncation has no score at 8 dims: some rows are zero there"]


def test_captions_of_one_image_are_one_draw(vectors, rng):
    images = vectors[:40]
    captions = np.repeat(images, 5, axis=0) + 0.01 * rng.standard_normal((200, 24)).astype(np.float32)
    of = np.repeat(np.arange(40), 5)
    rows = {"images": images, "captions": captions}
    pairs = CrossModal(rows=rows, image_of_text=of)
    siblings = SiblingRetrieval(rows={"captions": captions}, groups=of)
    kept = NeighbourFidelity(rows={"captions": captions}, together=of)
    for metric, queries in (("R@1 images to captions", 40), ("R@1 captions to images", 200)):
        np.testing.assert_array_equal(pairs.draws(metric), None if queries == 40 else of)
    np.testing.assert_array_equal(siblings.draws("R@1"), of)
    noise = {"dims": {"truncation": of_floats(lambda rows: rows)}, "bytes": {"truncation": None}}
    for task in (pairs, siblings, kept):
        tables, _ = measure([task], noise, {"dims": (2,), "bytes": ()})
        for table in tables:
            scores = task.scores(*[{name: x[:, :2] for name, x in task.rows.items()}] * 2)[table["metric"]]
            expected = interval(scores, draws_Q=task.draws(table["metric"]))
            cell = table["floats"][0]["truncation"]
            assert (cell["low"], cell["high"]) == (expected["low"], expected["high"])
    alone = NeighbourFidelity(rows={"captions": captions})
    assert alone.draws("recall@10") is None
