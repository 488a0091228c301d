"""Small data sets whose law is known exactly."""

from __future__ import annotations

import numpy as np
from scipy import linalg

from tests.oracles.rbm import all_states, state_index


def bars_and_stripes(n):
    """Every n x n image of full rows, then every one of full columns: 2^(n+1) binary rows.

    The all-0 and the all-1 image are both, so the set holds each of them twice.
    """
    images = []
    for lit in all_states(n):
        images.append(np.repeat(lit, n))
    for lit in all_states(n):
        images.append(np.tile(lit, n))
    return np.array(images)


def best_log_likelihood(X):
    """The largest possible sum of log p(v) over binary rows: p(v) is the share of v in X."""
    counts = np.bincount(state_index(X))
    counts = counts[counts > 0]
    return np.sum(counts * np.log(counts / len(X)))


def transverse_field_ising(n_sites, coupling=1.0, field=1.0):
    """The ground state of the open chain H = -J sum sz_i sz_i+1 - h sum sx_i, seen in sz.

    Returns its energy and the probabilities |psi|^2 of the 2^n_sites states of sz, in the order
    of `all_states`, a bit of 1 standing for sz = +1. In this basis sz is a number and sx flips
    one site: H has -J sum s_i s_i+1 on the diagonal and -h between states one flip apart.
    """
    states = all_states(n_sites)
    H = np.zeros((len(states), len(states)))
    for k, bits in enumerate(states):
        spins = 2 * bits - 1
        H[k, k] = -coupling * np.sum(spins[:-1] * spins[1:])
        for i in range(n_sites):
            flipped = bits.copy()
            flipped[i] = 1 - bits[i]
            H[k, state_index(flipped)] = -field
    energies, vectors = linalg.eigh(H, subset_by_index=[0, 0])
    return energies[0], vectors[:, 0] ** 2


def sample_states(probabilities, n_samples, rng):
    """Independent binary rows from a table of probabilities in the order of `all_states`."""
    n_units = len(probabilities).bit_length() - 1
    index = rng.choice(len(probabilities), size=n_samples, p=probabilities / probabilities.sum())
    return all_states(n_units)[index]
