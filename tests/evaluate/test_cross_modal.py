"""Several texts per image, both ways, and equal rows that are right too."""

import numpy as np
import pytest

from arfc import RowError, ShapeError
from arfc.evaluate import CrossModal, uncompressed_scores


@pytest.fixture
def flickr(rng):
    """30 images with one to five texts each, in mixed order, about as near as in real sets."""
    images = rng.standard_normal((30, 12))
    image_of_text = rng.permutation(np.repeat(np.arange(30), rng.integers(1, 6, size=30)))
    texts = images[image_of_text] + 1.2 * rng.standard_normal((len(image_of_text), 12))
    return images.astype(np.float32), texts.astype(np.float32), image_of_text


def first(asked, answers, k):
    unit = answers / np.linalg.norm(answers, axis=1, keepdims=True)
    return np.argsort(-asked @ unit.T, axis=1, kind="stable")[:, :k]


def test_any_text_of_an_image_is_right(flickr):
    images, texts, image_of_text = flickr
    scores = uncompressed_scores(CrossModal(rows={"images": images, "texts": texts}, image_of_text=image_of_text))
    assert list(scores) == [f"R@{k} {way}" for way in ("images to texts", "texts to images") for k in (1, 5, 10)]
    for k in (1, 5, 10):
        expected = (image_of_text[first(images, texts, k)] == np.arange(30)[:, None]).any(1)
        np.testing.assert_array_equal(scores[f"R@{k} images to texts"], expected)
        expected = (first(texts, images, k) == image_of_text[:, None]).any(1)
        np.testing.assert_array_equal(scores[f"R@{k} texts to images"], expected)
    assert 0.1 < scores["R@1 texts to images"].mean() < scores["R@1 images to texts"].mean() < 0.95


def test_only_some_ask_but_all_answer(flickr):
    images, texts, image_of_text = flickr
    rows = {"images": images, "texts": texts}
    whole = uncompressed_scores(CrossModal(rows=rows, image_of_text=image_of_text))
    some_images, some_texts = np.array([3, 17, 4]), np.array([20, 1])
    part = uncompressed_scores(
        CrossModal(rows=rows, image_of_text=image_of_text, asking_images=some_images, asking_texts=some_texts)
    )
    for metric, scores in part.items():
        np.testing.assert_array_equal(scores, whole[metric][some_images if "images to" in metric else some_texts])


def test_asked_and_stored_are_kept_apart(flickr, rng):
    images, texts, image_of_text = flickr
    task = CrossModal(rows={"images": images, "texts": texts}, image_of_text=image_of_text)
    stored = {"images": images[:, :5], "texts": texts[:, :5]}
    expected = (first(texts[:, :5], images[:, :5], 1)[:, 0] == image_of_text).mean()
    assert task.scores(stored, stored)["R@1 texts to images"].mean() == pytest.approx(expected)
    spoilt = {"images": rng.standard_normal((30, 12)), "texts": texts}  # as they are stored
    scores = task.scores(task.rows, spoilt)
    assert scores["R@1 texts to images"].mean() < 0.2
    np.testing.assert_array_equal(scores["R@1 images to texts"], uncompressed_scores(task)["R@1 images to texts"])


def test_rows_that_equal_a_right_one_are_right():
    images = np.eye(4, dtype=np.float32)
    images[1] = 3 * images[0]  # the same picture twice
    texts = np.eye(4, dtype=np.float32)[[1, 0, 2, 2]]  # each has the other's text; two pictures have the same text
    scores = uncompressed_scores(CrossModal(rows={"images": images, "texts": texts}, image_of_text=np.arange(4)))
    np.testing.assert_array_equal(scores["R@1 images to texts"][:3], [1, 1, 1])
    # Texts 2 and 3 are equal, so either of their pictures is right; the best pictures of text 1 are the equal 0 and 1.
    np.testing.assert_array_equal(scores["R@1 texts to images"][1:], [1, 1, 1])


def test_an_equal_text_of_another_image_does_not_make_all_of_its_texts_right():
    images = np.eye(3, dtype=np.float32)
    texts = np.eye(3, dtype=np.float32)[[0, 2, 2, 1]]
    image_of_text = np.array([0, 0, 1, 1])  # text 1 of image 0 equals text 2 of image 1
    images = np.concatenate([images[[1]], images[[0]]])
    task = CrossModal(rows={"images": images, "texts": texts}, image_of_text=image_of_text)
    # Image 0 finds text 3, image 1 text 0: these belong to the other image, and equal none of their own.
    np.testing.assert_array_equal(uncompressed_scores(task)["R@1 images to texts"], [0, 0])


def test_refused(flickr):
    images, texts, image_of_text = flickr
    with pytest.raises(ShapeError, match=f"each of {len(texts)} texts must have one image row, got shape"):
        CrossModal(rows={"images": images, "texts": texts}, image_of_text=image_of_text[:-1])
    with pytest.raises(RowError, match=r"image rows of the texts must be row numbers within 0\.\.28, got 0\.\.29"):
        CrossModal(rows={"images": images[:-1], "texts": texts}, image_of_text=image_of_text)
    kept = image_of_text != 4
    with pytest.raises(RowError, match="images that ask must have texts to find, got 1 without"):
        CrossModal(rows={"images": images, "texts": texts[kept]}, image_of_text=image_of_text[kept])
    others = np.delete(np.arange(30), 4)
    CrossModal(rows={"images": images, "texts": texts[kept]}, image_of_text=image_of_text[kept], asking_images=others)
