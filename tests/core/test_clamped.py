"""Free energies of rows whose hidden units have modes of their own, against sums over how many of them are up."""

import numpy as np
import pytest
from scipy.special import gammaln, logsumexp

from ebm import BoltzmannMachine
from ebm._random import stream
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.likelihood.free_energy import estimated_free_energy
from ebm.units import Spin

pytestmark = pytest.mark.needs_jit  # four hundred sweeps of a hundred chains a row

N_HIDDEN = 30  # more than are enumerated, all of them coupled


def block(strength, pull):
    """Two visible spins that pull at a block of hidden ones, which agree with each other."""
    n = 2 + N_HIDDEN
    J = np.full((n, n), strength / N_HIDDEN)
    J[:2] = J[:, :2] = pull
    J[0, 1] = J[1, 0] = 0
    np.fill_diagonal(J, 0)
    return J


def log_sum(strength, field):
    """Log of the sum over the hidden states, by their magnetization."""
    up = np.arange(N_HIDDEN + 1)
    m = 2 * up - N_HIDDEN
    count = gammaln(N_HIDDEN + 1) - gammaln(up + 1) - gammaln(N_HIDDEN - up + 1)
    return logsumexp(count + strength * (m**2 - N_HIDDEN) / (2 * N_HIDDEN) + field * m)


ROWS = np.array([[1.0, -1.0], [-1.0, -1.0], [1.0, 1.0]])


@pytest.mark.parametrize("strength", [0.5, 1.5, 4.0])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rows_whose_hidden_units_have_two_modes(strength, dtype):
    pull = 0.02  # the first row pulls neither way, the others a little
    J = block(strength, pull)
    model = Pairwise(Spin(), N_HIDDEN)
    params = PairwiseParameters(J.astype(dtype), np.zeros(len(J), dtype))
    F, errors = estimated_free_energy(model, params, ROWS.astype(dtype), stream(0, "evaluation"))
    truth = [-log_sum(strength, pull * v.sum()) for v in ROWS]
    assert np.all(errors < 0.2)
    assert np.all(np.abs(F - truth) < 4.4 * errors + 1e-3)  # 1e-5 of the rows are further away


def test_rows_in_doubt_have_an_infinite_error_and_a_warning(monkeypatch):
    monkeypatch.setattr("ebm.likelihood.clamped.mixture_bound", lambda laws: (1e3, None))
    machine = BoltzmannMachine.from_couplings(block(1.0, 0.1), unit="spin", n_hidden=N_HIDDEN)
    machine.set_params(random_state=0)
    with pytest.warns(Warning, match="free energies of 2 rows are in doubt"):
        _, errors = machine.log_likelihood(ROWS[:2], return_std=True)
    assert np.all(np.isinf(errors))
