"""Retrieval between two sets whose rows belong together, both ways."""
# I images (first set), T texts (second set), C texts of an image at most, P pairs to judge, Q queries, D feature dims

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from arfc.errors import RowError, ShapeError
from arfc.evaluate.nearest import nearest
from arfc.evaluate.task import Scores, Sets, check_numbers, check_sets, right_within
from arfc.scores import unit_rows
from arfc.shapes import Array, Bool, Float32, Int64

PLACES = (1, 5, 10)
SAME_COSINE = 0.99999
"""Rows at least this near are one and the same: what is right for one is right for the other."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CrossModal:
    """R@1, R@5, R@10 of what belongs to a query, both ways; an image may have several texts, of which any is right.

    Source: the protocol of Flickr30K (Karpathy and Fei-Fei, 2015): every row of the other set answers. Ours: a row that
    equals a right one is right too, and so is what belongs to a row that equals the query.
    """

    rows: Sets
    """Images first, then texts, under their names."""
    image_of_text: Int64[Array, " T"]
    """The image row of each text."""
    asking_images: Int64[Array, " _"] | None = None
    """Image rows that ask; None: all."""
    asking_texts: Int64[Array, " _"] | None = None
    """Text rows that ask; None: all."""

    def __post_init__(self) -> None:
        images, texts = (len(self.rows[name]) for name in check_sets(self.rows, names=2))
        if self.image_of_text.shape != (texts,):
            raise ShapeError(f"each of {texts} texts must have one image row, got shape {self.image_of_text.shape}")
        check_numbers(self.image_of_text, name="image rows of the texts", below=images)
        for what, asking, count in (("images", self.asking_images, images), ("texts", self.asking_texts, texts)):
            if asking is not None:
                check_numbers(asking, name=f"{what} that ask", below=count)
        asking_Q = self._asking()[0]
        alone = len(np.setdiff1d(asking_Q, self.image_of_text))
        if alone:
            raise RowError(f"images that ask must have texts to find, got {alone} without; leave them out")

    def scores(self, asked: Sets, stored: Sets) -> Scores:
        """Return each R@k of each way; as `Task.scores`."""
        images, texts = self.rows
        image_Q, text_Q = self._asking()
        scores: Scores = {}
        for asker, answerer, rows_Q in ((images, texts, image_Q), (texts, images, text_Q)):
            k = min(max(PLACES), len(stored[answerer]))
            found_QK = nearest(asked[asker][rows_Q], stored[answerer], k=k)
            asks_QK = np.broadcast_to(rows_Q[:, None], found_QK.shape)
            image_QK, text_QK = (asks_QK, found_QK) if asker == images else (found_QK, asks_QK)
            right_QK = self._belong(image_QK.ravel(), text_QK.ravel()).reshape(found_QK.shape)
            scores |= right_within(right_QK, PLACES, f"R@{{}} {asker} to {answerer}")
        return scores

    def draws(self, metric: str) -> Int64[Array, " Q"] | None:
        """Return the image of each text that asks: texts of an image were drawn together. Images came alone."""
        images, texts = self.rows
        drawn_Q: Int64[Array, " Q"] = self.image_of_text[self._asking()[1]]
        return drawn_Q if metric.endswith(f"{texts} to {images}") else None

    def _asking(self) -> tuple[Int64[Array, " _"], Int64[Array, " _"]]:
        images, texts = map(len, self.rows.values())
        return (
            np.arange(images) if self.asking_images is None else self.asking_images,
            np.arange(texts) if self.asking_texts is None else self.asking_texts,
        )

    def _belong(self, image_P: Int64[Array, " P"], text_P: Int64[Array, " P"]) -> Bool[Array, " P"]:
        """Say which images and texts belong together, or equal such a pair in one of the two."""
        images_ID, texts_TD = self._unit
        belong_P = _same(images_ID, image_P, self.image_of_text[text_P])
        for own_I in self._texts_of_image.T:
            own_P = own_I[image_P]
            belong_P |= (own_P >= 0) & _same(texts_TD, text_P, own_P)
        return belong_P

    @cached_property
    def _unit(self) -> tuple[Float32[Array, "I D"], Float32[Array, "T D"]]:
        images_ID, texts_TD = map(unit_rows, self.rows.values())
        return images_ID, texts_TD

    @cached_property
    def _texts_of_image(self) -> Int64[Array, "I C"]:
        """The text rows of each image, filled up with -1."""
        counts_I = np.bincount(self.image_of_text, minlength=len(self._unit[0]))
        order_T = np.argsort(self.image_of_text, kind="stable")
        slot_T = np.arange(len(order_T)) - np.repeat(np.cumsum(counts_I) - counts_I, counts_I)
        texts_IC = np.full((len(counts_I), int(counts_I.max())), -1)
        texts_IC[self.image_of_text[order_T], slot_T] = order_T
        return texts_IC


def _same(unit_ND: Float32[Array, "N D"], one_P: Int64[Array, " P"], other_P: Int64[Array, " P"]) -> Bool[Array, " P"]:
    same_P: Bool[Array, " P"] = one_P == other_P
    maybe_P = np.flatnonzero(~same_P)
    # In blocks: the rows of all pairs at once can be far larger than the two sets.
    for block_p in np.array_split(maybe_P, max(1, len(maybe_P) // 8192)):
        same_P[block_p] = np.einsum("pd,pd->p", unit_ND[one_P[block_p]], unit_ND[other_P[block_p]]) > SAME_COSINE
    return same_P
