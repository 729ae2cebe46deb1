"""`arfc compress` and `arfc decompress`: equal to the Compressor, streamed, whole or not at all."""

import json
import shutil

import numpy as np
import pytest

from arfc import Compressor


def read(path):
    if path.suffix == ".npy":
        return np.load(path)
    column = pytest.importorskip("pyarrow.parquet").read_table(path)["vector"]
    if column.type.id == pytest.importorskip("pyarrow").binary(1).id:
        return np.frombuffer(b"".join(column.to_pylist()), np.uint8).reshape(len(column), -1)
    return np.stack(column.to_numpy())


@pytest.mark.parametrize(
    ("flags", "size"),
    [(["--dims", "7"], {"dims": 7}), (["--ratio", "2.5"], {"ratio": 2.5}), (["--bytes", "10"], {"bytes": 10})],
)
@pytest.mark.parametrize("suffix", [".npy", ".parquet"])
def test_compress_equals_the_compressor(arfc, fitted, tmp_path, flags, size, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    out = tmp_path / f"small{suffix}"
    result = arfc("compress", fitted.features, "-m", fitted.model, "-o", out, *flags)
    expected = fitted.load().compress(fitted.x, **size)
    expected = expected.packed if "bytes" in size else expected
    small = read(out)
    assert small.dtype == expected.dtype
    np.testing.assert_array_equal(small, expected)
    assert result.stdout == ""
    assert result.stderr.startswith(f"{out}: 1,200 ")
    assert result.stderr.count("\n") == 1  # one line and no bar in a pipe
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_more_rows_than_one_block(arfc, fitted, tmp_path):
    many = np.tile(fitted.x, (8, 1))[:9000]
    np.save(tmp_path / "many.npy", many)
    arfc("compress", "many.npy", "-m", fitted.model, "-o", "small.npy", "--dims", "5")
    np.testing.assert_array_equal(np.load("small.npy"), fitted.load().compress(many, dims=5))


def test_compress_json(arfc, fitted):
    result = arfc("compress", fitted.features, "-m", fitted.model, "-o", "s.npy", "--bytes", "6", "--json")
    facts = json.loads(result.stdout)
    assert facts | {"seconds": 0, "vectors_per_second": 0} == {
        "output": "s.npy",
        "rows": 1200,
        "dims": None,
        "bytes_per_vector": 6,
        "ratio": 16.0,
        "seconds": 0,
        "vectors_per_second": 0,
    }


@pytest.mark.parametrize("suffix", [".npy", ".parquet"])
def test_decompress_vectors_and_codes(arfc, fitted, tmp_path, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    model = fitted.load()
    small, packed, back = (tmp_path / f"{name}{suffix}" for name in ("small", "packed", "back"))
    arfc("compress", fitted.features, "-m", fitted.model, "-o", small, "--dims", "9")
    result = arfc("decompress", small, "-m", fitted.model, "-o", back)
    np.testing.assert_array_equal(read(back), model.decompress(model.compress(fitted.x, dims=9)))
    assert result.stderr.startswith(f"{back}: 1,200 features of 24 dims in ")
    arfc("compress", fitted.features, "-m", fitted.model, "-o", packed, "--bytes", "9")
    result = arfc("decompress", packed, "-m", fitted.model, "-o", back, "--overwrite", "--json")
    np.testing.assert_array_equal(read(back), model.decompress(model.compress(fitted.x, bytes=9)))
    assert json.loads(result.stdout)["rows"] == 1200


def test_full_width_comes_back_without_loss(arfc, fitted):
    arfc("compress", fitted.features, "-m", fitted.model, "-o", "s.npy", "--ratio", "1")
    arfc("decompress", "s.npy", "-m", fitted.model, "-o", "b.npy")
    error = np.linalg.norm(np.load("b.npy") - fitted.x, axis=1) / np.linalg.norm(fitted.x, axis=1)
    assert error.max() < 1e-3


def largest_bytes(fitted):
    return Compressor.load(fitted.model).codec.largest_bytes


@pytest.mark.parametrize(
    ("flags", "match"),
    [
        (["--dims", "25"], "dims must be between 1 and 24, got 25"),
        (["--dims", "0"], "dims must be between 1 and 24, got 0"),
        (["--ratio", "0.5"], "ratio must be finite and at least 1, got 0.5"),
        (["--ratio", "nan"], "ratio must be finite and at least 1, got nan"),
        (["--ratio", "25"], "ratio must leave at least one of 24 dims, got 25"),
        (["--bytes", "0"], "bytes must be between 1 and LARGEST, got 0"),
        (["--bytes", "99"], "bytes must be between 1 and LARGEST, got 99"),
        ([], "exactly one of --dims, --ratio and --bytes must be given, got none; see arfc compress --help"),
        (["--dims", "8", "--bytes", "8"], "exactly one of .* must be given, got --dims and --bytes"),
        (["--dims", "8", "--ratio", "0"], "exactly one of .* must be given, got --dims and --ratio"),
    ],
)
def test_bad_sizes(refused, fitted, flags, match):
    match = match.replace("LARGEST", str(largest_bytes(fitted)))
    refused("compress", fitted.features, "-m", fitted.model, "-o", "s.npy", *flags, match=match)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            lambda x: x[:, :20],
            r"features must have shape \(N, 24\), got \(1200, 20\); was this model fitted on another",
        ),
        (lambda x: x.ravel(), r"features must have shape \(N, D\) with D >= 1, got \(28800,\)"),
        (lambda x: x.astype(np.int8), "features must hold float16, float32 or float64 values, got int8"),
        (lambda x: np.where(np.arange(1200)[:, None] == 1100, np.nan, x), r"NaN or Inf in 1 row \(row 1100\)"),
        (lambda x: x * (np.arange(1200)[:, None] > 1), r"only zeros in 2 rows \(rows 0, 1\)"),
    ],
)
def test_bad_features(refused, fitted, tmp_path, change, match):
    np.save(tmp_path / "x.npy", change(fitted.x))
    refused("compress", "x.npy", "-m", fitted.model, "-o", "s.npy", "--dims", "8", match=match)


