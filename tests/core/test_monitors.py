"""ebm.monitors: what is recorded, and what is shown."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
import scipy.sparse as sp

from ebm import training
from ebm._batches import Rows
from ebm.gradients import Exact
from ebm.likelihood import free_energy_gap, pseudo_log_likelihood
from ebm.monitors import Checkpoint, EarlyStopping, ProgressLine, Report, Scorer, notify
from ebm.optimizers import SGD, Constant
from tests.models import library_model, library_params, oracle_model, rows_for
from tests.oracles import rbm

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


# Early stopping --------------------------------------------------------------------------------

HELD_OUT = rows_for(MODEL, 8, seed=5)


def stopper(scores, **settings):
    """Early stopping that sees these scores in turn, whatever the model."""
    queue = iter(scores)
    return EarlyStopping(HELD_OUT, monitor=lambda model, params, rows: next(queue), **settings)


def run(callback, n_epochs):
    """Epochs whose parameters are all equal to the epoch's number: those at which it ended, and the last."""
    theta, kept, history = np.zeros(3), {}, {}
    for epoch in range(1, n_epochs + 1):
        theta[:] = epoch
        library, params = library_model(MODEL), library_params(MODEL)
        now = Report(epoch, n_epochs, 0.1, 1.0, library, params, theta, kept)
        if notify([callback], now, history):
            break
    return epoch, theta[0], history


@pytest.mark.parametrize(
    ("scores", "settings", "end", "best"),
    [
        pytest.param([1, 2, 3, 4], {}, 4, 4, id="rising to the end"),
        pytest.param([1, 5, 3, 4], {}, 4, 2, id="ended before the patience was"),
        pytest.param([1, 5, 3, 4, 4, 9], {"patience": 3}, 5, 2, id="patience"),
        pytest.param([1, 5, 3, 6, 4, 5, 7], {"patience": 2}, 6, 4, id="a new best begins anew"),
        pytest.param([1, 1, 1], {"patience": 2}, 3, 1, id="equal is no improvement"),
        pytest.param([1, 1.4, 1.8], {"patience": 2, "min_delta": 0.5}, 3, 3, id="min_delta"),
        pytest.param([1, 1.5, 1.625], {"min_delta": 0.5}, 3, 3, id="measured from the best"),
        pytest.param([1, 1.2, 1.3, 2], {"patience": 2, "min_delta": 0.5}, 3, 1, id="too little"),
        pytest.param([1, 3, 2], {"patience": 2, "every": 2}, 5, 4, id="one look in two epochs"),
        pytest.param([2, 1, 0], {"patience": 2, "every": 2}, 5, 2, id="the last epoch is a look"),
        pytest.param([np.nan, 1, 0, 0], {"patience": 2}, 4, 2, id="anything is better than NaN"),
        pytest.param([1, np.nan, np.nan], {"patience": 2}, 3, 1, id="NaN is no improvement"),
        pytest.param([np.nan, np.nan, 1], {"patience": 1}, 2, 1, id="NaN alone"),
    ],
)
def test_looks_by_hand(scores, settings, end, best):
    n_epochs = 5 if "every" in settings else len(scores)
    assert run(stopper(scores, **settings), n_epochs)[:2] == (end, best)


def test_looks_stand_in_the_history_and_are_nan_at_other_times():
    _, _, history = run(stopper([1.0, 3.0, 2.0], every=2), 5)
    np.testing.assert_array_equal(history["held_out"], [np.nan, 1.0, np.nan, 3.0, 2.0])


def test_a_new_fit_forgets_the_best_of_the_last_one():
    kept = {"held_out": np.array([99.0, 0.0]), "held_out.theta": np.full(3, -1.0)}
    callback, theta = stopper([1.0, 0.5]), np.zeros(3)
    for epoch in (1, 2):
        theta[:] = epoch
        library, params = library_model(MODEL), library_params(MODEL)
        callback(Report(epoch, 2, 0.1, 1.0, library, params, theta, kept))
    assert theta[0] == 1


def trained(callbacks, n_epochs=40, rate=0.3, dtype=np.float64):
    X = rows_for(MODEL, 6, seed=1).astype(dtype)
    plan = training.Plan(Exact(), SGD(), Constant(), rate, 0.0, 6, 0)
    rows = Rows(X)
    small = training.start(library_model(MODEL), rows, 3, plan, lambda _, params: params)
    assert training.train(small, rows, plan, n_epochs, callbacks) == ""
    return small, X


def parameters_of_every_epoch(n_epochs=40, **settings):
    seen = []
    trained([lambda report: seen.append(report.theta.copy())], n_epochs, **settings)
    return seen


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_best_pseudo_likelihood_is_restored(dtype):
    """Six rows are learned by heart, and the others stop profiting."""
    stop = EarlyStopping(HELD_OUT, patience=3)
    state, _ = trained([stop], dtype=dtype)
    assert state.theta.dtype == dtype
    scores = []
    for theta in parameters_of_every_epoch(dtype=dtype):
        params = library_model(MODEL).unpack(theta, 4, 3)
        scores.append(pseudo_log_likelihood(library_model(MODEL), params, HELD_OUT).mean())
    best = int(np.argmax(scores))
    assert 0 < best < 36
    np.testing.assert_array_equal(state.theta, parameters_of_every_epoch(dtype=dtype)[best])
    np.testing.assert_allclose(
        state.history["held_out_pseudo_likelihood"], scores[: best + 4], rtol=1e-5
    )


