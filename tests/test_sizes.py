import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arfc.errors import ConfigError, SizeError
from arfc.sizes import byte_ladder, check_bytes, check_one_size, float_ladder, parse_duration, resolve_dims

widths = st.integers(1, 5000)


@given(widths, st.data())
def test_dims_are_taken_as_they_are(width, data):
    dims = data.draw(st.integers(1, width))
    assert resolve_dims(width, dims=dims) == dims


@given(widths, st.data())
def test_ratio_is_original_by_stored(width, data):
    dims = data.draw(st.integers(1, width))
    assert resolve_dims(width, ratio=width / dims) == dims


@given(widths, st.floats(1, 5000))
def test_ratio_never_stores_more_than_asked(width, ratio):
    if ratio > width:
        with pytest.raises(SizeError, match=f"ratio must leave at least one of {width} dims, got"):
            resolve_dims(width, ratio=ratio)
    else:
        dims = resolve_dims(width, ratio=ratio)
        assert 1 <= dims <= width
        assert dims <= width / ratio + 1e-6 < dims + 1.001


def test_papers_ratios():
    assert [resolve_dims(384, ratio=ratio) for ratio in (1, 2, 4, 8)] == [384, 192, 96, 48]
    assert resolve_dims(1537, ratio=2) == 768


def test_numpy_numbers_are_numbers():
    assert resolve_dims(384, dims=np.int64(7)) == 7
    assert resolve_dims(384, ratio=np.float32(4)) == 96
    assert check_bytes(np.uint16(9), largest=48) == 9
    assert type(resolve_dims(384, dims=np.int64(7))) is int


@pytest.mark.parametrize("dims", [0, -1, 385])
def test_dims_out_of_range(dims):
    with pytest.raises(SizeError, match=f"^dims must be between 1 and 384, got {dims}; try dims=384 or fewer$"):
        resolve_dims(384, dims=dims)


@pytest.mark.parametrize("dims", [True, 2.0, "96", np.float32(8), np.bool_(True)])
def test_dims_must_be_an_integer(dims):
    with pytest.raises(SizeError, match="^dims must be an integer, got .* of type "):
        resolve_dims(384, dims=dims)


@pytest.mark.parametrize("ratio", [0, 0.99, -4, float("nan"), float("inf"), 10**400])
def test_ratio_out_of_range(ratio):
    with pytest.raises(SizeError, match="^ratio must be finite and at least 1, got "):
        resolve_dims(384, ratio=ratio)


@pytest.mark.parametrize("ratio", [True, "4", 2j])
def test_ratio_must_be_a_number(ratio):
    with pytest.raises(SizeError, match="^ratio must be a number, got .* of type "):
        resolve_dims(384, ratio=ratio)


@pytest.mark.parametrize(("given_sizes", "got"), [({}, "neither"), ({"dims": 3, "ratio": 2}, "both")])
def test_exactly_one_size(given_sizes, got):
    with pytest.raises(SizeError, match=f"exactly one of dims and ratio must be given, got {got}"):
        resolve_dims(384, **given_sizes)


def test_exactly_one_of_three_sizes():
    for size in ({"dims": 3}, {"ratio": 0}, {"bytes": 9}):
        check_one_size(64, **({"dims": None, "ratio": None, "bytes": None} | size))
    with pytest.raises(SizeError, match="^exactly one of dims, ratio and bytes must be given, got none; try dims=16$"):
        check_one_size(64, dims=None, ratio=None, bytes=None)
    with pytest.raises(SizeError, match="must be given, got dims and bytes; drop one of them$"):
        check_one_size(64, dims=3, ratio=None, bytes=4)


@pytest.mark.parametrize("number", [0, 49, -3])
def test_bytes_out_of_range(number):
    with pytest.raises(SizeError, match=f"bytes must be between 1 and 48, got {number}"):
        check_bytes(number, largest=48)


@pytest.mark.parametrize("number", [True, 4.0, None])
def test_bytes_must_be_an_integer(number):
    with pytest.raises(SizeError, match="bytes must be an integer, got"):
        check_bytes(number, largest=48)


def test_float_ladder_names_the_usual_sizes():
    assert float_ladder(384) == (8, 16, 32, 48, 64, 96, 128, 192, 256, 384)
    assert float_ladder(300) == (8, 16, 32, 48, 64, 96, 128, 192, 256, 300)
    assert float_ladder(1024)[-3:] == (512, 768, 1024)
    assert float_ladder(5) == (5,)
    assert float_ladder(8) == (8,)


@given(widths)
def test_float_ladder_climbs_to_the_width(width):
    ladder = float_ladder(width)
    assert list(ladder) == sorted(set(ladder))
    assert ladder[-1] == width


def test_byte_ladder_names_the_usual_sizes():
    assert byte_ladder(384, 384) == (8, 16, 32, 48, 64, 96, 192, 384)
    assert byte_ladder(384, 1000) == (8, 16, 32, 48, 64, 96, 192, 384, 768)
    assert byte_ladder(384, 100) == (8, 16, 32, 48, 64, 96)
    assert byte_ladder(8, 1000) == (8, 16, 32)
    assert byte_ladder(4, 5) == (5,)


@given(widths, st.integers(1, 20000))
def test_byte_ladder_climbs_within_the_limit(width, largest):
    ladder = byte_ladder(width, largest)
    assert ladder and list(ladder) == sorted(set(ladder))
    assert ladder[-1] <= largest


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("5m", 300),
        ("1h30m", 5400),
        ("2.5m", 150),
        ("1h", 3600),
        ("1h2m3.5s", 3723.5),
        (" 5M ", 300),
        ("45", 45),
        (45, 45),
        (0.5, 0.5),
        (".5m", 30),
    ],
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "5 minutes", "5m1h", "-5m", "h", "1e3s", ".", None, True])
def test_unreadable_durations(text):
    with pytest.raises(ConfigError, match="^a duration must look like 90s, 5m or 1h30m, got"):
        parse_duration(text)


@pytest.mark.parametrize("value", [0, "0s", -1, float("inf"), float("nan")])
def test_durations_without_time(value):
    with pytest.raises(ConfigError, match="^a duration must be finite and above zero, got"):
        parse_duration(value)
