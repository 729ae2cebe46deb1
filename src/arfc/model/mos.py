"""MoS, mixture of solutions: several compressions of one feature refined into one, causally along the tokens."""
# B batch, S solutions, W token width, C channels, n tokens, H heads, E channels per head

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from arfc.model.block import KeysValues, attend
from arfc.model.steady import product
from arfc.shapes import Float, Tensor


class Mos(nn.Module):
    """Refine the solutions token by token: a learnable compression token per step asks all solutions up to that step.

    The refined token is the first solution's plus what the question brought; it starts as the first solution. A token
    never asks later steps, so the prefix property holds with MoS on.

    Source: arXiv 2602.11494, the MoS part (cross-solution attention, learnable compression tokens); causality, depth
    and the start at solution 1 are our choice.
    """

    def __init__(self, *, open_tokens: int, token_width: int, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.compression_tokens = nn.Parameter(torch.randn(open_tokens, channels) * 0.02)
        self.ask = nn.Linear(channels, channels, bias=False)
        self.answer = nn.Linear(channels, 2 * channels, bias=False)
        self.norm = nn.RMSNorm(channels)
        self.up = nn.Linear(channels, 2 * channels)
        self.down = nn.Linear(2 * channels, channels)
        self.head = nn.Parameter(torch.zeros(open_tokens, channels, token_width))

    def refine(
        self, solutions_BSnW: Float[Tensor, "B S n W"], states_BSnC: Float[Tensor, "B S n C"]
    ) -> Float[Tensor, "B n W"]:
        """Return one token sequence from S; one step at a time, so that n tokens are bitwise the head of more."""
        past: list[KeysValues] = []
        refined = []
        for step in range(states_BSnC.shape[2]):
            state_BSC = states_BSnC[:, :, step]
            keys, values = self._split(self.answer(state_BSC)).chunk(2, -1)
            past.append((keys, values))
            question_B1C = (state_BSC[:, 0] + self.compression_tokens[step])[:, None]
            mixed = attend(self._split(self.ask(question_B1C)), past, None).transpose(1, 2).flatten(2)
            stream_BC = (question_B1C + mixed)[:, 0]
            stream_BC = stream_BC + self.down(functional.gelu(self.up(self.norm(stream_BC)), approximate="tanh"))
            refined.append(solutions_BSnW[:, 0, step] + product(stream_BC, self.head[step]).float())
        return torch.stack(refined, 1)

    def _split(self, stream_BSC: Tensor) -> Float[Tensor, "B H S E"]:
        return stream_BSC.unflatten(-1, (self.heads, -1)).transpose(1, 2)
