"""The texts that the page at / searches: lines of a file, or what the standard library says of itself."""

from __future__ import annotations

import importlib
import inspect
import re
from dataclasses import dataclass
from pathlib import Path

from arfc.errors import InputError
from arfc.io.text import read_lines

MOST_PASSAGES = 20_000
MOST_CHARACTERS = 1_000
MIN_WORDS = 4
EXAMPLES = ("read a csv file", "run a function in another thread", "compress data")
# fmt: off
MODULES = (
    "argparse", "array", "asyncio", "base64", "bisect", "calendar", "collections", "concurrent.futures",
    "configparser", "contextlib", "copy", "csv", "dataclasses", "datetime", "decimal", "difflib", "email.message",
    "enum", "fnmatch", "fractions", "functools", "glob", "gzip", "hashlib", "heapq", "hmac", "html", "http.client",
    "io", "ipaddress", "itertools", "json", "logging", "lzma", "math", "mimetypes", "os", "os.path", "pathlib",
    "pickle", "platform", "pprint", "queue", "random", "re", "sched", "secrets", "shelve", "shlex", "shutil",
    "socket", "sqlite3", "statistics", "string", "struct", "subprocess", "tarfile", "tempfile", "textwrap",
    "threading", "time", "timeit", "unicodedata", "urllib.parse", "urllib.request", "uuid", "warnings", "wave",
    "weakref", "xml.etree.ElementTree", "zipfile", "zlib", "zoneinfo",
)
# fmt: on


@dataclass(frozen=True)
class Passage:
    """A text that can be found."""

    title: str
    """Empty for the line of a file."""
    text: str


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Texts to search."""

    named: str
    """What they are, after their number."""
    passages: list[Passage]
    examples: tuple[str, ...] = ()
    """Questions that have an answer here."""


def from_file(path: Path) -> Corpus:
    """Return the lines of a text file that are not empty.

    Raises: InputError.
    """
    lines = [line.strip() for line in read_lines(path, name="corpus")]
    passages = [Passage("", line) for line in lines if line]
    if not 1 <= len(passages) <= MOST_PASSAGES:
        raise InputError(
            f"corpus must have 1 to {MOST_PASSAGES:,} lines that are not empty, {path} has {len(passages):,}"
        )
    longest = max(len(one.text) for one in passages)
    if longest > MOST_CHARACTERS:
        raise InputError(f"a line of the corpus must have at most {MOST_CHARACTERS:,} characters, one has {longest:,}")
    return Corpus(named=f"lines of {path.name}", passages=passages)


def standard_library() -> Corpus:
    """Return what public functions and classes of the standard library say of themselves in a sentence or two."""
    found: dict[str, str] = {}
    for name in MODULES:
        module = importlib.import_module(name)
        for key in sorted(getattr(module, "__all__", None) or [key for key in vars(module) if key[0] != "_"]):
            value = getattr(module, key, None)
            if inspect.isclass(value) or inspect.isroutine(value):
                text = _summary(inspect.getdoc(value) or "")
                if len(text.split()) >= MIN_WORDS and len(text) <= MOST_CHARACTERS:
                    found.setdefault(text, f"{name}.{key}")
    passages = [Passage(title, text) for text, title in sorted(found.items(), key=lambda item: item[1])]
    return Corpus(named="docstrings of Python's standard library", passages=passages, examples=EXAMPLES)


def _summary(docstring: str) -> str:
    """Return the first paragraph on one line, without the signature that docstrings of C functions begin with."""
    paragraphs = [" ".join(part.split()) for part in docstring.split("\n\n")]
    if paragraphs and re.match(r"(\w+ = )?[\w.]+\(", paragraphs[0]):
        paragraphs.pop(0)
    return paragraphs[0] if paragraphs else ""
