"""How the command line fails: one clear line for a user's mistake, a traceback for ours."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

import click

from arfc.errors import ArfcError

MISTAKE = 2
"""Exit code of a user's mistake."""
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it: 128 + SIGINT."""


class OneLineErrors(click.Group):
    """A group of commands that reports a mistake in one line and exits with code 2."""

    def main(self, *args: Any, **options: Any) -> NoReturn:
        """Run and exit; an exception that nobody foresaw keeps its traceback. A closed pipe ends the run quietly."""
        try:
            code = super().main(*args, **{**options, "standalone_mode": False})
        except click.Abort:
            _fail("interrupted", INTERRUPTED)
        except click.ClickException as error:
            _fail(_usage_line(error), MISTAKE)
        except ArfcError as error:
            _fail(str(error), MISTAKE)
        sys.exit(code if isinstance(code, int) else 0)

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the commands in the order of their use."""
        return list(self.commands)


def _fail(message: str, code: int) -> NoReturn:
    click.echo(f"arfc: error: {' '.join(message.split())}", err=True)
    sys.exit(code)


def _usage_line(error: click.ClickException) -> str:
    """Return click's message in the form of our own, with the help page that cures it."""
    message = error.format_message().rstrip(".")
    message = message[:1].lower() + message[1:]
    context = error.ctx if isinstance(error, click.UsageError) else None
    return message if context is None else f"{message}; see {context.command_path} --help"
