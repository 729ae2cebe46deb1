"""Folders of your own features: images with texts, or images with labels; docs/data.md describes the form.

Letters: I images, T texts, D feature dims.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from _sets import DataSet, array, class_tasks, floats, held_out
from arfc.evaluate import CrossModal, Task


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """Images of one split with what belongs to them: texts, or a label each."""

    images: np.ndarray
    texts: np.ndarray | None
    image_of_text: np.ndarray | None
    labels: np.ndarray | None

    def take(self, images: np.ndarray) -> Part:
        """Return some of the images, by ascending row number, with all that belongs to them."""
        if self.texts is None:
            return Part(images=self.images[images], texts=None, image_of_text=None, labels=self.labels[images])
        kept_T = np.isin(self.image_of_text, images)
        return Part(
            images=self.images[images],
            texts=self.texts[kept_T],
            image_of_text=np.searchsorted(images, self.image_of_text[kept_T]),
            labels=None,
        )


def load_folder(folder: Path) -> DataSet:
    """Return the set in a folder with `fit`, `test` and perhaps `validation`.

    Without `validation`, a fifth of the images of `fit` are held out for it.

    Raises: SystemExit that names what is missing or does not match.
    """
    fit, test = _read(folder / "fit"), _read(folder / "test")
    if (folder / "validation").is_dir():
        validation = _read(folder / "validation")
    else:
        kept, others = held_out(len(fit.images))
        fit, validation = fit.take(kept), fit.take(others)
    if all(part.texts is not None for part in (fit, validation, test)):
        return DataSet(
            fit=np.concatenate([fit.images, fit.texts]),
            pairs=(fit.images[fit.image_of_text], fit.texts),
            validation=[_cross_modal(validation)],
            test=[_cross_modal(test)],
        )
    if any(part.labels is None for part in (fit, validation, test)):
        raise SystemExit(f"{folder} needs the same in fit, validation and test: texts.npy in all, or labels.npy in all")
    classes = floats(folder / "classes.npy") if (folder / "classes.npy").is_file() else None
    return DataSet(
        fit=fit.images,
        labels=fit.labels,
        validation=class_tasks(fit.images, fit.labels, validation.images, validation.labels, classes=classes),
        test=class_tasks(fit.images, fit.labels, test.images, test.labels, classes=classes),
    )


def _read(folder: Path) -> Part:
    images_ID = floats(folder / "images.npy")
    if (folder / "labels.npy").is_file():
        labels_I = array(folder / "labels.npy").astype(np.int64)
        if labels_I.shape != (len(images_ID),):
            raise SystemExit(
                f"{folder} needs one label per image, {len(images_ID)}, got labels of shape {labels_I.shape}"
            )
        return Part(images=images_ID, texts=None, image_of_text=None, labels=labels_I)
    if not (folder / "texts.npy").is_file():
        raise SystemExit(f"{folder} needs texts.npy or labels.npy beside images.npy; docs/data.md tells the form")
    texts_TD = floats(folder / "texts.npy")
    if (folder / "text_image.npy").is_file():
        image_of_text = array(folder / "text_image.npy").astype(np.int64)
    elif len(texts_TD) % len(images_ID) == 0:
        image_of_text = np.arange(len(texts_TD)) // (len(texts_TD) // len(images_ID))
    else:
        raise SystemExit(
            f"{folder} needs text_image.npy, the image row of each text: {len(texts_TD)} texts are no multiple of "
            f"{len(images_ID)} images"
        )
    return Part(images=images_ID, texts=texts_TD, image_of_text=image_of_text, labels=None)


def _cross_modal(part: Part) -> Task:
    return CrossModal(rows={"images": part.images, "texts": part.texts}, image_of_text=part.image_of_text)
