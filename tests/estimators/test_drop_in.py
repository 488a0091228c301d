"""BernoulliRBM in the place of scikit-learn's: the same names, what its tests ask for, and none of its defects.

The statements of scikit-learn's test_rbm.py are made here in our own words. Two cannot hold, for they pin its
random stream: the weights that 42 epochs on [[0], [1]] end at (test_fit_gibbs), and that one Gibbs step from these
rows gives them back, which happens to be so for the numbers that it draws (the rows are independent draws of a model
that has learned next to nothing). A third holds in another measure: its float32 and float64 models agree in 1e-6 of
every bias (test_convergence_dtype_consistency), ours to 5e-6 in all, for biases near zero are differences of numbers
of the size one that were rounded.
"""

import inspect
import re

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import expit
from sklearn import neural_network
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from ebm import BernoulliRBM
from ebm.gradients import ContrastiveDivergence, PersistentContrastiveDivergence
from ebm.optimizers import Inverse, Nesterov, Regularization

SPARSE = [sp.csr_matrix, sp.csr_array, sp.csc_matrix, sp.csc_array, sp.lil_matrix]


@pytest.fixture(scope="module")
def digits():
    X = load_digits().data / 16
    X.flags.writeable = False
    return X


# Names ---------------------------------------------------------------------------------------


def test_constructor_has_the_names_and_defaults_of_scikit_learn():
    """But for the learning rate and the number of passes, which here depend on the data."""
    theirs = inspect.signature(neural_network.BernoulliRBM).parameters
    ours = inspect.signature(BernoulliRBM).parameters
    for name, parameter in theirs.items():
        assert ours[name].default == parameter.default or ours[name].default == "auto"
        assert ours[name].kind == parameter.kind
    assert {name for name in theirs if ours[name].default == "auto"} == {"learning_rate", "n_iter"}


def test_fitted_attributes_have_the_names_and_shapes_of_scikit_learn(digits):
    settings = {"n_components": 7, "batch_size": 13, "n_iter": 1, "random_state": 0}
    theirs = neural_network.BernoulliRBM(**settings).fit(digits[:50])
    ours = BernoulliRBM(**settings).fit(digits[:50])
    for name, value in vars(theirs).items():
        if name.endswith("_") and not name.startswith("_"):
            assert np.shape(getattr(ours, name)) == np.shape(value), name


def test_public_methods_have_the_names_of_scikit_learn():
    names = {name for name in dir(neural_network.BernoulliRBM) if not name.startswith("_")}
    assert names <= set(dir(BernoulliRBM))


SCRIPT = """
from {module} import BernoulliRBM
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

X, y = load_digits(return_X_y=True)
X = X[:300] / 16
rbm = BernoulliRBM(n_components=20, learning_rate=0.06, batch_size=10, n_iter=3, verbose=0, random_state=0)
pipeline = Pipeline([("rbm", rbm), ("logistic", LogisticRegression(C=10.0))]).fit(X, y[:300])
rbm = pipeline["rbm"]
shapes = [
    pipeline.predict(X).shape, rbm.components_.shape, rbm.intercept_hidden_.shape, rbm.intercept_visible_.shape,
    rbm.h_samples_.shape, rbm.gibbs(X).shape, rbm.score_samples(X).shape, rbm.transform(X).shape,
    rbm.fit_transform(X).shape, rbm.get_feature_names_out().tolist(), rbm.n_features_in_,
]
for batch in (X[:50], X[50:]):
    rbm.partial_fit(batch)
"""


def test_script_runs_when_only_its_import_is_changed():
    results = []
    for module in ("sklearn.neural_network", "ebm"):
        names = {}
        exec(SCRIPT.format(module=module), names)
        results.append(names["shapes"])
    assert results[0] == results[1]


# What the tests of scikit-learn state ----------------------------------------------------------


def test_fit_on_digits_reaches_the_pseudo_likelihood_of_scikit_learn(digits):
    X = digits.copy()
    rbm = BernoulliRBM(n_components=64, learning_rate=0.1, batch_size=10, n_iter=7, random_state=9)
    rbm.fit(X)
    assert rbm.score_samples(X).mean() > -21  # where that of scikit-learn ends
    np.testing.assert_array_equal(X, digits)


