"""Settings are checked once, survive JSON, and refuse what they don't know."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arfc.config import Config, ModelConfig, TrainConfig
from arfc.errors import ConfigError

PHASES = ("linear_steps", "arc_steps", "decoder_steps")


def steps_of(config):
    return [getattr(config.train, name) for name in PHASES]


def test_every_field_has_a_docstring():
    import ast
    import inspect

    for kind in (ModelConfig, TrainConfig, Config):
        body = ast.parse(inspect.getsource(kind)).body[0].body
        for at, node in enumerate(body):
            if isinstance(node, ast.AnnAssign):
                after = body[at + 1]
                assert isinstance(after, ast.Expr) and isinstance(after.value.value, str), node.target.id


def test_a_config_cannot_be_written_to():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().train.anchors = 3
    with pytest.raises(TypeError):
        ModelConfig(8)


def test_json_and_back():
    config = Config(model=ModelConfig(tokens=3, solutions=1), train=TrainConfig(size_law="fixed", temperature=0.1))
    assert Config.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert Config.from_dict({}) == Config()
    assert Config.from_dict({"model": {"tokens": 3}}).model == ModelConfig(tokens=3)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"model": {"token": 3}}, r"^model config holds unknown names \['token'\]"),
        ({"train": {"steps": 3, "tokens": 1}}, r"^train config holds unknown names \['steps', 'tokens'\]"),
        ({"modle": {}}, r"^config has the parts \['model', 'train'\], got \['modle'\]"),
        ({"model": {"tokens": 0}}, "^tokens must be a whole number of at least 1, got 0"),
    ],
)
def test_unknown_names_and_bad_values_are_refused(data, message):
    with pytest.raises(ConfigError, match=message):
        Config.from_dict(data)


COUNTS = ("tokens", "channels", "layers", "heads", "solutions", "rotated_dims")
TRAIN_COUNTS = (
    "batch_rows",
    "arc_batch_rows",
    "sizes_per_step",
    "fixed_dims",
    "max_rows",
    "max_validation_rows",
)
TRAIN_COUNTS += ("max_test_rows", "validate_every", "patience", "arc_patience")


@pytest.mark.parametrize("value", [0, -1])
@pytest.mark.parametrize("name", COUNTS)
def test_model_counts_start_at_one(name, value):
    with pytest.raises(ConfigError, match=f"^{name} must be a whole number of at least 1, got {value}"):
        ModelConfig(**{name: value})


@pytest.mark.parametrize("name", TRAIN_COUNTS)
def test_train_counts_start_at_one(name):
    with pytest.raises(ConfigError, match=f"^{name} must be a whole number of at least 1, got 0"):
        TrainConfig(**{name: 0})


@pytest.mark.parametrize("name", PHASES)
def test_a_phase_may_have_no_steps(name):
    assert getattr(TrainConfig(**{name: 0}), name) == 0
    with pytest.raises(ConfigError, match=f"^{name} must be a whole number >= 0, got -1"):
        TrainConfig(**{name: -1})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1])
@pytest.mark.parametrize(
    "name",
    ["weight_decay", "ergc_weight", "neighbour_weight", "reconstruction_weight", "pairs_weight", "labels_weight"],
)
def test_weights_are_numbers_from_zero_on(name, value):
    assert getattr(TrainConfig(**{name: 0.0}), name) == 0
    with pytest.raises(ConfigError, match=f"^{name} must be a number >= 0, got {value!r}"):
        TrainConfig(**{name: value})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0, -0.1])
@pytest.mark.parametrize("name", ["linear_rate", "arc_rate", "temperature"])
def test_rates_are_positive(name, value):
    with pytest.raises(ConfigError, match=f"^{name} must be a positive number, got {value!r}"):
        TrainConfig(**{name: value})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"validation_share": 0.5}, "^validation_share must lie between 0 and 0.5, got 0.5"),
        ({"validation_share": 0.0}, "^validation_share must lie between 0 and 0.5, got 0.0"),
        ({"test_share": 0.5}, "^test_share must be at least 0 and below 0.5, got 0.5"),
        ({"test_share": -0.1}, "^test_share must be at least 0 and below 0.5, got -0.1"),
        ({"duplicate_cosine": 1.1}, r"^duplicate_cosine must lie in \(0, 1\], got 1.1"),
        ({"size_beta_mild": (0.0, 1.0)}, r"^size_beta_mild must be two positive numbers, got \(0.0, 1.0\)"),
    ],
)
def test_ranges(values, message):
    with pytest.raises(ConfigError, match=message):
        TrainConfig(**values)


@pytest.mark.parametrize(
    ("part", "values", "message"),
    [
        ("train", {"size_law": "gauss"}, r"^size_law must be one of \('beta', 'uniform', 'fixed'\), got 'gauss'"),
        ("train", {"linear_map": "any"}, r"^linear_map must be one of \('auto', 'orthogonal', 'free'\), got 'any'"),
        ("train", {"size_beta_strong": [1.0]}, r"^size_beta_strong must be two positive numbers, got \(1.0,\)"),
        ("model", {"tokens": 2.5}, "^tokens must be a whole number of at least 1, got 2.5"),
        ("model", {"layers": True}, "^layers must be a whole number of at least 1, got True"),
    ],
)
def test_what_a_type_checker_would_refuse_is_refused_at_run_time_too(part, values, message):
    """Without the run-time type check of these tests, as users run it."""
    kind = {"train": TrainConfig, "model": ModelConfig}[part]
    config = object.__new__(kind)
    for field in dataclasses.fields(kind):
        given_value = values.get(field.name, field.default)
        object.__setattr__(config, field.name, tuple(given_value) if isinstance(given_value, list) else given_value)
    with pytest.raises(ConfigError, match=message):
        config.__post_init__()


def test_heads_divide_channels():
    with pytest.raises(ConfigError, match=r"^channels must be a multiple of heads \(3\), got 16"):
        ModelConfig(channels=16, heads=3)


@given(steps=st.integers(1, 100_000), planned=st.lists(st.integers(0, 900), min_size=3, max_size=3).filter(any))
def test_steps_are_shared_out_in_the_phases_proportions(steps, planned):
    before = Config(train=TrainConfig(**dict(zip(PHASES, planned, strict=True))))
    after = steps_of(before.with_steps(steps))
    assert sum(after) == steps
    for one, other in zip(planned, after, strict=True):
        assert abs(other - one * steps / sum(planned)) < 1


@pytest.mark.parametrize(("steps", "expected"), [(1, [1, 0, 0]), (2, [1, 1, 0]), (3, [1, 1, 1]), (13, [7, 3, 3])])
def test_few_steps_go_to_those_that_rounding_takes_most_from(steps, expected):
    config = Config(train=TrainConfig(linear_steps=700, arc_steps=300, decoder_steps=300))
    assert steps_of(config.with_steps(steps)) == expected


def test_no_steps_stay_none():
    nothing = Config(train=TrainConfig(**dict.fromkeys(PHASES, 0)))
    assert steps_of(nothing.with_steps(5)) == [0, 0, 0]


def test_without_steps_the_config_stays():
    config = Config(train=TrainConfig(linear_steps=5))
    assert config.with_steps(None) is config


def test_a_phase_that_is_switched_off_stays_off():
    config = Config(train=TrainConfig(linear_steps=5, arc_steps=0, decoder_steps=0)).with_steps(40)
    assert steps_of(config) == [40, 0, 0]


@pytest.mark.parametrize("steps", [0, -3])
def test_steps_must_be_a_count(steps):
    with pytest.raises(ConfigError, match=f"^steps must be a whole number of at least 1, got {steps}"):
        Config().with_steps(steps)
