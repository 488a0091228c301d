"""Autoencoder: the choices of its settings, codes and reconstructions, pre-training, gaps, and what it refuses."""

import pickle
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator

from ebm import (
    DBN,
    RBM,
    Autoencoder,
    BernoulliRBM,
    Checkpoint,
    ColumnLosses,
    GaussianNoise,
    GaussianRBM,
    MaskingNoise,
    MLPClassifier,
    MLPRegressor,
    Regularization,
    SaltAndPepper,
    SparseActivity,
)
from ebm.networks.losses import LOSSES
from ebm.sklearn_compat.networks._labelled import Labelled, split

RNG = np.random.default_rng(0)
BITS = (RNG.random((40, 6)) < [0.2, 0.4, 0.5, 0.5, 0.7, 0.8]).astype(float)
BITS[:, 1] = BITS[:, 0]
BITS[:, 4] = 1 - BITS[:, 3]
REALS = RNG.normal(size=(40, 2)) @ RNG.normal(size=(2, 6)) + 0.1 * RNG.normal(size=(40, 6))
COUNTS = RNG.poisson([0.3, 1, 3, 9, 30, 100], (40, 6)).astype(float)
QUICK = {"max_iter": 3, "n_iter_no_change": np.inf, "random_state": 0}
NOT_DONE = pytest.mark.filterwarnings(
    "ignore:.*Not converged:sklearn.exceptions.ConvergenceWarning"
)
LONG = {"max_iter": 60, "n_iter_no_change": np.inf, "random_state": 0, "learning_rate_init": 0.01}


def loss_name(coder):
    return type(coder.network_.loss.loss).__name__


# What the settings mean -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "loss", "name"),
    [
        (BITS, "auto", "BinaryCrossEntropy"),
        (REALS, "auto", "SquaredError"),
        (COUNTS, "auto", "SquaredError"),
        (COUNTS, "poisson", "Poisson"),
    ],
)
def test_the_loss_follows_the_rows_and_falls(rows, loss, name):
    coder = Autoencoder((8, 2), loss=loss, init="glorot", **LONG)
    start = clone(coder).set_params(max_iter=0).fit(rows)
    coder.fit(rows)
    assert loss_name(coder) == loss_name(start) == name
    assert coder.score(rows) > start.score(rows) + 0.1 * abs(start.score(rows))
    found = coder.reconstruct(rows)
    assert found.shape == rows.shape
    assert found.min() >= 0 or name == "SquaredError"


def test_automatic_sizes_leave_a_narrow_code():
    for n, width in ((1, 1), (2, 1), (6, 3), (100, 32)):
        coder = Autoencoder(max_iter=0, random_state=0).fit(RNG.normal(size=(20, n)))
        assert coder.transform(np.zeros((1, n))).shape == (1, width)
        assert [W.shape for W in coder.coefs_] == [(n, 100), (100, width), (width, 100), (100, n)]


def test_layers_of_both_halves():
    coder = Autoencoder((8, 4, 2), ["tanh", "elu", "logistic"], **QUICK).fit(REALS)
    kinds = [type(x).__name__ for x in coder.network_.layers]
    dense = ["Dense", "Tanh", "Dense", "ELU", "Dense", "Logistic"]
    assert kinds == ["Inputs", *dense, "Dense", "ELU", "Dense", "Tanh", "Dense"]
    own = Autoencoder((8, 2), decoder_layer_sizes=(5,), **QUICK).fit(REALS)
    assert [W.shape for W in own.coefs_] == [(6, 8), (8, 2), (2, 5), (5, 6)]
    straight = Autoencoder((8, 2), decoder_layer_sizes=(), **QUICK).fit(REALS)
    assert [W.shape for W in straight.coefs_] == [(6, 8), (8, 2), (2, 6)]


def test_tied_weights_stay_tied():
    coder = Autoencoder((5, 2), tied=True, **QUICK).fit(REALS)
    for k in (0, 1):
        np.testing.assert_array_equal(coder.coefs_[3 - k], coder.coefs_[k].T)
    again = pickle.loads(pickle.dumps(coder))
    np.testing.assert_array_equal(again.transform(REALS), coder.transform(REALS))
    again.set_params(warm_start=True, early_stopping=False).fit(REALS)
    np.testing.assert_array_equal(again.coefs_[3], again.coefs_[0].T)
    assert (again.coefs_[0] != coder.coefs_[0]).any()


