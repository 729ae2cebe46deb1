"""Letters: N rows, D values per row."""

import io
import os
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arfc.errors import DtypeError, OutputError, ShapeError
from arfc.io import check_matrix_output, check_output, matrix_writer, open_features, text_writer

BOTH = pytest.mark.parametrize("suffix", [".npy", ".parquet"])


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write(path, x_ND, **options):
    with matrix_writer(path, rows=x_ND.shape[0], width=x_ND.shape[1], dtype=x_ND.dtype, **options) as writer:
        writer.append(x_ND)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.uint8])
def test_npy_holds_the_bytes_that_numpy_would_write(tmp_path, vectors, dtype):
    x_ND = (vectors * 9).astype(dtype)
    with matrix_writer(tmp_path / "x.npy", rows=200, width=24, dtype=dtype) as writer:
        for block_nD in np.array_split(x_ND, 7):
            writer.append(block_nD)
    expected = io.BytesIO()
    np.save(expected, x_ND)
    assert (tmp_path / "x.npy").read_bytes() == expected.getvalue()
    assert names(tmp_path) == ["x.npy"]


@given(rows=st.integers(0, 20), width=st.integers(1, 5), cuts=st.lists(st.integers(0, 20), max_size=4))
def test_any_blocks_give_the_same_matrix(tmp_path_factory, rows, width, cuts):
    x_ND = np.arange(rows * width, dtype=np.float32).reshape(rows, width)
    path = tmp_path_factory.mktemp("blocks") / "x.npy"
    with matrix_writer(path, rows=rows, width=width, dtype=np.float32) as writer:
        for block_nD in np.split(x_ND, sorted(min(cut, rows) for cut in cuts)):
            writer.append(block_nD)
    np.testing.assert_array_equal(np.load(path), x_ND)


@BOTH
def test_blocks_that_are_not_contiguous(tmp_path, vectors, suffix):
    with matrix_writer(tmp_path / f"x{suffix}", rows=200, width=12, dtype=np.float32) as writer:
        writer.append(vectors[:, ::2])
    np.testing.assert_array_equal(open_features(tmp_path / f"x{suffix}").read(0, 200), vectors[:, ::2])


@BOTH
def test_nothing_has_the_name_before_the_end(tmp_path, vectors, suffix):
    with matrix_writer(tmp_path / f"x{suffix}", rows=200, width=24, dtype=np.float32) as writer:
        writer.append(vectors)
        assert not (tmp_path / f"x{suffix}").exists()
    assert names(tmp_path) == [f"x{suffix}"]


def test_text_that_utf_8_cannot_hold_is_escaped(tmp_path):
    text_writer(tmp_path / "x.html", "<b>f\udcff.npy</b>")
    assert (tmp_path / "x.html").read_bytes() == b"<b>f\\udcff.npy</b>"


def test_permissions_are_the_usual_ones(tmp_path, vectors):
    write(tmp_path / "x.npy", vectors)
    (tmp_path / "plain").write_text("")
    assert stat.S_IMODE((tmp_path / "x.npy").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


@BOTH
def test_existing_output_is_kept_unless_overwritten(tmp_path, vectors, suffix):
    path = tmp_path / f"x{suffix}"
    write(path, vectors)
    before = path.read_bytes()
    with pytest.raises(OutputError, match="^an output must not exist yet, got .*; choose another name or overwrite"):
        write(path, -vectors)
    assert path.read_bytes() == before
    write(path, -vectors, overwrite=True)
    np.testing.assert_array_equal(open_features(path).read(0, 200), -vectors)
    assert names(tmp_path) == [path.name]


def test_output_that_appears_meanwhile_is_kept(tmp_path, vectors):
    with (
        pytest.raises(OutputError, match="must not exist yet"),
        matrix_writer(tmp_path / "x.npy", rows=200, width=24, dtype=np.float32) as writer,
    ):
        writer.append(vectors)
        (tmp_path / "x.npy").write_text("someone else's")
    assert (tmp_path / "x.npy").read_text() == "someone else's"
    assert names(tmp_path) == ["x.npy"]


def test_link_stays_a_link(tmp_path, vectors):
    (tmp_path / "store").mkdir()
    (tmp_path / "x.npy").symlink_to(tmp_path / "store" / "x.npy")
    write(tmp_path / "x.npy", vectors, overwrite=True)
    assert (tmp_path / "x.npy").is_symlink()
    assert names(tmp_path / "store") == ["x.npy"]


@BOTH
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, SystemExit, GeneratorExit])
@pytest.mark.parametrize("old", [None, b"an older file"])
def test_interrupted_output_leaves_nothing(tmp_path, vectors, suffix, error, old):
    path = tmp_path / f"x{suffix}"
    if old:
        path.write_bytes(old)
    with pytest.raises(error), matrix_writer(path, rows=200, width=24, dtype=np.float32, overwrite=True) as writer:
        writer.append(vectors[:100])
        raise error
    assert names(tmp_path) == ([path.name] if old else [])
    assert not old or path.read_bytes() == old


@BOTH
def test_rows_missing_at_the_end(tmp_path, vectors, suffix):
    message = rf"^x{suffix} must get 201 rows, got 200; did the input end early$"
    with (
        pytest.raises(ShapeError, match=message),
        matrix_writer(tmp_path / f"x{suffix}", rows=201, width=24, dtype=np.float32) as writer,
    ):
        writer.append(vectors)
    assert names(tmp_path) == []


