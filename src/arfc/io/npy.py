"""Map a `.npy` file into memory after its header has been held against its size."""

import math
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np

from arfc.errors import DtypeError, InputError
from arfc.shapes import Array, Shaped


def readable_file(path: Path, *, name: str) -> Path:
    """Return `path` once it is known to be a file that can be opened.

    Raises: InputError when it is missing, a folder, not readable, or its path holds a null byte.
    """
    try:
        with path.open("rb"):
            return path
    except FileNotFoundError:
        raise InputError(f"{name} must be an existing file, got {path}; is the path spelled right") from None
    except IsADirectoryError:
        raise InputError(f"{name} must be a file, got the folder {path}; name a file in it") from None
    except ValueError as error:
        raise InputError(f"{name} must be an existing file, got {str(path)!r} ({error}); correct the path") from None
    except OSError as error:
        raise InputError(f"{name} must be readable, got {error.strerror} for {path}; check its permissions") from error


def map_npy(path: Path, *, name: str) -> Shaped[Array, "..."]:
    """Return the array in `path`, mapped read-only; one without any value comes back as an ordinary empty array.

    Raises: InputError when the file is missing, no `.npy` file, or longer or shorter than its header says; DtypeError
    when it holds Python objects.
    """
    shape, fortran_order, dtype, offset_bytes = _read_header(readable_file(path, name=name), name=name)
    if dtype.hasobject:
        raise DtypeError(f"{name} must hold numbers, got Python objects in {path}; save them as a float32 array")
    expected_bytes = offset_bytes + math.prod(shape) * dtype.itemsize
    actual_bytes = path.stat().st_size
    if actual_bytes != expected_bytes:
        raise InputError(
            f"{name} must be a whole .npy file, got {actual_bytes} bytes in {path} where its header says "
            f"{expected_bytes}; was the copy or download cut short"
        )
    order: Any = "F" if fortran_order else "C"
    if math.prod(shape) == 0:
        return np.empty(shape, dtype, order)
    return np.memmap(path, dtype=dtype, mode="r", offset=offset_bytes, shape=shape, order=order)


def _read_header(path: Path, *, name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Return shape, whether the order is Fortran's, dtype, and the byte at which the values begin."""
    with path.open("rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran_order, dtype = read(file)
        except (ValueError, EOFError, SyntaxError, UnicodeError, TokenError):
            raise InputError(
                f"{name} must be an array saved by numpy.save, got something else in {path}; "
                "save it with numpy.save(path, x)"
            ) from None
        return shape, fortran_order, dtype, file.tell()
