"""What a fitted estimator is after a fit that failed: what it was before."""

from __future__ import annotations

import linecache
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from ebm import BernoulliRBM, BoltzmannMachine, ModernHopfieldNetwork

RNG = np.random.default_rng(0)
X = (RNG.random((40, 5)) < 0.5).astype(float)
WIDER = (RNG.random((40, 6)) < 0.5).astype(float)
MACHINES = {
    "rbm": BernoulliRBM(n_components=2, n_iter=1, random_state=0),
    "sampled": BoltzmannMachine(n_iter=1, random_state=0),
    "solved": BoltzmannMachine(gradient="tap", random_state=0),
    "modern": ModernHopfieldNetwork(),
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
