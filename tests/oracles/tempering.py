"""Parallel tempering of an RBM as transition matrices, for replicas along an annealed path.

Replica r is at t_r of the path of `annealing`, the ladder being 1 = t_1 > t_2 > ... > t_R, and
they are independent: p(v_1, ..., v_R) = prod_r p_{t_r}(v_r). A *sweep* proposes to exchange the
visible states of replicas (1, 2), (3, 4), ... or of (2, 3), (4, 5), ..., each with probability

    min(1, exp[F_r(v_r) + F_s(v_s) - F_r(v_s) - F_s(v_r)]),

the hidden units summed out. Thereafter every replica draws h ~ p_{t_r}(h | v_r) afresh: the old h
belongs to another v.

States of all replicas are counted as the digits of a number, replica 1 the most significant. Where
they have hidden states too, the number of all the v comes first, then that of all the h.
"""

from __future__ import annotations

import heapq
from functools import reduce
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np

from tests.oracles import annealing, rbm
from tests.oracles.rbm import OracleRBM


def swap_probability(table, t, s, v, u):
    """The probability with which state number v at t and state number u at s are exchanged."""
    F_t, F_s = (-np.log(annealing.joint(table, x).sum(axis=1)) for x in (t, s))
    return min(1.0, np.exp(F_t[v] + F_s[u] - F_t[u] - F_s[v]))


def swap_rates(table, ladder):
    """The share of exchanges accepted between neighbours, in equilibrium."""
    rates = []
    for t, s in pairwise(ladder):
        law_t, law_s = annealing.visible_law(table, t), annealing.visible_law(table, s)
        states = range(len(table.V))
        rates.append(
            sum(
                law_t[v] * law_s[u] * swap_probability(table, t, s, v, u)
                for v in states
                for u in states
            )
        )
    return np.array(rates)


def product_visible_law(table, ladder):
    """p(v_1, ..., v_R)."""
    return reduce(np.kron, [annealing.visible_law(table, t) for t in ladder])


def swap_sweep(table, ladder, first=0):
    """One sweep on the visible states of all replicas; ``first`` = 0 for (1, 2), ..., 1 for (2, 3), ..."""
    pairs = range(first, len(ladder) - 1, 2)
    n, replicas = len(table.V), len(ladder)
    accept = {
        (r, v, u): swap_probability(table, ladder[r], ladder[r + 1], v, u)
        for r in pairs
        for v in range(n)
        for u in range(n)
    }
    T = np.zeros((n**replicas, n**replicas))
    for row, state in enumerate(product(range(n), repeat=replicas)):
        for exchanged in product([False, True], repeat=len(pairs)):
            probability, new = 1.0, list(state)
            for r, exchange in zip(pairs, exchanged, strict=True):
                p = accept[r, state[r], state[r + 1]]
                probability *= p if exchange else 1 - p
                if exchange:
                    new[r], new[r + 1] = new[r + 1], new[r]
            T[row, np.ravel_multi_index(new, [n] * replicas)] += probability
    return T


def gibbs_sweep(table, ladder):
    """One block Gibbs step of every replica, on the visible states."""
    return reduce(np.kron, [annealing.transition(table, t) for t in ladder])


def hidden_given_visible(table, ladder):
    """p(h_1, ..., h_R | v_1, ..., v_R), a row for each state of the v."""
    return reduce(np.kron, [annealing.hidden_given_visible(table, t) for t in ladder])


def product_joint_law(table, ladder):
    """p(v_1, ..., v_R, h_1, ..., h_R)."""
    law = product_visible_law(table, ladder)
    return (law[:, np.newaxis] * hidden_given_visible(table, ladder)).ravel()


def swap_and_refresh(table, ladder, first=0):
    """One sweep and new hidden states, on the visible and hidden states of all replicas."""
    swap, hidden = swap_sweep(table, ladder, first), hidden_given_visible(table, ladder)
    rows = (swap[:, :, np.newaxis] * hidden).reshape(len(swap), -1)
    return np.repeat(rows, hidden.shape[1], axis=0)


def law_after_round(table, ladder, h, n_steps=1, sweeps=(0,)):
    """The law of (v_1, ..., v_R) after one round from the hidden states ``h`` (R, n_hidden).

    A round: v_r ~ p_{t_r}(v | h_r), n_steps - 1 further Gibbs steps, then the sweeps in turn.
    """
    starts = []
    for t, row in zip(ladder, h, strict=True):
        starts.append(annealing.visible_given_hidden(table, t)[rbm.state_index(row)])
    law = reduce(np.kron, starts)
    for _ in range(n_steps - 1):
        law = law @ gibbs_sweep(table, ladder)
    for first in sweeps:
        law = law @ swap_sweep(table, ladder, first)
    return law


def replica_law(law, n_replicas, r=0):
    """The law of one replica's visible state from that of all."""
    n = round(len(law) ** (1 / n_replicas))
    others = tuple(k for k in range(n_replicas) if k != r)
    return law.reshape([n] * n_replicas).sum(axis=others)


# A model that tempering is for ---------------------------------------------------------------


class TwoModes(NamedTuple):
    """A model, its free-energy barrier, and the probabilities of two modes and of their halves.

    ``zeros`` and ``ones`` are p(v) of the two rows; ``fewer`` and ``more`` are the probabilities
    of fewer and of more than half of the units being on.
    """

    model: OracleRBM
    barrier: float
    zeros: float
    ones: float
    fewer: float
    more: float


def two_modes(n_visible=10, n_hidden=4, strength=2.0, tilt=0.2, seed=0):
    """A ferromagnet: all units want to be off together, or on together.

    With b = -W 1 / 2 and c = -W' 1 / 2 the energy stays the same when every unit is flipped. The
    weights scatter by a tenth around ``strength``; b is higher by tilt / n_visible, which makes
    v = 1 exp(tilt) times as likely as v = 0, or nearly.
    """
    rng = np.random.default_rng(seed)
    W = strength * (1 + rng.normal(size=(n_visible, n_hidden)) / 10)
    model = OracleRBM(W, -W.sum(axis=1) / 2 + tilt / n_visible, -W.sum(axis=0) / 2)
    states, p = rbm.all_states(n_visible), rbm.visible_probabilities(model)
    on = states.sum(axis=1)
    F = np.array([rbm.free_energy(model, v) for v in states])
    top = lowest_pass(F, states, 0, len(states) - 1)
    return TwoModes(
        model,
        top - max(F[0], F[-1]),
        p[0],
        p[-1],
        p[on < n_visible / 2].sum(),
        p[on > n_visible / 2].sum(),
    )


def lowest_pass(heights, states, start, end):
    """The least, over all paths of single flips from start to end, of the largest height on it.

    From the start, the lowest state on the shore of what has been visited is visited next; when
    that is the end, the largest height met so far is the answer (Dijkstra's algorithm).
    """
    shore, seen, top = [(heights[start], start)], {start}, -np.inf
    while True:
        height, here = heapq.heappop(shore)
        top = max(top, height)
        if here == end:
            return top
        for i in range(states.shape[1]):
            flipped = states[here].copy()
            flipped[i] = 1 - flipped[i]
            there = int(rbm.state_index(flipped))
            if there not in seen:
                seen.add(there)
                heapq.heappush(shore, (heights[there], there))
