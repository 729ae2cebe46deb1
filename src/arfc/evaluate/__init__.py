"""Measure a model on rows that its fit has not used, and lay the measurements out as text."""

from arfc.evaluate.run import evaluate
from arfc.evaluate.tables import format_sizes, format_table

__all__ = ["evaluate", "format_sizes", "format_table"]
