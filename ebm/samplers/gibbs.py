"""Gibbs sampling of pairwise models: one unit after the other, given all others as they are.

    s_i ~ p(s_i | all others),    log-odds of the higher state:  beta (high - low) (f_i + b_i),  f = J s

Each visit leaves p(s) unchanged, whatever the order of the visits, as long as it does not depend on the states:

- ``"cyclic"``: all units in their order, over and over;
- ``"random"``: all units in a fresh random order each sweep;
- ``"glauber"``: units drawn independently, n of them making a sweep: the dynamics of Glauber (1963), in which a flip
  has the probability 1 / (1 + exp(beta dE)).

Rows are independent chains that visit the units in one common order. Units held at given values (*clamped*) are
skipped, so that the others are sampled from their distribution given those values.
"""

import numpy as np

from ebm._arrays import is_sparse
from ebm._checks import Array
from ebm._kernels.sparse_sweeps import sparse_sweeps
from ebm._kernels.sweeps import HEAT_BATH
from ebm._random import Key, Reserved, choices, family, fold, permutation
from ebm.energies.couplings import NO_ENERGIES, fastest, neighbour_lists
from ebm.energies.couplings import visit as one_sweep
from ebm.energies.pairwise import Pairwise, PairwiseParameters, finite_beta
from ebm.samplers.base import averaged_halves, clamp, half_means, run_chain

VISITS = ("cyclic", "random", "glauber")
# Visits of one compiled call, to units in up to so many chains; between two of them the user can interrupt.
CALL_VISITS, FEW_CHAINS = 1 << 18, 8


def independent_states(
    model: Pairwise, params: PairwiseParameters, bias: Array | None, n_rows: int, key: Key
) -> Array:
    """States of independent units of these biases, or fair ones, for chains to start from."""
    bias = np.zeros_like(params.bias) if bias is None else bias
    return model.unit.sample(
        model.layer_params(bias), np.zeros((n_rows, len(bias)), bias.dtype), key
    )


def gibbs(
    model: Pairwise,
    params: PairwiseParameters,
    s: Array,
    key: Key,
    n_sweeps: int,
    *,
    beta: float = 1.0,
    given: Array | None = None,
    visit: str = "cyclic",
    trace: Array | None = None,
) -> Array:
    """Sweep `n_sweeps` times from the states `s` (chains, n_units), which are not modified.

    Parameters
    ----------
    model, params : Pairwise, PairwiseParameters
        The distribution to sample from.
    s : ndarray of shape (chains, n_units)
        Where the chains start.
    key : Key
        Sweep t draws from ``fold(key, t)``.
    n_sweeps : int
        Sweeps; each visits as many units as there are, or as are free in some chain.
    beta : float
        Inverse temperature.
    given : ndarray of shape (chains, n_units), optional
        NaN where a unit is free; other entries are clamped, bit for bit.
    visit : {"cyclic", "random", "glauber"}
        In which order.
    trace : ndarray of shape (chains, n_sweeps), optional
        Is filled with beta E(s) after each sweep.

    Returns
    -------
    ndarray of shape (chains, n_units)
    """
    betas = np.broadcast_to(np.array([float(beta)]), n_sweeps)
    s = sweep_at(model, params, s, betas, key, given, visit, trace)
    if trace is not None:
        trace *= beta
    return s


