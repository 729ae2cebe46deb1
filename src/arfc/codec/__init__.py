"""Nested byte codes of vectors: any prefix of a code is the code of that size."""

from arfc.codec.classic import ClassicCodec
from arfc.codec.codes import Codec, Codes
from arfc.codec.nested import NestedCodec

__all__ = ["ClassicCodec", "Codec", "Codes", "NestedCodec"]
