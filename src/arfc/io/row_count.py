"""Count rows that have a fault, for a message.

Letters: n rows of one block.
"""

from arfc.errors import count_rows
from arfc.shapes import Array, Int


class RowCount:
    """How many rows have a fault, and the first five of them."""

    def __init__(self) -> None:
        self.total = 0
        self.first: list[int] = []

    def add(self, rows_n: Int[Array, " n"]) -> None:
        """Count rows by their numbers, which ascend from call to call."""
        self.total += len(rows_n)
        self.first += rows_n[: 5 - len(self.first)].tolist()

    def __str__(self) -> str:
        return count_rows(self.first, self.total)
