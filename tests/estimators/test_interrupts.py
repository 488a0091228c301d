"""Ctrl-C at any line: a model is then what it was, or was trained as far as it came, and can be used like any other.

Every estimator, every method. A trace function counts the lines of Python that a call runs through, in any library,
and interrupts at a random one of them: the same lines on every machine, whatever its load. `EBM_INTERRUPTS` says how
often for each estimator. A second interrupt, of a clock, may follow at once, while the model is put back. Interrupts
while the compiler works are in tests/core/test_jit.py.
"""

from __future__ import annotations

import copy
import os
import signal
import sys
import warnings

import numpy as np
import pytest
from sklearn import get_config, set_config

import ebm
from tests.estimators.everyone import calls, everyone, fitted, learn, name_of, quietly, same

MOMENTS = int(os.environ.get("EBM_INTERRUPTS", "6"))
MOST_LINES = 20_000  # beyond, a call goes on untraced
MEMOS = {"_known_z"}  # results that are kept with the parameters that they belong to
pytestmark = pytest.mark.needs_jit


class Interrupter:
    """Counts lines of Python; at line number `at` there is an interrupt, and another after `gap` seconds, if any."""

    def __init__(self, at: int = 0, gap: float = 0.0):
        self.at, self.gap, self.lines = at, gap, 0

    def __call__(self, frame, event, argument):
        if event == "line":
            self.lines += 1
            if self.lines == self.at:
                signal.setitimer(signal.ITIMER_REAL, self.gap)
                raise KeyboardInterrupt
            if self.lines == MOST_LINES:
                sys.settrace(None)
        return self

    def run(self, call, model) -> str:
        """How the call ended: "done", "raised", or "told" by a warning that it was interrupted."""
        before, clock = sys.gettrace(), signal.signal(signal.SIGALRM, interrupt_within)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            sys.settrace(self)
            try:
                call(model)
            except BaseException as error:
                if not comes_from_interrupt(error):
                    raise
                ended = "raised"
            else:
                ended = "done"
            finally:
                sys.settrace(before)
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, clock)
        # A second interrupt may come once the first one was told.
        return "told" if any("interrupted" in str(w.message) for w in caught) else ended


def interrupt_within(number, frame):
    """A handler that interrupts the library, and not the test around it."""
    while frame is not None:
        if frame.f_globals["__name__"].startswith("ebm."):
            raise KeyboardInterrupt
        frame = frame.f_back


def comes_from_interrupt(error):
    """Whether it is one, or what NumPy makes of one where its C code calls its Python code."""
    last = error.__traceback__
    while last.tb_next is not None:
        last = last.tb_next
    masked = isinstance(error, TypeError) and "numpy" in last.tb_frame.f_globals["__name__"]
    return masked or isinstance(error, KeyboardInterrupt)


def state_of(model):
    return copy.deepcopy({k: v for k, v in vars(model).items() if k not in MEMOS})


