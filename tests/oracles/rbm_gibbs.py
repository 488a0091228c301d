"""Block Gibbs sampling of a Bernoulli RBM as matrices: T[x, y] = P(next state y | state x).

One step draws a whole layer given the other. Rows and columns are in the order of
`rbm.all_states`; a pair (v, h) has the index 2**n_hidden * index(v) + index(h).

``given`` clamps visible units: one entry for each, NaN where the unit is free, else its value.
A clamped unit takes its value whenever v is drawn, whatever it was before.
"""

from __future__ import annotations

import numpy as np

from tests.oracles import rbm


def _hidden_to_visible(model, beta, given):
    """p(v | h) for every h (rows) and v (columns)."""
    h_states = rbm.all_states(len(model.c))
    return np.array([rbm.visible_given_hidden(model, h, beta, given) for h in h_states])


def _visible_to_hidden(model, beta):
    """p(h | v) for every v (rows) and h (columns)."""
    v_states = rbm.all_states(len(model.b))
    return np.array([rbm.hidden_given_visible(model, v, beta) for v in v_states])


def visible_transition(model, beta=1.0, given=None):
    """T[v, v'] = sum_h p(h | v) p(v' | h), shape (2**n_visible, 2**n_visible)."""
    return _visible_to_hidden(model, beta) @ _hidden_to_visible(model, beta, given)


def hidden_transition(model, beta=1.0, given=None):
    """T[h, h'] = sum_v p(v | h) p(h' | v), shape (2**n_hidden, 2**n_hidden)."""
    return _hidden_to_visible(model, beta, given) @ _visible_to_hidden(model, beta)


def joint_transition(model, beta=1.0, given=None):
    """T[(v, h), (v', h')] = p(v' | h) p(h' | v'): v' is drawn given h, then h' given v'."""
    visible = _hidden_to_visible(model, beta, given)
    hidden = _visible_to_hidden(model, beta)
    n_v, n_h = hidden.shape
    T = np.zeros((n_v, n_h, n_v, n_h))
    for v in range(n_v):
        for h in range(n_h):
            for v_new in range(n_v):
                for h_new in range(n_h):
                    T[v, h, v_new, h_new] = visible[h, v_new] * hidden[v_new, h_new]
    return T.reshape(n_v * n_h, n_v * n_h)


def visible_law_after(model, X, n_steps, beta=1.0, given=None):
    """The law of v after n_steps of h ~ p(h | v), v ~ p(v | h), from a random row of X.

    The rows may be any reals, such as grey values: they matter through p(h | v) alone.
    """
    if n_steps < 1:
        raise ValueError("At least one step is needed to arrive at a binary state.")
    first = np.mean([rbm.hidden_given_visible(model, v, beta) for v in X], axis=0)
    law = first @ _hidden_to_visible(model, beta, given)
    for _ in range(n_steps - 1):
        law = law @ visible_transition(model, beta, given)
    return law


def visible_law_from_hidden(model, H, n_steps, beta=1.0):
    """The law of v after v ~ p(v | h) from a random row h of H, and n_steps - 1 further steps."""
    law = np.mean([rbm.visible_given_hidden(model, h, beta) for h in H], axis=0)
    for _ in range(n_steps - 1):
        law = law @ visible_transition(model, beta)
    return law
