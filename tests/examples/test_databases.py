"""The examples of faiss, databases and exports run, and what they print holds."""

import re

import pytest

import faiss_search
import lancedb_search
import mteb_sizes
import onnx_runtime
import pgvector_search


def table(text, columns):
    """Return the printed lines as name -> the numbers of the last columns."""
    lines = [re.split(r" {2,}", line.strip()) for line in text.splitlines()]
    rows = [cells for cells in lines if len(cells) == columns][1:]  # the first is the heading
    return {name: [float(cell.replace(",", "")) for cell in cells] for name, *cells in rows}


def test_faiss_search(capsys):
    faiss_search.main()
    found = table(capsys.readouterr().out, columns=3)
    assert [size for size, _ in found.values()][:3] == [256, 64, 32]
    assert found["tokens"][0] <= 8
    assert all(same > 0.8 for _, same in found.values())


def test_pgvector_search(capsys):
    pgvector_search.main()
    printed = capsys.readouterr().out
    assert printed.startswith("1,700 rows compressed from 64 to 16 dims\n")
    found = table(printed, columns=4)
    assert found["small"][0] > found["smaller"][0] and found["small"][1] > found["smaller"][1]
    assert found["small"][2] > found["smaller"][2] > 0.8


def test_onnx_runtime(capsys):
    onnx_runtime.main()
    printed = capsys.readouterr().out
    assert "arfc.dims         16" in printed and "arfc.width        64" in printed
    assert float(re.search(r"largest difference to arfc\s+(\S+)", printed)[1]) < 1e-4


def test_lancedb_search(capsys):
    lancedb_search.main()
    printed = capsys.readouterr().out
    assert "columns: id, class, vector, small" in printed
    found = table(printed, columns=3)
    assert [size for size, _ in found.values()] == [64, 32]
    assert found["vector"][1] > found["small"][1] > 0.8


@pytest.mark.slow
# mteb 2.26 calls what it and sentence-transformers 6 have renamed.
@pytest.mark.filterwarnings("ignore:The fill_missing parameter is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The `get_sentence_embedding_dimension` method:FutureWarning")
def test_mteb_sizes(capsys):
    mteb_sizes.main()
    found = table(capsys.readouterr().out, columns=3)
    assert [size for size, _ in found.values()] == [1536, 96, 96, 24]
    (_, full), (_, cut), (_, codes), (_, short) = found.values()
    assert full > 0.4 and cut < codes and short > 0.8 * full
