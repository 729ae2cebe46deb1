"""What every rival promises, whatever it is made of."""

import time

import numpy as np
import pytest

from arfc import Compressor
from arfc.errors import ConfigError, RowError, ShapeError, SizeError
from arfc.rivals import RIVALS

ALL_SIZES = [name for name, entry in RIVALS.items() if not entry.per_size]
PER_SIZE = [name for name, entry in RIVALS.items() if entry.per_size]


def test_both_kinds_are_listed():
    assert ALL_SIZES == ["learned-linear", "learned-mlp", "mlp-adaptor"] and PER_SIZE == ["autoencoder", "q-former"]


@pytest.mark.parametrize("name", ALL_SIZES)
def test_small_vectors_are_the_beginning_of_large_ones(name, fitted, small_rows):
    model = fitted(name)
    whole = model.compress(small_rows, dims=24)
    assert whole.shape == (600, 24) and whole.dtype == np.float32
    for dims in (1, 7, 23):
        np.testing.assert_array_equal(model.compress(small_rows, dims=dims), whole[:, :dims])


@pytest.mark.parametrize("name", PER_SIZE)
def test_a_rival_for_one_size_makes_no_other(name, fitted, small_rows):
    model = fitted(name)
    assert model.compress(small_rows, dims=5).shape == (600, 5)
    for dims in (4, 6):
        with pytest.raises(SizeError, match=f"dims must be 5, the one size this was fitted for, got {dims}"):
            model.compress(small_rows, dims=dims)


@pytest.mark.parametrize("name", PER_SIZE)
@pytest.mark.parametrize("dims", [1, 3, 24])
def test_any_size_can_be_fitted(name, dims, fit_rival, small_rows):
    model = fit_rival(name, small_rows, dims=dims, steps=1)
    vectors = model.compress(small_rows[:30], dims=dims)
    assert vectors.shape == (30, dims) and np.isfinite(vectors).all()


@pytest.mark.parametrize("name", RIVALS)
def test_a_width_that_nothing_divides(name, fit_rival, clustered):
    rows = clustered(150, 23)
    model = fit_rival(name, rows, dims=11, steps=1)
    assert model.width == 23
    assert model.compress(rows, dims=11).shape == (150, 11)


@pytest.mark.parametrize("name", RIVALS)
def test_a_fit_repeats_under_its_seed(name, fitted, fit_rival, small_rows):
    one, again, other = (
        model.compress(small_rows, dims=5)
        for model in (fitted(name), fit_rival(name, small_rows, dims=5), fit_rival(name, small_rows, dims=5, seed=1))
    )
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 1e-4


@pytest.mark.parametrize("name", RIVALS)
def test_rows_are_compressed_alone_and_keep_their_length(name, fitted, small_rows):
    model = fitted(name)
    whole = model.compress(small_rows, dims=5)
    np.testing.assert_allclose(model.compress(small_rows[7:8], dims=5), whole[7:8], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.compress(4 * small_rows, dims=5), 4 * whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", RIVALS)
def test_sees_the_rows_that_the_compressor_sees(name, fitted, fitted_model):
    record = fitted(name).record
    data = fitted_model.facts["data"]
    assert (len(record.fit_ids), record.validation_rows) == (data["fit_rows"], data["validation_rows"])


@pytest.mark.parametrize("name", RIVALS)
def test_keeps_the_best_state_and_says_how_it_went(name, fitted):
    record = fitted(name).record
    assert [entry["step"] for entry in record.history] == [0, 4, 8]


@pytest.mark.parametrize("name", RIVALS)
def test_the_clock_can_end_a_fit(name, tiny_config, small_rows):
    entry = RIVALS[name]
    size = {"dims": 5} if entry.per_size else {}
    config = tiny_config(patience=10**6, validate_every=10**6)
    began = time.monotonic()
    record = entry.fit(small_rows, budget_s=0.2, config=config, **size).record
    assert len(record.history) <= 2 and time.monotonic() - began < 5


@pytest.mark.parametrize("name", RIVALS)
def test_bad_input_is_refused(name, fitted, fit_rival, small_rows):
    model = fitted(name)
    with pytest.raises(ShapeError, match=r"shape \(N, 24\), got \(600, 23\)"):
        model.compress(small_rows[:, :23], dims=5)
    for dims in (0, 25):
        with pytest.raises(SizeError, match=f"dims must be between 1 and 24, got {dims}"):
            model.compress(small_rows, dims=dims)
    with pytest.raises(ConfigError, match="steps must be a whole number of at least 1, got 0"):
        fit_rival(name, small_rows, steps=0)
    with pytest.raises(ConfigError, match="a duration must be finite and above zero"):
        RIVALS[name].fit(small_rows, budget_s=0, **({"dims": 5} if RIVALS[name].per_size else {}))
    broken = small_rows.copy()
    broken[7, 2] = np.nan
    with pytest.raises(RowError, match="row 7"):
        fit_rival(name, broken)


@pytest.mark.parametrize("name", PER_SIZE)
def test_a_size_beyond_the_width_is_refused_before_any_work(name, fit_rival, small_rows):
    with pytest.raises(SizeError, match="dims must be between 1 and 24, got 25"):
        fit_rival(name, small_rows, dims=25)


def test_one_split_for_all(tiny_config, small_rows, monkeypatch):
    """The row numbers themselves, not only how many: a rival's split is the compressor's."""
    import arfc.compressor
    import arfc.rivals.fitting
    from arfc.training.fit import split

    taken = []

    def watched(rows, config, *, seed):
        taken.append(split(rows, config, seed=seed))
        return taken[-1]

    monkeypatch.setattr(arfc.compressor, "split", watched)
    monkeypatch.setattr(arfc.rivals.fitting, "split", watched)
    config = tiny_config(linear_steps=1, arc_steps=0, decoder_steps=0)
    Compressor.fit(small_rows, config=config, seed=3, progress=False)
    RIVALS["learned-linear"].fit(small_rows, config=config, seed=3, steps=1)
    ours, theirs = taken
    for part in ("fit", "validation", "test"):
        np.testing.assert_array_equal(getattr(ours, part), getattr(theirs, part))
