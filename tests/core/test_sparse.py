"""Rows in CSR form: when they stay it, and that what is computed of them is what the dense rows give."""

import numpy as np
import pytest
import scipy.sparse as sp

from ebm._batches import Rows, row_fingerprints
from ebm._random import stream
from ebm._sparse import (
    LARGEST_SPARSE_BLOCK,
    canonical,
    is_thin,
    row_blocks,
    sparse_rows,
)
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.columns import ColumnModel
from ebm.energies.labels import LabelTable
from ebm.gradients import ContrastiveDivergence, PersistentContrastiveDivergence
from ebm.gradients.base import Batch
from ebm.likelihood import pseudo_log_likelihood
from ebm.units import Bernoulli, Categorical, Gaussian, OneHot, Spin

UNITS = [Bernoulli(), Spin(), Gaussian(), OneHot((3, 2))]


def thin_rows(n_rows=30, n_columns=90, dtype=np.float64, seed=0):
    X = sp.random(n_rows, n_columns, 0.05, "csr", dtype=dtype, random_state=seed)
    return X.astype(dtype)


def parameters(model, n_visible=90, n_hidden=6, seed=0):
    """Random numbers for everything that is learned."""
    rng = np.random.default_rng(seed)
    layers = []
    for unit, n in ((model.visible, n_visible), (model.hidden, n_hidden)):
        own = unit.neutral(n, np.dtype(np.float64))
        for name, values in zip(unit.fields, own, strict=True):
            if unit.is_free(name):
                values[:] = rng.normal(0, 0.5, n)
        layers.append(own)
    return BipartiteParameters(rng.normal(0, 0.4, (n_visible, n_hidden)), *layers)


def test_rows_stay_sparse_where_that_is_faster():
    assert is_thin(thin_rows())
    assert not is_thin(thin_rows().toarray())
    assert not is_thin(sp.csr_array(np.eye(5)))  # a fifth of the entries


def test_blocks_are_all_rows_once():
    X = thin_rows(2 * LARGEST_SPARSE_BLOCK + 3, 40)
    parts = [*row_blocks(X)]
    assert max(part.shape[0] for part in parts) <= LARGEST_SPARSE_BLOCK
    np.testing.assert_array_equal(sp.vstack(parts).toarray(), X.toarray())


def test_rows_that_are_in_order_are_not_copied_and_others_not_changed():
    X = thin_rows()
    assert canonical(X) is X
    twice = sp.csr_array(
        (np.array([1.0, 2.0, 4.0]), np.array([3, 1, 3]), np.array([0, 3])), shape=(1, 80)
    )
    data, indices = twice.data.copy(), twice.indices.copy()
    put = canonical(twice)
    np.testing.assert_array_equal(put.toarray(), twice.toarray())
    assert put.nnz == 2
    np.testing.assert_array_equal((twice.data, twice.indices), (data, indices))


def test_a_batch_of_rows_can_be_cut():
    X, targets = thin_rows(), np.arange(30.0)[:, np.newaxis]
    part = sparse_rows(X, np.float64, targets)[7:20][2:9]
    assert len(part) == 7
    np.testing.assert_array_equal(part.matrix.toarray(), X[9:16].toarray())
    np.testing.assert_array_equal(part.targets, targets[9:16])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_are_told_apart_by_what_they_hold(dtype):
    X = thin_rows(dtype=dtype)
    X.data[::5] = 0.0  # stored zeros are zeros
    X.data[1::5] = -0.0
    np.testing.assert_array_equal(row_fingerprints(X), row_fingerprints(X.toarray()))


def test_moments_of_the_rows():
    X, weights = thin_rows(), np.linspace(0.5, 2, 30)
    X.data += 100
    for w in (None, weights):
        rows, dense = Rows(X, w), Rows(X.toarray(), w)
        mean = dense.mean()
        np.testing.assert_allclose(rows.mean(), mean, rtol=1e-13)
        np.testing.assert_allclose(rows.variance(mean), dense.variance(mean), rtol=1e-12)


