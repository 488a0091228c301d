"""scikit-learn's own checks of an estimator: all of them, and none is expected to fail."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from ebm import (
    RBM,
    BernoulliRBM,
    DenseAssociativeClassifier,
    DenseAssociativeMemory,
    GaussianRBM,
    ModernHopfieldNetwork,
)

# Together these name every gradient, optimiser and schedule once or more.
ESTIMATORS = [
    BernoulliRBM(),
    GaussianRBM(),
    RBM(),
    RBM(visible="gaussian", hidden="gaussian"),
    BernoulliRBM(gradient="cd", optimizer="momentum", schedule="linear"),
    BernoulliRBM(gradient="pcd", optimizer="nesterov", schedule="exponential"),
    BernoulliRBM(n_components=4, gradient="exact", optimizer="sgd", schedule="inverse"),
    BernoulliRBM(gradient="tap"),
    BernoulliRBM(gradient="pseudo_likelihood"),
    RBM(hidden="gaussian", gradient="ratio_matching"),
    DenseAssociativeMemory(),
    DenseAssociativeMemory(interaction="exponential", visit="cyclic"),
    DenseAssociativeClassifier(),
    DenseAssociativeClassifier(degree=3, optimizer="adam", learning_rate=0.01),
    ModernHopfieldNetwork(),
    ModernHopfieldNetwork(beta=0.5, variant="entmax"),
    ModernHopfieldNetwork(beta=0.5, variant="sparsemax"),
]


# The checks feed Bernoulli units with normal deviates, which the units remark on by design. Two Gaussian layers have
# no law where the weights are too large, and at RBM's learning rate, that of binary units, they come there. They also
# have memories of a few units store dozens of patterns, read as two states, of which most are equal.
@pytest.mark.filterwarnings("ignore:X holds values other than:UserWarning")
@pytest.mark.filterwarnings("ignore:.*patterns repeat others:UserWarning")
@pytest.mark.filterwarnings("ignore:.*patterns are more than the about:UserWarning")
@pytest.mark.filterwarnings("ignore:X holds values between:UserWarning")
@pytest.mark.filterwarnings("ignore:RBM. training div:sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(ESTIMATORS)
def test_estimator_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)
