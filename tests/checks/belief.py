"""What right learning and sampling of deep belief networks do, as functions of the implementation."""

from __future__ import annotations

import numpy as np

from ebm._batches import Rows
from ebm._random import Key, fold
from ebm.energies.belief_network import from_rbms
from ebm.energies.bipartite import Bipartite
from ebm.gradients import Exact
from ebm.likelihood import log_partition, variational_bound
from ebm.optimizers import SGD, Constant
from ebm.samplers.ancestral import Explanation
from ebm.training import Plan, resume, start, train
from ebm.units import Bernoulli
from tests.models.belief import finite_differences, random_stack, spelled
from tests.oracles import belief, rbm, rbm_gibbs, rbm_gradients
from tests.oracles.data import bars_and_stripes
from tests.oracles.rbm import OracleRBM
from tests.statistics import assert_increasing, assert_same_distribution, assert_same_mean

KEY = Key(3, 9)


# The expectation of one estimate ------------------------------------------------------------------


def expected_up_down(oracle, rows, n_steps=1, chains=None):
    """The expectation of the plain estimate, as one vector, for a stack of binary units.

    Generative and recognition parts by finite differences of what each phase ascends, the laws
    under which it does held fixed; the top's by its own oracle. Persistent chains begin at the
    hidden states ``chains``, one row each.
    """
    model, params = spelled(oracle)
    top, law = OracleRBM(oracle.W, oracle.visible.bias, oracle.hidden.bias), 0.0
    recognised, parts = belief.recognised(oracle, rows), []
    states = rbm.all_states(len(top.b))
    for p, x in zip(recognised, states, strict=True):
        parts.append(rbm_gradients.statistics_given_visible(top, x))
        if chains is None:
            law = law + p * rbm_gibbs.visible_law_after(top, [x], n_steps)
    if chains is not None:
        law = rbm_gibbs.visible_law_from_hidden(top, chains, n_steps)
    contrast = rbm_gradients.weighted_sum(recognised - law, parts)
    down = finite_differences(
        lambda nudged: belief.wake_objective(nudged, rows, oracle), model, params
    ).down
    up = finite_differences(
        lambda nudged: belief.sleep_objective(nudged, oracle, law), model, params
    ).up
    own = (type(params.top.visible)(contrast.b), type(params.top.hidden)(contrast.c))
    return model.pack(type(params)(down, type(params.top)(contrast.W, *own), up))


def assert_expects_up_down(estimate, expected, n=3000):
    """That `estimate(i)`, the packed gradients of independent calls, have the `expected` mean."""
    assert_same_mean(np.array([estimate(i) for i in range(n)]), expected)


# The bound, while learning ------------------------------------------------------------------------

DATA = bars_and_stripes(3)


def greedy_stack(seed, n_hidden=(4, 4), n_epochs=300):
    """A tied stack on the bars and stripes of 3 x 3, one machine trained after the other, exactly."""
    machine, rows, layers = Bipartite(Bernoulli(), Bernoulli()), DATA, []
    for number, n in enumerate(n_hidden):
        plan = Plan(Exact(), SGD(), Constant(), 0.1, 0.0, len(rows), seed)
        state = start(machine, Rows(rows), n, plan)
        assert train(state, Rows(rows), plan, n_epochs) == ""
        layers.append((machine, state.params))
        key = fold(Key(seed, 1), number)
        rows = machine.sample_hidden(state.params, np.repeat(rows, 5, axis=0), key)
    return from_rbms(layers)


def exact_bound(model, params, rows=DATA):
    """The mean over the rows of the variational bound, by enumeration."""
    log_z = log_partition(model.top_model, params.top, "exact").value
    return variational_bound(model, params, rows, log_z, KEY, method="exact")[0].mean()


def bounds_while_learning(gradient, seed, n_parts=5, n_updates=25, rate=0.05):
    """The exact bound of a greedy stack before and after each part of its up-down training.

    Every update sees each row fifty times, each time with hidden states of its own: the noise of
    what it does to the bound is then small beside its mean.
    """
    model, params = greedy_stack(seed)
    rows = np.repeat(DATA, 50, axis=0)
    plan = Plan(gradient, SGD(), Constant(), rate, 0.0, len(rows), seed)
    state = resume(model, params, plan, mean=DATA.mean(axis=0))
    bounds = [exact_bound(model, state.params)]
    for _ in range(n_parts):
        assert train(state, Rows(rows), plan, n_updates) == ""
        bounds.append(exact_bound(model, state.params))
    return bounds


def assert_bound_rises(gradient, seeds=range(4)):
    """That up-down training from tied stacks raises the exact bound in every part of the way."""
    for seed in seeds:
        assert_increasing(bounds_while_learning(gradient, seed))


# Clamped sampling ---------------------------------------------------------------------------------
# A step takes the layers of independent chains, as an Explanation, to new ones.

# Of two data units and two hidden layers of two, one with an label unit: 64 and 128 states.
PLAIN = random_stack(("binary", "spin", "binary", "binary"), (2, 2, 2, 2), seed=6)
JOINED = random_stack(("spin", "binary", "binary", "spin"), (2, 2, 2, 2), n_labels=1, seed=8)
KNOWN = {
    "half": (PLAIN, [1.0, np.nan]),
    "all": (PLAIN, [0.0, 1.0]),
    "data": (JOINED, [np.nan, -1.0, np.nan]),
    "both": (JOINED, [1.0, np.nan, 1.0]),
}


def table_of(oracle):
    """All complete states, flattened: (states, units)."""
    return np.array([np.concatenate([*x, e]) for x, e in belief.complete_states(oracle)])


def counts_of(oracle, explanation):
    """How often each complete state occurs."""
    rows = np.hstack(
        [*explanation.states, *(() if explanation.labels is None else [explanation.labels])]
    )
    table = table_of(oracle)
    powers = 2 ** np.arange(table.shape[1])
    high = table.max(axis=0)
    index = {int(code): k for k, code in enumerate((table == high) @ powers)}
    codes, counts = np.unique((rows == high) @ powers, return_counts=True)
    out = np.zeros(len(table))
    out[[index[int(code)] for code in codes]] = counts
    return out


def chains_at(oracle, index):
    """The library's spelling of complete states by their numbers."""
    table, sizes = table_of(oracle)[index], [len(oracle.down[0].layer.bias)]
    sizes += [len(arrow.layer.bias) for arrow in oracle.up]
    *states, labels = np.split(table, np.cumsum(sizes), axis=1)
    return Explanation(
        tuple(map(np.ascontiguousarray, states)), labels if oracle.n_labels else None
    )


def assert_samples_the_clamped_row(step, oracle, known, blocks, beta=1.0, n=40_000):
    """From one fixed state, all layers have the law of the enumerated row."""
    start = np.flatnonzero(belief.posterior(oracle, known) > 0)[5]
    states, labels = belief.complete_states(oracle)[start]
    row = belief.clamped_row(oracle, states, labels, known, blocks, beta)
    assert_same_distribution(counts_of(oracle, step(chains_at(oracle, np.full(n, start)))), row)


def assert_leaves_the_posterior_unchanged(step, oracle, known, beta=1.0, n=40_000):
    """From exact draws of all layers given what is known, they follow that law again."""
    p = belief.posterior(oracle, known, beta)
    start = np.random.default_rng(5).choice(len(p), n, p=p)
    assert_same_distribution(counts_of(oracle, step(chains_at(oracle, start))), p)