def test_codes_and_reconstructions_go_together():
    coder = Autoencoder((5, 2), **QUICK).fit(REALS)
    rows = coder.inverse_transform(coder.transform(REALS))
    np.testing.assert_allclose(rows, coder.reconstruct(REALS), rtol=1e-12)
    expected = -np.square(rows - REALS).sum(axis=1) / 2
    np.testing.assert_allclose(coder.score_samples(REALS), expected, rtol=1e-12)
    assert coder.score(REALS) == pytest.approx(expected.mean(), rel=1e-12)
    assert list(coder.get_feature_names_out()) == ["autoencoder0", "autoencoder1"]


@pytest.mark.parametrize("tied", [False, True])
def test_no_noise_is_the_plain_one_to_the_bit(tied):
    settings = {"tied": tied, "dropout": 0.2, **QUICK}
    plain = Autoencoder((5, 2), **settings).fit(BITS)
    for noise in (MaskingNoise(0.0), GaussianNoise(0.0), SaltAndPepper(0.0)):
        found = clone(plain).set_params(corruption=noise).fit(BITS)
        for a, b in zip(plain.coefs_, found.coefs_, strict=True):
            np.testing.assert_array_equal(a, b)
    noisy = clone(plain).set_params(corruption="masking").fit(BITS)
    assert (noisy.coefs_[0] != plain.coefs_[0]).any()


@pytest.mark.parametrize("corruption", [None, "masking", "gaussian"])
def test_sparse_rows_learn_the_same(corruption):
    thin = np.where(RNG.random((40, 30)) < 0.05, 1.0, 0.0)
    found = [
        Autoencoder((5, 2), corruption=corruption, **QUICK).fit(rows)
        for rows in (thin, sparse.csr_array(thin))
    ]
    for a, b in zip(found[0].coefs_, found[1].coefs_, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-10)
    np.testing.assert_allclose(
        found[0].transform(sparse.csr_array(thin)), found[0].transform(thin), atol=1e-12
    )


@NOT_DONE
def test_settings_of_training_are_those_of_networks():
    held = Regularization(max_norm=0.3)
    coder = Autoencoder((5, 2), tied=True, regularization=held, **QUICK).fit(REALS)
    for W in coder.coefs_[:2]:
        assert np.linalg.norm(W, axis=0).max() <= 0.3 + 1e-9
    stopped = Autoencoder((5, 2), early_stopping=True, random_state=0, max_iter=30)
    stopped.fit(REALS)
    assert len(stopped.validation_scores_) == stopped.n_iter_
    found = Autoencoder((5, 2), solver="lbfgs", max_iter=30, tol=1e-3, random_state=0)
    assert found.fit(REALS).score(REALS) > stopped.score(REALS) - 1


@NOT_DONE
def test_one_function_of_all_rows_is_left_where_held_out_rows_are_best():
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(40, 12))
    settings = {"solver": "lbfgs", "random_state": 0, "max_iter": 150, "alpha": 0.0, "tol": 1e-4}
    whole = Autoencoder((60, 4), early_stopping=False, **settings).fit(rows)
    stopped = Autoencoder((60, 4), **settings).fit(rows)
    assert whole.validation_scores_ is None
    assert stopped.n_iter_ == len(stopped.validation_scores_) < whole.n_iter_
    begun = Autoencoder((60, 4), **{**settings, "max_iter": 0}).fit(rows)
    assert begun.validation_scores_ == []
    best = max(begun.best_validation_score_, *stopped.validation_scores_)
    assert stopped.best_validation_score_ == best
    assert stopped.best_loss_ is None
    kept, aside = (split(stopped, Labelled(rows, None, None))[k].X for k in (0, 1))
    assert len(aside) == 4
    np.testing.assert_allclose(stopped.score(aside), best, rtol=1e-12)
    assert whole.score(kept) > stopped.score(kept)


