"""Product, residual and local-search quantisers of faiss."""
# N rows, D feature dims, P dims padded for faiss, M codewords of a code, B bytes per vector

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from arfc.baselines.blocks import check_only_size
from arfc.codec.codes import check_packed
from arfc.errors import MissingExtraError, RowError
from arfc.scores import unit_rows
from arfc.shapes import Array, Float32, UInt8

_CODEWORDS = 256
_BEAM = 5
_ITERATIONS = 5
_LSQ = {"train_iters": 25, "train_ils_iters": 4}
"""Of faiss's 25 and 8, which take half as long again: recall@10 at 8 bytes on validation rows of captions .785 with
either, on those of muge .647, and .649 with 8."""


def import_faiss() -> Any:
    """Return the package faiss.

    Raises: MissingExtraError when it is not installed.
    """
    try:
        import faiss
    except ImportError:
        raise MissingExtraError("faiss is not installed; run: pip install 'arfc[faiss]'") from None
    return faiss


@dataclass(frozen=True, eq=False, kw_only=True)
class FaissCodec:
    """The codes of one trained faiss index, all of one size.

    Rows are brought to unit length before they are encoded and after they are decoded.
    """

    index: Any
    """What encodes and decodes."""
    width: int
    """Dims D of the rows; the index may have more, which are zero."""

    @classmethod
    def pq(cls, rows_ND: Float32[Array, "N D"], *, bytes_per_vector: int, seed: int) -> FaissCodec:
        """Train product quantisation with one codeword per byte; dims are padded with zeros to share them evenly.

        Source: Jegou et al., "Product quantization for nearest neighbor search" (2011).
        Raises: MissingExtraError; RowError for fewer than 256 rows.
        """
        faiss = import_faiss()
        index = faiss.IndexPQ(_padded(rows_ND.shape[1], bytes_per_vector), bytes_per_vector, 8)
        _set_up(index.pq.cp, seed=seed)
        return cls._trained(index, rows_ND)

    @classmethod
    def opq(cls, rows_ND: Float32[Array, "N D"], *, bytes_per_vector: int, seed: int) -> FaissCodec:
        """Train product quantisation behind a rotation that is trained with it.

        Source: Ge et al., "Optimized product quantization" (2013), non-parametric.
        Raises: MissingExtraError; RowError for fewer than 256 rows.
        """
        faiss = import_faiss()
        width = rows_ND.shape[1]
        out_width = _padded(width, bytes_per_vector)
        rotation = faiss.OPQMatrix(width, bytes_per_vector, out_width)
        training_pq = faiss.ProductQuantizer(out_width, bytes_per_vector, 8)
        _set_up(training_pq.cp, seed=seed)
        rotation.pq = training_pq
        final = faiss.IndexPQ(out_width, bytes_per_vector, 8)
        _set_up(final.pq.cp, seed=seed)
        index = faiss.IndexPreTransform(rotation, final)
        codec = cls._trained(index, rows_ND)
        rotation.pq = None
        return codec

    @classmethod
    def lsq(cls, rows_ND: Float32[Array, "N D"], *, bytes_per_vector: int, seed: int) -> FaissCodec:
        """Train additive quantisation by local search.

        Source: Martinez et al., "LSQ++" (2018). Encoding searches at random too, so a row's code depends on the rows
        beside it.
        Raises: MissingExtraError; RowError for fewer than 256 rows.
        """
        faiss = import_faiss()
        index = faiss.IndexLocalSearchQuantizer(rows_ND.shape[1], bytes_per_vector, 8)
        index.lsq.random_seed = seed
        for name, value in _LSQ.items():
            setattr(index.lsq, name, value)
        return cls._trained(index, rows_ND)

    @property
    def largest_bytes(self) -> int:
        """Bytes per vector of the one size there is."""
        return int(self.index.sa_code_size())

    def encode(self, rows_ND: Float32[Array, "N D"], *, bytes_per_vector: int) -> UInt8[Array, "N B"]:
        """Return the code of each row, whatever its length.

        Raises: SizeError for another size than that of the fit.
        """
        check_only_size(bytes_per_vector, fitted=self.largest_bytes)
        return self.index.sa_encode(_ready(rows_ND, self.index.d))

    def decode(self, packed_NB: Array) -> Float32[Array, "N D"]:
        """Return the unit vectors the codes stand for.

        Raises: DtypeError, ShapeError, SizeError when these are no codes of this size.
        """
        check_packed(packed_NB, largest_bytes=self.largest_bytes)
        check_only_size(packed_NB.shape[1], fitted=self.largest_bytes)
        return unit_rows(self.index.sa_decode(np.ascontiguousarray(packed_NB))[:, : self.width])

    @classmethod
    def _trained(cls, index: Any, rows_ND: Float32[Array, "N D"]) -> FaissCodec:
        _check_rows(rows_ND)
        index.train(_ready(rows_ND, index.d))
        return cls(index=index, width=rows_ND.shape[1])


