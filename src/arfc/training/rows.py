"""The rows a fit is given: a sample over the whole input, checked, at unit length."""
# N rows, D feature dims

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from arfc.config import TrainConfig
from arfc.errors import RowError, ShapeError
from arfc.io import open_features, open_labels
from arfc.shapes import Tensor
from arfc.training.split import LEAST_ROWS, sample_rows


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Unit rows of one part; `partners` are the other modality's, row by row."""

    features: Tensor
    partners: Tensor | None = None
    labels: Tensor | None = None

    def __len__(self) -> int:
        return len(self.features)

    def take(self, ids: np.ndarray) -> Rows:
        """Return these rows, of all that is there."""
        at = torch.from_numpy(ids)
        return Rows(
            features=self.features[at],
            partners=None if self.partners is None else self.partners[at],
            labels=None if self.labels is None else self.labels[at],
        )

    @property
    def entities(self) -> Tensor:
        """Rows of all modalities, one below the other."""
        return self.features if self.partners is None else torch.cat([self.features, self.partners])


def read_rows(
    x: object, pairs: object, labels: object, config: TrainConfig, *, seed: int
) -> tuple[Rows, dict[str, Any]]:
    """Sample rows over the whole input, refuse bad ones, return them at unit length with what is known of the data."""
    features = open_features(x)
    features.validate(min_rows=LEAST_ROWS)
    ids = sample_rows(features.rows, config.max_rows, seed=seed)
    taken = features.take(ids)
    norms = np.linalg.norm(taken, axis=1, keepdims=True)
    partners = None
    if pairs is not None:
        others = open_features(pairs, name="pairs")
        if (others.rows, others.width) != (features.rows, features.width):
            raise ShapeError(
                f"pairs must have the features' shape {(features.rows, features.width)}, "
                f"got {(others.rows, others.width)}; "
                "row i of both must belong together and come from one embedding space"
            )
        others.validate(min_rows=LEAST_ROWS)
        other = others.take(ids)
        partners = torch.from_numpy(other / np.linalg.norm(other, axis=1, keepdims=True))
    known = None if labels is None else torch.from_numpy(open_labels(labels, features.rows)[ids])
    if known is not None and len(known.unique()) < 2:
        raise RowError("labels must name at least 2 classes, got 1; leave labels out")
    if known is not None and partners is None and len(known.unique()) == len(known):
        got = f"{len(known)} classes in {len(known)} rows"
        raise RowError(f"labels must name classes of at least 2 rows, got {got}; are these ids?")
    unit = torch.from_numpy(taken / norms)
    data = {
        "rows": features.rows,
        "sampled_rows": len(ids),
        "mean_norm": float(norms.mean()),
        "norm_spread": float(np.log(norms).std()),
        "norm_range": [float(norms.min()), float(norms.max())],
        "common_direction": float(unit.mean(0).square().sum()),
    }
    return Rows(features=unit, partners=partners, labels=known), data
