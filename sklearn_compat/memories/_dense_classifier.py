"""The dense associative memory that is trained to complete labels."""

from collections.abc import Callable
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from ebm import training
from ebm._arrays import float_type
from ebm._batches import Rows, blocks
from ebm._checks import Array, check_real, resolve
from ebm._random import fold, stream
from ebm._sparse import as_dtype
from ebm.energies.label_memory import LabelMemory, given_memories, with_labels
from ebm.energies.memory import DenseParameters
from ebm.gradients.label_memory import LabelCompletion
from ebm.optimizers import OPTIMIZERS, NormalizedMomentum, Optimizer, schedule_record
from ebm.sklearn_compat._shared import _labels as labels_
from ebm.sklearn_compat._shared import _learning as learning
from ebm.sklearn_compat._shared._attributes import fitted_array
from ebm.sklearn_compat._shared._course import Lesson, Watch
from ebm.sklearn_compat._shared._docstrings import complete_docstring
from ebm.sklearn_compat._shared._estimator import Estimator
from ebm.sklearn_compat._shared._labels import (
    announced,
    check_known,
    check_same,
    read_labels,
    sorted_classes,
    warn_weightless,
)
from ebm.sklearn_compat._shared._settings import RECORD, Number, learns, stores_arguments
from ebm.sklearn_compat._shared._validation import (
    check_finite,
    check_repetitions,
    check_weights,
)
from ebm.sklearn_compat.memories._ranges import check_range, range_of, to_signed

RULES: dict[str, type[Optimizer]] = {"normalized": NormalizedMomentum, **OPTIMIZERS}
# Rows of data that `scale_` is computed from.
SCALE_ROWS = 1000