def test_partial_fit_on_digits_reaches_the_pseudo_likelihood_of_scikit_learn(digits):
    X = digits.copy()
    rbm = BernoulliRBM(n_components=64, learning_rate=0.1, batch_size=20, random_state=9)
    for _ in range(7):
        for start in range(0, len(X), 20):
            rbm.partial_fit(X[start : start + 20])
    assert rbm.score_samples(X).mean() > -21  # where that of scikit-learn ends
    np.testing.assert_array_equal(X, digits)


def test_transform_is_the_mean_of_the_hidden_units(digits):
    X = digits[:100]
    rbm = BernoulliRBM(n_components=16, batch_size=5, n_iter=5, random_state=42).fit(X)
    features = rbm.transform(X)
    np.testing.assert_array_equal(features, rbm._mean_hiddens(X))
    np.testing.assert_allclose(
        features, expit(X @ rbm.components_.T + rbm.intercept_hidden_), rtol=1e-6
    )


@pytest.mark.parametrize("container", SPARSE)
def test_every_sparse_format_gives_what_the_dense_rows_give(digits, container):
    X = digits[:100]
    for method in ("fit", "partial_fit"):
        dense, sparse = (
            getattr(BernoulliRBM(n_components=6, n_iter=2, random_state=9), method)(rows)
            for rows in (X, container(X))
        )
        np.testing.assert_array_equal(dense.components_, sparse.components_)
    for method in ("transform", "score_samples", "free_energy"):
        ours = getattr(dense, method)(X)
        np.testing.assert_array_equal(ours, getattr(dense, method)(container(X)))


def test_default_settings_fit_four_sparse_rows(digits):
    rbm = BernoulliRBM().fit(sp.csr_matrix(digits[:4]))
    assert np.isfinite(rbm.components_).all()


def test_samples_of_the_hidden_units_have_their_mean(digits):
    rbm = BernoulliRBM(n_components=2, batch_size=5, n_iter=5, random_state=42).fit(digits[:100])
    rng = np.random.RandomState(0)
    drawn = np.array([rbm._sample_hiddens(digits[0], rng) for _ in range(1000)])
    assert np.isin(drawn, (0, 1)).all()
    np.testing.assert_allclose(drawn.mean(axis=0), rbm._mean_hiddens(digits[0]), atol=0.1)


def test_gibbs_is_finite_binary_and_new_at_each_call(digits):
    rbm = BernoulliRBM(n_components=42, batch_size=40, n_iter=3, random_state=42).fit(digits)
    first, second = rbm.gibbs(digits), rbm.gibbs(digits)
    assert np.isin(first, (0, 1)).all()
    assert (first != second).any(axis=1).all()


def test_score_of_far_outlying_rows_is_finite_and_the_same_sparse():
    X = np.vstack([np.zeros(1000), np.ones(1000)])
    rbm = BernoulliRBM(n_components=10, batch_size=2, n_iter=10, random_state=42).fit(X)
    np.testing.assert_allclose(rbm.score_samples(sp.lil_matrix(X)), rbm.score_samples(X))
    with pytest.warns(UserWarning, match="X holds values between 0 and 99900"):
        assert np.isfinite(rbm.score_samples([np.arange(1000) * 100.0])).all()


def test_score_is_not_clipped():
    rbm = BernoulliRBM(n_components=2, n_iter=0).fit(np.zeros((2, 1000)))
    rbm.intercept_visible_ = np.full(1000, -700.0)
    rbm.components_ = np.zeros((2, 1000))
    np.testing.assert_allclose(rbm.score_samples(np.ones((1, 1000))), -700.0 * 1000)


@pytest.mark.parametrize("container", [np.asarray, sp.csc_matrix])
def test_verbose_prints_the_line_of_scikit_learn(capsys, container):
    rbm = BernoulliRBM(n_components=2, batch_size=2, n_iter=2, random_state=42, verbose=10)
    rbm.fit(container(np.array([[0.0], [1.0]])))
    number = r"\d+(\.\d+)?"
    line = rf"\[BernoulliRBM\] Iteration 1, pseudo-likelihood = -?{number}, time = {number}s"
    assert re.match(line, capsys.readouterr().out)


