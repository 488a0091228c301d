"""One seed, one result: whatever the threads, the other models, and the global streams."""

from __future__ import annotations

import importlib
import pkgutil
import random
import warnings

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher
from scipy import sparse
from sklearn.base import clone

import ebm._kernels
from ebm import RBM, BernoulliRBM, GaussianRBM
from ebm.likelihood import Evaluation, log_partition
from tests.models import library_model, library_params, oracle_model

ESTIMATORS = [
    BernoulliRBM(4, n_iter=3, learning_rate=0.05, random_state=0),
    GaussianRBM(4, n_iter=3, random_state=0),
    RBM(4, visible="bernoulli", hidden="gaussian", n_iter=3, learning_rate=0.01, random_state=0),
    RBM(4, visible="gaussian", hidden="gaussian", n_iter=3, learning_rate=0.001, random_state=0),
]
IDS = ["BernoulliRBM", "GaussianRBM", "RBM-bernoulli-gaussian", "RBM-gaussian-gaussian"]
each = pytest.mark.parametrize("estimator", ESTIMATORS, ids=IDS)


def binary(estimator):
    return (
        not isinstance(estimator, GaussianRBM)
        and estimator.get_params().get("visible", "bernoulli") == "bernoulli"
    )


def data_for(estimator, dtype=np.float64, seed=0, n_rows=60):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 5))
    return (X > 0).astype(dtype) if binary(estimator) else X.astype(dtype)


def fitted_arrays(estimator):
    return {
        name: value
        for name, value in vars(estimator).items()
        if name.endswith("_") and isinstance(value, np.ndarray)
    }


def assert_same_fit(a, b):
    left, right = fitted_arrays(a), fitted_arrays(b)
    assert left.keys() == right.keys() and left
    for name in left:
        np.testing.assert_array_equal(left[name], right[name], err_msg=name)


def outputs(estimator, X):
    return [
        estimator.transform(X),
        estimator.reconstruct(X),
        estimator.free_energy(X),
        estimator.score_samples(X),
        estimator.sample(5, n_steps=3),
        estimator.sample(5, n_steps=3, random_state=1),
        estimator.gibbs(X),
    ]


# One seed, one result --------------------------------------------------------------------------


@each
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fitting_twice_gives_the_same_model(estimator, dtype):
    X = data_for(estimator, dtype)
    first, second = clone(estimator).fit(X), clone(estimator).fit(X)
    assert_same_fit(first, second)
    for a, b in zip(outputs(first, X), outputs(second, X), strict=True):
        np.testing.assert_array_equal(a, b)
    assert_same_fit(first, first.fit(X))


@each
def test_another_seed_gives_another_model(estimator):
    X = data_for(estimator)
    first = clone(estimator).fit(X)
    second = clone(estimator).set_params(random_state=1).fit(X)
    assert (first.components_ != second.components_).any()


@each
def test_a_model_does_not_depend_on_what_was_fitted_before(estimator):
    X = data_for(estimator)
    alone = clone(estimator).fit(X)
    expected = outputs(alone, X)
    for other in ESTIMATORS:
        clone(other).set_params(random_state=None).fit(data_for(other, seed=3)).sample(2, n_steps=2)
    after = clone(estimator).fit(X)
    assert_same_fit(alone, after)
    for a, b in zip(outputs(after, X), expected, strict=True):
        np.testing.assert_array_equal(a, b)


@each
def test_global_streams_are_left_alone_and_not_looked_at(estimator):
    X = data_for(estimator)
    np.random.seed(1)  # noqa: NPY002
    random.seed(1)
    states = np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    first = clone(estimator).fit(X)
    found = outputs(first, X)
    first.partial_fit(X)
    np.testing.assert_array_equal(np.random.get_state()[1], states[0])  # noqa: NPY002
    assert random.getstate() == states[1]
    np.random.seed(2)  # noqa: NPY002
    second = clone(estimator).fit(X)
    for a, b in zip(found, outputs(second, X), strict=True):
        np.testing.assert_array_equal(a, b)


@each
def test_a_random_state_object_is_drawn_from_and_an_integer_is_not_needed(estimator):
    X = data_for(estimator)
    models = [
        clone(estimator).set_params(random_state=np.random.RandomState(5)).fit(X) for _ in range(2)
    ]
    assert_same_fit(*models)


# The data ------------------------------------------------------------------------------------


@each
def test_the_form_of_the_data_does_not_matter(estimator, tmp_path):
    X = data_for(estimator)
    X.tofile(tmp_path / "X")
    mapped = np.memmap(tmp_path / "X", np.float64, "r", shape=X.shape)
    read_only = X.copy()
    read_only.flags.writeable = False
    expected = clone(estimator).fit(X)
    for form in (np.asfortranarray(X), mapped, read_only, sparse.csr_array(X), X[::-1]):
        np.testing.assert_allclose(
            clone(estimator).fit(form).components_, expected.components_, rtol=0, atol=1e-10
        )
    np.testing.assert_array_equal(read_only, X)


@each
def test_transforming_in_chunks_gives_the_same_rows(estimator):
    X = data_for(estimator)
    model = clone(estimator).fit(X)
    for method in (model.transform, model.free_energy, model.score_samples):
        parts = np.concatenate([method(X[:7]), method(X[7:])])
        np.testing.assert_allclose(method(X), parts, rtol=1e-12)


@each
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_a_model_goes_on_in_the_precision_in_which_it_began(estimator, form):
    X = data_for(estimator)
    model = clone(estimator).set_params(warm_start=True).fit(form(X.astype(np.float32)))
    assert model.fit(form(X)).components_.dtype == np.float32
    assert model.partial_fit(form(X)).components_.dtype == np.float32
    assert model.transform(form(X)).dtype == np.float32


@each
def test_a_model_that_diverged_can_be_used(estimator):
    X = data_for(estimator, np.float32)
    model = clone(estimator).set_params(learning_rate=1e30)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X)
    for name, values in fitted_arrays(model).items():
        assert np.isfinite(values).all(), name


# Threads -------------------------------------------------------------------------------------


@pytest.mark.needs_jit
def test_threads_do_not_change_the_partition_function():
    for pair in (("bernoulli", "bernoulli"), ("gaussian", "bernoulli")):
        model = oracle_model(*pair, (18, 16), scale=0.5)
        library, params = library_model(model), library_params(model)
        one, two = (
            log_partition(library, params, evaluation=Evaluation(n_jobs=n)).value for n in (1, 2)
        )
        assert one == two


# Compilation ---------------------------------------------------------------------------------


def signatures():
    """How often each kernel has been compiled in this process."""
    counts = {}
    for module in pkgutil.iter_modules(ebm._kernels.__path__, "ebm._kernels."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, Dispatcher):
                counts[f"{module.name}.{name}"] = len(value.signatures)
    return counts


@pytest.mark.needs_jit
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@each
def test_new_data_of_one_precision_compile_nothing(estimator, dtype):
    def use(seed, n_rows, form):
        X = data_for(estimator, dtype, seed, n_rows)
        model = clone(estimator).fit(form(X))
        model.partial_fit(X)
        outputs(model, X)

    use(0, 60, np.asarray)
    before = signatures()
    assert sum(before.values()) > 0
    use(1, 33, np.asfortranarray)
    use(2, 7, sparse.csr_array)
    assert signatures() == before
