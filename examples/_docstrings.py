"""The docstrings of the Python standard library as a set of short real texts."""

import ast
import importlib.machinery
import importlib.util
import inspect
import os
import random
import re
import sys
import sysconfig
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

# Programs and toys rather than a library; their docstrings would only answer questions that nobody asks.
SKIPPED = {"antigravity", "this", "idlelib", "turtledemo", "lib2to3", "test", "tests", "ensurepip"}
MIN_WORDS = 4
MAX_CHARACTERS = 600
KEY_WORDS = 30  # about what the encoder reads of a text


@dataclass(frozen=True, order=True)
class Docstring:
    """The first paragraph of one docstring."""

    name: str
    """Qualified name of the first object that carries this text: `csv.DictReader`."""
    text: str


def collect() -> list[Docstring]:
    """Collect the first paragraph of every docstring, each text once, sorted by name.

    Modules written in Python are parsed, not imported, so that nothing of theirs runs; those written in C are imported.
    """
    found = [*_python_docstrings(Path(sysconfig.get_path("stdlib"))), *_c_docstrings()]
    # A public name is the better label where several objects share a text.
    found.sort(key=lambda item: (any(part.startswith("_") for part in item.name.split(".")), item.name, item.text))
    by_text: dict[str, Docstring] = {}
    for item in found:
        is_prose = len(item.text.split()) >= MIN_WORDS and not item.text.startswith(">>>")
        if is_prose and len(item.text) <= MAX_CHARACTERS:
            by_text.setdefault(item.text, item)
    return sorted(by_text.values())


def split(items: list[Docstring], *, held_out: float, seed: int) -> tuple[list[int], list[int]]:
    """Split into row numbers to fit on and row numbers held out, both sorted.

    Texts that differ only in case, numbers, punctuation, small words, or after their first words, stay together.
    """
    groups: dict[str, list[int]] = {}
    for row, item in enumerate(items):
        groups.setdefault(normalise(item.text), []).append(row)
    keys = sorted(groups)
    random.Random(seed).shuffle(keys)
    kept_back: list[int] = []
    for key in keys:
        if len(kept_back) >= held_out * len(items):
            break
        kept_back += groups[key]
    return sorted(set(range(len(items))) - set(kept_back)), sorted(kept_back)


def near_duplicates(items: list[Docstring]) -> int:
    """Count the texts that `split` keeps together with at least one other."""
    sizes = Counter(normalise(item.text) for item in items)
    return sum(size for size in sizes.values() if size > 1)


def normalise(text: str) -> str:
    """Reduce a text to its first words, so that near-duplicates become equal."""
    words = re.findall(r"[a-z]+", text.lower())
    return " ".join(
        [word for word in words if word not in {"a", "an", "the", "this", "that", "of", "is", "if"}][:KEY_WORDS]
    )


def first_paragraph(docstring: str) -> str:
    """Return the first paragraph on one line, without the call signature that older C docstrings begin with."""
    lines = [line.strip() for line in docstring.strip().splitlines()]
    while lines and (not lines[0] or re.match(r"[\w.]+\(", lines[0])):
        lines.pop(0)
    end = lines.index("") if "" in lines else len(lines)
    return " ".join(" ".join(lines[:end]).split())


def _python_docstrings(stdlib: Path) -> Iterator[Docstring]:
    for folder, subfolders, files in os.walk(stdlib):
        inside = Path(folder).relative_to(stdlib).parts
        if not inside:
            subfolders[:] = [name for name in subfolders if name in sys.stdlib_module_names]
        subfolders[:] = sorted(set(subfolders) - SKIPPED)
        for file in sorted(files):
            path = Path(folder, file)
            if path.suffix != ".py" or path.stem in SKIPPED:
                continue
            parts = (*inside, path.stem) if path.stem != "__init__" else inside
            if parts and parts[0] in sys.stdlib_module_names:
                yield from _walk(ast.parse(path.read_bytes()), ".".join(parts))


def _walk(node: ast.AST, name: str) -> Iterator[Docstring]:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        docstring = ast.get_docstring(node)
        if docstring:
            yield Docstring(name, first_paragraph(docstring))
    for child in ast.iter_child_nodes(node):
        named = isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        yield from _walk(child, f"{name}.{child.name}" if named else name)


def _c_docstrings() -> Iterator[Docstring]:
    for name in sorted(sys.stdlib_module_names - SKIPPED):
        module = _import_c_module(name)
        if module is None:
            continue
        members = [(name, module)]
        for key, value in sorted(vars(module).items()):
            if inspect.isroutine(value) or inspect.isclass(value):
                members.append((f"{name}.{key}", value))
            if inspect.isclass(value):
                members += [(f"{name}.{key}.{k}", v) for k, v in sorted(vars(value).items()) if inspect.isroutine(v)]
        for qualified, value in members:
            docstring = inspect.getdoc(value)
            if docstring:
                yield Docstring(qualified, first_paragraph(docstring))


def _import_c_module(name: str) -> ModuleType | None:
    spec = importlib.util.find_spec(name)  # looks, without importing
    if spec is None or not str(spec.origin).endswith(("built-in", *importlib.machinery.EXTENSION_SUFFIXES)):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some modules only say that they are deprecated
        try:
            return importlib.import_module(name)
        except ImportError:
            return None  # built against a library that this machine does not have