def is_finite(value):
    """Whether all that there is of numbers is finite."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind != "f" or bool(np.isfinite(value).all())
    return all(map(is_finite, value)) if isinstance(value, list | tuple) else True


def interrupted(model, call, rng, gap=0.0):
    """Interrupt the call at a random line, and again after a `gap`, if any.

    Hold what is left against the models before and after a whole call.
    """
    before, whole, config = state_of(model), copy.deepcopy(model), get_config()
    quietly(lambda: call(whole))
    counter = Interrupter()
    counter.run(call, copy.deepcopy(model))
    interrupter = Interrupter(1 + int(rng.integers(counter.lines)), gap)
    ended, found = interrupter.run(call, model), None
    assert get_config() == config
    if ended == "told":  # trained in part
        assert len({len(x) for x in getattr(model, "history_", {}).values()}) <= 1
        assert is_finite([x for k, x in vars(model).items() if k != "history_"])
        return ended
    found = state_of(model)
    assert ended == "raised" or same(found, state_of(whole))
    if same(found, before):
        quietly(lambda: call(model))
        found = state_of(model)
    assert same(found, state_of(whole)), {
        k for k in found.keys() | before.keys() if not same(found.get(k), before.get(k))
    }
    return ended


@pytest.mark.parametrize("estimator", everyone(), ids=name_of)
def test_an_interrupt_leaves_a_model_whole(estimator):
    reference = fitted(estimator)
    methods = calls(reference)
    rng = np.random.default_rng(sum(map(ord, name_of(estimator))))
    learning = [name for name in methods if name in ("fit", "partial_fit")]
    names = [*learning, *rng.permutation([name for name in methods if name not in learning])]
    for k in range(MOMENTS):
        name = names[k % len(names)]
        model = copy.deepcopy(estimator if k < len(learning) else reference)
        try:
            interrupted(model, methods[name], rng)
            again = quietly(lambda: learn(model, "fit"))  # noqa: B023
            assert same(state_of(again), state_of(reference)), "a fit afterwards gives other bits"
        except AssertionError as error:
            error.add_note(f"{name}, moment {k}")
            raise


@pytest.mark.parametrize("estimator", everyone(), ids=name_of)
def test_a_second_interrupt_at_once_leaves_a_model_whole(estimator):
    """The first one has the attributes put back; this comes in the midst of that."""
    reference = fitted(estimator)
    methods = calls(reference)
    rng = np.random.default_rng(1 + sum(map(ord, name_of(estimator))))
    names = [name for name in ("fit", "partial_fit", "sample", "log_partition") if name in methods]
    for k in range(2 * MOMENTS):
        name, gap = names[k % len(names)], float(10 ** rng.uniform(-5.5, -3.5))
        try:
            interrupted(copy.deepcopy(reference), methods[name], rng, gap)
        except AssertionError as error:
            error.add_note(f"{name}, moment {k}")
            raise


@pytest.mark.parametrize("name", ["fit", "partial_fit", "log_partition", "log_likelihood"])
@pytest.mark.parametrize("kind", [ebm.BernoulliRBM, ebm.BoltzmannMachine, ebm.MLPClassifier])
def test_an_interrupt_leaves_numpy_to_warn_as_before(kind, name):
    """It comes where NumPy is about to put its error state back."""
    model = fitted(next(estimator for estimator in everyone() if type(estimator) is kind))
    call = calls(model).get(name)
    if call is None:
        pytest.skip("no such method")
    quietly(lambda: call(model))  # compiled
    before, ends = np.geterr(), 0

    def interrupt(frame, event, argument):
        nonlocal ends
        if frame.f_code is np.errstate.__exit__.__code__:
            ends += 1
            raise KeyboardInterrupt
        return interrupt

    traced = sys.gettrace()
    sys.settrace(interrupt)
    try:
        quietly(lambda: call(model))
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(traced)
        after = np.geterr()
        np.seterr(**before)
    assert (ends, after) == (1, before)


def test_an_interrupt_leaves_scikit_learn_to_check_settings():
    """It comes where a fit of an estimator of scikit-learn, within ours, is about to have settings checked again."""
    model = fitted(next(x for x in everyone() if type(x) is ebm.MLPClassifier))
    call, before, changes = calls(model)["fit"], get_config(), 0

    def interrupt(frame, event, argument):
        nonlocal changes
        if frame.f_code is set_config.__code__ and event == "call":
            changes += 1
            if changes == 2:
                raise KeyboardInterrupt
        return interrupt

    traced = sys.gettrace()
    sys.settrace(interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            call(model)
    finally:
        sys.settrace(traced)
    assert changes == 2
    assert get_config() == before


@pytest.mark.parametrize("estimator", everyone(), ids=name_of)
def test_names_of_attributes_can_be_listed(estimator):
    """As completion by the Tab key does; it reads every property."""
    assert "fit" in dir(estimator)
    assert "fit" in dir(fitted(estimator))
