"""MTEB: any of its encoders at any size, with one calibration for queries and corpus."""
# N texts, Q queries, D feature dims, K dims kept

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from arfc.codec import Codes
from arfc.compressor import Compressor
from arfc.errors import MissingExtraError, SizeError
from arfc.integrations.model_id import fingerprint
from arfc.scores import unit_rows
from arfc.shapes import Array, Float32
from arfc.sizes import check_bytes, resolve_dims

if TYPE_CHECKING:
    from torch.utils.data import DataLoader


class SizedEncoder:
    """An encoder for `mteb.evaluate` whose vectors are compressed to one size, in dims or in bytes.

    With `dims` queries and corpus are compressed alike. With `bytes` the corpus is coded and decoded, and queries stay
    float at full width, as `Compressor.search` has it; tasks without queries (clustering, similarity) see decoded codes
    alone. The compressor is fitted beforehand, so nothing depends on the batch or the side a text comes from. Scores
    are cosines, or what codes of the corpus say of them (`Codes.decode`).
    """

    def __init__(self, encoder: Any, model: Compressor, *, dims: int | None = None, bytes: int | None = None) -> None:
        """Wrap an encoder of MTEB or a SentenceTransformer, of the width that the model was fitted on.

        Raises: SizeError unless exactly one of dims and bytes is given, and in range; MissingExtraError.
        """
        _check_mteb()
        from mteb.models.sentence_transformer_wrapper import SentenceTransformerEncoderWrapper

        if (dims is None) == (bytes is None):
            given = "neither" if dims is None else "both"
            raise SizeError(f"exactly one of dims and bytes must be given, got {given}; try dims={model.width}")
        if bytes is None:
            self._dims, self._bytes, size = resolve_dims(model.width, dims=dims), None, {"arfc_dims": dims}
        else:
            self._dims, self._bytes = model.width, check_bytes(bytes, largest=model.codec.largest_bytes)
            size = {"arfc_bytes": bytes}
        self.encoder = encoder if hasattr(encoder, "mteb_model_meta") else SentenceTransformerEncoderWrapper(encoder)
        self.model = model
        meta = self.encoder.mteb_model_meta
        # Results of one size are not taken for those of another, or of another fit, when MTEB caches them.
        kwargs = {**(meta.experiment_kwargs or {}), "arfc_model": fingerprint(model)[:12], **size}
        self.mteb_model_meta = meta.model_copy(update={"experiment_kwargs": kwargs, "embed_dim": self._dims})

    def encode(self, inputs: DataLoader[Any], *, prompt_type: Any = None, **options: Any) -> Float32[Array, "N K"]:
        """Return the encoder's vectors at the chosen size; every option goes to the encoder.

        Raises: ShapeError when the encoder has another width than the model; RowError for vectors of zeros or NaN;
        DtypeError for vectors that are quantised already.
        """
        from mteb.types import PromptType

        encoded = self.encoder.encode(inputs, prompt_type=prompt_type, **options)
        x_ND = _as_array(encoded)
        if self._bytes is None or prompt_type == PromptType.query:
            return unit_rows(np.asarray(self.model.compress(x_ND, dims=self._dims)))
        codes = self.model.compress(x_ND, bytes=self._bytes)
        assert isinstance(codes, Codes)
        decoded_NK = np.asarray(codes.decode())
        return decoded_NK if prompt_type == PromptType.document else unit_rows(decoded_NK)

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Return the score of every pair, (N, N'): rows have length 1 where it is a cosine."""
        from mteb.similarity_functions import dot_score

        return dot_score(embeddings1, embeddings2)

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Return the score of row i of one with row i of the other, (N,)."""
        from mteb.similarity_functions import pairwise_dot_score

        return pairwise_dot_score(embeddings1, embeddings2)


def _check_mteb() -> None:
    """Refuse to begin without MTEB.

    Raises: MissingExtraError.
    """
    try:
        import mteb  # noqa: F401
    except ImportError:
        raise MissingExtraError("mteb is not installed; run: pip install 'arfc[mteb]'") from None


def _as_array(encoded: Any) -> Array:
    """Return what an encoder made as a numpy array; half floats of torch become float32, which numpy knows."""
    if hasattr(encoded, "detach"):
        encoded = encoded.detach().cpu()
        return np.asarray(encoded.float() if encoded.is_floating_point() else encoded)
    return np.asarray(encoded)
