"""scikit-learn's own checks of an estimator: all of them, and none is expected to fail."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from ebm import RBM, BernoulliRBM, GaussianRBM

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
]


# The checks feed Bernoulli units with normal deviates, which the units remark on by design. Two Gaussian layers have
# no law where the weights are too large, and at RBM's learning rate, that of binary units, they come there.
@pytest.mark.filterwarnings("ignore:X holds values between:UserWarning")
@pytest.mark.filterwarnings("ignore:RBM. training div:sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(ESTIMATORS)
def test_estimator_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)
