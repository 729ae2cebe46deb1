"""The arrays that a codec is stored as: what a loader asks of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from arfc.errors import ModelFileError
from arfc.shapes import Array


def taken(arrays: Mapping[str, Array], names: Sequence[str]) -> list[Array]:
    """Return the arrays of these names.

    Raises: ModelFileError when one is missing.
    """
    missing = [name for name in names if name not in arrays]
    if missing:
        raise ModelFileError(f"codec must hold the arrays {list(names)}, {missing} is missing; is the file whole?")
    return [np.asarray(arrays[name]) for name in names]


def check_floats(array: Array, *, name: str, shape: tuple[int, ...]) -> None:
    """Refuse anything but finite float32 of that shape.

    Raises: ModelFileError.
    """
    if array.shape != shape or array.dtype != np.float32 or not np.isfinite(array).all():
        raise ModelFileError(
            f"codec {name} must be finite float32 of shape {shape}, got {array.dtype} of shape {array.shape}; "
            "is the file whole?"
        )
