"""Loaders on tiny sets of the same form: what is right is found, and no row is in two parts."""

import numpy as np
import pytest

from _data import folds, load
from arfc.evaluate import uncompressed_scores

WIDTH = 12


def near(rng, rows, spread=0.3):
    """Rows near the given ones, as float16: the form of most sets."""
    return (rows + spread * rng.standard_normal(rows.shape)).astype(np.float16)


def as_set(rows):
    return {row.tobytes() for row in rows}


def scores_of(tasks):
    return {metric: scores for task in tasks for metric, scores in uncompressed_scores(task).items()}


def test_captions(save, rng, check_disjoint):
    image = np.repeat(np.arange(30), 5)
    split = np.where(image < 20, "fit", np.where(image < 24, "val", "test"))
    save("flickr8k_captions", vectors=near(rng, rng.standard_normal((30, WIDTH))[image]), image=image, split=split)
    data = load("captions")
    check_disjoint(data)
    assert (len(data.fit), data.labels.tolist()) == (100, image[:100].tolist())
    assert [len(scores) for scores in scores_of(data.validation).values()] == [20] * 5
    scores = scores_of(data.test)
    assert list(scores) == ["R@1", "R@5", "R@10", "recall@10", "recall@1"]
    assert scores["R@5"].mean() > 0.9


def test_scifact(save, home, rng, check_disjoint):
    corpus = rng.standard_normal((40, WIDTH)).astype(np.float16)
    about = rng.permutation(40)
    save(
        "scifact", corpus=corpus, queries_fit=near(rng, corpus[about[:20]]), queries_test=near(rng, corpus[about[20:]])
    )
    (home / "scifact" / "corpus.ids.txt").write_text("".join(f"d{row}\n" for row in range(40)))
    for part, documents in (("fit", about[:20]), ("test", about[20:])):
        (home / "scifact" / f"queries_{part}.ids.txt").write_text("".join(f"{part}{row}\n" for row in range(20)))
        lines = [f"{part}{row}\td{document}\t1" for row, document in enumerate(documents)]
        lines += [f"{part}{row}\td{(document + 1) % 40}\t0" for row, document in enumerate(documents)]
        header = "query-id\tcorpus-id\tscore"
        (home / "scifact" / f"qrels_{part}.tsv").write_text("\n".join([header, *lines]))
    data = load("scifact")
    check_disjoint(data)
    assert (len(data.fit), len(data.pairs[0])) == (56, 16)
    cosines = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(*data.pairs, strict=True)]
    assert min(cosines) > 0.6  # row i of both belongs together
    assert [len(scores) for scores in scores_of(data.validation).values()] == [4, 4]
    scores = scores_of(data.test)
    assert len(scores["nDCG@10"]) == 20
    assert scores["nDCG@10"].mean() > 0.9


def test_myntra_tests_every_product_once(save, rng, check_disjoint):
    images = rng.standard_normal((50, WIDTH)).astype(np.float32)
    save("myntra", images=images, texts=images + 0.3 * rng.standard_normal((50, WIDTH)).astype(np.float32))
    tested = []
    for fold in folds("myntra"):
        data = load("myntra", fold=fold)
        check_disjoint(data)
        (task,) = data.test
        assert len(task.rows["images"]) == 50  # all products answer
        assert len(data.pairs[0]) == 32
        np.testing.assert_array_equal(data.fit, np.concatenate(data.pairs))
        # Rows that only the test asks for do not even answer where choices are made.
        assert not as_set(data.validation[0].rows["images"]) & as_set(images[task.asking_images])
        scores = uncompressed_scores(task)
        assert scores["R@1 images to texts"].mean() > 0.8
        assert len(data.validation[0].asking_images) == 8
        tested += task.asking_images.tolist()
    assert sorted(tested) == list(range(50))
    assert list(folds("captions")) == [0]


def test_muge(save, check_disjoint):
    rows = np.zeros((17_030, 3), np.float16)
    rows[:, 0] = 1
    rows[:, 1:] = np.stack(np.divmod(np.arange(17_030), 150), axis=1) / 150
    save("muge", images=rows)
    data = load("muge")
    check_disjoint(data)
    assert [len(data.fit), len(data.validation[0].rows["images"]), len(data.test[0].rows["images"])] == [
        14_000,
        3000,
        30,
    ]
    np.testing.assert_array_equal(data.test[0].rows["images"], rows[17_000:])


@pytest.mark.parametrize("name", ["cifar10", "food10"])
def test_sets_with_classes(save, rng, name, check_disjoint):
    centres = rng.standard_normal((3, WIDTH))
    labels = {"train_y": rng.integers(3, size=60).astype(np.uint8), "test_y": rng.integers(3, size=30)}
    save(name, **labels, train=near(rng, centres[labels["train_y"]]), test=near(rng, centres[labels["test_y"]]))
    data = load(name)
    check_disjoint(data)
    assert (len(data.fit), len(data.labels)) == (48, 48)
    assert [len(scores) for scores in scores_of(data.validation).values()] == [12] * 4
    scores = scores_of(data.test)
    assert list(scores) == ["R@1 by class", "mAP@R by class", "linear probe accuracy", "10-NN accuracy"]
    assert min(one.mean() for one in scores.values()) > 0.8


@pytest.mark.parametrize("name", ["captions", "cub200"])
def test_a_set_that_is_missing_is_named(home, name):
    folder = {"captions": "flickr8k_captions"}.get(name, name)
    with pytest.raises(
        SystemExit, match=rf"{name} needs the folder .*{folder}; set ARFC_DATA to the folder that holds"
    ):
        load(name)
    (home / folder).mkdir()
    with pytest.raises(SystemExit, match=rf"needs the file .*{folder}/.*\.npy; docs/data.md tells the form"):
        load(name)
