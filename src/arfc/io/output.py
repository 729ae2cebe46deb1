"""Write files that appear whole or not at all.

Everything goes to a temporary name in the same folder, reaches the disk, and only then takes its name. Whatever goes
wrong, Ctrl-C included, the temporary file is removed and an older file of that name is left as it was.

Letters: N rows, n rows of one block, D values per row.
"""

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from arfc.errors import ArfcError, DtypeError, OutputError, ShapeError
from arfc.io.parquet import import_pyarrow
from arfc.io.table import OtherColumns, ParquetSink
from arfc.shapes import Array, Shaped

MATRIX_SUFFIXES = (".npy", ".parquet")

# safetensors reports the operating system's errors as text: `... No space left on device (os error 28)`.
SYSTEM_ERROR = re.compile(r"\(os error (\d+)\)")

FORMAT = "arfc"
CONFIG_NAME = "config.json"
"""The file of a model folder that says `"format": "arfc"`. A folder is replaced only when it has this or nothing, so
that a slip of the pen can't delete a home folder or an encoder, which has a `config.json` of its own."""


def check_output(path: str | Path, *, overwrite: bool = False) -> None:
    """Refuse an output that could not be written at the end, before any work is done.

    Raises: OutputError when `path` exists and `overwrite` is off, or is neither a file nor a folder that arfc wrote;
    when its parent folder is missing or cannot be written to.
    """
    path = Path(path)
    parent = path.resolve().parent
    if not os.path.isdir(parent):
        raise OutputError(f"the folder of an output must exist, got {parent} for {path.name}; create it first")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(f"the folder of an output must be writable, got {parent}; check its permissions")
    with explain_write_errors(path):
        try:
            os.lstat(path)
        except FileNotFoundError:
            return
    if not overwrite:
        raise OutputError(f"an output must not exist yet, got {path}; choose another name or overwrite (--overwrite)")
    if os.path.isdir(path):
        with explain_write_errors(path):
            if any(path.iterdir()) and not _is_model(path):
                raise OutputError(
                    f'only a folder whose {CONFIG_NAME} says "format": "{FORMAT}" is overwritten, got {path}; '
                    "choose another name or remove it"
                )
    elif os.path.exists(path) and not os.path.isfile(path):
        raise OutputError(f"only a regular file is overwritten, got {path}; choose another name")


