"""Models on the Hub: huggingface_hub itself talks to a server on this machine.

The server takes every file inside the commit; the way of large files (LFS, Xet) is the library's own and not tested.
"""

import re
import sys

import numpy as np
import pytest

from arfc import Compressor
from arfc.errors import ConfigError, InputError, MissingExtraError, ModelFileError, OutputError

huggingface_hub = pytest.importorskip("huggingface_hub", reason="needs the extra hub")

from arfc.integrations.hub import save_card  # noqa: E402


@pytest.fixture
def folder(fitted_model, tmp_path):
    """A saved model."""
    fitted_model.save(tmp_path / "model")
    return tmp_path / "model"


def test_what_is_pushed_is_loaded_by_name(local_hub, fitted_model, folder, small_rows, capfd):
    address = fitted_model.push_to_hub("me/tiny")
    files = local_hub.branches["me/tiny"]["main"]
    assert set(files) == {"config.json", "model.safetensors", "README.md"}
    for name in ("config.json", "model.safetensors"):
        assert files[name] == (folder / name).read_bytes()
    assert address.startswith(f"{local_hub.url}/me/tiny/commit/")
    loaded = Compressor.from_pretrained("me/tiny")
    np.testing.assert_array_equal(
        loaded.compress(small_rows, bytes=7).packed, fitted_model.compress(small_rows, bytes=7).packed
    )
    assert loaded.curve == fitted_model.curve
    assert Compressor.from_pretrained("me/tiny", local_files_only=True).width == 24
    assert capfd.readouterr() == ("", "")  # no bar outside a terminal


def test_the_card_of_a_repository_may_stay(local_hub, fitted_model):
    fitted_model.push_to_hub("me/tiny", license="mit")
    local_hub.branches["me/tiny"]["main"]["README.md"] = b"edited"
    fitted_model.push_to_hub("me/tiny", card=False)
    assert local_hub.branches["me/tiny"]["main"]["README.md"] == b"edited"
    fitted_model.push_to_hub("me/tiny", license="mit")
    assert b"license: mit" in local_hub.branches["me/tiny"]["main"]["README.md"]


def test_a_branch_and_a_private_repository(local_hub, fitted_model, monkeypatch, tmp_path):
    fitted_model.push_to_hub("me/tiny", private=True, revision="next")
    assert local_hub.private == {"me/tiny": True}
    assert local_hub.branches["me/tiny"]["main"] == {}
    assert Compressor.from_pretrained("me/tiny", revision="next", cache_dir=tmp_path).width == 24
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(
        InputError, match=r"^a model must be .*, got me/tiny: 404 .* Repository Not Found .*does it need a token$"
    ):
        Compressor.from_pretrained("me/tiny", revision="next", token=False, cache_dir=tmp_path / "other")
    token = "hf_local"
    assert Compressor.from_pretrained("me/tiny", revision="next", token=token, cache_dir=tmp_path / "third").width == 24


def test_what_cannot_be_fetched(local_hub, fitted_model):
    fitted_model.push_to_hub("me/tiny")
    for source, options, told in (
        ("me/none", {}, "404 Client Error. Repository Not Found"),
        ("me/tiny", {"revision": "v9"}, "404 Client Error. Revision Not Found"),
        ("./none", {}, "Repo id must use alphanumeric chars"),
        ("me/none", {"local_files_only": True}, "Cannot find an appropriate cached snapshot folder"),
    ):
        message = rf"^a model must be a folder or a repository of the Hub that can be read, got {source}: {told}"
        with pytest.raises(InputError, match=message) as error:
            Compressor.from_pretrained(source, **options)
        assert "\n" not in str(error.value)


def test_a_repository_without_a_model(local_hub):
    local_hub.branches["me/other"] = {"main": {"pytorch_model.bin": b"never read"}}
    local_hub.private["me/other"] = False
    with pytest.raises(ModelFileError, match=r"^a model must be a folder with config\.json"):
        Compressor.from_pretrained("me/other")


def test_what_cannot_be_pushed(local_hub, fitted_model, monkeypatch):
    for repo_id, options, told in (
        ("me/tiny", {"token": "hf_wrong"}, "Client error '401 Unauthorized'"),
        ("me/tiny", {"license": "mine"}, 'Invalid metadata in README.md. - "license" must be one of'),
        ("me/a b", {}, "Repo id must use alphanumeric chars"),
    ):
        message = (
            rf"^the model could not be pushed to {repo_id}, got {re.escape(told)}.*has the token the right to write$"
        )
        with pytest.raises(OutputError, match=message):
            fitted_model.push_to_hub(repo_id, **options)
    assert not any(files for branches in local_hub.branches.values() for files in branches.values())
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(OutputError, match="Connection refused"):
        fitted_model.push_to_hub("me/tiny")


