"""KLT: the best linear compressor there is, and the one a learned compressor starts from."""
# D feature dims

from __future__ import annotations

from arfc.baselines.rotation import Rotation, unit_moments
from arfc.codec.basis import eigenbasis
from arfc.io import open_features


class Klt(Rotation):
    """Rotate onto the eigenbasis of the uncentred second moment and keep the first dims.

    Source: Karhunen-Loeve transform; its first k dims keep the Gram matrix of unit rows best (Eckart and Young, 1936).
    """

    @classmethod
    def fit(cls, x: object) -> Klt:
        """Find the basis of the unit-normalised rows, all of them, in float64.

        Raises: whatever `open_features` and `Features.validate` raise.
        """
        _, moment_DD = unit_moments(open_features(x))
        return cls(basis=eigenbasis(moment_DD))
