"""Judgements of documents by query: tab-separated, as BEIR has them."""
# E judgements, Q queries, N documents

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from arfc.errors import DtypeError, InputError, RowError, ShapeError
from arfc.io.text import read_lines
from arfc.shapes import Array, Int64

COLUMNS = 3


def open_qrels(
    source: object, *, queries: int, documents: int, query_ids: object = None, ids: object = None
) -> Int64[Array, "E 3"]:
    """Return query row, document row and grade of every judgement.

    `source` is an integer array of that form, or a file with the columns query-id, corpus-id and score, split by tabs,
    with or without a header. Ids are row numbers, counted from 0, unless `query_ids` or `ids` (of the documents) lists
    them in the order of the rows: a list of text, or a file with one per line.

    Raises: InputError for a file that is missing or of another form; DtypeError for other arrays; ShapeError when there
    is not one id per row; RowError for ids that are unknown, listed twice, or judged twice.
    """
    if isinstance(source, (str, Path)):
        place_of_query = _places(query_ids, queries, name="query ids")
        place_of_document = _places(ids, documents, name="ids")
        path = Path(source)
        found = []
        for number, line in enumerate(read_lines(path, name="qrels"), start=1):
            fields = [field.strip() for field in line.split("\t")]
            where = f"line {number} of {path}"
            if len(fields) != COLUMNS:
                raise InputError(f"qrels must have {COLUMNS} columns split by tabs, got {len(fields)} in {where}")
            if number == 1 and not _is_number(fields[2]):
                continue  # the header
            if not _is_integer(fields[2]):
                raise InputError(f"qrels must have integer scores, got {fields[2]!r} in {where}; 0 is not relevant")
            query = _place(fields[0], place_of_query, queries, name="query ids", where=where)
            document = _place(fields[1], place_of_document, documents, name="ids", where=where)
            found.append((query, document, int(fields[2])))
        qrels = np.array(found, dtype=np.int64).reshape(-1, COLUMNS)
    elif isinstance(source, np.ndarray) and source.dtype.kind in "iu":
        if source.ndim != 2 or source.shape[1] != COLUMNS:
            raise ShapeError(f"qrels must have shape (E, 3): query row, document row, grade; got {source.shape}")
        qrels = source.astype(np.int64)
    else:
        raise DtypeError(f"qrels must be a path or an integer array, got {type(source).__name__}; try numpy.array")
    twice = len(qrels) - len(np.unique(qrels[:, :2], axis=0))
    if twice:
        raise RowError(f"qrels must judge a document once per query, got {twice} more; drop the others")
    return qrels


def _places(ids: object, count: int, *, name: str) -> dict[str, int] | None:
    """Return the row of each id; None where ids are row numbers."""
    if ids is None:
        return None
    if isinstance(ids, (str, Path)):
        names = [line.strip() for line in read_lines(Path(ids), name=name)]
    elif isinstance(ids, Sequence):
        names = [str(one) for one in ids]
    else:
        raise DtypeError(f"{name} must be a path or a list, got {type(ids).__name__}; try list(ids)")
    if len(names) != count:
        raise ShapeError(f"{name} must be {count}, one per row, got {len(names)}; is it the same data set")
    places = {one: row for row, one in enumerate(names)}
    if len(places) != count:
        raise RowError(f"{name} must differ, got {count - len(places)} that stood before; give each row its own")
    return places


def _place(one: str, places: dict[str, int] | None, count: int, *, name: str, where: str) -> int:
    if places is None:
        if _is_integer(one) and 0 <= int(one) < count:
            return int(one)
        raise RowError(f"qrels must name rows 0..{count - 1}, got {one!r} in {where}; if it is an id, give {name}")
    if one not in places:
        raise RowError(f"qrels must name known {name}, got {one!r} in {where}; is it the same data set")
    return places[one]


def _is_integer(text: str) -> bool:
    """Tell whole numbers as everyone writes them from ids that Python would read as such: 12_3, 007, +4."""
    return re.fullmatch(r"-?(0|[1-9][0-9]*)", text) is not None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
