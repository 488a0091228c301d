"""The fuzz itself: that its calls reach all there is, and that its verdicts tell good from bad."""

import inspect
from typing import NamedTuple

import numpy as np
import pytest
from sklearn.utils._param_validation import InvalidParameterError

import ebm
from ebm.likelihood.diagnostics import Diagnostics
from ebm.sklearn_compat._shared import _learning
from tests.fuzz import child, verdicts
from tests.fuzz.calls import (
    Call,
    all_calls,
    bases,
    estimators,
    makers,
    methods,
    namespace,
    new,
    records,
)
from tests.fuzz.runner import Runner

BUILT = "BernoulliRBM(n_components=3, n_iter=2, random_state=0).fit(X)"


@pytest.fixture(scope="module")
def calls():
    return all_calls()


def test_there_are_calls_of_every_estimator_method_setting_and_record(calls):
    made = {(call.subject, call.kind) for call in calls}
    for cls in estimators():
        done = {
            call.do.split("(")[0].split(".")[-1] for call in calls if call.subject == cls.__name__
        }
        assert set(methods(cls)) | set(makers(cls)) <= done
        changed = {
            call.argument
            for call in calls
            if call.subject == cls.__name__ and call.kind == "setting"
        }
        assert changed == set(inspect.signature(cls).parameters)
        kinds = ["argument", "attribute", "order", *(["maker"] if makers(cls) else [])]
        assert {(cls.__name__, kind) for kind in kinds} <= made
    for record in records():
        assert not inspect.signature(record).parameters or (record.__name__, "record") in made
    assert len(calls) > 80_000


def test_every_public_class_of_settings_has_a_place(calls):
    called = {call.subject for call in calls if call.kind == "function"}
    for name in set(ebm.__all__) - called:
        found = getattr(ebm, name)
        if isinstance(found, type) and not hasattr(found, "fit") and not name.endswith("Display"):
            assert bases(found), f"say in PLACES where {name} is used"


@pytest.mark.parametrize("cls", estimators(), ids=lambda cls: cls.__name__)
def test_small_machines_are_machines(cls):
    assert isinstance(eval(new(cls), dict(namespace())), cls)


def test_reproductions_run_alone(capsys):
    call = Call("", "argument", "X", BUILT, "X", "a.tolist()", "est.transform(X=value).shape")
    exec(call.script(), {})
    assert capsys.readouterr().out == "(12, 3)\n"


def raised(function, *arguments):
    try:
        function(*arguments)
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    ("call", "kind", "verdict"),
    [
        (lambda: ebm.BernoulliRBM(n_components=0).fit([[0.0], [1.0]]), "n_components", "refused"),
        (lambda: ebm.BernoulliRBM(n_components=0).fit([[0.0], [1.0]]), "batch_size", "theirs"),
        (lambda: ebm.Hebb(normalize=True).set_params(x=1), "x", "refused"),
        (lambda: ebm.Hebb(normalize=True).set_params(x=1), "patterns", "unnamed"),
        (lambda: ebm.lattice(2).reshape(7), "shape", "internal"),
        (lambda: {}["X"], "X", "internal"),
        (lambda: ebm.BernoulliRBM().fit("abc"), "y", "unnamed"),
        (lambda: ebm.BernoulliRBM().transform([[1.0]]), "X", "refused"),
    ],
)
def test_errors_are_judged_by_who_raised_them_and_what_they_name(call, kind, verdict):
    assert verdicts.of_error(raised(call), kind, "argument") == verdict


def test_an_error_of_the_parameter_gate_counts_as_told():
    error = raised(lambda: ebm.BernoulliRBM(batch_size="x").fit([[0.0], [1.0]]))
    assert isinstance(error, InvalidParameterError)
    assert verdicts.of_error(error, "batch_size", "setting") == "refused"


def judged(do, value="None", argument="X", make=BUILT, role="odd", good="X", before=""):
    return child.judge(Call("", "argument", argument, make, good, value, do, before, role))[0]


