"""Couplings of fitted machines: in any container, looked at once, never stale."""

from __future__ import annotations

import pickle
import sys
import types

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone

from ebm import AIS, BoltzmannMachine, HopfieldNetwork, lattice
from ebm.sklearn_compat.boltzmann import _pairwise
from ebm.storage import base as storage

L = 9
N = L * L


def couplings(dtype=np.float64):
    """A glass: 4 of 81 units around each."""
    signs = np.triu(np.random.default_rng(0).choice([-1.0, 1.0], (N, N)))
    J = np.triu(lattice((L, L))) * signs
    return (J + J.T).astype(dtype)


class Graph:
    """What is used of networkx."""

    def __init__(self, J):
        self.J = J

    def __len__(self):
        return len(self.J)

    @staticmethod
    def to_scipy_sparse_array(graph, weight="weight"):
        return sp.csr_array(graph.J if weight else (graph.J != 0).astype(int))


@pytest.fixture
def networkx(monkeypatch):
    module = types.SimpleNamespace(Graph=Graph, to_scipy_sparse_array=Graph.to_scipy_sparse_array)
    monkeypatch.setitem(sys.modules, "networkx", module)


CONTAINERS = {
    "list": lambda J: J.tolist(),
    "fortran": np.asfortranarray,
    "int": lambda J: J.astype(int),
    "frame": pd.DataFrame,
    "named frame": lambda J: pd.DataFrame(J, *[[f"u{i}" for i in range(len(J))]] * 2),
    "csr": sp.csr_array,
    "csc": sp.csc_array,
    "lil": sp.lil_array,
    "dok": sp.dok_array,
    "csr matrix": sp.csr_matrix,
    "graph": Graph,
}
IN_DENSE = ["list", "fortran", "int", "frame", "named frame"]
every_container = pytest.mark.parametrize("name", CONTAINERS)


def machine(J, **settings):
    return BoltzmannMachine.from_couplings(J, **settings).set_params(random_state=0)


# Containers ----------------------------------------------------------------------------------


@every_container
def test_couplings_come_in_any_container(name, networkx):
    J = couplings()
    found = machine(CONTAINERS[name](J))
    assert sp.issparse(found.couplings_) == (name not in IN_DENSE)
    np.testing.assert_array_equal(_dense(found), J)
    np.testing.assert_array_equal(found.sample(3, n_steps=5), machine(J).sample(3, n_steps=5))


@every_container
def test_masks_come_in_any_container(name, networkx):
    J, X = lattice(4), np.random.default_rng(0).choice([0.0, 1.0], (50, 4))
    mask = CONTAINERS[name](J)
    expected = BoltzmannMachine(mask=J > 0, random_state=0, n_iter=1).fit(X)
    found = clone(BoltzmannMachine(mask=mask, random_state=0, n_iter=1)).fit(X)
    np.testing.assert_array_equal(found.couplings_, expected.couplings_)
    P = np.random.default_rng(1).choice([-1.0, 1.0], (1, 4))
    network = HopfieldNetwork(mask=mask).fit(P)
    np.testing.assert_array_equal(network.couplings_, HopfieldNetwork(mask=J).fit(P).couplings_)


def test_small_and_crowded_matrices_become_dense():
    for J in (lattice((5, 5)), np.ones((70, 70)) - np.eye(70)):
        assert isinstance(machine(sp.csr_array(J)).couplings_, np.ndarray)


def test_single_precision_and_the_given_matrix_are_kept():
    J = sp.csr_array(couplings(np.float32))
    found = machine(J)
    assert found.couplings_.dtype == found.sample(2, n_steps=2).dtype == np.float32
    found.couplings_.data[0] += 1
    np.testing.assert_array_equal(J.toarray(), couplings())


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda J: J.__setitem__((0, 1), 5.0), "symmetric"),
        (lambda J: J.setdiag(1.0), "diagonal"),
        (lambda J: J.data[0].__setitem__(0, np.nan), "NaN"),
        (lambda J: J.resize(N, N - 1), "shape"),
    ],
)
def test_sparse_couplings_are_refused_as_dense_ones_are(edit, message):
    J = sp.lil_array(couplings())
    edit(J)
    for given in (J, J.toarray()):
        with pytest.raises(ValueError, match=message):
            machine(given)


