"""One transformer block that serves the context and the generated tokens alike."""
# B batch, L query positions, P past positions, H heads, E channels per head, C channels

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from arfc.shapes import Bool, Float, Tensor

KeysValues = tuple[Tensor, Tensor]
"""Keys and values, (B, H, positions, E) each."""


class Block(nn.Module):
    """Attend, then think: pre-norm attention and a GELU network, both added to the stream.

    Attention is written out: at a few dozen positions the fused kernel's backward pass takes 2.5 times as long on CPU.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention = nn.RMSNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels, bias=False)
        self.mix = nn.Linear(channels, channels, bias=False)
        self.norm_mlp = nn.RMSNorm(channels)
        self.up = nn.Linear(channels, 4 * channels)
        self.down = nn.Linear(4 * channels, channels)

    def project(self, stream_BLC: Float[Tensor, "B L C"]) -> tuple[Tensor, KeysValues]:
        """Return queries (B, H, L, E) and the keys and values of these positions."""
        rows, length, channels = stream_BLC.shape
        qkv = self.qkv(self.norm_attention(stream_BLC)).view(rows, length, 3, self.heads, channels // self.heads)
        queries, keys, values = qkv.permute(2, 0, 3, 1, 4)
        return queries, (keys, values)

    def finish(
        self, stream_BLC: Float[Tensor, "B L C"], mixed_BHLE: Float[Tensor, "B H L E"]
    ) -> Float[Tensor, "B L C"]:
        """Add the attention's result and the network's to the stream."""
        stream_BLC = stream_BLC + self.mix(mixed_BHLE.transpose(1, 2).flatten(2))
        hidden = functional.gelu(self.up(self.norm_mlp(stream_BLC)), approximate="tanh")
        return stream_BLC + self.down(hidden)


def attend(
    queries_BHLE: Float[Tensor, "B H L E"], past: list[KeysValues], masked_LP: Bool[Tensor, "L P"] | None
) -> Float[Tensor, "B H L E"]:
    """Mix the values of all past positions, weighted by softmax(q k / sqrt(E)).

    `masked_LP` marks the positions that a query must not see; None shows all of them.
    """
    scale = queries_BHLE.shape[-1] ** -0.5
    keys = torch.cat([k for k, _ in past], 2) if len(past) > 1 else past[0][0]
    values = torch.cat([v for _, v in past], 2) if len(past) > 1 else past[0][1]
    scores = (queries_BHLE * scale) @ keys.transpose(2, 3)
    if masked_LP is not None:
        scores = scores.masked_fill(masked_LP, -torch.inf)
    return scores.softmax(-1) @ values
