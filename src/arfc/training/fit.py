"""A whole fit: rows in, trained network and its record out."""
# N rows, D feature dims

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from arfc.config import Config
from arfc.errors import RowError
from arfc.model.network import Network
from arfc.shapes import Array, Int
from arfc.training.arc_phase import ArcPhase
from arfc.training.decoder_phase import DecoderPhase
from arfc.training.linear_phase import learn_map
from arfc.training.loop import Run, run_phase
from arfc.training.neighbours import duplicate_groups, join_groups
from arfc.training.openings import choose_openings
from arfc.training.rows import Rows
from arfc.training.split import Split, held_out_rows, largest_group, split_rows
from arfc.training.task import Task

NEARER = 0.99999
"""Cosine from which on rows count as duplicates where that of the config leaves a part empty."""
COPIES = 2.0
"""A cosine out of reach: copies alone are duplicates."""
SMALL_CLASS_ROWS = 20
"""Classes with fewer rows than this on average name things rather than kinds, and are kept whole by the split."""
LINEAR_SHARE = 0.45
"""Share of a time budget that phase 1 may use; with pairs or labels it has two maps to learn (docs/log.md)."""
ARC_SHARE = 0.8
"""Share of what is then left that phase 2 may use; the decoder has the rest."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What a fit gives: the network, the parts it used, and what happened."""

    network: Network
    task: Task
    split: Split
    history: dict[str, Any]


def fit_id(rows: Rows, config: Config, *, seed: int) -> str:
    """Return a hash of everything that decides a fit's result, so that a checkpoint is resumed by its own fit only."""
    digest = hashlib.sha256(json.dumps([config.to_dict(), seed, torch.__version__]).encode())
    for tensor in (rows.features, rows.partners, rows.labels):
        if tensor is not None:
            digest.update(np.ascontiguousarray(tensor.numpy()).data)
    return digest.hexdigest()


def split(rows: Rows, config: Config, *, seed: int) -> Split:
    """Split rows so that no duplicate group has rows in two parts.

    With pairs the groups go over both modalities: a row that is the partner of one row and a feature elsewhere ties
    both; where partners are known (`known_partners`), over features alone. With labels, small classes are kept whole
    too, unless the held-out parts of so few rows have no room for most of them: then they are split as large ones are.

    In two dims, or in tight clusters, near rows may hang together until a part has none. Then only nearer ones count as
    duplicates, at last copies alone.

    Raises: as `split_rows`.
    """

    def at(cosine: float) -> Split:
        parts = split_rows(_groups(rows, config, cosine=cosine), config.train, seed=seed)
        return replace(parts, duplicate_cosine=min(cosine, 1.0))

    wanted = config.train.duplicate_cosine
    for cosine in (wanted, NEARER) if wanted < NEARER else (wanted,):
        with suppress(RowError):
            return at(cosine)
    return at(COPIES)


def _groups(rows: Rows, config: Config, *, cosine: float) -> Int[Array, " N"]:
    """Return a number per row; rows of one number stay in one part."""
    known = rows.partners is not None and config.train.known_partners
    groups = duplicate_groups(rows.features if known else rows.entities, cosine=cosine)
    if rows.partners is not None and not known:
        groups = join_groups(*groups.chunk(2))
    if rows.labels is not None:
        _, class_N, sizes = rows.labels.unique(return_inverse=True, return_counts=True)
        room = min(largest_group(wanted) for wanted in held_out_rows(len(rows), config.train) if wanted)
        most_fit = 2 * int(sizes[sizes <= room].sum()) >= len(rows)
        if len(rows) < SMALL_CLASS_ROWS * len(sizes) and most_fit:
            groups = join_groups(groups, class_N + int(groups.max()) + 1)
    return groups.numpy()


def fit_network(rows: Rows, parts: Split, config: Config, *, seed: int, run: Run) -> Fitted:
    """Fit the KLT, train the linear map and ARC, choose the openings, train the decoder."""
    torch.manual_seed(seed)
    network = Network(rows.features.shape[1], config.model)
    fit_rows, validation = rows.take(parts.fit), rows.take(parts.validation)
    network.klt.fit(fit_rows.entities.split(8192))
    network.refresh()
    task = Task(fit_rows, validation, config.train, seed=seed)
    run.has_model = True

    history = learn_map(network, task, run, budget_s=LINEAR_SHARE * (run.budget_s - run.elapsed_s))
    network.set_scale()

    arc = ArcPhase(network, task)
    history["arc"] = run_phase(arc, run, budget_s=max(1e-3, ARC_SHARE * (run.budget_s - run.elapsed_s)))
    history["openings"] = choose_openings(network, task, run)
    history["decoder"] = run_phase(DecoderPhase(network, task), run, budget_s=max(1e-3, run.budget_s - run.elapsed_s))
    history["ends"] = run.ends
    network.eval().requires_grad_(False)
    return Fitted(network=network, task=task, split=parts, history=history)
