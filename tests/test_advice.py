"""Advice in messages is the cure: each is provoked, followed, and then nothing is told any more.

Further ones are followed where their subject is tested: doubts of log Z in core/test_bases.py, patterns and couplings
in estimators/test_told.py, alphabets in estimators/test_alphabets.py, NaN in estimators/test_not_finite.py.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits, load_wine
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, OneHotEncoder, StandardScaler

from ebm import (
    AIS,
    DBN,
    RBM,
    BernoulliRBM,
    BoltzmannMachine,
    Categorical,
    DBNClassifier,
    DenseAssociativeClassifier,
    DenseAssociativeMemory,
    FiltersDisplay,
    GaussianRBM,
    HopfieldNetwork,
    MaximumLikelihood,
    MaximumPseudoLikelihood,
    MeanFieldInversion,
    MLPClassifier,
    ModernHopfieldNetwork,
    Perceptron,
    PersistentContrastiveDivergence,
    Regularization,
    TrainingCurveDisplay,
    UpDown,
)

RNG = np.random.default_rng(0)
BITS = RNG.integers(0, 2, (30, 6)).astype(float)
REAL = RNG.normal(size=(30, 4))
GAPS = np.where(RNG.random(BITS.shape) < 0.2, np.nan, BITS)
Y = np.arange(30) % 2
SOME = np.where(np.arange(30) < 15, Y, np.nan)
AGREE = np.array([[1, 1]] * 600 + [[1, 0]] * 200 + [[0, 1]] * 200 + [[0, 0]] * 3)
BRIEF = {"max_iter": 20, "n_iter_no_change": 2, "tol": 10.0}
QUICK = {"n_iter": 1, "random_state": 0}
WINE = load_wine(return_X_y=True)
SCALED_WINE = StandardScaler().fit_transform(WINE[0]), WINE[1]
COUPLED = np.ones((3, 3)) - np.eye(3)
FRAME = pd.DataFrame(COUPLED, index=list("cab"), columns=list("abc"))
COPIES = np.repeat(BITS[:, :2], 2, axis=1)
STILL = np.column_stack([BITS[:, :2], np.ones(30)])
ALIKE = np.where(RNG.random((20, 100)) < 0.1, -1.0, 1.0)
GROUPS = OneHotEncoder(sparse_output=False).fit_transform(np.arange(30)[:, np.newaxis] % 3)
COUNTS = np.arange(60).reshape(20, 3) % 5
TORN = np.where((np.arange(30)[:, np.newaxis] == 4) & (np.arange(3) == 1), np.nan, GROUPS)


def on_digits(rate: float) -> MLPClassifier:
    """Logistic units that drop out, all epochs run."""
    X, y = load_digits(return_X_y=True)
    steps = {"solver": "sgd", "n_iter_no_change": np.inf, "max_iter": 30, "batch_size": 50}
    network = MLPClassifier(
        (200, 400), activation="logistic", dropout=(0.3, 0.5, 0.5), random_state=0, **steps
    )
    return network.set_params(learning_rate_init=rate).fit(X[:1000] / 16, y[:1000])


def on_wine(**settings: Any) -> MLPClassifier:
    """One that learns wine unless `settings` prevent it."""
    usual = {"learning_rate_init": 0.002, "max_iter": 800, "tol": 1e-3, "random_state": 0}
    return MLPClassifier((20, 20), "logistic", **{**usual, **settings})


def counted() -> RBM:
    return RBM(2, visible="poisson", **{**QUICK, "learning_rate": 0.01}).fit(COUNTS)


def rbm(**settings: Any) -> BernoulliRBM:
    return BernoulliRBM(**{"n_components": 2, **QUICK, **settings})


def machine(**settings: Any) -> BoltzmannMachine:
    return BoltzmannMachine(**{**QUICK, **settings})


def network(**settings: Any) -> MLPClassifier:
    return MLPClassifier((3,), **{"random_state": 0, **BRIEF, **settings})


def labels(**settings: Any) -> DBNClassifier:
    return DBNClassifier(**{"layers": [rbm(), rbm()], "random_state": 0, **settings})


def refit(first: Any, X: Any = BITS, **changed: Any) -> Any:
    """A fitted estimator with other settings, which is to go on."""
    return first.set_params(warm_start=True).fit(X).set_params(**changed)


def grouped() -> RBM:
    return RBM(2, visible=Categorical((3,)), **QUICK).fit(GROUPS)


def attention(**settings: Any) -> ModernHopfieldNetwork:
    return ModernHopfieldNetwork(beta=6.0, tol=1e-12, **settings).fit(np.eye(4))


def by_hand(network: MLPClassifier, start: Callable[[MLPClassifier], object]) -> MLPClassifier:
    start(network)
    network.coefs_ = [np.zeros((6, 3)), np.zeros((3, 1))]
    network.intercepts_ = [np.zeros(3), np.zeros(1)]
    return network.set_params(warm_start=True).fit(BITS, Y)


class Advice(NamedTuple):
    """A call that is refused or draws a warning, words of the advice, and the call that follows it."""

    provoke: Callable[[], object]
    words: str
    follow: Callable[[str], object]


TABLE = {
    # Rows
    "unknown entries": Advice(
        lambda: machine().fit(GAPS),
        "sklearn.impute.SimpleImputer",
        lambda _: machine().fit(SimpleImputer(strategy="most_frequent").fit_transform(GAPS)),
    ),
    "unknown entries later": Advice(
        lambda: rbm().fit(BITS).score_samples(GAPS),
        r"impute\(X\) of this model fills in",
        lambda _: rbm().fit(BITS).score_samples(rbm().fit(BITS).impute(GAPS)),
    ),
    "infinite entries": Advice(
        lambda: rbm().fit(np.where(BITS == 1, BITS, np.inf)),
        "leave such rows out, or write NaN",
        lambda _: rbm().fit(np.vstack([BITS[:4], np.where(BITS == 1, BITS, np.nan)])),
    ),
    "a column without known entries": Advice(
        lambda: rbm().fit(np.where(np.arange(6) == 2, np.nan, BITS)),
        "leave such columns out",
        lambda _: rbm().fit(BITS[:, np.arange(6) != 2]),
    ),
    "groups known in part, to learn from": Advice(
        lambda: grouped().fit(TORN),
        "or all of them NaN where a group is unknown",
        lambda _: grouped().fit(np.where(np.isnan(TORN).any(axis=1, keepdims=True), np.nan, TORN)),
    ),
    "pixels": Advice(
        lambda: rbm().fit(255 * BITS),
        r"MinMaxScaler\(\(0, 1\), clip=True\)",
        lambda _: rbm().fit(MinMaxScaler((0, 1), clip=True).fit_transform(255 * BITS)),
    ),
    "real values": Advice(
        lambda: rbm().fit(REAL),
        "for real-valued data use GaussianRBM",
        lambda _: GaussianRBM(2, learning_rate=0.01, **QUICK).fit(REAL),
    ),
    "real values into a stack": Advice(
        lambda: labels().fit(REAL, Y),
        r"layers=\[GaussianRBM\(\), 64\]",
        lambda _: labels(layers=[GaussianRBM(2, learning_rate=0.01, **QUICK), rbm()]).fit(REAL, Y),
    ),
    "constant columns": Advice(
        lambda: GaussianRBM(2, learning_rate=0.01, **QUICK).fit(np.column_stack([REAL, Y * 0])),
        r"\(4\).*Leave such columns out",
        lambda _: GaussianRBM(2, learning_rate=0.01, **QUICK).fit(REAL),
    ),
    "counts at another temperature": Advice(
        lambda: counted().score_samples(COUNTS, beta=0.5),
        r"free_energy\(X, beta=0.5\), log_partition\('exact', beta=0.5\), and sample\(beta=0.5\)",
        lambda _: (
            counted().free_energy(COUNTS, beta=0.5),
            counted().log_partition("exact", beta=0.5),
            counted().sample(3, n_steps=4, beta=0.5),
        ),
    ),
    "a group known in part": Advice(
        lambda: grouped().log_likelihood(TORN),
        "or all of them NaN where a group is unknown",
        lambda _: grouped().log_likelihood(
            np.where(np.isnan(TORN).any(axis=1, keepdims=True), np.nan, TORN)
        ),
    ),
    "groups that are none": Advice(
        lambda: RBM(2, visible=Categorical((3,)), **QUICK).fit(BITS[:, :3]),
        "as sklearn.preprocessing.OneHotEncoder does",
        lambda _: RBM(2, visible=Categorical((3,)), **QUICK).fit(GROUPS),
    ),
    "large weights": Advice(
        lambda: rbm().fit(BITS, sample_weight=np.full(30, 1e6)),
        "Divide the weights by their mean",
        lambda _: rbm().fit(BITS, sample_weight=np.full(30, 1e6) / 1e6),
    ),
    "another range": Advice(
        lambda: DenseAssociativeClassifier(2, n_iter=1, random_state=0).fit(7 * REAL, Y),
        "sklearn.preprocessing.MinMaxScaler",
        lambda _: DenseAssociativeClassifier(2, n_iter=1, random_state=0).fit(
            MinMaxScaler().fit_transform(7 * REAL), Y
        ),
    ),
    # Settings
    "another size": Advice(
        lambda: refit(rbm(), n_components=3).fit(BITS),
        r"Fit anew \(warm_start=False\)",
        lambda _: refit(rbm(), n_components=3).set_params(warm_start=False).fit(BITS),
    ),
    "norms of couplings": Advice(
        lambda: machine(regularization=Regularization(max_norm=1.0)).fit(BITS),
        "Use weight_decay, l1 or clip_norm",
        lambda _: [
            machine(weight_decay=0.1).fit(BITS),
            machine(regularization=Regularization(l1=0.1, clip_norm=1.0)).fit(BITS),
        ],
    ),
    "flips of real units": Advice(
        lambda: GaussianRBM(2, gradient="pseudo_likelihood", **QUICK).fit(REAL),
        "Use gradient='pcd' or 'cd'",
        lambda _: [
            GaussianRBM(2, gradient=way, learning_rate=0.01, **QUICK).fit(REAL)
            for way in ("pcd", "cd")
        ],
    ),
    "too many chains": Advice(
        lambda: rbm(gradient=PersistentContrastiveDivergence(n_chains=10**12)).fit(BITS),
        "Use fewer; without n_chains there are as many as the batch size",
        lambda _: rbm(gradient=PersistentContrastiveDivergence()).fit(BITS),
    ),
    "chains that do not persist": Advice(
        lambda: UpDown(n_chains=3),
        "Set persistent=True, or leave it out",
        lambda _: [UpDown(n_chains=3, persistent=True), UpDown()],
    ),
    "temperatures twice": Advice(
        lambda: AIS(n_temperatures=3, schedule=[0, 0.5, 1]),
        "must be None when schedule",
        lambda _: AIS(schedule=[0, 0.5, 1]),
    ),
    "when there are enough": Advice(
        lambda: AIS(reverse=False), "takes reverse=True", lambda _: AIS(reverse=True)
    ),
    # Boltzmann machines
    "pairs one way": Advice(
        lambda: machine(mask=np.triu(np.ones((6, 6), bool), 1)).fit(BITS),
        r"mask \| mask.T is",
        lambda _: machine(
            mask=np.triu(np.ones((6, 6), bool), 1) | np.triu(np.ones((6, 6), bool), 1).T
        ).fit(BITS),
    ),
    "names in two orders": Advice(
        lambda: BoltzmannMachine.from_couplings(FRAME),
        r"J.loc\[J.columns\]",
        lambda _: BoltzmannMachine.from_couplings(FRAME.loc[FRAME.columns] * 0),
    ),
    "biases of which units": Advice(
        lambda: BoltzmannMachine.from_couplings(COUPLED, np.ones(3)),
        "unit='bernoulli' for 0 and 1",
        lambda _: [
            BoltzmannMachine.from_couplings(COUPLED, np.ones(3), unit=u)
            for u in ("bernoulli", "spin")
        ],
    ),
    "hidden units of a solver": Advice(
        lambda: machine(n_hidden=1, gradient="tap").fit(BITS),
        "Gradients such as 'pcd'",
        lambda _: machine(n_hidden=1, gradient="pcd").fit(BITS),
    ),
    "too many units": Advice(
        lambda: machine(gradient="maximum_likelihood").fit(RNG.integers(0, 2, (400, 21))),
        "MaximumPseudoLikelihood has no such limit",
        lambda _: machine(gradient=MaximumPseudoLikelihood()).fit(
            np.random.default_rng(0).integers(0, 2, (400, 21))
        ),
    ),
    "no inverse": Advice(
        lambda: machine(gradient=MeanFieldInversion(pseudocount=0.0)).fit(COPIES),
        "pseudocount above zero",
        lambda _: machine(gradient=MeanFieldInversion(1, pseudocount=1.0)).fit(COPIES),
    ),
    "copies": Advice(
        lambda: machine(gradient="pseudo_likelihood").fit(COPIES),
        "l2 above zero makes them finite",
        lambda _: machine(gradient=MaximumPseudoLikelihood(l2=0.1)).fit(COPIES),
    ),
    "the boundary": Advice(
        lambda: machine(gradient="maximum_likelihood").fit(COPIES),
        "l2 above zero keeps couplings finite",
        lambda _: machine(gradient=MaximumLikelihood(l2=0.1)).fit(COPIES),
    ),
    "too strong for a mean field": Advice(
        lambda: machine(gradient=MeanFieldInversion(pseudocount=0.0)).fit(AGREE),
        "MaximumPseudoLikelihood needs none",
        lambda _: machine(gradient=MaximumPseudoLikelihood()).fit(AGREE),
    ),
    "units that never change": Advice(
        lambda: machine(gradient="pseudo_likelihood").fit(STILL),
        r"\(2\).*Leave such columns out",
        lambda _: machine(gradient="pseudo_likelihood").fit(STILL[:, :2]),
    ),
    "steps back from rows": Advice(
        lambda: machine(n_hidden=2).fit(BITS).log_likelihood(BITS, method="raise"),
        "Use method='ais'",
        lambda _: machine(n_hidden=2).fit(BITS).log_likelihood(BITS, method="ais"),
    ),
    "gaps in rows": Advice(
        lambda: rbm().fit(BITS).log_likelihood(GAPS, method="pseudo"),
        "method='auto' sums out",
        lambda _: rbm().fit(BITS).log_likelihood(GAPS, method="auto"),
    ),
    # Stacks
    "units that do not fit": Advice(
        lambda: DBN([rbm(), RBM(2, visible="spin", **QUICK)]).fit(BITS),
        "give layer2 that type",
        lambda said: DBN(
            [rbm(), RBM(2, visible=re.findall(r"visible='(\w+)'", said)[-1], **QUICK)]
        ).fit(BITS),
    ),
    "too few units to turn over": Advice(
        lambda: DBN([rbm(), rbm()], start="transposed").fit(BITS),
        "Give it more, or set start='random'",
        lambda _: [
            DBN([rbm(), rbm(n_components=6)], start="transposed").fit(BITS),
            DBN([rbm(), rbm()], start="random").fit(BITS),
        ],
    ),
    "more layers": Advice(
        lambda: DBN([rbm()]).fit(BITS).set_params(layers=[rbm(), rbm()]).partial_fit(BITS),
        "Call fit, with warm_start=True to keep what there is",
        lambda _: (
            DBN([rbm()])
            .fit(BITS)
            .set_params(layers=[rbm(), rbm()], warm_start=True)
            .fit(BITS)
            .partial_fit(BITS)
        ),
    ),
    # Labels
    "no labels": Advice(
        lambda: labels().fit(BITS, np.full(30, np.nan)),
        "Label some rows of at least two classes",
        lambda _: labels().fit(BITS, SOME),
    ),
    "classes to come": Advice(
        lambda: labels().partial_fit(BITS, Y),
        r"for example np.unique\(y_all\)",
        lambda _: labels().partial_fit(BITS, Y, classes=np.unique(Y)),
    ),
    "a new class": Advice(
        lambda: labels().partial_fit(BITS, Y, classes=[0, 1]).partial_fit(BITS, 2 * Y),
        "Name all classes in the first call of partial_fit",
        lambda _: labels().partial_fit(BITS, Y, classes=[0, 1, 2]).partial_fit(BITS, 2 * Y),
    ),
    "words and numbers": Advice(
        lambda: network().fit(BITS, ["a", 1] * 15),
        "Convert all labels to strings",
        lambda _: network().fit(BITS, ["a", "1"] * 15),
    ),
    # Networks
    "a batch of more rows": Advice(
        lambda: network(batch_size=99).fit(BITS, Y),
        "larger than the number of rows, 30",
        lambda _: network(batch_size=30).fit(BITS, Y),
    ),
    "no rows to stop by": Advice(
        lambda: network(early_stopping=True).partial_fit(BITS, Y, classes=[0, 1]),
        r"set_params\(early_stopping=False\)",
        lambda _: (
            network(early_stopping=True)
            .set_params(early_stopping=False)
            .partial_fit(BITS, Y, classes=[0, 1])
        ),
    ),
    "one function of all rows": Advice(
        lambda: network(solver="lbfgs", dropout=0.5).fit(BITS, Y),
        "Use another solver",
        lambda _: network(solver="adam", dropout=0.5).fit(BITS, Y),
    ),
    "few rows to stop by": Advice(
        lambda: network(early_stopping=True, validation_fraction=0.01).fit(BITS, Y),
        "Increase validation_fraction",
        lambda _: network(early_stopping=True, validation_fraction=0.2).fit(BITS, Y),
    ),
    "few rows to learn from": Advice(
        lambda: network(early_stopping=True, validation_fraction=0.98).fit(BITS, Y),
        "Decrease validation_fraction",
        lambda _: network(early_stopping=True, validation_fraction=0.8).fit(BITS, Y),
    ),
    "weights without a network": Advice(
        lambda: by_hand(network(), lambda _: None),
        r"set_params\(max_iter=0\).fit\(X, y\)",
        lambda _: by_hand(network(), lambda net: net.set_params(max_iter=0).fit(BITS, Y)),
    ),
    "sizes of the pre-training": Advice(
        lambda: MLPClassifier((3,), pretraining=rbm(), **BRIEF).fit(BITS, Y),
        "Use 'auto', or append layers to these",
        lambda _: [
            MLPClassifier(size, pretraining=rbm(), **BRIEF).fit(BITS, Y)
            for size in ("auto", (2, 3))
        ],
    ),
    "activations of the pre-training": Advice(
        lambda: MLPClassifier("auto", activation="relu", pretraining=rbm(), **BRIEF).fit(BITS, Y),
        "Use activation='auto'",
        lambda _: MLPClassifier("auto", activation="auto", pretraining=rbm(), **BRIEF).fit(BITS, Y),
    ),
    "features of the pre-training": Advice(
        lambda: MLPClassifier("auto", pretraining=FrozenEstimator(rbm().fit(BITS)), **BRIEF).fit(
            BITS[:, :3], Y
        ),
        "Use the same features",
        lambda _: MLPClassifier("auto", pretraining=rbm(), **BRIEF).fit(BITS[:, :3], Y),
    ),
    "inputs beyond bounds": Advice(
        lambda: network(solver="lbfgs").fit(1e200 * BITS, Y),
        "StandardScaler, or MaxAbsScaler",
        lambda _: [
            network(solver="lbfgs").fit(scaler.fit_transform(1e140 * BITS), Y)
            for scaler in (StandardScaler(), MaxAbsScaler())
        ],
    ),
    # Memories
    "too many for Hebb": Advice(
        lambda: HopfieldNetwork(random_state=0).fit(RNG.choice([-1.0, 1.0], (20, 60))),
        "patterns are not held with rule Hebb.*Use rule='pseudo_inverse'",
        lambda _: HopfieldNetwork(rule="pseudo_inverse", random_state=0).fit(
            np.random.default_rng(1).choice([-1.0, 1.0], (20, 60))
        ),
    ),
    "too many for the projection": Advice(
        lambda: HopfieldNetwork(rule="pseudo_inverse").fit(RNG.choice([-1.0, 1.0], (50, 40))),
        "Use rule='perceptron'",
        lambda _: HopfieldNetwork(rule="perceptron").fit(
            np.random.default_rng(1).choice([-1.0, 1.0], (50, 40))
        ),
    ),
    "too many for any couplings": Advice(
        lambda: HopfieldNetwork().fit(RNG.choice([-1.0, 1.0], (100, 40))),
        "Store fewer patterns, or use DenseAssociativeMemory",
        lambda _: DenseAssociativeMemory(degree=6).fit(
            np.random.default_rng(1).choice([-1.0, 1.0], (100, 40))
        ),
    ),
    "patterns alike": Advice(
        lambda: HopfieldNetwork().fit(ALIKE[:5]),
        "Use rule='pseudo_inverse'",
        lambda _: HopfieldNetwork(rule="pseudo_inverse").fit(ALIKE[:5]),
    ),
    "no couplings for all": Advice(
        lambda: HopfieldNetwork(rule="perceptron").fit([[1, 1, 1], [-1, 1, 1]]),
        "or store fewer patterns",
        lambda _: HopfieldNetwork(rule="perceptron").fit([[1, 1, 1]]),
    ),
    "minima without an energy": Advice(
        lambda: HopfieldNetwork(rule="perceptron").fit(ALIKE[:3]).minima(),
        r"rule=Perceptron\(symmetric=True\)",
        lambda _: HopfieldNetwork(rule=Perceptron(symmetric=True)).fit(ALIKE[:3]).minima(),
    ),
    "no bit is on": Advice(
        lambda: HopfieldNetwork().fit([[1, 0, 1, 0], [0, 0, 0, 0]]),
        "Leave it out; if it is meant, give the patterns as -1 and",
        lambda _: [
            HopfieldNetwork().fit([[1, 0, 1, 0]]),
            HopfieldNetwork(rule="pseudo_inverse").fit([[1, -1, 1, -1], [-1, -1, -1, -1]]),
        ],
    ),
    "not at rest": Advice(
        lambda: attention(max_steps=2).transform(0.3 + 0.1 * np.eye(4)),
        "not converged in max_steps=2 updates. Increase max_steps",
        lambda _: attention(max_steps=500).transform(0.3 + 0.1 * np.eye(4)),
    ),
    # Networks that have learned nothing
    "columns of any size": Advice(
        lambda: MLPClassifier(random_state=0).fit(*WINE),
        "no better than a constant.*Scale the columns",
        lambda _: make_pipeline(
            StandardScaler(), MLPClassifier(random_state=0, max_iter=500, tol=1e-3)
        ).fit(*WINE),
    ),
    **{
        f"no gain with {setting}": Advice(
            lambda setting=setting, value=value: on_wine(**{setting: value}).fit(*SCALED_WINE),
            f"no better than a constant.*a {words}",
            lambda _: on_wine().fit(*SCALED_WINE),
        )
        for setting, value, words in [
            ("learning_rate_init", 1e-6, "larger learning_rate_init"),
            ("alpha", 1e3, "smaller alpha"),
            ("tol", 0.5, "smaller tol"),
        ]
    },
    "steps that throw it": Advice(
        lambda: on_digits(0.3),
        "no better than a constant.*a smaller learning_rate_init",
        lambda _: on_digits(0.03),
    ),
    # Displays
    "a chain of steps": Advice(
        lambda: FiltersDisplay.from_estimator(make_pipeline(rbm()).fit(BITS)),
        r"pipeline\[0\]",
        lambda _: FiltersDisplay.from_estimator(
            make_pipeline(rbm()).fit(BITS)[0], image_shape=(2, 3)
        ),
    ),
    "no square": Advice(
        lambda: FiltersDisplay.from_estimator(rbm().fit(BITS)),
        r"image_shape=\(1, 6\)",
        lambda _: FiltersDisplay.from_estimator(rbm().fit(BITS), image_shape=(1, 6)),
    ),
    "no epoch": Advice(
        lambda: TrainingCurveDisplay.from_estimator(rbm(n_iter=0).fit(BITS)),
        "Fit with n_iter of at least 1",
        lambda _: TrainingCurveDisplay.from_estimator(
            rbm(callbacks=lambda report: {"a": 1.0}).fit(BITS)
        ),
    ),
    "nothing recorded": Advice(
        lambda: TrainingCurveDisplay.from_estimator(rbm().fit(BITS)),
        "Fit with verbose=1",
        lambda _: TrainingCurveDisplay.from_estimator(rbm(verbose=1).fit(BITS)),
    ),
    "another number": Advice(
        lambda: TrainingCurveDisplay.from_estimator(rbm(verbose=1).fit(BITS), metric="a"),
        "a callback that returns a dict with this number",
        lambda _: TrainingCurveDisplay.from_estimator(
            rbm(callbacks=lambda report: {"a": 1.0}).fit(BITS), metric="a"
        ),
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_advice_is_the_cure(case, capsys):
    provoke, words, follow = TABLE[case]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            provoke()
        except ValueError as error:
            said = str(error)
        else:
            said = " ".join(str(w.message) for w in caught)
    assert re.search(words, said), said
    follow(said)  # a warning is an error here


def test_how_many():
    assert len(TABLE) >= 25
