"""ARC, the arbitrary ratio compressor: tokens one after another, each from the feature and the tokens before it."""
# B batch, T tokens, W token width, S solutions, C channels, n tokens generated so far or at once

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from arfc.model.block import Block, KeysValues, attend
from arfc.model.steady import widen
from arfc.shapes import Bool, Float, Tensor


class Arc(nn.Module):
    """Predict S solutions of compressed tokens as corrections of the linear coordinates.

    Context: the T tokens of the linear coordinates, seen both ways. Token t of a solution is the linear token t plus a
    correction read from the transformer, whose input at step t is that solution's token t-1 as stored. The last layer
    starts at zero, so an untrained ARC *is* the linear map.

    Source: arXiv 2602.11494, the ARC part; token width, sizes and the start at the linear map are our choice.
    """

    def __init__(
        self, *, tokens: int, token_width: int, open_tokens: int, channels: int, layers: int, heads: int, solutions: int
    ):
        super().__init__()
        self.solutions = solutions
        self.open_tokens = open_tokens
        self.embed_context = nn.Parameter(torch.randn(tokens, token_width, channels) * token_width**-0.5)
        self.place_context = nn.Parameter(torch.randn(tokens, channels) * 0.02)
        self.embed_feature = nn.Parameter(
            torch.randn(open_tokens, tokens * token_width, channels) * (tokens * token_width) ** -0.5
        )
        self.embed_token = nn.Parameter(torch.randn(open_tokens, token_width, channels) * token_width**-0.5)
        self.place_token = nn.Parameter(torch.randn(open_tokens, channels) * 0.02)
        self.start = nn.Parameter(torch.randn(solutions, channels))
        self.blocks = cast(list[Block], nn.ModuleList(Block(channels, heads) for _ in range(layers)))
        self.norm = nn.RMSNorm(channels)
        self.head = nn.Parameter(torch.zeros(open_tokens, channels, token_width))

    def read(self, linear_BTW: Float[Tensor, "B T W"]) -> list[KeysValues]:
        """Return every layer's keys and values of the context; computed once, shared by all solutions and steps."""
        stream = torch.einsum("btw,twc->btc", linear_BTW, self.embed_context) + self.place_context
        context = []
        for index, block in enumerate(self.blocks):
            queries, keys_values = block.project(stream)
            context.append(keys_values)
            if index + 1 < len(self.blocks):  # the last layer's own stream is never read
                stream = block.finish(stream, attend(queries, [keys_values], None))
        return context

    def generate(
        self, linear_BTW: Float[Tensor, "B T W"], *, tokens: int, solutions: int | None = None
    ) -> tuple[Float[Tensor, "B S n W"], Float[Tensor, "B S n C"]]:
        """Make `tokens` tokens of the first `solutions` solutions (all) step by step with a key-value cache.

        Returns them and the states they were read from. No solution sees another one, so fewer are the first of more.
        """
        solutions = solutions or self.solutions
        context = self.read(linear_BTW)
        cache: list[list[KeysValues]] = [[] for _ in self.blocks]
        made: list[Tensor] = []
        states: list[Tensor] = []
        for step in range(tokens):
            previous = made[-1][:, :, None] if made else None
            stream = self._inputs(linear_BTW, previous, first=step, solutions=solutions)
            masked = self._masked(queries_from=step, queries=1, context=linear_BTW.shape[1], solutions=solutions)
            state_BS1C = self._think(stream, context, cache, masked, solutions=solutions)
            made.append(self._emit(linear_BTW, state_BS1C, first=step)[:, :, 0])
            states.append(state_BS1C)
        return torch.stack(made, 2), torch.cat(states, 2)

    def parallel(
        self, linear_BTW: Float[Tensor, "B T W"], fed_BSnW: Float[Tensor, "B S n W"]
    ) -> tuple[Float[Tensor, "B S n W"], Float[Tensor, "B S n C"]]:
        """Make n tokens in one pass, their inputs given: fed what `generate` made, it returns that (training form)."""
        context = self.read(linear_BTW)
        solutions, tokens = fed_BSnW.shape[1:3]
        stream = self._inputs(linear_BTW, None, first=0, solutions=solutions)
        if tokens > 1:
            rest = self._inputs(linear_BTW, fed_BSnW[:, :, :-1], first=1, solutions=solutions)
            stream = torch.cat([stream, rest], 1)
        masked = self._masked(queries_from=0, queries=tokens, context=linear_BTW.shape[1], solutions=solutions)
        states = self._think(stream, context, [[] for _ in self.blocks], masked, solutions=solutions)
        return self._emit(linear_BTW, states, first=0), states

    def _inputs(
        self, linear_BTW: Tensor, fed_BSnW: Float[Tensor, "B S n W"] | None, *, first: int, solutions: int
    ) -> Float[Tensor, "B nS C"]:
        """Embed the inputs of steps first, first+1, ...; without tokens before it, this is the first step alone."""
        count = 1 if fed_BSnW is None else fed_BSnW.shape[2]
        steps = slice(first, first + count)
        seen_BnC = torch.einsum("bd,ndc->bnc", linear_BTW.flatten(1), self.embed_feature[steps])
        inputs_BnSC = (seen_BnC + self.place_token[steps])[:, :, None] + self.start[:solutions]
        if fed_BSnW is not None:
            before = slice(first - 1, first - 1 + count)
            inputs_BnSC = inputs_BnSC + torch.einsum("bsnw,nwc->bnsc", fed_BSnW, self.embed_token[before])
        return inputs_BnSC.flatten(1, 2)

    def _masked(self, *, queries_from: int, queries: int, context: int, solutions: int) -> Bool[Tensor, "q p"]:
        """A query sees the whole context, and of the tokens its own solution's up to its own step."""
        place = torch.arange((queries_from + queries) * solutions, device=self.start.device)
        step, solution = place // solutions, place % solutions
        mine = slice(queries_from * solutions, None)
        masked = (solution[mine, None] != solution) | (step[mine, None] < step)
        return torch.nn.functional.pad(masked, (context, 0), value=False)

    def _think(
        self,
        stream: Tensor,
        context: list[KeysValues],
        cache: list[list[KeysValues]],
        masked: Tensor,
        *,
        solutions: int,
    ) -> Float[Tensor, "B S n C"]:
        for block, seen, past in zip(self.blocks, context, cache, strict=True):
            queries, keys_values = block.project(stream)
            past.append(keys_values)
            stream = block.finish(stream, attend(queries, [seen, *past], masked))
        return self.norm(stream).unflatten(1, (-1, solutions)).transpose(1, 2)

    def _emit(self, linear_BTW: Tensor, state_BSnC: Tensor, *, first: int) -> Float[Tensor, "B S n W"]:
        count = state_BSnC.shape[2]
        correction = torch.einsum("bsnc,ncw->bsnw", state_BSnC, widen(self.head[first : first + count]))
        return linear_BTW[:, None, first : first + count] + correction[..., : linear_BTW.shape[2]].float()