def _is_model(path: Path) -> bool:
    """Tell a model folder of any version from other folders."""
    try:
        facts = json.loads((path / CONFIG_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(facts, dict) and facts.get("format") == FORMAT


def check_matrix_output(path: str | Path, *, overwrite: bool = False) -> None:
    """Refuse, before any work is done, a path to which `matrix_writer` could not write.

    Raises: OutputError as `check_output`, and for a folder and for names that end in neither `.npy` nor `.parquet`;
    MissingExtraError for `.parquet` without pyarrow.
    """
    path = Path(path)
    if path.suffix.lower() not in MATRIX_SUFFIXES:
        raise OutputError(f"an output of vectors must end in .npy or .parquet, got {path}; add .npy to the name")
    if path.suffix.lower() == ".parquet":
        import_pyarrow()
    check_file_output(path, overwrite=overwrite)


def check_file_output(path: str | Path, *, overwrite: bool = False) -> None:
    """Refuse, before any work is done, a path to which no file could be written.

    Raises: OutputError as `check_output`, and for a folder.
    """
    if os.path.isdir(path):
        raise OutputError(f"an output must be a file, got the folder {path}; name a file in it")
    check_output(path, overwrite=overwrite)


class NpySink:
    """Header, then the values as they are.

    Plain writes and no memory map: on a full disk a write raises an error, where a map kills the process (SIGBUS).
    """

    def __init__(self, file: IO[bytes], *, rows: int, width: int, dtype: np.dtype[Any]) -> None:
        self._file = file
        descr = np.lib.format.dtype_to_descr(dtype)
        np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": (rows, width)})

    def write(self, block_nD: Shaped[Array, "n D"]) -> None:
        """Write the bytes of the block."""
        self._file.write(block_nD.data.cast("B") if block_nD.size else b"")

    def close(self) -> None:
        """Nothing stands at the end of a `.npy` file."""

    def abandon(self) -> None:
        """Nothing is held besides the file."""


class MatrixWriter:
    """Takes the rows of a matrix block by block and counts them."""

    def __init__(self, sink: NpySink | ParquetSink, *, path: Path, rows: int, width: int, dtype: np.dtype[Any]) -> None:
        self._sink = sink
        self._path = path
        self._promised_rows = rows
        self._width = width
        self._dtype = dtype
        self.rows_written = 0

    def append(self, block_nD: Shaped[Array, "..."]) -> None:
        """Write the next rows.

        Raises: ShapeError for another width, or for more rows than promised; DtypeError for another dtype; OutputError
        when the disk is full.
        """
        if block_nD.ndim != 2 or block_nD.shape[1] != self._width:
            raise ShapeError(f"a block for {self._path.name} must have shape (n, {self._width}), got {block_nD.shape}")
        if block_nD.dtype != self._dtype:
            raise DtypeError(f"a block for {self._path.name} must hold {self._dtype} values, got {block_nD.dtype}")
        total = self.rows_written + len(block_nD)
        if total > self._promised_rows:
            raise ShapeError(
                f"{self._path.name} must get {self._promised_rows} rows, got {total}; did a block come twice"
            )
        with explain_write_errors(self._path):
            self._sink.write(np.ascontiguousarray(block_nD))
        self.rows_written = total

    def finish(self) -> None:
        """Write what belongs at the end of the file.

        Raises: ShapeError when rows are missing; OutputError when the disk is full.
        """
        if self.rows_written < self._promised_rows:
            counts = f"{self._promised_rows} rows, got {self.rows_written}"
            raise ShapeError(f"{self._path.name} must get {counts}; did the input end early")
        with explain_write_errors(self._path):
            self._sink.close()


@contextmanager
def matrix_writer(
    path: str | Path,
    *,
    rows: int,
    width: int,
    dtype: npt.DTypeLike,
    overwrite: bool = False,
    beside: OtherColumns | None = None,
    made_by: str | None = None,
) -> Iterator[MatrixWriter]:
    """Write a (rows, width) matrix to a `.npy` or `.parquet` file in blocks; memory holds one block at a time.

    In a `.parquet` file the columns `beside` are kept, and the model `made_by` (its `tensors_sha256`) is noted; a
    `.npy` file has no place for either.

    Raises: OutputError when `path` cannot be written, exists and `overwrite` is off, or the disk is full;
    MissingExtraError for `.parquet` without pyarrow; ShapeError unless exactly `rows` rows arrive.
    """
    path = Path(path)
    kind = np.dtype(dtype)
    check_matrix_output(path, overwrite=overwrite)
    with _atomic_file(path, overwrite=overwrite) as file:
        sink: NpySink | ParquetSink
        if path.suffix.lower() == ".npy":
            _check_room(path, rows * width * kind.itemsize)
            with explain_write_errors(path):
                sink = NpySink(file, rows=rows, width=width, dtype=kind)
        else:
            with explain_write_errors(path):
                sink = ParquetSink(file, width=width, dtype=kind, beside=beside, made_by=made_by)
        try:
            writer = MatrixWriter(sink, path=path, rows=rows, width=width, dtype=kind)
            yield writer
            writer.finish()
        except BaseException:
            sink.abandon()
            raise


def text_writer(path: str | Path, text: str, *, overwrite: bool = False) -> None:
    """Write `text` to a file as UTF-8; what that can't hold, a file name of other bytes say, is escaped.

    Raises: OutputError as `bytes_writer`.
    """
    bytes_writer(path, text.encode("utf-8", errors="backslashreplace"), overwrite=overwrite)


def bytes_writer(path: str | Path, content: bytes, *, overwrite: bool = False) -> None:
    """Write `content` to a file.

    Raises: OutputError when `path` cannot be written, exists and `overwrite` is off, or the disk is full.
    """
    path = Path(path)
    check_file_output(path, overwrite=overwrite)
    with _atomic_file(path, overwrite=overwrite) as file, explain_write_errors(path):
        file.write(content)


def temporary_sibling(path: Path) -> Path:
    """Return an unused hidden name beside `path`, so that renaming it to `path` stays on one file system."""
    return path.with_name(f".arfc-{secrets.token_hex(8)}.tmp")


@contextmanager
def _atomic_file(path: Path, *, overwrite: bool) -> Iterator[IO[bytes]]:
    """Open a temporary file that becomes `path` when the block ends well and disappears otherwise."""
    target = path.resolve()  # A link stays a link: what it points to is replaced.
    temporary = temporary_sibling(target)
    file: IO[bytes] | None = None
    try:
        with explain_write_errors(path):
            file = temporary.open("xb")
        yield file
        with explain_write_errors(path):
            file.flush()
            os.fsync(file.fileno())
            file.close()
            check_output(target, overwrite=overwrite)  # It may have appeared in the meantime.
            os.replace(temporary, target)
            sync_folder(target.parent)
    except BaseException:
        if file is not None:
            with suppress(OSError):  # Closing flushes, which fails once more on a full disk.
                file.close()
        with suppress(OSError):
            temporary.unlink()
        raise


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` survive a power cut, where the system can do that."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def explain_write_errors(path: Path) -> Iterator[None]:
    """Turn an error of the operating system, also one that only its text tells, into an OutputError with its path."""
    try:
        yield
    except ArfcError:
        raise
    except Exception as error:
        told = SYSTEM_ERROR.search(str(error))
        if isinstance(error, OSError):
            reason = os.strerror(error.errno) if error.errno else str(error)
        elif told:
            reason = os.strerror(int(told.group(1)))
        else:
            raise
        raise OutputError(
            f"{path} could not be written, got {reason.lower()!r}; make room or choose another folder"
        ) from error


def _check_room(path: Path, needed_bytes: int) -> None:
    """Refuse a file that can't fit before hours go into its values."""
    free_bytes = shutil.disk_usage(path.resolve().parent).free
    if needed_bytes > free_bytes:
        raise OutputError(
            f"{path} needs {needed_bytes / 1e9:.3g} GB, got {free_bytes / 1e9:.3g} GB free; "
            "make room or choose another folder"
        )
