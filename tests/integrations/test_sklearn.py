"""The transformer under scikit-learn's own checks, in pipelines and in a grid search.

Letters: N rows, D dims, K dims kept.
"""

import copy
import dataclasses
import pickle
import pickletools
import sys

import numpy as np
import pytest

from arfc import Compressor
from arfc.config import Config, ModelConfig, TrainConfig
from arfc.errors import ConfigError, MissingExtraError, ModelFileError, OutputError, RowError, ShapeError, SizeError

pytest.importorskip("sklearn", reason="needs the extra sklearn")

from sklearn.base import clone  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402
from sklearn.exceptions import NotFittedError  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.neighbors import KNeighborsClassifier  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.utils.estimator_checks import check_estimator  # noqa: E402

from arfc.integrations.sklearn import ArfcTransformer  # noqa: E402

# In the two dims of some checks all rows lie close together: only equal ones may count as duplicates.
TINY = Config(
    model=ModelConfig(tokens=2, channels=8, heads=1, layers=1, solutions=1),
    train=TrainConfig(
        linear_steps=2,
        arc_steps=1,
        decoder_steps=1,
        code_rounds=1,
        batch_rows=32,
        arc_batch_rows=32,
        duplicate_cosine=1.0,
    ),
)
LINEAR = dataclasses.replace(TINY.train, arc_steps=0)


