"""The user's object: what it takes, gives and refuses."""

import copy
import time

import numpy as np
import pytest
import torch

from arfc import Codes, Compressor
from arfc.config import TrainConfig
from arfc.errors import (
    ConfigError,
    DtypeError,
    InputError,
    RowError,
    ShapeError,
    SizeError,
)
from arfc.io import open_features
from arfc.training.rows import read_rows


def test_facts_tell_what_was_fitted(fitted_model, small_rows):
    facts = fitted_model.facts
    assert (facts["width"], facts["task"], facts["seed"], facts["interrupted"]) == (24, "features", 0, False)
    data = facts["data"]
    assert data["rows"] == data["sampled_rows"] == 600
    assert data["fit_rows"] + data["validation_rows"] + data["test_rows"] == 600
    assert data["mean_norm"] == pytest.approx(np.linalg.norm(small_rows, axis=1).mean(), rel=1e-5)
    assert facts["versions"]["torch"] == torch.__version__ and facts["versions"]["numpy"] == np.__version__
    assert fitted_model.curve["metric"] == "recall@10"
    assert [row["dims"] for row in fitted_model.curve["floats"]] == [8, 16, 24]
    assert fitted_model.width == 24


def test_seen_rows_are_those_of_fit_and_validation(fitted_model, small_rows):
    unit = small_rows / np.linalg.norm(small_rows, axis=1, keepdims=True)
    data = fitted_model.facts["data"]
    assert fitted_model.seen.contains(unit).sum() == data["fit_rows"] + data["validation_rows"] == 540


@pytest.mark.parametrize("form", ["array", "float64", "float16", "fortran", "memmap", "path", "text path", "tensor"])
def test_every_form_of_input_gives_the_same(opened_model, small_rows, tmp_path, form):
    x = small_rows.astype(np.float16).astype(np.float32)  # values that every form holds exactly
    np.save(tmp_path / "x.npy", x)
    given = {
        "array": x,
        "float64": x.astype(np.float64),
        "float16": x.astype(np.float16),
        "fortran": np.asfortranarray(x),
        "memmap": np.load(tmp_path / "x.npy", mmap_mode="r"),
        "path": tmp_path / "x.npy",
        "text path": str(tmp_path / "x.npy"),
        "tensor": torch.from_numpy(x),
    }[form]
    small = opened_model.compress(given, dims=9)
    assert small.dtype == np.float32 and small.shape == (600, 9)
    np.testing.assert_array_equal(small, opened_model.compress(x, dims=9))


def test_lengths_pass_through(opened_model, small_rows):
    """A row twice as long is compressed to a vector twice as long, and to the same code."""
    lengths = np.random.default_rng(0).choice([0.25, 1, 8], size=(600, 1)).astype(np.float32)
    for dims in (5, 24):
        scaled = opened_model.compress(small_rows * lengths, dims=dims)
        np.testing.assert_allclose(scaled, opened_model.compress(small_rows, dims=dims) * lengths, rtol=1e-4, atol=1e-6)
    codes = [opened_model.compress(x, bytes=10).packed for x in (small_rows, 4 * small_rows)]
    np.testing.assert_array_equal(*codes)


@pytest.mark.parametrize(("ratio", "dims"), [(1, 24), (2, 12), (2.5, 9), (24, 1), (7, 3)])
def test_ratio_is_dims_by_another_name(fitted_model, small_rows, ratio, dims):
    np.testing.assert_array_equal(
        fitted_model.compress(small_rows, ratio=ratio), fitted_model.compress(small_rows, dims=dims)
    )


def test_bytes_give_codes_of_the_full_vectors(opened_model, small_rows):
    codes = opened_model.compress(small_rows, bytes=20)
    assert isinstance(codes, Codes) and codes.packed.shape == (600, 20)
    full = opened_model.compress(small_rows, dims=24)
    np.testing.assert_array_equal(codes.packed, opened_model.codec.encode(full, bytes_per_vector=20))
    full /= np.linalg.norm(full, axis=1, keepdims=True)
    assert (full * codes.decode()).sum(1).min() > 0.97  # the code points where the vector does
    again = opened_model.codes(codes.packed)
    np.testing.assert_array_equal(again.decode(), codes.decode())


def test_blocks_are_the_whole_in_pieces(opened_model, small_rows):
    many = np.tile(small_rows, (15, 1))
    blocks = list(opened_model.compress_blocks(opened_model.open(many), dims=7))
    assert [start for start, _ in blocks] == [0, 8192]
    np.testing.assert_array_equal(np.concatenate([b for _, b in blocks]), opened_model.compress(many, dims=7))