@NOT_DONE
def test_weights_are_repetitions():
    weights = RNG.integers(0, 3, 40)
    many = np.repeat(REALS, weights, axis=0)
    settings = {**QUICK, "batch_size": 40, "solver": "lbfgs", "tol": 0.0, "max_iter": 5}
    a = Autoencoder((5, 2), **settings).fit(REALS, sample_weight=weights)
    b = Autoencoder((5, 2), **settings).fit(many)
    np.testing.assert_allclose(a.transform(REALS), b.transform(REALS), rtol=1e-6, atol=1e-8)


def test_a_fit_goes_on_from_its_checkpoint(tmp_path):
    path = tmp_path / "file"
    whole = Autoencoder((5, 2), **{**QUICK, "max_iter": 6}).fit(REALS)
    part = Autoencoder((5, 2), callbacks=[Checkpoint(path, every=3)], **{**QUICK, "max_iter": 6})
    part.fit(REALS)
    resumed = clone(whole).resume(path, REALS)
    np.testing.assert_array_equal(resumed.transform(REALS), whole.transform(REALS))


def test_epochs_by_hand_learn():
    coder = Autoencoder((8, 2), init="glorot", random_state=0, learning_rate_init=0.01)
    scores = [coder.partial_fit(REALS).score(REALS) for _ in range(30)]
    assert scores[-1] > scores[0] + 0.5


def test_losses_by_column():
    table = np.hstack([REALS[:, :2], np.eye(3)[RNG.integers(3, size=40)], BITS[:, :1]])
    parts = (("squared_error", 2), ("cross_entropy", 3), ("binary_cross_entropy", 1))
    coder = Autoencoder((8, 3), loss=ColumnLosses(parts), **QUICK).fit(table)
    found = coder.reconstruct(table)
    np.testing.assert_allclose(found[:, 2:5].sum(axis=1), 1)
    assert coder.out_activation_ == "by_column"
    assert np.isfinite(coder.score_samples(table)).all()


def test_noise_makes_codes_binary():
    def between(**settings):
        coder = Autoencoder((8, 3), early_stopping=False, **LONG, **settings)
        h = coder.set_params(max_iter=300).fit(BITS).transform(BITS)
        np.testing.assert_array_equal(coder.bits(BITS), h > 0.5)
        np.testing.assert_array_equal(
            coder.bits(BITS, packed=True)[:, 0] >> 5, (h > 0.5) @ [4, 2, 1]
        )
        assert coder.bits(BITS).dtype == np.uint8
        return ((h > 0.1) & (h < 0.9)).mean()

    assert between(code_noise=3.0) < 0.5 * between(activation=["relu", "logistic"])
    linear = Autoencoder((8, 3), max_iter=0, random_state=0).fit(REALS)
    np.testing.assert_array_equal(linear.bits(REALS), linear.transform(REALS) > 0)
    with pytest.raises(ValueError, match="code_noise"):
        Autoencoder((8, 3), code_noise=2.0, solver="lbfgs").fit(BITS)
    with pytest.raises(ValueError, match="packed"):
        linear.bits(REALS, packed="yes")


# Where training begins, and where it ends ---------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"tied": True}, {"hidden_layer_sizes": (9, 6, 2)}])
def test_training_begins_at_the_principal_components(settings):
    pca = PCA(2).fit(REALS)
    settings = {"hidden_layer_sizes": (8, 2), "max_iter": 0, "random_state": 0, **settings}
    coder = Autoencoder(**settings).fit(REALS)
    np.testing.assert_allclose(abs(coder.transform(REALS)), abs(pca.transform(REALS)), atol=1e-12)
    expected = pca.inverse_transform(pca.transform(REALS))
    np.testing.assert_allclose(coder.reconstruct(REALS), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"activation": "relu"}, "the code has an activation"),
        ({"activation": ["tanh", "identity"]}, "neither linear nor a rectifier"),
        ({"batch_norm": True}, "batch_norm"),
        ({"hidden_layer_sizes": (1, 1)}, "too few units"),
        ({"tied": True, "loss": "poisson"}, "tied"),
        ({"tied": True, "activation": ["softplus", "identity"]}, "softplus"),
        ({"pretraining": GaussianRBM(4, n_iter=1), "hidden_layer_sizes": "auto"}, "pretraining"),
    ],
)
def test_components_that_cannot_be_the_start_are_refused_or_replaced(settings, reason):
    rows = COUNTS if "loss" in settings else REALS
    settings = {"hidden_layer_sizes": (8, 2), **settings, **QUICK}
    with pytest.raises(ValueError, match=f"init='pca' is not possible: .*{reason}"):
        Autoencoder(init="pca", **settings).fit(rows)
    random, automatic = (Autoencoder(init=x, **settings).fit(rows) for x in ("glorot", "auto"))
    np.testing.assert_array_equal(automatic.transform(rows), random.transform(rows))


