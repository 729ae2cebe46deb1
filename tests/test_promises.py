"""The eight promises, each through the public object."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from arfc import Codes, Compressor
from arfc.codec import NestedCodec
from arfc.errors import ArfcError, DtypeError, RowError, ShapeError
from arfc.fingerprint import SeenRows
from arfc.model.network import LINEAR_BLOCK_ROWS, OPEN_BLOCK_ROWS, Network
from arfc.scores import cosine_scores, recall_at_k, top_k

WIDTHS = (10, 41, 64, 300, 384, 1000, 1537)


@pytest.fixture(scope="session")
def of_width(clustered, tiny_config, open_up):
    """A function that gives an opened model of any width, with some rows and their full-width vectors."""
    made = {}

    def build(width):
        if width not in made:
            config = tiny_config(model={"tokens": 8}, linear_steps=1, arc_steps=1, decoder_steps=1)
            x = clustered(120, width)
            if width <= 384:
                model = Compressor.fit(x, config=config, progress=False)
            else:  # to measure the curve of a wide model takes long
                codec = NestedCodec.fit(x)
                model = Compressor(
                    Network(width, config.model),
                    codec,
                    SeenRows.of(x),
                    {"data": {"mean_norm": 1.0, "norm_spread": 0.0}},
                )
            open_up(model.network, std=0.1)
            made[width] = model, x, model.compress(x, dims=width)
        return made[width]

    return build


@pytest.fixture(scope="session")
def fresh_rows(nested):
    """(2400, 24): the first 2,000 to fit, the last 400 never seen."""
    return nested(2400)


@pytest.fixture(scope="session")
def trained(fresh_rows, tiny_config):
    config = tiny_config(linear_steps=60, linear_rate=1e-2, validate_every=20, batch_rows=256)
    return Compressor.fit(fresh_rows[:2000], config=config, progress=False)


def recall(x, vectors, k=10):
    """Recall of the k nearest other rows."""
    found = []
    for rows in (x, vectors):
        scores = cosine_scores(rows, rows)
        np.fill_diagonal(scores, -2)
        found.append(top_k(scores, k)[0])
    return float(recall_at_k(*found).mean())


# 1. Any size, one model.


@pytest.mark.parametrize("width", WIDTHS)
def test_any_size_from_one_model_of_any_width(of_width, width):
    model, x, _ = of_width(width)
    for dims in {1, 2, 7, width // 3, width - 1, width}:
        assert model.compress(x, dims=dims).shape == (120, dims)
    for ratio in (1, 1.5, math.pi, 7, width):
        assert model.compress(x[:3], ratio=ratio).shape == (3, int(width / ratio))
    for size in {1, 2, width // 10}:
        assert model.compress(x[:3], bytes=size).packed.shape == (3, size)


# 2. The small code is the beginning of the large one.


@settings(max_examples=40)
@given(data=st.data(), width=st.sampled_from(WIDTHS))
def test_short_vectors_are_bitwise_the_beginning_of_long_ones(of_width, data, width):
    model, x, whole = of_width(width)
    short, long = sorted((data.draw(st.integers(1, width)), data.draw(st.integers(1, width))))
    longer = model.compress(x, dims=long)
    np.testing.assert_array_equal(model.compress(x, dims=short), longer[:, :short])
    np.testing.assert_array_equal(longer, whole[:, :long])


@settings(max_examples=20)
@given(data=st.data(), width=st.sampled_from(WIDTHS))
def test_short_codes_are_bitwise_the_beginning_of_long_ones(of_width, data, width):
    model, x, _ = of_width(width)
    most = model.codec.largest_bytes
    short, long = sorted((data.draw(st.integers(1, most)), data.draw(st.integers(1, most))))
    codes, longer = model.compress(x, bytes=short), model.compress(x, bytes=long)
    np.testing.assert_array_equal(codes.packed, longer.packed[:, :short])
    np.testing.assert_array_equal(codes.decode(), longer.truncate(bytes=short).decode())


def test_joint_tokens_keep_the_prefix_and_the_row_alone(trained, fresh_rows):
    unseen, codec = fresh_rows[2000:], trained.codec
    assert codec.joint.tokens > 0
    longest = trained.compress(unseen, bytes=codec.largest_bytes).packed
    for size in range(1, codec.largest_bytes):
        np.testing.assert_array_equal(trained.compress(unseen, bytes=size).packed, longest[:, :size])
    np.testing.assert_array_equal(trained.compress(unseen[7:8], bytes=5).packed, longest[7:8, :5])


# 3. Comparable as stored.


def test_vectors_are_compared_as_stored_without_a_decoder(trained, fresh_rows):
    unseen = fresh_rows[2000:]
    small = trained.compress(unseen, dims=8)
    assert recall(unseen, small) > 0.6
    ids, scores = trained.search(unseen[:5], small, k=3)
    # What search does is the plain cosine of what is stored.
    expected = top_k(cosine_scores(small[:5], small), 3)
    np.testing.assert_array_equal(ids, expected[0])
    np.testing.assert_allclose(scores, expected[1], atol=1e-6)


def test_cosines_at_full_width_are_the_originals(trained, fresh_rows):
    unseen = fresh_rows[2000:]
    full = trained.compress(unseen, dims=24)
    np.testing.assert_allclose(cosine_scores(full, full), cosine_scores(unseen, unseen), atol=1e-5)


# 4. Ratio 1 decodes without loss, and no size is worse than the KLT.


@pytest.mark.parametrize("which", ["trained", "opened"])
@pytest.mark.parametrize("length", [1e-3, 1.0, 50.0])
def test_ratio_one_decodes_without_loss(trained, opened_model, fresh_rows, which, length):
    model = {"trained": trained, "opened": opened_model}[which]
    x = np.float32(length) * fresh_rows[2000:]
    back = model.decompress(model.compress(x, ratio=1))
    assert (np.linalg.norm(back - x, axis=1) / np.linalg.norm(x, axis=1)).max() < 1e-3


def test_full_width_compares_like_the_original(trained, fresh_rows):
    unseen = fresh_rows[2000:]
    assert recall(unseen, trained.compress(unseen, ratio=1)) >= 0.99


def test_the_model_starts_as_the_klt_and_stays_no_worse(trained, fresh_rows, tiny_config):
    steps = dict.fromkeys(("linear_steps", "arc_steps", "decoder_steps"), 0)
    start = Compressor.fit(fresh_rows[:2000], config=tiny_config(**steps), progress=False)
    unseen = fresh_rows[2000:]
    unit = unseen / np.linalg.norm(unseen, axis=1, keepdims=True)
    klt = unit @ start.network.klt.basis.numpy()
    norms = np.linalg.norm(unseen, axis=1, keepdims=True)
    np.testing.assert_allclose(start.compress(unseen, dims=24), klt * norms, atol=1e-4)
    for dims in range(2, 25):
        assert recall(unseen, trained.compress(unseen, dims=dims)) > recall(unseen, klt[:, :dims]) - 0.01
    for dims in (4, 6, 8):
        assert recall(unseen, trained.compress(unseen, dims=dims)) > recall(unseen, klt[:, :dims]) + 0.15


def test_the_curve_shows_the_cheap_ways_beside_its_own(trained):
    rows = trained.curve["floats"]
    assert all(row["arfc"] >= row["klt"] - 0.003 for row in rows)
    assert rows[0]["arfc"] > rows[0]["klt"] + 0.1
    assert rows[-1]["arfc"] >= 0.99


# 5. A row's code depends on that row alone.


@pytest.mark.parametrize("width", WIDTHS)
def test_batch_size_and_order_do_not_matter(of_width, width):
    model, x, whole = of_width(width)
    rng = np.random.default_rng(0)
    order = rng.permutation(120)
    np.testing.assert_array_equal(model.compress(x[order], dims=width), whole[order])
    for rows in (1, 2, 17, 100):
        chosen = np.sort(rng.choice(120, size=rows, replace=False))
        np.testing.assert_array_equal(model.compress(x[chosen], dims=width), whole[chosen])
    many = np.tile(x, (5, 1))  # more rows than one block of the network
    np.testing.assert_array_equal(model.compress(many, dims=width), np.tile(whole, (5, 1)))
    codes = model.compress(x, bytes=9).packed
    np.testing.assert_array_equal(model.compress(x[order], bytes=9).packed, codes[order])
    np.testing.assert_array_equal(model.compress(x[37:38], bytes=9).packed, codes[37:38])


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_the_number_of_threads_does_not_matter(of_width, width, threads):
    model, x, whole = of_width(width)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        np.testing.assert_array_equal(model.compress(x, dims=width), whole)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("kind", "block_rows"), [("fitted_model", LINEAR_BLOCK_ROWS), ("opened_model", OPEN_BLOCK_ROWS)]
)
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_rows_of_many_blocks_do_not_depend_on_who_computes_them(
    request, small_rows, monkeypatch, kind, block_rows, threads
):
    model = request.getfixturevalue(kind)
    times = 1 + 2 * block_rows // len(small_rows)
    monkeypatch.setattr("arfc.codec.threads.thread_count", lambda: threads)
    before = torch.get_num_threads()
    for size in ({"dims": 24}, {"bytes": 9}):
        whole = np.concatenate([_packed(model.compress(row, **size)) for row in small_rows[:, None]])
        torch.set_num_threads(threads)
        try:
            made = _packed(model.compress(np.tile(small_rows, (times, 1)), **size))
        finally:
            torch.set_num_threads(before)
        np.testing.assert_array_equal(made, np.tile(whole, (times, 1)))


def _packed(made):
    return made.packed if isinstance(made, Codes) else made


def test_decoding_is_row_by_row_too(opened_model, small_rows):
    for dims in (7, 24):
        small = opened_model.compress(small_rows, dims=dims)
        back = opened_model.decompress(small)
        np.testing.assert_array_equal(opened_model.decompress(small[::-1].copy())[::-1], back)
        np.testing.assert_array_equal(opened_model.decompress(small[41:42]), back[41:42])


# 6. Generation is autoregressive and pays for what it keeps.


def test_fewer_tokens_cost_fewer_steps(opened_model, small_rows, monkeypatch):
    asked, arc = [], type(opened_model.network.arc)
    generate = arc.generate

    def counting(self, linear, *, tokens, solutions):
        asked.append(tokens)
        return generate(self, linear, tokens=tokens, solutions=solutions)

    monkeypatch.setattr(arc, "generate", counting)
    for dims, tokens in ((1, 1), (6, 1), (7, 2), (12, 2), (24, 2)):  # 4 tokens of 6 dims, 2 of them can be open
        opened_model.compress(small_rows[:10], dims=dims)
        assert asked.pop() == tokens and asked == []


def test_generation_equals_the_parallel_form_it_is_trained_in(opened_model, small_rows):
    network = opened_model.network
    unit = torch.from_numpy(small_rows / np.linalg.norm(small_rows, axis=1, keepdims=True))
    linear = network.linear_tokens(unit)
    refined, fed = network.corrected(linear, tokens=2)
    torch.testing.assert_close(network.corrected_parallel(linear, fed)[0], refined, atol=1e-5, rtol=0)
    made = refined.flatten(1) * torch.from_numpy(np.linalg.norm(small_rows, axis=1))[:, None]
    np.testing.assert_allclose(opened_model.compress(small_rows, dims=12), made, atol=1e-4)


def test_a_later_token_depends_on_what_was_generated_before(opened_model, small_rows, monkeypatch):
    """Another first token, and the second one changes: it is read back as generated."""
    arc = type(opened_model.network.arc)
    emit, before = arc._emit, opened_model.compress(small_rows[:10], dims=12)

    def other_first(self, linear, state, *, first):
        return emit(self, linear, state, first=first) + (1.0 if first == 0 else 0.0)

    monkeypatch.setattr(arc, "_emit", other_first)
    after = opened_model.compress(small_rows[:10], dims=12)
    assert (np.abs(after - before)[:, 6:].max(1) > 1e-4).all()


# 7. Reproducible.


def test_the_same_data_and_seed_give_the_same_model(small_rows, tiny_config, fitted_model, tmp_path):
    again = Compressor.fit(small_rows.copy(), config=tiny_config(), progress=False)
    assert again.facts == fitted_model.facts
    for model, name in ((again, "again"), (fitted_model, "first")):
        model.save(tmp_path / name)
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "first" / name).read_bytes()
    other = Compressor.fit(small_rows, config=tiny_config(), seed=1, progress=False)
    assert not torch.equal(other.network.arc.start, fitted_model.network.arc.start)
    assert other.facts["data"] == fitted_model.facts["data"]


def test_model_files_are_safetensors_and_json(fitted_model, tmp_path):
    fitted_model.save(tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["config.json", "model.safetensors"]
    raw = (tmp_path / "model" / "model.safetensors").read_bytes()
    assert raw[8:9] == b"{"  # a header in JSON; a pickle or a zip of pickles begins otherwise


# 8. Nothing is silently repaired.


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("call", ["fit", "compress", "decompress", "search", "search in"])
def test_bad_rows_are_named_before_any_work(opened_model, small_rows, tiny_config, value, call):
    x = small_rows.copy()
    x[[5, 77], 3] = value
    x[400] = 0
    heard = []
    run = {
        "fit": lambda: Compressor.fit(x, config=tiny_config(), progress=heard.append),
        "compress": lambda: opened_model.compress(x, dims=4),
        "decompress": lambda: opened_model.decompress(x),
        "search": lambda: opened_model.search(x, small_rows),
        "search in": lambda: opened_model.search(small_rows, x),
    }[call]
    zeros = "" if call == "decompress" else r" and only zeros in 1 row \(row 400\)"  # what compressing may leave
    with pytest.raises(RowError, match=rf"NaN or Inf in 2 rows \(rows 5, 77\){zeros}; remove"):
        run()
    assert heard == []


def test_errors_are_the_builtin_ones_too_and_one_line(opened_model, small_rows):
    for x, kind, builtin in (
        (small_rows[:, :-1], ShapeError, ValueError),
        (small_rows[0], ShapeError, ValueError),
        (small_rows.astype(np.int64), DtypeError, TypeError),
        (small_rows.astype(complex), DtypeError, TypeError),
        (small_rows.tolist(), DtypeError, TypeError),
        (small_rows[:0], RowError, ValueError),
    ):
        with pytest.raises(kind) as caught:
            opened_model.compress(x, dims=3)
        assert isinstance(caught.value, ArfcError) and isinstance(caught.value, builtin)
        assert "\n" not in str(caught.value) and not str(caught.value).endswith(".")


def test_codes_of_another_model_are_refused(opened_model, of_width):
    wide = of_width(64)[0].compress(of_width(64)[1], bytes=60)
    with pytest.raises(ArfcError, match="between 1 and 24, got 60"):
        Codes(wide.packed, opened_model.codec)
