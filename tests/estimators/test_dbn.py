"""DBN as an estimator: nested parameters, learning layer by layer, features, what is refused."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import BernoulliRBM as SklearnRBM
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ebm import DBN, RBM, BernoulliRBM, FineTuning, GaussianRBM, Regularization
from ebm.pretraining import Propagation
from tests.estimators.machines import rows, same_state
from tests.estimators.stacks import Interrupt, same_stack

X = rows("bernoulli", n_features=6)
REAL = rows("gaussian", n_features=6)


def small(**settings):
    """Two layers of binary units, a short training."""
    layers = [BernoulliRBM(4, n_iter=3), BernoulliRBM(3, n_iter=3)]
    return DBN(**{"layers": layers, "random_state": 0, **settings})


# Where layers start --------------------------------------------------------------------------


def test_a_layer_that_starts_as_the_one_below_turned_over_starts_at_its_likelihood():
    below = BernoulliRBM(4, n_iter=60, learning_rate=0.1, random_state=0)
    alone = DBN([below]).fit(X)
    turned = DBN([below, BernoulliRBM(8, n_iter=0)], start="transposed", random_state=0).fit(X)
    W, first = turned.rbms_[1].components_, turned.rbms_[0]
    np.testing.assert_array_equal(W[:6], first.components_.T)
    np.testing.assert_array_equal(turned.rbms_[1].intercept_visible_, first.intercept_hidden_)
    np.testing.assert_array_equal(
        turned.rbms_[1].intercept_hidden_, np.r_[first.intercept_visible_, 0, 0]
    )
    assert 0 < abs(W[6:]).max() < 0.1  # what is added has random weights, but small ones
    assert turned.score(X) == pytest.approx(alone.score(X), abs=0.01)
    at_random = clone(turned).set_params(start="random").fit(X)
    assert at_random.score(X) < alone.score(X) - 0.1


def test_what_a_turned_layer_learns_raises_the_bound():
    twice = np.hstack([X[:, :3], X[:, :3]])
    below = BernoulliRBM(4, n_iter=200, learning_rate=0.1, random_state=0)
    start, end = (
        DBN(
            [below, BernoulliRBM(8, n_iter=n_iter, learning_rate=0.2, batch_size=20)],
            start="transposed",
            random_state=0,
        ).fit(twice)
        for n_iter in (0, 3000)
    )
    assert end.score(twice) > start.score(twice) + 0.04


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([4, 5], "start='transposed' takes 6 hidden units in layer2, .* Got 5"),
        ([4, 6, 3], "start='transposed' takes 4 hidden units in layer3, .* Got 3"),
        ([GaussianRBM(4), 6], "from the visible units of the layer below, but these are Gaussian"),
    ],
)
def test_layers_that_cannot_start_from_the_one_below(layers, said):
    with pytest.raises(ValueError, match=said):
        DBN(layers, start="transposed").fit(X)


# Nested parameters ---------------------------------------------------------------------------


def test_layers_are_parameters_as_in_a_pipeline():
    first = BernoulliRBM(4, learning_rate=0.3)
    params = DBN([first, 3]).get_params()
    assert params["layer1"] is first
    assert params["layer2"] == 3
    assert params["layer1__learning_rate"] == 0.3
    assert "layer2__learning_rate" not in params
    assert "layer1" not in DBN([first, 3]).get_params(deep=False)


def test_a_layer_is_replaced_in_a_list_of_its_own():
    layers, other = [5, 4], GaussianRBM(3)
    dbn = DBN(layers).set_params(layer1=other)
    assert dbn.layers == [other, 4]
    assert layers == [5, 4]
    assert DBN((5, 4)).set_params(layer2=2).layers == (5, 2)


def test_a_name_that_reaches_into_a_size_makes_a_machine_of_it():
    dbn = DBN((5, np.int64(4))).set_params(layer2__learning_rate=0.3, layer2__n_iter=7)
    five, machine = dbn.layers
    assert five == 5
    assert isinstance(machine, BernoulliRBM)
    assert (machine.n_components, machine.learning_rate, machine.n_iter) == (4, 0.3, 7)


def test_layers_are_set_before_what_reaches_into_them():
    dbn = DBN([2]).set_params(layer2__gradient__n_steps=5, layer2=7, layers=[3, 4])
    three, machine = dbn.layers
    assert three == 3
    assert machine.n_components == 7
    assert machine.gradient.n_steps == 5


def test_fine_tuning_is_reached_by_its_name():
    assert DBN(fine_tuning="up_down").set_params(fine_tuning__n_iter=3).fine_tuning.n_iter == 3
    dbn = DBN(fine_tuning=FineTuning(n_iter=5)).set_params(fine_tuning__method__n_steps=4)
    assert dbn.fine_tuning.n_iter == 5
    assert dbn.fine_tuning.method.n_steps == 4


@pytest.mark.parametrize("name", ["layer3", "layer0", "layer3__n_iter", "layer1__rate", "layr1"])
def test_unknown_names_are_refused(name):
    with pytest.raises(ValueError, match="Invalid parameter"):
        DBN([3, 2]).set_params(**{name: 1})


def test_clones_share_no_machine():
    dbn = small()
    copy = clone(dbn)
    assert [type(x) for x in copy.layers] == [BernoulliRBM, BernoulliRBM]
    assert all(a is not b for a, b in zip(copy.layers, dbn.layers, strict=True))
    assert repr(copy) == repr(dbn)


def test_grid_search_over_nested_names():
    grid = {
        "layer1__n_iter": [0, 5],
        "layer2": [2, BernoulliRBM(3)],
        "fine_tuning__learning_rate": [0.01],
    }
    search = GridSearchCV(DBN([4, 3], random_state=0), grid, cv=2).fit(X)
    scores = search.cv_results_["mean_test_score"]
    assert len(set(scores)) == 4  # every setting took effect
    assert search.best_score_ == max(scores)
    assert search.best_estimator_.rbms_[0].n_iter == search.best_params_["layer1__n_iter"]


def test_html_shows_the_layers():
    html = DBN([GaussianRBM(4), 3])._repr_html_()
    for shown in ("layer1", "layer2", "GaussianRBM", "BernoulliRBM"):
        assert shown in html


# Learning ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_each_layer_learns_the_means_of_the_one_below(dtype):
    data = X.astype(dtype)
    dbn = small(propagate="mean").fit(data)
    first, second = dbn.rbms_
    lower = BernoulliRBM(4, n_iter=3, random_state=first.random_state).fit(data)
    upper = BernoulliRBM(3, n_iter=3, random_state=second.random_state).fit(lower.transform(data))
    assert same_state(first, lower)
    assert same_state(second, upper)
    assert np.array_equal(dbn.transform(data), upper.transform(lower.transform(data)))
    assert dbn.transform(data).dtype == dtype


def test_given_machines_stay_as_they_are():
    layers = [BernoulliRBM(4), BernoulliRBM(3, random_state=5)]
    dbn = DBN(layers, random_state=0).fit(X)
    assert not hasattr(layers[0], "components_")
    assert layers[0].random_state is None
    assert dbn.rbms_[1].random_state == 5


def test_seeds_of_layers_differ_and_do_not_depend_on_the_others():
    seeds = [rbm.random_state for rbm in DBN([4, 3, 2], random_state=0).fit(X).rbms_]
    assert len(set(seeds)) == 3
    assert [rbm.random_state for rbm in DBN([2, 2], random_state=0).fit(X).rbms_] == seeds[:2]
    other = [rbm.random_state for rbm in DBN([4, 3, 2], random_state=1).fit(X).rbms_]
    assert not set(seeds) & set(other)


@pytest.mark.parametrize("settings", [{}, {"propagate": "mean"}, {"fine_tuning": "up_down"}])
def test_one_seed_one_result(settings):
    one, two = (small(**settings).fit(X) for _ in range(2))
    assert same_stack(one, two)
    assert np.array_equal(one.sample(3, n_steps=5), two.sample(3, n_steps=5))
    assert one.score(X) == two.score(X)
    assert one.score(X) == one.score(X)
    shuffled = small(**settings).fit(X[np.random.default_rng(0).permutation(len(X))])
    np.testing.assert_allclose(shuffled.transform(X), one.transform(X), rtol=0, atol=1e-9)


def test_states_that_go_up_are_states():
    dbn = small().fit(X)
    assert not same_state(dbn.rbms_[1], small(propagate="mean").fit(X).rbms_[1])
    # The offsets start at the means of what the layer learns from, and follow it.
    first = small(layers=[4, BernoulliRBM(3, n_iter=0)]).fit(X)
    counts = first.rbms_[1].offset_visible_ * len(X)
    np.testing.assert_allclose(counts, np.round(counts), rtol=0, atol=1e-9)


def test_a_layer_learns_the_law_of_the_states_below_and_not_one_draw_of_them():
    # 12 rows, grey means below: a large machine would learn one draw of their states by heart.
    rows = X[:12]
    below = BernoulliRBM(6, n_iter=0, random_state=0)
    above = BernoulliRBM(40, n_iter=400, batch_size=12, learning_rate=0.2, random_state=0)
    dbn = DBN([below, above], random_state=0).fit(rows)
    means = dbn.rbms_[0].transform(rows)
    once = clone(above).fit((means > np.random.default_rng(0).random(means.shape)).astype(float))
    fresh = (means > np.random.default_rng(1).random((200, *means.shape))).reshape(-1, 6)
    fresh = fresh.astype(float)
    of_all, of_one = (machine.score_samples(fresh).mean() for machine in (dbn.rbms_[1], once))
    assert of_all > of_one + 1


def test_updates_see_new_draws_of_the_same_rows():
    dbn = small().fit(X)
    step = dbn._steps_up()[0]
    ways = [Propagation(draws=True, seed=0, turn=turn) for turn in (0, 0, 1)]
    first, again, second = (way.above(step, 0, X) for way in ways)
    np.testing.assert_array_equal(first, again)
    assert (first != second).any()


def test_weights_are_repetitions():
    counts = np.arange(len(X)) % 3
    weighted = small().fit(X, sample_weight=counts)
    repeated = small().fit(np.repeat(X, counts, axis=0))
    np.testing.assert_allclose(weighted.transform(X), repeated.transform(X), rtol=0, atol=1e-9)


def test_sparse_rows():
    dense = small().fit(X)
    assert same_stack(small().fit(sparse.csr_array(X)), dense)
    assert np.array_equal(dense.transform(sparse.csr_array(X)), dense.transform(X))
    assert np.array_equal(dense.score_samples(sparse.csr_array(X)), dense.score_samples(X))


def test_warm_start_goes_on_in_every_layer():
    dbn = small(warm_start=True).fit(X)
    before = [rbm.components_.copy() for rbm in dbn.rbms_]
    lower = BernoulliRBM(4, n_iter=3, warm_start=True, random_state=dbn.rbms_[0].random_state)
    lower.fit(X).fit(X)
    dbn.fit(X)
    assert same_state(dbn.rbms_[0], lower)
    assert len(dbn.histories_["layer1"]["epoch"]) == 6
    assert not np.array_equal(dbn.rbms_[1].components_, before[1])


def test_an_appended_layer_leaves_the_others_as_they_are():
    dbn = small(warm_start=True).fit(X)
    before = list(dbn.rbms_)
    dbn.set_params(layers=[*dbn.layers, 2]).fit(X)
    assert all(map(same_state, dbn.rbms_, before))
    at_once = small(layers=[*dbn.layers]).fit(X)
    assert same_stack(dbn, at_once)


def test_warm_start_takes_changed_settings_but_no_other_size():
    dbn = small(warm_start=True).fit(X)
    dbn.set_params(layer1__n_iter=0, layer2__learning_rate=1e-6).fit(X)
    assert len(dbn.histories_["layer1"]["epoch"]) == 3
    assert dbn.rbms_[1].learning_rate == 1e-6
    fitted = pickle.dumps(dbn)
    with pytest.raises(ValueError, match="layer2: n_components is 5"):
        dbn.set_params(layer2__n_components=5).fit(X)
    assert same_stack(dbn, pickle.loads(fitted))
    with pytest.raises(ValueError, match=r"layer1 is GaussianRBM .* to go on from is BernoulliRBM"):
        dbn.set_params(layer1=GaussianRBM()).fit(X)


def test_partial_fit_makes_one_update_of_every_layer():
    dbn = small(propagate="mean")
    assert dbn.partial_fit(X) is dbn
    first, second = dbn.rbms_
    lower = BernoulliRBM(4, n_iter=3, random_state=first.random_state).partial_fit(X)
    upper = BernoulliRBM(3, n_iter=3, random_state=second.random_state)
    upper.partial_fit(lower.transform(X))
    assert same_state(first, lower)
    assert same_state(second, upper)
    dbn.partial_fit(X[:5], sample_weight=np.arange(5.0))
    lower.partial_fit(X[:5], sample_weight=np.arange(5.0))
    upper.partial_fit(lower.transform(X[:5]), sample_weight=np.arange(5.0))
    assert same_stack(dbn, type("Stack", (), {"rbms_": [lower, upper]}))
    with pytest.raises(ValueError, match="3 layers, but the model to go on from has 2"):
        dbn.set_params(layers=[4, 3, 2]).partial_fit(X)


def test_verbose_says_which_layer(capsys):
    small(verbose=1, fine_tuning=FineTuning(n_iter=1)).fit(X)
    said = capsys.readouterr().out
    for stage in ("[DBN layer1] Iteration 3", "[DBN layer2] Iteration 3"):
        assert f"{stage}, pseudo-likelihood" in said
    assert "[DBN fine_tuning] Iteration 1, reconstruction-error" in said
    DBN([BernoulliRBM(3, n_iter=1), BernoulliRBM(2, n_iter=1, verbose=1)]).fit(X)
    said = capsys.readouterr().out
    assert "layer2" in said
    assert "layer1" not in said


def test_an_interrupt_keeps_the_layers_learned_so_far():
    layers = [3, BernoulliRBM(4, n_iter=9, callbacks=Interrupt()), 2]
    dbn = DBN(layers, random_state=0, warm_start=True)
    with pytest.warns(ConvergenceWarning, match="DBN: layer2, BernoulliRBM: interrupted"):
        dbn.fit(X)
    assert dbn.transform(X).shape == (len(X), 4)
    assert np.isfinite(dbn.score(X))
    first = dbn.rbms_[0]
    dbn.set_params(layer2__callbacks=None).fit(X)
    assert same_state(dbn.rbms_[0], first)
    assert dbn.transform(X).shape == (len(X), 2)


def test_an_interrupt_of_what_goes_on_drops_no_layer():
    dbn = small(warm_start=True).fit(X)
    upper = dbn.rbms_[1]
    dbn.set_params(layer1__callbacks=Interrupt(1))
    with pytest.warns(ConvergenceWarning, match="layer1, BernoulliRBM: interrupted"):
        dbn.fit(X)
    assert same_state(dbn.rbms_[1], upper)


def test_divergence_names_the_layer_and_keeps_what_was_learned():
    wild = RBM(3, visible="bernoulli", hidden="gaussian", learning_rate=1e30)
    with pytest.warns(ConvergenceWarning, match="layer2, RBM: training diverged"):
        dbn = DBN([4, wild], random_state=0).fit(X)
    assert np.isfinite(dbn.transform(X)).all()


def test_a_failed_refit_loses_nothing():
    dbn = small().fit(X)
    before = pickle.dumps(dbn)
    with pytest.raises(ValueError, match="NaN"):
        dbn.fit(np.full((3, 6), np.nan))
    with pytest.raises(ValueError, match="layer2: The 'n_components' parameter"):
        dbn.set_params(layer2__n_components=0).fit(X)
    assert same_stack(dbn, pickle.loads(before))


# Features ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("features", "chosen"), [("top", [2]), ("all", [0, 1, 2]), (1, [0]), ([3, 1], [2, 0])]
)
def test_features_of_chosen_layers(features, chosen):
    dbn = DBN([5, 4, 3], features=features, random_state=0).fit(X)
    means = dbn.layer_means(X)
    assert [m.shape[1] for m in means] == [5, 4, 3]
    H = dbn.transform(X)
    assert np.array_equal(H, np.hstack([means[k] for k in chosen]))
    assert len(dbn.get_feature_names_out()) == H.shape[1]
    highest = means[max(chosen)]
    down = DBN([5, 4, 3][: max(chosen) + 1], random_state=0).fit(X)
    np.testing.assert_allclose(
        dbn.inverse_transform(H), down.inverse_transform(highest), rtol=0, atol=1e-12
    )


def test_the_way_down_is_that_of_the_machines():
    dbn = small().fit(X)
    first, second = dbn.rbms_
    H = dbn.transform(X)
    V = first.inverse_transform(second.inverse_transform(H))
    np.testing.assert_allclose(dbn.inverse_transform(H), V, rtol=0, atol=1e-12)
    np.testing.assert_allclose(dbn.reconstruct(X), V, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(dbn.recognition_components_[0], first.components_)
    np.testing.assert_array_equal(dbn.generative_components_[1], second.components_)
    np.testing.assert_array_equal(dbn.recognition_intercepts_[1], second.intercept_hidden_)
    np.testing.assert_array_equal(dbn.generative_intercepts_[0], first.intercept_visible_)


def test_weights_of_gaussian_units_multiply_states():
    layers = [RBM(4, visible="gaussian", hidden="gaussian", learning_rate=0.01), GaussianRBM(3)]
    dbn = DBN(layers, random_state=0).fit(REAL)
    first = dbn.rbms_[0]
    by_hand = REAL @ dbn.recognition_components_[0].T + dbn.recognition_intercepts_[0]
    np.testing.assert_allclose(by_hand, first.transform(REAL), rtol=0, atol=1e-12)
    H = first.transform(REAL)
    by_hand = H @ dbn.generative_components_[0] + dbn.generative_intercepts_[0]
    np.testing.assert_allclose(by_hand, first.inverse_transform(H), rtol=0, atol=1e-12)


def test_gaussian_layers_stand_on_each_other():
    layers = [RBM(4, visible="gaussian", hidden="gaussian", learning_rate=0.01), GaussianRBM(3), 2]
    dbn = DBN(layers, random_state=0).fit(REAL)
    H = REAL
    for rbm in dbn.rbms_:
        H = rbm.transform(H)
    np.testing.assert_allclose(dbn.transform(REAL), H, rtol=0, atol=1e-12)
    V = H
    for rbm in reversed(dbn.rbms_):
        V = rbm.inverse_transform(V)
    np.testing.assert_allclose(dbn.inverse_transform(H), V, rtol=0, atol=1e-10)


def test_in_a_pipeline_with_data_frames():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(REAL, columns=list("abcdef"))
    dbn = DBN([GaussianRBM(4), 2], features="all", random_state=0)
    pipe = make_pipeline(StandardScaler(), dbn).set_output(transform="pandas")
    out = pipe.fit_transform(frame)
    assert list(out.columns) == [f"dbn{i}" for i in range(6)]
    assert list(dbn.feature_names_in_) == list("abcdef")
    layer = BernoulliRBM(3).set_output(transform="pandas")
    stack = DBN([layer, 2], random_state=0).fit(X)
    assert isinstance(stack.transform(X), np.ndarray)
    y = X[:, 0].astype(int)
    assert make_pipeline(small(), LogisticRegression()).fit(X, y).score(X, y) > 0.5


def test_pickling():
    dbn = small(fine_tuning="up_down").fit(X)
    copy = pickle.loads(pickle.dumps(dbn))
    assert same_stack(copy, dbn)
    assert np.array_equal(copy.transform(X), dbn.transform(X))
    assert np.array_equal(copy.sample(3, n_steps=4), dbn.sample(3, n_steps=4))


# What is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([], r"layers must hold .* at least one: layers=\[256, 64\], for example. Got \[\]"),
        ([3, 0], "positive numbers of hidden units. Got 0 as layer2"),
        ([-2], "positive numbers of hidden units. Got -2 as layer1"),
        ([3, True], "Got True as layer2"),
        ([2.5], "Got 2.5 as layer1"),
        (["rbm"], "Got 'rbm' as layer1"),
        ([BernoulliRBM], r"as layer1. Write BernoulliRBM\(\)"),
        ([SklearnRBM(4)], "Use ebm.BernoulliRBM"),
        ([LogisticRegression()], r"Got LogisticRegression\(\) as layer1"),
        ([4, BernoulliRBM(0)], "layer2: The 'n_components' parameter of BernoulliRBM"),
        (64, "The 'layers' parameter of DBN must be"),
        ([4, RBM(3, visible="spin")], r"layer1, BernoulliRBM, are Bernoulli\(\), but layer2, RBM"),
        ([RBM(3, hidden="spin"), 4], r"Spin\(\).*BernoulliRBM, has the visible units Bernoulli"),
        ([GaussianRBM(4), GaussianRBM(3)], "visible='bernoulli'"),
    ],
)
def test_layers_that_are_none(layers, said):
    with pytest.raises(ValueError, match=said):
        DBN(layers).fit(X)


@pytest.mark.parametrize("features", [0, 3, [], [1, 3], [1.5], ["top"], [True], "bottom"])
def test_features_that_there_are_not(features):
    with pytest.raises(ValueError, match=r"features|'features' parameter"):
        DBN([3, 2], features=features).fit(X)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"fine_tuning": "sleep"}, "The 'fine_tuning' parameter of DBN"),
        ({"fine_tuning": Regularization()}, "an instance of FineTuning or UpDown"),
        ({"fine_tuning": FineTuning(n_iter=-1)}, "fine_tuning: The 'n_iter' parameter"),
        ({"fine_tuning": FineTuning("down_up")}, "fine_tuning: The 'method' parameter"),
        ({"fine_tuning": FineTuning(callbacks=[3])}, "callbacks must hold callables. Got 3"),
        ({"propagate": "median"}, "The 'propagate' parameter of DBN"),
        ({"start": "tied"}, "The 'start' parameter of DBN"),
    ],
)
def test_settings_that_there_are_not(settings, said):
    dbn = small(**settings)
    with pytest.raises(ValueError, match=said):
        dbn.fit(X)
    assert not hasattr(dbn, "rbms_")


def test_what_is_not_fitted_says_so():
    for method in ("transform", "score_samples", "reconstruct", "inverse_transform", "impute"):
        with pytest.raises(NotFittedError):
            getattr(DBN(), method)(X)
    with pytest.raises(NotFittedError):
        DBN().sample()
    with pytest.raises(NotFittedError):
        DBN().log_partition()


def test_data_outside_the_units_draw_one_warning():
    with pytest.warns(UserWarning, match="X holds values between") as caught:
        small().fit(X * 3)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small().fit(X)