@pytest.mark.filterwarnings("ignore:.*no better than a constant")  # at this rate, by the last bits
def test_what_held_out_rows_do_not_profit_from_is_undone():
    noise = np.random.default_rng(0).normal(size=(60, 6))
    coder = Autoencoder((50, 2), learning_rate_init=0.1, random_state=0).fit(noise)
    start = Autoencoder((50, 2), max_iter=0, random_state=0).fit(noise)
    np.testing.assert_array_equal(coder.transform(noise), start.transform(noise))
    assert coder.best_validation_score_ >= max(coder.validation_scores_)
    assert coder.best_loss_ is None
    whole = clone(coder).set_params(early_stopping=False, **QUICK).fit(noise)
    assert whole.validation_scores_ is None
    assert (whole.transform(noise) != start.transform(noise)).any()


def test_few_rows_are_all_trained_on():
    settings = {"max_iter": 2, "n_iter_no_change": np.inf, "random_state": 0}
    for n, held_out in ((4, False), (5, True), (30, True)):
        coder = Autoencoder((5, 2), **settings).fit(REALS[:n])
        assert (coder.validation_scores_ is not None) == held_out


def test_rows_to_stop_by_need_not_be_repeated():
    weights = RNG.integers(0, 4, 40)
    many = np.repeat(REALS, weights, axis=0)
    a = Autoencoder((5, 2), **QUICK).fit(REALS, sample_weight=weights)
    b = Autoencoder((5, 2), **QUICK).fit(many[::-1])
    np.testing.assert_allclose(a.validation_scores_, b.validation_scores_, rtol=1e-9)
    with pytest.raises(ValueError, match="validation_fraction"):
        Autoencoder((5, 2), early_stopping=True, validation_fraction=0.01, **QUICK).fit(REALS)
    with pytest.raises(ValueError, match="validation_fraction"):
        Autoencoder((5, 2), early_stopping=True, validation_fraction=0.99, **QUICK).fit(REALS)


# Pre-training -------------------------------------------------------------------------------------

STACKS = {
    "RBM": (BernoulliRBM(4, n_iter=3, random_state=0), BITS, "BinaryCrossEntropy"),
    "DBN": (DBN((5, 3), random_state=0), BITS, "BinaryCrossEntropy"),
    "Gaussian": (GaussianRBM(4, n_iter=3, random_state=0), REALS, "SquaredError"),
    "linear code": (
        DBN([BernoulliRBM(5), RBM(2, hidden="gaussian", learning_rate=0.01)], random_state=0),
        BITS,
        "BinaryCrossEntropy",
    ),
}


@pytest.mark.parametrize("name", STACKS)
def test_an_unrolled_stack_reconstructs_as_the_stack_does(name):
    stack, rows, loss = STACKS[name]
    stack = clone(stack).fit(rows)
    settings = {"max_iter": 0, "random_state": 0}
    coder = Autoencoder(pretraining=FrozenEstimator(stack), **settings).fit(rows)
    np.testing.assert_allclose(coder.reconstruct(rows), stack.reconstruct(rows), atol=1e-12)
    np.testing.assert_allclose(coder.transform(rows), stack.transform(rows), atol=1e-12)
    assert loss_name(coder) == loss
    fresh = Autoencoder(pretraining=clone(stack), **settings).fit(rows)
    np.testing.assert_allclose(fresh.transform(rows), coder.transform(rows), atol=1e-12)


