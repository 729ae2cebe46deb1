"""ARC generates token after token; its parallel form gives the same."""

import pytest
import torch

from arfc.model.arc import Arc

TOKENS, WIDTH, CHANNELS = 5, 3, 16


def arc(solutions=2, *, layers=2, open_tokens=TOKENS, head=0.5):
    torch.manual_seed(0)
    made = Arc(
        tokens=TOKENS, token_width=WIDTH, open_tokens=open_tokens, channels=CHANNELS, layers=layers, heads=2,
        solutions=solutions,
    )  # fmt: skip
    torch.nn.init.normal_(made.head, std=head) if head else None
    return made.requires_grad_(False)


def linear(rows=4, *, narrow=False):
    tokens = torch.randn(rows, TOKENS, WIDTH, generator=torch.Generator().manual_seed(1))
    if narrow:
        tokens[:, -1, 1:] = 0  # as a padded last token looks
    return tokens


@pytest.mark.parametrize("solutions", [1, 2, 4])
@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("layers", [1, 3])
def test_parallel_form_fed_the_generated_tokens_returns_them(solutions, narrow, layers):
    made, states = arc(solutions, layers=layers).generate(linear(narrow=narrow), tokens=TOKENS)
    again, again_states = arc(solutions, layers=layers).parallel(linear(narrow=narrow), made)
    torch.testing.assert_close(again, made, atol=1e-5, rtol=0)
    torch.testing.assert_close(again_states, states, atol=1e-5, rtol=0)
    assert (made - linear(narrow=narrow)[:, None]).abs().max() > 0.1  # the corrections are not zero


@pytest.mark.parametrize("solutions", [1, 2, 4])
def test_few_tokens_are_bitwise_the_head_of_many(solutions):
    model = arc(solutions)
    made, states = model.generate(linear(), tokens=TOKENS)
    for tokens in range(1, TOKENS):
        fewer, fewer_states = model.generate(linear(), tokens=tokens)
        assert torch.equal(fewer, made[:, :, :tokens])
        assert torch.equal(fewer_states, states[:, :, :tokens])


@pytest.mark.parametrize("solutions", [1, 3])
def test_starts_as_the_linear_tokens(solutions):
    made = arc(solutions, head=0).generate(linear(), tokens=TOKENS)[0]
    assert torch.equal(made, linear()[:, None].expand(-1, solutions, -1, -1))


def test_solutions_differ():
    made = arc(3).generate(linear(), tokens=TOKENS)[0]
    assert (made[:, 0] - made[:, 1]).abs().amax((0, 2)).min() > 1e-2
    assert (made[:, 1] - made[:, 2]).abs().amax((0, 2)).min() > 1e-2


def test_a_token_depends_on_the_tokens_before_it_of_its_own_solution_only():
    model = arc(2)
    fed = model.generate(linear(), tokens=TOKENS)[0]
    changed = fed.clone()
    changed[:, 1, 2] += 1
    before, after = model.parallel(linear(), fed)[0], model.parallel(linear(), changed)[0]
    moved = (before != after).any(3).any(0)
    assert moved.tolist() == [[False] * 5, [False, False, False, True, True]]


def test_a_token_depends_on_the_whole_context():
    model = arc(1)
    for token in range(TOKENS):
        other = linear()
        other[:, token] += 1
        moved = model.generate(other, tokens=1)[0] - other[:, None, :1]
        assert not torch.allclose(moved, model.generate(linear(), tokens=1)[0] - linear()[:, None, :1], atol=1e-4)


def test_context_is_read_once_and_each_token_costs_one_step(monkeypatch):
    model, positions = arc(2, layers=1), []
    project = model.blocks[0].project

    def counting(stream):
        positions.append(stream.shape[1])
        return project(stream)

    monkeypatch.setattr(model.blocks[0], "project", counting)
    model.generate(linear(), tokens=3)
    assert positions == [TOKENS, 2, 2, 2]
    positions.clear()
    model.generate(linear(), tokens=1)
    assert positions == [TOKENS, 2]


def test_fewer_open_tokens_than_tokens():
    model = arc(2, open_tokens=2)
    made = model.generate(linear(), tokens=2)[0]
    torch.testing.assert_close(model.parallel(linear(), made)[0], made, atol=1e-5, rtol=0)
    assert made.shape == (4, 2, 2, WIDTH)
