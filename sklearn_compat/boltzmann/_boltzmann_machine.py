"""The general Boltzmann machine: any pairs of units may be connected, visible or hidden."""

from collections.abc import Callable
from functools import partial
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if

from ebm._batches import Rows
from ebm._checks import Array, by_value, check_integer, resolve
from ebm.energies.pairwise import PairwiseParameters, check_biases, check_couplings, in_dense
from ebm.gradients import (
    PAIRWISE_GRADIENTS,
    Direct,
    MaximumPseudoLikelihood,
    pairwise_gradient_record,
)
from ebm.optimizers.lbfgs import Progress
from ebm.sklearn_compat._shared import _learning as learning
from ebm.sklearn_compat._shared._course import Course
from ebm.sklearn_compat._shared._docstrings import complete_docstring
from ebm.sklearn_compat._shared._settings import RECORD, Number, learns, stores_arguments
from ebm.sklearn_compat._shared._validation import column_names, draw_seed
from ebm.sklearn_compat.boltzmann._pairwise import TWO_STATE, PairwiseDistribution
from ebm.units import TwoState

# Settings that a direct solver does not use.
OF_ASCENT = (
    "learning_rate",
    "batch_size",
    "n_iter",
    "optimizer",
    "schedule",
    "weight_decay",
    "regularization",
    "callbacks",
)


def by_batches(gradient: object) -> Any:
    """The gradient as training by batches takes it."""
    return pairwise_gradient_record("pcd" if _is_auto(gradient) else gradient)


def _is_auto(gradient: object) -> bool:
    return isinstance(gradient, str) and gradient == "auto"


def _goes_by_batches(machine: Any) -> bool:
    """Whether training consists of batches; an invalid `gradient` passes, and the call then raises its error."""
    try:
        return not isinstance(by_batches(machine.gradient), Direct)
    except (TypeError, ValueError):
        return True


def _unit_of_given(unit: Any, biases: Array) -> Any:
    """The unit type of given parameters; ValueError if there are biases but no `unit`."""
    if unit is None and biases.any():
        raise ValueError(
            "unit must say for which states the couplings and the intercept are: unit='bernoulli' for 0 and 1 (the "
            "default of BoltzmannMachine), or unit='spin' for -1 and +1. The same numbers give different distributions."
        )
    return "spin" if unit is None else unit


