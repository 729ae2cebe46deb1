"""Learned baselines in the shape of the Compressor: what else could be trained on the same rows.

Equal terms: every rival reads, checks and splits its rows as `Compressor.fit` does, so that under one seed all see the
same fit and validation rows; it starts at the KLT, as the compressor does; it trains in the same loop, with early
stopping on the validation score of its own sizes, and keeps its best state. Each can be fitted on features
alone, with pairs and with labels. For equal time, give a rival that serves all sizes the seconds that `Compressor.fit`
trains as `budget_s`, and one that serves a single size an equal share of them for each of its sizes; early stopping may
end either sooner.
"""

from __future__ import annotations

from dataclasses import dataclass

from arfc.rivals.autoencoder import Autoencoder
from arfc.rivals.coded import Coded
from arfc.rivals.linear import LearnedLinear
from arfc.rivals.mlp import LearnedMlp, MlpAdaptor
from arfc.rivals.qformer import QFormer
from arfc.rivals.rival import AllSizesRival, Rival, SizedRival

__all__ = [
    "RIVALS",
    "AllSizesRival",
    "Autoencoder",
    "Coded",
    "Entry",
    "LearnedLinear",
    "LearnedMlp",
    "MlpAdaptor",
    "QFormer",
    "Rival",
    "SizedRival",
]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One rival, for a benchmark that loops over all of them."""

    kind: type[AllSizesRival] | type[SizedRival]
    title: str
    """What a table calls it."""

    @property
    def per_size(self) -> bool:
        """Whether a fit serves one size, which `fit` must be told as `dims`."""
        return self.kind.per_size


RIVALS: dict[str, Entry] = {
    "learned-linear": Entry(kind=LearnedLinear, title="learned linear map, our losses"),
    "learned-mlp": Entry(kind=LearnedMlp, title="residual MLP, our losses"),
    "mlp-adaptor": Entry(kind=MlpAdaptor, title="residual MLP, Matryoshka-Adaptor's losses"),
    "autoencoder": Entry(kind=Autoencoder, title="autoencoder, one per size"),
    "q-former": Entry(kind=QFormer, title="Q-Former, one per size"),
}
