"""The product is right, and bitwise the same whatever stands around a row."""

import os
import subprocess
import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from arfc.codec import product as module
from arfc.codec.product import StableProduct, stable_product

DIGEST = """
import hashlib, sys
import numpy as np
from arfc.codec.product import stable_product
rng = np.random.default_rng(0)
product = stable_product(rng.random((600, 1000), np.float32), rng.random((1000, 90), np.float32), columns=90)
assert "torch" not in sys.modules
print(hashlib.sha256(product.tobytes()).hexdigest())
"""


@given(rows=st.integers(1, 600), width=st.integers(1, 150), data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_stable_product_is_a_product_and_stable(rows, width, data, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, width)).astype(np.float32)
    matrix = rng.standard_normal((width, data.draw(st.integers(1, 150)))).astype(np.float32)
    columns = data.draw(st.integers(1, matrix.shape[1]))
    product = stable_product(x, matrix, columns=columns)
    np.testing.assert_allclose(product, x.astype(float) @ matrix[:, :columns].astype(float), atol=1e-3)
    part = data.draw(st.integers(0, rows - 1))
    np.testing.assert_array_equal(
        stable_product(x[part:], matrix, columns=matrix.shape[1])[:, :columns], product[part:]
    )


def test_threads_do_not_change_the_product():
    def digest(threads):
        names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
        env = os.environ | dict.fromkeys(names, threads) | {"PYTHONPATH": os.pathsep.join(sys.path)}
        return subprocess.run(
            [sys.executable, "-c", DIGEST], env=env, capture_output=True, text=True, check=True
        ).stdout

    assert digest("1") == digest("2")


def test_where_kernels_round_the_last_rows_otherwise_tiles_have_fewer(monkeypatch):
    """A machine of eight rows at most, made by adding a last digit to the rows after them."""
    matmul = np.matmul

    def uneven(left, right, out=None):
        result = matmul(left, right)
        result[..., 8:, :] = np.nextafter(result[..., 8:, :], np.float32(np.inf))
        if out is None:
            return result
        out[:] = result
        return out

    monkeypatch.setattr(module.np, "matmul", uneven)
    monkeypatch.setattr(module, "_steady_rows", module._steady_rows.__wrapped__)  # neither reads nor fills the cache
    rng = np.random.default_rng(0)
    rows, matrix = rng.random((40, 30), np.float32), rng.random((30, 50), np.float32)
    by_eight = StableProduct(matrix)
    whole, single = by_eight(rows), np.concatenate([by_eight(row[None]) for row in rows])
    np.testing.assert_array_equal(whole, single)
    np.testing.assert_allclose(whole, rows @ matrix, rtol=1e-5)
