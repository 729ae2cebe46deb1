"""A sentence-transformers folder as the encoder."""
# N inputs, n inputs of a batch, D dims of the encoder, K dims

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from arfc.compressor import Compressor
from arfc.errors import InputError, MissingExtraError, ShapeError
from arfc.serve.batching import Batcher
from arfc.serve.body import Asked
from arfc.serve.config import ServeConfig
from arfc.serve.encoder import Embedded, aside, unit
from arfc.serve.errors import invalid
from arfc.serve.metrics import Metrics
from arfc.shapes import Array

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def load_encoder(folder: Path) -> SentenceTransformer:
    """Read a sentence-transformers folder; nothing is fetched, and nothing but errors is printed.

    Raises: MissingExtraError; InputError when it is no such folder.
    """
    try:
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging
    except ImportError as error:
        raise MissingExtraError(
            f"{error.name} is not installed; run: pip install 'arfc[serve,sentence-transformers]'"
        ) from error
    if not (folder / "modules.json").is_file():
        raise InputError(f"encoder must be a sentence-transformers folder with modules.json, got {folder}")
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        return SentenceTransformer(str(folder), local_files_only=True)
    except Exception as error:  # whatever a damaged folder makes its library raise
        line = " ".join(str(error).split())[:160]
        raise InputError(f"encoder {folder} must be a whole sentence-transformers folder: {line}") from error


class LocalEncoder:
    """Encode texts on this machine; texts of all callers share the encoder's batches."""

    takes_keys = False

    def __init__(
        self,
        model: Compressor,
        encoder: SentenceTransformer,
        *,
        name: str,
        truncate: bool,
        config: ServeConfig,
        metrics: Metrics,
        thread: ThreadPoolExecutor | None = None,
    ) -> None:
        """Compute in `thread`, where model and encoder should have been loaded too (`compute_thread`).

        Raises: InputError for an encoder without a fast tokenizer, ShapeError for one of another width.
        """
        self.name = name
        self.width = model.width
        self._model = model
        self._encoder = encoder
        self._batch_inputs = config.batch_inputs
        self._tokenizer = _counter(encoder)
        self._prompt = encoder.prompts.get(encoder.default_prompt_name or "") or ""
        self._most_tokens = encoder.max_seq_length or math.inf
        self._truncate = truncate
        self.batcher = Batcher(
            self._compressed,
            batch_inputs=config.batch_inputs,
            max_waiting=config.max_waiting_inputs,
            thread=thread,
            watch=metrics.saw_batch,
        )
        width = self.batcher.thread.submit(self._encoded, ["a text"]).result().shape[1]
        if width != model.width:
            raise ShapeError(
                f"the encoder must have {model.width} dims as the model has, got {width}; "
                "was the model fitted on another encoder?"
            )

    async def start(self) -> None:
        """Begin to answer."""
        await self.batcher.start()

    async def close(self) -> None:
        """End the thread of the batches."""
        await self.batcher.close()

    async def embed(self, asked: Asked, credentials: Mapping[str, str]) -> Embedded:
        """Return a row per text.

        Raises: ApiError for token ids, extra fields, or texts that are too long.
        """
        texts = [one for one in asked.inputs if isinstance(one, str)]
        if len(texts) < len(asked.inputs):
            raise invalid(
                "input",
                "input must be text: token ids are those of some tokenizer, and this encoder has its own",
                code="token_ids_not_supported",
            )
        unknown = sorted(set(asked.extras) - {"user"})
        if unknown:
            raise invalid(
                unknown[0], f"{unknown[0]} is a field that this server does not know", code="unknown_parameter"
            )
        counts = await aside(self._counts, texts, cost=sum(map(len, texts)))
        longest = int(np.argmax(counts))
        if counts[longest] > self._most_tokens and not self._truncate:
            raise invalid(
                "input",
                f"an input must have at most {self._most_tokens} tokens, input {longest} has {counts[longest]}; "
                "shorten it, or start the server with --truncate",
                code="context_length_exceeded",
            )
        rows_NK = await self.batcher.submit(texts, dims=asked.dims)
        tokens = sum(min(count, self._most_tokens) for count in counts)
        return Embedded(rows=unit(rows_NK), usage={"prompt_tokens": tokens, "total_tokens": tokens})

    def _compressed(self, texts: list[str], dims: int) -> Array:
        return np.asarray(self._model.compress(self._encoded(texts), dims=dims))

    def _encoded(self, texts: list[str]) -> Array:
        rows_nD = self._encoder.encode(texts, batch_size=self._batch_inputs, show_progress_bar=False)
        return np.asarray(rows_nD, dtype=np.float32)

    def _counts(self, texts: list[str]) -> list[int]:
        """Return the tokens of each text, as the encoder would read it if it were never too long."""
        return [len(one.ids) for one in self._tokenizer.encode_batch([self._prompt + text for text in texts])]


def _counter(encoder: SentenceTransformer) -> Any:
    """Return a tokenizer of our own that cuts nothing; the encoder sets its own to cut and to pad, in its thread."""
    from tokenizers import Tokenizer

    theirs: Any = getattr(encoder.tokenizer, "backend_tokenizer", encoder.tokenizer)
    if not isinstance(theirs, Tokenizer):
        raise InputError(f"the encoder must have a fast tokenizer, got {type(theirs).__name__}")
    ours = Tokenizer.from_str(theirs.to_str())
    ours.no_truncation()
    ours.no_padding()
    return ours
