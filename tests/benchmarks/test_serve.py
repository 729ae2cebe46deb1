"""What the benchmark of the server says of measurements."""

import pytest

import serve

BUSY = {serve.BARE: 0.0, serve.SERVED: 0.0}


def test_added_is_the_difference_per_repeat():
    found = serve.added([0.012, 0.033, 0.055], [0.010, 0.030, 0.050])
    assert found["ms"] == pytest.approx({"median": 3, "low": 2, "high": 5})
    assert found["share"] == pytest.approx({"median": 0.1, "low": 0.1, "high": 0.2})


def test_ways_are_asked_in_turns_for_the_same_texts():
    asked = []
    asks = {way: (lambda some, way=way: asked.append((way, tuple(some)))) for way in BUSY}
    processor = {way: iter(range(100)).__next__ for way in BUSY}
    row = serve.measured(asks, processor, [f"text {n}" for n in range(40)], size=8, repeats=2)
    requests = serve.REQUESTS[8]
    assert [way for way, _ in asked] == [serve.BARE] * requests + [serve.SERVED] * requests + asked_again(requests)
    by_way = {way: [some for one, some in asked if one == way] for way in BUSY}
    assert by_way[serve.BARE] == by_way[serve.SERVED]
    assert all(len(some) == 8 for some in by_way[serve.BARE])
    cell = row["ways"][serve.SERVED]
    assert cell["requests"] == 2 * requests
    assert cell["p50_ms"] <= cell["p99_ms"]
    assert cell["processor"]["ms"]["median"] == 0


def asked_again(requests):
    return [serve.BARE] * requests + [serve.SERVED] * requests
