"""The joined network: starts as the KLT, any prefix is the head of the whole, decodes without loss."""

import copy
import functools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from arfc.config import ModelConfig
from arfc.model.linear import cayley
from arfc.model.network import Network
from arfc.model.steady import by_blocks

WIDTHS = (10, 41, 64, 300, 384, 1000, 1537)


def unit(rows, width, seed=0):
    x = torch.randn(rows, width, generator=torch.Generator().manual_seed(seed)) * torch.linspace(2, 0.2, width)
    return torch.nn.functional.normalize(x, dim=1)


def network(width, **shape):
    torch.manual_seed(0)
    made = Network(width, ModelConfig(**({"channels": 16, "layers": 1, "heads": 2} | shape)))
    made.klt.fit([unit(2 * width, width)])
    made.refresh()
    return made.eval().requires_grad_(False)


def rotated(width, **shape):
    """A network whose linear map is a real rotation, its scale set."""
    made = network(width, **shape)
    size = made.rotated_dims
    made.linear.set_block(cayley(torch.randn(size, size, generator=torch.Generator().manual_seed(1))))
    made.refresh()
    made.set_scale()
    return made


def cosines(x):
    x = torch.nn.functional.normalize(x.double(), dim=1)
    return x @ x.T


@pytest.mark.parametrize("solutions", [1, 2])
@pytest.mark.parametrize("opening", [0.0, 1.0])
def test_an_untrained_network_is_the_klt(solutions, opening):
    model = network(20, solutions=solutions)
    model.opening.fill_(opening)
    model.refresh()
    x = unit(30, 20, seed=1)
    for dims in range(1, 21):
        torch.testing.assert_close(model.compress(x, dims=dims), x @ model.klt.basis[:, :dims], atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("width", "tokens", "token_width", "last"), [(10, 5, 2, 2), (300, 8, 38, 34), (1537, 8, 193, 186), (3, 3, 1, 1)]
)
def test_any_width_is_cut_into_tokens(width, tokens, token_width, last):
    model = Network(width, ModelConfig(channels=16, layers=1, heads=2))
    assert (model.tokens, model.token_width) == (tokens, token_width)
    x = torch.randn(2, width)
    cut = model.linear_tokens(x)  # the KLT's basis is still the identity
    torch.testing.assert_close(cut.flatten(1)[:, :width], x)
    assert (cut[:, -1, last:] == 0).all()


def test_a_rotation_keeps_cosines_whole_and_of_prefixes_beyond_it():
    model, x = rotated(24), unit(40, 24, seed=1)
    whole = model.compress(x, dims=24)
    np.testing.assert_allclose(cosines(whole), cosines(x), atol=1e-6)
    assert model.rotated_dims == 12
    for dims in range(12, 25):
        np.testing.assert_allclose(cosines(whole[:, :dims]), cosines(x @ model.klt.basis[:, :dims]), atol=1e-5)
    assert (cosines(whole[:, :6]) - cosines(x @ model.klt.basis[:, :6])).abs().max() > 0.1  # shorter ones are its own


def test_scale_is_the_size_of_each_coordinate():
    model = rotated(24)
    size = model.compress(unit(48, 24), dims=24).square().mean(0).sqrt()  # the rows the KLT was fitted on
    np.testing.assert_allclose(model.scale, size, rtol=1e-4)
    model.klt.energy[20:] = 0
    model.refresh()
    model.set_scale()
    assert float(model.scale.min()) == pytest.approx(1e-3 * float(model.scale.max()), rel=1e-5)


@functools.cache
def opened(width):
    """An opened network and the full-width vectors of 256 rows."""
    torch.manual_seed(0)
    model = Network(width, ModelConfig(channels=16, layers=1, heads=2)).eval().requires_grad_(False)
    model.klt.basis.copy_(torch.linalg.qr(torch.randn(width, width))[0])
    generator = torch.Generator().manual_seed(2)
    for head in (model.arc.head, model.mos.head):
        head.copy_(0.1 * torch.randn(head.shape, generator=generator))
    model.opening.fill_(1.0)
    model.refresh()
    x = unit(256, width, seed=3).numpy()
    return model, x, compressed(model, x, width)


