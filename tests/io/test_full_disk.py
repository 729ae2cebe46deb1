"""A full disk, met for real: an OutputError, and nothing left behind."""

import os
import subprocess
import sys
import textwrap
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from arfc.errors import OutputError
from arfc.io import matrix_writer, output

BOTH = pytest.mark.parametrize("suffix", [".npy", ".parquet"])


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# The limit on the size of a file stands in for a full disk: the write fails in the same way, at any byte.
FULL_DISK = """
    import resource, sys
    import numpy as np
    from arfc.errors import OutputError
    from arfc.io import folder_writer, matrix_writer, text_writer

    path = sys.argv[1]
    x = np.random.default_rng(0).standard_normal((4096, 64)).astype(np.float32)
    {warm_up}
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    try:
        {body}
    except OutputError as error:
        print(error)
"""
WRITE_MATRIX = "with matrix_writer(path, rows=8192, width=64, dtype=x.dtype) as w: w.append(x); w.append(x)"


def run_with_full_disk(path, limit_bytes, *, body, warm_up=""):
    code = textwrap.dedent(FULL_DISK).format(body=body, warm_up=warm_up)
    # Without PYTHONDONTWRITEBYTECODE the limit would also cut the cached bytecode of what is imported late.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-W", "error", "-c", code, str(path), str(limit_bytes)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout.strip()


# 0: the first byte fails; 1,000,000: in the first block; 1,048,700 and 2,097,279: in the last bytes of a block.
@BOTH
@pytest.mark.parametrize("limit_bytes", [0, 1_000_000, 1_048_700, 2_097_279])
def test_full_disk_is_an_output_error_and_leaves_nothing(tmp_path, suffix, limit_bytes):
    path = tmp_path / f"x{suffix}"
    message = run_with_full_disk(path, limit_bytes, body=WRITE_MATRIX)
    assert message == f"{path} could not be written, got 'file too large'; make room or choose another folder"
    assert names(tmp_path) == []


def test_full_disk_for_text(tmp_path):
    message = run_with_full_disk(tmp_path / "x.html", 1000, body="text_writer(path, 'x' * 2000)")
    assert message.endswith("x.html could not be written, got 'file too large'; make room or choose another folder")
    assert names(tmp_path) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_no_space_left_is_told_in_the_systems_words():
    message = r"^x\.npy could not be written, got 'no space left on device'; make room"
    with (
        pytest.raises(OutputError, match=message),
        output.explain_write_errors(Path("x.npy")),
        open("/dev/full", "wb", buffering=0) as full,
    ):
        full.write(b"x")


def test_lack_of_room_is_told_before_any_work(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(output.shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 1000, 1000))
    with (
        pytest.raises(OutputError, match=r"x\.npy needs 4 GB, got 1e-06 GB free; make room"),
        matrix_writer(tmp_path / "x.npy", rows=10**6, width=1000, dtype=np.float32),
    ):
        pytest.fail("work was begun")
    assert names(tmp_path) == []
