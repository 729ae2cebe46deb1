"""What arfc asks of a PostgreSQL connection: a transaction that knows vectors, quoted names, the types of columns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from arfc.errors import ConfigError, DtypeError, InputError, MissingExtraError

if TYPE_CHECKING:
    import psycopg
    from psycopg.sql import Composable

Table = str | tuple[str, ...]
"""A table's name, or schema and name; quoted as it stands."""


def import_psycopg() -> Any:
    """Return the package psycopg, once both it and pgvector are known to be there.

    Raises: MissingExtraError.
    """
    try:
        import psycopg
        from pgvector.psycopg import register_vector  # noqa: F401
    except ImportError as error:
        name = (error.name or "psycopg").partition(".")[0]
        raise MissingExtraError(f"{name} is not installed; run: pip install 'arfc[pgvector]'") from None
    return psycopg


@contextmanager
def transaction(connection: psycopg.Connection[Any]) -> Iterator[psycopg.Cursor[tuple[Any, ...]]]:
    """Give a cursor within a transaction that knows vectors; rows are tuples, whatever the connection makes of them.

    Raises: ConfigError when the database has no pgvector.
    """
    tuple_row = import_psycopg().rows.tuple_row
    from pgvector.psycopg import register_vector

    with connection.transaction():
        with connection.cursor(row_factory=tuple_row) as cursor:
            if cursor.execute("SELECT to_regtype('vector')").fetchone() == (None,):
                raise ConfigError("the database must have the extension vector; run: CREATE EXTENSION vector")
        register_vector(connection)
        with connection.cursor(row_factory=tuple_row) as cursor:
            yield cursor


def identifier(table: Table) -> Composable:
    """Return the quoted name of a table."""
    quoted: Composable = import_psycopg().sql.Identifier(*([table] if isinstance(table, str) else table))
    return quoted


def without_placeholders(name: Composable, cursor: psycopg.Cursor[Any]) -> Composable:
    """Return a quoted name for a query with parameters, where a % stands as %%."""
    quoted: Composable = import_psycopg().sql.SQL(name.as_string(cursor).replace("%", "%%"))
    return quoted


def shown(table: Table) -> str:
    """Return the name of a table as messages have it."""
    return table if isinstance(table, str) else ".".join(table)


def column_type(cursor: psycopg.Cursor[tuple[Any, ...]], table: Table, column: str) -> tuple[str, int] | None:
    """Return type and size of a column, None where the table has none of that name.

    Raises: InputError without the table.
    """
    name = identifier(table).as_string(cursor)
    if cursor.execute("SELECT to_regclass(%s)", [name]).fetchone() == (None,):
        raise InputError(f"the table must exist, got {shown(table)}; a schema is given as ('schema', 'table')")
    return cursor.execute(
        "SELECT typname, atttypmod FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid "
        "WHERE attrelid = to_regclass(%s) AND attname = %s AND attnum > 0 AND NOT attisdropped",
        [name, column],
    ).fetchone()


def vector_dims(cursor: psycopg.Cursor[tuple[Any, ...]], table: Table, column: str) -> int:
    """Return the dims of a column of vectors of one size.

    Raises: InputError without the table or the column, DtypeError for a column of another type.
    """
    found = column_type(cursor, table, column)
    if found is None:
        raise InputError(f"table {shown(table)} must have a column {column!r}, it has not; is the name right?")
    if found[0] != "vector" or found[1] < 1:
        size = "" if found[1] < 1 else f"({found[1]})"
        raise DtypeError(
            f"column {column!r} must be of a type like vector(256), got {found[0]}{size}; make it with compress_column"
        )
    return found[1]