def compressed(model, x, dims):
    return by_blocks(lambda rows: model.compress(rows, dims=dims), x)


@settings(max_examples=20)
@given(width=st.sampled_from(WIDTHS), closed=st.booleans(), seed=st.integers(0, 99), data=st.data())
def test_many_rows_are_compressed_as_each_is_alone(width, closed, seed, data):
    model, x, whole = opened(width)
    if closed:
        model = copy.deepcopy(model)
        model.opening.fill_(0.0)
        model.refresh()
        whole = model.compress(torch.from_numpy(x), dims=width).numpy()
    rows = np.random.default_rng(seed).permutation(256)[: data.draw(st.integers(1, 256))]
    dims = data.draw(st.integers(1, width))
    made = model.compress_rows(x[rows], dims=dims)
    np.testing.assert_allclose(made, whole[rows, :dims], atol=2e-5)
    np.testing.assert_array_equal(model.compress_rows(x[rows[-1:]], dims=width)[:, :dims], made[-1:])


@settings(max_examples=30)
@given(data=st.data(), width=st.sampled_from(WIDTHS))
def test_short_vectors_are_bitwise_the_head_of_long_ones(data, width):
    model, x, whole = opened(width)
    dims = data.draw(st.integers(1, width))
    np.testing.assert_array_equal(compressed(model, x, dims), whole[:, :dims])


@settings(max_examples=30)
@given(width=st.integers(2, 140) | st.sampled_from(WIDTHS), seed=st.integers(0, 99))
def test_a_row_is_bitwise_the_same_wherever_it_stands(width, seed):
    """Any width: tokens of 5 to 11 dims are where matrix products round by the row's place."""
    model, x, whole = opened(width)
    assert np.abs(whole - x @ model.klt.basis.numpy()).max() > 1e-3  # the network says something
    order = np.random.default_rng(seed).permutation(256)
    np.testing.assert_array_equal(compressed(model, x[order], width), whole[order])
    back = by_blocks(model.decode, whole)
    np.testing.assert_array_equal(by_blocks(model.decode, whole[order]), back[order])


def test_closed_tokens_cost_no_generation(monkeypatch):
    model = rotated(24, tokens=4)
    model.arc.head.normal_()
    asked = []
    monkeypatch.setattr(type(model.arc), "generate", lambda self, linear, **asks: asked.append(asks))
    x = unit(3, 24)
    torch.testing.assert_close(model.compress(x, dims=24), x @ model.klt.basis @ model.linear.weight)
    assert asked == [] and model.open_tokens == 0


@pytest.mark.parametrize(("dims", "generated"), [(1, 1), (6, 1), (7, 2), (12, 2), (13, 2), (24, 2)])
def test_only_the_tokens_asked_for_are_generated(monkeypatch, open_up, dims, generated):
    model = open_up(rotated(24, tokens=4))  # tokens of 6 dims; the first two can be open
    asked, generate = [], type(model.arc).generate

    def counting(self, linear, *, tokens, solutions):
        asked.append(tokens)
        return generate(self, linear, tokens=tokens, solutions=solutions)

    monkeypatch.setattr(type(model.arc), "generate", counting)
    model.compress(unit(3, 24), dims=dims)
    assert asked == [generated]


def test_an_opening_of_a_half_goes_half_of_the_way(open_up):
    model, x = rotated(24), unit(9, 24)
    closed = model.compress(x, dims=24)
    whole = open_up(model, std=0.5).compress(x, dims=24)
    half = open_up(model, std=0.5, opening=0.5).compress(x, dims=24)
    assert (whole - closed).abs().max() > 0.05
    torch.testing.assert_close(half, (whole + closed) / 2, atol=1e-6, rtol=0)


@pytest.mark.parametrize("solutions", [1, 2, 3])
def test_parallel_form_equals_generation(open_up, solutions):
    model = open_up(rotated(23, tokens=4, solutions=solutions), std=0.5)
    linear = model.linear_tokens(unit(9, 23))
    tokens = len(model.opening)
    refined, fed = model.corrected(linear, tokens=tokens)
    again, again_fed = model.corrected_parallel(linear, fed)
    torch.testing.assert_close(again, refined, atol=1e-5, rtol=0)
    torch.testing.assert_close(again_fed, fed, atol=1e-5, rtol=0)
    assert (refined - linear[:, :tokens]).abs().max() > 0.05


