"""Free energies of rows whose hidden units cannot be summed out, by annealing the hidden units with the row clamped.

    log sum_h exp(-E(v, h)) = log Z of the hidden units in the fields of v,

a pairwise model of its own for every row, with modes of its own. It is annealed from the mixture of product
distributions around these (:mod:`ebm.likelihood.routes`), and compared with the lower bound from the modes. If the
estimate of a row lies below the bound by more than its error, the bound is returned instead, with an infinite error.
The estimate of the sum has no bias; its logarithm errs downwards.
"""

import numpy as np

from ebm._checks import Array
from ebm._random import Key, Reserved, fold
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.energies.pairwise_sums import visible_energy
from ebm.likelihood.ais import half_width
from ebm.likelihood.base import LogPartition
from ebm.likelihood.modes import mixture_bound, modes
from ebm.likelihood.routes import N_RUNS, by_modes, coin_path, mixture_fields

# Of the two passes.
N_TEMPERATURES = (100, 300)


def annealed_free_energy(
    model: Pairwise, params: PairwiseParameters, v: Array, key: Key, n_jobs: int | None = None
) -> tuple[Array, Array]:
    """F(v) and its standard error for each row of `v` (rows, n_visible): two arrays (rows,) in double precision."""
    n, hidden = v.shape[1], Pairwise(model.unit)
    J = np.ascontiguousarray(params.J[n:, n:])
    values, errors = np.empty(len(v)), np.empty(len(v))
    for row, field in enumerate(model.given_visible(params, v)):
        conditional = PairwiseParameters(J, field)
        z = _annealed(
            hidden, conditional, fold(fold(key, Reserved.CLAMPED_ROWS.number), row), n_jobs
        )
        values[row], errors[row] = -z.value, z.standard_error
    return visible_energy(params, v.astype(np.float64)) + values, errors


def _annealed(
    hidden: Pairwise, params: PairwiseParameters, key: Key, n_jobs: int | None
) -> LogPartition:
    """Log Z of the hidden units, at least the bound of their modes."""
    laws = modes(hidden, params)
    fields, path = mixture_fields(hidden, params, laws, None), coin_path(hidden, params)
    value, error, size = by_modes(path, fields, 0.0, key, n_jobs, N_TEMPERATURES)
    width = half_width(error, N_RUNS)
    found = LogPartition(value, error, (value - width, value + width), "ais", size)
    return found.at_least(mixture_bound(laws)[0])
