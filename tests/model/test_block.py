"""Attention and the block equal slow references."""

import math

import numpy as np
import torch

from arfc.model.block import Block, attend

RNG = np.random.default_rng(0)


def random(*shape):
    return torch.from_numpy(RNG.standard_normal(shape).astype(np.float32))


def slow_attend(queries, keys, values, masked):
    """(H, L, E), (H, P, E), (H, P, E), (L, P): the definition, one weight at a time."""
    result = np.zeros(queries.shape)
    for head in range(len(queries)):
        for at, query in enumerate(queries[head]):
            seen = [p for p in range(len(keys[head])) if not masked[at, p]]
            weights = [math.exp(sum(query * keys[head, p]) / math.sqrt(len(query))) for p in seen]
            for weight, p in zip(weights, seen, strict=True):
                result[head, at] += weight / sum(weights) * values[head, p]
    return result


def test_attend_equals_its_definition():
    queries, keys, values = random(2, 3, 4, 5), random(2, 3, 6, 5), random(2, 3, 6, 5)
    masked = torch.tensor(RNG.random((4, 6)) < 0.4)
    masked[:, 0] = False
    result = attend(queries, [(keys[:, :, :2], values[:, :, :2]), (keys[:, :, 2:], values[:, :, 2:])], masked)
    for row in range(2):
        expected = slow_attend(*(t[row].double().numpy() for t in (queries, keys, values)), masked.numpy())
        np.testing.assert_allclose(result[row], expected, atol=1e-5)


def test_no_mask_shows_everything():
    queries, keys, values = random(2, 3, 4, 5), random(2, 3, 6, 5), random(2, 3, 6, 5)
    shown = attend(queries, [(keys, values)], torch.zeros(4, 6, dtype=torch.bool))
    assert torch.equal(attend(queries, [(keys, values)], None), shown)


def test_what_is_masked_has_no_influence():
    queries, keys, values = random(1, 2, 3, 4), random(1, 2, 5, 4), random(1, 2, 5, 4)
    masked = torch.zeros(3, 5, dtype=torch.bool)
    masked[1, 2:] = True
    before = attend(queries, [(keys, values)], masked)
    keys[:, :, 3], values[:, :, 3] = 7.0, 100.0
    after = attend(queries, [(keys, values)], masked)
    assert torch.equal(before[:, :, 1], after[:, :, 1])
    assert not torch.allclose(before[:, :, 0], after[:, :, 0])


def rms_norm(x, weight):
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + np.finfo(np.float32).eps) * weight


def gelu(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def test_block_equals_a_slow_reference():
    torch.manual_seed(0)
    block = Block(8, 2)
    torch.nn.init.normal_(block.norm_attention.weight)
    torch.nn.init.normal_(block.norm_mlp.weight)
    weights = {name: p.detach().double().numpy() for name, p in block.named_parameters()}
    stream = random(1, 5, 8)
    queries, keys_values = block.project(stream)
    result = block.finish(stream, attend(queries, [keys_values], None))[0].detach().numpy()

    x = stream[0].double().numpy()
    qkv = rms_norm(x, weights["norm_attention.weight"]) @ weights["qkv.weight"].T
    heads = [part.reshape(5, 2, 4).transpose(1, 0, 2) for part in np.split(qkv, 3, axis=1)]
    mixed = slow_attend(*heads, np.zeros((5, 5), dtype=bool)).transpose(1, 0, 2).reshape(5, 8)
    x = x + mixed @ weights["mix.weight"].T
    hidden = gelu(rms_norm(x, weights["norm_mlp.weight"]) @ weights["up.weight"].T + weights["up.bias"])
    np.testing.assert_allclose(result, x + hidden @ weights["down.weight"].T + weights["down.bias"], atol=1e-5)
