"""The bar tells phase, time left, loss and validation score, and is quiet in a pipe."""

import io
import sys

import pytest

from arfc.progress import reporter
from arfc.training.loop import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def progress(phase, step, *, steps=10):
    return Progress(phase=phase, step=step, steps=steps, elapsed_s=1.0, left_s=75.0, loss=1.2345, score=0.5)


def said(monkeypatch, setting, stream):
    monkeypatch.setattr(sys, "stderr", stream)
    with reporter(setting) as report:
        for phase in ("linear", "arc"):
            for step in range(1, 11):
                report(progress(phase, step))
    return stream.getvalue()


@pytest.mark.parametrize("setting", [None, True])
def test_bar_on_a_terminal(monkeypatch, setting):
    text = said(monkeypatch, setting, Terminal())
    for part in ("linear map", "ARC + MoS", "100%", "10/10", "01:15 left", "loss 1.234", "validation 0.5000"):
        assert part in text
    assert text.index("linear map") < text.index("ARC + MoS")


def test_quiet_in_a_pipe(monkeypatch):
    assert said(monkeypatch, None, io.StringIO()) == ""


def test_quiet_when_told_so(monkeypatch):
    assert said(monkeypatch, False, Terminal()) == ""


def test_bar_in_a_pipe_when_told_so(monkeypatch):
    assert "100%" in said(monkeypatch, True, io.StringIO())


def test_a_resumed_phase_starts_where_it_stopped(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with reporter(True) as report:
        report(progress("linear", 8))
    assert "8/10" in stream.getvalue() and "7/10" in stream.getvalue() and "1/10" not in stream.getvalue()


def test_a_callers_own_function_is_called(monkeypatch):
    heard, stream = [], Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with reporter(heard.append) as report:
        report(progress("arc", 3))
    assert heard == [progress("arc", 3)] and stream.getvalue() == ""


def test_bars_are_closed_after_an_error(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with pytest.raises(RuntimeError), reporter(True) as report:
        report(progress("linear", 1))
        raise RuntimeError
    assert stream.getvalue().endswith("\n")
