"""Shapes are checked at run time in every test, and small sets of vectors are shared."""

import copy
import os
import signal

# Small products are slower on many threads, and far slower on busy cores. Before anything imports torch.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Encoders are on the disk. Before anything imports huggingface_hub.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

# Before any test module imports arfc: the hook rewrites modules as they are imported.
# Whole numbers pass for floats, as they do for type checkers.
install_import_hook("arfc", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")

# Two busy cores make single examples slow now and then, which says nothing about the code.
settings.register_profile("arfc", deadline=None)
settings.load_profile("arfc")


@pytest.fixture(scope="session", autouse=True)
def listening_to_ctrl_c():
    """Python's own handler: a shell's background job ignores SIGINT, and so would the tests that press Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def rng():
    """A random generator that starts equal in every test."""
    return np.random.default_rng(0)


@pytest.fixture
def vectors(rng):
    """(200, 24) float32 vectors around a few centres, with some directions much stronger than others."""
    centres = rng.standard_normal((10, 24))
    x = centres[rng.integers(10, size=200)] + 0.3 * rng.standard_normal((200, 24))
    return (x * np.linspace(2.0, 0.2, 24)).astype(np.float32)


@pytest.fixture
def npy_file(tmp_path, vectors):
    """A `.npy` file that holds `vectors`."""
    path = tmp_path / "vectors.npy"
    np.save(path, vectors)
    return path


def _clustered(rows, width, *, seed=0, centres=40, spread=0.4):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((centres, width))[rng.integers(centres, size=rows)]
    x += spread * rng.standard_normal((rows, width))
    return (x * np.linspace(2.0, 0.2, width)).astype(np.float32)


@pytest.fixture(scope="session")
def clustered():
    """A function of rows and width: float32 vectors around 40 centres, some directions stronger than others."""
    return _clustered


@pytest.fixture(scope="session")
def nested():
    """A function of rows: (rows, 24) vectors whose neighbours lie along weaker directions than those the KLT keeps.

    Ten classes stand far apart; what tells the rows of a class from each other has less energy.
    """

    def build(rows, *, seed=0):
        rng = np.random.default_rng(seed)
        x = np.zeros((rows, 24))
        x[:, :10] = rng.standard_normal((10, 10))[rng.integers(10, size=rows)]
        x[:, 10:13] = 0.4 * rng.standard_normal((rows, 3))
        x += 0.1 * rng.standard_normal((rows, 24))
        return (x @ np.linalg.qr(rng.standard_normal((24, 24)))[0]).astype(np.float32)

    return build


@pytest.fixture(scope="session")
def tiny_config():
    """A function that builds a config which fits in a second; `model` and other arguments replace its fields.

    It does not follow the defaults, so that these may change.
    """
    from arfc.config import Config, ModelConfig, TrainConfig

    def build(*, model=None, **train):
        shape = {"tokens": 4, "channels": 16, "layers": 1, "heads": 2} | (model or {})
        steps = {
            "linear_steps": 12,
            "arc_steps": 12,
            "decoder_steps": 8,
            "code_rounds": 1,
            "batch_rows": 64,
            "arc_batch_rows": 64,
            "validate_every": 4,
            "linear_rate": 3e-3,
            "arc_rate": 1e-3,
            "size_beta_mild": (1.0, 2.0),
            "size_beta_strong": (1.0, 4.0),
        }
        return Config(model=ModelConfig(**shape), train=TrainConfig(**(steps | train)))

    return build


@pytest.fixture(scope="session")
def open_up():
    """A function that opens every token of a network and gives it small random corrections."""
    import torch

    def apply(network, *, std=0.02, opening=1.0, decode_steps=32, seed=0):
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for head in (network.arc.head, *([] if network.mos is None else [network.mos.head])):
                head.copy_(std * torch.randn(head.shape, generator=generator))
            network.opening.fill_(opening)
            network.decode_steps.fill_(decode_steps)
        network.refresh()
        return network.eval().requires_grad_(False)

    return apply


@pytest.fixture(scope="session")
def small_rows():
    """(600, 24) rows that small models are fitted on."""
    return _clustered(600, 24)


@pytest.fixture(scope="session")
def fitted_model(small_rows, tiny_config):
    """A small model as `fit` leaves it. Shared by many tests: don't write to it."""
    from arfc import Compressor

    return Compressor.fit(small_rows, config=tiny_config(), progress=False)


@pytest.fixture(scope="session")
def opened_model(fitted_model, open_up):
    """The small model with every token open and random corrections. Shared by many tests: don't write to it."""
    from arfc import Compressor

    model = Compressor(copy.deepcopy(fitted_model.network), fitted_model.codec, fitted_model.seen, fitted_model.facts)
    open_up(model.network)
    return model


@pytest.fixture
def local_hub(tmp_path_factory, monkeypatch):
    """A server on this machine that huggingface_hub takes for the Hub, with a token in the environment."""
    constants = pytest.importorskip("huggingface_hub.constants", reason="needs the extra hub")
    from _local_hub import TOKEN, local_hub

    with local_hub() as hub:
        # The library reads its settings when it is imported, which another test may have done.
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.split("/{repo_id}")[1]
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", f"{hub.url}/{{repo_id}}{template}")
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path_factory.mktemp("hub")))
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield hub


@pytest.fixture(scope="session")
def coded_rows():
    """(1600, 64) rows: enough for codes that begin with joint tokens."""
    return _clustered(1600, 64)


@pytest.fixture(scope="session")
def coded_model(coded_rows, tiny_config):
    """A small linear model whose codes begin with at least 4 joint tokens. Shared by many tests: don't write to it."""
    from arfc import Compressor

    config = tiny_config(linear_steps=4, arc_steps=0, decoder_steps=1)
    model = Compressor.fit(coded_rows, config=config, progress=False)
    assert model.codec.joint.tokens >= 4
    return model