@complete_docstring
class BoltzmannMachine(PairwiseDistribution):
    """Boltzmann machine: two-state units, of which any pairs may be connected and some may be hidden.

        p(s) = exp(-E(s)) / Z,    E(s) = -1/2 s'Js - b's,    s = (v, h),

    with symmetric couplings J and a zero diagonal. Without hidden units this is the Ising model, and the estimation of
    J from data is called the *inverse Ising problem*. With hidden units the machine learns more than means and pair
    correlations.

    Read more in the :ref:`User Guide <boltzmann_machine>`.

    Parameters
    ----------
    n_hidden : int, default=0
        Number of hidden units.

    unit : {"bernoulli", "spin"} or record, default="bernoulli"
        States of the units, and of the data: 0 and 1, or -1 and +1.

    mask : {array-like, sparse matrix, graph} of bool, shape (n_units, n_units), default=None
        Pairs of the n_features + n_hidden units that are connected, visible units first; all pairs if None. For example
        ``lattice((8, 8)) > 0``, or a graph of networkx.

    learning_rate : float, default=0.05
        Initial step size, which `schedule` changes. Spins need a smaller value, because their states are twice as far
        apart.

    batch_size : int, default=100
        Rows per update.

    n_iter : int, default=10
        Passes over the training data.

    verbose : int, default=0
        Whether to show progress and the pseudo-likelihood after each epoch: a bar on a terminal, lines elsewhere. A
        direct solver shows its cost function and the largest derivative after each iteration.

    random_state : int, RandomState instance or None, default=None
        Seed of initial couplings, order of rows and Gibbs sampling. An int makes every result reproducible.
        See :term:`Glossary <random_state>`.

    gradient : {"auto", "pcd", "cd", "exact", "maximum_likelihood", "pseudo_likelihood", "mean_field", "tap"} or \
            record, default="auto"
        How the couplings are learned. "pcd" and "cd" estimate the gradient of the log-likelihood from Gibbs sweeps;
        they average hidden units that are connected to each other in mean field. "exact" enumerates all states (about
        20 units). The others are direct solvers for machines without hidden units and ignore the settings of stochastic
        ascent. "maximum_likelihood" is Newton's method on the exact likelihood (up to 20 units). "pseudo_likelihood"
        solves a concave problem (penalties: :class:`MaximumPseudoLikelihood`). "mean_field" and "tap" invert the
        covariance matrix (:class:`MeanFieldInversion`).

        "auto" is "pseudo_likelihood" in `fit` of a machine without hidden units, of which `learning_rate`,
        `batch_size`, `n_iter`, `optimizer`, `schedule`, `weight_decay`, `regularization` and `callbacks` all have their
        defaults. Otherwise it is "pcd", which uses them.

    optimizer : {"sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adadelta", "adam", "nadam"} or record, \
            default="sgd"
        Rule of the updates.

    schedule : {"constant", "linear", "exponential", "inverse"} or record, default="constant"
        How the learning rate changes over the epochs of `fit`.

    weight_decay : float, default=0.0
        Coefficient of the penalty on half the squared couplings.

    regularization : Regularization or None, default=None
        Further penalties and limits: `l1`, `clip_norm` and `clip_value`. The others need layers.

    warm_start : bool, default=False
        Whether `fit` continues from the last solution.

    callbacks : callable, list of callables or None, default=None
        Called after each epoch with a :class:`ebm.monitors.Report`. A callback may return a dict of numbers for
        `history_`, or True to end training. Examples are :class:`ebm.EarlyStopping` and :class:`ebm.Checkpoint`.

    Attributes
    ----------
    couplings_ : ndarray or CSR array of shape (n_units, n_units)
        J, where n_units = n_features + n_hidden. J is sparse if it was assigned so, or if :meth:`from_couplings` got a
        sparse matrix with few entries; training makes it dense. You may edit or replace J: the next call checks it.

    intercept_ : ndarray of shape (n_units,)
        Biases b (fields on single units).

    chains_ : ndarray of shape (n_chains, n_units)
        States of the persistent chains; no rows if `gradient` has no chains.

    offset_ : ndarray of shape (n_units,)
        Offsets of the units in the centered gradient.

    history_ : dict of ndarray
        One entry per epoch: "epoch", "learning_rate", "time" in seconds, and the numbers that callbacks return. A
        direct solver has one entry per iteration: "iteration", "cost" and "slope" (the largest derivative).

    See Also
    --------
    BernoulliRBM : Hidden units are connected to visible units only, which is much faster.
    HopfieldNetwork : The same energy, with couplings that store patterns.

    Notes
    -----
    The same J and b give different distributions on {0, 1} and on {-1, +1}. The default of the class is {0, 1}.
    :meth:`from_couplings` takes couplings without biases as those of spins, and requires `unit` if there are biases.
    The couplings of a machine of spins can be compared with those of physics at the inverse temperature 1.

    References
    ----------
    .. [1] Ackley, D. H., Hinton, G. E. and Sejnowski, T. J. (1985). A learning algorithm for Boltzmann machines.
       Cognitive Science 9, 147-169.
    .. [2] Salakhutdinov, R. and Hinton, G. (2009). Deep Boltzmann machines. International Conference on Artificial
       Intelligence and Statistics.
    .. [3] Nguyen, H. C., Zecchina, R. and Berg, J. (2017). Inverse statistical problems: from the inverse Ising problem
       to data science. Advances in Physics 66, 197-261.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm import BoltzmannMachine
    >>> X = np.array([[1, 1], [1, 1], [1, 1], [-1, -1], [-1, -1], [-1, -1], [1, -1], [-1, 1]])
    >>> machine = BoltzmannMachine(unit="spin", gradient="maximum_likelihood").fit(X)
    >>> np.tanh(machine.couplings_[0, 1]).round(3)  # the correlation of the two units
    np.float64(0.5)
    >>> np.exp(machine.log_likelihood([[1, 1], [1, -1]])).round(3)
    array([0.375, 0.125])
    """

    _chain_names: ClassVar[tuple[str, ...]] = ("chains_", "offset_")
    _hidden_name: ClassVar[str] = "n_hidden"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **learning.ASCENT_SETTINGS,
        "n_hidden": [Number(Integral, 0, None, closed="left")],
        "unit": [StrOptions(set(TWO_STATE)), RECORD],
        "mask": ["array-like", "sparse matrix", None],
        "gradient": [StrOptions({"auto", *PAIRWISE_GRADIENTS}), RECORD],
    }
    _resolvers: ClassVar[dict[str, Callable[[object], Any]]] = {
        **learning.ASCENT_RECORDS,
        "gradient": by_batches,
        "unit": partial(resolve, known=TWO_STATE, base=TwoState, argument="unit"),  # type: ignore[type-abstract]
    }

    @stores_arguments
    def __init__(
        self,
        n_hidden: int = 0,
        *,
        unit: Any = "bernoulli",
        mask: Any = None,
        learning_rate: float = 0.05,
        batch_size: int = 100,
        n_iter: int = 10,
        verbose: int = 0,
        random_state: Any = None,
        gradient: Any = "auto",
        optimizer: Any = "sgd",
        schedule: Any = "constant",
        weight_decay: float = 0.0,
        regularization: Any = None,
        warm_start: bool = False,
        callbacks: Any = None,
    ) -> None: ...

    @classmethod
    def from_couplings(
        cls, J: Any, intercept: Any = None, *, unit: Any = None, n_hidden: int = 0
    ) -> "BoltzmannMachine":
        """A machine with the given couplings and biases, without data; it has all methods of a fitted machine.

        Parameters
        ----------
        J : {array-like, sparse matrix, graph} of shape (n_units, n_units)
            Couplings: symmetric, with a zero diagonal. float32 stays float32. A graph of networkx has the units as
            nodes, in the order of the graph, and the couplings as edge weights. A sparse matrix or graph of at least 64
            units with few edges becomes a CSR array; cost and memory then grow with the number of its entries.
        intercept : array-like of shape (n_units,), default=None
            Biases b; zero if None.
        unit : {"spin", "bernoulli"} or record, default=None
            States of the units: -1 and +1, or 0 and 1. Required if there are biases; without biases None means spins.
        n_hidden : int, default=0
            Number of hidden units, which are the last ones.

        Returns
        -------
        machine : BoltzmannMachine
            The model, with ``n_units - n_hidden`` features. `J` and `intercept` are copied.

        Raises
        ------
        ValueError
            If `J` is not square, finite and symmetric with a zero diagonal, or if `intercept` has another size. If
            `unit` has not two states, or is missing although there are biases. If `n_hidden` leaves no visible unit.

        Notes
        -----
        Chains start from independent units with equal probabilities of both states, because there are no training
        data. All other settings have their defaults; change them with ``set_params(random_state=0)``. `partial_fit`, or
        `fit` with `warm_start`, continues from these couplings; all pairs are trained unless `mask` is set.

        Examples
        --------
        Two coupled spins are equal with the probability 1 / (1 + exp(-2 J)).

        >>> import numpy as np
        >>> from ebm import BoltzmannMachine
        >>> pair = BoltzmannMachine.from_couplings([[0.0, 0.5], [0.5, 0.0]])
        >>> np.exp(pair.log_likelihood([[1, 1], [-1, -1]])).sum().round(4)
        np.float64(0.7311)
        >>> pair.sample(3, random_state=0).shape
        (3, 2)
        """
        couplings = check_couplings(J, "J")
        n_hidden = check_integer(n_hidden, "n_hidden", 0)
        n_units = couplings.shape[0]
        if n_hidden >= n_units:
            raise ValueError(
                f"n_hidden must be less than the number of units, {n_units}, or nothing is visible. "
                f"Got {n_hidden}."
            )
        intercept = np.zeros(n_units) if intercept is None else intercept
        biases = check_biases(intercept, "intercept", couplings).copy()
        machine = cls(n_hidden, unit=_unit_of_given(unit, biases))
        machine.n_features_in_ = n_units - n_hidden
        machine._model()  # raises an error for an invalid unit
        learning.keep_attributes(machine, machine._named(PairwiseParameters(couplings, biases)))
        return machine

    @classmethod
    def from_parameters(
        cls,
        couplings: Any,
        intercept: Any = None,
        *,
        unit: Any = "bernoulli",
        n_hidden: int = 0,
        **settings: Any,
    ) -> "BoltzmannMachine":
        """A machine with the given fitted attributes: :meth:`from_couplings` with the defaults of the constructor.

        Parameters
        ----------
        couplings : {array-like, sparse matrix, graph} of shape (n_units, n_units)
            Couplings: symmetric, with a zero diagonal.
        intercept : array-like of shape (n_units,), default=None
            Biases; zero if None.
        unit : {"bernoulli", "spin"} or record, default="bernoulli"
            States of the units.
        n_hidden : int, default=0
            Number of hidden units, which are the last ones.
        **settings : object
            Further parameters of the constructor.

        Returns
        -------
        machine : BoltzmannMachine
            The model, with copies of the arrays. Errors are those of :meth:`from_couplings`.

        Examples
        --------
        >>> from ebm import BoltzmannMachine
        >>> BoltzmannMachine.from_parameters([[0.0, 1.0], [1.0, 0.0]]).energy([[1, 1]])
        array([-1.])
        """
        given = cls.from_couplings(couplings, intercept, unit=unit, n_hidden=n_hidden)
        given.set_params(**settings)
        return given

    resume = learning.resume
    _resume = learning.resume_rows
    _lesson = learning.ascent_lesson
    partial_fit = available_if(_goes_by_batches)(learning.partial_fit)

    @learns
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> str:
        """Fit the model to `X` by stochastic ascent of the log-likelihood, or with a direct solver (see `gradient`).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data: states of the units, or their means. `X` is not modified.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight w counts as w equal rows. Zero leaves the row out.

        Returns
        -------
        self : object
            The fitted model.

        Raises
        ------
        ValueError
            If `X` has no rows, or NaN or infinite entries (see `impute`). If weights are negative or all zero. If
            `mask` has the wrong shape, or a direct solver is used with hidden units.

        Warns
        -----
        ConvergenceWarning
            If training was interrupted, diverged, or did not converge. The model keeps the last good parameters and
            can be used. Also if a direct solver found units that never change; their couplings are then zero.
        """
        choice = self._choice()
        go_on = self.warm_start and self._is_fitted()
        if isinstance(choice, Direct):
            return self._solve(choice, X, sample_weight, go_on)
        return learning.fit_rows(self, X, sample_weight, go_on)

    def _choice(self) -> Any:
        """How `fit` learns: the solver of a concave problem unless settings are given that it does not use."""
        if not _is_auto(self.gradient) or self.n_hidden:
            return by_batches(self.gradient)
        usual = type(self)().get_params(deep=False)
        given = [
            name for name in OF_ASCENT if by_value(getattr(self, name)) != by_value(usual[name])
        ]
        return by_batches("auto") if given else MaximumPseudoLikelihood()

    def _solve(self, choice: Direct, X: Any, sample_weight: Any, go_on: bool) -> str:
        """Find the parameters with a direct solver."""
        X, weights = learning.rows_to_learn(self, X, sample_weight, go_on)
        model, start = self._model(), in_dense(self._params()) if go_on else None
        seed = draw_seed(self.random_state)
        rows = Rows(X, weights)
        reported: list[Progress] = []

        def tell(progress: Progress) -> None:
            reported.append(progress)
            if self.verbose:
                n, cost, slope = progress
                print(
                    f"[{type(self).__name__}] Iteration {n}, cost = {cost:.6g}, slope = {slope:.2g}"
                )

        # Distinct rows in an order of their own: the order of X and repeated rows do not change the result.
        index, totals = rows.distinct()
        solution = choice.solve(model, X[index], totals, start=start, tell=tell)
        mean = rows.mean()
        marginals = (mean, np.ones_like(mean), np.array(rows.total_weight))
        self._course = Course(seed, marginals=marginals, attributes=self._course.attributes)
        chains = {"chains_": np.zeros((0, len(mean)), X.dtype), "offset_": mean.astype(X.dtype)}
        learning.keep_attributes(self, self._named(solution.params) | chains)
        names = ("iteration", "cost", "slope")
        columns = zip(*reported, strict=True) if reported else [()] * len(names)
        self.history_ = {name: np.asarray(x) for name, x in zip(names, columns, strict=True)}
        return solution.report(column_names(self))

    def _is_fitted(self) -> bool:
        return hasattr(self, "couplings_")

    def _named(self, params: PairwiseParameters) -> dict[str, Any]:
        """Parameters by the names of their attributes."""
        n_features_out = self.n_hidden or self.n_features_in_
        return {
            "couplings_": params.J,
            "intercept_": params.bias,
            "_n_features_out": n_features_out,
        }
