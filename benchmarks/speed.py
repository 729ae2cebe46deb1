"""Speed beside rivals, in one run: vectors, codes, one query, growth of the cost, start-up, memory.

Prints a table per part and appends one JSON line per part to benchmarks/records/speed.jsonl. `--parts` chooses; the
part `memory` needs 13 GB of free disk and is not among the usual ones. Timings are noisy on shared machines, so
contestants take turns, and ratios are what to read.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

import arfc
from _data import ROOT
from _timing import bare_products, fitted_exponent, in_turns, rate
from arfc import Compressor
from arfc.codec import NestedCodec
from arfc.codec.joint import JointTokens
from arfc.codec.missed import Missed
from arfc.codec.nested import JOINT_DIMS
from arfc.codec.token_count import TOKEN_CHOICES
from arfc.config import Config, ModelConfig, TrainConfig
from arfc.model.network import OPEN_BLOCK_ROWS, Network
from arfc.model.steady import by_blocks
from arfc.rivals import MlpAdaptor
from arfc.search.shortlist import scan
from quality import PROVENANCE

RECORDS = ROOT / "benchmarks" / "records" / "speed.jsonl"
WIDTH = 384
ROWS = 4096
FIT_ROWS = 10_000
USUAL_TOKENS = (8, 16)
"""What nearly all fits of the benchmark choose."""
Part = dict[str, Any]


def made_rows(rows: int, width: int = WIDTH, *, seed: int = 0) -> np.ndarray:
    """Return unit rows around 2,000 points, with a falling spectrum; speed does not depend on what they are."""
    rng = np.random.default_rng(seed)
    spread = np.arange(1, width + 1) ** -0.5
    points = np.random.default_rng(99).standard_normal((2000, width)) * spread
    x = points[rng.integers(2000, size=rows)] + 0.7 * rng.standard_normal((rows, width)) * spread
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def opened(network: Network) -> Network:
    """Return a copy with every token open, as supervision may leave it; the weights don't matter for speed."""
    network = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for part in (network.arc, network.mos):
            if part is not None:
                part.head.copy_(0.02 * torch.randn(part.head.shape, generator=generator))
        network.opening.fill_(1)
    network.refresh()
    return network.eval().requires_grad_(False)


def with_network(model: Compressor, network: Network) -> Compressor:
    return Compressor(network, model.codec, model.seen, model.facts)


