"""A fitted model as a scikit-learn transformer, for pipelines and grid searches."""
# N rows, D feature dims, K dims kept

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

import arfc
from arfc.compressor import Compressor
from arfc.config import Config
from arfc.errors import ConfigError, MissingExtraError, OutputError
from arfc.shapes import Array, Float32, Int64, Shaped
from arfc.sizes import resolve_dims
from arfc.training.split import LEAST_ROWS

try:
    from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
    from sklearn.utils.multiclass import type_of_target
    from sklearn.utils.validation import check_array, check_is_fitted, validate_data
except ImportError:
    raise MissingExtraError("scikit-learn 1.6 or later is not installed; run: pip install 'arfc[sklearn]'") from None

FLOATS = [np.float32, np.float64]


def _plain(value: object) -> int:
    """Return the whole number that numpy counts in, as in the values of a grid."""
    if isinstance(value, np.integer):
        return int(value)
    raise TypeError(f"no number: {type(value).__name__}")


class ArfcTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]  # bases are Any
    """Compress features to `dims` dims, float32; the dims of a smaller size are the first of a larger one.

    One model has all sizes, so `set_params(dims=...)` on a fitted transformer takes effect without another fit. A fit
    needs 100 rows. A pickled or copied transformer holds the model as the bytes of its folder (docs/format.md).
    """

    model_: Compressor
    """The fitted model."""
    n_features_in_: int
    """Dims D that the fit has seen."""

    def __init__(
        self,
        dims: Any = None,
        *,
        steps: Any = None,
        budget: Any = None,
        seed: Any = 0,
        supervised: Any = True,
        cache: Any = None,
        config: Any = None,
    ) -> None:
        """Keep the settings, whatever they are, as scikit-learn wants it; they are looked at in `fit`.

        `dims` (None: all) is what `transform` keeps. `steps`, `budget`, `seed` and `config` are those of
        `Compressor.fit`. `supervised` lets the fit learn from the classes y where y is given. In the folder `cache`
        each fit is kept by its data and settings, `dims` aside: a grid search over dims fits once per fold.
        """
        self.dims = dims
        self.steps = steps
        self.budget = budget
        self.seed = seed
        self.supervised = supervised
        self.cache = cache
        self.config = config

    def fit(self, X: object, y: object = None) -> ArfcTransformer:
        """Fit a model on X, and on the classes y (integers, text or booleans) if there are any and `supervised` is on.

        Shapes: X (N, D) numbers; y (N,).
        Raises: ValueError of scikit-learn for what is no such X, or has fewer than 100 rows or 2 columns; ConfigError
        for a y that is no list of classes; SizeError for dims outside 1..D; RowError for rows without direction.
        """
        form: dict[str, Any] = {"dtype": FLOATS, "ensure_min_samples": LEAST_ROWS, "ensure_min_features": 2}
        if y is None or not self.supervised:
            x_ND, labels_N = validate_data(self, X, **form), None
        else:
            x_ND, y_N = validate_data(self, X, y, **form)
            labels_N = self._classes(y_N)
        self._kept_dims()
        self.model_ = self._fit_model(x_ND, labels_N)
        return self

    def transform(self, X: object) -> Float32[Array, "N K"]:
        """Return the first `dims` dims of each row's compressed vector.

        Shapes: X (N, D).
        Raises: NotFittedError and ValueError of scikit-learn; SizeError for dims outside 1..D; RowError.
        """
        check_is_fitted(self)
        x_ND = validate_data(self, X, dtype=FLOATS, reset=False)
        return np.asarray(self.model_.compress(x_ND, dims=self._kept_dims()))

    def inverse_transform(self, X: object) -> Float32[Array, "N D"]:
        """Return features from compressed vectors of any number of dims.

        Shapes: X (N, K) for any K from 1 to D.
        Raises: NotFittedError and ValueError of scikit-learn; ShapeError for more than D dims; RowError.
        """
        check_is_fitted(self)
        return self.model_.decompress(check_array(X, dtype=FLOATS))

    @property
    def _n_features_out(self) -> int:
        """What the mixin for names of columns asks for."""
        return self._kept_dims()

    def _kept_dims(self) -> int:
        width = self.n_features_in_
        return width if self.dims is None else resolve_dims(width, dims=self.dims, ratio=None)

    def _classes(self, y_N: Shaped[Array, " N"]) -> Int64[Array, " N"]:
        kind = type_of_target(y_N, input_name="y", raise_unknown=True)
        if kind not in ("binary", "multiclass"):
            raise ConfigError(
                f"y must hold one class per row, got {kind} values; bin them, or set supervised=False to fit on X alone"
            )
        return np.unique(y_N, return_inverse=True)[1]

    def _fit_model(self, x_ND: Shaped[Array, "N D"], labels_N: Int64[Array, " N"] | None) -> Compressor:
        """Fit, or load the same fit from the cache."""
        folder = None if self.cache is None else Path(self.cache) / self._fit_name(x_ND, labels_N)
        if folder is not None and folder.is_dir():
            return Compressor.load(folder)
        model = Compressor.fit(
            x_ND,
            labels=labels_N,
            steps=self.steps,
            budget=self.budget,
            seed=self.seed,
            config=self.config,
            progress=False,
        )
        if folder is not None and not model.facts["interrupted"]:
            folder.parent.mkdir(parents=True, exist_ok=True)
            try:
                model.save(folder)
            except OutputError:
                if not folder.is_dir():  # another process may have kept the same fit in the meantime
                    raise
        return model

    def _fit_name(self, x_ND: Shaped[Array, "N D"], labels_N: Int64[Array, " N"] | None) -> str:
        """Return a hash of everything that decides a fit's result."""
        config = (self.config or Config()).to_dict()
        settings = [config, self.steps, self.budget, self.seed, arfc.__version__, torch.__version__]
        digest = hashlib.sha256(json.dumps(settings, default=_plain).encode())
        for array in (x_ND,) if labels_N is None else (x_ND, labels_N):
            digest.update(f"{array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()[:32]

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that float32 comes out."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def __getstate__(self) -> dict[str, Any]:
        """Return the settings, and the fitted model as the bytes of its files."""
        state = super().__getstate__()
        if "model_" in state:
            with tempfile.TemporaryDirectory() as folder:
                self.model_.save(Path(folder, "model"))
                files = {file.name: file.read_bytes() for file in Path(folder, "model").iterdir()}
            state = state | {"model_": files}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take settings and model from `__getstate__`'s form.

        Raises: ModelFileError when the model is of another format version or damaged.
        """
        if "model_" in state:
            with tempfile.TemporaryDirectory() as folder:
                for name, content in state["model_"].items():
                    Path(folder, name).write_bytes(content)
                state = state | {"model_": Compressor.load(folder)}
        super().__setstate__(state)
