"""What a learned compressor must beat, in the shape of the Compressor: fit, compress, decompress."""

from arfc.baselines.catalogue import CATALOGUE, Method
from arfc.baselines.int8 import Int8
from arfc.baselines.klt import Klt
from arfc.baselines.pca import Pca
from arfc.baselines.quantised import Quantised
from arfc.baselines.random_rotation import RandomRotation
from arfc.baselines.truncation import Truncation

__all__ = ["CATALOGUE", "Int8", "Klt", "Method", "Pca", "Quantised", "RandomRotation", "Truncation"]
