"""DBN as a distribution: the bound, samples, completion of rows, fine-tuning of the whole."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from ebm import AIS, DBN, RBM, BernoulliRBM, FineTuning, GaussianRBM, Tempering, UpDown
from ebm.sklearn_compat._shared import _likelihoods
from tests.estimators.machines import rows, same_state, set_parameters
from tests.estimators.stacks import Interrupt, same_stack
from tests.oracles import belief
from tests.oracles.rbm import OracleRBM, all_states
from tests.statistics import assert_same_distribution, assert_same_mean, state_counts

X = rows("bernoulli", n_features=4)
REAL = rows("gaussian", n_features=4)


def stack(layers=(3, 2), data=X, **settings):
    """Fast learners: the few epochs leave weights that matter."""
    layers = [
        BernoulliRBM(n, learning_rate=0.5, n_iter=10) if isinstance(n, int) else n for n in layers
    ]
    return DBN(layers, random_state=0, **settings).fit(data)


def oracle(dbn):
    """What the public attributes of a stack of binary units say."""

    def arrows(weights, intercepts):
        pairs = list(zip(weights, intercepts, strict=True))[:-1]
        return tuple(belief.Arrow(W.T, belief.Layer("binary", b)) for W, b in pairs)

    top = dbn.rbms_[-1]
    return belief.OracleBelief(
        top.components_.T,
        belief.Layer("binary", top.intercept_visible_),
        belief.Layer("binary", top.intercept_hidden_),
        arrows(dbn.generative_components_, dbn.generative_intercepts_),
        arrows(dbn.recognition_components_, dbn.recognition_intercepts_),
    )


# The bound -----------------------------------------------------------------------------------


@pytest.mark.parametrize("fine_tuning", [None, FineTuning(n_iter=20, learning_rate=0.3)])
def test_the_score_is_the_bound(fine_tuning):
    dbn = stack((3, 2, 2), fine_tuning=fine_tuning)
    model, bits = oracle(dbn), all_states(4)
    bound = [belief.bound(model, v) for v in bits]
    np.testing.assert_allclose(dbn.score_samples(bits), bound, rtol=0, atol=1e-10)
    assert (bound < np.array([belief.log_likelihood(model, v) for v in bits])).all()
    assert dbn.log_partition().value == pytest.approx(belief.log_partition(model), abs=1e-10)
    assert dbn.score(bits) == pytest.approx(np.mean(bound), abs=1e-10)


def test_the_bound_is_the_likelihood_where_recognition_is_right():
    dbn = stack((3, BernoulliRBM(4, n_iter=0)))
    first, second = dbn.rbms_
    upside_down = OracleRBM(
        first.components_, first.intercept_hidden_, first.intercept_visible_, None, None
    )
    set_parameters(second, upside_down)
    bits = all_states(4)
    exact = first.log_likelihood(bits, method="exact")
    np.testing.assert_allclose(dbn.score_samples(bits), exact, rtol=0, atol=1e-10)


def test_of_one_layer_it_is_the_likelihood():
    dbn = stack((3,))
    exact = dbn.rbms_[0].log_likelihood(X, method="exact")
    values, errors = dbn.lower_bound(X, return_std=True)
    np.testing.assert_allclose(values, exact, rtol=0, atol=1e-10)
    assert not errors.any()
    assert dbn.sample(3, n_steps=2).shape == (3, 4)
    known = np.where(np.arange(4) < 2, X[:3], np.nan)
    assert np.array_equal(dbn.impute(known)[:, :2], X[:3, :2])


@pytest.fixture(scope="module")
def wide():
    """More hidden units than are enumerated unasked, few enough for the oracle."""
    return stack((9, 2))


def test_draws_estimate_the_bound_without_bias(wide):
    model, bits = oracle(wide), all_states(4)
    exact = np.array([belief.bound(model, v) for v in bits])
    answers = [wide.lower_bound(bits, n_samples=20, random_state=seed) for seed in range(50)]
    assert_same_mean(answers, exact)
    values, errors = wide.lower_bound(bits, n_samples=500, return_std=True)
    # Sums of squares of 16 nearly normal deviates: the level is 1e-6 on either side.
    assert 0.8 < np.sum(((values - exact) / errors) ** 2) < 60


def test_the_same_row_has_the_same_score(wide):
    rng = np.random.default_rng(0)
    bits = all_states(4)
    scores = wide.score_samples(bits)
    order = rng.permutation(16)
    np.testing.assert_allclose(wide.score_samples(bits[order]), scores[order], rtol=0, atol=1e-12)
    alone = [wide.score_samples(bits[k : k + 1])[0] for k in range(16)]
    np.testing.assert_allclose(alone, scores, rtol=0, atol=1e-12)
    twice = wide.score_samples(np.repeat(bits, 2, axis=0))
    np.testing.assert_allclose(twice, np.repeat(scores, 2), rtol=0, atol=1e-12)
    other = wide.lower_bound(bits, random_state=1)
    assert not np.array_equal(other, scores)


def test_errors_include_that_of_log_z(wide):
    exact, of_draws = wide.lower_bound(X, return_std=True)
    method = AIS(n_temperatures=50, n_runs=50)
    values, errors = wide.lower_bound(X, method, return_std=True)
    z = wide.log_partition(method)
    assert z.standard_error > 0
    np.testing.assert_allclose(errors, np.hypot(of_draws, z.standard_error), rtol=1e-12)
    shift = wide.log_partition().value - z.value
    np.testing.assert_allclose(values - exact, shift, rtol=0, atol=1e-10)


def test_log_z_is_found_once_until_parameters_change(monkeypatch):
    dbn, asked = stack(), []
    original = _likelihoods.log_z

    def counted(*args, **kwargs):
        asked.append(args)
        return original(*args, **kwargs)

    monkeypatch.setattr(_likelihoods, "log_z", counted)
    first = dbn.score(X)
    assert dbn.score(X[:5]) == pytest.approx(np.mean(dbn.score_samples(X)[:5]))
    assert len(asked) == 1
    pickle.loads(pickle.dumps(dbn)).score(X)
    assert len(asked) == 1
    dbn.rbms_[-1].components_ = 2 * dbn.rbms_[-1].components_
    assert dbn.score(X) != first
    assert len(asked) == 2
    dbn.fit(X)
    assert dbn.score(X) == first


def test_real_data_have_a_density():
    layers = [GaussianRBM(3, learning_rate=0.05), BernoulliRBM(2)]
    dbn = stack(layers, REAL[:, :2])
    # E_Q of the log of a density: exp of it integrates to one at most.
    grid = np.stack(np.meshgrid(*[np.linspace(-7, 8, 61)] * 2), axis=-1).reshape(-1, 2)
    assert 0.9 < np.exp(dbn.score_samples(grid)).sum() / 16 <= 1


# Samples -------------------------------------------------------------------------------------


def law_of(dbn, bits):
    model = oracle(dbn)
    return np.exp([belief.log_likelihood(model, v) for v in bits])


@pytest.fixture(scope="module", params=[None, FineTuning(n_iter=20, learning_rate=0.3)])
def dreamer(request):
    return stack((3, 3, 2), fine_tuning=request.param)


@pytest.mark.parametrize("sampler", ["gibbs", Tempering(n_temperatures=3)])
def test_samples_have_the_law_of_the_model(dreamer, sampler):
    V = dreamer.sample(20_000, n_steps=40, sampler=sampler, random_state=0)
    assert_same_distribution(state_counts(V), law_of(dreamer, all_states(4)))


def test_given_values_stay_and_the_others_follow_their_law(dreamer):
    known = np.array([1.0, np.nan, np.nan, 0.0])
    V = dreamer.sample(20_000, n_steps=40, given=known, random_state=0)
    assert (V[:, 0] == 1).all()
    assert (V[:, 3] == 0).all()
    bits = all_states(4)
    law = law_of(dreamer, bits) * ((bits[:, 0] == 1) & (bits[:, 3] == 0))
    assert_same_distribution(state_counts(V), law / law.sum())


def test_imputation_is_the_conditional_mean(dreamer):
    known = np.array([1.0, np.nan, np.nan, 0.0])
    filled = dreamer.impute(np.tile(known, (400, 1)), n_steps=100)
    assert (filled[:, [0, 3]] == [1, 0]).all()
    bits = all_states(4)
    law = law_of(dreamer, bits) * ((bits[:, 0] == 1) & (bits[:, 3] == 0))
    assert_same_mean(filled[:, 1:3], (law @ bits / law.sum())[1:3])
    again = dreamer.impute(np.tile(known, (400, 1)), n_steps=100)
    assert np.array_equal(again, filled)


def test_repeated_samples_differ_and_seeds_repeat_them(dreamer):
    assert not np.array_equal(dreamer.sample(50, n_steps=3), dreamer.sample(50, n_steps=3))
    one, two = (dreamer.sample(50, n_steps=3, random_state=4) for _ in range(2))
    assert np.array_equal(one, two)


def test_chains_go_on_from_given_rows():
    # Weights so large that one step forgets nothing.
    dbn = stack((4, BernoulliRBM(4, n_iter=0)))
    for rbm in dbn.rbms_:
        large = OracleRBM(60 * np.eye(4), np.full(4, -30.0), np.full(4, -30.0), None, None)
        set_parameters(rbm, large)
    start = all_states(4)
    V, told = dbn.sample(16, n_steps=4, start=start, return_diagnostics=True)
    assert np.array_equal(V, start)
    assert told.swap_rates is None


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"given": [1, np.nan]}, "given must have 4 columns"),
        ({"given": [7, np.nan, 0, 0]}, "given holds values between"),
        ({"start": [np.nan] * 4}, "start holds NaN"),
        ({"given": [1, 0, 0, np.nan], "sampler": "tempering"}, "Use sampler='gibbs' with given"),
        (  # a class of the same name
            {"given": [1, 0, 0, np.nan], "sampler": type("Gibbs", (Tempering,), {})()},
            "Use sampler='gibbs' with given",
        ),
        ({"n_steps": 0}, "n_steps must be an integer of at least 1"),
        ({"beta": 0}, "beta must be a number"),
    ],
)
def test_questions_that_have_no_answer(dreamer, settings, said):
    with pytest.raises(ValueError, match=said):
        dreamer.sample(3, **{"n_steps": 2, **settings})


def test_methods_of_log_z_that_there_are_not(dreamer):
    with pytest.raises(ValueError, match="'method' parameter must be one of"):
        dreamer.lower_bound(X, "guess")
    with pytest.raises(ValueError, match="n_samples must be an integer of at least 1"):
        dreamer.lower_bound(X, n_samples=0)


# Fine-tuning ---------------------------------------------------------------------------------


def test_fine_tuning_raises_the_bound():
    greedy = stack((3, 2))
    settings = FineTuning(n_iter=200, learning_rate=0.2, batch_size=10)
    tuned = stack((3, 2), fine_tuning=settings)
    assert tuned.score(X) > greedy.score(X) + 0.05


def test_fine_tuning_begins_where_the_layers_ended():
    greedy = stack((3, 2))
    tuned = stack((3, 2), fine_tuning=FineTuning(n_iter=0))
    assert np.array_equal(tuned.transform(X), greedy.transform(X))
    assert tuned.score(X) == greedy.score(X)
    assert set(tuned.histories_) == {"layer1", "layer2", "fine_tuning"}
    assert not hasattr(greedy, "history_")


def test_up_by_recognition_down_by_generation():
    dbn = stack((3, 3, 2), fine_tuning=FineTuning(n_iter=20, learning_rate=0.3))
    ups = zip(dbn.recognition_components_, dbn.recognition_intercepts_, strict=True)
    downs = list(zip(dbn.generative_components_, dbn.generative_intercepts_, strict=True))
    H = X
    for W, b in ups:
        H = 1 / (1 + np.exp(-(H @ W.T + b)))
    np.testing.assert_allclose(dbn.transform(X), H, rtol=0, atol=1e-7)
    V = H
    for W, b in reversed(downs):
        V = 1 / (1 + np.exp(-(V @ W + b)))
    np.testing.assert_allclose(dbn.inverse_transform(H), V, rtol=0, atol=1e-7)
    first, *_, last = dbn.rbms_
    greedy = stack((3, 3, 2))
    assert same_state(first, greedy.rbms_[0])
    assert not np.allclose(dbn.recognition_components_[0], first.components_)
    assert not np.allclose(dbn.generative_components_[0], dbn.recognition_components_[0])
    assert np.array_equal(dbn.generative_components_[-1], last.components_)
    assert not np.allclose(last.components_, greedy.rbms_[-1].components_)


@pytest.mark.parametrize("method", ["up_down", UpDown(n_steps=2, persistent=True)])
def test_fine_tuning_goes_on(method):
    settings = FineTuning(method, n_iter=2, optimizer="momentum", batch_size=20)
    dbn = stack((3, 2), fine_tuning=settings, warm_start=True)
    first = dbn.rbms_[0]
    dbn.fit(X)
    assert dbn.rbms_[0] is first
    assert list(dbn.history_["epoch"]) == [1, 2, 3, 4]
    copy = pickle.loads(pickle.dumps(dbn)).fit(X)
    assert np.array_equal(dbn.fit(X).transform(X), copy.transform(X))
    before = dbn.score(X)
    dbn.partial_fit(X)
    assert dbn.score(X) != before
    assert dbn.rbms_[0] is first
    with pytest.raises(
        ValueError, match="fine_tuning is None, but the fitted network has been fine-tuned"
    ):
        dbn.set_params(fine_tuning=None).fit(X)
    dbn.set_params(warm_start=False).fit(X)
    assert same_stack(dbn, stack((3, 2)))
    assert not hasattr(dbn, "history_")


@pytest.mark.filterwarnings("ignore:BernoulliRBM. the features hardly vary")  # those of few bits
def test_a_layer_on_top_of_a_fine_tuned_network():
    tuning = FineTuning(n_iter=5, learning_rate=0.3)
    dbn = stack((3, 2), fine_tuning=tuning, warm_start=True, propagate="mean")
    below, passes = dbn.transform(X), dbn.recognition_components_
    dbn.set_params(layers=[*dbn.layers, 2], fine_tuning=None).fit(X)
    assert np.array_equal(dbn.layer_means(X)[1], below)
    for old, new in zip(passes, dbn.recognition_components_, strict=False):
        assert np.array_equal(old, new)
    added = BernoulliRBM(2, random_state=dbn.rbms_[2].random_state).fit(below)
    assert same_state(dbn.rbms_[2], added)
    dbn.set_params(fine_tuning="up_down").fit(X)
    assert np.isfinite(dbn.score(X))
    assert not np.array_equal(dbn.recognition_components_[1], passes[1])


def test_callbacks_see_the_network():
    seen = []

    def look(report):
        seen.append(type(report.model).__name__)
        return {"answer": 42.0} if report.epoch == 1 else True

    dbn = stack((3, 2), fine_tuning=FineTuning(n_iter=9, callbacks=look))
    assert seen == ["BeliefNetwork"] * 2
    assert dbn.history_["answer"][0] == 42


def test_an_interrupt_of_fine_tuning_keeps_what_was_learned():
    settings = FineTuning(n_iter=9, learning_rate=0.3, callbacks=Interrupt())
    with pytest.warns(ConvergenceWarning, match="DBN: fine_tuning: interrupted"):
        dbn = stack((3, 2), fine_tuning=settings)
    assert not np.array_equal(dbn.recognition_components_[0], dbn.rbms_[0].components_)
    assert np.isfinite(dbn.score(X))


def test_divergence_of_fine_tuning_says_where():
    layers = [RBM(3, visible="gaussian", learning_rate=0.01), BernoulliRBM(2)]
    settings = FineTuning(n_iter=5, learning_rate=1e300, batch_size=5)
    with pytest.warns(ConvergenceWarning, match="DBN: fine_tuning: training diverged"):
        dbn = stack(layers, REAL, fine_tuning=settings)
    assert np.isfinite(dbn.score(REAL))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_real_data_are_fine_tuned_in_their_own_units(dtype):
    layers = [GaussianRBM(3, learning_rate=0.05), BernoulliRBM(2)]
    settings = FineTuning(n_iter=40, learning_rate=0.02, batch_size=20)
    data = REAL.astype(dtype)
    dbn = stack(layers, data, fine_tuning=settings)
    assert dbn.transform(data).dtype == dbn.sample(2, n_steps=2).dtype == dtype
    assert dbn.score(data) > stack(layers, data).score(data)
