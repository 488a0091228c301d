"""Counts that take for ever, and counts for which there is no memory."""

from __future__ import annotations

import gc
import signal
import time
import warnings

import numpy as np
import pytest
from sklearn.base import clone

from ebm import (
    AIS,
    DBN,
    RAISE,
    RBM,
    BernoulliRBM,
    BoltzmannMachine,
    ContrastiveDivergence,
    DBNClassifier,
    DenseAssociativeClassifier,
    DenseAssociativeMemory,
    FastPersistentContrastiveDivergence,
    HopfieldNetwork,
    MLPClassifier,
    ModernHopfieldNetwork,
    NormalizedMomentum,
    ParallelTempering,
    Perceptron,
    PersistentContrastiveDivergence,
    UpDown,
    _memory,
)
from ebm.gradients import contrastive
from ebm.storage import perceptron
from tests.estimators.settings import X, Y

HUGE = 10**8
# The timer rings after so long, and again after so long, should an interrupt be lost; a call beyond the limit is deaf.
DELAY, AGAIN, LIMIT = 0.2, 5.0, 30.0


def interrupted(call):
    """The error with which a call ends that is interrupted, or None where it ends by itself."""
    # A true SIGINT: it waits for the end of a compilation, in the midst of which nothing may be raised.
    before = signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    begun = time.perf_counter()
    # Python loses an interrupt within a callback of the garbage collector, of which Hypothesis has one.
    callbacks, gc.callbacks[:] = gc.callbacks[:], []
    try:
        signal.setitimer(
            signal.ITIMER_REAL, DELAY, AGAIN
        )  # a lost interrupt fails the test, and ends it
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call()
    except KeyboardInterrupt as error:
        return error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.signal(signal.SIGINT, usual)
        gc.callbacks[:] = callbacks
        assert time.perf_counter() - begun < LIMIT
    return None


def quietly(estimator):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(X, Y)


FITS = {
    "cd": lambda n: BernoulliRBM(3, gradient=ContrastiveDivergence(n)),
    "pcd": lambda n: BernoulliRBM(3, gradient=PersistentContrastiveDivergence(n)),
    "fpcd": lambda n: BernoulliRBM(3, gradient=FastPersistentContrastiveDivergence(n)),
    "tempering": lambda n: BernoulliRBM(3, gradient=ParallelTempering(n)),
    "sweeps": lambda n: BoltzmannMachine(2, gradient=ContrastiveDivergence(n)),
    "up-down": lambda n: DBN([3, 2], fine_tuning=UpDown(n)),
    "epochs": lambda n: BernoulliRBM(3, n_iter=n),
    "epochs of a network": lambda n: MLPClassifier(3, max_iter=n, n_iter_no_change=np.inf),
    "adatron": lambda n: HopfieldNetwork(Perceptron(kappa=9.0, tol=1e-9, max_iter=n)),
    "min-over": lambda n: HopfieldNetwork(
        Perceptron(kappa=9.0, tol=1e-9, max_iter=n, algorithm="min_over")
    ),
}
CALLS = {
    "sample": (lambda: RBM(3), lambda m, n: m.sample(2, n_steps=n)),
    "tempered": (lambda: RBM(3), lambda m, n: m.sample(2, n_steps=n, sampler="tempering")),
    "given": (lambda: RBM(3), lambda m, n: m.sample(2, n_steps=n, given=np.r_[np.nan, X[0][1:]])),
    "sweeps": (lambda: BoltzmannMachine(2), lambda m, n: m.sample(2, n_steps=n)),
    "anneal": (lambda: BoltzmannMachine(2), lambda m, n: m.anneal(2, n_steps=n)),
    "minima": (lambda: BoltzmannMachine(2), lambda m, n: m.minima(n)),
    "label": (lambda: DBNClassifier([3, 2]), lambda m, n: m.sample(2, 1, n_steps=n)),
    "belief": (lambda: DBN([3, 2]), lambda m, n: m.sample(2, n_steps=n)),
    "hopfield": (
        lambda: HopfieldNetwork(temperature=1.0),
        lambda m, n: m.set_params(max_sweeps=n).predict(X),
    ),
    "dense": (
        lambda: DenseAssociativeMemory(),
        lambda m, n: m.set_params(max_sweeps=n).predict(X),
    ),
    "modern": (
        lambda: ModernHopfieldNetwork(tol=0.0),
        lambda m, n: m.set_params(max_steps=n).predict(X),
    ),
}


@pytest.mark.parametrize("name", FITS)
def test_long_fits_can_be_interrupted(name, monkeypatch):
    with monkeypatch.context() as several_calls:  # what these take is compiled as well
        several_calls.setattr(contrastive, "CALL_WORK", 1)
        quietly(FITS[name](2))
    estimator = FITS[name](HUGE)
    before = dict(vars(estimator))
    error = interrupted(lambda: estimator.fit(X, Y))
    if error is None:
        assert hasattr(estimator, "n_features_in_")
    else:
        assert vars(estimator) == before