def test_decompress_from_any_size(fitted_model, small_rows):
    errors = [
        np.square(fitted_model.decompress(fitted_model.compress(small_rows, dims=dims)) - small_rows).sum(1).mean()
        for dims in (1, 4, 8, 16, 20, 24)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] < np.square(small_rows).sum(1).mean() and errors[-1] < 1e-8


def test_decompressed_codes_have_the_direction_and_the_mean_length(fitted_model, small_rows):
    back = fitted_model.decompress(fitted_model.compress(small_rows, bytes=24))
    lengths = np.linalg.norm(back, axis=1)
    np.testing.assert_allclose(lengths, fitted_model.facts["data"]["mean_norm"], rtol=1e-5)
    cosines = (back * small_rows).sum(1) / lengths / np.linalg.norm(small_rows, axis=1)
    assert cosines.min() > 0.98


def test_decompressed_codes_have_the_mean_length_where_the_map_is_no_rotation(fitted_model, small_rows):
    network = copy.deepcopy(fitted_model.network)
    network.linear.set_block(network.linear.weight * torch.linspace(1.0, 0.3, network.width))
    network.refresh()
    model = Compressor(network, fitted_model.codec, fitted_model.seen, fitted_model.facts)
    lengths = np.linalg.norm(model.decompress(model.compress(small_rows, bytes=12)), axis=1)
    np.testing.assert_allclose(lengths, fitted_model.facts["data"]["mean_norm"], rtol=1e-5)


def test_prefixes_of_rows_of_one_length_are_decoded_in_units_of_it(fitted_model, small_rows):
    """The decoder knows unit rows; these have all the mean length, 6 times that."""
    network = copy.deepcopy(fitted_model.network)
    torch.nn.init.normal_(network.decoder.down.weight, std=0.3)
    facts = copy.deepcopy(fitted_model.facts)
    facts["data"]["norm_spread"] = 0.0
    model = Compressor(network, fitted_model.codec, fitted_model.seen, facts)
    unit = torch.from_numpy(small_rows / np.linalg.norm(small_rows, axis=1, keepdims=True))
    length = fitted_model.facts["data"]["mean_norm"]
    assert length > 3
    decoded = length * network.decode(network.compress(unit, dims=7))
    back = model.decompress(model.compress(length * unit, dims=7))
    np.testing.assert_allclose(back, decoded, atol=1e-4)
    linear = fitted_model.decompress(model.compress(length * unit, dims=7))
    assert np.abs(back - linear).max() > 0.1  # the decoder has its say


def slow_search(asked, stored, k):
    scores = (asked / np.linalg.norm(asked, axis=1, keepdims=True)) @ stored.T
    ids = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return ids, np.take_along_axis(scores, ids, axis=1)


@pytest.mark.parametrize("size", [{"dims": 7}, {"dims": 24}, {"bytes": 12}])
def test_search_is_exact_over_what_is_stored(opened_model, small_rows, size):
    stored = opened_model.compress(small_rows, **size)
    ids, scores = opened_model.search(small_rows[:20] * 3, stored, k=5)
    values = stored.decode() if "bytes" in size else stored
    asked = opened_model.compress(small_rows[:20], dims=size.get("dims", 24))
    if "bytes" not in size:
        values = values / np.linalg.norm(values, axis=1, keepdims=True)
    expected_ids, expected = slow_search(asked.astype(np.float64), values.astype(np.float64), 5)
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    assert (ids == expected_ids).mean() > 0.98  # near ties may change places
    if "dims" in size:
        assert (ids[:, 0] == np.arange(20)).all() and scores[:, 0] == pytest.approx(1, abs=1e-5)


def test_sizes_that_do_not_exist(fitted_model, small_rows):
    for size, message in [
        ({"dims": 25}, "^dims must be between 1 and 24, got 25"),
        ({"dims": 0}, "^dims must be between 1 and 24, got 0"),
        ({"ratio": 0.5}, "^ratio must be finite and at least 1, got 0.5"),
        ({"ratio": 25}, "^ratio must leave at least one of 24 dims, got 25"),
        ({"bytes": 0}, "^bytes must be between 1 and 24, got 0"),
        ({"bytes": 25}, "^bytes must be between 1 and 24, got 25"),
        ({}, "^exactly one of dims, ratio and bytes must be given, got none; try dims=6"),
        ({"dims": 3, "ratio": 2}, "^exactly one of dims, ratio and bytes must be given, got dims and ratio; drop one"),
        ({"dims": 3, "bytes": 4}, "^exactly one of dims, ratio and bytes must be given, got bytes and dims"),
        ({"ratio": 3, "bytes": 4}, "^exactly one of dims, ratio and bytes must be given, got bytes and ratio"),
    ]:
        with pytest.raises(SizeError, match=message):
            fitted_model.compress(small_rows, **size)


