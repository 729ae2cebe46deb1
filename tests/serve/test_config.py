"""Settings are checked once, and a key never shows."""

import pytest

from arfc.errors import ConfigError
from arfc.serve.config import ServeConfig


def test_defaults_listen_to_this_machine_alone():
    assert ServeConfig().is_loopback
    assert not ServeConfig(host="0.0.0.0").is_loopback


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"max_inputs": 0}, "max_inputs must be a whole number of at least 1, got 0"),
        ({"max_requests": True}, "max_requests must be a whole number of at least 1, got True"),
        ({"port": -1}, "port must be a whole number of at least 0, got -1"),
        ({"port": 65536}, "port must be between 0 and 65535, got 65536; try 8000"),
        ({"upstream_timeout_s": 0.0}, "upstream_timeout_s must be a number of seconds above 0, got 0.0"),
        ({"stop_timeout_s": float("nan")}, "stop_timeout_s must be a number of seconds above 0, got nan"),
        ({"api_key": " "}, "api_key must not be empty; leave it out to let everyone ask"),
    ],
)
def test_what_makes_no_sense_is_refused(given, match):
    with pytest.raises(ConfigError, match=match):
        ServeConfig(**given)


def test_a_key_is_not_printed():
    assert "secret" not in repr(ServeConfig(api_key="secret"))
