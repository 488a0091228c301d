"""scikit-learn's own checks of an estimator: all of them, and none is expected to fail."""

from itertools import cycle, islice

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import ebm.sklearn_compat
from ebm import (
    DBM,
    DBN,
    RBM,
    Autoencoder,
    BernoulliRBM,
    BoltzmannMachine,
    DBMClassifier,
    DBNClassifier,
    DenseAssociativeClassifier,
    DenseAssociativeMemory,
    FineTuning,
    FreeEnergyOutlierDetector,
    GaussianRBM,
    Growth,
    HopfieldNetwork,
    MLPClassifier,
    MLPRegressor,
    ModernHopfieldNetwork,
    MultimodalDBM,
    NCAEmbedding,
    Perceptron,
    SparseActivity,
    TableRBM,
)
from ebm.gradients import GRADIENTS, PAIRWISE_GRADIENTS
from ebm.networks.activations import ACTIVATIONS
from ebm.networks.initializations import INITIALIZATIONS
from ebm.optimizers import OPTIMIZERS, SCHEDULES
from ebm.storage import RULES


def in_turn(**registries):
    """Settings that name every entry of each registry, as few of them as the longest registry has entries."""
    longest = max(map(len, registries.values()))
    columns = [islice(cycle(known), longest) for known in registries.values()]
    return [dict(zip(registries, names, strict=True)) for names in zip(*columns, strict=True)]


GROWING = {
    "hidden_layer_sizes": (2,),
    "growth": Growth(n_new=2, max_units=6, tol=0.0),
    "learning_rate_init": 0.02,
    "max_iter": 60,
    "tol": 0.01,
}
# The checks have 30 features and normal deviates. These two take 25 and 20 units, and the latter has no maximum where
# rows are not states.
SMALL_MACHINES = {"exact", "maximum_likelihood"}
# Every entry of the registries: a new one joins by itself.
REGISTERED = [
    *(
        BernoulliRBM(4, n_iter=10, **names)
        for names in in_turn(gradient=GRADIENTS, optimizer=OPTIMIZERS, schedule=SCHEDULES)
    ),
    *(
        BoltzmannMachine(n_iter=10, **names)
        for names in in_turn(
            gradient=[name for name in PAIRWISE_GRADIENTS if name not in SMALL_MACHINES]
        )
    ),
    *(HopfieldNetwork(**names) for names in in_turn(rule=RULES)),
    *(
        Autoencoder((4, 1), max_iter=5, learning_rate_init=1e-5, **names)  # some rows are near 100
        for names in in_turn(
            activation=ACTIVATIONS, solver=OPTIMIZERS, learning_rate=SCHEDULES, init=INITIALIZATIONS
        )
    ),
]
# They learn for a short time: the defaults, of 2000 updates, have tests of their own.
ESTIMATORS = [
    *REGISTERED,
    BernoulliRBM(n_iter=20),
    GaussianRBM(16, n_iter=20),
    RBM(n_iter=20),
    RBM(visible="gaussian", hidden="gaussian", n_iter=10),
    RBM(hidden="gaussian", gradient="ratio_matching", n_iter=10),
    DenseAssociativeMemory(),
    DenseAssociativeMemory(interaction="exponential", update="cyclic"),
    DenseAssociativeClassifier(),
    DenseAssociativeClassifier(degree=3, optimizer="adam", learning_rate=0.01),
    ModernHopfieldNetwork(),
    ModernHopfieldNetwork(beta=0.5, variant="entmax"),
    ModernHopfieldNetwork(beta=0.5, variant="sparsemax"),
    RBM(visible="spin", hidden="spin", n_iter=10),
    BoltzmannMachine(),
    BoltzmannMachine(n_hidden=3, unit="spin", batch_size=10, gradient="cd"),
    BoltzmannMachine(unit="spin", gradient="tap"),
    HopfieldNetwork(),
    HopfieldNetwork(update="cyclic"),
    HopfieldNetwork(update="sync"),
    HopfieldNetwork(Perceptron(symmetric=True, max_iter=100)),
    HopfieldNetwork("covariance", update="glauber"),
    HopfieldNetwork(temperature=0.1, max_sweeps=3),
    DBM((4, 3), n_iter=2),
    DBM([GaussianRBM(4, n_iter=1), 3], n_iter=2, pretraining=None, features="top"),
    DBMClassifier([16], batch_size=10, n_iter=60),
    DBMClassifier([GaussianRBM(8, n_iter=5), 4], n_iter=20),
    MultimodalDBM(n_iter=2),
    MultimodalDBM([("left", [3], [0]), ("right", [3, 2], slice(1, None))], 2, n_iter=2),
    DBN([BernoulliRBM(4, n_iter=20), BernoulliRBM(3, n_iter=20)]),
    DBN([GaussianRBM(5, variance="unit", n_iter=20), 4], features="all", propagate="mean"),
    DBNClassifier([BernoulliRBM(256, n_iter=20)]),
    DBNClassifier([16], fine_tuning="up_down"),
    DBNClassifier(
        [BernoulliRBM(24, n_iter=20), BernoulliRBM(16, gradient="cd", n_iter=20)],
        features="all",
        propagate="mean",
    ),
    DBN(
        [BernoulliRBM(4, n_iter=20), RBM(3, hidden="gaussian", learning_rate=0.01, n_iter=20)],
        fine_tuning=FineTuning(n_iter=2),
    ),
    TableRBM(n_iter=10),
    TableRBM(n_components=4, n_iter=5, transformer="yeo-johnson"),
    FreeEnergyOutlierDetector(TableRBM(n_components=4, n_iter=5)),
    FreeEnergyOutlierDetector(GaussianRBM(4, n_iter=10), contamination=0.1),
    MLPClassifier(),
    MLPRegressor(**GROWING),
    MLPClassifier(**GROWING),
    MLPClassifier(
        activation="prelu", batch_norm=True, dropout=0.1, learning_rate_init=0.03, max_iter=60
    ),
    MLPClassifier(
        pretraining=GaussianRBM(16, n_iter=2), learning_rate_init=0.1, alpha=0.01, max_iter=60
    ),
    MLPRegressor(
        "huber", pretraining=GaussianRBM(16, n_iter=2), learning_rate_init=0.1, max_iter=60
    ),
    MLPRegressor(
        hidden_layer_sizes=(8, 4), activation=["maxout", "elu"], solver="lbfgs", max_iter=50
    ),
    NCAEmbedding(hidden_layer_sizes=(8,), max_iter=20),
    NCAEmbedding((), solver="lbfgs", max_iter=20),
    NCAEmbedding((8,), 2, supervision=0.5, max_iter=20),
    Autoencoder(max_iter=20),
    Autoencoder(
        (5, 3),
        "logistic",
        tied=True,
        corruption="masking",
        sparsity=SparseActivity(),
        contraction=0.01,
        max_iter=20,
    ),
]


