"""Sparse rows: in every form what the dense rows give, without a dense copy, whatever the estimator and method."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse._compressed import _cs_matrix
from sklearn.base import clone

from ebm import (
    DBN,
    BernoulliRBM,
    DBNClassifier,
    FastPersistentContrastiveDivergence,
    GaussianRBM,
    MLPClassifier,
    MLPRegressor,
)

N_ROWS, N_FEATURES = 60, 200
FEW = {"n_iter": 2, "random_state": 0}
EPOCHS = {"max_iter": 3, "n_iter_no_change": np.inf, "random_state": 0}


def words(dtype=np.float64):
    """Which of 200 words 60 documents hold; the last holds none."""
    X = sp.random(N_ROWS, N_FEATURES, 0.04, "csr", random_state=0)
    X.data[:] = 1.0
    X = X.tolil()
    X[-1] = 0
    return X.tocsr().astype(dtype)


X, Y = words(), np.arange(N_ROWS) % 3

MACHINES = {
    "pcd": BernoulliRBM(8, batch_size=7, **FEW),
    "cd": BernoulliRBM(8, gradient="cd", batch_size=60, **FEW),
    "fpcd": BernoulliRBM(8, gradient=FastPersistentContrastiveDivergence(), **FEW),
    "regularised": BernoulliRBM(8, weight_decay=0.01, optimizer="adam", **FEW),
}
NETWORKS = {
    "adam": MLPClassifier((9,), **EPOCHS),
    "sgd": MLPClassifier((9,), solver="sgd", batch_size=11, **EPOCHS),
    "lbfgs": MLPClassifier(
        (9,), solver="lbfgs", max_iter=20, max_fun=1000, tol=0.9, random_state=0
    ),
    "regressor": MLPRegressor(hidden_layer_sizes=(9,), **EPOCHS),
    "pretrained": MLPClassifier(pretraining=BernoulliRBM(8, **FEW), **EPOCHS),
}
STACKS = {
    "stack": DBN([BernoulliRBM(8, **FEW), BernoulliRBM(5, **FEW)], random_state=0),
    "classifier": DBNClassifier([BernoulliRBM(8, **FEW), BernoulliRBM(5, **FEW)], random_state=0),
    "labels beside the words": DBNClassifier([BernoulliRBM(8, **FEW)], random_state=0),
}
EVERY = {**MACHINES, **NETWORKS, **STACKS}
METHODS = ["transform", "free_energy", "reconstruct", "predict", "predict_proba", "score_samples"]


def refuse_dense_copies(monkeypatch):
    """Rows of all the words refuse to become dense."""
    known = _cs_matrix.toarray

    def guarded(self, *args, **kwargs):
        assert self.shape[1] != N_FEATURES, f"a dense copy of {self.shape}"
        return known(self, *args, **kwargs)

    monkeypatch.setattr(_cs_matrix, "toarray", guarded)


def learned(model):
    names = [name for name in ("components_", "coefs_", "rbms_") if hasattr(model, name)]
    if "rbms_" in names:
        return [rbm.components_ for rbm in model.rbms_]
    return [model.components_] if "components_" in names else model.coefs_


@pytest.mark.parametrize("name", EVERY)
def test_what_the_dense_rows_give(name):
    dense, sparse = (clone(EVERY[name]).fit(x, Y) for x in (X.toarray(), X))
    for one, other in zip(learned(dense), learned(sparse), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)
    for method in METHODS:
        if hasattr(sparse, method):
            one, other = (getattr(sparse, method)(x) for x in (X.toarray(), X))
            np.testing.assert_allclose(one, other, rtol=1e-9, err_msg=method)


@pytest.mark.parametrize("name", [*MACHINES, *NETWORKS])
def test_learning_makes_no_dense_copy(name, monkeypatch):
    refuse_dense_copies(monkeypatch)
    model = clone(EVERY[name]).fit(X, Y)
    if hasattr(model, "partial_fit") and name != "lbfgs":
        model.partial_fit(X, Y)


@pytest.mark.parametrize("name", EVERY)
def test_nor_does_what_is_asked_of_the_rows(name, monkeypatch):
    model = clone(EVERY[name]).fit(X, Y)
    refuse_dense_copies(monkeypatch)
    for method in METHODS[:-1]:
        if hasattr(model, method):
            getattr(model, method)(X)
    if name in MACHINES:
        H = model.transform(X)
        model.energy(X, H)
        model.log_likelihood(X)


def forms():
    """The same rows as people bring them."""
    unsorted = X.copy()
    for a, b in zip(X.indptr[:-1], X.indptr[1:], strict=True):
        unsorted.indices[a:b] = X.indices[a:b][::-1]
    unsorted.has_sorted_indices = False
    halves = sp.csr_array(
        (
            np.repeat(X.data / 2, 2),
            np.repeat(X.indices, 2),
            2 * X.indptr,
        ),
        shape=X.shape,
    )
    zeros = sp.csr_array(
        (
            np.append(X.data, [0.0, -0.0]),
            np.append(X.indices, [3, 7]),
            np.append(X.indptr[:-1], X.indptr[-1] + 2),
        ),
        shape=X.shape,
    )
    wide = sp.csr_array(
        (X.data, X.indices.astype(np.int64), X.indptr.astype(np.int64)), shape=X.shape
    )
    return {
        "matrix": sp.csr_matrix(X),
        "CSC": X.tocsc(),
        "triples": X.tocoo(),
        "LIL": X.tolil(),
        "unsorted": unsorted,
        "entries in two halves": halves,
        "stored zeros": zeros,
        "64-bit indices": wide,
        "integers": X.astype(int),
        "booleans": X.astype(bool),
    }


@pytest.mark.parametrize("form", forms())
def test_every_form_of_sparse_rows(form):
    given = forms()[form]
    before = given.copy()
    models = clone(MACHINES["pcd"]), clone(NETWORKS["adam"])
    for model in models:
        of_form, of_csr = clone(model).fit(given, Y), model.fit(X, Y)
        for one, other in zip(learned(of_form), learned(of_csr), strict=True):
            np.testing.assert_array_equal(one, other)
    machine, network = models
    np.testing.assert_array_equal(machine.transform(given), machine.transform(X))
    np.testing.assert_array_equal(machine.score_samples(given), machine.score_samples(X))
    np.testing.assert_array_equal(network.predict_proba(given), network.predict_proba(X))
    assert (given != before).nnz == 0
    assert given.nnz == before.nnz


@pytest.mark.parametrize("name", ["pcd", "adam", "stack"])
def test_single_precision_stays_single(name):
    single = words(np.float32)
    model = clone(EVERY[name]).fit(single, Y)
    assert {x.dtype for x in learned(model)} == {np.dtype(np.float32)}
    method = "predict_proba" if name == "adam" else "transform"
    found = getattr(model, method)(single)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, getattr(model, method)(single.toarray()), rtol=1e-4)


def test_real_sparse_rows():
    rows = X[:, X.getnnz(axis=0) > 0]  # the others are constant
    rows.data[:] = np.random.default_rng(0).normal(size=rows.nnz)
    dense, sparse = (GaussianRBM(5, **FEW).fit(x) for x in (rows.toarray(), rows))
    np.testing.assert_allclose(dense.components_, sparse.components_, rtol=1e-6, atol=1e-9)
    for method in ("transform", "free_energy", "score_samples"):
        one, other = (getattr(sparse, method)(x) for x in (rows.toarray(), rows))
        np.testing.assert_allclose(one, other, rtol=1e-9)


def test_weights_and_a_second_fit():
    weights = np.linspace(0.2, 3, N_ROWS)
    dense, sparse = (
        clone(MACHINES["pcd"]).set_params(warm_start=True).fit(x, sample_weight=weights).fit(x)
        for x in (X.toarray(), X)
    )
    np.testing.assert_allclose(dense.components_, sparse.components_, rtol=1e-6, atol=1e-9)
