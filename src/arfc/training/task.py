"""What a fit learns from: the rows of each part, their batches, and the validation score."""
# N rows or entities, D feature dims, K dims kept, E rows whose edges are scored, Q queries

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import normalize

from arfc.config import TrainConfig
from arfc.shapes import Float, Tensor
from arfc.sizes import float_ladder
from arfc.training.ergc import cosine_edges, ergc_loss
from arfc.training.neighbours import nearest
from arfc.training.objectives import label_loss, neighbour_loss, pair_loss

EDGE_ROWS = 256
"""Rows of a batch whose edges to all its entities are scored: a quarter of the cost of all, and as good
(docs/log.md)."""
SCORE_QUERIES = 1000
"""Most validation rows that ask."""
ANSWERING_FIT_ROWS = 8_000
"""Most fit rows that answer beside all validation rows, without supervision. Ten neighbours among a few hundred rows
are far away: scored on those alone, a map that serves near neighbours looks worse than the KLT (docs/log.md)."""
TOLERANCE = 0.002
"""Largest loss of recall@10 against its floor that one size may show where 1,000 rows ask, about half its noise."""
SUPERVISED_TOLERANCE = 0.007
"""The same for R@1, which has one answer per query in place of ten."""
SUPERVISED_ERGC_SCALE = 10.0
"""ERGC is a squared cosine, near 0.01; this brings it to the size of the contrastive losses."""
SAME_COSINE = 0.99999
"""Rows at least this near are one and the same in a batch of pairs."""

Compress = Callable[[Tensor, int], Tensor]
"""Unit rows (N, D) and dims -> compressed rows (N, dims)."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Unit rows of one part; `partners` are the other modality's, row by row."""

    features: Tensor
    partners: Tensor | None = None
    labels: Tensor | None = None

    def __len__(self) -> int:
        return len(self.features)

    def take(self, ids: np.ndarray) -> Rows:
        """Return these rows, of all that is there."""
        at = torch.from_numpy(ids)
        return Rows(
            features=self.features[at],
            partners=None if self.partners is None else self.partners[at],
            labels=None if self.labels is None else self.labels[at],
        )

    @property
    def entities(self) -> Tensor:
        """Rows of all modalities, one below the other."""
        return self.features if self.partners is None else torch.cat([self.features, self.partners])


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

    def __init__(self, fit: Rows, validation: Rows, config: TrainConfig, *, seed: int) -> None:
        self.fit = fit
        self.validation = validation
        self.config = config
        self.seed = seed
        self.width = fit.features.shape[1]
        self.neighbours = min(config.neighbours, len(fit) - 1)
        rng = np.random.default_rng([seed, 2])
        answering = np.sort(rng.permutation(len(fit))[:ANSWERING_FIT_ROWS])
        asking = distinct(validation.features)
        self.answering = torch.cat([asking, distinct(fit.features[torch.from_numpy(answering)])])
        """Rows that answer validation queries, each once: copies tie for a place. The validation rows come first."""
        self.queries = min(SCORE_QUERIES, len(asking))
        self._truth = None if self.supervised else nearest_by(self.answering, self.queries)

    @functools.cached_property
    def near_ids(self) -> Tensor:
        """Ids (N, neighbours) of the nearest fit rows of each; searched at their first use, none under supervision."""
        return nearest(self.fit.features, k=self.neighbours)[0]

    @property
    def supervised(self) -> bool:
        """Whether pairs or labels say what belongs together."""
        return self.fit.partners is not None or self.fit.labels is not None

    @property
    def tolerance(self) -> float:
        """How far below its floor one size may score on these validation rows before it counts as a loss."""
        tolerance = SUPERVISED_TOLERANCE if self.supervised else TOLERANCE
        return tolerance * (SCORE_QUERIES / min(SCORE_QUERIES, len(self.validation))) ** 0.5

    def batch(self, step: int, *, phase: int, anchors: int) -> Batch:
        """Return the batch of this step; the same seed, phase and step always give the same one."""
        rng = np.random.default_rng([self.seed, phase, step])
        size = anchors * (self.config.neighbours + 1)
        if self.supervised:
            return self._supervised_batch(rng, size)
        chosen = torch.from_numpy(rng.integers(len(self.fit), size=min(anchors, len(self.fit))))
        ids = torch.cat([chosen[:, None], self.near_ids[chosen]], 1).flatten()
        entities = self.fit.features[ids]
        return Batch(entities=entities, edges=cosine_edges(entities, rows=EDGE_ROWS))

    def _supervised_batch(self, rng: np.random.Generator, size: int) -> Batch:
        """Random rows; with pairs half as many, since both sides become entities; with labels half of them mates."""
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
        edges = cosine_edges(entities, rows=EDGE_ROWS)
        return Batch(entities=entities, edges=edges, same=same, hidden=hidden, labels=labels)

    def _mates(self, rng: np.random.Generator, ids: np.ndarray) -> np.ndarray:
        """Return a random row of each row's class: with many small classes a random batch holds no two of one."""
        by_class, first, count = self._classes
        label = self.fit_labels[ids]
        return by_class[first[label] + (rng.random(len(ids)) * count[label]).astype(np.int64)]

    @functools.cached_property
    def fit_labels(self) -> np.ndarray:
        """Class numbers of the fit rows, from 0 without gaps."""
        assert self.fit.labels is not None
        return np.unique(self.fit.labels.numpy(), return_inverse=True)[1]

    @functools.cached_property
    def _classes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows ordered by class, and each class's first place and size there."""
        count = np.bincount(self.fit_labels)
        return np.argsort(self.fit_labels, kind="stable"), np.cumsum(count) - count, count

    def loss(self, batch: Batch, kept_NK: Float[Tensor, "N K"], floor_NK: Float[Tensor, "N K"]) -> Float[Tensor, ""]:
        """Return the weighted objectives of one prefix.

        Without supervision, ERGC and the neighbour loss are shares of what the floor's prefix of the same length
        loses, so long prefixes, which lose little, are held as firmly as short ones. With pairs or labels the
        supervised loss stands as it is and ERGC keeps the graph from drifting; the neighbour loss is left out, since
        supervision moves neighbours.
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
        total = config.ergc_weight * SUPERVISED_ERGC_SCALE * graph
        if batch.same is not None:
            left, right = kept_NK[::2], kept_NK[1::2]
            contrast = pair_loss(left, right, batch.same, temperature=config.temperature, hidden_NN=batch.hidden)
            total = total + config.pairs_weight * contrast
        if batch.labels is not None:
            labels = batch.labels if batch.same is None else batch.labels.repeat_interleave(2)
            total = total + config.labels_weight * label_loss(kept_NK, labels, temperature=config.temperature)
        return total

    @torch.no_grad()
    def scores(self, compress: Compress) -> dict[int, float]:
        """Return the validation score at the float ladder's sizes: recall@10, R@1 both ways (pairs), or by class."""
        ladder = float_ladder(self.width)
        rows = self.validation
        if rows.partners is not None:
            left, right = compress(rows.features, self.width), compress(rows.partners, self.width)
            return {k: sum(pair_recall(left[:, :k], right[:, :k], rows)) / 2 for k in ladder}
        if rows.labels is not None:
            full = compress(rows.features, self.width)
            return {k: label_recall(full[:, :k], rows.labels) for k in ladder}
        assert self._truth is not None
        full = compress(self.answering, self.width)
        return {k: neighbour_recall(full[:, :k], self._truth) for k in ladder}


