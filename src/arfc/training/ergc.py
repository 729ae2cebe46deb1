"""ERGC, the entity relation graph constraint: the cosine graph of a batch before and after compression."""
# E rows whose edges are scored, N entities, K dims kept

from __future__ import annotations

from torch.nn import functional

from arfc.shapes import Float, Tensor


def cosine_edges(entities_NK: Float[Tensor, "N K"], *, rows: int) -> Float[Tensor, "E N"]:
    """Return the edges of the first `rows` entities to all entities: their cosines.

    With pairs, the entities of both modalities stand in one batch, so edges within and across modalities are all here.
    """
    unit_NK = functional.normalize(entities_NK, dim=1)
    return unit_NK[:rows] @ unit_NK.T


def ergc_loss(edges_EN: Float[Tensor, "E N"], kept_edges_EN: Float[Tensor, "E N"]) -> Float[Tensor, ""]:
    """Return mean((edges - kept edges)^2) over the edges of the graph, self-edges included (they are always 1).

    Source: arXiv 2602.11494, the ERGC part: minimise the difference of both edge matrices; the squared difference is
    our choice.
    """
    return (edges_EN - kept_edges_EN).square().mean()
