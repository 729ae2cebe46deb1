"""Folders of one's own features, in the form that docs/data.md describes."""

import numpy as np
import pytest

from _data import load
from arfc.evaluate import uncompressed_scores

WIDTH = 12


def scores_of(tasks):
    return {metric: scores for task in tasks for metric, scores in uncompressed_scores(task).items()}


@pytest.fixture
def pictures(rng):
    """A function of the number of images and texts of each: image vectors, and text vectors near them in order."""

    def make(images, texts):
        images_ID = rng.standard_normal((images, WIDTH)).astype(np.float32)
        texts_TD = np.repeat(images_ID, texts, axis=0) + 0.4 * rng.standard_normal((images * np.sum(texts), WIDTH))
        return images_ID, texts_TD.astype(np.float16)

    return make


def test_several_texts_per_image_in_their_order(save, pictures, check_disjoint):
    for part, images in (("fit", 20), ("validation", 6), ("test", 8)):
        images_ID, texts_TD = pictures(images, 5)
        save(f"flickr30k/{part}", images=images_ID, texts=texts_TD)
    data = load("flickr30k")
    check_disjoint(data)
    assert [len(rows) for rows in (data.fit, *data.pairs)] == [120, 100, 100]
    np.testing.assert_array_equal(data.pairs[0][5:10], np.repeat(data.fit[1:2], 5, axis=0))
    scores = scores_of(data.test)
    assert [len(one) for one in scores.values()] == [8] * 3 + [40] * 3
    assert min(one.mean() for one in scores.values()) > 0.8
    assert len(scores_of(data.validation)["R@1 images to texts"]) == 6


def test_texts_in_any_order_name_their_image(save, pictures, rng, check_disjoint):
    for part, images in (("fit", 30), ("test", 8)):
        images_ID, texts_TD = pictures(images, 3)
        order = rng.permutation(len(texts_TD))[: 2 * images + 1]
        order = np.union1d(order, np.arange(0, len(texts_TD), 3))[::-1]  # every image keeps one
        save(f"own/{part}", images=images_ID, texts=texts_TD[order], text_image=order // 3)
    data = load("own")
    check_disjoint(data)
    assert scores_of(data.test)["R@1 texts to images"].mean() > 0.8
    assert len(data.validation[0].rows["images"]) == 6  # a fifth of the images of fit, with all of their texts
    assert scores_of(data.validation)["R@1 texts to images"].mean() > 0.8
    cosines = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(*data.pairs, strict=True)]
    assert min(cosines) > 0.6


def labelled(rng, centres, labels):
    return (centres[labels] + 0.3 * rng.standard_normal((len(labels), WIDTH))).astype(np.float16)


def test_labels_and_a_vector_per_class(save, rng, check_disjoint):
    centres = rng.standard_normal((4, WIDTH))
    for part, rows in (("fit", 200), ("test", 40)):
        labels = rng.integers(4, size=rows)
        save(f"cifar100/{part}", images=labelled(rng, centres, labels), labels=labels)
    save("cifar100", classes=centres)
    data = load("cifar100")
    check_disjoint(data)
    assert len(data.labels) == 160
    for tasks, rows in ((data.validation, 40), (data.test, 40)):
        scores = scores_of(tasks)
        assert list(scores)[2:] == ["linear probe accuracy", "10-NN accuracy", "zero-shot accuracy"]
        assert {name: len(one) for name, one in scores.items() if len(one) != rows or one.mean() < 0.8} == {}


def test_new_classes_are_retrieved_and_not_classified(save, rng, check_disjoint):
    centres = rng.standard_normal((8, WIDTH))
    for part, first in (("fit", 0), ("test", 4)):
        labels = first + rng.integers(4, size=60)
        save(f"cub200/{part}", images=labelled(rng, centres, labels), labels=labels)
    data = load("cub200")
    check_disjoint(data)
    assert list(scores_of(data.test)) == ["R@1 by class", "mAP@R by class"]
    assert "linear probe accuracy" in scores_of(data.validation)


def test_an_image_alone_in_its_class_does_not_ask(save, rng):
    for part in ("fit", "validation", "test"):
        labels = np.append(rng.integers(2, size=30), 2)
        save(f"cars196/{part}", images=rng.standard_normal((31, WIDTH)), labels=labels)
    assert len(scores_of(load("cars196").test)["R@1 by class"]) == 30


@pytest.mark.parametrize(
    ("files", "match"),
    [
        ({}, r"own/test needs texts\.npy or labels\.npy beside images\.npy"),
        ({"texts": (13, WIDTH)}, r"own/test needs text_image\.npy, .*: 13 texts are no multiple of 6 images"),
        ({"labels": (5,)}, r"own/test needs one label per image, 6, got labels of shape \(5,\)"),
        (
            {"texts": (6, WIDTH)},
            r"own needs the same in fit, validation and test: texts\.npy in all, or labels\.npy in",
        ),
    ],
)
def test_what_does_not_match_is_named(save, files, match):
    save("own/fit", images=np.ones((20, WIDTH)), labels=np.arange(20) % 2)
    save("own/test", images=np.ones((6, WIDTH)), **{name: np.ones(shape) for name, shape in files.items()})
    with pytest.raises(SystemExit, match=match):
        load("own")
