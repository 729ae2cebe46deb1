"""`arfc export`: the compressor of one size as a file that runs without arfc."""

from __future__ import annotations

import time
from pathlib import Path

import click

from arfc.cli.options import PATH, json_option, model_option, overwrite_option, print_json, say


@click.command("export")
@model_option
@click.option("--onnx", "out", type=PATH, required=True, help="Where to write the ONNX file.")
@click.option("--dims", type=int, required=True, help="Dims that its vectors have.")
@overwrite_option
@json_option
def export_command(model_path: Path, out: Path, dims: int, overwrite: bool, as_json: bool) -> None:
    """Write the compressor of one size as an ONNX file.

    It takes features (rows, D) and returns vectors (rows, DIMS), as arfc compress --dims does.
    """
    from arfc.io import check_file_output

    check_file_output(out, overwrite=overwrite)

    from arfc.compressor import Compressor
    from arfc.integrations.onnx import export_onnx

    model = Compressor.load(model_path)
    started = time.perf_counter()
    export_onnx(model, out, dims=dims, overwrite=overwrite)
    seconds = time.perf_counter() - started
    size = out.stat().st_size
    say(f"{out}: {model.width} dims to {dims}, {size:,} bytes, in {seconds:.1f} s")
    if as_json:
        print_json(
            {"output": str(out), "width": model.width, "dims": dims, "bytes": size, "seconds": round(seconds, 3)}
        )
