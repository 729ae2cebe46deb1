"""Search over compressed vectors."""

from arfc.search.exact import exact_search
from arfc.search.given import check_maker, open_codes, open_compressed
from arfc.search.modes import search

__all__ = ["check_maker", "exact_search", "open_codes", "open_compressed", "search"]
