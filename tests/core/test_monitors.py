"""ebm.monitors: what is recorded, and what is shown."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest

from ebm.monitors import ProgressLine, Report, Scorer, notify
from tests.models import library_model, library_params, oracle_model

MODEL = oracle_model()


def report(epoch=1, elapsed=0.5):
    return Report(epoch, 3, 0.1, elapsed, library_model(MODEL), library_params(MODEL))


def test_history_counts_epochs_over_several_fits():
    history = {}
    for epoch in (1, 2, 1):
        assert not notify([], report(epoch), history)
    assert history["epoch"] == [1, 2, 3]
    assert history["learning_rate"] == [0.1] * 3 and history["time"] == [0.5] * 3


def test_only_true_itself_ends_training():
    for answer, ends in ((True, True), (None, False), (1, False), ({"a": 1.0}, False)):
        assert notify([lambda _, answer=answer: answer], report(), {}) == ends


def test_every_callback_is_called_even_after_one_that_ends():
    seen = []
    stop = [lambda _: True, lambda r: seen.append(r.epoch)]
    assert notify(stop, report(2), {}) and seen == [2]


def test_scorer_records_a_number_under_its_name():
    history = {}
    scorer = Scorer("weight", lambda params: params.W[0, 0])
    notify([scorer], report(), history)
    assert history["weight"] == [MODEL.W[0, 0]]
    assert type(history["weight"][0]) is float


def test_lines_are_printed_where_there_is_no_terminal(capsys):
    line = ProgressLine("Model")
    history = {}
    score = Scorer("pseudo_likelihood", lambda params: -12.345)
    notify([score, line], report(1, 0.25), history)
    notify([score, line], report(2, 1.0), history)
    line.close()
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "[Model] Iteration 1, pseudo-likelihood = -12.35, time = 0.25s",
        "[Model] Iteration 2, pseudo-likelihood = -12.35, time = 0.75s",
    ] or lines[0].startswith("[Model] Iteration 1, pseudo-likelihood = -12.3")


def test_a_bar_is_drawn_on_a_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    line = ProgressLine("Model")
    for epoch in (1, 2, 3):
        line(report(epoch))
    line.close()
    assert "Model" in screen.getvalue() and "3/3" in screen.getvalue()


def test_reports_are_frozen():
    with pytest.raises(AttributeError):
        report().epoch = 5
    assert np.isfinite(report().elapsed)
