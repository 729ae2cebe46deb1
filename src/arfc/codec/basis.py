"""The eigenbasis of a second moment, with signs that do not depend on the machine."""
# D dims

from __future__ import annotations

import numpy as np

from arfc.shapes import Array, Float32, Float64


def eigenbasis(moment_DD: Float64[Array, "D D"]) -> Float32[Array, "D D"]:
    """Return the eigenvectors as columns, strongest first; the entry of largest magnitude of each is positive."""
    basis_DD = np.linalg.eigh(moment_DD).eigenvectors[:, ::-1]
    peak_D = basis_DD[np.abs(basis_DD).argmax(axis=0), np.arange(len(basis_DD))]
    return np.ascontiguousarray(basis_DD * np.sign(peak_D), dtype=np.float32)
