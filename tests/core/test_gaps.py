"""ebm._gaps: rows with missing entries, their chains, and learning from them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from ebm import training
from ebm._archive import opened, write
from ebm._batches import Rows
from ebm._gaps import RedrawnWithGaps, RowsWithGaps, rows_of, start_at_model, swept
from ebm._random import Key, fold, stream
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.columns import ColumnModel
from ebm.energies.pairwise import Pairwise
from ebm.gradients import Batch, Exact, PersistentContrastiveDivergence
from ebm.monitors import Checkpoint
from ebm.optimizers import SGD, Adam, Constant, Linear
from ebm.training import Plan
from ebm.units import UNITS, Bernoulli, Categorical, Gaussian, Spin
from tests.oracles import gaps as oracle
from tests.statistics import assert_same_distribution

pytestmark = pytest.mark.needs_jit  # many sweeps of chains: as plain Python too slow

KEY = stream(0, "evaluation")
PARTS = {
    "bits": [("bits", 4)],
    "spins": [("spins", 4)],
    "real": [("real", 3)],
    "groups": [("group", 3), ("group", 2)],
    "mixed": [("bits", 2), ("group", 3), ("real", 1)],
}
TYPES = {"bits": "bernoulli", "spins": "spin", "real": "gaussian"}
SIZE = 2.4  # of weights with which one step from independent units is far from the conditional law
every_kind = pytest.mark.parametrize("kind", PARTS)


def unit_of(kind, count):
    return Categorical((count,)) if kind == "group" else UNITS[TYPES[kind]]()


def machine(kind, n_hidden=3, seed=0, size=0.8):
    """The library's model and parameters, and those of the oracle."""
    parts = PARTS[kind]
    exact = oracle.random_parameters(parts, n_hidden, seed, size)
    if kind == "mixed":
        model = ColumnModel([(unit_of(*part), part[1]) for part in parts], Bernoulli(), n_hidden)
    elif kind == "groups":
        model = Bipartite(Categorical((3, 2)), Bernoulli())
    else:
        model = Bipartite(unit_of(*parts[0]), Bernoulli())
    given = {
        "intercept_visible": exact.b,
        "intercept_hidden": exact.c,
        "log_variance_visible": exact.z,
    }
    return model, model.of_arrays(exact.W.copy(), lambda name, x: given[name].copy()), exact


def complete(kind, n_rows, seed=1):
    rng, columns = np.random.default_rng(seed), []
    for what, count in PARTS[kind]:
        if what == "group":
            columns.append(np.eye(count)[rng.integers(count, size=n_rows)])
        elif what == "real":
            columns.append(rng.normal(size=(n_rows, count)))
        else:
            columns.append(rng.choice(oracle.STATES[what], size=(n_rows, count)))
    return np.hstack(columns)


def torn(kind, X, share=0.4, seed=2):
    """Groups are missing as a whole."""
    rng, X, at = np.random.default_rng(seed), X.copy(), 0
    for what, count in PARTS[kind]:
        missing = rng.random((len(X), 1 if what == "group" else count)) < share
        X[:, at : at + count][np.broadcast_to(missing, (len(X), count))] = np.nan
        at += count
    return X


def plan(gradient=None, rate=0.05, batch=5, seed=0, optimizer=None, schedule=None):
    gradient = gradient or PersistentContrastiveDivergence()
    return Plan(gradient, optimizer or SGD(), schedule or Constant(), rate, 0.0, batch, seed)


def trained(model, rows, p, n_epochs=3, n_hidden=3, callbacks=()):
    state = training.start(model, rows, n_hidden, p)
    assert training.train(state, rows, p, n_epochs, callbacks) == ""
    return state


# Rows -----------------------------------------------------------------------------------------------------


def test_rows_without_gaps_are_those_that_they_were():
    assert type(rows_of(complete("bits", 5))) is Rows
    assert type(rows_of(sparse.csr_array(complete("bits", 5)))) is Rows
    assert type(rows_of(torn("bits", complete("bits", 5)))) is RowsWithGaps


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("weighted", [False, True])
def test_moments_are_those_of_the_known_entries(form, weighted):
    X = torn("real", complete("real", 40)) + 3
    weights = np.random.default_rng(0).random(40) if weighted else np.ones(40)
    rows = RowsWithGaps(form(X), weights if weighted else None)
    for column, mean, variance in zip(X.T, rows.mean(), rows.variance(rows.mean()), strict=True):
        known = ~np.isnan(column)
        w, x = weights[known], column[known]
        assert mean == pytest.approx(np.average(x, weights=w), rel=1e-12)
        assert variance == pytest.approx(np.average((x - mean) ** 2, weights=w), rel=1e-9)


