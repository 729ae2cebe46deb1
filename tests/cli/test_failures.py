"""What no user should meet half-way: a full disk, a locked folder, a closed pipe, Ctrl-C, and our own bugs."""

import os
import re
import signal
import tempfile
import time

import pytest

from arfc import Compressor

# The limit on the size of a file stands in for a full disk: the write fails in the same way, at any byte.
FULL_DISK = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({}, resource.RLIM_INFINITY))"


def failed(process, *, match, code=2):
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (code, "")
    assert re.fullmatch(match, err.rstrip("\n")), err


@pytest.mark.parametrize("suffix", [".npy", ".parquet"])
def test_full_disk_while_compressing(start, fitted, tmp_path, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    process = start("compress", fitted.features, "-m", fitted.model, "-o", f"s{suffix}", "--dims", "20",
                    before=FULL_DISK.format(50_000))  # fmt: skip
    failed(process, match=rf"arfc: error: s\{suffix} could not be written, got 'file too large'; make room or .*")
    assert os.listdir(tmp_path) == []


def test_full_disk_while_fitting(start, fitted, tmp_path):
    process = start("fit", fitted.features, "-o", "m", "--steps", "2", before=FULL_DISK.format(1000))
    where = r"m\.checkpoint/linear\.safetensors"
    failed(process, match=rf"arfc: error: {where} could not be written, got 'file too large'; make room or .*")
    assert os.listdir(tmp_path) == []


def test_full_disk_while_saving_the_model(start, fitted, tmp_path):
    done = f"""
from arfc.compressor import Compressor
model = Compressor.load({str(fitted.model)!r})
Compressor.fit = lambda *args, **options: model
"""
    process = start("fit", fitted.features, "-o", "m", before=done + FULL_DISK.format(1000))
    failed(process, match=r"arfc: error: m could not be written, got 'file too large'; .* repeat .* with --resume.*")
    assert os.listdir(tmp_path) == []


def test_full_disk_while_writing_scores(start, fitted, tmp_path):
    process = start("evaluate", fitted.features, "-m", fitted.model, "--json", "s.json", before=FULL_DISK.format(99))
    failed(process, match=r"arfc: error: s\.json could not be written, got 'file too large'; make room or .*")
    assert os.listdir(tmp_path) == []


LOCKED = """
import os, sys
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)  # root may write everywhere
"""


@pytest.mark.parametrize("args", ["fit x.npy -o {}/m", "compress x.npy -m m -o {}/s.npy --dims 2"])
def test_folder_that_may_not_be_written(start, args):
    with tempfile.TemporaryDirectory() as folder:  # tmp_path lies in a folder that others may not enter
        os.chmod(folder, 0o555)
        # What runs as another user may not find the packages again, so all is imported before.
        before = f"import arfc.cli, arfc.io, arfc.compressor\n{LOCKED}"
        process = start(*args.format(folder).split(), before=before)
        failed(process, match=f"arfc: error: the folder of an output must be writable, got {folder}; check .*")
        assert os.listdir(folder) == []


def test_closed_pipe_is_quiet(start, fitted):
    process = start("info", fitted.model, "--json", before="import time; time.sleep(0.5)")
    process.stdout.close()
    assert process.wait(timeout=60) == 1
    assert process.stderr.read() == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("stdout", ["open(1, 'w')", "io.TextIOWrapper(open(1, 'wb', 0), write_through=True)"])
def test_full_disk_behind_standard_output(start, fitted, stdout):
    full = f"import io, os, sys; os.dup2(os.open('/dev/full', os.O_WRONLY), 1); sys.stdout = {stdout}"
    process = start("info", fitted.model, before=full)
    failed(
        process, match="arfc: error: standard output could not be written, got 'no space left on device'; make room .*"
    )


def test_our_own_bugs_keep_their_traceback(start, fitted):
    bug = "import arfc.io.model_folder as m; m.read_facts = lambda path: 1 / 0"
    process = start("info", fitted.model, before=bug)
    out, err = process.communicate()
    assert process.returncode == 1
    assert err.startswith("Traceback")
    assert err.endswith("ZeroDivisionError: division by zero\n")


def test_ctrl_c_while_compressing_leaves_nothing(start, fitted, tmp_path):
    slow = "import arfc.model.network as n, time; n.Network.compress_rows = lambda *args, **options: time.sleep(60)"
    process = start("compress", fitted.features, "-m", fitted.model, "-o", "s.npy", "--dims", "2", before=slow)
    wait_for(lambda: os.listdir(tmp_path), process)
    process.send_signal(signal.SIGINT)
    failed(process, match=r"\n?arfc: error: interrupted", code=130)
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_ctrl_c_keeps_the_best_model_and_resume_finishes(start, fitted, tmp_path):
    process = start("fit", fitted.features, "-o", "m")
    wait_for((tmp_path / "m.checkpoint" / "linear.safetensors").exists, process)
    process.send_signal(signal.SIGINT)
    summary = r"m: fitted on 960 of 1,200 rows x 24 dims in .*"
    failed(process, match=rf"{summary}\ninterrupted: this is the best model so far; .* --resume", code=130)
    assert sorted(os.listdir(tmp_path)) == ["m", "m.checkpoint"]
    first = Compressor.load(tmp_path / "m")
    assert first.facts["interrupted"]
    assert first.compress(fitted.x, dims=8).shape == (1200, 8)

    process = start("fit", fitted.features, "-o", "m", "--resume", "--budget", "5s")
    failed(process, match=summary, code=0)
    assert os.listdir(tmp_path) == ["m"]
    second = Compressor.load(tmp_path / "m")
    assert not second.facts["interrupted"]
    assert second.facts["history"]["linear"][:2] == first.facts["history"]["linear"][:2]


def wait_for(condition, process):
    end = time.monotonic() + 120
    while not condition():
        if process.poll() is not None or time.monotonic() > end:
            pytest.fail(f"ended early: {process.communicate()}")
        time.sleep(0.02)
