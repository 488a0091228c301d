"""Parallel tempering: copies of the chain along a path of energies, which exchange their states.

R replicas follow p_t at t_1 = 1 > t_2 > ... > t_R = 0 (:mod:`ebm.energies.path`). A sweep moves each of them and then
proposes to exchange the states x_r, x_s of the pairs of neighbours (1, 2), (3, 4), ... and (2, 3), (4, 5), ... in turn
(even and odd sweeps), each accepted with the probability

    min(1, exp[F_r(x_r) + F_s(x_s) - F_r(x_s) - F_s(x_r)]),

the other units being summed out. The product distribution of the replicas is left unchanged, and states reach t = 1 by
way of t = 0, where there are no barriers. Sources: Swendsen & Wang 1986; Geyer 1991; for restricted Boltzmann machines
Desjardins et al. 2010.

The ladder is adapted so that all pairs exchange equally often: with r(t) the rejections summed up from t = 1 to t, new
values are equal steps of r (Syed et al. 2022, section 5).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ebm._checks import Array, check_integer
from ebm._random import Key, fold, uniform
from ebm.energies.path import Path, path_to
from ebm.samplers.base import Draws, Sampler, Target

# Rejection counted beside what was seen, per pair: keeps neighbours apart where every exchange was accepted.
LEAST_REJECTION = 0.01


class Replicas(NamedTuple):
    """Replicas of independent chains.

    Attributes
    ----------
    x : ndarray of shape (n_temperatures * n_chains, units)
        States; the first n_chains rows follow the model.
    ladder : ndarray of shape (n_temperatures,)
        The values of t, from 1 down to 0.
    acceptance : ndarray of shape (n_temperatures - 1,)
        Sum of the probabilities of exchange of each pair of neighbours, averaged over the chains.
    proposals : ndarray of shape (n_temperatures - 1,)
        How often each pair was proposed; ``acceptance / proposals`` are the swap rates.
    n_sweeps : int
        Sweeps made so far: the position in the random stream, and which pairs are next.
    """

    x: Array
    ladder: Array
    acceptance: Array
    proposals: Array
    n_sweeps: int = 0


def replicas(path: Path, n_temperatures: int, n_chains: int, key: Key) -> Replicas:
    """Replicas that begin as draws from p_0, on a ladder of equal steps."""
    ladder = np.linspace(1.0, 0.0, n_temperatures)
    x = path.start(n_temperatures * n_chains, key)
    return Replicas(x, ladder, np.zeros(n_temperatures - 1), np.zeros(n_temperatures - 1))


def temper(
    path: Path,
    state: Replicas,
    key: Key,
    n_sweeps: int,
    *,
    n_moves: int = 1,
    given: Array | None = None,
    trace: Array | None = None,
) -> Replicas:
    """Sweep `n_sweeps` times: `n_moves` moves of all replicas, then exchanges.

    Parameters
    ----------
    path : Path
    state : Replicas
        Where the replicas stand; not modified.
    key : Key
        Sweep number s, counted by ``state.n_sweeps``, draws from ``fold(key, s)``.
    n_sweeps, n_moves : int
    given : ndarray of shape (n_chains, units), optional
        NaN where a unit is free; other entries are clamped in all replicas.
    trace : ndarray of shape (n_chains, n_sweeps), optional
        Is filled with the free energies of the states at t = 1 after each sweep.

    Returns
    -------
    Replicas
    """
    stages = [path.stage(t) for t in state.ladder]
    x, acceptance, proposals = state.x.copy(), state.acceptance.copy(), state.proposals.copy()
    n_chains = len(x) // len(stages)
    clamped = None if given is None else np.tile(given, (len(stages), 1))
    if clamped is not None:
        np.copyto(x, clamped, where=~np.isnan(clamped))
    inputs = path.inputs(x)
    for sweep in range(n_sweeps):
        sweep_key = fold(key, state.n_sweeps + sweep)
        for move in range(n_moves):
            x = path.move(x, inputs, stages, fold(sweep_key, move), given=clamped)
            inputs = path.inputs(x)
        parity = (state.n_sweeps + sweep) % 2 if len(stages) > 2 else 0
        # The keys of the moves have smaller numbers.
        exchange(path, stages, x, inputs, parity, fold(sweep_key, n_moves), acceptance)
        proposals[parity::2] += 1
        if trace is not None:
            trace[:, sweep] = path.energy(x[:n_chains], inputs[:n_chains])
    return Replicas(x, state.ladder, acceptance, proposals, state.n_sweeps + n_sweeps)


def exchange(
    path: Path,
    stages: Sequence[Any],
    x: Array,
    inputs: Array,
    parity: int,
    key: Key,
    acceptance: Array,
) -> None:
    """Exchange states, and the inputs that go with them, of every second pair of neighbours, in place.

    The mean probability of acceptance is added to `acceptance`.
    """
    n_chains = len(x) // len(stages)
    u = uniform(key, n_chains * len(stages)).reshape(len(stages), n_chains)
    for r in range(parity, len(stages) - 1, 2):
        rows = slice(r * n_chains, (r + 1) * n_chains)
        others = slice((r + 1) * n_chains, (r + 2) * n_chains)
        here, there = stages[r], stages[r + 1]
        log_ratio = path.gain(x[rows], inputs[rows], here, there)
        log_ratio += path.gain(x[others], inputs[others], there, here)
        acceptance[r] += np.exp(np.minimum(log_ratio, 0)).mean()
        accepted = np.flatnonzero(np.log(u[r]) < log_ratio)
        for array in (x, inputs):
            kept = array[rows][accepted]
            array[rows][accepted] = array[others][accepted]
            array[others][accepted] = kept


def swap_rates(state: Replicas) -> Array:
    """Mean probability of exchange of each pair of neighbours (n_temperatures - 1,); NaN where none was proposed."""
    tried = state.proposals > 0
    return np.where(tried, state.acceptance / np.where(tried, state.proposals, 1), np.nan)


def respaced(state: Replicas) -> Replicas:
    """The same states on a ladder that equalises the swap rates seen so far, with the record of them cleared.

    Unchanged where some pair was not proposed yet.
    """
    rates = swap_rates(state)
    if np.isnan(rates).any():
        return state
    barrier = np.append(0.0, np.cumsum(1 - rates + LEAST_REJECTION))
    wanted = np.linspace(0.0, barrier[-1], len(barrier))
    ladder = np.interp(wanted, barrier, state.ladder)
    ladder[0], ladder[-1] = 1.0, 0.0
    zero = np.zeros_like(state.acceptance)
    return Replicas(state.x, ladder, zero, zero.copy(), state.n_sweeps)


@dataclass(frozen=True, repr=False)
class Tempering(Sampler):
    """Sampling by parallel tempering: for distributions whose modes are too far apart for Gibbs sampling.

    Over the first half of the steps the ladder adapts, in rounds of doubling length. The second half keeps it fixed, so
    that the distribution of the samples is right.

    Parameters
    ----------
    n_temperatures : int, default=10
        Replicas per sample, each of which costs as much as a Gibbs chain; at least 2.
    adapt : bool, default=True
        Whether the ladder adapts, or stays one of equal steps.

    Notes
    -----
    The far end of the ladder is a distribution without weights whose units have the means of the training data, so that
    replicas there are independent draws near the data. Rates of exchange near zero say that there are too few replicas.

    References
    ----------
    .. [1] Swendsen, R. H. and Wang, J.-S. (1986). Replica Monte Carlo simulation of spin-glasses. Physical Review
       Letters 57, 2607-2609.
    .. [2] Geyer, C. J. (1991). Markov chain Monte Carlo maximum likelihood. Computing Science and Statistics:
       Proceedings of the 23rd Symposium on the Interface, 156-163.
    .. [3] Syed, S., Bouchard-Cote, A., Deligiannidis, G. and Doucet, A. (2022). Non-reversible parallel tempering: a
       scalable highly parallel MCMC scheme. Journal of the Royal Statistical Society: Series B 84, 321-350, section 5.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm import BernoulliRBM, Tempering
    >>> X = np.repeat([[0.0], [1.0]], 20, axis=0) * np.ones(4)
    >>> rbm = BernoulliRBM(n_components=2, n_iter=50, random_state=0).fit(X)
    >>> tempered = Tempering(n_temperatures=4)
    >>> V, diagnostics = rbm.sample(10, n_steps=50, sampler=tempered, return_diagnostics=True)
    >>> V.shape, diagnostics.swap_rates.shape
    ((10, 4), (3,))
    """

    n_temperatures: int = 10
    adapt: bool = True

    def __post_init__(self) -> None:
        check_integer(self.n_temperatures, "n_temperatures", 2)

    def draw(self, target: Target, v: Array, key: Key, n_steps: int) -> Draws:
        """Samples after `n_steps` sweeps; all replicas but those at t = 1 begin as draws from the base."""
        model, params, beta, given, base = target
        params = params if beta == 1 else model.tempered(params, beta)
        path = path_to(model, params, base)
        state = replicas(path, self.n_temperatures, len(v), fold(key, 0))
        if state.x.shape[1] != v.shape[1]:
            raise ValueError(
                "Parallel tempering exchanges the states of the layers of one color, and the visible layers of the "
                f"model have both colors: {state.x.shape[1]} of the {v.shape[1]} units of a chain. Use Gibbs sampling."
            )
        state.x[: len(v)] = v
        burn_in, length = n_steps // 2, 4 * self.n_temperatures
        trace = np.empty((len(v), n_steps - burn_in))  # first, for it may be too large
        while state.n_sweeps < burn_in:
            length = min(length, burn_in - state.n_sweeps)
            state = temper(path, state, fold(key, 1), length, given=given)
            state = respaced(state) if self.adapt else state
            length *= 2
        n_kept = n_steps - state.n_sweeps
        state = temper(path, state, fold(key, 1), n_kept, given=given, trace=trace)
        return Draws(state.x[: len(v)].copy(), trace, swap_rates(state), state.ladder)
