"""Expectations given known values: exact where few units have to be summed, otherwise averages of chains that agree.

Where :mod:`ebm.energies.incomplete` sums out the unknown units there is no error. Elsewhere every row has several
chains, from starts that are as far apart as the units allow. They are all low and all high, coins, and states that the
weights prefer, each with its opposite. Chains of one mode agree with each other and not with those of another, so the
error is estimated from their differences. With the averages m_c of C chains over their second halves and their mean m,

    B = sum_c (m_c - m)^2 / (C - 1),        standard error = sqrt(B / C).

B of the first halves is computed, too, and the larger one counts. A mode of small weight is visited by chains that
start in it, and left before the second half begins. Chains that forget their start have B = V / n_eff, where V is the
variance of the unit and n_eff the effective number of independent draws. Chains that stay where they are have B = V.
They are taken to agree if B is below V / 10 for every unit: the criterion of Gelman & Rubin (1992) with a threshold of
about 1.05. V is known from the mean, (m - low) (high - m) for two states; of Gaussian units it is at least the variance
given the hidden ones. Rows whose chains do not agree start anew with twice as many steps, twice; after that they are
reported.
"""

from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np

from ebm._checks import Array
from ebm._random import Key, fold, normal, uniform
from ebm.energies.base import Model
from ebm.energies.belief_network import BeliefNetwork
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.couplings import dense_couplings
from ebm.energies.incomplete import Gaps, gaps, patterns
from ebm.energies.layer_graph import EVEN, ODD
from ebm.energies.layers import LayeredModel, LayeredParameters
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.samplers.base import half_means
from ebm.units import Unit

# Chains of a row, each start with its opposite.
N_CHAINS = 8
# The steps are doubled so many times.
N_DOUBLINGS = 2
# B / V up to which chains agree, and what is always small enough, as a part of the gap between two states.
AGREEMENT, NEGLIGIBLE = 0.1, 0.01
# Numbers that all exact sums of one call may evaluate together: half a minute at most.
MAX_WORK = 2.0**31
# Numbers in the states of chains that walk together.
STATES = 1 << 21


class Expectation(NamedTuple):
    """Expectations of rows of units.

    Attributes
    ----------
    mean : ndarray of shape (rows, units)
        Known values bit for bit, and E[x | known] of the others.
    standard_error : ndarray of shape (rows, units)
        Zero where exact or known.
    agreed : ndarray of bool, shape (rows,)
        False where the chains of a row still disagree.
    """

    mean: Array
    standard_error: Array
    agreed: Array


def expectation(
    model: Model, params: Any, given: Array, start: Array, key: Key, n_steps: int
) -> Expectation:
    """E[x | given] of the visible units of each row.

    Parameters
    ----------
    model, params : Bipartite, Pairwise or BeliefNetwork, and its parameters
    given : ndarray of shape (rows, units)
        NaN where unknown; the units are those that a walk renews, hidden ones of a pairwise model included.
    start : ndarray of shape (rows, units)
        Draws of an easy distribution, from which one of the chains starts.
    key : Key
    n_steps : int
        Steps of each chain in the first attempt.

    Returns
    -------
    Expectation
        Of the rows of `given`, without the hidden units of a pairwise model.
    """
    n = given.shape[1] - model.n_hidden_walked
    visible = given[:, :n]
    mean, error = visible.copy(), np.zeros(visible.shape)
    agreed = np.ones(len(given), bool)
    sampled = np.zeros(len(given), bool)
    for rows, prepared in _planned(model, params, visible):
        if prepared is None:
            sampled[rows] = True
        else:
            means = prepared.sums(visible[rows].astype(np.float64)).means
            mean[rows] = np.where(np.isnan(visible[rows]), means, visible[rows])
    if sampled.any():
        found = sampled_expectation(model, params, given[sampled], start[sampled], key, n_steps)
        mean[sampled], error[sampled] = found.mean[:, :n], found.standard_error[:, :n]
        agreed[sampled] = found.agreed
    return Expectation(mean, error, agreed)


def _planned(model: Model, params: Any, visible: Array) -> list[tuple[Array, Gaps | None]]:
    """Numbers of the rows of each pattern of gaps, with their exact sums if all of these are quick."""
    plans = []
    for unknown, rows in patterns(visible):
        if unknown.any():
            prepared = gaps(model, params, unknown)
            work = 0.0 if prepared is None else prepared.work + len(rows) * prepared.row_work
            plans.append((work, rows, prepared))
    total, out = 0.0, []
    for work, rows, prepared in sorted(plans, key=lambda plan: plan[0]):
        total += work
        out.append((rows, prepared if total <= MAX_WORK else None))
    return out