def test_layers_above_the_stack_are_random():
    stack = BernoulliRBM(4, n_iter=3, random_state=0).fit(BITS)
    frozen = FrozenEstimator(stack)
    coder = Autoencoder((4, 2), pretraining=frozen, tied=True, max_iter=0, random_state=0).fit(BITS)
    np.testing.assert_array_equal(coder.coefs_[0], stack.components_.T)
    np.testing.assert_array_equal(coder.coefs_[3], stack.components_)
    np.testing.assert_array_equal(coder.intercepts_[3], stack.intercept_visible_)
    assert [W.shape for W in coder.coefs_] == [(6, 4), (4, 2), (2, 4), (4, 6)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"decoder_layer_sizes": (7,)}, "decoder_layer_sizes"),
        ({"loss": "squared_error"}, "loss"),
        ({"activation": "tanh"}, "activation"),
        ({"hidden_layer_sizes": (3, 2)}, "hidden_layer_sizes"),
    ],
)
def test_settings_that_do_not_fit_the_pretraining_are_named(settings, message):
    stack = FrozenEstimator(BernoulliRBM(4, n_iter=1, random_state=0).fit(BITS))
    with pytest.raises(ValueError, match=message):
        Autoencoder(pretraining=stack, max_iter=0, **settings).fit(BITS)


def test_a_stack_that_goes_down_otherwise_is_not_tied():
    stack = FrozenEstimator(GaussianRBM(4, n_iter=3, random_state=0).fit(REALS))
    with pytest.raises(ValueError, match="tied"):
        Autoencoder(pretraining=stack, tied=True, max_iter=0).fit(REALS)


@pytest.mark.parametrize("tied", [False, True])
def test_an_autoencoder_goes_on_as_one(tied):
    settings = {"corruption": "masking", "tied": tied, "loss": "squared_error", **QUICK}
    first = Autoencoder((5, 3), ["tanh", "logistic"], **settings).fit(REALS)
    second = Autoencoder(pretraining=FrozenEstimator(first), tied=tied, max_iter=0, random_state=0)
    second.fit(REALS)
    np.testing.assert_array_equal(second.transform(REALS), first.transform(REALS))
    np.testing.assert_array_equal(second.reconstruct(REALS), first.reconstruct(REALS))
    assert loss_name(second) == "SquaredError"
    assert second.pretraining_ is first


def test_autoencoders_are_trained_layer_by_layer():
    parts = [Autoencoder(n, "logistic", corruption="gaussian", **QUICK) for n in (5, 3)]
    deep = Autoencoder(pretraining=parts, max_iter=0, random_state=0).fit(BITS)
    below = clone(parts[0]).fit(BITS)
    above = clone(parts[1]).set_params(loss="binary_cross_entropy").fit(below.transform(BITS))
    expected = [*below.coefs_[:1], *above.coefs_, *below.coefs_[1:]]
    for W, V in zip(deep.coefs_, expected, strict=True):
        np.testing.assert_array_equal(W, V)
    np.testing.assert_array_equal(deep.transform(BITS), above.transform(below.transform(BITS)))
    lower = below.inverse_transform(above.reconstruct(below.transform(BITS)))
    np.testing.assert_allclose(deep.reconstruct(BITS), lower, rtol=1e-12)
    assert [type(x) for x in deep.pretraining_] == [Autoencoder, Autoencoder]
    assert not hasattr(parts[0], "coefs_")
    other = clone(deep).set_params(pretraining2__hidden_layer_sizes=2).fit(BITS)
    assert other.transform(BITS).shape == (40, 2)
    assert parts[1].hidden_layer_sizes == 3


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_an_encoder_becomes_the_first_layers_of_a_perceptron(kind):
    y = BITS[:, 0].astype(int)
    unlabelled = np.where(np.arange(40) < 30, np.nan, BITS[:, 0])
    coder = Autoencoder((5, 3), loss="poisson", **QUICK)
    settings = {"max_iter": 0, "random_state": 0}
    for target in (y, unlabelled):
        mlp = kind(hidden_layer_sizes=(5, 3, 2), pretraining=coder, **settings)
        mlp.fit(BITS, target)
        alone = clone(coder).fit(BITS)
        found = list(mlp.network_.outputs(mlp._params(), BITS))
        np.testing.assert_allclose(found[3], alone.transform(BITS), rtol=1e-12)
        assert [W.shape for W in mlp.coefs_] == [(6, 5), (5, 3), (3, 2), (2, 1)]
    stacked = [Autoencoder(5, "relu", **QUICK), Autoencoder(3, "tanh", **QUICK)]
    mlp = kind(pretraining=stacked, **settings).fit(BITS, y)
    codes = mlp.pretraining_[1].transform(mlp.pretraining_[0].transform(BITS))
    np.testing.assert_allclose(list(mlp.network_.outputs(mlp._params(), BITS))[3], codes)


