"""Minima of a pairwise model: where descent ends, how many states lead there, how high the passes between them are.

A minimum is a state whose energy no single flip lowers. Steepest descent flips the unit that lowers the energy most,
the first of several, until none does. It takes every state to one minimum: the states that end in it are its *basin*,
and the size of a basin is its share of all states. A path goes from state to state by single flips, and its height is
the largest energy on it. The pass between two minima is the height of the lowest path.

Up to 16 units everything is enumerated. Passes come from the minimum spanning tree of the graph of all states, in which
the flip from s to t weighs max(E(s), E(t)): its paths are the lowest ones.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import minimum_spanning_tree

from ebm._checks import Array, check_integer
from ebm._kernels.descent import states_of, steepest
from ebm._random import Key, fold
from ebm.energies.couplings import every_neighbour, fastest
from ebm.energies.pairwise import Pairwise, PairwiseParameters, field_rounding

MOST_ENUMERATED = 16
N_STARTS = 1000
# Numbers of one block of states.
BLOCK_NUMBERS = 1 << 22


class Minima(NamedTuple):
    """The minima that descent has found, the lowest first.

    Attributes
    ----------
    states : ndarray of shape (n_minima, n_units)
        All different. States of a plateau, between which flips cost nothing, count one by one.
    energies : ndarray of shape (n_minima,)
        E of them.
    counts : ndarray of int, shape (n_minima,)
        How many of the starts ended there.
    basins : ndarray of shape (n_minima,)
        Sizes of the basins as shares of all states: `counts` over their sum.
    basin_errors : ndarray of shape (n_minima,)
        Standard errors of `basins`; zero where all states were starts.
    barriers : ndarray of shape (n_minima, n_minima) or None
        ``barriers[a, b]``: what has to be climbed on the lowest path from a to b, the height of the pass less
        ``energies[a]``. None where not all states were enumerated.
    is_complete : bool
        Whether all states were starts, so that there are no other minima.
    """

    states: Array
    energies: Array
    counts: Array
    basins: Array
    basin_errors: Array
    barriers: Array | None
    is_complete: bool


def find_minima(
    model: Pairwise, params: PairwiseParameters, key: Key, n_starts: int | None = None
) -> Minima:
    """Descend from many states.

    Parameters
    ----------
    model, params : Pairwise, PairwiseParameters
        J must be symmetric.
    key : Key
        Random starts are drawn from it.
    n_starts : int, optional
        Number of random states to start from, each unit fair and independent. None: all states of up to 16 units, 1000
        states of more.

    Returns
    -------
    Minima

    Raises
    ------
    ValueError
        If `n_starts` is not a positive integer.
    """
    if n_starts is not None:
        n_starts = check_integer(n_starts, "n_starts")
    n_units = len(params.bias)
    is_complete = n_starts is None and n_units <= MOST_ENUMERATED
    total = 2**n_units if is_complete else n_starts or N_STARTS
    step, ends = max(1, BLOCK_NUMBERS // max(1, n_units)), []
    for first in range(0, total, step):
        count = min(step, total - first)
        s = (
            _enumerated(model, params, first, count)
            if is_complete
            else _drawn(model, params, fold(key, first), count)
        )
        ends.append(np.unique(_descended(model, params, s), axis=0, return_counts=True))
    states, place = np.unique(np.concatenate([s for s, _ in ends]), axis=0, return_inverse=True)
    counts = np.bincount(place.ravel(), np.concatenate([c for _, c in ends])).astype(np.int64)
    energies = model.energy(params, states)
    order = np.argsort(energies, kind="stable")
    states, energies, counts = states[order], energies[order], counts[order]
    shares = counts / total
    errors = np.sqrt(shares * (1 - shares) / total) * (not is_complete)
    passes = _barriers(model, params, states, energies) if is_complete else None
    return Minima(states, energies, counts, shares, errors, passes, is_complete)


def _drawn(model: Pairwise, params: PairwiseParameters, key: Key, count: int) -> Array:
    """Fair and independent states (count, n_units)."""
    nothing = np.zeros((count, len(params.bias)), params.bias.dtype)
    return model.unit.sample(model.layer_params(np.zeros_like(params.bias)), nothing, key)


def _enumerated(model: Pairwise, params: PairwiseParameters, first: int, count: int) -> Array:
    """The states number `first`, `first` + 1, ...: the first unit is the lowest bit."""
    low, high = model.unit.states or ()
    s = np.empty((count, len(params.bias)), params.bias.dtype)
    states_of(np.arange(first, first + count), low, high, s)
    return s


def _descended(model: Pairwise, params: PairwiseParameters, s: Array) -> Array:
    """Where steepest descent takes the states `s`, in place."""
    J = fastest(params.J)
    fields = np.ascontiguousarray(s @ J + params.bias)
    low, high = model.unit.states or ()
    steepest(every_neighbour(J), (field_rounding(params), low, high), s, fields)
    return s


def _barriers(model: Pairwise, params: PairwiseParameters, states: Array, energies: Array) -> Array:
    """The energy barrier from each minimum to each other one."""
    n_units, (_, high) = len(params.bias), model.unit.states or ()
    everything = _enumerated(model, params, 0, 2**n_units)
    landscape = model.energy(params, everything)
    codes = (states == high) @ (1 << np.arange(n_units))
    climbs: Array = _passes(landscape, codes) - energies[:, np.newaxis]
    np.fill_diagonal(climbs, 0)
    return np.maximum(climbs, 0)


def _passes(landscape: Array, minima: Array) -> Array:
    """Heights of the passes between the states numbered `minima`, given the energies (2 ** n_units,) of all states."""
    numbers, n_bits = np.arange(len(landscape)), len(landscape).bit_length() - 1
    rank = np.empty(len(landscape), np.int64)
    rank[np.argsort(landscape, kind="stable")] = numbers + 1
    flips = [(s := numbers[(numbers >> i) & 1 == 0], s | (1 << i)) for i in range(n_bits)]
    here, there = (np.concatenate(x) for x in zip(*flips, strict=True))
    weights = np.maximum(rank[here], rank[there])
    graph = csr_array((weights, (here, there)), shape=(len(rank),) * 2)
    tree: Any = minimum_spanning_tree(graph).tocoo()
    order = np.argsort(tree.data, kind="stable")
    levels = np.sort(landscape)[tree.data[order].astype(np.int64) - 1]
    return _joined(tree.row[order], tree.col[order], levels, minima)


def _joined(here: Array, there: Array, levels: Array, minima: Array) -> Array:
    """The level at which each two of the nodes `minima` are first connected by the edges, in rising order."""
    parent = list(range(len(levels) + 1))
    held: dict[int, list[int]] = {int(code): [k] for k, code in enumerate(minima)}
    heights = np.full((len(minima), len(minima)), np.inf)

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for a, b, level in zip(here.tolist(), there.tolist(), levels.tolist(), strict=True):
        a, b = root(a), root(b)
        parent[b] = a
        mine, other = held.get(a, []), held.pop(b, [])
        if mine and other:
            heights[np.ix_(mine, other)] = level
            heights[np.ix_(other, mine)] = level
        if mine or other:
            held[a] = mine + other
    return heights
