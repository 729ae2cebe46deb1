"""A folder with a small fitted model, where the snippets of a page run."""

import numpy as np
import pytest


@pytest.fixture
def model_folder(tmp_path, monkeypatch, fitted_model, small_rows):
    """The working folder of a test, which holds the folder `model` and the file `features.npy`."""
    monkeypatch.chdir(tmp_path)
    fitted_model.save("model")
    np.save("features.npy", small_rows)
    return tmp_path


@pytest.fixture
def integration_folder(tmp_path, monkeypatch, coded_rows, coded_model):
    """The working folder of a page on an integration: the folder `model` and the file `features.npy`."""
    monkeypatch.chdir(tmp_path)
    coded_model.save("model")
    np.save("features.npy", coded_rows)
    return tmp_path


@pytest.fixture
def database_url(monkeypatch):
    """A PostgreSQL server with pgvector, whose address stands in the environment."""
    from _postgres import temporary_server

    with temporary_server() as uri:
        monkeypatch.setenv("DATABASE_URL", uri)
        yield
