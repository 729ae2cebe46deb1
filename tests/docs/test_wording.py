"""What a reader of the project sees speaks of the project, and not of the machine or the way it was made on."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("src", "docs", "examples", "benchmarks", ".ci")
SUFFIXES = {".py", ".md", ".toml", ".txt", ".yaml", ".yml", ""}
FILES = [path for path in ROOT.iterdir() if path.is_file() and path.name not in ("LICENSE", ".git")]
FILES += [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
READ = sorted(path for path in FILES if path.suffix in SUFFIXES and "__pycache__" not in path.parts)
MACHINE = re.compile(r"/(?:work|root|home|tmp|mnt|Users)/")
PROCESS = re.compile(
    r"\b(?:session|sub-?agent|helper|prompt|transcript|claude|chatgpt|copilot|language model|issue #?\d+|todo|fixme)\b",
    re.IGNORECASE,
)


def test_there_is_something_to_read():
    names = {path.relative_to(ROOT).as_posix() for path in READ}
    assert {"README.md", "pyproject.toml", "docs/format.md", "src/arfc/compressor.py"} <= names


@pytest.mark.parametrize("path", READ, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_machine_paths_and_no_words_of_the_process(path):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        for pattern in (MACHINE, PROCESS):
            found = pattern.search(line)
            assert not found, f"{path.name}:{number} says {found[0]!r}: {line.strip()}"