def test_the_same_epoch_whatever_the_form():
    X, targets = thin_rows(), np.arange(30.0)[:, np.newaxis]
    key = stream(0, "shuffle")
    rows, dense = Rows(X, None, targets), Rows(X.toarray(), None, targets)
    order, _ = rows.epoch(key)
    np.testing.assert_array_equal(order, dense.epoch(key)[0])
    batch = rows.take_sparse(order, 3, 9, np.float32)
    out = np.empty((9, 91))
    dense.take(order, 3, out)
    np.testing.assert_allclose(np.hstack([batch.matrix.toarray(), batch.targets]), out, rtol=1e-7)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: type(unit).__name__)
def test_inputs_and_free_energies(unit):
    model, X = Bipartite(unit, Bernoulli()), thin_rows()
    params, dense = parameters(model), X.toarray()
    before = X.data.copy()
    for function in (model.hidden_mean, model.free_energy):
        np.testing.assert_allclose(function(params, X), function(params, dense), rtol=1e-10)
    np.testing.assert_array_equal(X.data, before)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: type(unit).__name__)
def test_pseudo_likelihoods(unit):
    model, X = Bipartite(unit, Bernoulli()), thin_rows(12, 60)
    params = parameters(model, 60, 4)
    of_sparse, of_dense = (pseudo_log_likelihood(model, params, x) for x in (X, X.toarray()))
    np.testing.assert_allclose(of_sparse, of_dense, rtol=1e-10)


def test_labels_beside_sparse_rows():
    X, model = (
        thin_rows(20, 86),
        ColumnModel([(Bernoulli(), 86), (Categorical((4,)), 4)], Spin(), 3),
    )
    params = model.unpack(np.random.default_rng(1).normal(size=90 * 3 + 90 + 3))
    tables = [LabelTable(model, params, x) for x in (X, X.toarray())]
    np.testing.assert_allclose(*(table.log_weights for table in tables), rtol=1e-10)
    np.testing.assert_allclose(*(table.hidden_mean() for table in tables), rtol=1e-10)


@pytest.mark.parametrize(
    "choice",
    [
        PersistentContrastiveDivergence(n_steps=2, n_chains=7),
        PersistentContrastiveDivergence(centered=False),
        ContrastiveDivergence(n_steps=2),
    ],
    ids=["persistent", "plain", "from the data"],
)
@pytest.mark.parametrize("hidden", [Bernoulli(), Gaussian()], ids=lambda unit: type(unit).__name__)
@pytest.mark.parametrize("weighted", [False, True])
def test_contrastive_gradients(choice, hidden, weighted):
    model, X = Bipartite(Bernoulli(), hidden), thin_rows(10)
    X.data[:] = 1.0
    params, key = parameters(model), stream(3, "negative")
    weights = np.linspace(1, 2, 10) / np.linspace(1, 2, 10).sum() if weighted else None
    found = []
    for rows in (X.toarray(), sparse_rows(X, np.float64)):
        gradient = model.unpack(np.full(model.pack(params).size, np.nan), 90, 6)
        for own in (*gradient.visible, *gradient.hidden):
            own[:] = 0
        chains = choice.start(model, params, np.full(90, 0.1), 12, key)
        bound = choice.bind(model, gradient, 12, len(chains.h))
        assert bound.takes_sparse
        _, chains, info = bound(params, Batch(rows, weights), chains, key)
        assert info.finite
        found.append(
            np.concatenate(
                [
                    model.pack(gradient),
                    chains.visible_offset,
                    chains.hidden_offset,
                    chains.h.ravel(),
                ]
            )
        )
    np.testing.assert_allclose(*found, rtol=1e-9, atol=1e-13)


def test_scaled_units_are_learned_of_dense_rows():
    model = Bipartite(Gaussian(), Bernoulli())
    params = parameters(model)
    assert not PersistentContrastiveDivergence().bind(model, params, 5, 5).takes_sparse