def test_inputs_that_cannot_be_used(fitted_model, small_rows, tmp_path):
    with pytest.raises(
        ShapeError, match=r"^features must have shape \(N, 24\), got \(600, 23\); was this model fitted"
    ):
        fitted_model.compress(small_rows[:, 1:], dims=3)
    with pytest.raises(ShapeError, match=r"^queries must have shape \(N, 24\), got \(5, 7\)"):
        fitted_model.search(small_rows[:5, :7], small_rows[:, :7])
    with pytest.raises(
        ShapeError, match="^compressed vectors must have at most 24 dims, got 25; are these the original"
    ):
        fitted_model.decompress(np.ones((3, 25), dtype=np.float32))
    with pytest.raises(ShapeError, match="^compressed vectors must have at most 24 dims, got 25; were they made by"):
        fitted_model.search(small_rows[:5], np.ones((3, 25), dtype=np.float32))
    with pytest.raises(DtypeError, match="^features must hold float16, float32 or float64 values, got int32"):
        fitted_model.compress(np.ones((3, 24), dtype=np.int32), dims=3)
    with pytest.raises(InputError, match=r"none\.npy"):
        fitted_model.compress(tmp_path / "none.npy", dims=3)
    with pytest.raises(DtypeError, match="^codes must be uint8, got float32"):
        fitted_model.codes(small_rows)


@pytest.mark.parametrize("seed", [-1, 2**63, True])
def test_seeds_are_whole_numbers(small_rows, tiny_config, seed):
    with pytest.raises(ConfigError, match=r"^seed must be a whole number from 0 to 2\*\*63 - 1, got "):
        Compressor.fit(small_rows, config=tiny_config(), seed=seed)


@pytest.mark.parametrize("call", ["compress", "queries", "rows"])
def test_bad_rows_are_named(fitted_model, small_rows, call):
    x = small_rows.copy()
    x[[3, 500], 2], x[77, 0], x[8] = np.nan, np.inf, 0
    run = {
        "compress": lambda: fitted_model.compress(x, dims=3),
        "queries": lambda: fitted_model.search(x, small_rows),
        "rows": lambda: fitted_model.search(small_rows, x),
    }[call]
    with pytest.raises(RowError, match=r"NaN or Inf in 3 rows \(rows 3, 77, 500\) and only zeros in 1 row \(row 8\)"):
        run()


@pytest.mark.parametrize("dims", [3, 24])
def test_rows_that_are_cut_to_zeros_are_decompressed_to_zeros(opened_model, small_rows, dims):
    """`compress` keeps nothing of a row that has nothing in the first dims; the other rows must come back."""
    small = opened_model.compress(small_rows[:50], dims=dims)
    small[[7, 49]] = 0
    small[8] = 1e-30
    back = opened_model.decompress(small)
    assert np.isfinite(back).all() and not back[[7, 49]].any()
    others = np.setdiff1d(np.arange(50), [7, 8, 49])
    np.testing.assert_array_equal(back[others], opened_model.decompress(small[others]))
    small[3, 1] = np.nan
    with pytest.raises(RowError, match=r"compressed vectors must be finite, got NaN or Inf in 1 row \(row 3\); rem"):
        opened_model.decompress(small)