class Wrong:
    """Stands for a machine with every fault that the verdicts know."""

    __module__ = "ebm"

    def __init__(self):
        self.n_draws_ = 0

    def nan(self, X):
        return np.full(len(X), np.nan if isinstance(X, list) else 0)

    def other(self, X):
        return np.zeros(len(X)) + (X is None or not isinstance(X, np.ndarray))

    def writes(self, X):
        X[0] = 7
        return X.sum()

    def warns(self, X):
        return np.float64(0) * 0 / np.float64(0)

    def moves(self, X):
        self.n_draws_ += 1
        return ebm.Hebb().set_params(X=1)

    def closes(self, X):
        import os

        os.close(2)

    def log_likelihood(self, X):
        return np.ones(len(X))


class Walk(NamedTuple):
    """Stands for what a recall returns."""

    trajectory: np.ndarray


NAN = float("nan")


@pytest.mark.parametrize(
    ("result", "places"),
    [
        (Walk(np.array([NAN, 0.0])), set()),
        (Walk(np.array([0.0, NAN])), {".trajectory"}),
        (Diagnostics(NAN, NAN, NAN, NAN), set()),
        (Diagnostics(1.0, NAN, NAN, NAN), set()),
        (Diagnostics(NAN, 9.0, 9.0, 9.0), {".rhat"}),
        (Diagnostics(NAN, NAN, 9.0, 9.0), {".rhat", ".bulk_ess"}),
        (Diagnostics(1.0, np.inf, NAN, NAN), {".bulk_ess"}),
    ],
)
def test_nan_is_handled_only_where_it_is_documented(result, places):
    assert verdicts.bad_numbers(result) == places


def test_an_argument_that_is_missing_within_is_an_internal_error(monkeypatch):
    error = raised(lambda: ebm.BernoulliRBM().fit())
    assert verdicts.of_error(error, "X", "argument") == "refused"
    monkeypatch.setattr(_learning, "fit_rows", lambda estimator, rows, weights, go_on, X: "")
    error = raised(lambda: ebm.BernoulliRBM().fit([[0.0], [1.0]]))
    assert verdicts.of_error(error, "X", "argument") == "internal"


@pytest.mark.parametrize(
    ("method", "value", "role", "verdict"),
    [
        ("nan", "a.tolist()", "odd", "silent"),
        ("other", "a.tolist()", "same", "silent"),
        ("other", "a.copy()", "same", "right"),
        ("writes", "a.copy()", "odd", "wrote to the caller's data"),
        ("warns", "a", "odd", "leaked warning"),
        ("moves", "a", "odd", "estimator changed"),
        ("closes", "a", "odd", "closed a file"),
        ("log_likelihood", "a", "odd", "silent"),
    ],
)
def test_faults_are_seen(monkeypatch, method, value, role, verdict):
    monkeypatch.setitem(namespace(), "Wrong", Wrong)
    child.machine.cache_clear()
    child.clean.cache_clear()
    assert judged(f"est.{method}(X=value)", value, make="Wrong()", role=role) == verdict


def test_good_calls_are_handled():
    assert judged("est.transform(X=value)", "a.tolist()", role="same") == "right"
    assert judged("est.transform(X=value)", "a * 300") == "warned"
    assert judged("est.transform(X=value)", "'x'") in ("refused", "theirs")


def test_calls_that_take_for_ever_end_by_an_interrupt():
    do = "est.set_params(n_iter=value).fit(X)"
    assert judged(do, "10**12", "n_iter", role="long", good="2") == "long"


def test_a_child_that_dies_is_a_verdict_and_the_next_call_runs():
    runner = Runner()
    try:
        call = Call("", "argument", "X", "None", "None", "None", "os.abort()")
        assert runner(call).verdict == "crash"
        call = Call("", "argument", "X", "None", "None", "None", "os.getpid()")
        assert runner(call).verdict == "finite"
    finally:
        runner.stop()
