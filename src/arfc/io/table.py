"""Parquet tables with a column of vectors or codes: written block by block, the input's other columns beside it.

Letters: n rows of one block, D values per row.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from arfc.errors import InputError
from arfc.io.parquet import import_pyarrow, next_batch, open_parquet
from arfc.shapes import Array, Shaped

VECTOR_COLUMN = "vector"
NOTE_KEY = b"arfc"
"""Key of the file's metadata under which arfc notes what it wrote."""


@dataclass(frozen=True, kw_only=True)
class Note:
    """What a table says of the column that arfc has put into it."""

    column: str
    """Name of the column of compressed vectors or codes."""
    made_by: str
    """`tensors_sha256` of the model that made them."""

    def to_bytes(self) -> bytes:
        """Return the JSON that stands in the file's metadata."""
        return json.dumps({"column": self.column, "tensors_sha256": self.made_by}).encode()


def read_note(path: Path, *, name: str) -> Note | None:
    """Return what arfc has noted in a parquet file, or None for a file of another program.

    Raises: InputError for a file that is missing or damaged, or a note that arfc does not write.
    """
    with open_parquet(path, name=name) as file:
        raw = (file.schema_arrow.metadata or {}).get(NOTE_KEY)
    if raw is None:
        return None
    try:
        told = json.loads(raw)
        return Note(column=str(told["column"]), made_by=str(told["tensors_sha256"]))
    except (ValueError, TypeError, KeyError):
        raise InputError(
            f'the metadata "arfc" of {path} must be what arfc compress writes, got {raw[:80]!r}; compress it again'
        ) from None


class OtherColumns:
    """The columns of a parquet file without one, read from the first row to the last in steps of any size."""

    def __init__(self, path: Path, *, column: str) -> None:
        """Open the file and leave `column` out, which it must have.

        Raises: InputError when the file is missing or damaged.
        """
        self.path = path
        self.column = column
        self._file = open_parquet(path, name="a table")
        self.schema = self._file.schema_arrow
        self.place = self.schema.names.index(column)
        self.names = [name for place, name in enumerate(self.schema.names) if place != self.place]
        self._held: list[Any] = []
        self._batches: Iterator[Any] | None = None

    @property
    def leaves(self) -> list[str]:
        """Paths of the values inside the columns, as parquet counts them."""
        paths = [self._file.schema.column(i).path for i in range(len(self._file.schema))]
        return [path for path in paths if path != self.column and not path.startswith(f"{self.column}.")]

    def take(self, count: int) -> list[Any]:
        """Return the next `count` rows of each column, as pyarrow arrays in the file's order.

        Raises: InputError when the file turns out to be damaged.
        """
        if not self.names:
            return []
        if self._batches is None:
            # pyarrow takes a name for a prefix of nested ones, so with dots in names nothing can be left out by name.
            wanted = None if any("." in name for name in self.schema.names) else self.names
            self._batches = self._file.iter_batches(count, columns=wanted)
        while sum(map(len, self._held)) < count:
            batch = next_batch(self._batches, path=self.path, name="a table")
            if batch is None:
                raise InputError(f"a table must not change while it is read, got fewer rows in {self.path}; repeat it")
            if len(batch.schema) > len(self.names):
                batch = batch.select([place for place in range(len(batch.schema)) if place != self.place])
            self._held.append(batch)
        joined = import_pyarrow().Table.from_batches(self._held)
        self._held = joined.slice(count).to_batches()
        return list(joined.slice(0, count).columns)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class ParquetSink:
    """One row group per block: vectors as fixed-size lists of floats, codes as fixed-size binary.

    Without `beside` the one column is called `vector`; with it, it stands in the place of the column left out there.
    """

    def __init__(
        self, file: IO[bytes], *, width: int, dtype: np.dtype[Any], beside: OtherColumns | None, made_by: str | None
    ) -> None:
        self._pyarrow = import_pyarrow()
        self._beside = beside
        codes = dtype == np.uint8
        value = self._pyarrow.from_numpy_dtype(dtype)
        self._kind = self._pyarrow.binary(width) if codes else self._pyarrow.list_(value, width)
        schema = self._pyarrow.schema([(VECTOR_COLUMN, self._kind)]) if beside is None else beside.schema
        self._place = 0 if beside is None else beside.place
        field = schema.field(self._place).with_type(self._kind)
        metadata = {key: value for key, value in (schema.metadata or {}).items() if key != NOTE_KEY}
        if made_by is not None:
            metadata[NOTE_KEY] = Note(column=field.name, made_by=made_by).to_bytes()
        self._schema = schema.set(self._place, field).with_metadata(metadata)
        # Embeddings do not repeat values, so a dictionary only costs time and room; what stands beside them may.
        dictionaries = [] if beside is None else beside.leaves
        self._writer = self._pyarrow.parquet.ParquetWriter(file, self._schema, use_dictionary=dictionaries)

    def write(self, block_nD: Shaped[Array, "n D"]) -> None:
        """Write the block as a row group, with the next rows of the other columns."""
        if self._pyarrow.types.is_fixed_size_binary(self._kind):
            buffers = [None, self._pyarrow.py_buffer(block_nD)]
            vectors = self._pyarrow.Array.from_buffers(self._kind, len(block_nD), buffers)
        else:
            values = self._pyarrow.array(block_nD.reshape(-1))
            vectors = self._pyarrow.FixedSizeListArray.from_arrays(values, type=self._kind)
        columns = [] if self._beside is None else self._beside.take(len(block_nD))
        columns.insert(self._place, vectors)
        self._writer.write_table(self._pyarrow.Table.from_arrays(columns, schema=self._schema))

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()
        if self._beside is not None:
            self._beside.close()

    def abandon(self) -> None:
        """Close the writer, or its finaliser would write a footer to a closed file."""
        with suppress(Exception):
            self._writer.close()
        self._writer.is_open = False
        if self._beside is not None:
            self._beside.close()
