"""What a learned compressor must beat, in the shape of the Compressor: fit, compress, decompress."""

from arfc.baselines.int8 import Int8
from arfc.baselines.klt import Klt
from arfc.baselines.klt_codec import KltCodec
from arfc.baselines.truncation import Truncation

__all__ = ["Int8", "Klt", "KltCodec", "Truncation"]
