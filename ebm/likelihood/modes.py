"""Modes of a model, and a lower bound of log Z from them.

A product distribution q of all units, whose layers have the inputs f, bounds log Z from below by L = -E_q[E] + S(q),
the naive mean field. Distributions around several modes give one bound together. For the mixture of q_1, ..., q_K with
the weights w,

    log Z >= sum_k w_k (L_k - log sum_l w_l BC_kl),      BC_kl = sum_x sqrt(q_k(x) q_l(x)),

where BC, the Bhattacharyya coefficients, bound the entropy of the mixture (Kolchinsky & Tracey 2017, equation 13). Both
are true of any distributions and weights, so nothing has to converge. For product distributions of one exponential
family

    log BC_kl = A((f_k + f_l) / 2) - (A(f_k) + A(f_l)) / 2,      summed over the layers.

The distributions come from ascents from many starts: random states, short chains of the model and their flips, the
signs of each unit's weights. Further starts are the leading singular directions, all units on or off, and rows of data.
An estimate of log Z below the bound has missed a mode. The reverse does not hold: a mode to which no start leads is in
neither.
"""

from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np

from ebm._checks import Array
from ebm._flat import in_double
from ebm._kernels.sweeps import THRESHOLD
from ebm._random import Key, Reserved, fold, stream
from ebm.energies.base import Model
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.couplings import dense_couplings, fastest, visit
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.energies.pairwise_path import swept
from ebm.inference.pairwise_mean_field import pairwise_mean_field, variational_free_energy
from ebm.units import Unit

COINS, PILOTS, PILOT_STEPS = 64, 32, 32
# Of the units, the most strongly connected give starts; as many leading directions; as many rows of data.
MOST_UNITS, DIRECTIONS, MOST_ROWS = 32, 4, 32
ASCENTS, SWEEPS = 30, 30
# Ends of ascents that go on to the mean field, and distributions that are kept.
CANDIDATES, MOST_LAWS = 128, 64
# Two distributions that overlap by more are one mode.
SAME = 0.5
# A field that decides a unit, in units of the largest one.
DECIDED = 1e3
EDGE = 1e-12  # of probabilities, so that their log-odds are finite
KEY = fold(stream(0, "evaluation"), Reserved.MODES.number)
WEIGHT_STEPS = 30


class Laws(NamedTuple):
    """Product distributions around modes, the best bound first.

    Attributes
    ----------
    inputs : tuple of ndarray of shape (distributions, units)
        Of each layer's units.
    bounds : ndarray of shape (distributions,)
        Lower bounds L of log Z.
    overlaps : ndarray of shape (distributions, distributions)
        Bhattacharyya coefficients.
    """

    inputs: tuple[Array, ...]
    bounds: Array
    overlaps: Array


@singledispatch
def modes(model: Model, params: Any, rows: Array | None = None, key: Key = KEY) -> Laws:
    """Product distributions around the modes of the model, at most 64; `rows` (rows, n_visible) are more states to
    start at.
    """
    raise TypeError(f"There is no search for the modes of {model!r}: an energy registers its own.")


@modes.register
def _(
    model: Pairwise, params: PairwiseParameters, rows: Array | None = None, key: Key = KEY
) -> Laws:
    J, bias = (x.astype(np.float64) for x in params)
    params = PairwiseParameters(fastest(J), bias)
    states = _pairwise_starts(model, params, key)
    if rows is not None:
        states = np.vstack([states, _completed(rows, params.bias)])
    m = _ascended(model, params, _distinct(states))
    m = m[np.argsort(model.energy(params, m), kind="stable")[:CANDIDATES]]
    m = pairwise_mean_field(model, params, m, np.arange(m.shape[1]), n_sweeps=SWEEPS).m
    low, high = model.unit.states or ()
    p = np.clip((m - low) / (high - low), EDGE, 1 - EDGE)
    inputs = np.log(p / (1 - p)) / (high - low) - params.bias
    m = model.unit.mean(model.layer_params(params.bias), inputs)
    bounds = -variational_free_energy(model, params, m)
    return kept_laws([(model.unit, model.layer_params(params.bias), inputs)], bounds)


