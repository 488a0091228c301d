"""Every pair of units, under every gradient and every likelihood that takes it, held against enumeration.

A gradient or likelihood that cannot take a pair refuses it, with an error that names it: never another unit's formula.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from ebm._kernels.bernoulli import BernoulliParameters
from ebm._random import Key
from ebm.energies.base import DataSummary
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.incomplete import gaps
from ebm.gradients import GRADIENTS, TAP, Batch, ContrastiveDivergence
from ebm.gradients.moments import data_moments
from ebm.inference.mean_field import mean_field, mean_field_free_energy
from ebm.likelihood.ais import AIS
from ebm.likelihood.partition import Evaluation, log_likelihood, log_partition
from ebm.units import UNITS, Bernoulli, Gaussian, Groups, Poisson
from tests.conformance.units import ALL, arrays, machine, pair, slopes, states
from tests.oracles.known_answers import COUNTS_OVER_BITS

KEY = Key(3, 9)
PAIRS = [
    pytest.param(v, h, id=f"{v!r}-{h!r}")
    for v, h in product(ALL, repeat=2)
    if v.bounded or h.bounded or (v.is_normal and h.is_normal)
]
LAWLESS = [(Poisson(), Poisson()), (Poisson(), Gaussian()), (Gaussian(), Poisson())]
BITS = ALL[0]
WITH_BITS = [
    pytest.param(*layers, id=f"{layers[0]!r}-{layers[1]!r}")
    for unit in ALL
    for layers in [(unit, BITS), (BITS, unit)][: 1 + (unit is not BITS)]
]
CONTRASTIVE = ["cd", "pcd", "fpcd", "tempering"]


def rows(model, params, n_rows=5):
    return states(model.visible, params.visible, n_rows)


def zeros(params):
    return type(params)(
        np.zeros_like(params.W), *(type(x)(*(0 * a for a in x)) for x in params[1:])
    )


def two_states(unit):
    return unit.states is not None and len(unit.states) == 2


def is_gaussian(model):
    return model.visible.is_normal and model.hidden.is_normal


def enumerable(model):
    """Whether log Z is exact: a layer of two states, or a Gaussian integral."""
    return two_states(model.visible) or two_states(model.hidden) or is_gaussian(model)


def has_conditionals(model, params):
    """Whether there is a pseudo-likelihood: of states that can be listed, or an integral that is known."""
    unit, zeros = model.visible, np.zeros(len(params.W))
    listed = isinstance(unit, Groups) or unit.nodes(params.visible, zeros, zeros) is not None
    return listed or is_gaussian(model) or (unit.is_normal and two_states(model.hidden))


def estimated(choice, model, params, v, n_chains=None, n_calls=1):
    """The gradient of a choice at some rows, the chains after it, and the bound estimator."""
    weights = np.linspace(1, 2, len(v))
    weights /= weights.sum()
    chains = choice.start(model, params, v.mean(axis=0), len(v), KEY)
    bound = choice.bind(model, zeros(params), len(v), len(chains.h))
    for _ in range(n_calls):
        gradient, chains, info = bound(params, Batch(v.copy(), weights), chains, KEY)
    assert info.finite
    return arrays(gradient), chains, bound, weights


def compare(gradient, expected, atol):
    for x, y in zip(gradient, expected, strict=True):
        np.testing.assert_allclose(x, y, atol=atol)


@pytest.mark.parametrize(("visible", "hidden"), PAIRS)
class TestPair:
    """Two layers."""

    def test_free_energy(self, visible, hidden):
        model, params = pair(visible, hidden)
        v = rows(model, params)
        for beta in (1.0, 0.6):
            expected = machine(model, params).free_energy(v, beta)
            np.testing.assert_allclose(model.free_energy(params, v, beta), expected, atol=1e-8)

    def test_log_partition_and_likelihood(self, visible, hidden):
        model, params = pair(visible, hidden)
        v, oracle = rows(model, params), machine(model, params)
        log_z, expected = oracle.log_z(), oracle.log_likelihood(v)
        methods = ["auto", AIS(n_temperatures=200, n_runs=50)]
        if enumerable(model):
            methods.append("exact")
        else:
            with pytest.raises(ValueError, match="two-state"):
                log_partition(model, params, "exact")
        for method in methods:
            found = log_partition(model, params, method, evaluation=Evaluation(key=KEY))
            assert abs(found.value - log_z) < 6 * found.standard_error + 1e-8
            values = log_likelihood(model, params, v, method, Evaluation(key=KEY))[0]
            np.testing.assert_allclose(values - expected, log_z - found.value, atol=1e-7)

    def test_log_partition_at_a_temperature(self, visible, hidden):
        model, params = pair(visible, hidden)
        for beta in (0.6, 1.5):
            if not enumerable(model):
                continue
            found = log_partition(model, params, "exact", beta=beta)
            assert found.value == pytest.approx(machine(model, params).log_z(beta), abs=1e-8)

    def test_pseudo_likelihood(self, visible, hidden):
        model, params = pair(visible, hidden)
        v = rows(model, params)
        if not has_conditionals(model, params):
            with pytest.raises(TypeError, match=type(visible).__name__):
                log_likelihood(model, params, v, "pseudo")
            return
        values = log_likelihood(model, params, v, "pseudo")[0]
        expected = machine(model, params).conditional_log_probabilities(v)
        np.testing.assert_allclose(values, expected, atol=1e-7)

    def test_unknown_entries_are_summed_out(self, visible, hidden):
        model, params = pair(visible, hidden)
        oracle, v = machine(model, params), rows(model, params, 3)
        block = oracle.visible.blocks()[-1]
        v[:, block.columns] = np.nan
        logs = []
        for state, weight in zip(block.states, block.weights, strict=True):
            v_all = v.copy()
            v_all[:, block.columns] = state
            logs.append(oracle.log_weights(v_all) + np.log(weight))
        prepared = gaps(model, params, np.isnan(v[0]))
        if prepared is None:  # no finite sum: then nothing claims to be exact
            assert not enumerable(model)
            return
        found = prepared.sums(v)
        np.testing.assert_allclose(found.log_weights, np.logaddexp.reduce(logs, axis=0), atol=1e-8)
        shares = np.exp(logs - np.logaddexp.reduce(logs, axis=0))
        means = np.einsum("sr,sc->rc", shares, block.states)
        np.testing.assert_allclose(found.means[:, block.columns], means, atol=1e-8)

    def test_exact_gradient(self, visible, hidden):
        model, params = pair(visible, hidden)
        v, choice = rows(model, params), GRADIENTS["exact"](centered=False)
        if not enumerable(model) or is_gaussian(model):
            with pytest.raises(ValueError, match="two-state"):
                estimated(choice, model, params, v)
            return
        gradient, _, _, weights = estimated(choice, model, params, v)
        expected = slopes(
            lambda moved: weights @ machine(model, moved).log_likelihood(v), model, params
        )
        compare(gradient, expected, 1e-6)

    def test_mean_field_gradient(self, visible, hidden):
        model, params = pair(visible, hidden)
        v = rows(model, params)
        choice = TAP(order=1, n_iter=400, damping=0.3, centered=False)
        gradient, _, _, weights = estimated(choice, model, params, v)

        def objective(moved):
            point = mean_field(model, moved, v, model.hidden_mean(moved, v), tol=0, n_iter=400)
            return weights @ (
                mean_field_free_energy(model, moved, point) - machine(model, moved).free_energy(v)
            )

        compare(gradient, slopes(objective, model, params), 1e-6)

    @pytest.mark.parametrize("name", ["pseudo_likelihood", "ratio_matching"])
    def test_gradients_over_flips(self, visible, hidden, name):
        model, params = pair(visible, hidden)
        v, choice = rows(model, params), GRADIENTS[name](centered=False)
        if not two_states(visible):
            with pytest.raises(ValueError, match=type(visible).__name__):
                estimated(choice, model, params, v)
            return
        gradient, _, _, weights = estimated(choice, model, params, v)

        def objective(moved):
            oracle = machine(model, moved)
            if name == "pseudo_likelihood":
                return weights @ oracle.conditional_log_probabilities(v)
            low, high = visible.states
            total = np.zeros(len(v))
            for i in range(v.shape[1]):
                flipped = v.copy()
                flipped[:, i] = low + high - v[:, i]
                gain = oracle.log_weights(flipped) - oracle.log_weights(v)
                total -= 1 / (1 + np.exp(-gain)) ** 2
            return weights @ total

        compare(gradient, slopes(objective, model, params), 1e-6)

    def test_the_layers_are_alike(self, visible, hidden):
        model, params = pair(visible, hidden)
        other, swapped = model.swapped(params)
        assert isinstance(other, Bipartite)
        h = states(hidden, params.hidden)
        expected = machine(model, params).swapped.free_energy(h)
        np.testing.assert_allclose(other.free_energy(swapped, h), expected, atol=1e-8)


@pytest.mark.parametrize(("visible", "hidden"), LAWLESS)
def test_pairs_without_a_law_are_refused(visible, hidden):
    model, params = pair(visible, hidden)
    summary = DataSummary(np.ones(3), np.ones(3), 10.0)
    with pytest.raises(ValueError, match=r"Poisson\(\).*have no joint distribution"):
        model.initial(summary, 2, KEY)
    with pytest.raises(ValueError, match="Z does not exist"):
        log_partition(model, params, "ais")
    for sign in (-1, 0):
        held = params._replace(W=sign * abs(params.W))
        if sign and not (visible.one_sided and hidden.one_sided):
            continue
        found = log_partition(model, held, "ais", evaluation=Evaluation(key=KEY))
        wanted = machine(model, held).log_z()
        assert abs(found.value - wanted) < 6 * found.standard_error + 1e-8


@pytest.mark.parametrize(("unit", "log_z", "log_p"), COUNTS_OVER_BITS)
def test_known_answers_of_counts(unit, log_z, log_p):
    rng = np.random.default_rng(5)
    W, b, c = (rng.normal(0, 0.5, shape) for shape in ((3, 2), 3, 2))
    model = Bipartite(UNITS[unit](*((4,) if unit == "binomial" else ())), Bernoulli())
    own = model.visible.neutral(3, np.float64)._replace(bias=b)
    params = BipartiteParameters(W, own, BernoulliParameters(c))
    row = np.array([[0.0, 1.0, 3.0]])
    assert log_partition(model, params, "exact").value == pytest.approx(log_z, abs=1e-9)
    assert log_likelihood(model, params, row, "exact")[0] == pytest.approx(log_p, abs=1e-9)


@pytest.mark.parametrize(("visible", "hidden"), WITH_BITS)
class TestContrastive:
    """Two layers, of which one is binary: the compiled steps choose by the type of each layer by itself."""

    @pytest.mark.parametrize("name", CONTRASTIVE)
    def test_contrastive_gradients_are_differences_of_moments(self, visible, hidden, name):
        """The data's moments less those at the chains' last visible states, whatever the offsets are."""
        model, params = pair(visible, hidden)
        v = rows(model, params)
        choice = GRADIENTS[name](centered=False)
        gradient, chains, bound, weights = estimated(choice, model, params, v)
        data = data_moments(model, params, v, weights)
        if name == "tempering":
            last, shares = (
                chains.gradient_state[0][: len(chains.h)],
                np.full(len(chains.h), 1 / len(chains.h)),
            )
        else:
            inner = getattr(bound, "_inner", bound)
            unscaled = model.visible.statistic(params.visible, np.ones_like(v))
            last = inner.fantasies(len(v)) / unscaled[:1]
            shares = weights if name == "cd" else np.full(len(last), 1 / len(last))
        negative = data_moments(model, params, last, shares)
        expected = [
            data.vh - negative.vh,
            data.v - negative.v,
            *(data.params_v[k] - negative.params_v[k] for k in data.params_v),
            data.h - negative.h,
            *(data.params_h[k] - negative.params_h[k] for k in data.params_h),
        ]
        free = [x for x, used in zip(gradient, kept(model, params), strict=True) if used]
        compare(free, expected, 1e-10)

    def test_centring_changes_the_metric_alone(self, visible, hidden):
        """The centred gradient by own parameters is the plain one: offsets concern weights and biases."""
        model, params = pair(visible, hidden)
        v = rows(model, params)
        centred, plain = (
            estimated(ContrastiveDivergence(centered=c), model, params, v)[0] for c in (True, False)
        )
        split = 1 + len(params.visible)
        for number in (*range(2, split), *range(split + 1, len(plain))):
            np.testing.assert_allclose(centred[number], plain[number], atol=1e-10)


def kept(model, params):
    """Which of the arrays of a gradient are by parameters that are learned."""
    flags = [True]
    for unit, own in ((model.visible, params.visible), (model.hidden, params.hidden)):
        flags += [unit.is_free(name) for name in own._fields]
    return flags
