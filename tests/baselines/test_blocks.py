"""Rows are read block by block, sampled over the whole input, and checked."""

import numpy as np
import pytest

from arfc.baselines.blocks import check_only_size, check_width, compressed_rows, sample_rows
from arfc.errors import RowError, ShapeError, SizeError
from arfc.io import open_features


def test_blocks_are_put_together_in_order(clustered):
    x = clustered(20_000, 5)
    seen = []

    def double(block):
        seen.append(len(block))
        return 2 * block[:, :3]

    out = compressed_rows(x, width=5, out_width=3, dtype=np.float32, compress=double)
    np.testing.assert_array_equal(out, 2 * x[:, :3])
    assert len(seen) > 1


def test_nothing_is_compressed_of_an_input_with_a_bad_row(vectors):
    def never(block):
        raise AssertionError

    with pytest.raises(ShapeError, match=r"shape \(N, 5\), got \(200, 24\); was this fitted on another encoder"):
        compressed_rows(vectors, width=5, out_width=3, dtype=np.float32, compress=never)
    vectors[-1, 0] = np.inf
    with pytest.raises(RowError, match="row 199"):
        compressed_rows(vectors, width=24, out_width=3, dtype=np.float32, compress=never)


def test_a_sample_is_of_distinct_rows_from_everywhere():
    x = np.arange(1, 1001, dtype=np.float32)[:, None]
    sample = sample_rows(open_features(x), most=100, seed=0)[:, 0]
    assert len(np.unique(sample)) == 100
    assert sample.min() < 100 and sample.max() > 900
    np.testing.assert_array_equal(sample, sample_rows(open_features(x), most=100, seed=0)[:, 0])
    assert (sample != sample_rows(open_features(x), most=100, seed=1)[:, 0]).any()
    np.testing.assert_array_equal(sample_rows(open_features(x), most=1000, seed=3), x)


def test_other_sizes_and_widths_are_refused():
    check_only_size(16, fitted=16)
    with pytest.raises(SizeError, match="bytes must be 16, the size this was fitted for, got 15; fit another"):
        check_only_size(15, fitted=16)
    check_width(np.zeros((2, 3)), most=3)
    for shape in ((2, 4), (2, 0), (3,)):
        with pytest.raises(ShapeError, match=r"shape \(N, 1\.\.3\)"):
            check_width(np.zeros(shape), most=3)
