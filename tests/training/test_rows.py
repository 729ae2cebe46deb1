"""What a fit is given is read, checked, sampled and brought to unit length."""

import numpy as np
import pytest

from arfc.config import TrainConfig
from arfc.errors import DtypeError, RowError, ShapeError
from arfc.training.rows import read_rows


def read(x, pairs=None, labels=None, *, seed=0, **train):
    return read_rows(x, pairs, labels, TrainConfig(**train), seed=seed)


def test_rows_have_unit_length_and_the_facts_tell_what_they_had(small_rows):
    rows, data = read(small_rows)
    norms = np.linalg.norm(small_rows.astype(np.float64), axis=1)
    np.testing.assert_allclose(rows.features, small_rows / norms[:, None], atol=1e-6)
    assert (data["rows"], data["sampled_rows"]) == (600, 600)
    assert data["mean_norm"] == pytest.approx(norms.mean(), rel=1e-5)
    assert data["norm_spread"] == pytest.approx(np.log(norms).std(), rel=1e-5)
    assert data["norm_range"] == pytest.approx([norms.min(), norms.max()], rel=1e-5)
    mean = (small_rows / norms[:, None]).mean(0)
    assert data["common_direction"] == pytest.approx(mean @ mean, rel=1e-4)
    assert rows.partners is None and rows.labels is None


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_floats_are_read_as_float32(small_rows, dtype):
    rows, _ = read(small_rows.astype(dtype))
    assert rows.features.dtype.is_floating_point and rows.features.element_size() == 4
    np.testing.assert_allclose(rows.features, read(small_rows)[0].features, atol=2e-3)


def test_a_sample_keeps_rows_partners_and_labels_together():
    """Row i points to angle i, its partner to the opposite one, and its label is i."""
    angles = np.arange(2000) * 1e-3
    x = np.stack([np.cos(angles), np.sin(angles)], 1)
    rows, data = read(x, -2 * x, np.arange(2000), max_rows=150)  # with pairs a class may be one row
    assert data["rows"] == 2000 and data["sampled_rows"] == len(rows) == 150
    labels = rows.labels.numpy()
    assert (np.diff(labels) > 0).all() and labels.min() < 100 and labels.max() > 1900  # over all of the input
    found = np.arctan2(*rows.features.numpy().T[::-1])
    np.testing.assert_allclose(found, labels * 1e-3, atol=1e-5)
    np.testing.assert_allclose(rows.partners, -rows.features, atol=1e-6)
    assert not np.array_equal(labels, read(x, -2 * x, np.arange(2000), max_rows=150, seed=1)[0].labels)


def test_bad_rows_are_refused_even_outside_the_sample(small_rows):
    many = np.tile(small_rows, (4, 1))
    many[2399, 3] = np.nan
    many[7] = 0
    with pytest.raises(RowError, match=r"NaN or Inf in 1 row \(row 2399\) and only zeros in 1 row \(row 7\)"):
        read(many, max_rows=100)
    with pytest.raises(RowError, match=r"^pairs must be finite and not zero, got NaN or Inf in 1 row"):
        read(np.tile(small_rows, (4, 1)), many[:, ::-1][::-1], max_rows=100)


def test_refusals(small_rows):
    with pytest.raises(RowError, match="^features must have at least 100 rows, got 99"):
        read(small_rows[:99])
    with pytest.raises(ShapeError, match=r"^pairs must have the features' shape \(600, 24\), got \(599, 24\); row i"):
        read(small_rows, small_rows[1:])
    with pytest.raises(ShapeError, match=r"got \(600, 23\)"):
        read(small_rows, small_rows[:, 1:])
    with pytest.raises(RowError, match="^labels must name at least 2 classes, got 1; leave labels out"):
        read(small_rows, None, np.zeros(600, dtype=int))
    ids = "^labels must name classes of at least 2 rows, got 600 classes in 600 rows; are these ids"
    with pytest.raises(RowError, match=ids):
        read(small_rows, None, np.arange(600))
    assert read(small_rows, None, np.maximum(np.arange(600), 1))[0].labels.unique().numel() == 599
    with pytest.raises(ShapeError, match=r"^labels must have shape \(600,\)"):
        read(small_rows, None, np.arange(599))
    with pytest.raises(DtypeError, match="^labels must be integers or text, got float64"):
        read(small_rows, None, np.arange(600) / 2)
    with pytest.raises(DtypeError, match="^features must hold float16, float32 or float64 values, got int64"):
        read(np.ones((600, 24), dtype=np.int64))