def test_the_order_of_a_frame_s_names_matters():
    frame = pd.DataFrame(lattice(4), list("abcd"), list("abcd"))
    with pytest.raises(ValueError, match="different orders") as error:
        machine(frame.loc[list("bacd")])
    assert "J.loc[J.columns]" in str(error.value)
    np.testing.assert_array_equal(machine(frame.loc[frame.columns]).couplings_, lattice(4))


# Whatever a machine with dense couplings can do ----------------------------------------------------


def _dense(machine):
    J = machine.couplings_
    return J.toarray() if sp.issparse(J) else J


def rows(unit, n=4):
    low = -1.0 if unit == "spin" else 0.0
    return np.random.default_rng(1).choice([low, 1.0], (n, N))


def fields(machine):
    """Some of all biases."""
    machine.intercept_[::3] = 0.25
    return machine


CALLS = {
    "sample": lambda m, X: m.sample(12, n_steps=4),
    "sample with diagnostics": lambda m, X: m.sample(4, n_steps=9, return_diagnostics=True)[1].rhat,
    "sample given": lambda m, X: m.sample(4, n_steps=4, given=np.where(X > 0, X, np.nan)[:, :N]),
    "tempering": lambda m, X: m.sample(4, n_steps=4, sampler="tempering"),
    "anneal": lambda m, X: m.anneal(4, n_steps=9).s,
    "energy": lambda m, X: m.energy(X),
    "transform": lambda m, X: m.transform(X),
    "impute": lambda m, X: m.impute(np.where(X > 0, X, np.nan), n_steps=6),
    "score_samples": lambda m, X: m.score_samples(X),
    "moments": lambda m, X: m.moments(X, n_samples=20, n_steps=20).mean,
    "AIS": lambda m, X: m.log_partition(AIS(50, 20), random_state=0).value,
    "pickle": lambda m, X: pickle.loads(pickle.dumps(m)).sample(2, n_steps=3),
    "partial_fit": lambda m, X: m.partial_fit(X).couplings_,
    "go on": lambda m, X: m.set_params(warm_start=True, n_iter=1).fit(X).couplings_,
    "solve": lambda m, X: (
        m.set_params(warm_start=True, gradient="pseudo_likelihood", mask=couplings() != 0)
        .fit(np.tile(np.vstack([X, -X if X.min() < 0 else 1 - X]), (30, 1)))
        .couplings_
    ),
}