def test_the_last_parameters_within_the_gap_are_restored():
    library = library_model(MODEL)
    X = rows_for(MODEL, 6, seed=1)
    gaps = [
        free_energy_gap(library, library.unpack(theta, 4, 3), X, HELD_OUT)
        for theta in parameters_of_every_epoch()
    ]
    limit = (min(gaps) + max(gaps)) / 2
    stop = EarlyStopping(HELD_OUT, monitor="free_energy_gap", train=X, max_gap=limit, patience=2)
    state, _ = trained([stop])
    first_bad = int(np.argmax(np.array(gaps) > limit))
    assert first_bad > 0
    np.testing.assert_array_equal(state.theta, parameters_of_every_epoch()[first_bad - 1])
    np.testing.assert_allclose(
        state.history["free_energy_gap"], gaps[: first_bad + 2], rtol=1e-9, atol=1e-12
    )


def test_two_stops_keep_to_their_own_best():
    """One that would never end, beside one that ends at once."""
    X = rows_for(MODEL, 6, seed=1)
    scores = EarlyStopping(HELD_OUT, patience=2)
    gaps = EarlyStopping(HELD_OUT, monitor="free_energy_gap", train=X, max_gap=1e6, patience=2)
    both, _ = trained([scores, gaps])
    alone, _ = trained([scores])
    assert both.history["epoch"] == alone.history["epoch"]
    names = {"held_out_pseudo_likelihood", "free_energy_gap"}
    assert names <= set(both.saved) and both.saved["held_out_pseudo_likelihood"][0] < 0


def test_the_gap_is_the_difference_of_mean_free_energies():
    X = rows_for(MODEL, 6, seed=1)
    library, params = library_model(MODEL), library_params(MODEL)
    held_out, train = (np.mean([rbm.free_energy(MODEL, v) for v in x]) for x in (HELD_OUT, X))
    found = free_energy_gap(library, params, X, HELD_OUT)
    assert found == pytest.approx(held_out - train, rel=1e-12)
    single = library_params(MODEL, np.float32)
    assert free_energy_gap(library, single, X, HELD_OUT) == pytest.approx(found, abs=1e-5)


@pytest.mark.parametrize("form", [sp.csr_array, np.ndarray.tolist, lambda x: x.astype(np.int8)])
def test_held_out_rows_come_in_any_form(form):
    plain = run_score(EarlyStopping(HELD_OUT))
    assert run_score(EarlyStopping(form(HELD_OUT))) == plain


def run_score(stop):
    theta = np.zeros(3)
    now = Report(1, 3, 0.1, 1.0, library_model(MODEL), library_params(MODEL), theta, {})
    stop(now)
    return now.monitored["held_out_pseudo_likelihood"]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (np.full((2, 4), np.nan), "held_out holds NaN or infinite.*impute"),
        (np.array([[0, 1, np.inf, 0]]), "held_out holds NaN or infinite"),
        (np.ones(4), r"held_out must be a table.*shape \(4,\)"),
        (np.ones((0, 4)), "held_out must be a table"),
        ([["a", "b"]], "held_out must be an array of numbers.*OneHotEncoder"),
        (None, "held_out must be a table"),
    ],
)
def test_held_out_rows_that_cannot_be_are_refused(rows, words):
    with pytest.raises(ValueError, match=words):
        EarlyStopping(rows)
    with pytest.raises(
        ValueError, match=words.replace("held_out", "train") if rows is not None else "train"
    ):
        EarlyStopping(HELD_OUT, train=rows, monitor="free_energy_gap")


@pytest.mark.parametrize("name", ["held_out", "train"])
def test_rows_of_another_width_are_named_when_training_begins(name):
    rows = {"held_out": HELD_OUT, "train": HELD_OUT} | {name: np.ones((3, 7))}
    with pytest.raises(ValueError, match=f"{name} has 7 columns, but the model has 4"):
        trained([EarlyStopping(monitor="free_energy_gap", **rows)])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"patience": 0}, "patience must be an integer"),
        ({"every": 0}, "every must be an integer"),
        ({"min_delta": -1}, "min_delta must be a number"),
        ({"max_gap": 0}, "max_gap must be a number"),
        ({"monitor": "loss"}, "'pseudo_likelihood', 'free_energy_gap' or a callable.*Got 'loss'"),
        ({"monitor": "free_energy_gap"}, "train must hold rows"),
    ],
)
def test_settings_of_early_stopping_are_checked(settings, words):
    with pytest.raises(ValueError, match=words):
        EarlyStopping(HELD_OUT, **settings)


# Checkpoints -----------------------------------------------------------------------------------


def test_files_are_asked_for_every_so_many_epochs_and_at_the_end(tmp_path):
    callback = Checkpoint(tmp_path / "x", every=3)
    asked = []
    for epoch in range(1, 9):
        library, params = library_model(MODEL), library_params(MODEL)
        now = Report(epoch, 8, 0.1, 1.0, library, params)
        assert callback(now) is None
        asked += [epoch] * len(now.checkpoints)
    assert asked == [3, 6, 8]


def test_settings_of_checkpoints_are_checked(tmp_path):
    with pytest.raises(ValueError, match=r"there is no .*nowhere"):
        Checkpoint(tmp_path / "nowhere" / "x")
    with pytest.raises(ValueError, match="every must be an integer"):
        Checkpoint(tmp_path / "x", every=0)


def test_saved_values_have_their_old_name_for_one_release():
    report = Report(1, 1, 0.1, 0.0, None, None, saved={"x": np.zeros(1)})
    with pytest.warns(FutureWarning, match=r"Report\.kept is now Report\.saved"):
        assert report.kept is report.saved