def test_counts_are_scaled_in_the_first_weights():
    coder = Autoencoder((5, 2), loss="poisson", **QUICK).fit(COUNTS)
    mlp = MLPRegressor(pretraining=FrozenEstimator(coder), max_iter=0).fit(COUNTS, COUNTS[:, 0])
    found = list(mlp.network_.outputs(mlp._params(), COUNTS))
    np.testing.assert_allclose(found[3], coder.transform(COUNTS), atol=1e-9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pretraining": []}, "pretraining.*a list of objects, one at least, each implementing"),
        ({"pretraining": [3]}, "pretraining.*a list of objects, one at least"),
        ({"pretraining": [BernoulliRBM(3)]}, "list as pretraining"),
        ({"pretraining": Autoencoder(5, "prelu", **QUICK)}, "cannot be handed on"),
        ({"pretraining": Autoencoder((5, 3), batch_norm=True, **QUICK)}, "cannot be handed on"),
        ({"pretraining": Autoencoder((5, 3), decoder_layer_sizes=(4,), **QUICK)}, "mirror"),
        ({"pretraining": Autoencoder((5, 3), decoder_layer_sizes=(), **QUICK)}, "mirror"),
        ({"pretraining": Autoencoder(5, **QUICK), "activation": "tanh"}, "activation ReLU"),
        ({"pretraining": Autoencoder(5, **QUICK), "loss": "poisson"}, "has the loss Binary"),
        ({"pretraining": [Autoencoder(5, **QUICK)], "hidden_layer_sizes": (4,)}, "begin with"),
    ],
)
def test_autoencoders_that_do_not_fit_are_named(settings, message):
    given = settings["pretraining"]
    if isinstance(given, Autoencoder) and given.activation == "auto":
        settings["pretraining"] = given.set_params(activation="relu")
    with pytest.raises(ValueError, match=message):
        Autoencoder(**settings, max_iter=0).fit(BITS)


# Gaps ---------------------------------------------------------------------------------------------


def with_gaps(rows):
    rows = rows.copy()
    rows[RNG.random(rows.shape) < 0.15] = np.nan
    return rows


@pytest.mark.parametrize(
    ("rows", "name"),
    [(BITS, "binary_cross_entropy"), (REALS, "squared_error"), (COUNTS, "poisson")],
)
def test_missing_entries_count_for_nothing(rows, name):
    gaps = with_gaps(rows)
    coder = Autoencoder((8, 2), loss=name, **QUICK).fit(gaps)
    missing, found = np.isnan(gaps), coder.reconstruct(gaps)
    assert np.isfinite(found).all()
    means = np.where(missing, np.nanmean(gaps, axis=0), gaps)
    np.testing.assert_allclose(coder.transform(gaps), coder.transform(means), atol=1e-12)
    full = coder.impute(gaps, n_steps=1)
    np.testing.assert_array_equal(full[~missing], gaps[~missing])
    np.testing.assert_array_equal(full[missing], found[missing])
    loss = LOSSES[name]()
    z = loss.linear(found)
    expected = [
        -loss.of_rows(a[None, k], b[None, k])[0] for a, b, k in zip(z, gaps, ~missing, strict=True)
    ]
    np.testing.assert_allclose(coder.score_samples(gaps), expected, rtol=1e-6, atol=1e-9)