@pytest.mark.filterwarnings("ignore:.*:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("unit", ["spin", "bernoulli"])
@pytest.mark.parametrize("name", CALLS)
def test_sparse_couplings_can_do_whatever_dense_ones_can(name, unit):
    X, J = rows(unit), couplings() / 4
    dense, sparse = (fields(machine(x, unit=unit)) for x in (J, sp.csr_array(J)))
    call = CALLS[name]
    np.testing.assert_allclose(call(sparse, X), call(dense, X), rtol=1e-12, atol=1e-12)


def test_hidden_units_may_be_coupled_sparsely():
    J, X = couplings() / 4, rows("spin")[:, :60]
    for call in (
        lambda m: m.free_energy(X),
        lambda m: m.transform(X),
        lambda m: m.score_samples(X),
        lambda m: m.sample(5, n_steps=5),
    ):
        found, expected = (call(machine(x, n_hidden=N - 60)) for x in (sp.csr_array(J), J))
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("update", ["async", "sync"])
def test_a_hopfield_network_recalls_with_sparse_couplings(update):
    P = np.random.default_rng(2).choice([-1.0, 1.0], (2, N))
    network = HopfieldNetwork(mask=lattice((L, L)), update=update, random_state=0).fit(P)
    X = np.where(np.random.default_rng(3).random(P.shape) < 0.1, -P, P)
    X[0, 0] = np.nan
    expected = network.recall(X), network.energy(P), network.stability()
    network.couplings_ = sp.csr_array(network.couplings_)
    for found, wanted in zip(
        (*network.recall(X), network.energy(P), network.stability()),
        (*expected[0], *expected[1:]),
        strict=True,
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_a_lattice_of_many_units_is_never_written_out():
    """20 000 units: 3 GB as a dense matrix."""
    ring = sp.diags_array([np.ones(19999)] * 2, offsets=[-1, 1]).tolil()
    ring[0, -1] = ring[-1, 0] = 1
    big = machine(ring)
    X = big.sample(2, n_steps=20)
    np.testing.assert_array_equal(big.energy(X), -(X * np.roll(X, 1, axis=1)).sum(axis=1))
    assert big.score_samples(X).shape == (2,)
    assert big.anneal(2, n_steps=20).energies.max() < -0.86 * 20_000


def test_a_matrix_too_large_to_be_written_out_is_named():
    many = machine(sp.csr_array((30_000, 30_000)))
    with pytest.raises(ValueError, match=r"30000 x 30000 .* 7 GB"):
        many.log_partition("exact")


# Looked at once ------------------------------------------------------------------------------


def hopfield(rule):
    P = np.random.default_rng(4).choice([-1.0, 1.0], (3, N))
    return HopfieldNetwork(rule, random_state=0).fit(P)


MACHINES = {
    "dense": lambda: machine(couplings()),
    "sparse": lambda: machine(sp.csr_array(couplings())),
    "symmetric": lambda: hopfield("hebb"),
    "not symmetric": lambda: hopfield("perceptron"),
}
every_machine = pytest.mark.parametrize("kind", MACHINES)


def checks(monkeypatch):
    """The calls of the check, of both families."""
    calls, check = [], _pairwise.check_couplings

    def counted(*args):
        calls.append(args)
        return check(*args)

    for module in (_pairwise, storage):
        monkeypatch.setattr(module, "check_couplings", counted)
    return calls


@every_machine
def test_couplings_are_checked_once(kind, monkeypatch):
    fitted, calls, X = MACHINES[kind](), checks(monkeypatch), rows("spin")
    for _ in range(5):
        fitted.energy(X)
        fitted.transform(X)
    assert len(calls) == 1


@every_machine
def test_an_edit_in_place_is_never_stale(kind):
    fitted, X = MACHINES[kind](), rows("spin")
    fitted.energy(X)
    for i, j in ((0, 1), (1, 0)):
        fitted.couplings_[i, j] *= -1
    J = _dense(fitted)
    expected = -0.5 * np.einsum("ij,jk,ik->i", X, J, X) - X @ fitted.intercept_
    np.testing.assert_allclose(fitted.energy(X), expected, rtol=1e-12)


@every_machine
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_edit_that_is_no_coupling_is_refused(kind, value):
    fitted, X = MACHINES[kind](), rows("spin")
    fitted.energy(X)
    fitted.couplings_[0, 1] = value
    for _ in range(2):
        with pytest.raises(ValueError, match="NaN or infinite"):
            fitted.energy(X)


def test_an_edited_mask_is_checked_again():
    mask, X = lattice(4) > 0, np.random.default_rng(0).choice([0.0, 1.0], (50, 4))
    boltzmann = BoltzmannMachine(mask=mask, n_iter=1, random_state=0).fit(X)
    mask[0, 1] = mask[1, 0] = False
    assert boltzmann.fit(X).couplings_[0, 1] == 0
    mask[0, 1] = True
    with pytest.raises(ValueError, match="symmetric"):
        boltzmann.fit(X)
