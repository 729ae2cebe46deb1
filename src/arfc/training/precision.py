"""Where to compute in bfloat16."""

from __future__ import annotations

import functools

import torch


@functools.cache
def fast_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 natively (AVX512-BF16 or AMX); elsewhere bfloat16 is slower than float32."""
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def autocast() -> torch.autocast:
    """Return the context in which the network's products run."""
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=fast_bfloat16())