def vectors(model: Compressor) -> Part:
    """Floats at three ratios, the transformer closed and open, beside an MLP adaptor, RQ, and the bare products."""
    x, many = made_rows(ROWS), made_rows(16 * ROWS)
    open_model = with_network(model, opened(model.network))
    adaptor = MlpAdaptor.fit(made_rows(2000), steps=2, seed=0)
    quantiser = faiss_rq(made_rows(FIT_ROWS, seed=1), steps=32)
    block = torch.from_numpy(x[:OPEN_BLOCK_ROWS])
    bare = bare_products(lambda: open_model.network.compress(block, dims=WIDTH // 4))
    given, matrix = torch.from_numpy(many), torch.randn(WIDTH, WIDTH // 4)
    contestants: dict[str, tuple[int, Callable[[], Any]]] = {
        "arfc, linear, ratio 4": (len(many), lambda: model.compress(many, dims=WIDTH // 4)),
        "its matrix product alone": (len(many), lambda: given @ matrix),
        "MLP adaptor": (len(x), lambda: adaptor.compress(x, dims=WIDTH // 4)),
        "arfc, all tokens open, ratio 1": (len(x), lambda: open_model.compress(x, dims=WIDTH)),
        "arfc, all tokens open, ratio 4": (len(x), lambda: open_model.compress(x, dims=WIDTH // 4)),
        "arfc, all tokens open, ratio 16": (len(x), lambda: open_model.compress(x, dims=WIDTH // 16)),
        "the open model's matrix products alone": (
            len(x),
            lambda: by_blocks(lambda rows: (bare(), rows)[1], x, block_rows=OPEN_BLOCK_ROWS),
        ),
        "faiss RQ, beam 5, 32 bytes": (512, lambda: quantiser.compute_codes(x[:512])),
    }
    return rates(contestants)


def codes(model: Compressor) -> Part:
    """Encoding beside faiss RQ with and without its look-up tables, decoding, and the scan of packed codes."""
    import faiss

    x = made_rows(ROWS)
    full = model.compress(x, dims=WIDTH)
    packed = model.codec.encode(full, bytes_per_vector=32)
    contestants: dict[str, tuple[int, Callable[[], Any]]] = {}
    fit_rows = made_rows(FIT_ROWS, seed=1)
    usual = {f", {tokens} tokens": with_tokens(model, fit_rows, tokens=tokens).codec for tokens in USUAL_TOKENS}
    for name, codec in {"": model.codec, **usual}.items():
        for size in (8, 16, 32, 64, 192):
            contestants[f"arfc encode{name}, {size} bytes"] = (
                ROWS,
                lambda codec=codec, size=size: codec.encode(full, bytes_per_vector=size),
            )
    for size in (16, 32, 64):
        for name, tables in (("", 0), (", its tables", 1)):
            quantiser = faiss_rq(fit_rows, steps=size, tables=tables)
            contestants[f"faiss RQ encode, beam 5{name}, {size} bytes"] = (
                1024,
                lambda quantiser=quantiser: quantiser.compute_codes(x[:1024]),
            )
    contestants["arfc decode, 32 bytes"] = (ROWS, lambda: model.codec.decode(packed))
    rng = np.random.default_rng(0)
    many = rng.integers(0, 256, (2_000_000, 32), dtype=np.uint8)
    tables_1BC = rng.standard_normal((1, 32, 256)).astype(np.float32)
    factors = np.repeat(rng.uniform(1, 2, (1, len(many))).astype(np.float32), 2, axis=0)
    contestants["arfc scan, 32 bytes"] = (len(many), lambda: scan(many, tables_1BC, factors, tokens=24, keep=100))
    index = faiss.IndexPQ(WIDTH, 32, 8, faiss.METRIC_INNER_PRODUCT)
    index.train(fit_rows)
    index.add_sa_codes(many)
    contestants["faiss PQ scan, 32 bytes"] = (len(many), lambda: index.search(x[:1], 100))
    return rates(contestants) | {"joint_tokens": model.codec.joint.tokens}


def one_query(model: Compressor) -> Part:
    """Time from one original vector to its compressed form, caches overwritten between queries."""
    x, flush = made_rows(200), np.zeros(16_000_000, dtype=np.float32)
    result: Part = {}
    for name, used in (("linear", model), ("all tokens open", with_network(model, opened(model.network)))):
        taken = []
        used.compress(x[:1], dims=WIDTH // 4)
        for row in range(200 if name == "linear" else 40):
            flush += 1
            started = time.perf_counter()
            used.compress(x[row : row + 1], dims=WIDTH // 4)
            taken.append(1000 * (time.perf_counter() - started))
        result[name] = {
            "p50_ms": round(float(np.median(taken)), 2),
            "p99_ms": round(float(np.quantile(taken, 0.99)), 2),
        }
        print(f"{name:40s} p50 {result[name]['p50_ms']} ms, p99 {result[name]['p99_ms']} ms")
    return result


def growth(model: Compressor) -> Part:
    """How the time of compressing grows with rows, dims kept, width, tokens and solutions; four sizes each."""
    network, result = opened(model.network), {}

    def grown(name: str, sizes: list[int], run: Callable[[int], Callable[[], Any]]) -> None:
        timings = in_turns({str(size): run(size) for size in sizes}, repeats=3)
        seconds = [timings[str(size)].median_s for size in sizes]
        result[name] = {"sizes": sizes, "seconds": seconds, "exponent": fitted_exponent(sizes, seconds)}
        print(f"{name:40s} {sizes} exponent {result[name]['exponent']}")

    def of(width: int = WIDTH, **parts: int) -> Callable[[], Any]:
        return partial(_compress, opened(Network(width, ModelConfig(**parts))), made_rows(1024, width), width)

    x, many, linear = made_rows(2048), made_rows(32768), model.network
    grown("rows, linear", [4096, 8192, 16384, 32768], lambda n: partial(model.compress, made_rows(n), dims=96))
    grown("rows, open", [512, 1024, 2048, 4096], lambda n: partial(_compress, network, made_rows(n), 96))
    grown("dims kept, linear", [48, 96, 192, 384], lambda k: lambda: _compress(linear, many, k))
    grown("dims kept, open", [24, 48, 96, 192], lambda k: lambda: _compress(network, x, k))
    grown("width D, open", [192, 384, 768, 1536], lambda width: of(width))
    grown("tokens, open", [4, 8, 16, 32], lambda tokens: of(tokens=tokens))
    grown("solutions, open", [1, 2, 4, 8], lambda solutions: of(solutions=solutions))
    full = model.compress(x, dims=WIDTH)
    grown(
        "bytes of a code",
        [4, 8, 16, 28],
        lambda size: lambda: model.codec.encode(full, bytes_per_vector=size),
    )
    return result


def _compress(network: Network, x: np.ndarray, dims: int) -> np.ndarray:
    return network.compress_rows(x, dims=dims)


def start_up(model: Compressor) -> Part:
    """`arfc --help` and `arfc info`, each in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model")
        command = [sys.executable, "-m", "arfc.cli"] if not Path(sys.executable).with_name("arfc").exists() else None
        words = command or [str(Path(sys.executable).with_name("arfc"))]

        def call(*more: str) -> Callable[[], Any]:
            return lambda: subprocess.run([*words, *more], check=True, capture_output=True)

        timings = in_turns(
            {"arfc --help": call("--help"), "arfc info": call("info", str(Path(folder) / "model"))}, repeats=9
        )
    for name, timing in timings.items():
        print(f"{name:40s} {timing.median_s:.2f} s ({timing.least_s:.2f} to {timing.most_s:.2f})")
    return {name: timing._asdict() for name, timing in timings.items()}


def memory(model: Compressor) -> Part:
    """Peak resident memory of `arfc compress` and `arfc fit` on a file of 10 GB."""
    result: Part = {}
    with tempfile.TemporaryDirectory() as folder:
        rows, source = 6_800_000, Path(folder) / "x.npy"
        file = np.lib.format.open_memmap(source, mode="w+", dtype=np.float32, shape=(rows, WIDTH))
        for start in range(0, rows, 100_000):
            file[start : start + 100_000] = made_rows(100_000, seed=start)
        del file
        model.save(Path(folder) / "model")
        arfc_command = str(Path(sys.executable).with_name("arfc"))
        for name, words in {
            "compress": ["compress", source, "-m", f"{folder}/model", "-o", f"{folder}/small.npy", "--ratio", "4"],
            "fit": ["fit", source, "-o", f"{folder}/fitted", "--steps", "20"],
        }.items():
            script = (
                f"import resource, subprocess; subprocess.run({[arfc_command, *map(str, words)]!r}, check=True); "
                "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
            )
            done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
            result[f"{name}_peak_mb"] = round(int(done.stdout.split()[-1]) / 1024)
            print(f"{name:40s} peak {result[f'{name}_peak_mb']} MB resident, file of {rows * WIDTH * 4 / 1e9:.1f} GB")
    return result


def with_tokens(model: Compressor, rows: np.ndarray, *, tokens: int = TOKEN_CHOICES[-1]) -> Compressor:
    """Give a model so many joint tokens, as many as codes may have where nothing is said: made rows may choose fewer,
    and encoding would look fast."""
    full = model.compress(rows, dims=WIDTH)
    codec = model.codec
    values = (full / np.linalg.norm(full, axis=1, keepdims=True)) @ codec.frame.basis - codec.frame.mean
    head = np.ascontiguousarray(values[:, :JOINT_DIMS])
    joint = JointTokens.fit(head, tokens=tokens, rng=np.random.default_rng(0), rounds=0)
    values[:, :JOINT_DIMS] -= joint.decode(joint.encode(head, tokens=joint.tokens))
    missed = Missed.fit(
        values,
        unseen_HK=values,
        with_length=True,
        emphasis=[np.ones(WIDTH, np.float32)] * WIDTH,
        rng=np.random.default_rng(0),
    )
    longest = NestedCodec(frame=codec.frame, joint=joint, missed=missed)
    return Compressor(model.network, longest, model.seen, model.facts)


def faiss_rq(rows: np.ndarray, *, steps: int, tables: int = 0) -> Any:
    """Train faiss's residual quantiser with a beam of 5; `tables` turns its own look-up tables on."""
    import faiss

    quantiser = faiss.ResidualQuantizer(rows.shape[1], steps, 8)
    quantiser.max_beam_size, quantiser.cp.niter, quantiser.verbose = 5, 2, False
    quantiser.train_type = faiss.ResidualQuantizer.Train_default
    quantiser.train(rows)
    quantiser.use_beam_LUT = tables
    quantiser.compute_codebook_tables()
    return quantiser


def rates(contestants: dict[str, tuple[int, Callable[[], Any]]]) -> Part:
    timings = in_turns({name: run for name, (_, run) in contestants.items()})
    result = {name: rate(timings[name], rows) for name, (rows, _) in contestants.items()}
    for name, found in result.items():
        print(f"{name:40s} {found['per_s']:12,} /s   ({found['least']:,} to {found['most']:,})")
    return result


PARTS: dict[str, Callable[[Compressor], Part]] = {
    "vectors": vectors,
    "codes": codes,
    "one_query": one_query,
    "growth": growth,
    "start_up": start_up,
    "memory": memory,
}


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    usual = [name for name in PARTS if name != "memory"]
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=usual)
    parser.add_argument("--out", type=Path, default=RECORDS, help="file of records")
    options = parser.parse_args(words)
    config = Config(train=TrainConfig(linear_steps=2, arc_steps=0, decoder_steps=2, code_rounds=0))
    fit_rows = made_rows(FIT_ROWS)
    model = with_tokens(Compressor.fit(fit_rows, config=config, progress=False), fit_rows)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    for name in options.parts:
        print(f"\n{name}: {(PARTS[name].__doc__ or '').splitlines()[0]}")
        record = {
            "part": name,
            "result": PARTS[name](model),
            "date": time.strftime("%Y-%m-%d"),
            **PROVENANCE,
            "versions": {"arfc": arfc.__version__, "torch": torch.__version__, "numpy": np.__version__},
            "hardware": {"cores": os.cpu_count(), "threads": torch.get_num_threads(), "load": os.getloadavg()[0]},
            "peak_resident_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        }
        with options.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
