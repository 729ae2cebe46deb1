"""`arfc compress` and `arfc decompress`: a file of vectors in, a file of vectors out, block by block."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from arfc.cli.options import (
    PATH,
    column_option,
    features_argument,
    json_option,
    model_option,
    output_option,
    overwrite_option,
    print_json,
    say,
)

if TYPE_CHECKING:
    import numpy as np

    from arfc.io import MatrixWriter, OtherColumns


@click.command("compress")
@features_argument
@model_option
@output_option("compressed vectors (.npy or .parquet)")
@click.option("--dims", type=int, help="Keep this many dims, as float32.")
@click.option("--ratio", type=float, help="Keep 1/RATIO of the dims, as float32.")
@click.option("--bytes", "bytes_per_vector", type=int, help="Store codes of this many bytes per vector.")
@column_option
@overwrite_option
@json_option
def compress_command(
    features: Path,
    model_path: Path,
    out: Path,
    dims: int | None,
    ratio: float | None,
    bytes_per_vector: int | None,
    column: str | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Compress FEATURES to one size: --dims, --ratio or --bytes.

    The output holds float32 vectors, or codes with --bytes. What is shorter is the beginning of what is longer. From
    .parquet to .parquet all other columns are kept.
    """
    sizes = {"--dims": dims, "--ratio": ratio, "--bytes": bytes_per_vector}
    given = [name for name, value in sizes.items() if value is not None]
    if len(given) != 1:
        got = " and ".join(given) or "none"
        raise click.UsageError(f"exactly one of --dims, --ratio and --bytes must be given, got {got}")

    from arfc.io import check_matrix_output, matrix_writer, open_features
    from arfc.sizes import FLOAT_BYTES, resolve_dims

    check_matrix_output(out, overwrite=overwrite)
    opened = open_features(features, column=column)

    from arfc.compressor import Compressor

    model = Compressor.load(model_path)
    _refuse_its_own(features, opened.column, model.facts["tensors_sha256"])
    # Nothing is computed before the first block is asked for, but sizes and width are checked.
    blocks = model.compress_blocks(opened, dims=dims, ratio=ratio, bytes=bytes_per_vector)
    opened.validate()
    kept = bytes_per_vector or resolve_dims(model.width, dims=dims, ratio=ratio)
    beside = _other_columns(features, opened.column, out)
    output = matrix_writer(
        out,
        rows=opened.rows,
        width=kept,
        dtype="uint8" if bytes_per_vector else "float32",
        overwrite=overwrite,
        beside=beside,
        made_by=model.facts["tensors_sha256"],
    )
    seconds = _write(blocks, output, rows=opened.rows)
    stored_bytes = bytes_per_vector or FLOAT_BYTES * kept
    facts: dict[str, Any] = {
        "output": str(out),
        "rows": opened.rows,
        "dims": None if bytes_per_vector else kept,
        "bytes_per_vector": stored_bytes,
        "ratio": FLOAT_BYTES * model.width / stored_bytes,
        **_speed(opened.rows, seconds),
    }
    form = "codes" if bytes_per_vector else f"vectors of {kept} dims"
    say(
        f"{out}: {opened.rows:,} {form}, {stored_bytes:,} bytes each, {facts['ratio']:.3g} times smaller than float32, "
        f"in {seconds:.1f} s ({facts['vectors_per_second']:,} per second){_kept(beside)}"
    )
    if as_json:
        print_json(facts)


def _refuse_its_own(features: Path, column: str | None, made_by: str) -> None:
    """Refuse vectors that the model has made itself: at full width they look like features."""
    from arfc.errors import InputError
    from arfc.io.table import read_note

    note = None if column is None else read_note(features, name="features")
    if note is not None and (note.column, note.made_by) == (column, made_by):
        raise InputError(
            f"features must be original vectors, got column {column!r} of {features}, which this model has compressed; "
            "cut these to their first values, or give it the table that they were made of"
        )


@click.command("decompress")
@click.argument("compressed", metavar="IN", type=PATH)
@model_option
@output_option("features (.npy or .parquet)")
@column_option
@overwrite_option
@json_option
def decompress_command(
    compressed: Path, model_path: Path, out: Path, column: str | None, overwrite: bool, as_json: bool
) -> None:
    """Turn IN, compressed vectors or codes, back into features.

    Codes keep the direction of a row and not its length. From .parquet to .parquet all other columns are kept.
    """
    from arfc.io import Features, check_matrix_output, matrix_writer, open_features, open_packed, sniff

    check_matrix_output(out, overwrite=overwrite)
    stored = sniff(compressed, column=column)
    opened = (
        open_packed(compressed, column=stored.column)
        if stored.codes
        else open_features(compressed, name="compressed vectors", column=stored.column)
    )

    from arfc.compressor import Compressor
    from arfc.search import check_maker

    model = Compressor.load(model_path)
    check_maker(compressed, stored, model.facts["tensors_sha256"], name=model_path)
    small = opened if isinstance(opened, Features) else model.codes(opened)
    # Nothing is computed before the first block is asked for, but the width is checked.
    blocks = model.decompress_blocks(small)
    if isinstance(small, Features):
        small.validate(zeros=True)
    rows = small.rows if isinstance(small, Features) else len(small)
    beside = _other_columns(compressed, stored.column, out)
    output = matrix_writer(out, rows=rows, width=model.width, dtype="float32", overwrite=overwrite, beside=beside)
    seconds = _write(blocks, output, rows=rows)
    facts = {"output": str(out), "rows": rows, "dims": model.width, **_speed(rows, seconds)}
    speed = f"{facts['vectors_per_second']:,} per second"
    say(f"{out}: {rows:,} features of {model.width} dims in {seconds:.1f} s ({speed}){_kept(beside)}")
    if as_json:
        print_json(facts)


def _other_columns(source: Path, column: str | None, out: Path) -> OtherColumns | None:
    """Return the columns to keep from a `.parquet` file to another."""
    from arfc.io import OtherColumns

    return None if column is None or out.suffix.lower() != ".parquet" else OtherColumns(source, column=column)


def _kept(beside: OtherColumns | None) -> str:
    names = [] if beside is None else beside.names
    return f"; kept {', '.join(names)}" if names else ""


def _write(
    blocks: Iterable[tuple[int, np.ndarray]], output: AbstractContextManager[MatrixWriter], *, rows: int
) -> float:
    """Stream blocks into a file, with a bar on a terminal; return the seconds it took."""
    from tqdm import tqdm

    started = time.perf_counter()
    # disable=None: shown on a terminal only
    with output as writer, tqdm(total=rows, unit=" rows", disable=None, leave=False) as bar:
        for _, block in blocks:
            writer.append(block)
            bar.update(len(block))
    return time.perf_counter() - started


def _speed(rows: int, seconds: float) -> dict[str, Any]:
    return {"seconds": round(seconds, 3), "vectors_per_second": round(rows / seconds)}