def sweep_at(
    model: Pairwise,
    params: PairwiseParameters,
    s: Array,
    betas: Array,
    key: Key,
    given: Array | None = None,
    visit: str | Array = "cyclic",
    energies: Array | None = None,
    rule: int = HEAT_BATH,
) -> Array:
    """One sweep at each of the inverse temperatures `betas` (n_sweeps,).

    Sweep t draws from ``fold(key, t)``, and the order of its visits from key number t of those that
    :attr:`ebm._random.Reserved.VISIT_ORDER` reserves. `energies` (chains, n_sweeps) is filled with E(s) after each
    sweep; `rule` is that of :func:`ebm._kernels.sweeps.sweep`, `visit` may be the order of all sweeps itself; the rest
    as in :func:`gibbs`.
    """
    params, units = params._replace(J=fastest(params.J)), visited(params, given)
    s, dtype = clamp(s, given), params.J.dtype
    states = np.array(s.T, dtype, order="C")
    free = np.zeros((0, 0), bool) if given is None else np.ascontiguousarray(np.isnan(given).T)
    hottest = (
        betas[:1] if betas.strides == (0,) else betas
    )  # one that stands for all may stand for very many
    most = finite_beta(params, hottest.max(initial=0))
    walk_some = _sparse_sweeps if is_sparse(params.J) else _dense_sweeps
    step = max(1, CALL_VISITS // max(1, len(units) * len(s) // FEW_CHAINS))
    for start in range(0, len(betas), step):
        some = slice(start, start + step)
        gains = np.minimum(betas[some], most).astype(dtype)
        orders = _orders(units, visit, family(key, Reserved.VISIT_ORDER.number + start, len(gains)))
        out = None if energies is None else energies[:, some]
        keys = family(key, start, len(gains))
        walk_some(model, params, states, (gains, free, rule), orders, keys, out)
    out = np.ascontiguousarray(states.T)
    if given is not None:
        np.copyto(out, given, where=~np.isnan(given))  # with the signs of zeros
    return out


def _orders(units: Array, visit: str | Array, keys: Array) -> Array:
    """The order of each sweep (n_sweeps, n_visits), or one for all."""
    if isinstance(visit, np.ndarray):
        return visit[np.newaxis]
    if visit == "cyclic":
        return units[np.newaxis]
    return np.stack([visits(units, visit, Key(*map(int, key))) for key in keys])


def _sparse_sweeps(
    model: Pairwise,
    params: PairwiseParameters,
    states: Array,
    conditions: tuple[Array, Array, int],
    orders: Array,
    keys: Array,
    energies: Array | None,
) -> None:
    """All sweeps in one call."""
    (gains, free, rule), (low, high) = conditions, model.unit.states or ()
    same = bool((gains == gains[0]).all())  # then one distribution stands for all
    gains = gains[: 1 if same else len(gains), np.newaxis]
    law = gains, gains[:, :, np.newaxis] * params.bias, low, high
    out = NO_ENERGIES if energies is None else np.empty(energies.T.shape)
    moved = np.zeros(states.shape[1], states.dtype)
    lists, measured = neighbour_lists(params.J), (params.bias, out)
    sparse_sweeps(lists, law, rule, states, orders, free, (keys, 0), moved, measured)
    if energies is not None:
        energies[:] = out.T


def _dense_sweeps(
    model: Pairwise,
    params: PairwiseParameters,
    states: Array,
    conditions: tuple[Array, Array, int],
    orders: Array,
    keys: Array,
    energies: Array | None,
) -> None:
    """Sweep after sweep, with matrix products in between."""
    (gains, free, rule), (low, high) = conditions, model.unit.states or ()
    moved = np.zeros(states.shape[1], states.dtype)
    for t, (word0, word1) in enumerate(keys.tolist()):
        law = gains[t : t + 1], (gains[t] * params.bias)[np.newaxis], low, high
        order = orders[min(t, len(orders) - 1)]
        one_sweep(params.J, law, rule, states, order, free, (word0, word1, 0), moved)
        if energies is not None:
            energies[:, t] = model.energy(params, np.ascontiguousarray(states.T))


@run_chain.register
def _(
    model: Pairwise,
    params: PairwiseParameters,
    x: Array,
    key: Key,
    n_steps: int,
    *,
    beta: float = 1.0,
    given: Array | None = None,
    trace: Array | None = None,
) -> Array:
    """Cyclic sweeps."""
    return gibbs(model, params, x, key, n_steps, beta=beta, given=given, trace=trace)


@half_means.register
def _(
    model: Pairwise,
    params: PairwiseParameters,
    s: Array,
    key: Key,
    n_steps: int,
    given: Array,
    *,
    beta: float = 1.0,
) -> tuple[Array, Array]:
    """The mean of each unit given all others is averaged."""
    params = params._replace(J=fastest(params.J))
    state, layer_params = clamp(s, given), model.layer_params(params.bias)

    def once(half: int, step: int) -> Array:
        nonlocal state
        key_of_step = fold(fold(key, half), step)
        state = gibbs(model, params, state, key_of_step, 1, beta=beta, given=given)
        return model.unit.mean(layer_params, model.inputs(params, state), beta)

    return averaged_halves(n_steps, once, given, s.dtype)


def visited(params: PairwiseParameters, given: Array | None) -> Array:
    """Numbers of the units that are free in some chain."""
    if given is None:
        return np.arange(len(params.bias))
    return np.flatnonzero(np.isnan(given).any(axis=0))


def visits(units: Array, visit: str, key: Key) -> Array:
    """One sweep's order of the `units`."""
    if visit == "cyclic":
        return units
    draw = {"random": permutation, "glauber": choices}.get(visit)
    if draw is None:
        raise ValueError(f"visit must be one of {VISITS}. Got {visit!r} instead.")
    order: Array = units[draw(key, len(units))]
    return order
