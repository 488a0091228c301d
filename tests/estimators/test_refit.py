"""Fitting what has been fitted before: a failure loses nothing, and what was learned earlier leaves no trace."""

from __future__ import annotations

import linecache
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from ebm import BernoulliRBM, BoltzmannMachine, ModernHopfieldNetwork

RNG = np.random.default_rng(0)
X = (RNG.random((40, 5)) < 0.5).astype(float)
WIDER = (RNG.random((40, 6)) < 0.5).astype(float)
MACHINES = {
    "rbm": BernoulliRBM(n_components=2, n_iter=1, random_state=0),
    "sampled": BoltzmannMachine(n_iter=1, random_state=0),
    "solved": BoltzmannMachine(gradient="tap", random_state=0),
    "modern": ModernHopfieldNetwork(max_steps=1),
}
every_machine = pytest.mark.parametrize("name", MACHINES)


@every_machine
@pytest.mark.parametrize("weights", [np.ones(3), -np.ones(40), np.zeros(40)])
def test_nothing_is_lost_by_a_fit_that_fails(name, weights):
    machine = MACHINES[name].fit(X)
    before, attributes = machine.transform(X), dict(vars(machine))
    with pytest.raises(ValueError, match="weight"):
        machine.fit(WIDER, sample_weight=weights)
    np.testing.assert_array_equal(machine.transform(X), before)
    assert vars(machine).keys() == attributes.keys()
    assert all(vars(machine)[key] is value for key, value in attributes.items())


@pytest.mark.parametrize("name", ["sampled", "solved"])
def test_nothing_is_lost_by_settings_that_do_not_fit_the_data(name):
    machine = MACHINES[name].fit(X).set_params(mask=np.ones((5, 5), bool))
    before = machine.score(X)
    with pytest.raises(ValueError, match="mask"):
        machine.fit(WIDER)
    assert machine.score(X) == before
    machine.set_params(mask=None)


def test_what_an_interrupt_left_is_kept_even_where_warnings_are_errors():
    def interrupt(report):
        if report.epoch == 2:
            raise KeyboardInterrupt

    machine = BoltzmannMachine(n_iter=5, random_state=0, callbacks=interrupt)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ConvergenceWarning, match="interrupted"):
            machine.fit(X)
    assert np.isfinite(machine.couplings_).all()


@pytest.mark.parametrize("fit", ["fit", "partial_fit"])
def test_warnings_point_to_the_line_of_the_caller(fit):
    machine = BoltzmannMachine(n_iter=1, random_state=0)
    with pytest.warns(UserWarning, match="holds values") as caught:
        getattr(machine, fit)(3 * X)  # this line
    assert caught[0].filename == __file__
    assert "# this line" in linecache.getline(caught[0].filename, caught[0].lineno)


@pytest.mark.parametrize("gradient", ["maximum_likelihood", "pseudo_likelihood", "mean_field"])
def test_a_direct_solution_takes_any_weights(gradient):
    """Its cost does not depend on them: no row is repeated."""
    machine = BoltzmannMachine(gradient=gradient)
    couplings = [
        machine.fit(X, sample_weight=np.full(40, weight)).couplings_ for weight in (1e12, 1e13)
    ]
    np.testing.assert_allclose(couplings[0], couplings[1], rtol=1e-6, atol=1e-6)


def test_a_direct_solution_does_not_depend_on_what_was_learned_before():
    """Neither does learning by batches that goes on from it, to the memory of its optimiser and its history."""
    settings = {"gradient": "mean_field", "optimizer": "adam", "n_iter": 2, "random_state": 0}
    fresh = BoltzmannMachine(**settings).fit(X)
    used = BoltzmannMachine(**settings).set_params(gradient="pcd").fit(X)
    used.set_params(gradient="mean_field").fit(X)
    for machine in (fresh, used):
        machine.set_params(gradient="pcd", warm_start=True).partial_fit(X).fit(X)
    np.testing.assert_array_equal(used.couplings_, fresh.couplings_)
    assert {name: len(x) for name, x in used.history_.items()} == {
        name: 2 for name in ("epoch", "learning_rate", "time")
    }


def test_hidden_units_that_were_not_fitted_are_named():
    machine = BoltzmannMachine(n_iter=1, random_state=0).fit(X).set_params(n_hidden=2)
    for use in (machine.transform, machine.set_params(warm_start=True).fit):
        with pytest.raises(ValueError, match=r"n_hidden is 2, but .* 0 hidden .* anew"):
            use(X)


@pytest.mark.parametrize("n_hidden", [0, 1])
def test_couplings_make_a_machine_without_training(n_hidden):
    machine = BoltzmannMachine(n_hidden, unit="spin", random_state=0)
    with pytest.raises(NotFittedError):
        machine.sample()
    machine.couplings_ = 0.3 * (np.ones((4, 4)) - np.eye(4))
    machine.intercept_ = np.zeros(4)
    assert machine.log_partition().value == pytest.approx(
        np.log(2 * np.exp(1.8) + 8 + 6 * np.exp(-0.6))
    )
    assert machine.sample(3, n_steps=2).shape == (3, 4 - n_hidden)
    assert len(set(machine.anneal(5, n_steps=50).s[0])) == 1
    with pytest.raises(ValueError, match="n_samples must be an integer of at least 1"):
        machine.moments(n_samples=0)


@pytest.mark.parametrize("gradient", ["maximum_likelihood", "pseudo_likelihood"])
def test_a_direct_solution_shows_its_progress_if_asked_to(gradient, capsys):
    machine = BoltzmannMachine(gradient=gradient).fit(X)
    assert not capsys.readouterr().out
    machine.set_params(verbose=1).fit(X)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(machine.history_["iteration"]) > 1
    assert f"Iteration {machine.history_['iteration'][-1]}, cost = " in lines[-1]
