"""Measure a model on rows that its fit has not used, and lay the measurements out as text.

`evaluate` returns what `arfc evaluate --json` writes:

    {
      "rows": rows of the features,
      "checked_rows": rows that were held against those the fit has used,
      "left_out_rows": rows among them that it has used, or nearly equal ones,
      "queries": rows that ask, "database_rows": rows that answer,
      "seed": seed of the draw and of the resamples,
      "tables": [{
        "metric": "recall@10" and so on, "queries": how many were scored,
        "uncompressed": {"score", "low", "high"},
        "floats": [{"dims": 8, "bytes": 32, <method>: <cell>, ...}, ...],
        "bytes": [{"bytes": 8, <method>: <cell>, ...}, ...]
      }, ...],
      "notes": [sentences]
    }

A cell is None where a method has no score, else

    {"score", "low", "high", "retention", "retention_low", "retention_high"}

with the mean over the queries, its 95 % bootstrap interval, the share of the uncompressed score, and the interval of
that share over the same resampled queries; the last three are None where the uncompressed score is zero. The methods of
all rows of one list are the same, arfc first.
"""

from arfc.evaluate.among import ClassRetrieval, NeighbourFidelity, SiblingRetrieval
from arfc.evaluate.classification import Classification
from arfc.evaluate.cross_modal import CrossModal
from arfc.evaluate.intervals import interval, interval_and_retention
from arfc.evaluate.measure import measure
from arfc.evaluate.run import evaluate
from arfc.evaluate.tables import format_sizes, format_table
from arfc.evaluate.task import Task, uncompressed_scores
from arfc.evaluate.text_retrieval import TextRetrieval

__all__ = [
    "ClassRetrieval",
    "Classification",
    "CrossModal",
    "NeighbourFidelity",
    "SiblingRetrieval",
    "Task",
    "TextRetrieval",
    "evaluate",
    "format_sizes",
    "format_table",
    "interval",
    "interval_and_retention",
    "measure",
    "uncompressed_scores",
]
