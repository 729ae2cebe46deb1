"""Draw rows that a model's fit has not used."""
# N rows, M sampled rows, n rows of a block, S seen rows, D feature dims

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arfc.codec.classic import ROWS
from arfc.errors import RowError
from arfc.fingerprint import SeenRows
from arfc.io import Features
from arfc.scores import unit_rows
from arfc.shapes import Array, Bool, Float32, Int64

MOST_DATABASE_ROWS = 20_000
LEAST_UNSEEN_ROWS = 100
"""Fewer rows than this say nothing."""
MOST_SEEN_ROWS = ROWS
"""Seen rows of each side that are kept: as many as the levels of KLT + bits are fitted on."""
MOST_CHECKED_ROWS = 200_000
"""Rows, drawn over the whole input, that are held against the rows the fit has used."""
ROWS_PER_CHECK = 16_384


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Unseen rows in the order of the input, some of which ask while the others answer."""

    sides: list[Float32[Array, "M D"]]
    """The features and, with pairs, their partners."""
    labels: Int64[Array, " M"] | None
    asks: Bool[Array, " M"]
    seen: Float32[Array, "S D"]
    """Rows of the input, of both sides, that the fit has used."""
    checked_rows: int
    left_out_rows: int


def draw(
    sides: list[Features], labels_N: Int64[Array, " N"] | None, seen_rows: SeenRows, *, queries: int, seed: int
) -> Sample:
    """Walk through the rows in random order until enough are found that the fit has not used.

    A pair is left out when either of its sides was used.

    Raises: RowError when too few are found.
    """
    rng = np.random.default_rng(seed)
    n_rows, wanted = sides[0].rows, queries + MOST_DATABASE_ROWS
    order_N = rng.choice(n_rows, size=min(n_rows, MOST_CHECKED_ROWS), replace=False)
    ids: list[Array] = []
    unseen: list[list[Array]] = []
    seen: list[Array] = []
    found = checked = kept_seen = 0
    for start in range(0, len(order_N), ROWS_PER_CHECK):
        ids_n = np.sort(order_N[start : start + ROWS_PER_CHECK])
        blocks = [side.take(ids_n) for side in sides]
        used_n = np.any([seen_rows.contains(unit_rows(block_nD)) for block_nD in blocks], axis=0)
        ids.append(ids_n[~used_n])
        unseen.append([block_nD[~used_n] for block_nD in blocks])
        seen += [block_nD[used_n][: MOST_SEEN_ROWS - kept_seen] for block_nD in blocks]
        kept_seen += len(seen[-1])
        found += len(ids[-1])
        checked += len(ids_n)
        if found >= wanted:
            break
    if found < LEAST_UNSEEN_ROWS:
        raise RowError(
            f"an evaluation needs at least {LEAST_UNSEEN_ROWS} rows that the fit has not used, got {found}, with "
            f"{checked - found} of {checked} rows left out as used or nearly equal to used ones; give it other rows"
        )
    ids_M = np.concatenate(ids)
    kept_M = rng.choice(found, size=min(found, wanted), replace=False)
    kept_M = kept_M[np.argsort(ids_M[kept_M])]
    asks_M = np.zeros(len(kept_M), dtype=bool)
    # Where there are few, a quarter asks: the more rows answer, the less a score depends on which they are.
    asks_M[rng.choice(len(kept_M), size=min(queries, len(kept_M) // 4), replace=False)] = True
    return Sample(
        sides=[np.concatenate(blocks)[kept_M] for blocks in zip(*unseen, strict=True)],
        labels=None if labels_N is None else labels_N[ids_M[kept_M]],
        asks=asks_M,
        seen=np.concatenate(seen),
        checked_rows=checked,
        left_out_rows=checked - found,
    )