@pytest.mark.parametrize(
    ("given", "kept"), [(np.float32, np.float32), (np.float64, np.float64), (int, np.float64)]
)
def test_features_keep_the_precision_of_the_data(digits, given, kept):
    X = (digits[:100] > 0.5).astype(given)
    rbm = BernoulliRBM(n_components=16, batch_size=5, n_iter=2, random_state=42)
    assert rbm.fit_transform(X).dtype == kept


def test_single_and_double_precision_agree(digits):
    one, two = (
        BernoulliRBM(n_components=16, batch_size=5, n_iter=5, random_state=42).fit(
            digits[:100].astype(dtype)
        )
        for dtype in (np.float64, np.float32)
    )
    np.testing.assert_allclose(one.intercept_visible_, two.intercept_visible_, rtol=1e-5, atol=5e-6)
    np.testing.assert_allclose(one.intercept_hidden_, two.intercept_hidden_, rtol=1e-5, atol=5e-6)
    np.testing.assert_allclose(one.components_, two.components_, rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(one.h_samples_, two.h_samples_)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_feature_names_are_the_class_and_a_number(digits, method):
    rbm = getattr(BernoulliRBM(n_components=3), method)(digits[:10])
    assert rbm.get_feature_names_out().tolist() == [f"bernoullirbm{i}" for i in range(3)]


def test_sparse_columns_and_dense_rows_end_at_the_same_weights():
    X = np.array([[0.0], [1.0]])
    settings = {"n_components": 2, "batch_size": 2, "n_iter": 42, "random_state": 42}
    for container in SPARSE:
        dense, sparse = (BernoulliRBM(**settings).fit(rows) for rows in (X, container(X)))
        np.testing.assert_allclose(dense.components_, sparse.components_, rtol=1e-9)
        np.testing.assert_array_equal(dense.gibbs(X), sparse.gibbs(container(X)))


def test_features_of_the_plain_gradient_classify_as_those_of_scikit_learn(digits):
    y = load_digits().target
    settings = {"n_components": 60, "learning_rate": 0.06, "n_iter": 10, "random_state": 0}
    plain = BernoulliRBM(**settings, gradient=PersistentContrastiveDivergence(centered=False))
    accuracies = []
    for rbm in (neural_network.BernoulliRBM(**settings), plain):
        H = rbm.fit_transform(digits[:1200])
        classifier = LogisticRegression(C=100.0, max_iter=2000).fit(H, y[:1200])
        accuracies.append(classifier.score(rbm.transform(digits[1200:]), y[1200:]))
    assert accuracies[1] > accuracies[0] - 0.02


# Copied parameters -------------------------------------------------------------------------------


def test_scikit_learn_computes_the_same_from_our_parameters(digits):
    X = (digits[:40] > 0.5).astype(float)
    ours = BernoulliRBM(n_components=9, n_iter=3, random_state=0).fit(X)
    theirs = neural_network.BernoulliRBM(n_components=9, n_iter=1, random_state=0).fit(X)
    for name in ("components_", "intercept_hidden_", "intercept_visible_"):
        setattr(theirs, name, getattr(ours, name))
    np.testing.assert_allclose(ours.transform(X), theirs.transform(X), rtol=1e-9)
    np.testing.assert_allclose(ours.free_energy(X), theirs._free_energy(X), rtol=1e-9)
    # Its score is that of one feature at random, times their number; ours is the sum over all.
    score = np.zeros(len(X))
    for i in range(X.shape[1]):
        flipped = X.copy()
        flipped[:, i] = 1 - X[:, i]
        score -= np.logaddexp(0, theirs._free_energy(X) - theirs._free_energy(flipped))
    np.testing.assert_allclose(ours.score_samples(X), score, rtol=1e-9)


# Defects of the peers ----------------------------------------------------------------------------


@pytest.mark.parametrize("n_rows", [1, 7, 100])
@pytest.mark.parametrize("n_chains", [None, 3])
@pytest.mark.parametrize("centered", [True, False])
def test_biases_of_fair_coins_stay_bounded_whatever_the_size_of_the_batches(
    n_rows, n_chains, centered
):
    # scikit-learn divides the sums of both phases by the rows of the batch: the biases run to 10.
    gradient = PersistentContrastiveDivergence(n_chains=n_chains, centered=centered)
    rbm = BernoulliRBM(
        n_components=2, batch_size=10, learning_rate=0.05, random_state=0, gradient=gradient
    )
    rng = np.random.default_rng(0)
    for _ in range(1000):
        rbm.partial_fit((rng.random((n_rows, 4)) < 0.5).astype(float))
    X = (rng.random((1000, 4)) < 0.5).astype(float)
    at_means = rbm.intercept_visible_ + rbm.transform(X).mean(axis=0) @ rbm.components_
    assert np.abs(at_means).max() < 2
    probability = np.exp(rbm.log_likelihood(np.eye(4)))
    assert ((probability > 1 / 64) & (probability < 1 / 4)).all()


def test_short_last_batch_pulls_no_harder_than_a_full_one():
    X = np.repeat(np.eye(4), 2, axis=0)
    rbm = BernoulliRBM(n_components=2, batch_size=16, n_iter=500, learning_rate=0.05)
    rbm.set_params(random_state=0).fit(X)
    np.testing.assert_allclose(rbm.sample(4000, n_steps=50).mean(axis=0), 0.25, atol=0.15)


def test_partial_fit_returns_the_estimator(digits):
    rbm = BernoulliRBM(n_components=2)
    assert rbm.partial_fit(digits[:5]) is rbm


@pytest.mark.parametrize("layout", ["C", "F"])
def test_the_rows_of_the_caller_are_neither_shuffled_nor_changed(digits, layout):
    X = np.array(digits[:64], order=layout)
    rbm = BernoulliRBM(n_components=4, n_iter=2, random_state=0).fit(X).partial_fit(X)
    for method in ("transform", "gibbs", "score_samples", "impute", "reconstruct", "free_energy"):
        getattr(rbm, method)(X)
    rbm.sample(64, given=X, n_steps=2)
    np.testing.assert_array_equal(X, digits[:64])


def test_transform_and_score_are_deterministic(digits):
    rbm = BernoulliRBM(n_components=4, n_iter=2).fit(digits[:64])
    for method in ("transform", "score_samples", "score", "impute", "reconstruct"):
        first, second = (getattr(rbm, method)(digits[:64]) for _ in range(2))
        np.testing.assert_array_equal(first, second)


def test_one_seed_gives_one_result_whatever_was_fitted_before(digits):
    def fit():
        return BernoulliRBM(n_components=4, n_iter=2, random_state=7).fit(digits[:64])

    first = fit()
    BernoulliRBM(n_components=9, n_iter=1, random_state=1).fit(digits[:20]).sample(3, n_steps=3)
    second = fit()
    np.testing.assert_array_equal(first.components_, second.components_)
    np.testing.assert_array_equal(first.sample(5, n_steps=5), second.sample(5, n_steps=5))


def test_the_global_random_state_is_left_alone(digits):
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    rbm = BernoulliRBM(n_components=4, n_iter=2, random_state=7).fit(digits[:64])
    rbm.sample(3, n_steps=3)
    rbm.gibbs(digits[:3])
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_clone_keeps_every_setting():
    settings = {
        "n_components": 3,
        "learning_rate": 0.2,
        "batch_size": 4,
        "n_iter": 5,
        "verbose": 0,
        "random_state": 6,
        "gradient": ContrastiveDivergence(n_steps=7, centered=False),
        "optimizer": Nesterov(momentum=0.8),
        "schedule": Inverse(rate=0.5),
        "weight_decay": 0.01,
        "regularization": Regularization(l1=0.1, dropout=0.5),
        "warm_start": True,
        "callbacks": [print],
    }
    rbm = BernoulliRBM(**settings)
    assert set(settings) == set(rbm.get_params(deep=False))
    copy = clone(rbm)
    for name, value in settings.items():
        assert rbm.get_params()[name] is value
        assert copy.get_params()[name] == value
    assert copy.gradient is not rbm.gradient
    assert copy.get_params()["gradient__n_steps"] == 7
