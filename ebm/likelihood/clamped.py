"""Free energies of rows whose hidden units cannot be summed out, by annealing the hidden units with the row clamped.

    log sum_h exp(-E(v, h)) = log Z of the hidden units in the fields of v,

a pairwise model of its own for every row. It is annealed from the product law that is nearest to it (naive mean field),
so that few temperatures do. The estimate of the sum has no bias; its logarithm errs downwards.
"""

import numpy as np

from ebm._checks import Array
from ebm._random import Key, fold
from ebm.energies.couplings import dense
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.energies.pairwise_path import PairwisePath
from ebm.energies.pairwise_sums import visible_energy
from ebm.inference.hidden_means import completed
from ebm.likelihood.ais import log_mean, temperatures
from ebm.samplers.annealing import anneal

N_TEMPERATURES, N_RUNS = 300, 100
# Rows of data count up from here in the key: beyond the attempts at log Z.
ROWS = 1 << 42


def annealed_free_energy(
    model: Pairwise, params: PairwiseParameters, v: Array, key: Key, n_jobs: int | None = None
) -> tuple[Array, Array]:
    """F(v) and its standard error for each row of `v` (rows, n_visible): two arrays (rows,) in double precision."""
    n, schedule = v.shape[1], temperatures("sigmoid", N_TEMPERATURES)
    hidden = Pairwise(model.unit)
    J = np.ascontiguousarray(dense(params.J[n:, n:]))
    fields, means = model.given_visible(params, v), completed(model, params, v)[:, n:]
    values, errors = np.empty(len(v)), np.empty(len(v))
    for row, (field, mean) in enumerate(zip(fields, means, strict=True)):
        path = PairwisePath(hidden, PairwiseParameters(J, field), mean @ J + field)
        particles = anneal(path, schedule, N_RUNS, fold(fold(key, ROWS), row), n_jobs)
        log_ratio, errors[row], _ = log_mean(particles.log_weights)
        values[row] = -(path.log_z + log_ratio)
    return visible_energy(params, v.astype(np.float64)) + values, errors
