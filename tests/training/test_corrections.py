"""Corrections made once and mixed give what the network gives with those openings."""

import pytest
import torch

from arfc.training import corrections
from arfc.training.corrections import Corrections, compress_blocks, opened


def test_blocks_join_in_order(make_task, open_up, monkeypatch):
    monkeypatch.setattr(corrections, "BLOCK_ROWS", 128)
    task, network = make_task()
    open_up(network)
    x = task.fit.features
    joined = compress_blocks(network, x, dims=9)
    torch.testing.assert_close(joined, network.compress(x, dims=9), atol=1e-6, rtol=0)


@pytest.mark.parametrize("width", [24, 19])
@pytest.mark.parametrize("kinds", [{}, {"pairs": True}, {"labels": True}])
def test_mixed_vectors_are_those_of_the_network(make_task, open_up, monkeypatch, kinds, width):
    """Also where the last token is narrower, in several blocks, and with all of half of D open."""
    monkeypatch.setattr(corrections, "BLOCK_ROWS", 64)
    task, network = make_task(width=width, **kinds)
    open_up(network, std=0.2, opening=0.0)
    made, seen = Corrections(network, task), []
    monkeypatch.setattr(task, "hits", lambda vectors: seen.append([v.clone() for v in vectors]) or {})
    openings = [opened(network, tokens, share) for tokens, share in ((0, 1.0), (1, 1.0), (2, 0.5), (1, 0.25))]
    for opening in openings:
        made.hits(opening)
    for opening, vectors in zip(openings, seen, strict=True):
        network.opening.copy_(opening)
        network.refresh()
        for rows, mixed in zip(task.scored, vectors, strict=True):
            torch.testing.assert_close(mixed, network.compress(rows, dims=width), atol=1e-5, rtol=0)


def test_tokens_are_generated_once_for_all_openings(make_task, open_up, monkeypatch):
    task, network = make_task()
    open_up(network, opening=0.0)
    calls, corrected = [], network.corrected
    monkeypatch.setattr(network, "corrected", lambda *args, **kw: calls.append(1) or corrected(*args, **kw))
    made = Corrections(network, task)
    for share in (1.0, 0.5, 0.25):
        made.hits(opened(network, 2, share))
    assert len(calls) == 1


def test_a_network_that_corrects_nothing_generates_nothing(make_task, monkeypatch):
    task, network = make_task()
    monkeypatch.setattr(network, "corrected", None)
    scores = {k: float(hits.mean()) for k, hits in Corrections(network, task).hits(opened(network, 2, 1.0)).items()}
    assert scores == pytest.approx(task.scores(lambda unit, dims: network.compress(unit, dims=dims)))


def test_opened_names_the_leading_tokens(make_task):
    network = make_task()[1]
    assert [opened(network, n, 0.5).tolist() for n in range(3)] == [[0, 0], [0.5, 0], [0.5, 0.5]]
