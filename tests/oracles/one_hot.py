"""An RBM some of whose visible units form groups of which exactly one is on.

It is the Bernoulli RBM of `rbm`, restricted: the states that break a group are taken away, and the
others keep their energies. The last ``sum(sizes)`` visible units are those of the groups. All
tables over v have the order of `rbm.all_states`, with zeros at the states that are taken away.
"""

from __future__ import annotations

import numpy as np

from tests.oracles import draws, rbm


def groups(n_units, sizes):
    """The columns of each group."""
    first, columns = n_units - sum(sizes), []
    for size in sizes:
        columns.append(list(range(first, first + size)))
        first += size
    return columns


def is_possible(v, sizes):
    """Whether exactly one unit of each group is on."""
    return all(sum(v[c] for c in columns) == 1 for columns in groups(len(v), sizes))


def possible(n_units, sizes):
    """For each state of `rbm.all_states`, whether it is possible."""
    return np.array([is_possible(v, sizes) for v in rbm.all_states(n_units)])


def possible_states(n_units, sizes):
    """Those that are."""
    return rbm.all_states(n_units)[possible(n_units, sizes)]


def log_partition(model, sizes, beta=1.0):
    """log Z = log sum over possible v, and all h, of exp(-beta E(v, h))."""
    states = possible_states(len(model.b), sizes)
    return rbm.log_sum_exp([rbm.log_weight_visible(model, v, beta) for v in states])


def visible_probabilities(model, sizes, beta=1.0):
    """The table p(v)."""
    logs = [rbm.log_weight_visible(model, v, beta) for v in rbm.all_states(len(model.b))]
    p = np.exp(np.array(logs) - log_partition(model, sizes, beta))
    return np.where(possible(len(model.b), sizes), p, 0)


def joint_probabilities(model, sizes, beta=1.0, given=None):
    """The table p(v, h), or p(v, h | given): entries that are not NaN hold v fixed."""
    table = rbm.joint_probabilities(model, beta)
    for k, v in enumerate(rbm.all_states(len(model.b))):
        agrees = given is None or all(np.isnan(g) or g == x for g, x in zip(given, v, strict=True))
        if not (agrees and is_possible(v, sizes)):
            table[k] = 0
    return table / table.sum()


def visible_given_hidden(model, sizes, h, beta=1.0):
    """The table p(v | h)."""
    table = rbm.visible_given_hidden(model, h, beta) * possible(len(model.b), sizes)
    return table / table.sum()


def visible_mean(model, sizes, h, beta=1.0):
    """E[v | h]."""
    return visible_given_hidden(model, sizes, h, beta) @ rbm.all_states(len(model.b))


def log_layer_sum(field, bias, sizes, beta=1.0):
    """log of the sum over possible states x of exp(beta (bias + field)'x)."""
    states = possible_states(len(bias), sizes)
    return rbm.log_sum_exp([beta * (bias + field) @ x for x in states])


def mean_log_likelihood(model, sizes, X):
    """The mean over the rows v of X of log p(v)."""
    log_z = log_partition(model, sizes)
    return np.mean([rbm.log_weight_visible(model, v) - log_z for v in X])


def posterior(model, sizes, v, group):
    """p(group | all other visible units as in v): one probability for each unit of the group."""
    columns, logs = groups(len(model.b), sizes)[group], []
    for c in columns:
        state = v.copy()
        state[columns] = 0
        state[c] = 1
        logs.append(rbm.log_weight_visible(model, state))
    return np.exp(logs - rbm.log_sum_exp(logs))


def pseudo_log_likelihood(model, sizes, X):
    """sum over Bernoulli units, and over groups, of log p(it | all others), from the table of p(v)."""
    n = len(model.b)
    p, states = visible_probabilities(model, sizes), rbm.all_states(n)
    parts = [[i] for i in range(n - sum(sizes))] + groups(n, sizes)
    scores = np.zeros(len(X))
    for row, v in enumerate(X):
        for part in parts:
            others = [i for i in range(n) if i not in part]
            alike = [k for k, x in enumerate(states) if np.array_equal(x[others], v[others])]
            scores[row] += np.log(p[rbm.state_index(v)] / p[alike].sum())
    return scores


def draw_visible(model, sizes, h, key, beta=1.0, first_row=0):
    """One v ~ p(v | h) for each row h, by the library's random numbers.

    Bernoulli units by the word of their column; a group by the first word of the first pair of
    columns that begins within it: its units in order, until their probabilities exceed the word.
    """
    n = len(model.b)
    words = draws.words(key, len(h), n + n % 2, first_row)
    v = np.zeros((len(h), n))
    for r, row in enumerate(h):
        mean = visible_mean(model, sizes, row, beta)
        for i in range(n - sum(sizes)):
            v[r, i] = (words[r, i] + 0.5) / 2**32 < mean[i]
        for columns in groups(n, sizes):
            left = (words[r, columns[0] + columns[0] % 2] + 0.5) / 2**32
            for c in columns:
                if left < mean[c]:
                    v[r, c] = 1
                    break
                left -= mean[c]
    return v
