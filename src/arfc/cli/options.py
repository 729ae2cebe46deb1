"""Options that several commands share, and what they print."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

PATH = click.Path(path_type=Path)

features_argument = click.argument("features", type=PATH)
model_option = click.option("-m", "--model", "model_path", type=PATH, required=True, help="Model folder.")
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace an output that exists.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON on standard output.")
pairs_option = click.option("--pairs", type=PATH, help="Partners of FEATURES: row i of both belongs together.")
labels_option = click.option("--labels", type=PATH, help="Classes: integers in .npy, or .txt with one label per line.")
column_option = click.option("--column", help="Column of a .parquet input, where several hold vectors.")


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
