"""Shrink the vectors of a Parquet table of real texts in place of the old ones, keep the rest, and ask the small table.

Run it with `python examples/with_parquet.py`. Letters: N rows, D dims, B bytes per vector.
"""

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from click.testing import CliRunner

from _encoder import load_encoder
from _manual import sentences
from arfc import Compressor
from arfc.cli import app

ROWS = 600
BYTES = 48
BUDGET = "5s"
QUESTION = "how are exceptions caught"


def main() -> None:
    encoder = load_encoder()
    drawn = sentences(ROWS)
    x_ND = encoder.encode([sentence.text for sentence in drawn], show_progress_bar=False)
    table = pa.table(
        {
            "id": range(ROWS),
            "embedding": list(x_ND),
            "text": [sentence.text for sentence in drawn],
            "source": [{"topic": sentence.topic, "words": sentence.text.split()} for sentence in drawn],
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        large, model, small = (Path(folder, name) for name in ("table.parquet", "model", "small.parquet"))
        pq.write_table(table, large)
        arfc("fit", large, "-o", model, "--budget", BUDGET)
        arfc("compress", large, "-m", model, "-o", small, "--bytes", BYTES)
        found = pq.read_table(small)
        before, after = (embedding_bytes(path) for path in (large, small))
        compressor = Compressor.load(model)
    print(f"the column of vectors takes {before:,} bytes before and {after:,} after")
    assert found.drop(["embedding"]).equals(table.drop(["embedding"]))

    packed_NB = np.frombuffer(b"".join(found["embedding"].to_pylist()), np.uint8).reshape(ROWS, BYTES)
    ids, scores = compressor.search(encoder.encode([QUESTION]), compressor.codes(packed_NB), k=3)
    print(f'\n"{QUESTION}"')
    for row, score in zip(found.take(ids[0]).to_pylist(), scores[0], strict=True):
        print(f"    {score:.2f} {row['source']['topic']}: {row['text']}")


def arfc(*words: object) -> None:
    """Run a command line, as in a shell."""
    print("$ arfc", *(Path(word).name if isinstance(word, Path) else word for word in words))
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    print(f"    {done.stderr.strip().split(': ', 1)[1]}")
    assert done.exit_code == 0


def embedding_bytes(path: Path) -> int:
    """Return the bytes that the column of vectors takes in a file."""
    with pq.ParquetFile(path) as file:
        groups = [file.metadata.row_group(i) for i in range(file.num_row_groups)]
        columns = [group.column(i) for group in groups for i in range(group.num_columns)]
        return sum(c.total_compressed_size for c in columns if c.path_in_schema.split(".")[0] == "embedding")


if __name__ == "__main__":
    main()
