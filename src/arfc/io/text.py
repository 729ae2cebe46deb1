"""Text files with one entry per line."""

from pathlib import Path

from arfc.errors import InputError
from arfc.io.npy import readable_file


def read_lines(path: Path, *, name: str) -> list[str]:
    """Return the lines of a UTF-8 file, with or without a byte order mark.

    A line ends where an editor counts one: at a newline, and not at the other characters that Unicode calls separators,
    which stand in texts.

    Raises: InputError when it is missing, not readable, or no UTF-8.
    """
    try:
        lines = readable_file(path, name=name).read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise InputError(f"{name} must be UTF-8 text, got other bytes in {path}; save it as UTF-8") from None
    return lines if lines[-1] else lines[:-1]
