"""Sizes of a compressed vector and lengths of time: parse, check, and list the usual ones.

A ratio is original bytes / stored bytes, so larger is smaller.
"""

import math
import re
from numbers import Integral, Real

from arfc.errors import ConfigError, SizeError

# Floor of width / ratio must give k back for ratio = width / k, whose quotient may fall just below k.
ROUNDING = 1e-9

FLOAT_BYTES = 4
"""Bytes of one float32 dim."""
SECONDS_PER_UNIT = {"h": 3600.0, "m": 60.0, "s": 1.0}
NUMBER = r"\d+(?:\.\d*)?|\.\d+"
DURATION = re.compile(rf"(?:(?P<h>{NUMBER})h)?(?:(?P<m>{NUMBER})m)?(?:(?P<s>{NUMBER})s?)?")


def resolve_dims(width: int, *, dims: object = None, ratio: object = None) -> int:
    """Turn `dims` or `ratio`, of which exactly one must be given, into a number of dims.

    Raises: SizeError when both or neither is given, when dims is no integer in 1..width, when ratio is no finite number
    >= 1, or when it leaves no dim.
    """
    if (dims is None) == (ratio is None):
        given = "neither" if dims is None else "both"
        raise SizeError(f"exactly one of dims and ratio must be given, got {given}; try dims={max(1, width // 4)}")
    if ratio is None:
        return _checked_count(dims, name="dims", largest=width)
    if isinstance(ratio, bool) or not isinstance(ratio, Real):
        raise SizeError(f"ratio must be a number, got {ratio!r} of type {type(ratio).__name__}; try ratio=4")
    try:
        ratio = float(ratio)
    except OverflowError:
        ratio = math.inf
    if not math.isfinite(ratio) or ratio < 1:
        raise SizeError(f"ratio must be finite and at least 1, got {ratio:g}; ratio is original size / stored size")
    kept = math.floor(width / ratio + ROUNDING)
    if kept == 0:
        raise SizeError(f"ratio must leave at least one of {width} dims, got {ratio:g}; try ratio={width} or less")
    return kept


def check_one_size(width: int, **sizes: object) -> None:
    """Refuse anything but exactly one of `dims`, `ratio` and `bytes`; those that are None are not given.

    Raises: SizeError.
    """
    given = [name for name, size in sizes.items() if size is not None]
    if len(given) != 1:
        cure = "drop one of them" if given else f"try dims={max(1, width // 4)}"
        got = " and ".join(given) or "none"
        raise SizeError(f"exactly one of dims, ratio and bytes must be given, got {got}; {cure}")


def check_bytes(bytes_per_vector: object, *, largest: int) -> int:
    """Return a number of bytes per stored vector once it is known to be in 1..largest.

    Raises: SizeError otherwise.
    """
    return _checked_count(bytes_per_vector, name="bytes", largest=largest)


def _checked_count(value: object, *, name: str, largest: int) -> int:
    # bool is an Integral, yet dims=True is a slip of the pen.
    if isinstance(value, bool) or not isinstance(value, Integral):
        kind = type(value).__name__
        raise SizeError(f"{name} must be an integer, got {value!r} of type {kind}; try {name}={largest}")
    count = int(value)
    if not 1 <= count <= largest:
        raise SizeError(f"{name} must be between 1 and {largest}, got {count}; try {name}={largest} or fewer")
    return count


def float_ladder(width: int) -> tuple[int, ...]:
    """Numbers of dims at which quality is measured: 8, 16, 32, 48, 64, 96, 128, ... below `width`, then `width`."""
    sizes = [8, 16, 32]
    while sizes[-1] < width:
        sizes += [sizes[-1] * 3 // 2, sizes[-1] * 2]
    return (*(size for size in sizes if size < width), width)


def byte_ladder(width: int, largest: int) -> tuple[int, ...]:
    """Bytes per vector at which quality is measured: 8, 16, 32, 48, 64, 96, then doubling, up to the codec's `largest`.

    Sizes above 4 * width are left out, as float32 itself takes no more. Where even 8 is too many, `largest` is the only
    size.
    """
    sizes = [8, 16, 32, 48, 64, 96]
    while sizes[-1] < largest:
        sizes.append(sizes[-1] * 2)
    return tuple(size for size in sizes if size <= min(largest, 4 * width)) or (largest,)


def parse_duration(value: object) -> float:
    """Turn `90s`, `5m`, `1h30m`, `2.5m` or a number of seconds into seconds.

    Raises: ConfigError when it cannot be read, is not finite, or is not above zero.
    """
    if isinstance(value, Real) and not isinstance(value, bool):
        seconds = float(value)
    else:
        text = value.strip().lower() if isinstance(value, str) else ""
        match = DURATION.fullmatch(text)
        if not text or match is None:
            raise ConfigError(f"a duration must look like 90s, 5m or 1h30m, got {value!r}; try 5m")
        seconds = sum(float(n) * SECONDS_PER_UNIT[unit] for unit, n in match.groupdict().items() if n)
    if not math.isfinite(seconds) or seconds <= 0:
        raise ConfigError(f"a duration must be finite and above zero, got {value!r}; try 5m")
    return seconds