def _pairwise_starts(model: Pairwise, params: PairwiseParameters, key: Key) -> Array:
    """States (starts, n_units)."""
    n = len(params.bias)
    low, high = model.unit.states or ()
    coins = model.unit.sample(model.layer_params(np.zeros(n)), np.zeros((COINS, n)), fold(key, 0))
    pilots, law = coins[:PILOTS], (np.ones(1), params.bias[np.newaxis])
    for step in range(PILOT_STEPS):
        pilots = swept(model, params.J, law, pilots, np.arange(n), fold(key, step + 1))
    fields = _directions(params.J, params.bias)
    decided = np.where(fields > 0, high, low)
    return np.vstack([coins, pilots, low + high - pilots, decided])


def _completed(rows: Array, bias: Array) -> Array:
    """Some `rows` of visible states, the hidden ones undecided."""
    known = rows[:: max(1, len(rows) // MOST_ROWS)][:MOST_ROWS].astype(np.float64)
    return np.hstack([known, np.zeros((len(known), len(bias) - known.shape[1]))])


def _ascended(model: Pairwise, params: PairwiseParameters, states: Array) -> Array:
    """The states after sweeps in which each unit takes the sign of its field."""
    low, high = model.unit.states or ()
    law = np.ones(1), params.bias[np.newaxis], low, high
    S, order, free = (
        np.ascontiguousarray(states.T),
        np.arange(states.shape[1]),
        np.zeros((0, 0), bool),
    )
    for _ in range(ASCENTS):
        moved = np.zeros(S.shape[1])
        visit(params.J, law, THRESHOLD, S, order, free, (0, 0, 0), moved)
        if not moved.any():
            break
    return _distinct(np.ascontiguousarray(S.T))


@modes.register
def _(
    model: Bipartite, params: BipartiteParameters, rows: Array | None = None, key: Key = KEY
) -> Laws:
    params = in_double(params)
    v = _bipartite_starts(model, params, key)
    if rows is not None:
        v = np.vstack([v, rows[:: max(1, len(rows) // MOST_ROWS)][:MOST_ROWS]])
    v = _distinct(v)
    to_v, bounds = _block_ascent(model, params, v, ASCENTS)
    best = np.argsort(-bounds, kind="stable")[:CANDIDATES]
    to_v, bounds = _block_ascent(
        model, params, model.visible.mean(params.visible, to_v[best]), SWEEPS
    )
    to_h = model.hidden_input(params, model.visible.mean(params.visible, to_v))
    layers = [(model.visible, params.visible, to_v), (model.hidden, params.hidden, to_h)]
    return kept_laws(layers, bounds)


def block_bounds(model: Bipartite, params: BipartiteParameters, m: Array, n_steps: int) -> Array:
    """Lower bounds L of log Z (distributions,) by product distributions, `n_steps` of the mean field from the visible
    means `m`.
    """
    return _block_ascent(model, params, m, n_steps)[1]


def _block_ascent(
    model: Bipartite, params: BipartiteParameters, m: Array, n_steps: int
) -> tuple[Array, Array]:
    """Inputs of v after steps of the mean field from the means `m`, one layer after the other, and their bounds L.

    Given one layer's distribution, the other's best is that with the mean input, so L never falls. With q_h the best
    for q_v,

        L = A_v(f_v) - f_v's(m_v) + A_h(W's(m_v)).
    """
    for _ in range(n_steps):
        to_v = model.visible_input(params, model.hidden_mean(params, m))
        new = model.visible.mean(params.visible, to_v)
        still = np.abs(new - m).max(initial=0) < 1e-6
        m = new
        if still:
            break
    energies = np.einsum("ij,ij->i", to_v, model.visible.statistic(params.visible, m))
    summed = model.hidden.log_normaliser(params.hidden, model.hidden_input(params, m))
    return to_v, model.visible.log_normaliser(params.visible, to_v) - energies + summed


def _bipartite_starts(model: Bipartite, params: BipartiteParameters, key: Key) -> Array:
    """Visible states or means (starts, n_visible)."""
    unit, n = model.visible, len(params.W)
    loose = params.visible._replace(bias=np.zeros(n))
    coins = unit.sample(loose, np.zeros((COINS, n)), fold(key, 0))
    pilots = coins[:PILOTS]
    for step in range(PILOT_STEPS):
        h = model.sample_hidden(params, pilots, fold(key, 2 * step + 1))
        pilots = model.sample_visible(params, h, fold(key, 2 * step + 2))
    fields = _directions(params.W.T, params.visible.bias)
    if unit.one_sided:  # the mean grows with the exponential of the field
        fields = fields / DECIDED
    decided = [unit.mean(params.visible._replace(bias=f), np.zeros((1, n))) for f in fields]
    return np.vstack([coins, pilots, *flipped(unit, pilots), *decided])


def flipped(unit: Unit, x: Array) -> list[Array]:
    """The states `x` with every unit in its other state, if there are two."""
    if unit.states is None or len(unit.states) != 2:
        return []
    return [sum(unit.states) - x]


def _directions(W: Any, bias: Array) -> Array:
    """Fields (fields, n) that decide units: rows of W, of W beside the bias, singular directions, all on, all off."""
    norms = np.asarray((W * W).sum(axis=1))
    rows = dense_couplings(W[np.argsort(-norms, kind="stable")[:MOST_UNITS]])
    ones = np.ones((1, W.shape[1]))
    lines = np.vstack([rows, _leading(W), ones])
    fields = np.vstack([lines, -lines, bias + 3 * rows, bias - 3 * rows, bias[np.newaxis]])
    top = np.abs(fields).max(axis=1, keepdims=True)
    return DECIDED * fields / np.where(top > 0, top, 1)


def _leading(W: Any, n_steps: int = 20) -> Array:
    """Leading right singular directions of W, about: (directions, n), by iteration of a block."""
    count, top = min(DIRECTIONS, *W.shape), abs(W).max() if W.size else 0
    if not (count and 0 < top < np.inf):
        return np.zeros((0, W.shape[1]))
    W = W / top
    Q = np.random.default_rng(0).normal(size=(W.shape[1], count))
    for _ in range(n_steps):
        Q = np.linalg.qr(W.T @ (W @ Q))[0]
    lines: Array = np.linalg.svd(W @ Q, full_matrices=False)[2] @ Q.T
    return lines


def _distinct(x: Array) -> Array:
    """Rows of `x`, each once, in the order in which they come first."""
    first = np.unique(x, axis=0, return_index=True)[1]
    return x[np.sort(first)]


def kept_laws(layers: list[tuple[Unit, Any, Array]], bounds: Array) -> Laws:
    """The best distributions, none of which overlaps much with a better one; a layer is a unit, its parameters, the
    inputs.
    """
    order = np.argsort(-bounds, kind="stable")
    order = order[np.isfinite(bounds[order])]
    layers = [(unit, layer_params, inputs[order]) for unit, layer_params, inputs in layers]
    overlaps, kept = _overlaps(layers), np.zeros(len(order), bool)
    for k in range(len(order)):
        kept[k] = kept.sum() < MOST_LAWS and not (overlaps[k, kept] > SAME).any()
    inputs = tuple(x[kept] for _, _, x in layers)
    return Laws(inputs, bounds[order][kept], overlaps[np.ix_(kept, kept)])


def _overlaps(layers: list[tuple[Unit, Any, Array]]) -> Array:
    n = len(layers[0][2])
    logs = np.zeros((n, n))
    for unit, layer_params, f in layers:
        alone = unit.log_normaliser(layer_params, f)
        for k in range(n):
            logs[k, k:] += (
                unit.log_normaliser(layer_params, (f[k:] + f[k]) / 2) - (alone[k:] + alone[k]) / 2
            )
    overlaps: Array = np.exp(np.minimum(logs + np.triu(logs, 1).T, 0))
    return overlaps


def mixture_bound(laws: Laws) -> tuple[float, Array]:
    """The lower bound of log Z of the mixture of `laws`, and its weights (distributions,), by exponentiated
    gradient.
    """
    if not len(laws.bounds):
        return -np.inf, laws.bounds
    best = float(laws.bounds[0])
    w = np.exp(laws.bounds - best)
    w /= w.sum()
    chosen = np.zeros(len(w))
    chosen[0] = 1.0
    for _ in range(WEIGHT_STEPS):
        shared = laws.overlaps @ w
        terms = laws.bounds - np.log(shared)
        if w @ terms > best:
            best, chosen = float(w @ terms), w
        slope = terms - laws.overlaps @ (w / shared)
        w = w * np.exp(0.5 * (slope - slope.max()))
        w /= w.sum()
    return best, chosen


def lower_bound(model: Model, params: Any, rows: Array | None = None, key: Key = KEY) -> float:
    """A lower bound of log Z, from the modes that are found."""
    return mixture_bound(modes(model, params, rows, key))[0]
