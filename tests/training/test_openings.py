"""Corrections are let in only where validation rows gain and full width still decodes."""

import pytest
import torch

from arfc.training import openings
from arfc.training.corrections import Corrections
from arfc.training.loop import Run
from arfc.training.openings import choose_openings, settle_decoding
from arfc.training.task import FLOOR_LOSS


def chosen(make_task, open_up, monkeypatch, rule, *, std=0.02, interrupted=False):
    """Let every query find what a rule says of the openings: size -> score."""
    task, network = make_task()
    open_up(network, std=std, opening=0.0)

    class Scripted(Corrections):
        def hits(self, opening):
            return {size: torch.full((100,), float(score)) for size, score in rule(opening.tolist()).items()}

    monkeypatch.setattr(openings, "Corrections", Scripted)
    tried = choose_openings(network, task, Run(config=task.config, interrupted=interrupted))
    expected = [opening for opening in candidates() if not (interrupted and max(opening) == 0.25)]
    assert list(tried)[0] == "closed"
    for scores, opening in zip(tried.values(), expected, strict=True):
        assert scores == pytest.approx(rule(opening))
    return network


def candidates():
    return [[0, 0]] + [[share, share if both else 0] for both in (False, True) for share in (1, 0.5, 0.25)]


def test_the_best_mean_is_chosen(make_task, open_up, monkeypatch):
    network = chosen(
        make_task, open_up, monkeypatch, lambda o: {8: 0.5 - (o[0] - 0.5) ** 2 - (o[1] - 0.4) ** 2, 24: 1.0}
    )
    assert network.opening.tolist() == [0.5, 0.5]
    assert network.open_tokens == 2


def test_no_size_may_lose(make_task, open_up, monkeypatch):
    """Opening the second token gains much at 8 dims and loses a little at 16: too dear."""
    network = chosen(
        make_task, open_up, monkeypatch, lambda o: {8: 0.5 + 0.1 * o[0] + o[1], 16: 0.8 - 0.01 * (o[1] > 0), 24: 1.0}
    )
    assert network.opening.tolist() == [1, 0]
    assert network.open_tokens == 1


def test_a_small_loss_is_borne(make_task, open_up, monkeypatch):
    network = chosen(make_task, open_up, monkeypatch, lambda o: {8: 0.5 + o[0], 24: 1 - 0.9 * FLOOR_LOSS * o[0]})
    assert network.opening[0] == 1


def test_after_ctrl_c_the_scored_openings_are_tried(make_task, open_up, monkeypatch):
    network = chosen(make_task, open_up, monkeypatch, lambda o: {8: 0.5 + sum(o), 24: 1.0}, interrupted=True)
    assert network.opening.tolist() == [1, 1]


def test_without_a_gain_all_stays_closed(make_task, open_up, monkeypatch):
    network = chosen(make_task, open_up, monkeypatch, lambda o: {8: 0.5, 24: 1.0})
    assert network.opening.tolist() == [0, 0]
    assert network.open_tokens == 0 and int(network.decode_steps) == 0


def test_what_cannot_be_decoded_stays_closed(make_task, open_up, monkeypatch):
    """Corrections so steep that x <- z - correction(x) does not converge, at any share."""
    monkeypatch.setattr(openings, "MOST_DECODE_STEPS", 8)
    network = chosen(make_task, open_up, monkeypatch, lambda o: {8: 0.5 + sum(o), 24: 1.0}, std=30.0)
    assert network.opening.tolist() == [0, 0]


def test_a_smaller_share_may_decode_where_the_whole_does_not(make_task, open_up, monkeypatch):
    monkeypatch.setattr(openings, "MOST_DECODE_STEPS", 16)
    network = chosen(make_task, open_up, monkeypatch, lambda o: {8: 0.5 + sum(o), 24: 1.0}, std=0.15)
    assert 0 < float(network.opening.max()) < 1


@pytest.mark.parametrize("pairs", [False, True])
def test_decoding_is_settled_on_rows_of_all_modalities(make_task, open_up, pairs):
    task, network = make_task(pairs=pairs)
    open_up(network, std=0.03, decode_steps=0)
    assert settle_decoding(network, task)
    assert int(network.decode_steps) in (4, 8, 16, 32, 64)
    x = task.validation.entities
    error = (network.decode(compress_blocks_of(network, x)) - x).norm(dim=1)
    assert float(error.max()) < openings.LOSSLESS_ERROR
    network.decode_steps.div_(4, rounding_mode="floor")  # half of what was needed
    few = (network.decode(compress_blocks_of(network, x)) - x).norm(dim=1)
    assert float(few.max()) > openings.LOSSLESS_ERROR


def compress_blocks_of(network, x):
    with torch.no_grad():
        return network.compress(x, dims=network.width)


def test_decoding_that_never_settles_is_told(make_task, open_up, monkeypatch):
    monkeypatch.setattr(openings, "MOST_DECODE_STEPS", 8)
    task, network = make_task()
    open_up(network, std=30.0)
    assert not settle_decoding(network, task)