def test_related_columns_fill_gaps():
    coder = Autoencoder((16, 2), **{**LONG, "max_iter": 150}).fit(REALS)
    gaps = REALS.copy()
    gaps[::2, 1] = np.nan
    error = np.square(coder.impute(gaps) - REALS)[::2, 1].mean()
    assert error < 0.3 * REALS[:, 1].var()


# Refusals and warnings ----------------------------------------------------------------------------


def test_a_code_that_can_copy_is_remarked_on():
    with pytest.warns(UserWarning, match="copy its inputs"):
        Autoencoder(9, **QUICK).fit(REALS)
    for setting in (
        {"corruption": "masking"},
        {"sparsity": SparseActivity()},
        {"contraction": 0.1},
        {"dropout": 0.1},
        {"regularization": Regularization(l1=0.01)},
    ):
        Autoencoder(9, **setting, **QUICK).fit(REALS)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "binary_cross_entropy"}, "binary_cross_entropy"),
        ({"loss": "poisson"}, "poisson"),
        ({"loss": ColumnLosses((("squared_error", 5),))}, "5 columns"),
        ({"tied": True, "hidden_layer_sizes": (4, 2), "decoder_layer_sizes": (3,)}, "tied"),
        ({"sparsity": SparseActivity(), "activation": "tanh"}, "sparsity"),
        ({"contraction": 0.1, "activation": "prelu"}, "contraction"),
        ({"contraction": -1.0}, "contraction"),
        ({"corruption": "blur"}, "corruption"),
        ({"decoder_layer_sizes": (0,)}, "decoder_layer_sizes"),
        ({"hidden_layer_sizes": ()}, "hidden_layer_sizes"),
        ({"solver": "lbfgs", "corruption": "masking"}, "corruption"),
    ],
)
def test_what_cannot_be_is_named(settings, message):
    with pytest.raises(ValueError, match=message):
        Autoencoder(**{"hidden_layer_sizes": 3, **settings, **QUICK}).fit(REALS)


def test_later_rows_must_be_in_reach_of_the_prediction():
    coder = Autoencoder(3, **QUICK).partial_fit(BITS)
    with pytest.raises(ValueError, match="binary_cross_entropy"):
        coder.partial_fit(REALS)
    coder.set_params(tied=True)
    with pytest.raises(ValueError, match="tied"):
        coder.partial_fit(BITS)


def test_weights_set_by_hand_stay_tied():
    coder = Autoencoder((5, 2), tied=True, **QUICK).fit(REALS)
    coder.coefs_ = [2 * W for W in coder.coefs_]
    assert np.isfinite(coder.transform(REALS)).all()
    coder.coefs_ = [coder.coefs_[0], *coder.coefs_[1:3], coder.coefs_[3] + 1]
    with pytest.raises(ValueError, match="tied"):
        coder.transform(REALS)


def test_constant_columns_are_learned():
    rows = REALS.copy()
    rows[:, 2] = 7.0
    coder = Autoencoder((8, 2), **LONG).fit(rows)
    np.testing.assert_allclose(coder.reconstruct(rows)[:, 2], 7, atol=0.3)
    zeros = BITS.copy()
    zeros[:, 2] = 0
    assert np.isfinite(Autoencoder((8, 2), **QUICK).fit(zeros).score(BITS))


def test_single_precision_stays():
    coder = Autoencoder((8, 3), **QUICK).fit(REALS.astype(np.float32))
    assert coder.transform(REALS).dtype == coder.coefs_[0].dtype == np.float32
    assert coder.reconstruct(REALS).dtype == np.float32


def test_scores_of_rows_that_the_loss_is_not_for_are_told():
    rng = np.random.default_rng(0)
    X = (rng.random((60, 5)) < 0.5).astype(float)
    model = Autoencoder((3,), loss="binary_cross_entropy", max_iter=5, n_iter_no_change=np.inf)
    model.fit(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (model.score_samples(X) <= 0).all()
    with pytest.warns(UserWarning, match="better than perfect"):
        model.score_samples(300 * X)