def test_mos_refines_what_arc_made(open_up):
    model, x = open_up(rotated(24), std=0.5), unit(9, 24)
    with_mos = model.compress(x, dims=24)
    model.mos.head.zero_()
    assert (model.compress(x, dims=24) - with_mos).abs().max() > 0.01
    solution = model.corrected(model.linear_tokens(x), tokens=1)
    assert torch.equal(solution[0], solution[1][:, 0])


def test_other_solutions_are_made_only_where_mos_adds_to_the_first(open_up):
    model, x = open_up(rotated(24, solutions=3), std=0.5), unit(9, 24)
    linear = model.linear_tokens(x)
    refined, made = model.corrected(linear, tokens=2)
    assert made.shape == (9, 3, 2, 3) and (refined - made[:, 0]).abs().max() > 0.01
    alone = model.corrected(linear, tokens=2, solutions=1)
    torch.testing.assert_close(alone[1], made[:, :1], atol=1e-6, rtol=0)
    assert torch.equal(alone[0], alone[1][:, 0])
    model.mos.head.zero_()
    model.refresh()
    assert model.useful_solutions == 1 and model.corrects
    assert torch.equal(model.corrected(linear, tokens=2)[1], alone[1])


@pytest.mark.parametrize("length", [1e-3, 40.0])
def test_a_correction_grows_with_what_it_corrects(open_up, length):
    model = open_up(rotated(24), std=0.5)
    linear = model.linear_tokens(unit(9, 24))
    for whole, scaled in zip(
        model.corrected(linear, tokens=2), model.corrected(length * linear, tokens=2), strict=True
    ):
        torch.testing.assert_close(scaled / length, whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize("length", [1.0, 30.0])
def test_full_width_decodes_without_loss_after_a_map_that_all_but_drops_some_dims(open_up, length):
    """The length of a row is read from its coordinates, not from its features, of which those dims say little."""
    model, x = rotated(24), unit(50, 24, seed=5)
    model.linear.set_block(model.linear.weight * torch.logspace(0, -2.3, 24))
    model.refresh()
    model.set_scale()
    open_up(model, std=0.05)
    full = length * model.compress(x, dims=24)
    assert float((model.decode(full) / length - x).norm(dim=1).max()) < 1e-4


@pytest.mark.parametrize("solutions", [1, 2])
@pytest.mark.parametrize("length", [1.0, 0.01, 30.0])
def test_full_width_decodes_without_loss(open_up, solutions, length):
    model, x = open_up(rotated(24, solutions=solutions), std=0.05), unit(50, 24, seed=5)
    full = length * model.compress(x, dims=24)
    error = (model.decode(full) / length - x).norm(dim=1).max()
    assert float(error) < 1e-5
    model.decode_steps.fill_(0)  # the corrections are worth undoing
    assert (model.decode(full) / length - x).norm(dim=1).mean() > 1e-2


@pytest.mark.parametrize("width", [10, 300])
def test_a_closed_network_decodes_by_its_inverse(width):
    model, x = rotated(width), unit(50, width, seed=5)
    full = model.compress(x, dims=width)
    torch.testing.assert_close(model.decode(full), x, atol=1e-5, rtol=0)
    torch.testing.assert_close(model.decode_inexact(full), x, atol=1e-5, rtol=0)


def test_prefixes_decode_as_the_best_linear_estimate():
    model, x = rotated(24), unit(48, 24)  # the rows the KLT was fitted on
    full = model.compress(x, dims=24)
    errors = []
    for dims in range(1, 24):
        best = np.linalg.lstsq(full[:, :dims].numpy(), x.numpy(), rcond=None)[0]
        least = np.square(x.numpy() - full[:, :dims].numpy() @ best).sum(1).mean()
        errors.append(float((model.decode(full[:, :dims]) - x).square().sum(1).mean()))
        assert math.isclose(errors[-1], least, abs_tol=1e-4)
    assert errors == sorted(errors, reverse=True)
