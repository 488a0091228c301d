"""Rows that are unlike the others: outliers by their free energy, or by another score of a machine."""

from numbers import Real
from typing import Any, ClassVar

from sklearn.base import OutlierMixin, clone
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.validation import check_is_fitted

from ebm._checks import Array, of_python, shown
from ebm.likelihood.outliers import is_inlier, outlier_threshold
from ebm.sklearn_compat._shared._attributes import fitted_array
from ebm.sklearn_compat._shared._docstrings import complete_docstring
from ebm.sklearn_compat._shared._estimator import Estimator
from ebm.sklearn_compat._shared._settings import Number, all_or_nothing, learns, stores_arguments
from ebm.sklearn_compat.tables._frames import has_gaps
from ebm.sklearn_compat.tables._table_rbm import TableRBM

# Methods whose values tell unusual rows, the first one that a machine has.
SCORES = ("free_energy", "log_likelihood", "score_samples")


@complete_docstring
class FreeEnergyOutlierDetector(OutlierMixin, Estimator):
    """Outliers by the free energy of a machine: rows of a low probability.

    The score of a row v is -F(v) = log p(v) + log Z, and a row is an outlier if its score is below a threshold. No
    partition function is needed. Machines that have no free energy are asked for log-likelihoods, and those that have
    none, as :class:`Autoencoder`, for `score_samples`: rows with a large loss of the reconstruction are outliers.

    Read more in the :ref:`User Guide <tables>`.

    Parameters
    ----------
    estimator : estimator or None, default=None
        A machine with `free_energy`, `log_likelihood` or `score_samples`, which is cloned and fitted. One that is
        fitted already is used as it is within :class:`sklearn.frozen.FrozenEstimator`. None is a :class:`TableRBM` with
        the transformer "yeo-johnson", which sees values beyond those of the training rows.

    contamination : "auto" or float, default="auto"
        Share of outliers in the training rows, in (0, 0.5]. "auto" sets the threshold 1.5 interquartile ranges below
        the lower quartile of the training scores [1]_.

    random_state : int, RandomState instance or None, default=None
        Seed of the machine, if it has none of its own.

    Attributes
    ----------
    estimator_ : estimator
        The fitted machine.

    offset_ : float
        The threshold: ``decision_function(X) = score_samples(X) - offset_``.

    See Also
    --------
    TableRBM : A machine of mixed columns.
    Autoencoder : Outliers by the error of their reconstruction.
    sklearn.ensemble.IsolationForest : Outliers by random partitions.

    Notes
    -----
    Missing cells are filled in by `impute` of a machine that learns from rows with gaps, so that rows with different
    gaps are comparable.

    References
    ----------
    .. [1] Tukey, J. W. Exploratory Data Analysis. Addison-Wesley (1977), section 2D.
    .. [2] Zhai, S., Cheng, Y., Lu, W. & Zhang, Z. "Deep structured energy based models for anomaly detection." ICML
       (2016).

    Examples
    --------
    >>> import numpy as np
    >>> from ebm import FreeEnergyOutlierDetector
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> detector = FreeEnergyOutlierDetector(random_state=0).fit(X)
    >>> detector.predict([[0.1, 0.2], [9.0, -9.0]])
    array([ 1, -1])
    """

    estimator_: Any
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit"]), None],
        "contamination": [StrOptions({"auto"}), Number(Real, 0, 0.5, closed="right")],
        "random_state": ["random_state"],
    }

    @stores_arguments
    def __init__(
        self, estimator: Any = None, *, contamination: Any = "auto", random_state: Any = None
    ) -> None: ...

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self._machine()).input_tags
        return tags

    def _machine(self) -> Any:
        """A new machine, with the seed if it has none."""
        if self.estimator is None:
            return TableRBM(transformer="yeo-johnson", random_state=of_python(self.random_state))
        machine = clone(self.estimator)
        if machine.get_params(deep=False).get("random_state", 0) is None:
            machine.set_params(random_state=of_python(self.random_state))
        return machine

    @learns
    def fit(self, X: Any, y: Any = None) -> None:
        """Fit the machine, and set the threshold by the scores of `X`.

        Parameters
        ----------
        X : DataFrame or {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows, of a kind that the machine takes.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        ValueError
            If the machine has no scores of rows.
        """
        machine = self._machine().fit(X, y)
        if not any(hasattr(machine, name) for name in SCORES):
            raise ValueError(
                "estimator must have free_energy, log_likelihood or score_samples, as RBM, TableRBM and Autoencoder "
                f"do. Got {shown(machine)}."
            )
        scores = _scores(machine, X)
        share = None if isinstance(self.contamination, str) else float(self.contamination)
        self.estimator_, self.offset_ = machine, outlier_threshold(scores, share)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(machine, name):
                setattr(self, name, getattr(machine, name))

    @all_or_nothing
    def score_samples(self, X: Any) -> Array:
        """Minus free energy of each row, or another score: the lower, the more abnormal.

        Parameters
        ----------
        X : DataFrame or {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Values in nats; of an autoencoder with the squared error, minus half the error.
        """
        check_is_fitted(self, "estimator_")
        return _scores(self.estimator_, X)

    def decision_function(self, X: Any) -> Array:
        """Score of each row above the threshold; negative for outliers.

        Parameters
        ----------
        X : DataFrame or {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Values in nats.
        """
        found: Array = self.score_samples(X) - fitted_array(self.offset_, "offset_", ())
        return found

    def predict(self, X: Any) -> Array:
        """Whether rows are outliers.

        Parameters
        ----------
        X : DataFrame or {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            +1 for inliers and -1 for outliers.
        """
        return is_inlier(self.decision_function(X))


def _scores(machine: Any, X: Any) -> Array:
    """Of rows whose gaps are filled."""
    if get_tags(machine).input_tags.allow_nan and has_gaps(X):
        X = machine.impute(X)
    name = next(name for name in SCORES if hasattr(machine, name))
    found: Array = getattr(machine, name)(X)
    return -found if name == "free_energy" else found
