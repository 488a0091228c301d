"""Numbers that any right implementation must reproduce, with the models they belong to."""

from __future__ import annotations

import numpy as np

from tests.oracles.rbm import OracleRBM

# A Bernoulli RBM with 4 + 4 units, trained on the 2 x 2 bars and stripes.
RBM_4_4 = OracleRBM(
    W=np.array(
        [
            [0.12179488, 2.95950177, 0.33513356, 35.05380642],
            [0.20318085, -28.62372894, 26.52611278, 28.41793445],
            [-0.19105386, -28.58530584, -26.52747507, 28.78447320],
            [0.08953740, -59.82556859, -0.06665933, -27.71723459],
        ]
    ),
    b=np.array([-19.24399659, -13.26258696, 13.25909850, 43.74408543]),
    c=np.array([-0.11155958, 57.02097584, -0.13331758, -32.25991501]),
)
# The log-partition of the parameters as they are printed here, from 60-digit arithmetic, and the
# published one. These differ by 7.4e-9, which is what rounding the parameters to 8 decimals does.
RBM_4_4_LOG_PARTITION = 59.674901965210510
RBM_4_4_LOG_PARTITION_PUBLISHED = 59.6749019726
RBM_4_4_DATA = np.array(
    [
        [0, 0, 0, 0],
        [0, 0, 0, 0],
        [1, 1, 1, 1],
        [1, 1, 1, 1],
        [0, 0, 1, 1],
        [1, 1, 0, 0],
        [1, 0, 1, 0],
        [0, 1, 0, 1],
    ],
    dtype=float,
)
RBM_4_4_MEAN_LOG_LIKELIHOOD = -1.7328699078

# An RBM with 2 Gaussian visible units of variance 1 and 2 Bernoulli hidden units.
GAUSSIAN_RBM_2_2 = OracleRBM(
    W=np.array([[0.12179488, 2.95950177], [0.20318085, -28.62372894]]),
    b=np.array([-19.24399659, -13.26258696]),
    c=np.array([-0.11155958, 57.02097584]),
    z=np.zeros(2),
)
GAUSSIAN_RBM_2_2_LOG_PARTITION = 795.5691851873
GAUSSIAN_RBM_2_2_ENERGIES = (  # v, h, E(v, h)
    (np.array([0.98, -0.56]), np.array([0.0, 1.0]), 209.23230099),
    (np.array([-0.3, 0.8]), np.array([1.0, 1.0]), 245.06709061),
)

# The largest possible sum of log-likelihoods of the n x n bars and stripes. Of the N = 2^(n+1)
# images two come twice and the others once: 4 log(2 / N) + (N - 4) log(1 / N).
BARS_AND_STRIPES_BEST = {2: -13.862944, 3: -41.588831, 4: -108.130960}

# The Hopfield network with Hebb's J = x x' without 1/N and a zero diagonal, E = -s'Js / 2, for
# one pattern x given in bits: the energy at x, at its complement and at all-zeros.
HOPFIELD_PATTERN = np.array([1, 0, 0, 1, 1, 0, 0])
HOPFIELD_ENERGY_PATTERN = -21.0
HOPFIELD_ENERGY_COMPLEMENT = -21.0
HOPFIELD_ENERGY_ZEROS = 3.0

# The ground-state energy of the open transverse-field Ising chain of 10 sites with J = h = 1.
ISING_CHAIN_10_ENERGY = -12.381489999655

# The Ising model on L x L tori, J = 1, E = -sum over bonds, states -1 and +1: (L, beta, log Z, <E> per spin), the
# energy where it is known. The second temperature is the critical one of the infinite lattice, log(1 + sqrt 2) / 2.
CRITICAL_BETA = 0.4406867935
ISING_TORI = (
    (3, 0.2, 6.66974460, None),
    (4, CRITICAL_BETA, 15.52191546, -1.565624),
    (8, CRITICAL_BETA, 60.14178079, -1.491589),
)

# Deep Boltzmann machines: chains of layers with W_l ~ N(0, 1) of shape (n_l, n_(l+1)) from the bottom up, then biases
# ~ N(0, 0.5) from the bottom up, of numpy.random.default_rng(seed): (unit, seed, sizes, log Z, log p of all units low,
# log p of all units high).
DEEP_CHAINS = (
    ("bernoulli", 7, (4, 3, 2), 4.6684174792, -2.0382562662, -4.0404085531),
    ("bernoulli", 8, (5, 4, 3, 2), 13.0943739704, -5.3637869121, None),
    ("spin", 9, (4, 3, 3), 16.8446623912, -8.7868938392, -5.8954752921),
)

# W (3, 2), b (3), c (2), drawn in that order with the standard deviation .5 from numpy.random.default_rng(5): counts
# over two bits, Poisson or of 4 trials; log Z, and log p of the counts 0, 1, 3.
COUNTS_OVER_BITS = (
    ("poisson", 5.4422132618, -3.0378587412),
    ("binomial", 10.2536884990, -3.2849857870),
)


def mixed_columns():
    """Columns of two bits, a group of three, a Poisson count, and a number of unit variance, on 3 binary hidden units.

    W (7, 3), b (7) and c (3), all normal with standard deviation 0.5; log Z; and rows with their log-densities.
    """
    rng = np.random.default_rng(3)
    W, b, c = rng.normal(0, 0.5, (7, 3)), rng.normal(0, 0.5, 7), rng.normal(0, 0.5, 3)
    rows = (
        ((1, 0, 0, 1, 0, 2, 0.5), -3.7038324112),
        ((0, 1, 1, 0, 0, 0, -1.2), -8.1904556976),
    )
    return W, b, c, 8.9271177272, rows
