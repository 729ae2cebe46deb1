"""Nested byte codes of vectors: any prefix of a code is the code of that size."""

from arfc.codec.codes import Codec, Codes
from arfc.codec.nested import NestedCodec
from arfc.codec.scalar import ScalarCodec

__all__ = ["Codec", "Codes", "NestedCodec", "ScalarCodec"]
