"""Few rows are filled up to as many as levels need, around where they are; enough rows stay as they are."""

import numpy as np

from arfc.codec.scalar import ScalarCodec
from arfc.codec.smoothing import ROWS, filled_up


def test_enough_rows_stay_as_they_are():
    values = np.zeros((ROWS, 2), dtype=np.float32)
    assert filled_up(values) is values


def test_few_rows_are_filled_up_around_where_they_are():
    values = np.random.default_rng(0).standard_normal((300, 4)).astype(np.float32) * np.float32([3, 1, 0.1, 0])
    filled = filled_up(values)
    assert filled.shape == (2100, 4) and filled.dtype == np.float32
    np.testing.assert_array_equal(filled, filled_up(values))
    wider = np.sqrt(1 + 300 ** (-2 / 5))  # the kernel's variance comes on top
    np.testing.assert_allclose(filled.std(axis=0), wider * values.std(axis=0), rtol=0.05)
    np.testing.assert_allclose(filled.mean(axis=0), values.mean(axis=0), atol=0.1)
    np.testing.assert_array_equal(filled[:, 3], 0)


def test_long_codes_of_other_rows_miss_less():
    rows = np.random.default_rng(1).standard_normal((3000, 8)).astype(np.float32)

    def missed(sample):
        codec = ScalarCodec.fit_values(sample)
        back = codec.decode_values(codec.encode_values(rows[200:], bytes_per_vector=codec.largest_bytes))
        return float(np.square(rows[200:] - back).mean())

    assert missed(filled_up(rows[:200])) < 0.5 * missed(rows[:200])