class FillsUp(ArfcTransformer):
    """The transformer for the checks, which fit on 10 to 80 rows: they are repeated with noise until there are 200."""

    def _fit_model(self, x_ND, labels_N):
        copies = -(-200 // len(x_ND))
        x_ND = np.tile(x_ND, (copies, 1))
        x_ND = x_ND + 0.3 * x_ND.std(0) * np.random.default_rng(0).standard_normal(x_ND.shape)
        return super()._fit_model(x_ND.astype(np.float32), None if labels_N is None else np.tile(labels_N, copies))


def failures(estimator):
    """Return check -> what was raised, of all of scikit-learn's checks that the estimator does not pass."""
    results = check_estimator(estimator, on_fail=None, on_skip=None)
    assert len(results) > 40
    return {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}


def test_estimator_checks_pass(monkeypatch):
    monkeypatch.setattr("arfc.integrations.sklearn.LEAST_ROWS", 2)
    failed = failures(FillsUp(config=TINY))
    # This check cuts floats down to integers, after which one of its rows has only zeros: it has no direction.
    assert set(failed) == {"check_estimators_dtypes"}
    assert isinstance(failed["check_estimators_dtypes"], RowError)
    assert "only zeros in 1 row (row 15)" in str(failed["check_estimators_dtypes"])


def test_what_fails_without_filling_up_is_the_number_of_rows():
    failed = failures(ArfcTransformer(config=TINY))
    assert failed
    for name, error in failed.items():
        assert "while a minimum of 100 is required" in str(error), name


@pytest.fixture(scope="module")
def digits():
    """210 images (210, 64) of the digits 0 to 3."""
    x_ND, y_N = load_digits(n_class=4, return_X_y=True)
    return x_ND[:210], y_N[:210]


@pytest.fixture(scope="module")
def fitted(digits):
    """A transformer to 9 dims, fitted without classes. Don't write to it: use `clone` or a copy."""
    return ArfcTransformer(9, config=TINY).fit(digits[0])


def test_it_gives_what_the_compressor_gives(digits, fitted):
    x_ND, _ = digits
    model = Compressor.fit(x_ND, config=TINY, progress=False)
    small_NK = fitted.transform(x_ND)
    assert small_NK.dtype == np.float32
    np.testing.assert_array_equal(small_NK, model.compress(x_ND, dims=9))
    np.testing.assert_array_equal(fitted.inverse_transform(small_NK), model.decompress(small_NK))
    np.testing.assert_array_equal(fitted.inverse_transform(small_NK[:, :4]), model.decompress(small_NK[:, :4]))
    assert fitted.n_features_in_ == 64
    assert fitted.model_.facts["task"] == "features"


def test_steps_budget_and_seed_are_those_of_the_fit(digits):
    x_ND, _ = digits
    changed = ArfcTransformer(steps=1, seed=3, budget="1m", config=TINY).fit(x_ND)
    np.testing.assert_array_equal(
        changed.transform(x_ND),
        Compressor.fit(x_ND, steps=1, seed=3, budget="1m", config=TINY, progress=False).compress(x_ND, dims=64),
    )
    assert changed.model_.facts["seed"] == 3


def test_dims_may_change_without_another_fit(digits, fitted):
    x_ND, _ = digits
    other = copy.deepcopy(fitted)
    for dims in (3, 40, None):
        other.set_params(dims=dims)
        np.testing.assert_array_equal(other.transform(x_ND), fitted.model_.compress(x_ND, dims=dims or 64))
        assert len(other.get_feature_names_out()) == (dims or 64)


def test_names_of_columns(digits, fitted):
    assert fitted.get_feature_names_out().tolist() == [f"arfctransformer{i}" for i in range(9)]
    pandas = pytest.importorskip("pandas", reason="needs pandas, which scikit-learn does not bring")
    frame = pandas.DataFrame(digits[0]).add_prefix("pixel")
    named = clone(fitted).set_output(transform="pandas").fit(frame)
    assert list(named.transform(frame).columns) == fitted.get_feature_names_out().tolist()
    assert named.feature_names_in_[0] == "pixel0"


@pytest.mark.parametrize("form", ["integers", "text", "objects", "booleans", "whole floats", "list"])
def test_classes_of_any_form_supervise(digits, form):
    x_ND, y_N = digits
    forms = {
        "integers": y_N,
        "text": np.array(["zero", "one", "two", "three"])[y_N],
        "objects": np.array(["zero", "one", "two", "three"], object)[y_N],
        "booleans": y_N > 1,
        "whole floats": y_N.astype(float),
        "list": y_N.tolist(),
    }
    y = forms[form]
    model = ArfcTransformer(config=TINY).fit(x_ND, y).model_
    assert model.facts["task"] == "labels"
    expected = Compressor.fit(x_ND, labels=np.unique(y, return_inverse=True)[1], config=TINY, progress=False)
    np.testing.assert_array_equal(model.compress(x_ND, dims=5), expected.compress(x_ND, dims=5))


def test_values_that_are_no_classes(digits, fitted):
    x_ND, y_N = digits
    for y, kind in ((y_N + 0.5, "continuous"), (np.stack([y_N, y_N], 1), None)):
        with pytest.raises(
            ValueError if kind is None else ConfigError, match=kind and f"^y must .* got {kind} values; b"
        ):
            ArfcTransformer(config=TINY).fit(x_ND, y)
    without = ArfcTransformer(9, config=TINY, supervised=False).fit(x_ND, y_N + 0.5)
    np.testing.assert_array_equal(without.transform(x_ND), fitted.transform(x_ND))


def count_fits(monkeypatch):
    """Return a list that grows by one with each fit."""
    fits, fit = [], Compressor.fit
    monkeypatch.setattr(Compressor, "fit", lambda *args, **options: fits.append(1) or fit(*args, **options))
    return fits


def test_a_grid_over_dims_fits_once_per_fold(digits, tmp_path, monkeypatch):
    fits = count_fits(monkeypatch)
    x_ND, y_N = digits
    pipeline = make_pipeline(ArfcTransformer(config=TINY, cache=tmp_path / "cache"), KNeighborsClassifier(3))
    grid = {"arfctransformer__dims": np.array([2, 32])}
    search = GridSearchCV(pipeline, grid, cv=2).fit(x_ND, y_N)
    assert len(fits) == 3  # two folds, and the last fit on all rows
    assert len(list((tmp_path / "cache").iterdir())) == 3
    assert search.best_score_ > 0.9
    plain = GridSearchCV(clone(pipeline).set_params(arfctransformer__cache=None), grid, cv=2).fit(x_ND, y_N)
    np.testing.assert_array_equal(plain.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"])
    assert len(fits) == 3 + 5


def test_the_cache_tells_fits_apart(digits, tmp_path, monkeypatch):
    fits = count_fits(monkeypatch)
    x_ND, y_N = digits
    kept = ArfcTransformer(config=TINY, cache=str(tmp_path))
    first = kept.fit(x_ND).transform(x_ND)
    for settings in ({"seed": 1}, {"steps": 1}, {"budget": "9m"}, {"config": Config(model=TINY.model, train=LINEAR)}):
        clone(kept).set_params(**settings).fit(x_ND)
    for x, y in ((x_ND, y_N), (2 * x_ND, None), (x_ND.astype(np.float32), None), (x_ND[:, :63], None)):
        clone(kept).fit(x, y)
    assert len(fits) == 9
    clone(kept).set_params(seed=np.int64(1)).fit(x_ND)  # as a grid has it: the same number
    clone(kept).set_params(steps=np.int64(1)).fit(x_ND)
    assert len(fits) == 9
    again = clone(kept).set_params(dims=3).fit(x_ND)
    assert len(fits) == 9
    np.testing.assert_array_equal(again.transform(x_ND), first[:, :3])


def test_a_cache_that_cannot_be_written(digits, tmp_path, monkeypatch):
    def fails(self, path, **options):
        raise OutputError("full")

    monkeypatch.setattr(Compressor, "save", fails)
    with pytest.raises(OutputError, match="^full$"):
        ArfcTransformer(config=TINY, cache=tmp_path).fit(digits[0])


def test_another_process_may_keep_the_same_fit_first(digits, tmp_path, monkeypatch):
    save = Compressor.save

    def second(self, path, **options):
        save(self, path)
        save(self, path, **options)

    monkeypatch.setattr(Compressor, "save", second)
    ArfcTransformer(config=TINY, cache=tmp_path).fit(digits[0])
    assert len(list(tmp_path.iterdir())) == 1


def test_what_is_pickled_is_the_models_own_files(digits, fitted, tmp_path):
    raw = pickle.dumps(fitted)
    np.testing.assert_array_equal(pickle.loads(raw).transform(digits[0]), fitted.transform(digits[0]))
    assert not [name for _, name, _ in pickletools.genops(raw) if isinstance(name, str) and "torch" in name]
    files = fitted.__getstate__()["model_"]
    assert set(files) == {"config.json", "model.safetensors"}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    np.testing.assert_array_equal(Compressor.load(tmp_path).compress(digits[0], dims=9), fitted.transform(digits[0]))
    state = fitted.__getstate__() | {"model_": files | {"model.safetensors": files["model.safetensors"][:-1]}}
    with pytest.raises(ModelFileError, match="must be a whole safetensors file"):
        ArfcTransformer().__setstate__(state)
    unfitted = pickle.loads(pickle.dumps(ArfcTransformer(5, seed=2)))
    assert unfitted.get_params() == ArfcTransformer(5, seed=2).get_params()


@pytest.mark.parametrize("dims", [0, 65, 2.5, True])
def test_dims_out_of_range(digits, fitted, dims):
    with pytest.raises(SizeError, match="^dims must be"):
        ArfcTransformer(dims, config=TINY).fit(digits[0])
    with pytest.raises(SizeError, match="^dims must be"):
        copy.deepcopy(fitted).set_params(dims=dims).transform(digits[0])


def test_what_is_no_input(digits, fitted):
    x_ND, _ = digits
    with pytest.raises(NotFittedError):
        ArfcTransformer().transform(x_ND)
    with pytest.raises(NotFittedError):
        ArfcTransformer().inverse_transform(x_ND)
    with pytest.raises(
        ValueError, match=r"Found array with 99 sample\(s\) .* while a minimum of 100 is required by Arfc"
    ):
        ArfcTransformer(config=TINY).fit(x_ND[:99])
    with pytest.raises(ValueError, match="X has 63 features, but ArfcTransformer is expecting 64 features as input"):
        fitted.transform(x_ND[:, :63])
    with pytest.raises(ValueError, match="Input X contains NaN"):
        fitted.transform(x_ND * np.nan)
    with pytest.raises(RowError, match=r"only zeros in 1 row \(row 0\)"):
        fitted.transform(0 * x_ND[:1])
    with pytest.raises(ShapeError, match="compressed vectors must have at most 64 dims, got 65"):
        fitted.inverse_transform(np.ones((2, 65)))


def test_the_library_is_optional(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.base", None)
    monkeypatch.delitem(sys.modules, "arfc.integrations.sklearn")
    with pytest.raises(MissingExtraError, match=r"not installed; run: pip install 'arfc\[sklearn\]'$"):
        import arfc.integrations.sklearn  # noqa: F401