@every_kind
def test_rows_that_are_taken_have_states_in_the_gaps_and_known_entries_bit_for_bit(kind):
    model, X = machine(kind)[0], torn(kind, complete(kind, 50))
    before, rows = X.copy(), rows_of(X)
    known = ~np.isnan(X[rows.counted])
    state = training.start(model, rows, 3, plan())
    firsts = rows.at(rows.counted)
    assert training.train(state, rows, plan(), 2) == ""
    lasts = rows.at(rows.counted)
    for v in (firsts, lasts):
        np.testing.assert_array_equal(v[known], X[rows.counted][known])
        assert np.isfinite(v).all() and model.visible.invalid(v) == ""
    assert not np.array_equal(firsts, lasts)
    np.testing.assert_array_equal(X, before)


def test_the_states_that_stand_in_gaps_begin_at_the_marginals():
    X = np.tile([[1.0, np.nan, 5.0], [1.0, 1.0, np.nan]], (3000, 1))
    X[::4, 1] = 0  # of 3000 known entries one half: rows 0, 4, ...
    X[1::4, 1] = 0
    mixed = ColumnModel([(Bernoulli(), 2), (Gaussian(), 1)], Bernoulli(), 2)
    X[::2, 2] = np.random.default_rng(0).normal(5, 2, 3000)
    missing = np.isnan(X)
    rows = rows_of(X)
    training.start(mixed, rows, 2, plan())
    v = rows.at(np.arange(len(X)))
    for column in (1, 2):
        drawn, known = v[missing[:, column], column], X[~missing[:, column], column]
        error = known.std() * np.sqrt(1 / len(drawn) + 1 / len(known))
        assert abs(drawn.mean() - known.mean()) < 5 * error + 0.02
        assert drawn.std() == pytest.approx(known.std(), rel=0.1)


def test_a_column_without_a_known_entry_is_an_error_that_names_it():
    X = torn("bits", complete("bits", 9))
    X[:, 2] = np.nan
    with pytest.raises(
        ValueError, match=r"1 column has no known entry.*\(2\).*leave such columns out"
    ):
        training.start(Bipartite(Bernoulli(), Bernoulli()), rows_of(X), 2, plan())
    X[0, 2] = 1
    weights = np.r_[0.0, np.ones(8)]
    with pytest.raises(ValueError, match=r"'c'"):
        training.start(
            Bipartite(Bernoulli(), Bernoulli()), rows_of(X, weights, np.array([*"abcd"])), 2, plan()
        )
    with pytest.raises(ValueError, match="no known entry, but NaN alone"):
        rows_of(np.full((3, 2), np.nan))


def test_rows_without_a_known_entry_are_left_out():
    X = torn("bits", complete("bits", 20))
    X[0] = np.where(np.isnan(X[0]).all(), 1.0, X[0])
    more = np.vstack([X, np.full((7, 4), np.nan)])
    model = Bipartite(Bernoulli(), Bernoulli())
    one, other = (trained(model, rows_of(rows), plan()) for rows in (X, more))
    assert len(rows_of(more)) == len(rows_of(X))
    np.testing.assert_array_equal(one.theta, other.theta)


def test_completed_rows_have_the_states_and_rows_that_do_not_count_are_finite():
    X = np.array([[1, 0, np.nan], [np.nan, np.nan, np.nan], [np.nan, 1, np.nan], [0, 0, 1.0]])
    rows = RowsWithGaps(X, np.array([1.0, 1.0, 2.0, 0.0]))
    rows.begin(lambda first, given: np.full(given.shape, 7.0))
    found, weights = rows.completed()
    np.testing.assert_array_equal(found, [[1, 0, 7], [0, 0, 0], [7, 1, 7], [0, 0, 1]])
    np.testing.assert_array_equal(weights, [1, 0, 2, 0])


