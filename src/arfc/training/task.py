"""What a fit learns from: the rows of each part, their batches, and the validation score."""
# N rows or entities, D feature dims, K dims kept, E rows whose edges are scored, Q queries

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from arfc.config import TrainConfig
from arfc.shapes import Float, Tensor
from arfc.sizes import float_ladder
from arfc.training.ergc import cosine_edges, ergc_loss
from arfc.training.objectives import label_loss, neighbour_loss, pair_loss
from arfc.training.recall import (
    SAME_COSINE,
    Places,
    distinct,
    label_precision,
    means,
    nearest_others,
    neighbour_hits,
    partners,
    prefix_scores,
    reciprocal_ranks,
    same_rows,
)
from arfc.training.rows import Rows

EDGE_ROWS = 256
"""Rows of a batch whose edges to all its entities are scored: a quarter of the cost of all, and as good
(docs/log.md)."""
SCORE_QUERIES = 1000
"""Most validation rows that ask."""
ANSWERING_FIT_ROWS = 8_000
"""Most fit rows (with pairs, of each side) that answer beside all validation rows. Ten neighbours among a few hundred
rows are far away: scored on those alone, a map that serves near neighbours looks worse than the KLT; and few partners
are found so easily that overfitting does not show (docs/log.md)."""
LEAST_ALONE = 100
"""Fewest distinct validation rows that answer codes without fit rows."""
FLOOR_LOSS = 0.003
"""Largest loss of recall@10 against its floor that one size may have: what the package promises."""
SURE = 1.64
"""Standard errors of a one-sided bound that holds 19 times in 20."""
SURE_OF_ALL = 2.6
"""The same for ten sizes together: few queries would else say of most good maps that one size is worse."""
SUPERVISED_TOLERANCE = 0.007
"""Loss of score that one size may have beyond what these queries' own differences leave open."""
FEW_ROWS = 1000
"""Fit rows up to which supervised training has all of `input_noise` and of ERGC; with more both fall as 1 / rows, for
many rows are not learned by heart (docs/log.md)."""
SUPERVISED_ERGC_SCALE = 10.0
"""ERGC is a squared cosine, near 0.01; this brings it to the size of the contrastive losses."""

Compress = Callable[[Tensor, int], Tensor]
"""Unit rows (N, D) and dims -> compressed rows (N, dims)."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One step's entities (N, D), their true edges (E, N), and what supervision there is."""

    entities: Tensor
    edges: Tensor
    same: Tensor | None = None
    """(N/2, N/2) whether two pairs share a side; with pairs."""
    hidden: Tensor | None = None
    """(N/2, N/2) whether the right side of one pair is the left side of another, so that it proves nothing."""
    labels: Tensor | None = None


