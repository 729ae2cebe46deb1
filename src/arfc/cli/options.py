"""Options that several commands share, and what they print."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from arfc.io import Features

PATH = click.Path(path_type=Path)

features_argument = click.argument("features", type=PATH)
model_option = click.option("-m", "--model", "model_path", type=PATH, required=True, help="Model folder.")
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace an output that exists.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON on standard output.")
pairs_option = click.option("--pairs", type=PATH, help="Partners of FEATURES: row i of both belongs together.")
labels_option = click.option("--labels", type=PATH, help="Classes: integers in .npy, or .txt with one label per line.")
column_option = click.option("--column", help="Column of a .parquet input, where several hold vectors.")
pairs_column_option = click.option(
    "--pairs-column", help="Column of a .parquet file of partners; --column where it has that."
)
queries_column_option = click.option(
    "--queries-column", help="Column of a .parquet file of queries; --column where it has that."
)


def open_other(path: Path | None, *, name: str, column: str | None, usual: str | None) -> Features | None:
    """Open the features that come beside FEATURES, from their own column, or from that of FEATURES if they have it."""
    from arfc.io import open_features, vector_columns

    if path is None:
        if column is not None:
            raise click.UsageError(f"--{name}-column says something of --{name}, got none; give --{name}, or drop it")
        return None
    if column is None and usual is not None and path.suffix.lower() == ".parquet":
        column = usual if usual in vector_columns(path, name=name) else None
    return open_features(path, name=name, column=column)


def output_option(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option -o for a command that writes `what`."""
    return click.option("-o", "--output", "out", type=PATH, required=True, help=f"Where to write the {what}.")


def say(line: str) -> None:
    """Print a line for people, on standard error."""
    click.echo(line, err=True)


def print_json(facts: dict[str, Any]) -> None:
    """Print facts for programs, on standard output."""
    click.echo(to_json(facts))


def to_json(facts: dict[str, Any]) -> str:
    """Return facts as JSON text."""
    return json.dumps(facts, indent=1, allow_nan=False)


def nearer_duplicates(facts: dict[str, Any]) -> list[str]:
    """Say where parts share rows that are nearer than the config of a fit wants."""
    wanted = facts["config"].get("train", {}).get("duplicate_cosine", 1)
    used = facts["data"]["duplicate_cosine"]
    if used <= wanted:
        return []
    kept = "copies alone" if used == 1 else f"rows from a cosine of {used:g} on"
    return [f"duplicates  {kept} are in one part: at {wanted:g} most rows hang together; scores may be too high"]