def distinct(rows_ND: Float[Tensor, "N D"]) -> Float[Tensor, "M D"]:
    """Return the rows without exact copies of earlier ones, in their order."""
    _, copy_of_N = torch.unique(rows_ND, dim=0, return_inverse=True)
    first_M = np.unique(copy_of_N.numpy(), return_index=True)[1]
    return rows_ND[torch.from_numpy(np.sort(first_M))]


def nearest_by(
    asked_NK: Float[Tensor, "N K"], queries: int, k: int = 10, stored_NK: Float[Tensor, "N K"] | None = None
) -> Tensor:
    """Return the ids (Q, k) of the nearest other rows of the first `queries` rows, by cosine.

    `stored_NK` are the rows as stored, when that is another form than the queries'.
    """
    queries_QK = normalize(asked_NK[:queries], dim=1)
    rows_NK = normalize(asked_NK if stored_NK is None else stored_NK, dim=1)
    scores_QN = queries_QK @ rows_NK.T
    own = torch.arange(len(scores_QN), device=scores_QN.device)
    scores_QN[own, own] = -2
    return scores_QN.topk(min(k, len(rows_NK) - 1), dim=1).indices


def neighbour_recall(
    asked_NK: Float[Tensor, "N K"], truth_Qk: Tensor, stored_NK: Float[Tensor, "N K"] | None = None
) -> float:
    """Return the share of the true neighbours found among as many nearest rows."""
    found_Qk = nearest_by(asked_NK, len(truth_Qk), truth_Qk.shape[1], stored_NK)
    return float((truth_Qk[:, :, None] == found_Qk[:, None]).any(2).float().mean())


def pair_recall(left_NK: Float[Tensor, "N K"], right_NK: Float[Tensor, "N K"], rows: Rows) -> tuple[float, float]:
    """Return R@1 left to right and right to left; a row equal to the right answer, or to the asker, is right too."""
    assert rows.partners is not None
    scores_NN = normalize(left_NK, dim=1) @ normalize(right_NK, dim=1).T
    own = torch.arange(len(scores_NN), device=scores_NN.device)
    itself_NN = rows.features @ rows.partners.T > SAME_COSINE
    itself_NN[own, own] = False
    scores_NN = scores_NN.masked_fill(itself_NN, -2)

    def hits(scores: Tensor, asked: Tensor, answers: Tensor) -> float:
        best = scores.argmax(1)
        twin = ((answers[best] * answers).sum(1) > SAME_COSINE) | ((asked[best] * asked).sum(1) > SAME_COSINE)
        return float(((best == own) | twin).float().mean())

    return hits(scores_NN, rows.features, rows.partners), hits(scores_NN.T, rows.partners, rows.features)


def label_recall(
    asked_NK: Float[Tensor, "N K"], labels_N: Tensor, stored_NK: Float[Tensor, "N K"] | None = None
) -> float:
    """Return R@1 by class among these rows: the share whose nearest other row has the same label."""
    best = nearest_by(asked_NK, len(asked_NK), 1, stored_NK)[:, 0]
    return float((labels_N[best] == labels_N).float().mean())
