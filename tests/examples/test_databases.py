"""The examples of faiss, databases and exports run, and what they print holds."""

import re

import faiss_search


def table(text, columns):
    """Return the printed lines as name -> the numbers of the last columns."""
    lines = [re.split(r" {2,}", line.strip()) for line in text.splitlines()[1:]]
    return {cells[0]: [float(cell.replace(",", "")) for cell in cells[1:]] for cells in lines if len(cells) == columns}


def test_faiss_search(capsys):
    faiss_search.main()
    found = table(capsys.readouterr().out, columns=3)
    assert [size for size, _ in found.values()][:3] == [256, 64, 32]
    assert found["tokens"][0] <= 8
    assert all(same > 0.8 for _, same in found.values())