@complete_docstring
class DenseAssociativeClassifier(ClassifierMixin, Estimator):
    """Classifier that completes rows with their labels by means of learned memories.

        E(v, t) = -sum_k F((w_k'v + l_k't) / T),    F(x) = max(x, 0)^n,

    The visible units v are the row, scaled to [-1, 1]; each class has one label unit t_b in {-1, +1}. All label units
    start at -1. Label unit b then gets the value c_b = tanh(E(v, -1) - E(v, b on)), and the predicted class is the one
    of the largest c_b. Training minimizes sum_b (c_b - t_b)^(2m) over the memories (w_k, l_k) [1]_. With a low degree
    memories become features that many rows share; with a high degree they become prototypes of single classes.

    Read more in the :ref:`User Guide <memories>`.

    Parameters
    ----------
    n_components : int, default=100
        Number of memories.

    degree : int, default=10
        n, at least 2.

    temperature : float, default=1.5
        T > 0, at most 1e100, in units of the temperature at which the initial memories change label units by about one.
        A label unit that is saturated on the wrong side has no gradient. At a higher temperature memories grow first,
        and saturate later.

    error_power : int, default=2
        m. With 1 the error is the squared error. With a large m only labels of the wrong sign count.

    learning_rate : float, default=0.04
        Initial step size, which `schedule` changes. With "normalized" it is the largest change of any entry of a
        memory in one update.

    batch_size : int, default=50
        Rows per update.

    n_iter : int, default=50
        Passes over the training data.

    optimizer : {"normalized", "sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adadelta", "adam", "nadam"} or \
            record, default="normalized"
        Rule of the updates. "normalized" is momentum with the same step length for every memory, for example
        ``NormalizedMomentum(momentum=0.9)``. Adaptive rules need a smaller learning rate, about 0.01.

    schedule : {"constant", "linear", "exponential", "inverse"} or record, default="linear"
        How the learning rate changes over the epochs of `fit`.

    verbose : int, default=0
        Whether to print the error after each epoch.

    random_state : int, RandomState instance or None, default=None
        Seed of the initial memories and of the order of rows. See :term:`Glossary <random_state>`.

    warm_start : bool, default=False
        Whether `fit` continues from the last solution, with its memories, range and scale.

    callbacks : callable or list of callables, default=None
        Called after each epoch of `fit` with a :class:`ebm.monitors.Report`, whose `model` is a
        :class:`~ebm.energies.label_memory.LabelMemory`. Use :class:`ebm.Checkpoint`, or :class:`ebm.EarlyStopping` with
        a callable `monitor`; its rows are states of all units (see Examples).

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features + n_classes)
        Memories, with entries in [-1, 1]: the weights of the visible units, then those of the label units.

    classes_ : ndarray of shape (n_classes,)
        Class labels.

    range_ : tuple of float
        Values that are mapped to -1 and to +1: (0, 1) if the training data lie in [0, 1], else (-1, 1) if they lie in
        [-1, 1], else their minimum and maximum.

    scale_ : float
        T.

    history_ : dict of ndarray
        One entry per epoch: "epoch", "learning_rate", "time" in seconds, "error" (mean over the epoch), and the
        numbers that callbacks return.

    See Also
    --------
    DenseAssociativeMemory : Stores patterns unchanged.

    Notes
    -----
    Rows with y = -1 are unlabelled, as in :class:`MLPClassifier`, if there are at least two other classes, or if -1 is
    not among the `classes` of `partial_fit`. `fit` leaves them out with a warning, `score` without one.

    There are two differences from the paper. Memories are initialized with training rows, multiplied by 0.3 and with
    noise, because a memory without positive input from any row has no gradient. The unit of T is computed from the
    data.

    References
    ----------
    .. [1] Krotov, D. & Hopfield, J. J. "Dense associative memory for pattern recognition." NIPS 29 (2016).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from ebm import DenseAssociativeClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> memory = DenseAssociativeClassifier(n_iter=10, random_state=0).fit(X[:1200] / 16, y[:1200])
    >>> memory.score(X[1200:] / 16, y[1200:]) > 0.9
    True

    The visible units are the features scaled to [-1, 1]; the label units are in the order of the sorted classes:

    >>> from ebm import EarlyStopping
    >>> from ebm.energies.label_memory import LabelMemory, with_labels
    >>> held_out = with_labels(X[1000:1200] / 8 - 1, y[1000:1200], 10)
    >>> stop = EarlyStopping(held_out, monitor=LabelMemory.accuracy, patience=5)
    >>> memory.set_params(n_iter=100, callbacks=stop).fit(X[:1000] / 16, y[:1000])
    DenseAssociativeClassifier(...)
    >>> len(memory.history_["accuracy"]) < 100
    True
    """

    range_: tuple[float, float]
    classes_: Array
    _hidden_name: ClassVar[str] = "n_components"
    _chain_names: ClassVar[tuple[str, ...]] = ()

    _resolvers: ClassVar[dict[str, Callable[[object], Any]]] = {
        **learning.BATCH_RECORDS,
        "optimizer": partial(resolve, known=RULES, base=Optimizer, argument="optimizer"),  # type: ignore[type-abstract]
    }
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **learning.BATCH_SETTINGS,
        "n_components": [Number(Integral, 1, None, closed="left")],
        "degree": [Number(Integral, 2, None, closed="left")],
        "temperature": [Number(Real, 0, 1e100, closed="neither")],
        "error_power": [Number(Integral, 1, 50, closed="both")],
        "optimizer": [StrOptions(set(RULES)), RECORD],
    }

    resume = learning.resume
    score = labels_.score

    @stores_arguments
    def __init__(
        self,
        n_components: int = 100,
        *,
        degree: int = 10,
        temperature: float = 1.5,
        error_power: int = 2,
        learning_rate: float = 0.04,
        batch_size: int = 50,
        n_iter: int = 50,
        optimizer: Any = "normalized",
        schedule: Any = "linear",
        verbose: int = 0,
        random_state: Any = None,
        warm_start: bool = False,
        callbacks: Any = None,
    ) -> None: ...

    # Learning

    @classmethod
    def from_parameters(
        cls,
        components: Any,
        classes: Any,
        *,
        range: Any = (0.0, 1.0),
        scale: float = 1.0,
        **settings: Any,
    ) -> "DenseAssociativeClassifier":
        """A classifier with the given memories, without data; it has all methods of a fitted one.

        Parameters
        ----------
        components : array-like of shape (n_components, n_features + n_classes)
            Memories: the weights of the visible units, then those of the label units. float32 stays float32.
        classes : array-like of shape (n_classes,)
            The classes, sorted, in the order of the label units.
        range : tuple of float, default=(0.0, 1.0)
            Values of the features that are mapped to -1 and to +1: the fitted attribute `range_`.
        scale : float, default=1.0
            T: the fitted attribute `scale_`.
        **settings : object
            Parameters of the constructor; `degree` is part of the energy. `n_components` follows from the arrays.

        Returns
        -------
        classifier : DenseAssociativeClassifier
            The classifier; the arrays are copied.

        Raises
        ------
        ValueError
            If `components` has the wrong shape, or NaN or infinite entries, classes are not sorted, the range is empty,
            or the scale is not positive.

        Examples
        --------
        >>> from ebm import DenseAssociativeClassifier
        >>> memories = [[1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]]
        >>> classifier = DenseAssociativeClassifier.from_parameters(
        ...     memories, ["no", "yes"], degree=3
        ... )
        >>> classifier.predict([[1.0], [0.0]])
        array(['no', 'yes'], dtype='<U3')
        """
        classifier = cls(**settings)
        classifier.classes_ = sorted_classes(classifier, classes)
        params, ends = given_memories(components, len(classifier.classes_), range)
        classifier.range_, classifier.scale_ = ends, check_real(scale, "scale", open_low=True)
        classifier.set_params(n_components=len(params.memories))
        classifier._validate_params()
        classifier._model()  # refuses a scale that is not positive
        learning.keep_attributes(classifier, classifier._named(params))
        classifier.n_features_in_ = params.memories.shape[1] - len(classifier.classes_)
        return classifier

    @learns
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> str:
        """Train memories that complete the rows of `X` with their classes `y`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training data, within [0, 1] or [-1, 1].
        y : array-like of shape (n_samples,)
            Classes.
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight w counts as w equal rows. Zero leaves the row out.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError
            If `X` has no rows, or NaN or infinite entries; if labels in `y` are missing, are no classes, or mix
            strings and numbers; with `warm_start`, if the classes have changed. The estimator stays unchanged.

        Warns
        -----
        UserWarning
            If `X` has values outside [-1, 1]; the minimum and maximum of `X` are then mapped to -1 and +1. If rows
            with y = -1 are left out, or a class has no weight.
        ConvergenceWarning
            If training was interrupted, or diverged.
        """
        go_on = self.warm_start and self._is_fitted()
        s, weights = self._units(X, y, sample_weight, go_on)
        check_repetitions(weights)
        return learning.keep(self, self._course.fit_rows(self._lesson(go_on), s, weights))

    @learns
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> str:
        """Make one update of the memories with `X` as the batch, at the rate `learning_rate`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            A batch of training data. The first batch also sets the initial memories, the range and the scale.
        y : array-like of shape (n_samples,)
            Classes.
        classes : array-like of shape (n_classes,), default=None
            All classes that later batches may contain; required in the first call.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the mean error of the batch.

        Returns
        -------
        self : object
            The classifier after the update.

        Raises
        ------
        ValueError
            If `classes` is missing in the first call or differs from the first call, or if `y` has another class.
            The memories stay unchanged.
        """
        go_on = self._is_fitted()
        known = announced(self, classes, not go_on)
        s, weights = self._units(X, y, sample_weight, go_on, known)
        weights = learning.as_shares(weights)
        return learning.keep(self, self._course.update_rows(self._lesson(go_on), s, weights))

    def _resume(self, file: Any, X: Any, y: Any, sample_weight: Any) -> str:
        go_on = self.warm_start and self._is_fitted()
        s, weights = self._units(X, y, sample_weight, go_on)
        course = self._course
        return learning.keep(self, course.resume_rows(self._lesson(go_on), file, s, weights))

    def _units(
        self, X: Any, y: Any, sample_weight: Any, go_on: bool, classes: Array | None = None
    ) -> tuple[Array, Array | None]:
        """States of all units, and weights. Classes and range are set anew, unless training is to `go_on`."""
        X = check_finite(self, X, order="C", reset=not go_on)
        weights = check_weights(sample_weight, X)
        known = self.classes_ if go_on else classes
        labels = read_labels(self, X, y, known, useful=False, several=False)
        if go_on:
            learning.check_size(self)
            X = as_dtype(X, float_type(self.components_))
            if classes is None:
                check_same(labels.y, self.classes_)
            check_range(X, self.range_)
        else:
            self.range_ = range_of(X)
            self.classes_ = np.unique(labels.y) if classes is None else classes
        check_known(labels.y, self.classes_)
        X, weights = X[labels.labelled], None if weights is None else weights[labels.labelled]
        if classes is None:
            warn_weightless(labels.y, weights)
        numbers = np.searchsorted(self.classes_, labels.y)
        return with_labels(to_signed(X, self.range_), numbers, len(self.classes_)), weights

    def _plan(self, seed: int) -> training.Plan:
        rule = self._resolvers["optimizer"](self.optimizer)
        if isinstance(rule, NormalizedMomentum) and rule.group_size is None:
            n_units = self.n_features_in_ + len(self.classes_)
            rule = NormalizedMomentum(rule.momentum, n_units)  # one group for each memory
        return training.Plan(
            LabelCompletion(self.error_power),
            rule,
            schedule_record(self.schedule),
            self.learning_rate,
            0.0,
            self.batch_size,
            seed,
        )

    def _lesson(self, go_on: bool) -> Lesson:
        watch = Watch(type(self).__name__, self.callbacks, self.verbose)
        return learning.lesson(self, go_on, self._plan, watch, None if go_on else self._model_for)

    def _model_for(self, rows: Rows, plan: training.Plan) -> LabelMemory:
        """The model at `temperature`, in units of the temperature that suits the initial memories."""
        self.scale_ = 1.0
        model = self._model()
        state = training.start(model, rows, int(self.n_components), plan)
        some = rows.some(min(SCALE_ROWS, len(rows)), fold(stream(0, "evaluation"), 0))
        self.scale_ = float(self.temperature) * model.unit_scale(state.params, model.parts(some)[0])
        return self._model()

    def _model(self) -> LabelMemory:
        return LabelMemory(len(self.classes_), self.degree, True, check_real(self.scale_, "scale_"))

    def _is_fitted(self) -> bool:
        return hasattr(self, "components_")

    def _params(self) -> DenseParameters:
        """The fitted attribute `components_` as parameters, checked: users may have replaced it."""
        check_is_fitted(self, "components_")
        n_units = self.n_features_in_ + len(self.classes_)
        components = fitted_array(self.components_, "components_", (None, n_units))
        return DenseParameters(np.ascontiguousarray(components))

    def _named(self, params: DenseParameters) -> dict[str, Any]:
        """Parameters by the names of their attributes."""
        return {"components_": params.memories}

    # Completing

    def predict(self, X: Any) -> Array:
        """Classes of the label units that lower the energy most when they turn on.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Classes.
        """
        check_is_fitted(self, "components_")
        best = self._by_blocks(X, self._model().gains).argmax(axis=1)
        return self.classes_[best]

    def predict_proba(self, X: Any) -> Array:
        """Shares of the classes in the distribution exp(-2E) / Z over the states with exactly one label unit on.

        The shares rank the classes in the same order as the label units. The shares are no calibrated probabilities,
        because training minimizes an error, not the negative log-likelihood: see
        :class:`sklearn.calibration.CalibratedClassifierCV`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        shares : ndarray of shape (n_samples, n_classes)
            Non-negative, each row with the sum 1. Classes are in the order of `classes_`.
        """
        check_is_fitted(self, "components_")
        return self._by_blocks(X, self._model().shares)

    def _by_blocks(self, X: Any, function: Callable[[Any, Array], Array]) -> Array:
        """`function` of the parameters and visible units, applied to `X` block by block."""
        params = self._params()
        X = check_finite(self, X, reset=False)
        check_range(X, self.range_)
        dtype = params.memories.dtype
        parts = [
            function(params, np.ascontiguousarray(to_signed(block, self.range_), dtype))
            for _, block in blocks(X)
        ]
        found = np.concatenate(parts)
        if not np.isfinite(found).all():
            raise ValueError(
                f"components_ holds {np.abs(params.memories).max():.6g}, and powers of it overflow at degree="
                f"{self.degree} and scale={self.scale_:.6g}. Set smaller values or a larger scale, or fit again."
            )
        return found
