"""Choosing a setting by recall on rows that were kept apart."""
# N rows, n rows of the fit, D dims, Q queries, R rows to search, K neighbours, M coordinates compared

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from arfc.baselines.quantised import RowCodec
from arfc.errors import RowError
from arfc.scores import cosine_scores, recall_at_k, top_k
from arfc.shapes import Array, Float32, Int64

C = TypeVar("C", bound=RowCodec)

_LEAST_ROWS = 50
_QUERIES = 200
_ROWS = 2_000
_NEIGHBOURS = 10


@dataclass(frozen=True, eq=False, kw_only=True)
class HeldOut:
    """Queries, rows to search, and which rows are truly nearest."""

    queries: Float32[Array, "Q D"]
    """Ask."""
    rows: Float32[Array, "R D"]
    """Answer, once they are compressed."""
    nearest: Int64[Array, "Q K"]
    """Places of the nearest rows."""

    @classmethod
    def split(cls, rows_ND: Float32[Array, "N D"], *, seed: int) -> tuple[Float32[Array, "n D"], HeldOut]:
        """Return the rows to fit on, and a random fifth of the rows, at most 2,200, held out.

        Raises: RowError when there are fewer than 50.
        """
        if len(rows_ND) < _LEAST_ROWS:
            raise RowError(f"features must have at least {_LEAST_ROWS} rows, got {len(rows_ND)}; add more vectors")
        rows_ND = np.random.default_rng(seed).permutation(rows_ND)
        held = min(_QUERIES + _ROWS, len(rows_ND) // 5)
        asks = min(_QUERIES, held // 2)
        queries_QD, answers_RD = rows_ND[:asks], rows_ND[asks:held]
        k = min(_NEIGHBOURS, len(answers_RD))
        nearest_QK, _ = top_k(cosine_scores(queries_QD, answers_RD), k)
        return rows_ND[held:], cls(queries=queries_QD, rows=answers_RD, nearest=nearest_QK)

    def best(self, codecs: Iterable[C], *, ask: Callable[[C, Float32[Array, "Q D"]], Float32[Array, "Q M"]]) -> C:
        """Return the codec whose codes find most neighbours, the first of equals; `ask` makes its queries of rows."""

        def recall(codec: C) -> float:
            packed_RB = codec.encode(self.rows, bytes_per_vector=codec.largest_bytes)
            return self.recall(ask(codec, self.queries), codec.decode(packed_RB))

        return max(codecs, key=recall)

    def recall(self, asked_QM: Float32[Array, "Q M"], stored_RM: Float32[Array, "R M"]) -> float:
        """Return the share of the true neighbours that the compressed queries and rows find."""
        found_QK, _ = top_k(cosine_scores(asked_QM, stored_RM), self.nearest.shape[1])
        return float(np.mean(recall_at_k(self.nearest, found_QK)))
