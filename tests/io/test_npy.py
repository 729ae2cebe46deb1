import os

import numpy as np
import pytest

from arfc.errors import DtypeError, InputError
from arfc.io import open_features
from arfc.io.npy import map_npy


def test_values_are_mapped_read_only(npy_file, vectors):
    mapped = map_npy(npy_file, name="features")
    assert isinstance(mapped, np.memmap)
    assert not mapped.flags.writeable
    np.testing.assert_array_equal(mapped, vectors)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_the_header(tmp_path, vectors, version):
    path = tmp_path / "x.npy"
    with path.open("wb") as file:
        np.lib.format.write_array(file, vectors, version=version)
    np.testing.assert_array_equal(map_npy(path, name="features"), vectors)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"^features must be an existing file, got .*none\.npy; is the path spelled"):
        open_features(tmp_path / "none.npy")


def test_folder(tmp_path):
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(InputError, match=r"^features must be a file, got the folder .*folder\.npy; name a file in it"):
        open_features(tmp_path / "folder.npy")


def test_path_with_a_null_byte():
    with pytest.raises(
        InputError, match=r"^features must be an existing file, got 'x\\x00\.npy' \(embedded null byte\);"
    ):
        open_features("x\0.npy")


def test_unreadable_file(tmp_path):
    (tmp_path / "loop.npy").symlink_to(tmp_path / "loop.npy")
    with pytest.raises(InputError, match="^features must be readable, got Too many levels of symbolic links for"):
        open_features(tmp_path / "loop.npy")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_without_permission(npy_file):
    npy_file.chmod(0)
    with pytest.raises(InputError, match="^features must be readable, got Permission denied for"):
        open_features(npy_file)


@pytest.mark.parametrize("keep_bytes", [0, 5, 9, 60])
def test_file_cut_within_the_header(npy_file, keep_bytes):
    npy_file.write_bytes(npy_file.read_bytes()[:keep_bytes])
    with pytest.raises(InputError, match=r"^features must be an array saved by numpy\.save, got something else in"):
        open_features(npy_file)


def test_header_that_is_no_python(npy_file):
    npy_file.write_bytes(npy_file.read_bytes().replace(b"}", b" ", 1))
    with pytest.raises(InputError, match=r"^features must be an array saved by numpy\.save, got something else in"):
        open_features(npy_file)


@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: b[:128], lambda b: b + b"\0"])
def test_file_shorter_or_longer_than_its_header_says(npy_file, change):
    npy_file.write_bytes(change(npy_file.read_bytes()))
    with pytest.raises(InputError, match=r"^features must be a whole \.npy file, got \d+ bytes in .* says 19328; was"):
        open_features(npy_file)


@pytest.mark.parametrize("text", [b"PK\x03\x04 an npz", b"1.0,2.0\n3.0,4.0\n", b"\x93NUMPY\x09\x00rest of it"])
def test_file_of_another_kind(tmp_path, text):
    (tmp_path / "x.npy").write_bytes(text)
    with pytest.raises(InputError, match=r"saved by numpy\.save, got something else in .*x\.npy; save it with"):
        open_features(tmp_path / "x.npy")


def test_objects_are_never_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "sprung"),))

    np.save(tmp_path / "x.npy", np.array([[Trap()]], dtype=object), allow_pickle=True)
    with pytest.raises(
        DtypeError, match="^features must hold numbers, got Python objects in .*; save them as a float32"
    ):
        open_features(tmp_path / "x.npy")
    assert not (tmp_path / "sprung").exists()
