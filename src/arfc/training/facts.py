"""What a fit says of itself: the facts that a model keeps (docs/format.md)."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np
import torch

from arfc.config import Config
from arfc.training.fit import Fitted
from arfc.training.rows import Rows


def fit_facts(
    fitted: Fitted,
    rows: Rows,
    data: dict[str, Any],
    *,
    release: str,
    config: Config,
    seed: int,
    interrupted: bool,
    curve: dict[str, Any],
) -> dict[str, Any]:
    """Return the facts of a fit by this `release` of arfc, ready for JSON."""
    split = fitted.split
    counts = {"fit_rows": len(split.fit), "validation_rows": len(split.validation), "test_rows": len(split.test)}
    return {
        "width": fitted.network.width,
        "task": "pairs" if rows.partners is not None else "labels" if rows.labels is not None else "features",
        "seed": seed,
        "config": config.to_dict(),
        "versions": {
            "arfc": release,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "data": data | counts | {"duplicate_cosine": split.duplicate_cosine},
        "interrupted": interrupted,
        "opening": fitted.network.opening.tolist(),
        "history": fitted.history,
        "curve": curve,
    }