def test_bad_outputs(refused, fitted, tmp_path):
    def refuse(out, match, *flags):
        refused("compress", fitted.features, "-m", fitted.model, "-o", out, "--dims", "8", *flags, match=match)

    (tmp_path / "s.npy").write_text("old")
    refuse("s.npy", r"an output must not exist yet, got s\.npy; choose another name or overwrite \(--overwrite\)")
    refuse("s.txt", r"an output of vectors must end in \.npy or \.parquet, got s\.txt")
    refuse("none/s.npy", r"the folder of an output must exist, got .*none for s\.npy")
    (tmp_path / "folder.npy").mkdir()
    refuse("folder.npy", "an output must be a file, got the folder", "--overwrite")
    refused("decompress", "not looked at", "-m", "nor this", "-o", "s.npy", match="an output must not exist yet")


def test_overwrite_only_when_asked(arfc, fitted, tmp_path):
    (tmp_path / "s.npy").write_text("old")
    arfc("compress", fitted.features, "-m", fitted.model, "-o", "s.npy", "--dims", "3", "--overwrite")
    assert np.load("s.npy").shape == (1200, 3)


def test_an_input_may_be_its_own_output(arfc, fitted, tmp_path):
    shutil.copy(fitted.features, tmp_path / "x.npy")
    arfc("compress", "x.npy", "-m", fitted.model, "-o", "x.npy", "--dims", "24", "--overwrite")
    np.testing.assert_array_equal(np.load("x.npy"), fitted.load().compress(fitted.x, dims=24))


def test_bad_models(refused, fitted, tmp_path):
    def refuse(model, match):
        refused("compress", fitted.features, "-m", model, "-o", "s.npy", "--dims", "8", match=match)

    refuse("none", r"a model must be a folder with config\.json, got none; make one with: arfc fit")
    refuse(fitted.features, r"a model must be a folder with config\.json")
    copy = tmp_path / "copy"
    shutil.copytree(fitted.model, copy)
    tensors, config = copy / "model.safetensors", copy / "config.json"
    whole, text = tensors.read_bytes(), config.read_text()
    for cut in (0, 5, 1000, len(whole) - 1):
        tensors.write_bytes(whole[:cut])
        refuse("copy", r"model\.safetensors must be a whole safetensors file.*; copy the model folder again")
    tensors.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    refuse("copy", r"model\.safetensors must have the sha256 that config\.json names")
    tensors.unlink()
    refuse("copy", r"must hold model\.safetensors, which is missing")
    config.write_text(text.replace('"format_version": 11', '"format_version": 99'))
    refuse("copy", "model format version must be 11, got 99 .*; install the arfc release that wrote it")
    config.write_text(text[:100])
    refuse("copy", r"config\.json must be readable JSON")


def test_decompress_refuses_what_is_not_compressed(refused, fitted, tmp_path):
    def refuse(x, match):
        np.save(tmp_path / "in.npy", x)
        refused("decompress", "in.npy", "-m", fitted.model, "-o", "b.npy", match=match)

    refused("decompress", "none.npy", "-m", fitted.model, "-o", "b.npy", match="input must be an existing file")
    refuse(np.ones((3, 25), np.float32), "compressed vectors must have at most 24 dims, got 25")
    largest = largest_bytes(fitted)
    refuse(np.ones((3, largest + 1), np.uint8), f"bytes must be between 1 and {largest}, got {largest + 1}")
    refuse(np.ones(3, np.uint8), r"codes must have shape \(N, B\) with B >= 1, got \(3,\)")
    refuse(np.ones((3, 5), np.int64), "input must hold floats or uint8 codes, got int64")
    refuse(np.full((3, 5), np.nan), r"compressed vectors must be finite, got NaN or Inf in 3 rows")


def test_decompress_takes_rows_that_were_cut_to_zeros(arfc, fitted, tmp_path):
    small = fitted.load().compress(fitted.x[:5], dims=3)
    small[2] = 0
    np.save(tmp_path / "in.npy", small)
    arfc("decompress", "in.npy", "-m", fitted.model, "-o", "b.npy")
    back = np.load("b.npy")
    assert not back[2].any() and back[[0, 1, 3, 4]].all()
