"""Search over compressed vectors."""

from arfc.search.exact import exact_search

__all__ = ["exact_search"]
