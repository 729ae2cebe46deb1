"""Random rotation: what dropping dims costs when no dim knows more than another."""
# D feature dims

from __future__ import annotations

from arfc.baselines.rotation import Rotation, random_basis
from arfc.io import open_features


class RandomRotation(Rotation):
    """Rotate by a random orthogonal matrix and keep the first dims.

    Source: Johnson and Lindenstrauss (1984), with orthonormal directions.
    """

    @classmethod
    def fit(cls, x: object, *, seed: int = 0) -> RandomRotation:
        """Draw the matrix; of the rows only the width is used.

        Raises: whatever `open_features` and `Features.validate` raise.
        """
        features = open_features(x)
        features.validate()
        return cls(basis=random_basis(features.width, seed=seed))