def sampled_expectation(
    model: Model, params: Any, given: Array, start: Array, key: Key, n_steps: int
) -> Expectation:
    """The averages of chains, of all units; arguments as those of :func:`expectation`."""
    mean, error = np.array(given), np.zeros(given.shape)
    agreed = np.zeros(len(given), bool)
    for attempt in range(N_DOUBLINGS + 1):
        left = np.flatnonzero(~agreed)
        step = max(1, STATES // (N_CHAINS * given.shape[1]))
        for block, first in enumerate(range(0, len(left), step)):
            rows, once = left[first : first + step], fold(fold(key, attempt), block)
            halves = _chains(model, params, given[rows], start[rows], once, n_steps << attempt)
            mean[rows] = halves[1].mean(axis=1)
            between = np.maximum(*(half.var(axis=1, ddof=1) for half in halves))
            error[rows] = np.sqrt(between / N_CHAINS)
            agreed[rows] = _agree(model, params, mean[rows], between)
    known = ~np.isnan(given)
    mean[known], error[known] = given[known], 0
    return Expectation(mean, error, agreed)


def _chains(
    model: Model, params: Any, given: Array, start: Array, key: Key, n_steps: int
) -> tuple[Array, Array]:
    """Averages over both halves of the chains of each row: (rows, chains, units) in double precision."""
    starts = dispersed_starts(model, params, start, fold(key, 0))
    x = starts.swapaxes(0, 1).reshape(-1, given.shape[1])
    x = np.ascontiguousarray(x, given.dtype)
    clamped = np.repeat(given, N_CHAINS, axis=0)
    first, second = half_means(model, params, x, fold(key, 1), n_steps, clamped)
    shape = len(given), N_CHAINS, -1
    return first.reshape(shape).astype(np.float64), second.reshape(shape).astype(np.float64)


def _agree(model: Model, params: Any, mean: Array, between: Array) -> Array:
    """Whether the chains of each row agree on all units."""
    agreed, at = np.ones(len(mean), bool), 0
    for unit, layer_params in model.walk_layers(params):
        columns = slice(at, at + len(layer_params.bias))
        first, second, *_ = unit.states or (0.0, 1.0)
        least = unit.least_variance(layer_params, mean[:, columns])
        allowed = AGREEMENT * least + (NEGLIGIBLE * (second - first)) ** 2
        agreed &= (between[:, columns] <= allowed).all(axis=1)
        at = columns.stop
    return agreed


# Starts ---------------------------------------------------------------------------------------------------


@singledispatch
def dispersed_starts(model: Model, params: Any, start: Array, key: Key) -> Array:
    """Starts that are far from each other: (N_CHAINS, rows, units), the first of them `start` (rows, units)."""
    raise TypeError(f"There are no starts for {model!r}.")


@dispersed_starts.register
def _(model: Pairwise, params: PairwiseParameters, start: Array, key: Key) -> Array:
    """`start`, all low, coins, the signs of a random unit's couplings; and the opposite of each."""
    low, high = model.unit.states or ()
    chosen = (uniform(fold(key, 1), len(start)) * start.shape[1]).astype(int)
    preferred = np.where(dense_couplings(params.J[chosen]) > 0, high, low)
    preferred[np.arange(len(start)), chosen] = high
    some = [
        start,
        np.full(start.shape, low),
        coins(model.unit, start.shape, fold(key, 0)),
        preferred,
    ]
    return np.stack([y for x in some for y in (x, low + high - x)])


@dispersed_starts.register
def _(model: Bipartite, params: BipartiteParameters, start: Array, key: Key) -> Array:
    """`start` and its opposite, and what follows from hidden units all low, of coins, one high; and their opposites."""
    unit = model.hidden
    shape = (len(start), params.W.shape[1])
    dtype = params.W.dtype
    low, high = (np.broadcast_to(x, shape) for x in unit.span(params.hidden))
    single, chosen = low.copy(), (uniform(fold(key, 1), len(start)) * shape[1]).astype(int)
    rows = np.arange(len(start))
    single[rows, chosen] = high[rows, chosen]
    layer_params = None if unit.has_scale else params.hidden  # states of these come as deviations
    hidden = [low, coins(unit, shape, fold(key, 0), layer_params), single]
    both = [y for h in hidden for y in (h, low + high - h)]
    scale = unit.scale(params.hidden)
    from_hidden = []
    for number, h in enumerate(both):
        states = h if scale is None else params.hidden.bias + h * np.sqrt(scale)
        inputs = model.visible_input(params, np.ascontiguousarray(states, dtype))
        drawn = model.visible.sample(params.visible, inputs, fold(key, 2 + number))
        from_hidden.append(drawn)
    return np.stack([start, _opposite(model.visible, params.visible, start), *from_hidden])


@dispersed_starts.register
def _(model: LayeredModel, params: LayeredParameters, start: Array, key: Key) -> Array:
    """`start` and its opposite, and what follows from odd layers all low, of coins, one high; and their opposites."""
    rows, layers = len(start), [(model.layers[k], params.layers[k]) for k in model.members[ODD]]
    low, high = (
        np.hstack(
            [np.tile(_ends(x.unit, layer_params)[end], (rows, 1)) for x, layer_params in layers]
        )
        for end in (0, 1)
    )
    chosen = (uniform(fold(key, 1), rows) * low.shape[1]).astype(int)
    single = low.copy()
    single[np.arange(rows), chosen] = high[0, chosen]
    heads = uniform(fold(key, 0), low.size).reshape(low.shape) < 0.5
    starts = [
        start,
        np.hstack(
            [_opposite(u, layer_params, x) for u, layer_params, x in _columns(model, params, start)]
        ),
    ]
    for number, odd in enumerate((low, np.where(heads, low, high), single)):
        for side, states in enumerate((odd, low + high - odd)):
            x = states.astype(start.dtype)
            even = model.sample(params, EVEN, x, fold(key, 2 + 2 * number + side))
            starts.append(model.chain_states(even, x))
    return np.stack(starts)


def _columns(
    model: LayeredModel, params: LayeredParameters, x: Array
) -> list[tuple[Unit, Any, Array]]:
    """Type, own parameters and states of each layer in states of chains."""
    return [(model.layers[k].unit, params.layers[k], part) for k, part in model.split(x).items()]


def _ends(unit: Unit, layer_params: Any) -> tuple[Array, Array]:
    """A low and a high state of each unit (units,), which are far apart."""
    scale, (low, high) = unit.scale(layer_params), unit.span(layer_params)
    if scale is not None:
        low, high = (layer_params.bias + end * np.sqrt(scale) for end in (low, high))
    return np.zeros_like(layer_params.bias) + low, np.zeros_like(layer_params.bias) + high


@dispersed_starts.register
def _(model: BeliefNetwork, params: Any, start: Array, key: Key) -> Array:
    """`start`, all low, and coins twice, and the opposites, of the data's units; `start` for the others."""
    if not params.down:
        return dispersed_starts(model.top_model, params.top, start, key)
    data = model.split(start)[0]
    unit, layer_params = model.visible, params.down[0].params
    low = np.broadcast_to(0.0 if unit.has_scale else unit.span(layer_params)[0], data.shape)
    some = [data, low, *(coins(unit, data.shape, fold(key, k), layer_params) for k in range(2))]
    out = np.repeat(start[np.newaxis], N_CHAINS, axis=0)
    out[:, :, : data.shape[1]] = [y for x in some for y in (x, _opposite(unit, layer_params, x))]
    return out


def coins(unit: Unit, shape: tuple[int, ...], key: Key, layer_params: Any = None) -> Array:
    """Each unit in one of its states or, if real, three standard deviations from its bias (or from zero) on average."""
    rows, columns = shape
    if unit.has_scale:
        deviates = 3 * normal(key, (rows, columns))
        scale = None if layer_params is None else unit.scale(layer_params)
        return deviates if scale is None else layer_params.bias + deviates * np.sqrt(scale)
    low, high = unit.span(layer_params)
    states: Array = np.where(uniform(key, rows * columns).reshape(shape) < 0.5, low, high)
    return states


def _opposite(unit: Unit, layer_params: Any, x: Array) -> Array:
    """The other states or, of real units, as far on the other side of the bias; groups stay as they are."""
    if unit.states is not None:
        flipped: Array = unit.states[0] + unit.states[-1] - x
        return flipped
    if not unit.has_scale:
        return x
    mirrored: Array = 2 * layer_params.bias - x
    return mirrored