def test_the_order_of_rows_does_not_matter():
    X = torn("mixed", complete("mixed", 40))
    order = np.random.default_rng(5).permutation(40)
    model = machine("mixed")[0]
    one, other = (trained(model, rows_of(rows), plan()) for rows in (X, X[order]))
    np.testing.assert_allclose(one.theta, other.theta, rtol=1e-12)  # sums differ in the last bits
    assert rows_of(X).fingerprint == rows_of(X[order]).fingerprint


def test_models_without_such_chains_say_so():
    rows = rows_of(torn("bits", complete("bits", 9)))
    with pytest.raises(ValueError, match="no learning from rows with missing entries"):
        training.start(Pairwise(Bernoulli()), rows, 0, plan())


# Chains ---------------------------------------------------------------------------------------------------


def states_of(kind):
    """All states of machines without real columns."""
    found = [np.zeros((1, 0))]
    for what, count in PARTS[kind]:
        parts = (
            [np.eye(count)] if what == "group" else [np.array(oracle.STATES[what])[:, None]] * count
        )
        for part in parts:
            found = [
                np.hstack([np.repeat(found[0], len(part), 0), np.tile(part, (len(found[0]), 1))])
            ]
    return found[0]


def mover(model, state, number):
    """One sweep at the parameters of the state, with numbers of its own."""
    key = fold(KEY, number)
    return lambda x, given: swept(model, state.local, state.origin, x, given, key)


@pytest.mark.parametrize("kind", ["bits", "spins", "groups"])
def test_chains_come_to_the_joint_law_of_what_is_missing_and_hidden(kind):
    """Rows are independent chains, all with the same known entries; twenty visits, parameters fixed."""
    model, params, exact = machine(kind)
    n_chains, v = 20_000, states_of(kind)
    first = v[5].copy()
    first[: 3 if kind == "groups" else 2] = np.nan
    known = ~np.isnan(first)
    rows = RowsWithGaps(np.tile(first, (n_chains, 1)))
    state = training.resume(model, params, plan(), mean=np.zeros(len(first)))
    training.take_up_chains(state, rows, plan())
    out, order = np.empty((n_chains, len(first))), rows.epoch(KEY)[0]
    for visit in range(20):
        rows.visit(order, 0, out, mover(model, state, visit))
    h = model.sample_hidden(params, out, fold(KEY, 99))
    fits = v[(v[:, known] == first[known]).all(axis=1)]
    H = np.array([[j >> k & 1 for k in range(3)] for j in range(8)], float)
    logs = fits @ exact.b
    logs = logs[:, None] + fits @ exact.W @ H.T + H @ exact.c
    p = np.exp(logs - logs.max())
    which = (out[:, None] == fits).all(axis=2).argmax(axis=1) * 8 + (h @ [1, 2, 4]).astype(int)
    counts = np.bincount(which, minlength=p.size)
    assert_same_distribution(counts, (p / p.sum()).ravel())
    np.testing.assert_array_equal(out[:, known], np.tile(first[known], (n_chains, 1)))


def with_fields(model, params):
    """All arrays of parameters or of a gradient by the oracle's names."""
    found = model.arrays(params)
    names = ("weights", "intercept_visible", "intercept_hidden", "log_variance_visible")
    return [found[name] for name in names if name in found]


