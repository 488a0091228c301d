"""Every unit of the registry keeps the whole contract of :class:`ebm.units.Unit`, held against enumeration."""

from __future__ import annotations

import numpy as np
import pytest

from ebm._kernels import units as kernels
from ebm._random import Key
from ebm.networks.column_losses import loss_of_units
from ebm.units import Groups
from tests.conformance.units import ALL, SIZE, fields, layer, layer_params, states
from tests.oracles.enumeration import TABLES
from tests.statistics import assert_same_distribution, assert_same_mean

KEY = Key(17, 4)
BETAS = [0.5, 1.0, 1.8]
RARE = 2e-3


def per_row(function, f):
    return np.array([function(row) for row in f])


@pytest.mark.parametrize("unit", ALL, ids=repr)
class TestUnit:
    """One type of unit."""

    def test_it_has_a_table(self, unit):
        assert type(unit).__name__ in TABLES, "tests/oracles/enumeration.py: TABLES"

    def test_energy_and_statistic(self, unit):
        params = layer_params(unit)
        x, table = states(unit, params), layer(unit, params)
        np.testing.assert_allclose(unit.energy(params, x), table.energy(x), atol=1e-12)
        np.testing.assert_allclose(unit.statistic(params, x), table.statistic(x), atol=1e-12)

    @pytest.mark.parametrize("beta", BETAS)
    def test_mean_and_log_normaliser(self, unit, beta):
        params, f = layer_params(unit), fields()
        table = layer(unit, params)
        expected = per_row(lambda row: table.mean(row, beta), f)
        np.testing.assert_allclose(unit.mean(params, f, beta), expected, atol=1e-9)
        expected = per_row(lambda row: table.log_normaliser(row, beta), f)
        np.testing.assert_allclose(unit.log_normaliser(params, f, beta), expected, atol=1e-9)

    def test_single_precision(self, unit):
        params, f = layer_params(unit, dtype=np.float32), fields(dtype=np.float32)
        double = type(params)(*(x.astype(np.float64) for x in params))
        mean = unit.mean(params, f)
        assert mean.dtype == unit.sample(params, f, KEY).dtype == np.float32
        np.testing.assert_allclose(mean, unit.mean(double, f.astype(float)), rtol=1e-5, atol=1e-6)

    def test_losses_have_the_mean_as_their_prediction(self, unit):
        params, f = layer_params(unit), fields()
        reason = ""
        try:
            loss = loss_of_units(unit, SIZE)
        except ValueError as error:
            reason = str(error)
        if reason:
            assert type(unit).__name__ in reason
            return
        np.testing.assert_allclose(loss.output(f + params.bias), unit.mean(params, f), atol=1e-12)

    def test_nodes_stand_for_all_states(self, unit):
        """Sums over them are the log-normalisers at every input within their range."""
        params, f = layer_params(unit), fields()
        nodes = unit.nodes(params, f.min(axis=0), f.max(axis=0))
        if nodes is None or isinstance(unit, Groups):  # groups have states of several units
            return
        for i, (x, logs) in enumerate(nodes):
            own = type(params)(*(p[i : i + 1] for p in params))
            s = unit.statistic(own, x[:, np.newaxis]) @ f[np.newaxis, :, i]
            terms = logs[:, np.newaxis] - unit.energy(own, x[:, np.newaxis])[:, np.newaxis] + s
            alone = unit.log_normaliser(own, np.ascontiguousarray(f[:, i : i + 1]))
            np.testing.assert_allclose(np.logaddexp.reduce(terms, axis=0), alone, atol=1e-9)

    @pytest.mark.needs_jit
    @pytest.mark.parametrize("beta", BETAS)
    def test_joint_law_of_samples(self, unit, beta):
        n = 20_000
        params, f = layer_params(unit), fields(1)
        table, x = (
            layer(unit, params),
            unit.sample(layer_params(unit), np.tile(f, (n, 1)), KEY, beta),
        )
        blocks = table.blocks()
        laws = [table.law(b, f[0], beta) for b in blocks]
        if unit.is_real:  # moments to the second order, which are all of them
            mean = np.array([p @ b.states[:, 0] for p, b in zip(laws, blocks, strict=True)])
            second = [p @ b.states[:, 0] ** 2 for p, b in zip(laws, blocks, strict=True)]
            products = np.einsum("ri,rj->rij", x, x).reshape(n, -1)
            outer = np.outer(mean, mean)
            np.fill_diagonal(outer, second)
            assert_same_mean(np.hstack([x, products]), np.r_[mean, outer.ravel()])
            return
        cell, probabilities = np.zeros(n, int), np.ones(1)
        for b, law in zip(blocks, laws, strict=True):
            distance = np.abs(x[:, b.columns][:, np.newaxis] - b.states).sum(axis=-1)
            assert (distance.min(axis=1) == 0).all(), "states that are none"
            some = np.flatnonzero(law > RARE)  # the rest is one cell
            place = np.full(len(law), len(some))
            place[some] = np.arange(len(some))
            law = np.append(law[some], max(0.0, 1 - law[some].sum()))
            cell = cell * len(law) + place[distance.argmin(axis=1)]
            probabilities = np.outer(probabilities, law).ravel()
        counts = np.bincount(cell, minlength=len(probabilities))
        assert_same_distribution(counts, probabilities / probabilities.sum())

    def test_rows_draw_their_own_numbers(self, unit):
        params, f = layer_params(unit), fields(40)
        whole = unit.sample(params, f, KEY)
        np.testing.assert_array_equal(unit.sample(params, f[25:], KEY, first_row=25), whole[25:])
        means, drawn = f.copy(), np.empty_like(f)
        kernels.mean_and_sample(unit.compiled(params), means, drawn, 1.0, *KEY, 0)
        np.testing.assert_array_equal(drawn, whole)
        np.testing.assert_array_equal(means, unit.mean(params, f))

    def test_own_derivatives_are_slopes_and_their_expectations(self, unit):
        params, f, step = layer_params(unit), fields(), 1e-6
        x = states(unit, params, len(f))
        at_states, expected = (
            unit.parameter_derivatives(params, x),
            unit.mean_derivatives(params, f),
        )
        learned = {name for name in unit.fields[1:] if unit.is_free(name)}
        assert learned == set(at_states) == set(expected)
        for name in learned:
            sides = [
                params._replace(**{name: getattr(params, name) + side * step}) for side in (1, -1)
            ]

            def slope(x, part, name=name):
                up, down = (
                    unit_energies(layer(unit, params).table, x, {**part, name: part[name] + d})
                    for d in (step, -step)
                )
                return -(up - down) / (2 * step)

            table = layer(unit, params)
            found = np.hstack(
                [slope(x[:, b.columns], table.part(b.columns)) for b in table.blocks()]
            )
            np.testing.assert_allclose(at_states[name], found, atol=1e-7)
            found = np.array([table.expectation(slope, row) for row in f])
            np.testing.assert_allclose(expected[name], found, atol=1e-7)
            s = [unit.statistic(p, np.ones((1, SIZE)))[0] for p in sides]
            found = (np.log(np.abs(s[0])) - np.log(np.abs(s[1]))) / (2 * step)
            claimed = unit.statistic_slopes(params).get(name, np.zeros(SIZE))
            np.testing.assert_allclose(claimed, found, atol=1e-8)

    def test_log_normaliser_has_its_derivatives(self, unit):
        """dA/dtheta = E[-dU/dtheta] + slope E[s] f, and dA/df = E[s]."""
        params, f, step = layer_params(unit), fields(), 1e-6
        s = unit.statistic(params, unit.mean(params, f))
        for i in range(SIZE):
            nudge = step * np.eye(SIZE)[i]
            up, down = (unit.log_normaliser(params, f + side * nudge) for side in (1, -1))
            np.testing.assert_allclose((up - down) / (2 * step), s[:, i], atol=1e-7)
        for name, values in unit.mean_derivatives(params, f).items():
            slope = unit.statistic_slopes(params).get(name, 0.0)
            for i in range(SIZE):
                nudge = step * np.eye(SIZE)[i]
                moved = [
                    params._replace(**{name: getattr(params, name) + side * nudge})
                    for side in (1, -1)
                ]
                up, down = (unit.log_normaliser(p, f) for p in moved)
                claimed = (values + slope * s * f)[:, i]
                np.testing.assert_allclose((up - down) / (2 * step), claimed, atol=1e-7)

    def test_compiled_sums_are_those_of_the_unit(self, unit):
        params, f = layer_params(unit), fields()
        x, weights = states(unit, params, len(f)), np.linspace(0.1, -0.2, len(f))
        gradient = type(params)(*(np.full(SIZE, 7.0) for _ in params))
        compiled = unit.compiled(params)
        kernels.parameter_gradient(compiled, unit.statistic(params, x), weights, gradient)
        for name, d in unit.parameter_derivatives(params, x).items():
            np.testing.assert_allclose(getattr(gradient, name), weights @ d, atol=1e-12)
        for times, fresh in ((1, True), (2, False)):
            kernels.expected_parameter_gradient(compiled, f, weights, gradient, fresh)
            for name, d in unit.mean_derivatives(params, f).items():
                np.testing.assert_allclose(getattr(gradient, name), times * weights @ d, atol=1e-12)
        coupling = np.array([0.3, -1.0, 2.0])
        before = {name: np.array(x) for name, x in gradient._asdict().items()}
        kernels.couple(compiled, coupling, gradient)
        assert kernels.couples(compiled) == bool(unit.statistic_slopes(params))
        for name, slope in unit.statistic_slopes(params).items():
            np.testing.assert_allclose(getattr(gradient, name) - before[name], slope * coupling)

    def test_span_and_least_variance(self, unit):
        """Two states, the lower first; and no distribution of the unit has a smaller variance than its mean allows."""
        params, f = layer_params(unit), fields(20)
        low, high = (np.broadcast_to(x, SIZE) for x in unit.span(params))
        assert (low < high).all()
        assert isinstance(unit, Groups) or not unit.invalid(np.stack([low, high]))
        table = layer(unit, params)
        means = per_row(table.mean, f)
        second = per_row(lambda row: table.expectation(lambda x, part: x**2, row), f)
        least = np.broadcast_to(unit.least_variance(params, means), means.shape)
        assert (second - means**2 >= least - 1e-9).all()
        if unit.states is not None and len(unit.states) == 2:
            np.testing.assert_allclose(second - means**2, least, atol=1e-12)

    @pytest.mark.parametrize("beta", BETAS)
    def test_tempered(self, unit, beta):
        params = layer_params(unit)
        x = states(unit, params)
        try:
            hot, factor = unit.tempered(params, beta)
        except ValueError as error:
            refusal = str(error)
        else:
            refusal = ""
        if refusal:  # a law of another type
            assert f"beta={beta:g}" in refusal and type(unit).__name__ in refusal
            return
        change = unit.energy(hot, x) - beta * unit.energy(params, x)
        np.testing.assert_allclose(change, change[0], atol=1e-10)
        np.testing.assert_allclose(
            unit.statistic(hot, x), factor * unit.statistic(params, x), atol=1e-12
        )

    def test_between(self, unit):
        first, last, t = layer_params(unit, seed=4), layer_params(unit, seed=5), 0.3
        x = states(unit, first)
        mixed, ratio, constant = unit.between(first, last, t)
        wanted = (1 - t) * unit.energy(first, x) + t * unit.energy(last, x)
        np.testing.assert_allclose(unit.energy(mixed, x) + constant, wanted, atol=1e-10)
        ratio = 1.0 if ratio is None else ratio
        np.testing.assert_allclose(
            unit.statistic(last, x), ratio * unit.statistic(mixed, x), atol=1e-12
        )
        np.testing.assert_allclose(
            unit.energy_difference(first, last, x),
            unit.energy(last, x) - unit.energy(first, x),
            atol=1e-10,
        )

    def test_states_are_valid_and_others_are_named(self, unit):
        params = layer_params(unit)
        x = states(unit, params)
        assert unit.invalid(x) == unit.impossible(x) == ""
        assert unit.invalid(unit.mean(params, fields())) == ""
        unknown = x.copy()
        unknown[0] = np.nan
        assert unit.invalid(unknown) == ""
        outside = x.copy()
        outside[1, 0] = -np.inf
        assert unit.invalid(outside)

    def test_learning_starts_at_the_moments_of_the_data(self, unit):
        params = layer_params(unit)
        table = layer(unit, params)
        mean = table.mean(np.zeros(SIZE))
        second = table.expectation(lambda x, part: x**2, np.zeros(SIZE))
        start = unit.initial(mean, second - mean**2, 1e6)
        np.testing.assert_allclose(unit.mean(start, np.zeros((1, SIZE)))[0], mean, atol=1e-4)
        assert type(start) is unit.parameters
        extreme = unit.initial(unit.mean(params, np.full((1, SIZE), -700.0))[0], 0 * mean, 10.0)
        assert all(np.isfinite(x).all() for x in extreme)


def unit_energies(table, x, part):
    """U of every unit by itself: (states, columns); units of a group have energies that add up."""
    columns = []
    for i in range(x.shape[1]):
        alone = {name: values[i : i + 1] for name, values in part.items()}
        columns.append(table.energy(x[:, i : i + 1], **alone))
    return np.stack(columns, axis=1)
