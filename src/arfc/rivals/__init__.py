"""Learned baselines in the shape of the Compressor: what else could be trained on the same rows.

Equal terms: every rival reads, checks and splits its rows as `Compressor.fit` does, so that under one seed all see the
same fit and validation rows; it starts at the KLT, as the compressor does; it trains in the same loop, with early
stopping on the validation score of its own sizes, and keeps its best state. Each can be fitted on features
alone, with pairs and with labels. For equal time, give a rival that serves all sizes the seconds that `Compressor.fit`
trains as `budget_s`, and one that serves a single size an equal share of them for each of its sizes; early stopping may
end either sooner.
"""

from __future__ import annotations

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
    "LearnedLinear",
    "LearnedMlp",
    "MlpAdaptor",
    "QFormer",
    "Rival",
    "SizedRival",
]


RIVALS: dict[str, type[AllSizesRival] | type[SizedRival]] = {
    "learned-linear": LearnedLinear,
    "learned-mlp": LearnedMlp,
    "mlp-adaptor": MlpAdaptor,
    "autoencoder": Autoencoder,
    "q-former": QFormer,
}
"""Every rival. One with `per_size` serves the size that `fit` is told as `dims`; the others serve all."""
