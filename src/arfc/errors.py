"""The closed list of errors that arfc raises for a user's mistake.

Each type also inherits the built-in one that a caller would catch. A message is one line, lower case, without a full
stop: what must hold, what came, what to try.
"""

from collections.abc import Sequence


class ArfcError(Exception):
    """Base of every error that arfc raises on purpose; `str(error)` is the one-line message."""


class ShapeError(ArfcError, ValueError):
    """Wrong number of axes, wrong width, or two inputs whose rows do not match."""


class DtypeError(ArfcError, TypeError):
    """Values of a type that is not accepted, such as integers where floats are needed."""


class RowError(ArfcError, ValueError):
    """Rows that cannot be used: NaN, Inf, all zero, too few, or row numbers outside the input."""


class SizeError(ArfcError, ValueError):
    """A number of dims, a ratio, a number of bytes or a count of neighbours out of range."""


class InputError(ArfcError, OSError):
    """An input file that is missing, unreadable, truncated, or not of a known format."""


class OutputError(ArfcError, OSError):
    """An output that exists already, cannot be written, or does not fit on the disk."""


class ModelFileError(ArfcError, ValueError):
    """A model folder that is incomplete, damaged, or of an unknown version."""


class MissingExtraError(ArfcError, ImportError):
    """An optional package is needed and not installed."""


class ConfigError(ArfcError, ValueError):
    """A setting out of its range, or settings that contradict each other."""


def count_rows(rows: Sequence[int], count: int) -> str:
    """Say how many rows and which come first, for a message: `3 rows (rows 1, 5, 9)`.

    `rows` holds the first row numbers; `count` may be larger than their number.
    """
    numbers = ", ".join(str(int(row)) for row in rows)
    if count == 1:
        return f"1 row (row {numbers})"
    return f"{count} rows (rows {numbers}{', ...' if count > len(rows) else ''})"
