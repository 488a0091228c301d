"""The restricted Boltzmann machine of binary units, scikit-learn's `BernoulliRBM` replaced."""

from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ebm._checks import Array
from ebm._random import stream
from ebm._sparse import as_dtype, dense, is_thin
from ebm.energies.bipartite import Bipartite
from ebm.sklearn_compat._shared._validation import draw_seed
from ebm.sklearn_compat.rbm._base import BaseRBM
from ebm.units import Bernoulli


class BernoulliRBM(BaseRBM):
    """Restricted Boltzmann machine with binary units {0, 1} in both layers.

        p(v, h) = exp(-E(v, h)) / Z,    E(v, h) = -v'Wh - b'v - c'h.

    A drop-in replacement for :class:`sklearn.neural_network.BernoulliRBM` with the same learning algorithm by
    default, persistent contrastive divergence [1]_ [2]_, in its centred form [3]_.

    Read more in the :ref:`User Guide <rbm>`.

    Parameters
    ----------
    n_components : int, default=256
        Number of hidden units.

    learning_rate : float, default=0.1
        Step size of the updates, at the start of `schedule`. Worth tuning, between 0.001 and 1.

    batch_size : int, default=10
        Rows per update.

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
        ``ParallelTempering(n_temperatures=20)``. "exact" is for small models. All are centred by default;
        :doc:`/learning` compares them.

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
        Biases of the visible units.

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
    GaussianRBM : For real-valued data.
    RBM : For any two unit types.

    Notes
    -----
    Values between 0 and 1 are read as probabilities; values outside draw a warning. What differs from scikit-learn's
    class: the score is deterministic, each phase of the gradient is divided by its own count, visible biases start at
    the data's log-odds, `partial_fit` returns the estimator, and float32 stays float32: biases then agree with those of
    a float64 model to about 1e-6, also where they are near zero. `random_state` draws other numbers, so that weights
    differ. The gradient is centred, which suits densities; for features of a classifier the one of
    scikit-learn, ``gradient=PersistentContrastiveDivergence(centered=False)``, is often the better choice.
    The score sums over all features instead of drawing one: its cost is in proportion to samples, features and
    components, also where `X` is sparse. All else that is asked of sparse `X` costs what its non-zeros cost.

    References
    ----------
    .. [1] Younes, L. "Parametric inference for imperfectly observed Gibbsian fields." Probability Theory and Related
       Fields 82, 625-645 (1989).
    .. [2] Tieleman, T. "Training restricted Boltzmann machines using approximations to the likelihood gradient."
       ICML (2008).
    .. [3] Melchior, J., Fischer, A. & Wiskott, L. "How to center deep Boltzmann machines." JMLR 17(99) (2016).

    Examples
    --------
    >>> import numpy as np
    >>> from ebm import BernoulliRBM
    >>> X = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
    >>> rbm = BernoulliRBM(n_components=2, random_state=0).fit(X)
    >>> rbm.transform(X).shape
    (4, 2)
    >>> bool(
    ...     np.isclose(
    ...         np.exp(
    ...             rbm.log_likelihood([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    ...         ).sum(),
    ...         1,
    ...     )
    ... )
    True
    """

    def __init__(
        self,
        n_components: int = 256,
        *,
        learning_rate: float = 0.1,
        batch_size: int = 10,
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
        return Bipartite(Bernoulli(), Bernoulli())

    # The private names that code written for scikit-learn's class is known to use.

    def _mean_hiddens(self, v: Any) -> Array:
        return self._model().hidden_mean(*self._one_or_more(v)).reshape((*np.shape(v)[:-1], -1))

    def _sample_hiddens(self, v: Any, rng: Any) -> Array:
        key = stream(draw_seed(check_random_state(rng)), "evaluation")
        params, rows = self._one_or_more(v)
        return self._model().sample_hidden(params, rows, key).reshape((*np.shape(v)[:-1], -1))

    def _free_energy(self, v: Any) -> Array:
        return self._model().free_energy(*self._one_or_more(v))

    def _one_or_more(self, v: Any) -> tuple[Any, Array]:
        check_is_fitted(self, "components_")
        params = self._params()
        return params, as_dtype(v if is_thin(v) else np.atleast_2d(dense(v)), params.W.dtype)
