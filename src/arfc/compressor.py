"""The user's object: fit, compress, decompress, search, plan, save, load."""
# N rows, D feature dims, K dims kept, B bytes per vector, Q queries

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import arfc
from arfc.codec import Codes, NestedCodec
from arfc.config import Config, check_seed
from arfc.errors import ConfigError, ModelFileError, ShapeError
from arfc.fingerprint import SeenRows
from arfc.io import Features, open_features
from arfc.io.model_folder import read_model, write_model
from arfc.model.network import Network
from arfc.model.steady import by_blocks
from arfc.scores import unit_rows
from arfc.search import open_codes, open_compressed, search
from arfc.sizes import check_bytes, check_one_size, parse_duration, resolve_dims
from arfc.training.checkpoint import Checkpoints
from arfc.training.codecs import fit_codecs
from arfc.training.curve import measure_curve
from arfc.training.facts import fit_facts
from arfc.training.fit import fit_id, fit_network, split
from arfc.training.loop import Progress, Run, ctrl_c_ends
from arfc.training.rows import read_rows

if TYPE_CHECKING:
    from arfc.shapes import Array

TRAINING_SHARE = 0.6
"""Share of a time budget that training may use; byte codes have the rest, also where training took longer."""


class Compressor:
    """Compress feature vectors to any number of dims or bytes with one fitted model.

    Features, partners, queries and compressed vectors are arrays, tensors, or paths of `.npy` or `.parquet` files.
    Source: arXiv 2602.11494; docs/method.md sets its symbols beside ours.
    """

    def __init__(self, network: Network, codec: NestedCodec, seen: SeenRows, facts: dict[str, Any]) -> None:
        self.network = network
        self.codec = codec
        self.seen = seen
        self.facts = facts
        """What the fit measured and recorded: data, curve, versions, config; see docs/format.md."""

    @property
    def width(self) -> int:
        """Dims D of the original features."""
        return self.network.width

    @property
    def curve(self) -> dict[str, Any]:
        """Quality at a ladder of sizes, asked by validation rows, next to the KLT and plain truncation.

        Floats are scored among validation and fit rows, codes among rows that no codebook has seen (docs/method.md).
        """
        return dict(self.facts["curve"])

    @classmethod
    def fit(
        cls,
        x: object,
        *,
        pairs: object = None,
        labels: object = None,
        budget: str | float | None = None,
        steps: int | None = None,
        seed: int = 0,
        config: Config | None = None,
        progress: bool | Callable[[Progress], None] | None = None,
        checkpoint: str | Path | None = None,
        resume: bool = False,
    ) -> Compressor:
        """Fit a model on at least 100 rows, with their partners or class labels where there are any.

        `budget` ("5m", or seconds) is the time of the whole fit; `steps` scales the phases to that many steps in all;
        without either the config's steps run. `progress` shows a bar (None: only on a terminal) or is called after each
        step. Checkpoints go to the folder `checkpoint`; `resume` goes on from the last one. Ctrl-C ends training and
        keeps the best model so far; a second one raises KeyboardInterrupt.

        Shapes: x and pairs (N, D) float; labels (N,) integer or text, also a list or a `.txt` file.
        Raises: ShapeError, DtypeError, RowError, InputError, ConfigError.
        """
        from arfc.progress import reporter

        if resume and checkpoint is None:
            raise ConfigError("resume must know which fit goes on, got no checkpoint; name its folder with checkpoint=")
        seed = check_seed(seed)
        config = (config or Config()).with_steps(steps)
        budget_s = float("inf") if budget is None else parse_duration(budget)
        run = Run(config=config.train, budget_s=TRAINING_SHARE * budget_s)
        rows, data = read_rows(x, pairs, labels, config.train, seed=seed)
        parts = split(rows, config, seed=seed)
        if checkpoint is not None:
            run.checkpoints = Checkpoints(Path(checkpoint), fit_id=fit_id(rows, config, seed=seed), resume=resume)
            run.earlier_s = run.checkpoints.open()
        with ctrl_c_ends(run):
            with reporter(progress) as run.report:
                fitted = fit_network(rows, parts, config, seed=seed, run=run)
                network = fitted.network
                codes_s = (1 - TRAINING_SHARE) * budget_s
                codec, klt_codec = fit_codecs(network, fitted.task, seed=seed, run=run, budget_s=codes_s)
            curve = measure_curve(network, codec, fitted.task, klt_codec=klt_codec)
            known = rows.take(np.concatenate([parts.fit, parts.validation]))
            model = cls(network, codec, SeenRows.of(known.entities.numpy()), {})
        model.facts = fit_facts(
            fitted,
            rows,
            data,
            release=arfc.__version__,
            config=config,
            seed=seed,
            interrupted=run.interrupted,
            curve=curve,
        )
        return model

    def compress(
        self, x: object, *, dims: int | None = None, ratio: float | None = None, bytes: int | None = None
    ) -> np.ndarray | Codes:
        """Return vectors float32 (N, K) for `dims` or `ratio` (K = D / ratio), or Codes for `bytes` per vector.

        Shapes: x (N, D).
        Raises: SizeError for no such size, or not one of the three; ShapeError, DtypeError, RowError, InputError.
        """
        features = self.open(x)
        features.validate()
        blocks = [block for _, block in self.compress_blocks(features, dims=dims, ratio=ratio, bytes=bytes)]
        joined = np.concatenate(blocks)
        return joined if bytes is None else self.codes(joined)

    def compress_blocks(
        self, features: Features, *, dims: int | None = None, ratio: float | None = None, bytes: int | None = None
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first row, block) with float32 vectors or uint8 packed codes, in order; memory stays flat.

        Raises: as `compress`, before the first block.
        """
        features = self.open(features)
        check_one_size(self.width, bytes=bytes, dims=dims, ratio=ratio)
        if bytes is None:
            kept = resolve_dims(self.width, dims=dims, ratio=ratio)
            return ((start, self.network.compress_rows(block, dims=kept)) for start, block in features.chunks())
        size = check_bytes(bytes, largest=self.codec.largest_bytes)
        return (
            (start, self.codec.encode(self.network.compress_rows(block, dims=self.width), bytes_per_vector=size))
            for start, block in features.chunks()
        )

    def codes(self, packed: object) -> Codes:
        """Return Codes of stored bytes: a uint8 array or tensor (N, B), or the file that holds it.

        Raises: DtypeError, ShapeError, SizeError; ConfigError for a file that notes another model; InputError.
        """
        return open_codes(packed, self.codec, made_by=self.facts.get("tensors_sha256"))

    def decompress(self, small: object) -> np.ndarray:
        """Return features float32 (N, D) from compressed vectors of any size, or from codes; also those of a file.

        Codes keep a row's direction and not its length: these come back at the mean length of the fit's features.

        Raises: ShapeError for over D dims; ConfigError for another model's codes; DtypeError, RowError, InputError.
        """
        opened = self._compressed(small)
        if isinstance(opened, Features):
            opened.validate(zeros=True)
        none = np.empty((0, self.width), np.float32)
        return np.concatenate([none, *(block for _, block in self.decompress_blocks(opened))])

    def decompress_blocks(self, small: Features | Codes) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first row, float32 features) in order; memory stays flat. Rows of zeros stay zeros.

        Raises: ShapeError for vectors wider than D, before the first block.
        """
        if isinstance(small, Codes):
            self.network.prepare_decoding()
            length, rows = np.float32(self.facts["data"]["mean_norm"]), range(0, len(small), 8192)
            decoded = ((i, unit_rows(self.codec.decode(np.asarray(small.packed[i : i + 8192])))) for i in rows)
            return ((i, unit_rows(by_blocks(self.network.decode_inexact, block)) * length) for i, block in decoded)
        if small.width > self.width:
            raise ShapeError(
                f"compressed vectors must have at most {self.width} dims, got {small.width}; "
                "are these the original features?"
            )
        return ((start, self._decoded(block)) for start, block in small.chunks())

    def search(
        self, queries: object, rows: object, *, k: int = 10, shortlist: int | None = None, only: object = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return ids and scores (Q, k) of the nearest rows, best first; exact but for `shortlist`.

        Scores are cosines, of Codes estimates of them. `only` limits the search to some rows: their ids, or one bool
        per row. With `shortlist`, look-up tables rank Codes and that many are decoded per query: faster for many rows.
        The first such search reads all codes for what the same object, not an array or a file, keeps for the next.

        Shapes: queries (Q, D) at original width; rows: Codes, uint8 codes (N, B), vectors (N, K), or a file of either.
        Raises: ConfigError for codes of another model; ShapeError, SizeError, DtypeError, RowError, InputError.
        """
        asked = self.open(queries, name="queries")
        stored = self._compressed(rows)

        def small(dims: int) -> Any:
            return self.compress(asked, dims=dims)

        return search(small, stored, width=self.width, k=k, shortlist=shortlist, only=only)

    def plan(
        self,
        x: object,
        *,
        keep: float = 0.95,
        metric: str = "recall@10",
        pairs: object = None,
        labels: object = None,
        seed: int = 0,
    ) -> dict[str, Any]:
        """Return the smallest bytes and dims that keep a share of a score on rows the fit has not used, ready for JSON.

        `methods` has the answers of arfc and the cheap methods, `cheaper` who keeps as much; see `evaluate.plan.plan`.

        Raises: ConfigError for `keep` or `metric`; SizeError when arfc keeps it at no size; RowError for too few rows.
        """
        from arfc.evaluate.plan import plan

        return plan(self, x, keep=keep, metric=metric, pairs=pairs, labels=labels, seed=seed)

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the model folder (docs/format.md); it appears whole or not at all.

        Raises: OutputError when it exists and `overwrite` is off, or can't be written.
        """
        network = {name: value.numpy() for name, value in self.network.state_dict().items()}
        seen = {"mean": self.seen.mean, "bits": self.seen.bits}
        parts = {"network": network, "codec": self.codec.to_arrays(), "seen": seen}
        write_model(path, parts, self.facts, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | Path) -> Compressor:
        """Read a model folder.

        Raises: ModelFileError when it is none, of another format version, truncated or changed.
        """
        parts, facts = read_model(path)
        try:
            network = Network(facts["width"], Config.from_dict(facts["config"]).model)
            network.take_arrays(parts["network"])
            codec = NestedCodec.from_arrays(parts["codec"])
            seen = SeenRows.from_arrays(parts["seen"], width=network.width)
        except (RuntimeError, KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            line = textwrap.shorten(str(error), 160, placeholder=" ...")
            raise ModelFileError(
                f"model {path} must hold the tensors its config names: {line}; copy the folder again"
            ) from error
        network.refresh()
        network.eval().requires_grad_(False)
        return cls(network, codec, seen, facts)

    @classmethod
    def from_pretrained(cls, source: str | Path, **options: Any) -> Compressor:
        """Load a model folder, or a model of the Hugging Face Hub by its name; options as `integrations.hub.fetch`."""
        from arfc.integrations.hub import fetch

        return cls.load(fetch(source, **options))

    def push_to_hub(self, repo_id: str, **options: Any) -> str:
        """Upload the model with a card of its facts to the Hugging Face Hub; return the address of the commit.

        Options (private, license, token, ...) and errors are those of `arfc.integrations.hub.push`.
        """
        from arfc.integrations.hub import push

        return push(self, repo_id, **options)

    def open(self, x: object, *, name: str = "features") -> Features:
        """Open an array, tensor or file of original features (N, D).

        Raises: ShapeError for another width; whatever `open_features` raises.
        """
        features = open_features(x, name=name)
        if features.width != self.width:
            raise ShapeError(
                f"{name} must have shape (N, {self.width}), got ({features.rows}, {features.width}); "
                "was this model fitted on another encoder?"
            )
        return features

    def _compressed(self, small: object) -> Features | Codes:
        return open_compressed(small, self.codec, made_by=self.facts.get("tensors_sha256"))

    def _decoded(self, block_NK: Array) -> np.ndarray:
        data = self.facts["data"]
        return self.network.decode_rows(block_NK, mean=data["mean_norm"], spread=data["norm_spread"])
