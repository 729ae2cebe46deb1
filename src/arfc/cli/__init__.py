"""The command line: `arfc fit`, `compress`, `decompress`, `evaluate`, `plan`, `export`, `info`, `serve`.

numpy and torch are imported by the commands that need them when they run, so that `arfc --help` answers at once.
"""

import click

from arfc import __version__
from arfc.cli.compress import compress_command, decompress_command
from arfc.cli.errors import OneLineErrors
from arfc.cli.evaluate import evaluate_command
from arfc.cli.export import export_command
from arfc.cli.fit import fit_command
from arfc.cli.info import info_command
from arfc.cli.plan import plan_command
from arfc.cli.serve import serve_command

__all__ = ["app", "main"]


@click.group(
    "arfc",
    cls=OneLineErrors,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="arfc")
@click.pass_context
def app(context: click.Context) -> None:
    """Turn feature vectors into any size you name, with one fitted model.

    FEATURES is a .npy or .parquet file with one vector per row.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for command in (
    fit_command,
    compress_command,
    decompress_command,
    evaluate_command,
    plan_command,
    export_command,
    info_command,
    serve_command,
):
    app.add_command(command)


def main() -> None:
    """Run the command line; the entry point of the package."""
    app(prog_name="arfc")
