"""What a caller hands back: vectors or codes, in memory or in a file, of this model or refused."""

import numpy as np
import pytest
import torch

from arfc import Codes, Compressor
from arfc.codec import ClassicCodec
from arfc.errors import ConfigError, DtypeError
from arfc.io import matrix_writer


def test_stored_codes_are_taken_as_they_are_stored(opened_model, small_rows, tmp_path):
    codes = opened_model.compress(small_rows[:100], bytes=8)
    np.save(tmp_path / "codes.npy", codes.packed)
    with matrix_writer(tmp_path / "codes.parquet", rows=100, width=8, dtype="uint8") as writer:
        writer.append(codes.packed)
    found, back = opened_model.search(small_rows[:5], codes, k=3), opened_model.decompress(codes)
    stored = (codes.packed, torch.from_numpy(codes.packed), tmp_path / "codes.npy", str(tmp_path / "codes.parquet"))
    for given in stored:
        np.testing.assert_array_equal(opened_model.decompress(given), back)
        for one, other in zip(opened_model.search(small_rows[:5], given, k=3), found, strict=True):
            np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(opened_model.codes(tmp_path / "codes.npy").packed, codes.packed)
    np.save(tmp_path / "x.npy", small_rows)
    with pytest.raises(DtypeError, match=r"^codes must be uint8, got float32 in .*x\.npy; these are vectors"):
        opened_model.codes(tmp_path / "x.npy")
    with pytest.raises(DtypeError, match=r"^codes must be .* got list; try numpy\.asarray\(x, dtype=numpy\.uint8\)"):
        opened_model.codes(codes.packed.tolist())


def test_a_file_that_notes_another_model_is_refused(fitted_model, tmp_path):
    with matrix_writer(tmp_path / "x.parquet", rows=3, width=4, dtype="uint8", made_by="another one") as writer:
        writer.append(np.zeros((3, 4), np.uint8))
    fitted_model.save(tmp_path / "model")
    model = Compressor.load(tmp_path / "model")
    with pytest.raises(
        ConfigError, match=r"x\.parquet must be read by the model that made it \(tensors_sha256 another "
    ):
        model.decompress(tmp_path / "x.parquet")


def test_codes_of_another_model_are_refused(fitted_model, small_rows, tiny_config, tmp_path):
    codes = fitted_model.compress(small_rows[:50], bytes=4)
    other = Compressor.fit(small_rows[:, ::-1].copy(), config=tiny_config(), steps=1, progress=False)
    for call in (lambda: other.search(small_rows[:2], codes, k=1), lambda: other.decompress(codes)):
        with pytest.raises(ConfigError, match="^codes must be those of this model, got another's; use the model that"):
            call()
    scalar = Codes(codes.packed, ClassicCodec.fit(small_rows))
    with pytest.raises(ConfigError, match="got another's"):
        fitted_model.decompress(scalar)
    fitted_model.save(tmp_path / "model")
    again = Compressor.load(tmp_path / "model")
    np.testing.assert_array_equal(again.decompress(codes), fitted_model.decompress(codes))


def test_no_codes_are_no_features(fitted_model):
    assert fitted_model.decompress(fitted_model.codes(np.empty((0, 4), np.uint8))).shape == (0, 24)