@dataclass(frozen=True, eq=False, kw_only=True)
class ResidualCodec:
    """Residual quantisation: each byte is the codeword nearest to what the bytes before it have missed.

    One training serves all sizes; each size is encoded by a beam search of its own, and a code that is cut decodes too.
    Source: Chen et al., "Approximate nearest neighbor search by residual vector quantization" (2010), in faiss.
    """

    quantizer: Any
    """A trained faiss ResidualQuantizer."""

    @classmethod
    def fit(cls, rows_ND: Float32[Array, "N D"], *, bytes_per_vector: int, seed: int) -> ResidualCodec:
        """Train a codebook per byte, step after step.

        Trained and encoded with a beam of 5: recall@10 at 8 and 16 bytes on validation rows of muge is .626 and .706,
        .602 and .693 where training has none. Codebooks grow from few dims to all, but for fewer rows than dims, where
        faiss cannot and they start with all.
        Raises: MissingExtraError; RowError for fewer than 256 rows.
        """
        faiss = import_faiss()
        _check_rows(rows_ND)
        quantizer = faiss.ResidualQuantizer(rows_ND.shape[1], bytes_per_vector, 8)
        grows = len(rows_ND) >= rows_ND.shape[1]
        quantizer.train_type = getattr(faiss.ResidualQuantizer, "Train_progressive_dim" if grows else "Train_default")
        quantizer.max_beam_size = _BEAM
        _set_up(quantizer.cp, seed=seed)
        quantizer.cp.niter = _ITERATIONS
        quantizer.train(unit_rows(rows_ND))
        return cls(quantizer=quantizer)

    @property
    def largest_bytes(self) -> int:
        """Bytes per vector of the longest code: one per codebook."""
        return int(self.quantizer.M)

    def encode(self, rows_ND: Float32[Array, "N D"], *, bytes_per_vector: int) -> UInt8[Array, "N B"]:
        """Return the code of each row that is best at this size, whatever the row's length."""
        return self._steps(bytes_per_vector).compute_codes(unit_rows(rows_ND))

    def decode(self, packed_NB: Array) -> Float32[Array, "N D"]:
        """Return the unit vectors the codes stand for.

        Raises: DtypeError, ShapeError, SizeError when these are no codes of this quantiser.
        """
        check_packed(packed_NB, largest_bytes=self.largest_bytes)
        return unit_rows(self._steps(packed_NB.shape[1]).decode(np.ascontiguousarray(packed_NB)))

    def _steps(self, count: int) -> Any:
        """Return a quantiser of the first codebooks."""
        first = import_faiss().ResidualQuantizer(self.quantizer.d, count, 8)
        first.initialize_from(self.quantizer)
        first.max_beam_size = _BEAM
        return first


def _padded(width: int, parts: int) -> int:
    """Return the least multiple of `parts` that holds `width` dims."""
    return -(-width // parts) * parts


def _ready(rows_ND: Float32[Array, "N D"], padded_width: int) -> Float32[Array, "N P"]:
    return np.pad(unit_rows(rows_ND), ((0, 0), (0, padded_width - rows_ND.shape[1])))


def _set_up(clustering: Any, *, seed: int) -> None:
    clustering.seed = seed
    clustering.min_points_per_centroid = 1  # faiss warns below 39, and what it prints no caller can catch


def _check_rows(rows_ND: Float32[Array, "N D"]) -> None:
    if len(rows_ND) < _CODEWORDS:
        raise RowError(f"features must have at least {_CODEWORDS} rows for a codebook, got {len(rows_ND)}; add more")
