"""Search over compressed vectors."""

from arfc.search.exact import exact_search
from arfc.search.modes import search

__all__ = ["exact_search", "search"]