class Task:
    """Deal batches of the fit rows and score on the validation rows."""

    def __init__(
        self,
        fit: Rows,
        validation: Rows,
        config: TrainConfig,
        *,
        seed: int,
        answering_fit_rows: int = ANSWERING_FIT_ROWS,
    ) -> None:
        rng = np.random.default_rng([seed, 2])
        answering = np.sort(rng.permutation(len(fit))[:answering_fit_rows])
        self.fit = fit
        self.validation = validation.take(rng.permutation(len(validation)))  # the first ones ask; files may be sorted
        self.config = config
        self.seed = seed
        self.width = fit.features.shape[1]
        self.scarcity = min(1.0, FEW_ROWS / len(fit))
        """How much is needed of what keeps few rows from being learned by heart, 0 to 1."""
        self.noise = config.input_noise * self.scarcity
        """Length of the noise on a unit row of a supervised batch."""
        asking = distinct(self.validation.features)
        self.alone = len(asking)
        """Distinct validation rows."""
        self.answering = torch.cat([asking, distinct(fit.features[torch.from_numpy(answering)])])
        """Rows that answer validation queries, each once: copies tie for a place. The validation rows come first."""
        self.queries = min(SCORE_QUERIES, len(validation) if self.supervised else len(asking))
        self._answering_fit = fit.take(answering)

    @property
    def supervised(self) -> bool:
        """Whether pairs or labels say what belongs together."""
        return self.fit.partners is not None or self.fit.labels is not None

    def batch(self, step: int, *, phase: int, rows: int) -> Batch:
        """Return the batch of this step; the same seed, phase and step always give the same one.

        Without supervision rows are drawn evenly, none twice. Batches rich in neighbours have near edges to keep and
        hardly any of the far rows that come too near in few dims: maps trained on them are worse (docs/log.md).
        """
        rng = np.random.default_rng([self.seed, phase, step])
        if self.supervised:
            return self._supervised_batch(rng, rows)
        ids = rng.choice(len(self.fit), size=min(rows, len(self.fit)), replace=False)
        entities = self.fit.features[torch.from_numpy(ids)]
        return Batch(entities=entities, edges=cosine_edges(entities, rows=EDGE_ROWS))

    def _supervised_batch(self, rng: np.random.Generator, size: int) -> Batch:
        """Random rows; with pairs half as many, since both sides become entities; with labels half of them mates.

        Noise on the rows, as Bishop (1995) shows, is a penalty on maps that stretch what the rows hardly have. It is
        what keeps a few hundred pairs from being learned by heart (docs/log.md).
        """
        paired = self.fit.partners is not None
        ids = torch.from_numpy(rng.permutation(len(self.fit))[: size // 2])
        if not paired:
            ids = torch.cat([ids, torch.from_numpy(self._mates(rng, ids.numpy()))])
        left = self.fit.features[ids]
        same, hidden, entities = None, None, left
        if self.fit.partners is not None:
            right = self.fit.partners[ids]
            entities = torch.stack([left, right], 1).flatten(0, 1)  # in turn, so that scored edges start on both sides
            same = (left @ left.T > SAME_COSINE) | (right @ right.T > SAME_COSINE)
            own = torch.eye(len(ids), dtype=torch.bool, device=same.device)
            same, hidden = same | own, (left @ right.T > SAME_COSINE) & ~own
        labels = None if self.fit.labels is None else self.fit.labels[ids]
        if self.noise:
            noise = torch.from_numpy(rng.standard_normal(entities.shape, dtype=np.float32))
            entities = functional.normalize(entities + self.noise * self.width**-0.5 * noise, dim=1)
        edges = cosine_edges(entities, rows=EDGE_ROWS)
        return Batch(entities=entities, edges=edges, same=same, hidden=hidden, labels=labels)

    def _mates(self, rng: np.random.Generator, ids: np.ndarray) -> np.ndarray:
        """Return another random row of each row's class, none of a row that is alone in its class.

        With many small classes a random batch holds no two of one.
        """
        by_class, place, first, count = self._classes
        ids = ids[count[self.fit_labels[ids]] > 1]
        label = self.fit_labels[ids]
        further = 1 + (rng.random(len(ids)) * (count[label] - 1)).astype(np.int64)
        return by_class[first[label] + (place[ids] - first[label] + further) % count[label]]

    @functools.cached_property
    def fit_labels(self) -> np.ndarray:
        """Class numbers of the fit rows, from 0 without gaps."""
        assert self.fit.labels is not None
        return np.unique(self.fit.labels.numpy(), return_inverse=True)[1]

    @functools.cached_property
    def _classes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Rows ordered by class, each row's place there, and each class's first place and size."""
        by_class, count = np.argsort(self.fit_labels, kind="stable"), np.bincount(self.fit_labels)
        return by_class, np.argsort(by_class), np.cumsum(count) - count, count

    def loss(self, batch: Batch, kept_NK: Float[Tensor, "N K"], floor_NK: Float[Tensor, "N K"]) -> Float[Tensor, ""]:
        """Return the weighted objectives of one prefix.

        Without supervision, ERGC and the neighbour loss are shares of what the floor's prefix of the same length
        loses, so long prefixes, which lose little, are held as firmly as short ones. With pairs or labels the
        supervised loss stands as it is and ERGC keeps the graph from drifting, the less the more rows there are; the
        neighbour loss is left out, since supervision moves neighbours.
        """
        config, edges = self.config, batch.edges
        kept_edges = cosine_edges(kept_NK, rows=EDGE_ROWS)
        graph = ergc_loss(edges, kept_edges)
        if not self.supervised:
            floor_edges = cosine_edges(floor_NK, rows=EDGE_ROWS).detach()
            ours = neighbour_loss(edges, kept_edges, temperature=config.temperature)
            floor = neighbour_loss(edges, floor_edges, temperature=config.temperature)
            ergc_share, neighbour_share = graph / (ergc_loss(edges, floor_edges) + 1e-5), ours / (floor + 2e-3)
            return config.ergc_weight * ergc_share + config.neighbour_weight * neighbour_share
        return config.ergc_weight * SUPERVISED_ERGC_SCALE * self.scarcity * graph + self.contrast(batch, kept_NK)

    def contrast(self, batch: Batch, kept_NK: Float[Tensor, "N K"]) -> Float[Tensor, ""]:
        """Return the weighted losses of pairs and labels, whichever there are, of one prefix."""
        config, total = self.config, kept_NK.new_zeros(())
        if batch.same is not None:
            left, right = kept_NK[::2], kept_NK[1::2]
            contrast = pair_loss(left, right, batch.same, temperature=config.temperature, hidden_NN=batch.hidden)
            total = total + config.pairs_weight * contrast
        if batch.labels is not None:
            labels = batch.labels if batch.same is None else batch.labels.repeat_interleave(2)
            total = total + config.labels_weight * label_loss(kept_NK, labels, temperature=config.temperature)
        return total

    @functools.cached_property
    def scored(self) -> list[Tensor]:
        """The rows that are scored: both sides of those that answer (pairs), validation rows (labels), or those that
        answer."""
        rows, others = self.validation, self._answering_fit
        if rows.partners is not None and others.partners is not None:
            return [torch.cat([rows.features, others.features]), torch.cat([rows.partners, others.partners])]
        return [rows.features if rows.labels is not None else self.answering]

    @functools.cached_property
    def of_codes(self) -> Task:
        """The task that codes are scored on: fit rows, which codebooks know by heart, do not answer.

        Known partners do, for those that a model meets later are the same; and so do all where validation rows are too
        few to be each other's neighbours, for then, at the usual shares, fit rows are too few for codebooks.
        """
        rows = self.validation
        known = rows.partners is not None and self.config.known_partners
        by_class = rows.partners is None and rows.labels is not None  # fit rows do not answer there anyway
        if by_class or known or self.alone < LEAST_ALONE:
            return self
        return Task(self.fit, self.validation, self.config, seed=self.seed, answering_fit_rows=0)

    @property
    def judged_sizes(self) -> tuple[int, ...]:
        """The dims by which choices are made: the float ladder's, or the one that alone is trained."""
        fixed = self.config.size_law == "fixed"
        return (min(self.config.fixed_dims, self.width),) if fixed else float_ladder(self.width)

    @torch.no_grad()
    def hits(
        self, asked: Sequence[Tensor], stored: Sequence[Tensor] | None = None, *, sizes: Sequence[int] | None = None
    ) -> dict[int, Tensor]:
        """Return per size how right each query was, 0 to 1; prefixes of `asked` ask for prefixes of `stored`.

        Both are `scored` in the form they are compared in; without `stored` it is the same form. The sizes are
        `judged_sizes` unless given. The mean is recall@10, MRR both ways (pairs: one query per row and way; steadier
        than R@1 where pairs are few; one way where partners are known), or mAP@R by class.
        """
        rows, stored = self.validation, stored or asked
        sizes = self.judged_sizes if sizes is None else sizes
        asking = asked[0][: self.queries]
        if rows.partners is not None:
            (there, back), (right_there, right_back) = self._same, self._right
            others = asked[1][: self.queries]
            hits = {k: reciprocal_ranks(s, right_there, there) for k, s in prefix_scores(asking, stored[1], sizes)}
            if self.config.known_partners:
                return hits
            return {
                k: torch.cat([hits[k], reciprocal_ranks(s, right_back, back)])
                for k, s in prefix_scores(others, stored[0], sizes)
            }
        if rows.labels is not None:
            labels = rows.labels
            return {k: label_precision(s, labels, self._same[0]) for k, s in prefix_scores(asking, stored[0], sizes)}
        return {k: neighbour_hits(s, self._truth) for k, s in prefix_scores(asking, stored[0], sizes)}

    def scores(self, compress: Compress) -> dict[int, float]:
        """Return the validation score at the float ladder's sizes."""
        with torch.no_grad():
            full = [compress(rows, self.width) for rows in self.scored]
        return means(self.hits(full, sizes=float_ladder(self.width)))

    def keeps(self, hits: dict[int, Tensor], floor: dict[int, Tensor]) -> bool:
        """Return whether no size loses against its floor, as far as these queries can tell.

        Each query is compared with itself under the floor, which is far less noisy than two means. Without supervision
        the mean gain of a size, less `SURE` standard errors, must not be below -`FLOOR_LOSS`: so few queries, which
        can't tell, keep the floor. With pairs or labels cosines change on purpose and a query has one answer: there the
        mean gain with `SURE_OF_ALL` of them added must not be below -`SUPERVISED_TOLERANCE`.
        """
        sure, most_lost = (-SURE_OF_ALL, SUPERVISED_TOLERANCE) if self.supervised else (SURE, FLOOR_LOSS)
        for k in floor:
            gain_Q = (hits[k] - floor[k]).double()
            if not gain_Q.mean() - sure * gain_Q.std() / len(gain_Q) ** 0.5 >= -most_lost:
                return False
        return True

    @functools.cached_property
    def _same(self) -> tuple[Places, Places]:
        """Where a row that asks would find itself among the answers, one way and the other."""
        first, last = self.scored[0], self.scored[-1]
        if self.validation.partners is None:
            there = same_rows(first[: self.queries], last)
            return there, there
        return same_rows(first[: self.queries], last), same_rows(last[: self.queries], first)

    @functools.cached_property
    def _right(self) -> tuple[Tensor, Tensor]:
        """Which answers are right for the rows that ask, one way and the other."""
        left, right = self.scored
        return partners(left, right, queries=self.queries), partners(right, left, queries=self.queries)

    @functools.cached_property
    def _truth(self) -> Tensor:
        """Ids (queries, 10) of the true neighbours among those that answer."""
        return nearest_others(self.answering[: self.queries] @ self.answering.T, k=10)
