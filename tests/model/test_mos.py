"""MoS refines the solutions into one, causally, and starts as the first of them."""

import math

import numpy as np
import pytest
import torch

from arfc.model.mos import Mos

SOLUTIONS, TOKENS, WIDTH, CHANNELS = 3, 4, 2, 8


def mos(*, head=0.5):
    torch.manual_seed(0)
    made = Mos(open_tokens=TOKENS, token_width=WIDTH, channels=CHANNELS, heads=2)
    torch.nn.init.normal_(made.head, std=head) if head else None
    return made.requires_grad_(False)


def inputs(solutions=SOLUTIONS):
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(5, solutions, TOKENS, WIDTH, generator=generator),
        torch.randn(5, solutions, TOKENS, CHANNELS, generator=generator),
    )


def test_starts_as_the_first_solution():
    solutions, states = inputs()
    assert torch.equal(mos(head=0).refine(solutions, states), solutions[:, 0])


@pytest.mark.parametrize("tokens", [1, 2, 3])
def test_few_tokens_are_bitwise_the_head_of_many(tokens):
    solutions, states = inputs()
    whole = mos().refine(solutions, states)
    assert torch.equal(mos().refine(solutions[:, :, :tokens], states[:, :, :tokens]), whole[:, :tokens])


@pytest.mark.parametrize("solution", range(SOLUTIONS))
@pytest.mark.parametrize("token", range(TOKENS))
def test_every_solution_counts_from_its_token_on(solution, token):
    solutions, states = inputs()
    before = mos().refine(solutions, states)
    states[:, solution, token] += torch.linspace(-1, 1, CHANNELS)
    moved = (mos().refine(solutions, states) != before).any(2).any(0)
    assert moved.tolist() == [step >= token for step in range(TOKENS)]


def test_equals_a_slow_reference():
    model = mos()
    weights = {name: p.double().numpy() for name, p in model.named_parameters()}
    solutions, states = (t[0].double().numpy() for t in inputs())
    result = model.refine(*inputs())[0].numpy()
    for step in range(TOKENS):
        question = states[0, step] + weights["compression_tokens"][step]
        asked = (weights["ask.weight"] @ question).reshape(2, -1)
        mixed = np.zeros((2, CHANNELS // 2))
        for head in range(2):
            seen = [states[s, t] for t in range(step + 1) for s in range(SOLUTIONS)]
            answers = [(weights["answer.weight"] @ state).reshape(2, 2, -1)[head] for state in seen]
            scores = np.exp([asked[head] @ key / math.sqrt(CHANNELS // 2) for key, _ in answers])
            mixed[head] = sum(score * value for score, (_, value) in zip(scores / scores.sum(), answers, strict=True))
        stream = question + mixed.ravel()
        normed = stream / np.sqrt((stream**2).mean() + np.finfo(np.float32).eps) * weights["norm.weight"]
        hidden = weights["up.weight"] @ normed + weights["up.bias"]
        hidden = 0.5 * hidden * (1 + np.tanh(math.sqrt(2 / math.pi) * (hidden + 0.044715 * hidden**3)))
        stream = stream + weights["down.weight"] @ hidden + weights["down.bias"]
        np.testing.assert_allclose(result[step], solutions[0, step] + stream @ weights["head"][step], atol=1e-5)
