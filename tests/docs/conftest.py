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
