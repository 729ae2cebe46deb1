"""Make the features of texts or images with a model that lies on this machine; docs/data.md tells where they go.

`.venv/bin/python benchmarks/extract_features.py texts FILE --model FOLDER -o texts.npy` reads one text per line, and
`images FOLDER` all pictures in a folder and below, sorted by path; row i of the output is line i of the list that is
written beside it (`texts.txt`, `images.txt`). The model folder is one of sentence-transformers (it has `modules.json`)
or of open_clip 3 or later (it has `open_clip_config.json`). Nothing is downloaded.

Letters: N rows, n rows of a batch, D dims.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from arfc.errors import ArfcError
from arfc.io import check_file_output, check_matrix_output, matrix_writer, text_writer
from arfc.io.text import read_lines

PICTURES = (".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
BATCH = 64
Encode = Callable[[list[str]], np.ndarray]
"""Takes texts, or paths of pictures, and returns their vectors, float32 (n, D)."""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["texts", "images"])
    parser.add_argument("source", type=Path, help="a file with one text per line, or a folder of pictures")
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    parser.add_argument("-o", "--output", type=Path, required=True, help=".npy or .parquet")
    options = parser.parse_args(arguments)
    try:
        extract(options.kind, options.source, model=options.model, out=options.output)
    except ArfcError as error:
        sys.exit(str(error))


def extract(kind: str, source: Path, *, model: Path, out: Path) -> None:
    """Write the features and the list of what they are of.

    Raises: SystemExit when there is nothing to read, no model, or a library is missing; OutputError.
    """
    check_matrix_output(out)
    check_file_output(out.with_suffix(".txt"))
    items = read_texts(source) if kind == "texts" else find_pictures(source)
    encode = encoder(kind, model)
    first_nD = encode(items[:BATCH])
    with matrix_writer(out, rows=len(items), width=first_nD.shape[1], dtype=np.float32) as writer:
        writer.append(first_nD)
        for start in range(BATCH, len(items), BATCH):
            writer.append(encode(items[start : start + BATCH]))
    names = items if kind == "texts" else [Path(item).relative_to(source).as_posix() for item in items]
    text_writer(out.with_suffix(".txt"), "".join(f"{name}\n" for name in names))
    print(f"{len(items):,} {kind} -> {out} ({len(items)}, {first_nD.shape[1]})")


def read_texts(path: Path) -> list[str]:
    """Return the lines of a file."""
    if not path.is_file():
        sys.exit(f"texts must be a file with one text per line, got {path}")
    texts = read_lines(path, name="texts")
    empty = next((number for number, text in enumerate(texts, start=1) if not text.strip()), None)
    if not texts or empty is not None:
        sys.exit(f"texts must have one text per line, got none in line {empty or 1} of {path}")
    return texts


def find_pictures(folder: Path) -> list[str]:
    """Return the paths of all pictures in a folder and below, sorted."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES)
    if not found:
        sys.exit(f"images must be a folder with pictures ({', '.join(PICTURES)}), got none in {folder}")
    for path in found:  # now, and not after hours of encoding
        _check_picture(path)
    return [str(path) for path in found]


def _check_picture(path: Path) -> None:
    try:
        with _pillow().open(path) as picture:
            picture.verify()
    except Exception as error:  # its formats raise what they like
        sys.exit(f"images must be pictures, got {path}, which cannot be read ({error}); remove it")


def encoder(kind: str, model: Path) -> Encode:
    """Return what turns texts or paths of pictures into vectors, by what the model folder holds."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    if (model / "modules.json").is_file():
        return _sentence_transformers(kind, model)
    if (model / "open_clip_config.json").is_file():
        return _open_clip(kind, model)
    sys.exit(
        f"model must be a folder with modules.json or open_clip_config.json, got {model}; download one and name it"
    )


def _sentence_transformers(kind: str, folder: Path) -> Encode:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        sys.exit("sentence-transformers is not installed; run: pip install sentence-transformers")
    model = SentenceTransformer(str(folder))

    def encode(items: list[str]) -> np.ndarray:
        inputs: list[Any] = items if kind == "texts" else [_picture(path) for path in items]
        return np.asarray(model.encode(inputs, batch_size=BATCH, show_progress_bar=False), dtype=np.float32)

    return encode


def _open_clip(kind: str, folder: Path) -> Encode:
    try:
        import open_clip
    except ImportError:
        sys.exit("open_clip is not installed; run: pip install 'open-clip-torch>=3'")
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    model, prepare = open_clip.create_model_from_pretrained(f"local-dir:{folder}", device=device)
    tokenize = open_clip.get_tokenizer(f"local-dir:{folder}")
    model.eval()

    @torch.inference_mode()
    def encode(items: list[str]) -> np.ndarray:
        if kind == "texts":
            vectors_nD = model.encode_text(tokenize(items).to(device))
        else:
            vectors_nD = model.encode_image(torch.stack([prepare(_picture(path)) for path in items]).to(device))
        return vectors_nD.float().cpu().numpy()

    return encode


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        sys.exit("Pillow is not installed; run: pip install pillow")
    return Image


def _picture(path: str) -> Any:
    with _pillow().open(path) as picture:
        return picture.convert("RGB")


if __name__ == "__main__":
    main()
