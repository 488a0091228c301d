"""The restricted Boltzmann machine of any two unit types."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from sklearn.utils._param_validation import StrOptions

from ebm._checks import check_integer, resolve, shown
from ebm.energies.bipartite import Bipartite
from ebm.energies.columns import ColumnModel
from ebm.sklearn_compat._shared._settings import RECORD
from ebm.sklearn_compat.rbm._base import BaseRBM
from ebm.units import UNITS, Unit


class RBM(BaseRBM):
    """Restricted Boltzmann machine of any two unit types.

    Two layers of units, visible v and hidden h, with weights between the layers and none within:

        p(v, h) = exp(-E(v, h)) / Z,    E(v, h) = U(v) + U(h) - s(v)' W s(h),

    with U = -b'x and s = x for binary units {0, 1}, U = sum (x - b)^2 / (2 sigma^2) and s = x / sigma^2 for Gaussian
    ones. Trained by stochastic ascent of the likelihood.

    Read more in the :ref:`User Guide <rbm>`.

    Parameters
    ----------
    n_components : int, default=256
        Number of hidden units.

    visible : {"bernoulli", "spin", "gaussian", "poisson", "binomial"}, Unit, or list of (type, int), \
            default="bernoulli"
        Type of the visible units: binary {0, 1}, spins {-1, +1}, real, counts 0, 1, 2, ..., or counts of two trials;
        ``Gaussian(variance="unit")``, ``Binomial(10)`` and the like for settings. Columns of several types are a list
        of groups, in the order of the columns. Each is a type and how many columns it has, such as
        ``[("bernoulli", 3), ("gaussian", 2), (Categorical((4,)), 4)]``.

    hidden : {"bernoulli", "spin", "gaussian", "poisson", "binomial"} or Unit, default="bernoulli"
        Type of the hidden units.

    learning_rate : float, default=0.1
        Step size of the updates, at the start of `schedule`. Gaussian units want smaller steps, about 0.01.

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
        ``ParallelTempering(n_temperatures=20)``. "exact" is for small models; "tap" beyond first order is for binary
        units in both layers, "pseudo_likelihood" and "ratio_matching" are for binary visible ones. All are centred by
        default; :doc:`/learning` compares them.

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
        Biases of the visible units, for Gaussian units their means.

    log_variance_visible_, log_variance_hidden_ : ndarray of shape (n_gaussian_columns,) or (n_components,)
        log sigma^2 of the units, where they are Gaussian.

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
    BernoulliRBM : Binary visible and hidden units.
    GaussianRBM : Real visible and binary hidden units.

    References
    ----------
    .. [1] Smolensky, P. "Information processing in dynamical systems: foundations of harmony theory." In Parallel
       Distributed Processing 1, 194-281 (1986).
    .. [2] Welling, M., Rosen-Zvi, M. & Hinton, G. "Exponential family harmoniums with an application to information
       retrieval." NIPS 17 (2004).
    .. [3] Melchior, J., Fischer, A. & Wiskott, L. "How to center deep Boltzmann machines." JMLR 17(99) (2016).

    Examples
    --------
    >>> import numpy as np
    >>> from ebm import RBM
    >>> X = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 0], [1, 1, 0]])
    >>> rbm = RBM(n_components=2, hidden="gaussian", n_iter=2, random_state=0).fit(X)
    >>> rbm.transform(X).shape
    (4, 2)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseRBM._parameter_constraints,
        "visible": [StrOptions(set(UNITS)), RECORD, list],
        "hidden": [StrOptions(set(UNITS)), RECORD],
    }

    _resolvers: ClassVar[dict[str, Callable[[object], Any]]] = {
        **BaseRBM._resolvers,
        "visible": partial(resolve, known=UNITS, base=Unit, argument="visible"),  # type: ignore[type-abstract]
        "hidden": partial(resolve, known=UNITS, base=Unit, argument="hidden"),  # type: ignore[type-abstract]
    }

    def __init__(
        self,
        n_components: int = 256,
        *,
        visible: Any = "bernoulli",
        hidden: Any = "bernoulli",
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
        self.visible = visible
        self.hidden = hidden
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

    def _model(self) -> Bipartite | ColumnModel:
        hidden = self._resolvers["hidden"](self.hidden)
        if isinstance(self.visible, list):
            return ColumnModel(self._groups(), hidden, self.n_components)
        return Bipartite(self._resolvers["visible"](self.visible), hidden)

    def _groups(self) -> list[tuple[Unit, int]]:
        """Types of the visible units, and the count of columns of each."""
        for group in self.visible or [()]:
            if not isinstance(group, tuple | list) or len(group) != 2:
                raise ValueError(
                    "visible must be the name of a unit, a unit, or a list of pairs of these and the number of their "
                    f'columns, such as [("bernoulli", 3), ("gaussian", 2)]. Got {shown(self.visible)}.'
                )
        resolve_unit = self._resolvers["visible"]
        return [
            (resolve_unit(unit), check_integer(count, "visible")) for unit, count in self.visible
        ]
