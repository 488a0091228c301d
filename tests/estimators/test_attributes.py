"""Fitted attributes that are missing, or set by hand to what does not fit, are named with the cure."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from ebm import DBN, BernoulliRBM, GaussianRBM, MLPClassifier
from tests.estimators.calls import EVERY, NAMES, X, call, fresh, quietly, readers, refusal

# Parameters of the laws and the memories, by their names.
PARAMETERS = {
    *("components_", "intercept_visible_", "intercept_hidden_", "log_variance_visible_"),
    *("couplings_", "intercept_", "patterns_", "weights_"),
}
# Methods that compare patterns, without the couplings, or make another estimator.
UNCONCERNED = {"overlaps", "forget", "from_parameters"}
WRONG = {
    "too short": lambda x: x[..., :-1],
    "too long": lambda x: np.concatenate([x, x], axis=-1),
    "of more dimensions": lambda x: x[np.newaxis, np.newaxis],
    "a number": lambda x: 1.0,
    "complex": lambda x: x * 1j,
    "words": lambda x: "none",
    "nothing": lambda x: None,
    "not finite": lambda x: np.full(x.shape, np.nan),
}


def parameters(estimator):
    unread = {"patterns_"} if "couplings_" in vars(estimator) else set()
    return [name for name in vars(estimator) if name in PARAMETERS - unread]


@pytest.mark.parametrize("name", NAMES)
def test_before_fit_every_attribute_says_that_fit_is_missing(name):
    new, old = EVERY[name](), fresh(name)
    for attribute in [x for x in vars(old) if x.endswith("_") and not x.startswith("_")]:
        assert not hasattr(new, attribute)
        with pytest.raises(NotFittedError, match=rf"has no {attribute}. .* call it first"):
            getattr(new, attribute)


def test_histories_before_fit_are_not_fitted():
    with pytest.raises(NotFittedError, match="DBN"):
        DBN([3]).histories_  # noqa: B018


def test_what_is_no_fitted_attribute_is_missing_as_ever():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        BernoulliRBM().nothing  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute 'partial_fit'"):
        MLPClassifier(solver="lbfgs").partial_fit  # noqa: B018


@pytest.mark.parametrize("name", NAMES)
def test_deleted_parameters_are_named(name):
    for attribute in set(parameters(fresh(name))):
        for method in set(readers(fresh(name))) - UNCONCERNED:
            estimator = fresh(name)
            delattr(estimator, attribute)
            with pytest.raises(NotFittedError):
                quietly(call, estimator, method, X)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_that_do_not_fit_are_named(name):
    for attribute in parameters(fresh(name)):
        for kind, spoil in WRONG.items():
            for method in set(readers(fresh(name))) - UNCONCERNED:
                estimator = fresh(name)
                value = spoil(np.asarray(getattr(estimator, attribute)))
                said = refusal(set_and_call, estimator, attribute, value, method)
                names = {*PARAMETERS, "n_hidden"}  # two that do not fit each other: either of them
                assert any(x in said for x in names), (attribute, kind, method, said)


def set_and_call(estimator, attribute, value, method):
    """Some values are refused as soon as they are set."""
    setattr(estimator, attribute, value)
    return call(estimator, method, X)


@pytest.mark.parametrize("attribute", ["coefs_", "intercepts_", "layer_params_"])
def test_lists_of_networks_that_do_not_fit_are_named(attribute):
    for name in ("MLPClassifier", "MLPRegressor"):
        for wrong in (None, [], "words", [None, None, None], [np.zeros(7)]):
            assert attribute in refusal(set_and_call, fresh(name), attribute, wrong, "predict")


@pytest.mark.parametrize("wrong", [None, [], "words", [None], [GaussianRBM(), "words"]])
def test_machines_of_stacks_that_are_none_are_named(wrong):
    for name in ("DBN", "DBNClassifier"):
        for method in readers(fresh(name)):
            said = refusal(set_and_call, fresh(name), "rbms_", wrong, method)
            assert "rbms_" in said or "components_" in said, (method, said)


@pytest.mark.parametrize("kind", [BernoulliRBM, GaussianRBM])
@pytest.mark.parametrize("attribute", ["h_samples_", "offset_visible_", "offset_hidden_"])
def test_chains_that_do_not_fit_are_refused_or_started_anew(kind, attribute):
    for spoil in (*WRONG.values(), lambda x: np.full(x.shape, np.inf)):
        machine = kind(3, n_iter=1, random_state=0).fit(X)
        held = getattr(machine, attribute)
        with contextlib.suppress(ValueError, TypeError):  # what is no array of numbers
            setattr(machine, attribute, spoil(held))
        quietly(machine.partial_fit, X)
        assert getattr(machine, attribute).shape == held.shape
        assert np.isfinite(machine.components_).all()