# The checks feed Bernoulli units with normal deviates, which the units remark on by design. Two Gaussian layers have
# no law where the weights are too large, and at RBM's learning rate, that of binary units, they come there.
@pytest.mark.filterwarnings("ignore:X holds (values between|the values):UserWarning")
@pytest.mark.filterwarnings("ignore:BoltzmannMachine. :sklearn.exceptions.ConvergenceWarning")
# Some checks have rows near 100: weights of units that take 0 and 1 then leave their scale, which is said.
@pytest.mark.filterwarnings("ignore:.*RBM. training div:sklearn.exceptions.ConvergenceWarning")
# Associative memories read such data by rounding, which makes more patterns than so few units can hold.
@pytest.mark.filterwarnings("ignore:X holds values other than two states:UserWarning")
@pytest.mark.filterwarnings("ignore:[0-9]+ patterns are more than:UserWarning")
@pytest.mark.filterwarnings("ignore:[0-9]+ of [0-9]+ patterns are not held:UserWarning")
@pytest.mark.filterwarnings("ignore:Rule .* cannot store these similar patterns:UserWarning")
@pytest.mark.filterwarnings("ignore:[0-9]+ of [0-9]+ probes:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:Perceptron found no:sklearn.exceptions.ConvergenceWarning")
# One check takes the weight from a whole class, which is remarked on by design.
@pytest.mark.filterwarnings("ignore:sample_weight is zero in all rows of the classes:UserWarning")
# Rows of few and random data: what of training does not come to its end, does not matter here.
@pytest.mark.filterwarnings(
    "ignore:(MLP|Auto|NCA).* Not converged:sklearn.exceptions.ConvergenceWarning"
)
@pytest.mark.filterwarnings(
    "ignore:(MLP|Auto|NCA).* The network predicts no better:sklearn.exceptions.ConvergenceWarning"
)
@pytest.mark.filterwarnings(
    "ignore:.* the mean field of .* had not converged:sklearn.exceptions.ConvergenceWarning"
)
@parametrize_with_checks(ESTIMATORS)
def test_estimator_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


def test_every_public_estimator_is_checked():
    public = {getattr(ebm, name) for name in ebm.sklearn_compat.__all__}
    assert set(map(type, ESTIMATORS)) == {kind for kind in public if hasattr(kind, "fit")}
