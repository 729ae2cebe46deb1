"""`arfc fit`: features in, model folder out."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from arfc.cli.errors import INTERRUPTED
from arfc.cli.options import (
    column_option,
    features_argument,
    json_option,
    labels_option,
    nearer_duplicates,
    open_other,
    output_option,
    overwrite_option,
    pairs_column_option,
    pairs_option,
    print_json,
    say,
)
from arfc.errors import ModelFileError, OutputError
from arfc.sizes import parse_duration

if TYPE_CHECKING:
    from arfc.compressor import Compressor


@click.command("fit")
@features_argument
@output_option("model folder")
@pairs_option
@labels_option
@click.option(
    "--known-partners", is_flag=True, help="Partners are a corpus that stays, in which rows not seen yet will search."
)
@click.option("--budget", help="Fit in about this time, such as 90s, 5m or 1h30m.")
@click.option("--steps", type=int, help="Train this many steps in all.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Seed of all randomness.")
@click.option("--resume", is_flag=True, help="Continue an interrupted fit from its last checkpoint.")
@column_option
@pairs_column_option
@overwrite_option
@json_option
def fit_command(
    features: Path,
    out: Path,
    pairs: Path | None,
    labels: Path | None,
    known_partners: bool,
    budget: str | None,
    steps: int | None,
    seed: int,
    resume: bool,
    column: str | None,
    pairs_column: str | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Fit a model on FEATURES.

    Ctrl-C ends training and saves the best model so far, a second one saves nothing; after either, the same command
    with --resume continues. While a fit runs its checkpoints stand beside OUTPUT in a folder of that name and
    ".checkpoint".
    """
    if budget is not None and steps is not None:
        raise click.UsageError("at most one of --budget and --steps must be given, got both")
    if known_partners and pairs is None:
        raise click.UsageError("--known-partners says something of pairs, got none; give --pairs, or leave it out")
    if budget is not None:
        parse_duration(budget)
    checkpoint = _beside(out)

    from arfc.io import open_features

    overwrite = _check_outputs(out, checkpoint, resume=resume, overwrite=overwrite)
    opened = open_features(features, column=column)
    partners = open_other(pairs, name="pairs", column=pairs_column, usual=column)

    from arfc.compressor import Compressor
    from arfc.config import Config, TrainConfig
    from arfc.training.checkpoint import remove_checkpoints

    started = time.perf_counter()
    model = Compressor.fit(
        opened,
        pairs=partners,
        labels=labels,
        config=Config(train=TrainConfig(known_partners=known_partners)),
        budget=budget,
        steps=steps,
        seed=seed,
        checkpoint=checkpoint,
        resume=resume,
    )
    try:
        model.save(out, overwrite=overwrite)
    except OutputError as error:
        raise OutputError(f"{error}; then repeat the command with --resume, which keeps the training") from error
    seconds = time.perf_counter() - started
    interrupted = bool(model.facts["interrupted"])
    if not interrupted:
        remove_checkpoints(checkpoint)
    say(_summary(model, out, seconds=seconds))
    for line in nearer_duplicates(model.facts):
        say(line)
    if as_json:
        print_json(_facts(model, out, seconds=seconds))
    if interrupted:
        say("interrupted: this is the best model so far; to continue, repeat the command with --resume")
        click.get_current_context().exit(INTERRUPTED)


def _beside(out: Path) -> Path:
    """Return the checkpoint folder of an output; "." and ".." have the names of the folders they are."""
    whole = Path(os.path.abspath(out)) if out.name in ("", "..") else out
    return whole.parent / f"{whole.name}.checkpoint"


def _check_outputs(out: Path, checkpoint: Path, *, resume: bool, overwrite: bool) -> bool:
    """Refuse outputs that could not be written, before any work; return whether to overwrite the model.

    `resume` replaces the model that an interrupted fit has saved, if that fit's checkpoint stands beside it, and no
    other.

    Raises: OutputError, also for a checkpoint that would be lost or is no folder.
    """
    from arfc.io import check_folder_output
    from arfc.io.model_folder import read_facts

    if os.path.lexists(checkpoint) and not checkpoint.is_dir():
        raise OutputError(
            f"checkpoints must have a folder, got the file {checkpoint}; move it, or choose another name for the model"
        )
    if resume and not overwrite and any(checkpoint.glob("*.safetensors")):
        with suppress(ModelFileError):
            overwrite = bool(read_facts(out).get("interrupted"))
    check_folder_output(out, overwrite=overwrite)
    if resume and not checkpoint.is_dir():
        say(f"there is no checkpoint {checkpoint}: the fit starts at its beginning")
    if checkpoint.is_dir() and not (resume or overwrite):
        raise OutputError(
            f"a fit that was interrupted must be continued or dropped, got its checkpoint {checkpoint}; "
            "add --resume to continue it or --overwrite to drop it"
        )
    return overwrite


def _summary(model: Compressor, out: Path, *, seconds: float) -> str:
    data, curve = model.facts["data"], model.curve
    eighth = [row for row in curve["floats"] if row["dims"] * 8 <= model.width] or curve["floats"][:1]
    row = eighth[-1]
    return (
        f"{out}: fitted on {data['fit_rows']:,} of {data['rows']:,} rows x {model.width} dims in {seconds:.1f} s; "
        f"{curve['metric']} at {row['dims']} dims {row['arfc']:.3f}, KLT {row['klt']:.3f}; all sizes: arfc info {out}"
    )


def _facts(model: Compressor, out: Path, *, seconds: float) -> dict[str, Any]:
    kept = ("width", "task", "seed", "data", "versions", "interrupted", "curve")
    return {"model": str(out), "seconds": round(seconds, 3), **{name: model.facts[name] for name in kept}}
