"""bfloat16 is used where the CPU multiplies it natively."""

import pytest
import torch

from arfc.training import precision


@pytest.mark.parametrize("fast", [False, True])
def test_products_follow_the_cpu(monkeypatch, fast):
    monkeypatch.setattr(precision, "fast_bfloat16", lambda: fast)
    a, b = torch.randn(4, 4), torch.randn(4, 4)
    with precision.autocast():
        product = a @ b
    assert product.dtype == (torch.bfloat16 if fast else torch.float32)
    torch.testing.assert_close(product.float(), a @ b, atol=0.2 if fast else 0, rtol=0)
    assert (a @ b).dtype == torch.float32  # and only inside


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [({}, False), ({"avx512_bf16": True}, True), ({"amx_bf16": True}, True), ({"avx512_bf16": False}, False)],
)
def test_what_counts_as_native(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert precision.fast_bfloat16.__wrapped__() is expected


def test_an_older_torch_says_nothing(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert precision.fast_bfloat16.__wrapped__() is False
