"""ebm.energies.pairwise, conversions and lattices: energies, spellings, what may be a coupling."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebm._random import Key
from ebm.energies.base import DataSummary
from ebm.energies.conversions import as_binary, as_spins, moments_of_spins, row_moments
from ebm.energies.lattices import lattice
from ebm.energies.pairwise import (
    Pairwise,
    PairwiseParameters,
    check_couplings,
    check_mask,
    field_rounding,
)
from ebm.energies.pairwise_sums import PairwiseMoments
from ebm.units import Bernoulli, Spin
from tests.checks.sweeps import assert_energy
from tests.models.pairwise import STATES, rows_of, spelled
from tests.oracles import lattices, pairwise
from tests.oracles.pairwise import BINARY, SPIN, random_pairwise

KEY = Key(61, 62)
every_state = pytest.mark.parametrize("states", STATES, ids=["binary", "spin"])
both_precisions = pytest.mark.parametrize("dtype", [np.float32, np.float64])

# Energies ------------------------------------------------------------------------------------


@both_precisions
@every_state
def test_energies_and_inputs(states, dtype):
    oracle = random_pairwise(7, states, 2)
    (model, params), s = spelled(oracle, dtype), rows_of(oracle, 9)
    rounding = 40 * np.finfo(dtype).eps
    assert_energy(lambda x: model.energy(params, x.astype(dtype)), oracle, s, rounding)
    assert model.energy(params, s.astype(dtype)).dtype == np.float64
    fields = model.inputs(params, s.astype(dtype)) + params.bias
    assert fields.dtype == dtype
    expected = [[pairwise.field(oracle, row, i) for i in range(7)] for row in s]
    np.testing.assert_allclose(fields, expected, rtol=0, atol=rounding)
    hidden = model.given_visible(params, s[:, :5].astype(dtype))
    apart = replace(oracle, J=np.pad(oracle.J[:5, 5:], ((0, 2), (5, 0))))
    apart = replace(apart, J=apart.J + apart.J.T)
    expected = [[pairwise.field(apart, row, i) for i in (5, 6)] for row in s]
    np.testing.assert_allclose(hidden, expected, rtol=0, atol=rounding)


@every_state
def test_means_between_the_states_have_the_energy_of_independent_units(states):
    """Multilinear: what is in between is an average."""
    oracle = random_pairwise(4, states)
    model, params = spelled(oracle)
    m, (low, high) = np.random.default_rng(1).uniform(*states, 4), states
    p = (m - low) / (high - low)
    S = pairwise.all_states(oracle)
    weights = np.prod(np.where(high == S, p, 1 - p), axis=1)
    expected = weights @ [pairwise.energy(oracle, s) for s in S]
    assert model.energy(params, m[np.newaxis])[0] == pytest.approx(expected, rel=1e-12)


@every_state
@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_tempered_parameters_have_the_law_at_that_temperature(states, beta):
    oracle = random_pairwise(5, states)
    model, params = spelled(oracle)
    J, bias = model.tempered(params, beta)
    hot = replace(oracle, J=J, b=bias)
    np.testing.assert_allclose(
        pairwise.probabilities(hot), pairwise.probabilities(oracle, beta), rtol=1e-12
    )


@both_precisions
def test_packed_parameters_come_back_and_are_views(dtype):
    oracle = random_pairwise(6, SPIN, 2)
    model, params = spelled(oracle, dtype)
    vector = model.pack(params)
    again = model.unpack(vector, 4, 2)
    assert vector.dtype == dtype and vector.shape == (42,)
    for one, other in zip(params, again, strict=True):
        np.testing.assert_array_equal(one, other)
        assert np.shares_memory(other, vector)
    assert model.shape(again) == (4, 2) and model.chain_width(again) == 6
    vector[:] = 0
    assert not again.J.any() and params.J.any()


def test_models_are_told_apart_by_their_masks():
    ring, chain = lattice(4) > 0, lattice(4, periodic=False) > 0
    names = {repr(Pairwise(Spin(), 1, mask)) for mask in (None, ring, chain)}
    assert len(names) == 3
    assert repr(Pairwise(Spin(), 1, ring.copy())) in names
    assert repr(Pairwise(Spin(), 1)) != repr(Pairwise(Bernoulli(), 1)) != repr(Pairwise(Spin(), 2))


@both_precisions
@every_state
def test_learning_starts_at_the_means_of_the_data(states, dtype):
    model = Pairwise(spelled(random_pairwise(2, states))[0].unit)
    mean = np.linspace(*states, 5).astype(dtype)
    params = model.initial(DataSummary(mean, np.ones(5, dtype), 1e6), 0, KEY)
    assert params.J.dtype == params.bias.dtype == dtype and not params.J.any()
    found = model.visible_at_rest(params)
    np.testing.assert_allclose(found, mean, atol=1e-5)
    assert np.isfinite(params.bias).all()


@every_state
def test_hidden_units_start_small_random_and_only_where_they_are_joined(states):
    mask = lattice(12) > 0
    unit = spelled(random_pairwise(2, states))[0].unit
    mean, one = np.full(8, np.mean(states)), np.ones(8)
    J, bias = Pairwise(unit, 4, mask).initial(DataSummary(mean, one, 10.0), 4, KEY)
    np.testing.assert_array_equal(J, J.T)
    assert not J[~mask].any() and not J[:8, :8].any()
    assert J[8:][mask[8:]].all() and not bias[8:].any()
    other = Pairwise(unit, 4, mask).initial(DataSummary(mean, one, 10.0), 4, Key(1, 2)).J
    assert (other != J).any()
    whole = (
        Pairwise(unit, 40)
        .initial(DataSummary(np.full(60, np.mean(states)), np.ones(60), 10.0), 40, KEY)
        .J
    )
    values = whole[60:][np.tril_indices(40, 59, 100)]
    assert values.std() == pytest.approx(np.sqrt(2 / 100) / 3, rel=0.06)
    assert abs(values.mean()) < 5 * values.std() / np.sqrt(values.size)


def test_hidden_units_are_independent_where_none_are_joined():
    model, (J, bias) = Pairwise(Spin(), 3), random_pairwise_params(6)
    assert not model.hidden_are_independent(PairwiseParameters(J, bias))
    J[3:, 3:] = 0
    assert model.hidden_are_independent(PairwiseParameters(J, bias))


def random_pairwise_params(n_units):
    oracle = random_pairwise(n_units, SPIN)
    return oracle.J.copy(), oracle.b.copy()


def test_rounding_of_fields_is_beyond_what_sums_err():
    J, bias = random_pairwise_params(50)
    small = PairwiseParameters(J.astype(np.float32), bias.astype(np.float32))
    s = rows_of(random_pairwise(50, SPIN), 200)
    exact = s @ small.J.astype(float) + small.bias
    error = np.abs(s.astype(np.float32) @ small.J + small.bias - exact).max(axis=0)
    allowed = field_rounding(small)
    assert (error <= allowed).all() and (allowed < 1e-4).all()


# Spellings -----------------------------------------------------------------------------------


@settings(max_examples=30)
@given(st.integers(1, 6), st.integers(0, 2**20), st.floats(0.1, 3), st.floats(0.2, 3))
def test_renaming_the_states_leaves_every_probability(n_units, seed, scale, beta):
    oracle = random_pairwise(n_units, BINARY, seed=seed, scale=scale)
    spins = as_spins(PairwiseParameters(oracle.J, oracle.b))
    renamed = replace(oracle, J=spins.J, b=spins.bias, states=SPIN)
    law = pairwise.probabilities(oracle, beta)
    np.testing.assert_allclose(pairwise.probabilities(renamed, beta), law, rtol=1e-11)
    expected = pairwise.in_other_states(oracle)
    np.testing.assert_allclose(spins.J, expected.J, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(spins.bias, expected.b, rtol=1e-13, atol=1e-14)
    back = as_binary(spins)
    np.testing.assert_allclose(back.J, oracle.J, rtol=1e-14)
    np.testing.assert_allclose(back.bias, oracle.b, rtol=0, atol=1e-13)


@settings(max_examples=20)
@given(st.permutations(range(5)), st.integers(0, 2**20), st.sampled_from(STATES))
def test_the_order_of_units_does_not_matter(order, seed, states):
    oracle = random_pairwise(5, states, seed=seed)
    (model, params), s = spelled(oracle), rows_of(oracle, 6)
    index = np.array(order)
    moved = PairwiseParameters(params.J[np.ix_(index, index)], params.bias[index])
    np.testing.assert_allclose(
        model.energy(moved, s[:, index]), model.energy(params, s), rtol=0, atol=1e-13
    )


@every_state
def test_moments_are_those_of_spins_whatever_the_states(states):
    oracle = random_pairwise(4, states)
    moments = PairwiseMoments(pairwise.means(oracle), pairwise.correlations(oracle))
    found = moments_of_spins(spelled(oracle)[0].unit, moments)
    spins = oracle if states == SPIN else pairwise.in_other_states(oracle)
    np.testing.assert_allclose(found.mean, pairwise.means(spins), rtol=0, atol=1e-13)
    np.testing.assert_allclose(found.correlations, pairwise.correlations(spins), atol=1e-13)
    X, w = rows_of(oracle, 7), np.arange(7.0)
    seen = row_moments(X, w)
    np.testing.assert_allclose(seen.correlations, (X.T * w) @ X / 21, rtol=0, atol=1e-14)
    np.testing.assert_allclose(seen.covariance, np.cov(X.T, aweights=w, bias=True), atol=1e-14)


# Couplings and masks ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("J", "words"),
    [
        (np.zeros((2, 3)), r"J must have the shape \(2, 2\). Got \(2, 3\)"),
        (np.zeros(3), r"J must have the shape \(3, 3\). Got \(3,\)"),
        (np.array([[0, np.nan], [np.nan, 0]]), "J holds NaN or infinite"),
        (np.array([[0, np.inf], [np.inf, 0]]), "J holds NaN or infinite"),
        (np.array([[0, 1.0], [1.1, 0]]), r"must be symmetric; .* differ by 0.1.* \(J \+ J.T\) / 2"),
        (np.array([[0, 1.0], [-1.0, 0]]), "must be symmetric; .* differ by 2"),
        (np.eye(2), r"zero on the diagonal.* numpy.fill_diagonal\(J, 0\)"),
    ],
)
def test_what_is_no_matrix_of_couplings_is_refused(J, words):
    with pytest.raises(ValueError, match=words):
        check_couplings(J, "J")


def test_couplings_are_copied_and_made_symmetric_to_the_last_bit():
    J, _ = random_pairwise_params(5)
    found = check_couplings(np.asfortranarray(J), "J", 5)
    assert found.flags.c_contiguous and not np.shares_memory(found, J)
    np.testing.assert_array_equal(found, J)
    J[0, 1] *= 1 + 1e-9
    before = J.copy()
    found = check_couplings(J, "J")
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_allclose(found, J, rtol=1e-9)
    np.testing.assert_array_equal(J, before)
    assert check_couplings(J.astype(np.float32), "J").dtype == np.float32
    whole = check_couplings([[0, 2], [2, 0]], "J")
    assert whole.dtype == np.float64 and whole.tolist() == [[0, 2], [2, 0]]
    with pytest.raises(ValueError, match="one unit at least"):
        check_couplings(np.zeros((0, 0)), "J")
    with pytest.raises(ValueError, match=r"shape \(4, 4\)"):
        check_couplings(J, "J", 4)


def test_masks():
    mask = check_mask([[1, 1, 0], [1, 0, 1], [0, 1, 1]], 3)
    assert mask.dtype == bool and not mask.diagonal().any()
    assert mask.sum() == 4
    assert check_mask(None, 3) is None
    given_ = np.ones((3, 3), bool)
    check_mask(given_, 3)
    assert given_.all()  # not modified
    for wrong, words in [
        (np.ones((2, 2)), r"every pair of 3 units.* \(3, 3\). Got \(2, 2\), float64"),
        (np.full((3, 3), 2), "true and false"),
        (np.full((3, 3), np.nan), "true and false"),
        (np.triu(np.ones((3, 3))), r"symmetric.* mask \| mask.T is"),
    ]:
        with pytest.raises(ValueError, match=words):
            check_mask(wrong, 3)


# Lattices --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(2, 2), (2, 3), (3, 3), (3, 5), (4, 4), (8, 8)])
def test_tori_are_those_of_the_oracle(shape):
    np.testing.assert_array_equal(lattice(shape), lattices.torus_couplings(*shape))


def test_chains_rings_and_boxes():
    for n in range(1, 6):
        open_chain = lattice(n, periodic=False)
        np.testing.assert_array_equal(open_chain, np.eye(n, k=1) + np.eye(n, k=-1))
        assert lattice(n).sum() == (2 * n if n > 1 else 0)
    assert lattice(2).tolist() == [[0, 2], [2, 0]]
    box = lattice((2, 3, 4), periodic=False)
    places = np.array(np.unravel_index(range(24), (2, 3, 4))).T
    near = np.abs(places[:, np.newaxis] - places).sum(axis=2) == 1
    np.testing.assert_array_equal(box, near)
    assert (lattice((3, 4, 5)).sum(axis=0) == 6).all()
    np.testing.assert_array_equal(lattice(np.int64(5)), lattice((5,)))


@pytest.mark.parametrize("shape", [0, (3, 0), (3, -1), (2.5, 2), "ab"])
def test_impossible_lattices_are_refused(shape):
    with pytest.raises((ValueError, TypeError), match="shape"):
        lattice(shape)