@BOTH
def test_more_rows_than_promised(tmp_path, vectors, suffix):
    with (
        pytest.raises(ShapeError, match=rf"^x{suffix} must get 300 rows, got 400; did a block come twice$"),
        matrix_writer(tmp_path / f"x{suffix}", rows=300, width=24, dtype=np.float32) as writer,
    ):
        writer.append(vectors)
        writer.append(vectors)
    assert names(tmp_path) == []


@pytest.mark.parametrize("shape", [(5, 23), (24,), (2, 5, 24)])
def test_blocks_of_another_shape(tmp_path, shape):
    with (
        pytest.raises(ShapeError, match=r"^a block for x\.npy must have shape \(n, 24\), got"),
        matrix_writer(tmp_path / "x.npy", rows=5, width=24, dtype=np.float32) as writer,
    ):
        writer.append(np.ones(shape, np.float32))


def test_blocks_of_another_dtype(tmp_path, vectors):
    with (
        pytest.raises(DtypeError, match=r"^a block for x\.npy must hold uint8 values, got float32$"),
        matrix_writer(tmp_path / "x.npy", rows=200, width=24, dtype=np.uint8) as writer,
    ):
        writer.append(vectors)


def test_check_output_accepts_a_new_name_and_leaves_no_trace(tmp_path):
    check_output(tmp_path / "new")
    check_matrix_output(tmp_path / "new.npy")
    check_matrix_output(tmp_path / "new.parquet")
    assert names(tmp_path) == []


def test_missing_parent(tmp_path):
    with pytest.raises(
        OutputError, match="^the folder of an output must exist, got .*/none for x.npy; create it first"
    ):
        check_output(tmp_path / "none" / "x.npy")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="^the folder of an output must exist, got"):
        check_output(tmp_path / "file" / "x.npy")


def test_parent_without_permission():
    code = """
        import os, sys
        from arfc.errors import OutputError
        from arfc.io import check_output
        os.chmod(sys.argv[1], 0o555)
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)  # root may write everywhere
        try:
            check_output(sys.argv[1] + "/x.npy")
        except OutputError as error:
            print(error)
    """
    with tempfile.TemporaryDirectory() as folder:  # tmp_path lies in a folder that others may not enter
        command = [sys.executable, "-c", textwrap.dedent(code), folder]
        result = subprocess.run(command, capture_output=True, text=True)
    assert result.stderr == ""
    assert result.stdout.strip() == f"the folder of an output must be writable, got {folder}; check its permissions"


def test_write_that_fails_for_good_is_an_output_error():
    if not os.path.isdir("/proc/self"):
        pytest.skip("needs /proc, where no file can be made")
    with pytest.raises(OutputError, match=r"^/proc/x\.txt could not be written, got|^the folder of an output must be"):
        text_writer("/proc/x.txt", "x")


def test_folder_in_place_of_a_file(tmp_path):
    (tmp_path / "x.npy").mkdir()
    for check in (check_matrix_output, lambda path, overwrite: text_writer(path, "", overwrite=overwrite)):
        with pytest.raises(OutputError, match=r"^an output must be a file, got the folder .*x\.npy; name a file in it"):
            check(tmp_path / "x.npy", overwrite=True)


def test_only_model_folders_are_overwritten(tmp_path):
    (tmp_path / "home").mkdir()
    check_output(tmp_path / "home", overwrite=True)
    (tmp_path / "home" / "letter.txt").write_text("dear")
    with pytest.raises(
        OutputError, match=r'^only a folder whose config\.json says "format": "arfc" is overwritten, got'
    ):
        check_output(tmp_path / "home", overwrite=True)
    (tmp_path / "home" / "config.json").write_text('{"format": "arfc"}')
    check_output(tmp_path / "home", overwrite=True)


def test_only_regular_files_are_overwritten(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match="^only a regular file is overwritten, got .*pipe; choose another name"):
        check_output(tmp_path / "pipe", overwrite=True)


@pytest.mark.parametrize("name", ["x", "x.csv", "x.npz"])
def test_unknown_format(tmp_path, name):
    with pytest.raises(OutputError, match=r"^an output of vectors must end in \.npy or \.parquet, got .*; add \.npy"):
        check_matrix_output(tmp_path / name)


def test_name_that_is_too_long(tmp_path):
    text_writer(tmp_path / ("x" * 255), "x")
    for check in (check_output, lambda path: text_writer(path, "x")):
        with pytest.raises(OutputError, match="could not be written, got 'file name too long'"):
            check(tmp_path / ("x" * 256))
    assert names(tmp_path) == ["x" * 255]


def test_text_is_written_whole(tmp_path):
    text_writer(tmp_path / "r.html", "é\n")
    assert (tmp_path / "r.html").read_bytes() == b"\xc3\xa9\n"
    with pytest.raises(OutputError, match="must not exist yet"):
        text_writer(tmp_path / "r.html", "b")
    text_writer(tmp_path / "r.html", "b", overwrite=True)
    assert (tmp_path / "r.html").read_text() == "b"


def test_two_writers_do_not_meet(tmp_path, vectors):
    threads = [
        threading.Thread(target=write, args=(tmp_path / "x.npy", vectors), kwargs={"overwrite": True}) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), vectors)
    assert names(tmp_path) == ["x.npy"]
