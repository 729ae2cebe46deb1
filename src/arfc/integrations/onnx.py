"""ONNX: the compressor of one size as a file that any ONNX runtime runs, without arfc and without torch."""
# N rows, D feature dims, K dims kept

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

import arfc
from arfc.compressor import Compressor
from arfc.errors import MissingExtraError
from arfc.integrations.model_id import fingerprint
from arfc.io import bytes_writer, check_file_output
from arfc.model.network import Network
from arfc.shapes import Float, Tensor
from arfc.sizes import resolve_dims

INPUT, OUTPUT = "features", "vectors"
_TRACED_ROWS = 3  # any number but 0 and 1, which would be taken as the only ones


class OneSize(nn.Module):
    """What `Compressor.compress` computes for one number of dims, on features of any length."""

    def __init__(self, network: Network, dims: int) -> None:
        super().__init__()
        self.network = network
        self.dims = dims

    def forward(self, features: Float[Tensor, "N D"]) -> Float[Tensor, "N K"]:
        """Compress unit rows and give them their lengths back."""
        norms_N1 = features.norm(dim=1, keepdim=True)
        return self.network.compress(features / norms_N1, dims=self.dims) * norms_N1


def export_onnx(model: Compressor, path: str | Path, *, dims: int, overwrite: bool = False) -> None:
    """Write an ONNX file that compresses features (N, D) to vectors (N, K), for any number of rows.

    The tokens that K dims need are unrolled, so the file holds what this size needs and no more. Rows are not checked
    in it: NaN, Inf and zeros give NaN. Its metadata name the release of arfc, the model (the SHA-256 of its tensors, as
    `config.json` has it), the width D and the dims K. It appears whole or not at all.

    Raises: SizeError unless dims is in 1..D; OutputError when it exists and `overwrite` is off, or can't be written;
    MissingExtraError.
    """
    _check_onnx()
    kept = resolve_dims(model.width, dims=dims)
    check_file_output(path, overwrite=overwrite)
    sample_ND = torch.eye(_TRACED_ROWS, model.width) + 1
    with _quiet():
        program = torch.onnx.export(
            OneSize(model.network, kept).eval(),
            (sample_ND,),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("rows")},),
            input_names=[INPUT],
            output_names=[OUTPUT],
            verbose=False,
        )
    proto = program.model_proto  # type: ignore[union-attr]
    _forget_machine(proto)
    facts = {"version": arfc.__version__, "fingerprint": fingerprint(model), "width": model.width, "dims": kept}
    for name, value in facts.items():
        proto.metadata_props.add(key=f"arfc.{name}", value=str(value))
    bytes_writer(path, proto.SerializeToString(), overwrite=overwrite)


def _check_onnx() -> None:
    """Refuse to begin without what torch's exporter needs.

    Raises: MissingExtraError.
    """
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        name = (error.name or "onnx").partition(".")[0]
        raise MissingExtraError(f"{name} is not installed; run: pip install 'arfc[onnx]'") from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what the exporter says of packages that are not needed here, and of its own future."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        log.setLevel(level)


def _forget_machine(proto: Any) -> None:
    """Remove the exporter's notes from the graph: they name the files and lines of this machine."""
    graph = proto.graph
    for part in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer, graph):
        del part.metadata_props[:]
        part.doc_string = ""
