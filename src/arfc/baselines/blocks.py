"""Reading input block by block, shared by all baselines."""
# N rows, n rows of a block or sample, D feature dims, K stored columns

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from arfc.errors import ShapeError, SizeError
from arfc.io import Features, open_features
from arfc.shapes import Array, Float32, Shaped


def compressed_rows(
    x: object,
    *,
    width: int,
    out_width: int,
    dtype: npt.DTypeLike,
    compress: Callable[[Float32[Array, "n D"]], Shaped[Array, "n K"]],
) -> Shaped[Array, "N {out_width}"]:
    """Validate the input and compress it block by block.

    Raises: ShapeError when the input is not `width` wide; whatever `open_features` and `Features.validate` raise.
    """
    features = open_features(x)
    if features.width != width:
        raise ShapeError(
            f"features must have shape (N, {width}), got ({features.rows}, {features.width}); "
            "was this fitted on another encoder?"
        )
    features.validate()
    packed_NK = np.empty((features.rows, out_width), dtype=dtype)
    for start, block_nD in features.chunks():
        packed_NK[start : start + len(block_nD)] = compress(block_nD)
    return packed_NK


def sample_rows(features: Features, *, most: int, seed: int) -> Float32[Array, "n D"]:
    """Return all rows when there are at most `most`, else so many drawn at random over the whole input."""
    count = min(features.rows, most)
    chosen = np.sort(np.random.default_rng(seed).choice(features.rows, size=count, replace=False))
    return features.take(chosen)


def check_only_size(bytes_per_vector: int, *, fitted: int) -> None:
    """Refuse every size but the one that a code was fitted for.

    Raises: SizeError.
    """
    if bytes_per_vector != fitted:
        raise SizeError(f"bytes must be {fitted}, the size this was fitted for, got {bytes_per_vector}; fit another")


def check_width(small_NK: Array, *, most: int) -> None:
    """Refuse what cannot be a prefix of a compressed vector of `most` dims.

    Raises: ShapeError.
    """
    if small_NK.ndim != 2 or not 1 <= small_NK.shape[1] <= most:
        raise ShapeError(f"compressed vectors must have shape (N, 1..{most}), got {small_NK.shape}; are these others?")
