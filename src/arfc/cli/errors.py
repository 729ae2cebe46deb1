"""How the command line fails: one clear line for a user's mistake, a traceback for ours."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from traceback import walk_tb
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
        """Run and exit; an exception that nobody foresaw keeps its traceback.

        A closed pipe ends the run quietly; click sees to that.
        """
        try:
            code = super().main(*args, **{**options, "standalone_mode": False})
        except click.Abort:
            _fail("interrupted", INTERRUPTED)
        except click.ClickException as error:
            _fail(_usage_line(error), MISTAKE)
        except ArfcError as error:
            _fail(str(error), MISTAKE)
        except OSError as error:
            if not _is_of_printing(error):
                raise
            with suppress(OSError):  # what is held back would fail once more at the end
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            reason = (error.strerror or str(error)).lower()
            _fail(f"standard output could not be written, got {reason!r}; make room or send it elsewhere", MISTAKE)
        sys.exit(code if isinstance(code, int) else 0)

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the commands in the order of their use."""
        return list(self.commands)


def _is_of_printing(error: OSError) -> bool:
    """Tell what went wrong as something was printed from what nobody foresaw."""
    *_, (frame, _) = walk_tb(error.__traceback__)
    return frame.f_code is click.echo.__code__ and not frame.f_locals.get("err")


def _fail(message: str, code: int) -> NoReturn:
    with suppress(OSError):  # nobody is left to be told
        click.echo(f"arfc: error: {' '.join(message.split())}", err=True)
    sys.exit(code)


def _usage_line(error: click.ClickException) -> str:
    """Return click's message in the form of our own, with the help page that cures it."""
    message = error.format_message().rstrip(".")
    message = message[:1].lower() + message[1:]
    context = error.ctx if isinstance(error, click.UsageError) else None
    return message if context is None else f"{message}; see {context.command_path} --help"
