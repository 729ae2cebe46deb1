"""Write a folder that appears whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from arfc.errors import OutputError
from arfc.io.output import check_output, explain_write_errors, sync_folder, temporary_sibling


def check_folder_output(path: str | Path, *, overwrite: bool = False) -> None:
    """Refuse, before any work is done, a path to which no folder could be written.

    Raises: OutputError as `check_output`, and for a file.
    """
    if os.path.isfile(path):
        raise OutputError(f"an output must be a folder, got the file {path}; choose another name")
    check_output(path, overwrite=overwrite)


@contextmanager
def folder_writer(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary folder to write files into; it takes the name `path` when the block ends well.

    An older folder of that name is moved aside before and removed after, so that one of the two is always whole. What
    lies in it under names that the new one does not have, such as a card, is kept.

    Raises: OutputError when `path` cannot be written, exists and `overwrite` is off, is a file, or the disk is full.
    """
    path = Path(path)
    check_folder_output(path, overwrite=overwrite)
    target = path.resolve()
    temporary = temporary_sibling(target)
    try:
        with explain_write_errors(path):
            temporary.mkdir()
        with explain_write_errors(path):
            yield temporary
        with explain_write_errors(path):
            for file in temporary.rglob("*"):
                if file.is_file():
                    _sync_file(file)
            check_output(target, overwrite=overwrite)  # It may have appeared in the meantime.
            _replace_folder(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _replace_folder(temporary: Path, target: Path) -> None:
    old = temporary_sibling(target)
    had_old = target.exists()
    if had_old:
        os.rename(target, old)
    try:
        os.rename(temporary, target)
    except BaseException:
        if had_old:
            os.rename(old, target)
        raise
    if had_old:
        for entry in old.iterdir():
            if not os.path.lexists(target / entry.name):
                os.rename(entry, target / entry.name)
    sync_folder(target.parent)
    if had_old:
        shutil.rmtree(old, ignore_errors=True)


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