def z_scores(kind, n_visits, kept=True):
    """Of the gradient at complete rows, averaged over 4000 chains of each row, against finite differences.

    Parameters are fixed. Chains that are not `kept` begin at independent units before each visit.
    """
    model, params, exact = machine(kind, size=SIZE)
    X = torn(kind, complete(kind, 8))
    X = X[~np.isnan(X).all(axis=1)]
    wanted = oracle.gradient(lambda p: oracle.log_likelihood(PARTS[kind], p, X).mean(), exact)
    copies, parts = 4000, []
    rows = RowsWithGaps(np.repeat(X, copies, axis=0))
    p = plan(Exact(centered=False), batch=len(X) * 100)
    state = training.resume(model, params, p, mean=np.zeros(X.shape[1]))
    gradient = model.unpack(np.zeros_like(model.pack(params)), *model.shape(params))
    bound = Exact(centered=False).bind(model, gradient, len(X) * 100, 0)
    order = np.arange(len(X) * copies)
    out = np.empty((len(order), X.shape[1]))
    for visit in range(n_visits):
        if visit == 0 or not kept:
            key = fold(KEY, 1000 + visit)
            start_at_model(model, state.local, state.origin, None, rows, key, n_sweeps=0)
        rows.visit(order, 0, out, mover(model, state, visit))
    for first in range(copies // 100):  # a hundred copies of each row
        some = (np.arange(len(X))[:, None] * copies + first * 100 + np.arange(100)).ravel()
        bound(params, Batch(out[some].copy()), state.chains, KEY)
        parts.append(np.concatenate([x.ravel() for x in with_fields(model, gradient)]).copy())
    error = np.std(parts, axis=0, ddof=1) / np.sqrt(len(parts))
    assert (error < 0.02).all()
    off = np.mean(parts, axis=0) - np.concatenate([x.ravel() for x in wanted])
    return abs(off) / (error + 1e-7)


@every_kind
def test_the_average_gradient_of_kept_chains_is_that_of_the_likelihood_of_what_is_known(kind):
    assert z_scores(kind, 40).max() < 6


@every_kind
def test_chains_that_begin_anew_at_each_visit_are_rejected(kind):
    assert z_scores(kind, 1, kept=False).max() > 12


@every_kind
@pytest.mark.parametrize("weighted", [False, True])
def test_the_exact_gradient_averages_over_what_is_missing(kind, weighted):
    """Finite differences of the likelihood of the known entries."""
    model, params, exact = machine(kind)
    X = torn(kind, complete(kind, 9))
    X = np.vstack([X[~np.isnan(X).all(axis=1)], complete(kind, 2)])
    weights = np.random.default_rng(4).random(len(X)) if weighted else np.ones(len(X))
    weights /= weights.sum()
    wanted = oracle.gradient(lambda p: weights @ oracle.log_likelihood(PARTS[kind], p, X), exact)
    record = Exact(centered=False)
    state = training.resume(model, params, plan(record), mean=np.zeros(X.shape[1]))
    gradient = model.unpack(np.zeros_like(model.pack(params)), *model.shape(params))
    bound = record.bind(model, gradient, len(X), 0)
    assert bound.takes_gaps
    batch = Batch(X, weights if weighted else None)
    assert bound(params, batch, state.chains, KEY)[2].finite
    for found, expected in zip(with_fields(model, gradient), wanted, strict=False):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_chains_are_kept_from_visit_to_visit_and_parameters_that_stay_leave_them_at_home():
    """Each visit of a row goes on from where the last one left it: with weights that forbid moves nothing changes."""
    model = Bipartite(Spin(), Spin())
    params = BipartiteParameters(
        np.full((4, 2), 60.0), Spin().parameters(np.zeros(4)), Spin().parameters(np.zeros(2))
    )
    X = np.tile([[1.0, np.nan, np.nan, np.nan]], (30, 1))
    rows = rows_of(X)
    state = training.resume(model, params, plan(), mean=np.zeros(4))
    training.take_up_chains(state, rows, plan())
    rows.missing[:] = 1
    learner = training.Learner(state, plan(), 5)
    out = np.empty((30, 4))
    rows.visit(np.arange(30), 0, out, learner.move)
    np.testing.assert_array_equal(out, 1)
    rows.missing[:45] = -1
    rows.visit(np.arange(30), 0, out, learner.move)
    assert (rows.missing[:45] == -1).all() and (rows.missing[45:] == 1).all()


# Learning ---------------------------------------------------------------------------------------------------


@pytest.mark.needs_jit
@pytest.mark.parametrize("kind", ["bits", "real", "mixed"])
def test_training_goes_on_from_a_file_to_the_same_bits(kind, tmp_path):
    model, X = machine(kind)[0], torn(kind, complete(kind, 30))
    X = X[~np.isnan(X).all(axis=1)]
    p, file = plan(optimizer=Adam(), rate=0.01), tmp_path / "state"
    whole = trained(model, rows_of(X), p, 5)

    def crash(report):
        if report.epoch == 3:
            raise RuntimeError("crash")

    with pytest.raises(RuntimeError, match="crash"):
        trained(model, rows_of(X), p, 5, callbacks=[Checkpoint(file), crash])
    rows = rows_of(X[::-1])
    state = training.load(file, training.start(model, rows, 3, p), p, rows, 5)
    assert state.epoch == 2
    assert training.train(state, rows, p, 5) == ""
    np.testing.assert_array_equal(state.theta, whole.theta)


@pytest.mark.needs_jit
def test_a_file_with_other_states_of_missing_entries_is_refused(tmp_path):
    model, X, file = machine("bits")[0], torn("bits", complete("bits", 12)), tmp_path / "state"
    rows, p = rows_of(X), plan()
    trained(model, rows, p, 2, callbacks=[Checkpoint(file)])
    with opened(file) as stored:
        header, arrays = stored.header, stored.arrays()
    for value, words in ((0.5, None), (7.0, "missing entries"), (np.nan, "NaN")):
        changed = arrays["missing"].copy()
        changed[3] = value
        write(file, header, {**arrays, "missing": changed})
        like = training.start(model, rows, 3, p)
        if words is None:  # a mean is taken for a state, as in rows of data
            training.load(file, like, p, rows, 2)
            continue
        with pytest.raises(ValueError, match=words):
            training.load(file, like, p, rows, 2)


def bars(n_rows, seed):
    """Rows with structure: two blocks of three bits, each with copies of one coin, one bit in ten turned over."""
    rng = np.random.default_rng(seed)
    X = np.repeat(rng.integers(0, 2, (n_rows, 2)), 3, axis=1)
    return np.where(rng.random(X.shape) < 0.1, 1 - X, X).astype(float)


def scored(model, X, gradient, test, seed=0, n_epochs=60):
    p = plan(gradient, 0.2, 20, seed, schedule=Linear())
    state = trained(model, rows_of(X), p, n_epochs, n_hidden=4)
    logs = -model.free_energy(state.params, test)
    every = np.array([[j >> k & 1 for k in range(6)] for j in range(64)], float)
    return (logs - np.logaddexp.reduce(-model.free_energy(state.params, every))).mean()


@pytest.mark.needs_jit
def test_chains_come_near_to_the_exact_gradient():
    model, X, test = Bipartite(Bernoulli(), Bernoulli()), bars(600, 0), bars(2000, 1)
    rng = np.random.default_rng(2)  # a few kinds of gaps: each takes exact sums of its own
    gaps = np.where((rng.random((8, 6)) < 0.3)[rng.integers(8, size=600)], np.nan, X)
    pcd = PersistentContrastiveDivergence(n_chains=100)
    assert scored(model, gaps, pcd, test) > scored(model, gaps, Exact(), test) - 0.1


@pytest.mark.needs_jit
def test_training_with_gaps_comes_near_to_that_on_complete_rows_and_beats_filled_means():
    model, X, test = Bipartite(Bernoulli(), Bernoulli()), bars(600, 0), bars(2000, 1)
    missing = np.random.default_rng(2).random(X.shape) < 0.3
    gaps = np.where(missing, np.nan, X)
    filled = np.where(missing, np.nanmean(gaps, axis=0), X)
    pcd = PersistentContrastiveDivergence(n_chains=100)
    on_all, on_known, on_means = (scored(model, rows, pcd, test) for rows in (X, gaps, filled))
    assert on_known > on_all - 0.08
    assert on_known > on_means + 0.1


def test_known_entries_are_drawn_anew_in_every_epoch_and_gaps_have_their_chains():
    source = np.arange(12.0).reshape(6, 2)
    X = np.tile(source, 2) * 10
    X[:2, 2:] = np.nan
    X[2, :2] = np.nan
    keys = []

    def draw(x, key, first):
        keys.append(key)
        return (
            np.tile(x, 2) * 10 + key.word0 % 1000 + np.arange(first, first + len(x))[:, None] / 100
        )

    rows = RedrawnWithGaps(X, None, source, draw)
    rows.begin(lambda first, given: np.where(np.isnan(given), -1.0, given))
    seen = []
    for epoch in range(2):
        order, _ = rows.epoch(Key(epoch, 7))
        out = np.empty((6, 4))
        rows.visit(order, 0, out, lambda x, given: np.where(np.isnan(given), x - 1, given))
        found = np.empty((6, 4))
        found[order] = out
        places = np.empty(6, int)
        places[order] = np.arange(6)
        again = draw(source[order], keys[-1], 0)[places]
        gaps = np.isnan(X)
        np.testing.assert_array_equal(found[~gaps], again[~gaps])
        assert (found[gaps] == -2 - epoch).all()
        seen.append(found[~gaps])
    assert not np.array_equal(*seen)
