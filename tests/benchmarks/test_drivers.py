"""Every driver starts, so that a name that moved is found before a long run."""

import importlib

import pytest


@pytest.mark.parametrize("name", ["quality", "speed", "fit_speed", "serve"])
def test_a_driver_says_what_it_takes(name, capsys):
    driver = importlib.import_module(name)
    with pytest.raises(SystemExit) as ended:
        driver.main(["--help"])
    assert ended.value.code == 0 and "usage:" in capsys.readouterr().out
