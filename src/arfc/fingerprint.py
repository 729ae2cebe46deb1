"""Fingerprints of the rows a fit has seen, so that an evaluation can leave them and their near copies out."""
# N rows, D feature dims, P planes

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arfc.errors import ModelFileError

PLANES = 128
"""Bits per fingerprint. Rows at cosine 0.9995 (centred) differ in 1.3 bits on average, at 0.99 in 5.8, at 0.9 in 18."""
NEAR_BITS = 2
"""Rows whose fingerprints differ in at most this many bits count as the same row: about 86 in 100 of those at cosine
0.9995, 72 at 0.999, 22 at 0.995. More bits would take rows that are only near."""


@dataclass(frozen=True, kw_only=True)
class SeenRows:
    """Sign-bit fingerprints (N, 16) uint8 of unit rows, with the mean (D,) that is taken away before the signs.

    Source: random hyperplane hashing (Charikar, 2002). Planes come from a seeded generator and are not stored.
    """

    mean: np.ndarray
    bits: np.ndarray

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], *, width: int) -> SeenRows:
        """Build from stored arrays.

        Raises: ModelFileError when they are no fingerprints of rows of this width.
        """
        seen = cls(**arrays)
        fit = seen.bits.ndim == 2 and seen.bits.shape[1] == PLANES // 8 and seen.bits.dtype == np.uint8
        fit = fit and seen.mean.shape == (width,) and seen.mean.dtype == np.float32
        if not fit or not np.isfinite(seen.mean).all():
            raise ModelFileError(
                f"seen.mean must be finite float32 ({width},) and seen.bits uint8 (N, {PLANES // 8}), got "
                f"{seen.mean.dtype} {seen.mean.shape} and {seen.bits.dtype} {seen.bits.shape}; copy the folder again"
            )
        return seen

    @classmethod
    def of(cls, unit_ND: np.ndarray) -> SeenRows:
        """Fingerprint all rows the fit has used, whatever for."""
        mean = unit_ND.mean(0, dtype=np.float64).astype(np.float32)
        return cls(mean=mean, bits=_sign_bits(unit_ND, mean))

    def contains(self, unit_ND: np.ndarray, *, block_rows: int = 8) -> np.ndarray:
        """Return a bool per row: seen, or nearly the same as a seen one.

        Few rows per block, so that a block's distances to all seen rows stay in the cache.
        """
        bits = _sign_bits(unit_ND, self.mean)
        same = {row.tobytes() for row in self.bits}
        found = np.fromiter((row.tobytes() in same for row in bits), dtype=bool, count=len(bits))
        others = np.flatnonzero(~found)  # Most rows of the fit's own file are known by now.
        words, seen = bits[others].view(np.uint64), np.ascontiguousarray(self.bits).view(np.uint64)
        for start in range(0, len(others), block_rows):
            block = words[start : start + block_rows]
            apart = sum(np.bitwise_count(block[:, None, i] ^ seen[None, :, i]) for i in range(words.shape[1]))
            found[others[start : start + block_rows]] = (np.asarray(apart) <= NEAR_BITS).any(1)
        return found


def _sign_bits(unit_ND: np.ndarray, mean_D: np.ndarray) -> np.ndarray:
    planes_DP = np.random.default_rng(0).standard_normal((len(mean_D), PLANES), dtype=np.float32)
    return np.packbits((unit_ND - mean_D) @ planes_DP > 0, axis=1)
