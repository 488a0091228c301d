"""The restricted Boltzmann machine of real visible and binary hidden units."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import StrOptions

from ebm._checks import Array
from ebm.energies.bipartite import Bipartite
from ebm.sklearn_compat._shared._settings import Number
from ebm.sklearn_compat.rbm._base import BaseRBM
from ebm.units import Bernoulli, Gaussian


class GaussianRBM(BaseRBM):
    """Restricted Boltzmann machine with real visible units and binary hidden units {0, 1}.

        E(v, h) = sum_i (v_i - b_i)^2 / (2 sigma_i^2) - sum_ij (v_i / sigma_i^2) W_ij h_j - c'h.

    Given h, the visible units are independent Gaussians of mean b + Wh and variance sigma^2, so p(v) is a mixture of
    2^n_components Gaussians that share their parameters [1]_ [2]_.

    Read more in the :ref:`User Guide <gaussian_rbm>`.

    Parameters
    ----------
    n_components : int, default=256
        Number of hidden units.

    variance : {"learned", "unit"} or array-like of shape (n_features,) or float, default="learned"
        The sigma_i^2: learned through log sigma_i^2, starting near the data's variances; fixed to one; or given.

    learning_rate : float, default=0.05
        Step size of the updates, at the start of `schedule`, in units of each feature's standard deviation.

    batch_size : int, default=100
        Rows per update, and persistent chains: with few chains of real-valued units learning is unstable.

    n_iter : int, default=10
        Passes over the training data.

    verbose : int, default=0
        Whether to show progress and the pseudo-likelihood after each epoch: a bar on a terminal, lines elsewhere.

    random_state : int, RandomState instance or None, default=None
        Seed of initial weights, order of rows and Gibbs sampling. An int makes every result reproducible.
        See :term:`Glossary <random_state>`.

    gradient : {"pcd", "cd", "fpcd", "tempering", "exact", "tap", "pseudo_likelihood", "ratio_matching"} or record, \
            default="pcd"
        Estimator of the log-likelihood gradient, by name or with its own settings, for example
        ``PersistentContrastiveDivergence(n_steps=5, n_chains=100)``, ``ContrastiveDivergence(n_steps=10)`` or
        ``ParallelTempering(n_temperatures=20)``. "exact" is for small models; "tap" is for real visible units with
        ``TAP(order=1)`` only, and the last two are for binary ones.
        All are centred by default; :doc:`/learning` compares them.

    optimizer : {"sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adadelta", "adam", "nadam"} or record, \
            default="sgd"
        What is done with the gradient, for example ``Nesterov(momentum=0.95)``.

    schedule : {"constant", "linear", "exponential", "inverse"} or record, default="constant"
        Course of the learning rate over the epochs of `fit`, for example ``Exponential(rate=0.9)``.

    weight_decay : float, default=0.0
        Coefficient of the penalty on half the squared weights.

    regularization : Regularization or None, default=None
        Further penalties and limits: absolute weights, norms, gradient clipping, sparse activity, dropout; for example
        ``Regularization(l1=1e-4, sparsity_target=0.1)``.

    warm_start : bool, default=False
        Whether `fit` goes on from the last solution (parameters, chains, velocity) instead of starting anew.

    callbacks : callable, list of callables or None, default=None
        Called after each epoch with a :class:`ebm.monitors.Report`; may return a dict of numbers for `history_`, or
        True to end training. There are :class:`ebm.EarlyStopping` and :class:`ebm.Checkpoint`.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        Weights.

    intercept_hidden_ : ndarray of shape (n_components,)
        Biases of the hidden units.

    intercept_visible_ : ndarray of shape (n_features,)
        Biases of the visible units, their means when all hidden units are off.

    log_variance_visible_ : ndarray of shape (n_features,)
        log sigma_i^2; see also `variances_`.

    h_samples_ : ndarray of shape (n_chains, n_components)
        Hidden states of the persistent chains, for "tap" hidden means; no rows for gradients without chains.

    offset_visible_ : ndarray of shape (n_features,)
        Offsets of the visible units in the centred gradient.

    offset_hidden_ : ndarray of shape (n_components,)
        Offsets of the hidden units in the centred gradient.

    history_ : dict of ndarray
        What was recorded, one entry per epoch: "epoch", "learning_rate", "time" in seconds, and the numbers of the
        callbacks, NaN where there was none; ``pandas.DataFrame(rbm.history_)`` is a table of it.

    n_features_in_ : int
        Number of features seen during :term:`fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during :term:`fit`. Defined only when `X` has feature names that are all strings.

    See Also
    --------
    BernoulliRBM : For binary data.
    RBM : For any two unit types.

    Notes
    -----
    The likelihood of a feature that the hidden units predict without error grows without bound as its variance goes to
    zero; a learned variance is kept above a thousandth of the data's.

    References
    ----------
    .. [1] Cho, K., Ilin, A. & Raiko, T. "Improved learning of Gaussian-Bernoulli restricted Boltzmann machines."
       ICANN (2011).
    .. [2] Melchior, J., Wang, N. & Wiskott, L. "Gaussian-binary restricted Boltzmann machines for modeling natural
       image statistics." PLoS ONE 12(2) (2017).

    Examples
    --------
    >>> import numpy as np
    >>> from ebm import GaussianRBM
    >>> X = np.random.RandomState(0).normal(size=(100, 3))
    >>> rbm = GaussianRBM(n_components=2, random_state=0).fit(X)
    >>> rbm.variances_.shape
    (3,)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseRBM._parameter_constraints,
        "variance": [
            StrOptions({"learned", "unit"}),
            Number(Real, 0, None, closed="neither"),
            "array-like",
        ],
    }

    def __init__(
        self,
        n_components: int = 256,
        *,
        variance: Any = "learned",
        learning_rate: float = 0.05,
        batch_size: int = 100,
        n_iter: int = 10,
        verbose: int = 0,
        random_state: Any = None,
        gradient: Any = "pcd",
        optimizer: Any = "sgd",
        schedule: Any = "constant",
        weight_decay: float = 0.0,
        regularization: Any = None,
        warm_start: bool = False,
        callbacks: Any = None,
    ) -> None:
        self.n_components = n_components
        self.variance = variance
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.n_iter = n_iter
        self.verbose = verbose
        self.random_state = random_state
        self.gradient = gradient
        self.optimizer = optimizer
        self.schedule = schedule
        self.weight_decay = weight_decay
        self.regularization = regularization
        self.warm_start = warm_start
        self.callbacks = callbacks

    def _model(self) -> Bipartite:
        return Bipartite(Gaussian(self.variance), Bernoulli())

    @property
    def variances_(self) -> Array:
        """Variances sigma_i^2 of the visible units given the hidden ones, ndarray of shape (n_features,)."""
        params = self._params()
        return np.asarray(self._model().visible.scale(params.visible))