def test_opened_columns_are_taken_everywhere(fitted_model, small_rows, tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = pa.table({"image": list(small_rows), "text": list(small_rows[::-1])})
    pq.write_table(table, tmp_path / "x.parquet")
    opened = open_features(tmp_path / "x.parquet", column="text")
    small = fitted_model.compress(opened, dims=9)
    np.testing.assert_array_equal(small, fitted_model.compress(small_rows[::-1], dims=9))
    assert fitted_model.search(opened, small, k=1)[0][:, 0].tolist() == list(range(600))
    rows, data = read_rows(opened, opened, None, TrainConfig(), seed=0)
    assert (len(rows), data["rows"]) == (600, 600)


def test_fit_refuses_a_bad_call_before_any_work(small_rows, tiny_config, tmp_path):
    started = time.monotonic()
    with pytest.raises(ConfigError, match="^resume must know which fit goes on, got no checkpoint"):
        Compressor.fit(small_rows, resume=True)
    with pytest.raises(ConfigError, match="^a duration must look like 90s, 5m or 1h30m, got 'soon'"):
        Compressor.fit(small_rows, budget="soon")
    with pytest.raises(ConfigError, match="^steps must be a whole number of at least 1, got 0"):
        Compressor.fit(small_rows, steps=0)
    with pytest.raises(RowError, match="^features must have at least 100 rows, got 99"):
        Compressor.fit(small_rows[:99], config=tiny_config())
    assert time.monotonic() - started < 1


def test_a_budget_is_respected(small_rows, tiny_config, fitted_model):  # a first fit has loaded what torch loads late
    endless = tiny_config(
        linear_steps=100_000,
        arc_steps=100_000,
        decoder_steps=100_000,
        patience=1000,
        arc_patience=1000,
        validate_every=50,
    )
    started = time.monotonic()
    model = Compressor.fit(small_rows, config=endless, budget="4s", progress=False)
    # Training has its share; the codes of few rows need less than theirs.
    assert 0.6 * 4 < time.monotonic() - started < 12
    steps = [model.facts["history"][phase][-1]["step"] for phase in ("linear", "arc", "decoder")]
    assert all(2 < count < 100_000 for count in steps)


def test_steps_are_shared_by_the_phases(small_rows, tiny_config):
    heard = []
    Compressor.fit(small_rows, config=tiny_config(), steps=16, progress=heard.append)
    assert [p.phase for p in heard] == ["linear"] * 6 + ["arc"] * 6 + ["decoder"] * 4
    assert heard[0].loss > 0 and heard[5].step == heard[5].steps == 6


def test_ctrl_c_keeps_the_best_and_the_model_is_whole(small_rows, tiny_config, tmp_path):
    def stop(now):
        if now.phase == "linear" and now.step == 9:
            raise KeyboardInterrupt

    model = Compressor.fit(small_rows, config=tiny_config(), progress=stop)
    assert model.facts["interrupted"] is True
    assert [entry["step"] for entry in model.facts["history"]["linear"]] == [0, 4, 8]
    best = max(entry["score"] for entry in model.facts["history"]["linear"])
    assert np.mean([row["arfc"] for row in model.curve["floats"]]) == pytest.approx(best, abs=2e-3)
    model.save(tmp_path / "model")
    loaded = Compressor.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.compress(small_rows, dims=5), model.compress(small_rows, dims=5))


def test_rows_that_come_ten_times_are_seen_all_or_none(small_rows, tiny_config):
    """No copy of a held-out row has been used to train or to choose."""
    x = np.tile(small_rows[:200], (10, 1))
    model = Compressor.fit(x, config=tiny_config(), progress=False)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    seen = model.seen.contains(unit).reshape(10, 200).sum(0)
    assert set(seen.tolist()) == {0, 10}
    assert 10 * (seen == 0).sum() == model.facts["data"]["test_rows"] >= 100


def test_resume_goes_on_where_ctrl_c_stopped(small_rows, tiny_config, tmp_path):
    def stop(now):
        if (now.phase, now.step) == ("arc", 6):
            raise KeyboardInterrupt

    whole = Compressor.fit(small_rows, config=tiny_config(), progress=False)
    half = Compressor.fit(small_rows, config=tiny_config(), progress=stop, checkpoint=tmp_path / "kept")
    heard = []
    rest = Compressor.fit(
        small_rows, config=tiny_config(), progress=heard.append, checkpoint=tmp_path / "kept", resume=True
    )
    assert (heard[0].phase, heard[0].step) == ("arc", 5)  # the step after the last validation
    assert half.facts["interrupted"] and not rest.facts["interrupted"]
    assert rest.facts == whole.facts
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, rest.network.state_dict()[name]), name


def test_rows_of_many_lengths_are_decoded_as_well_as_the_klt_does(nested, tiny_config):
    x = nested(1500)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    rows = unit * np.exp(np.random.default_rng(1).standard_normal((1500, 1))).astype(np.float32)
    model = Compressor.fit(rows, config=tiny_config(decoder_steps=60), progress=False)
    unseen = ~model.seen.contains(unit)
    asked, basis = rows[unseen], model.network.klt.basis.numpy()

    def lost(back):
        return float((np.square(back - asked).sum(1) / np.square(asked).sum(1)).mean())

    for dims in (2, 6, 12, 18):
        klt = asked @ basis[:, :dims] @ basis[:, :dims].T
        assert lost(model.decompress(model.compress(asked, dims=dims))) < 1.05 * lost(klt)