@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_a_folder_needs_neither_network_nor_package(folder, monkeypatch, kind):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert Compressor.from_pretrained(kind(folder)).width == 24
    with pytest.raises(ConfigError, match="^revision is for a repository of the Hub, got 'main' for the folder"):
        Compressor.from_pretrained(kind(folder), revision="main")
    with pytest.raises(ModelFileError, match=r"^a model must be a folder with config\.json"):
        Compressor.from_pretrained(folder.parent / "none")


def test_the_library_is_optional(fitted_model, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    cure = r"huggingface_hub is not installed; run: pip install 'arfc\[hub\]'$"
    with pytest.raises(MissingExtraError, match=f"^me/tiny is no folder, and {cure}"):
        Compressor.from_pretrained("me/tiny")
    for call in (lambda: fitted_model.push_to_hub("me/tiny"), lambda: save_card(folder)):
        with pytest.raises(MissingExtraError, match=f"^{cure}"):
            call()


def tables(text):
    """Return the tables of a markdown text as lists of rows of cells; every row must have as many as the first."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()]
        assert {len(row) for row in rows} == {len(rows[0])}
        assert all(re.fullmatch("-+:?", cell) for cell in rows[1])
        found.append([rows[0], *rows[2:]])
    return found


def test_the_card_says_what_the_model_says(fitted_model, folder):
    path = save_card(folder, repo_id="me/tiny", license="apache-2.0", base_model="me/encoder")
    card = huggingface_hub.ModelCard.load(path)
    assert card.data.to_dict() == {
        "library_name": "arfc",
        "license": "apache-2.0",
        "base_model": "me/encoder",
        "tags": ["arfc", "embeddings", "compression", "dimensionality-reduction", "vector-search"],
    }
    floats, packed, data = tables(card.text)
    assert floats[0] == ["dims", "bytes", "arfc", "KLT", "truncation"]
    for row, told in zip(fitted_model.curve["floats"], floats[1:], strict=True):
        scores = [f"{row[name]:.3f}" for name in ("arfc", "klt", "truncation")]
        assert told[:2] == [str(row["dims"]), str(row["bytes"])]
        assert [cell.strip("*") for cell in told[2:]] == scores
        assert [cell.startswith("**") for cell in told[2:]] == [score == max(scores) for score in scores]
    for row, told in zip(fitted_model.curve["bytes"], packed[1:], strict=True):
        assert [cell.strip("*") for cell in told] == [str(row["bytes"]), f"{row['arfc']:.3f}", f"{row['klt']:.3f}"]
    facts = fitted_model.facts["data"]
    assert ["rows", "600"] in data
    assert [
        "rows to fit, to choose, not used",
        f"{facts['fit_rows']}, {facts['validation_rows']}, {facts['test_rows']}",
    ] in data
    assert f"recall@10 of {fitted_model.curve['validation_rows']} validation rows among " in card.text
    assert "of me/encoder of 24 dims" in card.text
    assert all(f"{name} {version}" in card.text for name, version in fitted_model.facts["versions"].items())
    code = re.search(r"```python\n(.*?)```", card.text, re.DOTALL)[1]
    assert 'from_pretrained("me/tiny")' in code


def test_the_code_of_the_card_runs(folder, small_rows, monkeypatch):
    monkeypatch.chdir(folder.parent)
    card = save_card("model").read_text(encoding="utf-8")  # without a name it is that of the folder
    assert card.startswith("---\nlibrary_name: arfc\ntags:\n- arfc\n")
    assert "\n# model\n" in card
    names = {"x": small_rows, "queries": small_rows[:3]}
    exec(re.search(r"```python\n(.*?)```", card, re.DOTALL)[1], names)
    assert names["ids"].shape == (3, 10)
    assert Compressor.load("model").width == 24  # a card does no harm
    assert save_card("model").read_text(encoding="utf-8") == card


def test_the_card_of_another_kind_of_fit(small_rows, tiny_config, tmp_path):
    config = tiny_config(linear_steps=1, arc_steps=0, decoder_steps=1, max_rows=300)
    model = Compressor.fit(small_rows, labels=np.arange(600) % 7, config=config, progress=False)
    model.facts["interrupted"] = True
    model.save(tmp_path / "model")
    card = save_card(tmp_path / "model").read_text(encoding="utf-8")
    assert "The fit has learned from labels what belongs together." in card
    assert "mAP@R by class of " in card
    assert "| rows | 600, of which 300 were sampled |" in card
    assert card.endswith("; seed 0; the fit was interrupted before its end.\n")


def test_a_card_needs_a_model(tmp_path):
    with pytest.raises(ModelFileError, match=r"^a model must be a folder with config\.json"):
        save_card(tmp_path)
