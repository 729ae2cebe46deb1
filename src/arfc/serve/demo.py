"""What stands behind the page at /: a corpus that is embedded once, and searched at two sizes."""
# N passages, n of a chunk, D dims of the model, K dims chosen

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from importlib.resources import files
from typing import Any

import numpy as np
import pydantic

from arfc.search import exact_search
from arfc.serve.body import Asked
from arfc.serve.corpus import Corpus
from arfc.serve.encoder import Encoder
from arfc.serve.errors import ApiError, invalid
from arfc.shapes import Array

CHUNK = 32
"""Passages that are embedded together; what other callers ask for comes in between."""
HITS = 5
KEPT_QUERIES = 256
MOST_QUERY_CHARACTERS = 500
FILES = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cache-control": "no-cache",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


class Search(pydantic.BaseModel):
    """The JSON object of a search."""

    model_config = pydantic.ConfigDict(strict=True)

    query: str
    dimensions: int


def page_files() -> dict[str, tuple[bytes, str]]:
    """Return path -> (content, media type) of the page."""
    folder = files("arfc.serve").joinpath("page")
    return {path: (folder.joinpath(name).read_bytes(), kind) for path, (name, kind) in FILES.items()}


class Demo:
    """A corpus to search. It is embedded on the first search, not before: an upstream may cost money."""

    def __init__(self, encoder: Encoder, corpus: Corpus, *, curve: dict[str, Any]) -> None:
        self._encoder = encoder
        self._corpus = corpus
        self._passages = corpus.passages
        self._curve = curve
        self._blocks: list[Array] = []
        self._rows_ND: Array | None = None
        self._embedding: asyncio.Task[None] | None = None
        self._asked_by: Mapping[str, str] = {}
        """The credentials that it is embedded under."""
        self._queries: OrderedDict[tuple[Any, ...], Array] = OrderedDict()

    async def close(self) -> None:
        """Stop embedding."""
        if self._embedding is not None:
            self._embedding.cancel()
            with suppress(asyncio.CancelledError, ApiError):
                await self._embedding

    def facts(self, *, needs_key: bool) -> dict[str, Any]:
        """Return what the page shows before anything is asked."""
        curve = self._curve
        return {
            "model": self._encoder.name,
            "width": self._encoder.width,
            "metric": curve["metric"],
            "uncompressed": curve["uncompressed"],
            "curve": [{name: row[name] for name in ("dims", "arfc", "klt", "truncation")} for row in curve["floats"]],
            "corpus": {
                "named": self._corpus.named,
                "texts": len(self._passages),
                "examples": self._corpus.examples,
            },
            "asks_for_key": needs_key or self._encoder.takes_keys,
        }

    async def search(self, asked: Search, credentials: Mapping[str, str]) -> dict[str, Any]:
        """Return the nearest passages at full width and at the chosen size; until the corpus is ready, how far it is.

        Raises: ApiError.
        """
        query = asked.query.strip()
        if not 1 <= len(query) <= MOST_QUERY_CHARACTERS:
            raise invalid("query", f"query must have 1 to {MOST_QUERY_CHARACTERS} characters, got {len(query)}")
        if self._rows_ND is None:
            self._go_on(credentials)
            return {"ready": False, "texts": len(self._passages), "embedded": sum(map(len, self._blocks))}
        query_1D = await self._query(query, credentials)
        full, chosen = await asyncio.to_thread(self._nearest, query_1D, self._rows_ND, asked.dimensions)
        return {"ready": True, "full": full, "chosen": chosen}

    def _go_on(self, credentials: Mapping[str, str]) -> None:
        """See to it that the corpus is being embedded.

        Raises: ApiError that ended it; the next call goes on from there.
        """
        if self._embedding is not None and self._embedding.done():
            failed, self._embedding = self._embedding, None
            if failed.exception() is not None and self._asked_by == credentials:  # another's failure is none of theirs
                failed.result()
        if self._embedding is None:
            self._asked_by = dict(credentials)
            self._embedding = asyncio.create_task(self._embed_all(credentials))

    async def _embed_all(self, credentials: Mapping[str, str]) -> None:
        for start in range(CHUNK * len(self._blocks), len(self._passages), CHUNK):
            texts = [one.text for one in self._passages[start : start + CHUNK]]
            self._blocks.append(await self._embed(texts, credentials))
        self._rows_ND = np.concatenate(self._blocks)

    async def _embed(self, texts: list[str], credentials: Mapping[str, str]) -> Array:
        asked = Asked(model=self._encoder.name, inputs=texts, dims=self._encoder.width, base64=True, extras={})
        return (await self._encoder.embed(asked, credentials)).rows

    async def _query(self, query: str, credentials: Mapping[str, str]) -> Array:
        """Return the vector of a query; those of late are kept, so that the slider asks no encoder."""
        # Under the caller's key, so that nobody gets what only another may ask for.
        key = (query, *sorted(credentials.items()))
        if key not in self._queries:
            self._queries[key] = await self._embed([query], credentials)
            while len(self._queries) > KEPT_QUERIES:
                self._queries.popitem(last=False)
        return self._queries[key]

    def _nearest(self, query_1D: Array, rows_ND: Array, dims: int) -> tuple[list[Any], list[Any]]:
        found = []
        for size in (rows_ND.shape[1], dims):
            ids, scores = exact_search(query_1D[:, :size], rows_ND[:, :size], k=min(HITS, len(rows_ND)))
            found.append(
                [
                    {
                        "id": int(row),
                        "title": self._passages[row].title,
                        "text": self._passages[row].text,
                        "score": score,
                    }
                    for row, score in zip(ids[0], scores[0].tolist(), strict=True)
                ]
            )
        return found[0], found[1]
