"""The real command line on one small fitted model."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import arfc as package
from arfc import Compressor
from arfc.cli import app

STEPS = "3"


@dataclass(frozen=True)
class Fitted:
    """A model made by `arfc fit`, the file it was fitted on, and what the command printed."""

    features: Path
    model: Path
    x: np.ndarray
    stdout: str
    stderr: str

    def load(self):
        return Compressor.load(self.model)


@pytest.fixture(scope="session")
def fitted(tmp_path_factory):
    """1,200 x 24 clustered rows and their model."""
    folder = tmp_path_factory.mktemp("fitted")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 24))[rng.integers(40, size=1200)] + 0.5 * rng.standard_normal((1200, 24))
    x = (x * np.linspace(2, 0.2, 24)).astype(np.float32)
    features, model = folder / "features.npy", folder / "model"
    np.save(features, x)
    result = CliRunner().invoke(app, ["fit", str(features), "-o", str(model), "--steps", STEPS, "--json"])
    assert result.exit_code == 0, result.output
    return Fitted(features=features, model=model, x=x, stdout=result.stdout, stderr=result.stderr)


@pytest.fixture
def arfc(tmp_path, monkeypatch):
    """Run a command in an empty folder; it must succeed."""
    monkeypatch.chdir(tmp_path)

    def run(*args):
        result = CliRunner().invoke(app, [str(arg) for arg in args])
        assert result.exit_code == 0, result.output
        return result

    return run


@pytest.fixture
def refused(tmp_path, monkeypatch):
    """Run a command that must fail as a user's mistake does: one line, exit code 2, nothing written."""
    monkeypatch.chdir(tmp_path)

    def run(*args, match):
        before = listing(tmp_path)
        result = CliRunner().invoke(app, [str(arg) for arg in args])
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith("arfc: error: ")
        assert result.stderr.count("\n") == 1
        assert re.search(match, result.stderr), result.stderr
        assert listing(tmp_path) == before

    return run


def listing(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.fixture
def start(tmp_path):
    """Start the command line as a process of its own, in an empty folder; `before` is code that runs first."""
    processes = []

    def run(*args, before=""):
        # A shell's background job ignores SIGINT, and so would what it starts.
        code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        code += f"{before}\nfrom arfc.cli import main\nmain()"
        command = [sys.executable, "-B", "-c", code, *map(str, args)]
        # PYTHONPATH may be relative to the folder the tests were started in.
        environment = {**os.environ, "PYTHONPATH": str(Path(package.__file__).parents[1])}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, **pipes)
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.communicate()