@pytest.mark.parametrize("name", CALLS)
def test_long_calls_can_be_interrupted(name):
    make, call = CALLS[name]
    machine = quietly(make().set_params(random_state=0) if name != "modern" else make())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        call(machine, 2)  # compiled
    before = dict(vars(machine))
    interrupted(lambda: call(machine, HUGE))
    names = before.keys() - {"max_sweeps", "max_steps", "_course"}
    assert all(vars(machine)[key] is before[key] for key in names)


@pytest.mark.parametrize("estimator", [RBM(3), BoltzmannMachine(2), DBN([3, 2])], ids=repr)
def test_particles_for_which_there_is_no_memory(estimator):
    machine = quietly(clone(estimator))
    for method in (AIS(n_runs=10**12), AIS(10, 10**15, reverse=False)):
        with pytest.raises(ValueError, match=f"n_runs={method.n_runs} particles take"):
            machine.log_partition(method=method)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("kind", [ContrastiveDivergence, PersistentContrastiveDivergence])
def test_walks_in_several_calls_are_those_in_one(kind, sparse, monkeypatch):
    from scipy.sparse import csr_array

    rows = csr_array(X * (np.arange(8) == 0)) if sparse else X
    weights = np.arange(1.0, len(X) + 1)

    def fitted():
        rbm = BernoulliRBM(3, gradient=kind(5), n_iter=3, batch_size=5, random_state=0)
        return rbm.fit(rows, sample_weight=weights)

    whole = fitted()
    monkeypatch.setattr(contrastive, "CALL_WORK", 1)
    parts = fitted()
    for name in ("components_", "intercept_hidden_", "intercept_visible_", "h_samples_"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))


@pytest.mark.parametrize("algorithm", ["adatron", "min_over"])
def test_perceptrons_in_several_calls_are_those_in_one(algorithm, monkeypatch):
    def couplings():
        return quietly(HopfieldNetwork(Perceptron(tol=1e-3, algorithm=algorithm))).couplings_

    whole = couplings()
    monkeypatch.setattr(perceptron, "CALL_WORK", 1)
    np.testing.assert_array_equal(couplings(), whole)


# Counts that are the length of arrays: what they name, and a call with so many.
FULL = {
    "n_components": lambda n: BernoulliRBM(n).fit(X),
    "n_hidden": lambda n: BoltzmannMachine(n).fit(X),
    "hidden_layer_sizes": lambda n: MLPClassifier((3, n)).fit(X, Y),
    "layer1": lambda n: DBN([RBM(n)]).fit(X),
    "layers": lambda n: DBN([n]).fit(X),
    "n_components of a classifier": lambda n: DenseAssociativeClassifier(n).fit(X, Y),
    "n_chains": lambda n: BernoulliRBM(gradient=PersistentContrastiveDivergence(1, n)).fit(X),
    "n_samples": lambda n: quietly(RBM(2)).sample(n),
    "n_steps": lambda n: quietly(RBM(2)).sample(3, n_steps=n),
    "n_dreams": lambda n: quietly(HopfieldNetwork()).unlearn(n),
}


@pytest.mark.parametrize("number", [int, np.int64])
@pytest.mark.parametrize("name", FULL)
def test_counts_that_memory_does_not_hold_are_named(name, number):
    for count in (10**14, 10**18):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(ValueError, match=f"{name.split()[0]}.*=.*{count}.*"):
                FULL[name](number(count))


# Counts whose arrays could be allocated one by one, and would end the process once all of them are filled.
FILLED = {
    **{
        k: FULL[k]
        for k in ("n_components", "n_hidden", "hidden_layer_sizes", "layer1", "layers", "n_samples")
    },
    "n_components of a classifier": FULL["n_components of a classifier"],
    "n_chains": FULL["n_chains"],
    "n_samples of a stack": lambda n: quietly(DBN([3, 2])).sample(n),
    "n_samples with labels": lambda n: quietly(DBNClassifier([3, 2])).sample(n),
    "n_samples of pairs": lambda n: quietly(BoltzmannMachine(2)).sample(n),
    "n_samples of moments": lambda n: quietly(BoltzmannMachine(2)).moments(n_samples=n),
    "n_runs": lambda n: quietly(RBM(2)).log_partition(AIS(n_runs=n)),
    "n_runs of rows": lambda n: quietly(RBM(2)).log_likelihood(X, RAISE(n_runs=n)),
}


@pytest.mark.parametrize("name", FILLED)
def test_counts_that_the_machine_does_not_hold_are_refused_at_once(name, monkeypatch):
    monkeypatch.setattr(_memory, "whole_memory", lambda: 1e7)
    with pytest.raises(ValueError, match=rf"{name.split()[0]}.*=.*2000000.*"):
        FILLED[name](2_000_000)


def test_the_memory_of_the_machine_is_known():
    assert 1e8 < _memory.whole_memory() < 1e15
    assert _memory.is_too_much(int(_memory.whole_memory()) + 1)
    assert not _memory.is_too_much(1000)


def test_groups_of_parameters_have_to_come_out_even():
    rbm = BernoulliRBM(3, optimizer=NormalizedMomentum(group_size=2), random_state=0)
    with pytest.raises(ValueError, match="group_size must divide the number of parameters, 35"):
        rbm.fit(X)
    rbm.set_params(optimizer__group_size=7).fit(X)
