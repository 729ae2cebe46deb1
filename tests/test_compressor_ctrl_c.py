"""Ctrl-C in a fit: the first one keeps what there is, the second one ends it at once."""

import os
import pkgutil
import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from arfc import Compressor
from arfc.codec import ClassicCodec, NestedCodec
from arfc.training import codecs


def press():
    os.kill(os.getpid(), signal.SIGINT)


def press_at(monkeypatch, name, *, times=1):
    """Press Ctrl-C at the first call of a function, named by its place, and let the call go on."""
    owner, _, attribute = name.rpartition(".")
    owner = pkgutil.resolve_name(owner)
    plain, calls = getattr(owner, attribute), []

    def pressing(*args, **options):
        calls.append(1)
        for _ in range(times if len(calls) == 1 else 0):
            press()
        return plain(*args, **options)

    monkeypatch.setattr(owner, attribute, pressing)
    return calls


WITH_A_MODEL = [
    "arfc.training.linear_phase.LinearPhase.loss",
    "arfc.training.linear_phase.LinearPhase.score",
    "arfc.training.linear_phase.LinearPhase.settle",
    "arfc.training.task.Task.keeps",
    "arfc.model.network.Network.set_scale",
    "arfc.training.arc_phase.ArcPhase.loss",
    "arfc.training.arc_phase.ArcPhase.score",
    "arfc.training.fit.choose_openings",
    "arfc.training.openings.settle_decoding",
    "arfc.training.decoder_phase.DecoderPhase.loss",
    "arfc.compressor.fit_codecs",
    "arfc.compressor.measure_curve",
    "arfc.fingerprint.SeenRows.__init__",
]


@pytest.mark.parametrize("place", WITH_A_MODEL)
def test_ctrl_c_anywhere_in_a_fit_keeps_a_model(small_rows, tiny_config, tmp_path, monkeypatch, place):
    calls = press_at(monkeypatch, place)
    model = Compressor.fit(small_rows, config=tiny_config(), progress=False)
    assert calls and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert model.facts["interrupted"] is True
    assert model.curve["floats"][0]["arfc"] > 0.5 and model.curve["floats"][-1]["arfc"] == pytest.approx(1, abs=1e-3)
    model.save(tmp_path / "model")
    loaded = Compressor.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.compress(small_rows, dims=5), model.compress(small_rows, dims=5))
    np.testing.assert_allclose(loaded.decompress(loaded.compress(small_rows, dims=24)), small_rows, atol=2e-3)
    assert loaded.compress(small_rows, bytes=4).packed.shape == (600, 4)


@pytest.mark.parametrize("place", ["arfc.training.linear_phase.fade", "arfc.training.fading.overall"])
def test_ctrl_c_while_dims_fade_keeps_a_model(small_rows, tiny_config, monkeypatch, place):
    calls = press_at(monkeypatch, place)
    labels = np.arange(600) % 3
    model = Compressor.fit(small_rows, labels=labels, config=tiny_config(), progress=False)
    assert len(calls) == 1  # no candidate is tried after it
    assert model.facts["interrupted"] is True and model.facts["history"]["fade"] == {"from": 24, "scale": 1.0}
    np.testing.assert_allclose(model.decompress(model.compress(small_rows, dims=24)), small_rows, atol=2e-3)


@pytest.mark.parametrize("place", WITH_A_MODEL)
def test_a_second_ctrl_c_ends_a_fit_at_once(small_rows, tiny_config, monkeypatch, place):
    calls = press_at(monkeypatch, place, times=2)
    with pytest.raises(KeyboardInterrupt):
        Compressor.fit(small_rows, config=tiny_config(), progress=False)
    assert len(calls) == 1 and signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize(
    "place",
    [
        "arfc.compressor.read_rows",
        "arfc.training.fit.duplicate_groups",
        "arfc.model.klt.Klt.fit",
    ],
)
def test_ctrl_c_before_there_is_a_model_ends_the_fit(small_rows, tiny_config, monkeypatch, place):
    heard = []
    calls = press_at(monkeypatch, place)
    with pytest.raises(KeyboardInterrupt):
        Compressor.fit(small_rows, config=tiny_config(), progress=heard.append)
    assert len(calls) == 1 and heard == []
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_from_the_callers_progress(small_rows, tiny_config):
    """It ends the phase it comes in; the later ones have no step."""
    heard = []

    def stop(now):
        heard.append((now.phase, now.step))
        if heard[-1] == ("arc", 6):
            press()

    model = Compressor.fit(small_rows, config=tiny_config(), progress=stop)
    assert heard[-1] == ("arc", 6) and model.facts["interrupted"] is True
    assert model.facts["history"]["ends"] == {"linear": "steps", "arc": "interrupted", "decoder": "interrupted"}
    assert [entry["step"] for entry in model.facts["history"]["arc"]] == [0, 4]
    assert model.facts["history"]["decoder"] == []


def test_few_rows_train_the_codec_when_someone_waits(small_rows, tiny_config, monkeypatch):
    monkeypatch.setattr(codecs, "QUICK_CODEC_ROWS", 100)
    rows = []
    for kind in (NestedCodec, ClassicCodec):
        monkeypatch.setattr(
            kind, "fit", lambda vectors, fit=kind.fit, **how: rows.append(len(vectors)) or fit(vectors, **how)
        )
    Compressor.fit(small_rows, config=tiny_config(), steps=1, progress=False)
    Compressor.fit(small_rows, config=tiny_config(), progress=lambda now: press() if now.step == 1 else None)
    assert rows == [480, 480, 96, 96]


def test_a_fit_in_another_thread(small_rows, tiny_config):
    """Only the main thread can listen to Ctrl-C."""
    with ThreadPoolExecutor(1) as pool:
        model = pool.submit(Compressor.fit, small_rows, config=tiny_config(), steps=3, progress=False).result()
    assert model.facts["interrupted"] is False
