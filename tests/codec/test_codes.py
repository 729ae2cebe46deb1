"""Codes: bytes and what decodes them."""

import numpy as np
import pytest

from arfc.codec import ClassicCodec, Codes
from arfc.errors import DtypeError, ShapeError, SizeError


@pytest.fixture
def codec(vectors):
    return ClassicCodec.fit(vectors)


@pytest.fixture
def codes(codec, vectors):
    return Codes(codec.encode(vectors, bytes_per_vector=16), codec)


def test_sizes(codes):
    assert len(codes) == 200
    assert codes.bytes_per_vector == 16
    assert codes.packed.nbytes == 200 * 16
    assert repr(codes) == "Codes(200 rows, 16 bytes each)"


@pytest.mark.parametrize("size", range(1, 17))
def test_truncated_codes_are_the_codes_of_that_size(codes, codec, vectors, size):
    short = codes.truncate(bytes=size)
    np.testing.assert_array_equal(short.packed, codec.encode(vectors, bytes_per_vector=size))
    np.testing.assert_array_equal(short.decode(), codec.decode(short.packed))


def test_codes_cannot_grow(codes):
    with pytest.raises(SizeError, match="bytes must be between 1 and 16, got 17"):
        codes.truncate(bytes=17)
    with pytest.raises(SizeError, match="got 0"):
        codes.truncate(bytes=0)


def test_what_is_no_code_is_refused(codec, vectors):
    with pytest.raises(DtypeError, match="codes must be uint8, got float32; are these vectors"):
        Codes(vectors, codec)
    with pytest.raises(ShapeError, match=r"codes must have shape \(N, bytes\), got \(3,\)"):
        Codes(np.zeros(3, np.uint8), codec)
    with pytest.raises(SizeError, match="between 1 and 24, got 25"):
        Codes(np.zeros((3, 25), np.uint8), codec)


def test_codes_read_from_a_file_decode_the_same(codes, codec, tmp_path):
    np.save(tmp_path / "codes.npy", codes.packed)
    mapped = np.load(tmp_path / "codes.npy", mmap_mode="r")
    np.testing.assert_array_equal(Codes(mapped, codec).decode(), codes.decode())
