"""The machines that most tests of this folder run on: every pair of unit types, small."""

from __future__ import annotations

import numpy as np

from ebm import RBM, BernoulliRBM, GaussianRBM
from tests.oracles.rbm import OracleRBM

N_ROWS, N_FEATURES, N_COMPONENTS = 60, 5, 3
NAMES = ["bernoulli", "gaussian", "bernoulli-gaussian", "gaussian-gaussian"]


def machine(name, **settings):
    """An unfitted estimator by its name in NAMES."""
    settings = {"n_components": N_COMPONENTS, "n_iter": 3, "random_state": 0, **settings}
    if name == "bernoulli":
        return BernoulliRBM(**settings)
    if name == "gaussian":
        return GaussianRBM(**settings)
    visible, hidden = name.split("-")
    return RBM(visible=visible, hidden=hidden, **{"learning_rate": 0.01, **settings})


def rows(name, n_rows=N_ROWS, n_features=N_FEATURES, dtype=np.float64, seed=0):
    """Data that the visible units of that machine can have, and a little structure in it."""
    rng = np.random.default_rng(seed)
    if name.startswith("gaussian"):
        return (rng.normal(size=(n_rows, n_features)) + rng.integers(2, size=(n_rows, 1))).astype(
            dtype
        )
    return (rng.random((n_rows, n_features)) < rng.choice([0.2, 0.8], (n_rows, 1))).astype(dtype)


def set_parameters(rbm, model):
    """Give a fitted estimator the parameters of an oracle, as a user would: by its attributes."""
    rbm.components_ = model.W.T.copy()
    rbm.intercept_visible_ = model.b.copy()
    rbm.intercept_hidden_ = model.c.copy()
    if model.z is not None:
        rbm.log_variance_visible_ = model.z.copy()
    if model.zh is not None:
        rbm.log_variance_hidden_ = model.zh.copy()
    return rbm


def oracle(rbm):
    """The oracle with the parameters of a fitted estimator."""
    z, zh = (getattr(rbm, f"log_variance_{layer}_", None) for layer in ("visible", "hidden"))
    return OracleRBM(
        W=rbm.components_.T.astype(float),
        b=rbm.intercept_visible_.astype(float),
        c=rbm.intercept_hidden_.astype(float),
        z=None if z is None else z.astype(float),
        zh=None if zh is None else zh.astype(float),
    )


def with_parameters(model, dtype=np.float64):
    """A fitted Bernoulli or Gaussian RBM that has the parameters of an oracle."""
    n_visible, n_hidden = model.W.shape
    name = "bernoulli" if model.z is None else "gaussian"
    X = rows(name, 4, n_visible, dtype)
    rbm = machine(name, n_components=n_hidden, n_iter=0).fit(X)
    return set_parameters(rbm, model)


def same_state(one, other):
    """Whether two fitted estimators hold the same parameters and chains, bit for bit."""
    names = ("components_", "intercept_visible_", "intercept_hidden_", "h_samples_")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)
