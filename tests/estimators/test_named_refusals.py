"""Given parameters, counts of threads, methods, sizes, spoilt settings: refused by name."""

import copy
import inspect
import re

import numpy as np
import pytest
import scipy.sparse as sp

from ebm import AIS, BernoulliRBM, Tempering, lattice
from tests.fuzz.calls import (
    defaults,
    estimators,
    evaluate,
    fitted,
    invocation,
    makers,
    methods,
    new,
)

ALL = {cls.__name__: cls for cls in estimators()}
MAKERS = [(name, maker) for name, cls in ALL.items() for maker in makers(cls)]
NO_ARRAYS = ["x", object(), 1j, {"a": 1}, np.array("x"), [[1, 2], [3]], np.full((3, 4), "x"), print]


@pytest.fixture(scope="module")
def machines():
    return {name: evaluate(fitted(cls, new(cls))) for name, cls in ALL.items()}


@pytest.mark.parametrize(("name", "maker"), MAKERS)
def test_given_parameters_that_are_no_arrays_are_refused_by_name(name, maker):
    for argument, default in defaults(getattr(ALL[name], maker)).items():
        if default not in (inspect.Parameter.empty, None):
            continue
        call = invocation(ALL[name], maker, argument, first=name)
        known = {
            "couplings": "(couplings|J)",
            "patterns": "(patterns|X)",
            "weights": "(sample_)?weights?",
        }
        for value in NO_ARRAYS:
            if argument in ("classes", "unit") or (
                argument == "intercepts" and isinstance(value, list)
            ):
                continue
            with pytest.raises(
                (ValueError, TypeError), match=rf"\b{known.get(argument, argument)}\b"
            ):
                evaluate(call, value=value)


def callers_of(argument):
    return [
        (name, method)
        for name, cls in ALL.items()
        for method in methods(cls)
        if argument in defaults(getattr(cls, method))
    ]


@pytest.mark.parametrize(("name", "method"), callers_of("n_jobs"))
def test_counts_of_threads_are_refused_by_name(machines, name, method):
    call = invocation(ALL[name], method, "n_jobs")
    for value in (
        0,
        False,
        True,
        0.5,
        np.nan,
        np.inf,
        "x",
        "2",
        [1],
        np.array([1, 2]),
        10**9,
        1j,
        ...,
    ):
        with pytest.raises(ValueError, match="n_jobs must be None or an integer"):
            evaluate(call, est=copy.deepcopy(machines[name]), value=value)
    for value in (None, 1, -1, np.int8(2)):
        evaluate(call, est=copy.deepcopy(machines[name]), value=value)


@pytest.mark.parametrize(("name", "method"), callers_of("method"))
def test_methods_are_refused_with_the_names_that_there_are(machines, name, method):
    call = invocation(ALL[name], method, "method")
    for value in (
        "x",
        None,
        1,
        np.array([1, 2]),
        np.ones((2, 2)),
        sp.eye_array(2),
        ["ais"],
        {},
        AIS,
    ):
        with pytest.raises(ValueError, match=r"'method' parameter must be one of .*'exact'"):
            evaluate(call, est=copy.deepcopy(machines[name]), value=value)


# The bound of a network of few units is a sum, which draws nothing.
# Small stacks are summed exactly, without draws.
DRAWING = [
    pair
    for pair in callers_of("n_samples")
    if pair[1] != "lower_bound" and pair != ("DBNClassifier", "log_likelihood")
]


@pytest.mark.parametrize(("name", "method"), DRAWING)
def test_a_count_for_which_there_is_no_memory_is_named(machines, name, method):
    function = getattr(machines[name], method)
    with pytest.raises(
        ValueError, match=r"n_samples=1000000000000000 takes more memory than there is"
    ):
        copy.deepcopy(function)(
            **{n: evaluate("X") for n in ("X",) if n in defaults(getattr(ALL[name], method))},
            n_samples=10**15,
        )


def test_a_count_within_a_record_is_named():
    rbm = BernoulliRBM(2, n_iter=0, random_state=0).fit([[0.0, 1], [1, 0]])
    with pytest.raises(
        ValueError, match="sampler__n_temperatures=1000000000000000 takes more memory"
    ):
        rbm.sample(3, n_steps=2, sampler=Tempering(10**15))
    with pytest.raises(ValueError, match="n_temperatures must be at most 100000000"):
        AIS(n_temperatures=10**15)


@pytest.mark.parametrize("name", ALL)
def test_a_setting_that_somebody_has_spoilt_is_named_by_methods_that_draw(machines, name):
    drawing = [m for m in ("sample", "recall", "log_partition") if m in methods(ALL[name])]
    for setting, constraint in ALL[name]._parameter_constraints.items():
        if constraint == "no_validation":
            continue  # whoever uses it checks it
        machine = copy.deepcopy(machines[name])
        setattr(machine, setting, object())
        for method in drawing:
            with pytest.raises((ValueError, TypeError), match=re.escape(setting)):
                evaluate(invocation(ALL[name], method), est=machine)


def test_lengths_of_a_lattice():
    for value in (0.5, "x", None, object(), {}, print):
        with pytest.raises(ValueError, match="shape"):
            lattice(value)


@pytest.mark.parametrize("name", [name for name, cls in ALL.items() if "energy" in methods(cls)])
def test_unknown_hidden_states_have_no_energy(machines, name):
    call = invocation(ALL[name], "energy", "H")
    if "H" not in defaults(ALL[name].energy):
        pytest.skip("no hidden units")
    deep = sum(map(len, getattr(machines[name], "intercepts_", [])))
    n_hidden = deep - machines[name].n_features_in_ if deep else 3
    with pytest.raises(ValueError, match="H holds NaN"):
        evaluate(call, est=machines[name], value=np.full((12, n_hidden), np.nan))
