"""`arfc plan`: the smallest size that keeps the quality asked for."""

from __future__ import annotations

from pathlib import Path

import click

from arfc.cli.options import (
    column_option,
    features_argument,
    labels_option,
    model_option,
    open_other,
    pairs_column_option,
    pairs_option,
    print_json,
)


@click.command("plan")
@features_argument
@model_option
@click.option("--keep", type=float, default=0.95, show_default=True, help="Share of the uncompressed score to keep.")
@click.option("--metric", default="recall@10", show_default=True, help="Score to keep, by its name in arfc evaluate.")
@pairs_option
@labels_option
@column_option
@pairs_column_option
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON instead.")
def plan_command(
    features: Path,
    model_path: Path,
    keep: float,
    metric: str,
    pairs: Path | None,
    labels: Path | None,
    column: str | None,
    pairs_column: str | None,
    as_json: bool,
) -> None:
    """Find the smallest size at which MODEL keeps a share of the score on FEATURES.

    Rows that the fit has used are left out. One half of the queries chooses the size, the other half says what it
    keeps. Cheaper methods that keep as much are named.
    """
    from arfc.io import open_features

    opened = open_features(features, column=column)
    partners = open_other(pairs, name="pairs", column=pairs_column, usual=column)

    from tqdm import tqdm

    from arfc.compressor import Compressor
    from arfc.evaluate.plan import plan
    from arfc.evaluate.plan_text import format_plan

    model = Compressor.load(model_path)
    with tqdm(unit=" sizes", disable=None, leave=False) as bar:  # None: shown on a terminal only

        def report(done: int) -> None:
            bar.update(done - bar.n)

        result = plan(model, opened, keep=keep, metric=metric, pairs=partners, labels=labels, report=report)
    if as_json:
        print_json(result)
    else:
        click.echo(format_plan(result))
