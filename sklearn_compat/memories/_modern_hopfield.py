"""The modern Hopfield network: memory of real-valued patterns with softmax retrieval."""

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from ebm._arrays import check_magnitude
from ebm._checks import Array
from ebm._sparse import as_dtype
from ebm.energies.memory import (
    VARIANTS,
    ModernMemory,
    ModernParameters,
    check_counts,
    cosine,
    some_patterns,
)
from ebm.inference.retrieval import NotHeld, Retrieval, not_held, settle_vectors
from ebm.sklearn_compat._shared._attributes import fitted_array
from ebm.sklearn_compat._shared._docstrings import complete_docstring
from ebm.sklearn_compat._shared._estimator import Estimator
from ebm.sklearn_compat._shared._settings import Number, all_or_nothing, learns, stores_arguments
from ebm.sklearn_compat._shared._validation import (
    calls_it,
    check_finite,
    check_weights,
    warn_user,
)
from ebm.sklearn_compat.memories._two_states import wanted_states


@complete_docstring
class ModernHopfieldNetwork(OneToOneFeatureMixin, TransformerMixin, Estimator):
    """Associative memory of real-valued patterns, whose update is softmax attention.

        E(q) = -lse(beta, X'q) + q'q / 2 + log(K) / beta + M^2 / 2,

    The K stored patterns are the columns of X, M is the largest of their norms, and lse(beta, z) = log(sum_mu exp(beta
    z_mu)) / beta. The update q <- X softmax(beta X'q) never increases E, and usually converges in one step [1]_. A
    pattern far from all others has its own fixed point. Patterns close to each other share one fixed point near their
    mean; at a small `beta` all patterns share one.

    Read more in the :ref:`User Guide <memories>`.

    Parameters
    ----------
    beta : float, default=1.0
        Inverse temperature. Retrieval finds a single pattern if its inner product with the probe exceeds those of all
        other patterns by a few times log(K) / (2 beta). A good value therefore depends on the scale of the data.

    variant : {"softmax", "entmax", "sparsemax"}, default="softmax"
        Function that maps inner products to the shares of the patterns. "sparsemax" [2]_ and "entmax" (alpha = 1.5)
        give distant patterns the share zero, so retrieval can be exact at a finite `beta`; each has its own energy
        [3]_.

    max_steps : int, default=1000
        Maximum number of updates. With 1, `transform` is one step of attention with the patterns as keys and values.

    tol : float, default=1e-4
        A row has converged when an update changes no feature by more than `tol` times the largest absolute entry of
        the patterns.

    Attributes
    ----------
    patterns_ : ndarray of shape (n_patterns, n_features)
        Stored patterns.

    weights_ : ndarray of shape (n_patterns,)
        Number of equal patterns that each pattern counts as.

    See Also
    --------
    DenseAssociativeMemory : Two-valued patterns.

    Notes
    -----
    Inner products favor patterns with large norms. Center data with a common mean, and scale patterns to the same
    norm, before you store them.

    References
    ----------
    .. [1] Ramsauer, H. et al. "Hopfield networks is all you need." ICLR (2021).
    .. [2] Martins, A. F. T. & Astudillo, R. F. "From softmax to sparsemax: a sparse model of attention and multi-label
       classification." ICML (2016).
    .. [3] Hu, J. Y.-C. et al. "On sparse modern Hopfield model." NeurIPS 36 (2023).

    Examples
    --------
    >>> import numpy as np
    >>> from ebm import ModernHopfieldNetwork
    >>> patterns = np.array([[1.0, 1.0, 0.0], [1.0, -1.0, 0.0], [-1.0, 0.0, 1.0]])
    >>> network = ModernHopfieldNetwork(beta=8.0).fit(patterns)
    >>> network.transform([[0.9, 0.4, 0.2]]).round(2) + 0
    array([[1., 1., 0.]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "beta": [Number(Real, 0, None, closed="neither")],
        "variant": [StrOptions(set(VARIANTS))],
        "max_steps": [Number(Integral, 1, None, closed="left")],
        "tol": [Number(Real, 0, None, closed="left")],
    }

    @stores_arguments
    def __init__(
        self,
        beta: float = 1.0,
        *,
        variant: str = "softmax",
        max_steps: int = 1000,
        tol: float = 1e-4,
    ) -> None: ...

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _model(self) -> ModernMemory:
        return ModernMemory(self.beta, self.variant)

    # Storing

    @classmethod
    def from_parameters(
        cls, patterns: Any, weights: Any = None, **settings: Any
    ) -> "ModernHopfieldNetwork":
        """A network with the given patterns: a network with these settings, fitted to them.

        Parameters
        ----------
        patterns : array-like of shape (n_patterns, n_features)
            The fitted attribute `patterns_`. float32 stays float32.
        weights : array-like of shape (n_patterns,), default=None
            Number of equal patterns that each pattern counts as; 1 if None.
        **settings : object
            Parameters of the constructor; `beta` and `variant` are part of the energy.

        Returns
        -------
        network : ModernHopfieldNetwork
            The network, with copies of the arrays. Errors are those of :meth:`fit`.

        Examples
        --------
        >>> from ebm import ModernHopfieldNetwork
        >>> network = ModernHopfieldNetwork.from_parameters([[1.0, 0.0], [0.0, 1.0]], beta=8.0)
        >>> network.predict([[0.9, 0.2]]).round(2)
        array([[1., 0.]])
        """
        with calls_it(X="patterns", sample_weight="weights"):
            return cls(**settings).fit(patterns, sample_weight=weights)

    @learns
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> None:
        """Store the rows of `X`, in place of all patterns stored before.

        Parameters
        ----------
        X : array-like of shape (n_patterns, n_features)
            Patterns.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_patterns,), default=None
            A pattern of weight w counts as w equal patterns: log(w) is added to its score. Zero leaves the pattern
            out.

        Returns
        -------
        self : object
            The fitted network.

        Raises
        ------
        ValueError
            If `X` has no rows, or NaN or infinite entries, or weights that are negative or all zero.

        Warns
        -----
        UserWarning
            If patterns are not held, unless `max_steps` is 1. A pattern is not held if retrieval from it moves by half
            the distance to the nearest other pattern, or more. Of very many patterns an evenly spaced part is checked.
        """
        X = check_finite(self, X, reset=True)
        self.patterns_, self.weights_ = _weighted(X, sample_weight)
        self._report()

    @learns
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> None:
        """Store the rows of `X` in addition to the patterns stored before.

        Parameters
        ----------
        X : array-like of shape (n_patterns, n_features)
            Patterns.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_patterns,), default=None
            Number of equal patterns that each pattern counts as.

        Returns
        -------
        self : object
            The network with all patterns.
        """
        first = not hasattr(self, "patterns_")
        X = check_finite(self, X, reset=first)
        if first:
            self.patterns_, self.weights_ = _weighted(X, sample_weight)
        else:
            old, old_weights = self._params()
            patterns, weights = _weighted(as_dtype(X, old.dtype), sample_weight)
            self.patterns_ = np.concatenate([old, patterns])
            self.weights_ = np.concatenate([old_weights, weights])
        self._report()

    def _report(self) -> None:
        """Warn if retrieval from stored patterns ends elsewhere."""
        if self.max_steps == 1:
            return
        params = self._params()
        some = some_patterns(*params.patterns.shape)
        found = not_held(self._model(), params, some, self.max_steps, self.tol)
        if found.n_failed:
            warn_user(
                f"{found.n_failed} of {len(some)} patterns are not held at beta={float(self.beta):g}: retrieval from "
                f"them ends elsewhere. {_advice(found)}",
                UserWarning,
            )

    # Recalling

    def transform(self, X: Any) -> Array:
        """Retrieved patterns: the fixed points that the updates reach from the rows of `X`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Probes.

        Returns
        -------
        retrieved : ndarray of shape (n_samples, n_features)
            Fixed points of the update: patterns, or means of patterns.

        Warns
        -----
        ConvergenceWarning
            If rows have not converged after `max_steps` updates, unless `max_steps` is 1.
        """
        found = self.recall(X, trajectory=False)
        n_moving = np.count_nonzero(~found.converged)
        if n_moving and self.max_steps > 1:
            warn_user(
                f"{n_moving} of {len(found.states)} rows have not converged in max_steps={self.max_steps} updates. "
                "Increase max_steps.",
                ConvergenceWarning,
            )
        return found.states

    predict = transform

    @all_or_nothing
    def recall(self, X: Any, *, trajectory: bool = True) -> Retrieval:
        """The course of retrieval from each row of `X` to its end.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Probes.
        trajectory : bool, default=True
            Whether to return the states and energies after each update.

        Returns
        -------
        retrieval : Retrieval
            A tuple of arrays: `states`, `energies`, `n_steps`, `converged`, `trajectory` (n_updates + 1, n_samples,
            n_features) and `trajectory_energies`. The last two are None with ``trajectory=False``.
        """
        params = self._params()
        return self._settled(params, self._rows(X, params), trace=trajectory)

    def impute(self, X: Any) -> Array:
        """`X` with its unknown entries retrieved, and all other entries unchanged.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Probes, NaN where unknown. Unknown entries do not count in the inner products of the first update.

        Returns
        -------
        X_complete : ndarray of shape (n_samples, n_features)
            Fixed points of updates that change only the unknown entries.
        """
        params = self._params()
        rows = self._rows(X, params, allow_nan=True)
        return self._settled(params, np.nan_to_num(rows, nan=0.0), known=~np.isnan(rows)).states

    def _settled(self, params: ModernParameters, q: Array, **choice: Any) -> Retrieval:
        return settle_vectors(
            self._model(), params, q, max_steps=self.max_steps, tol=self.tol, **choice
        )

    def attention(self, X: Any) -> Array:
        """The shares of the patterns in one update of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Probes.

        Returns
        -------
        shares : ndarray of shape (n_samples, n_patterns)
            Non-negative, each row with the sum 1.
        """
        params = self._params()
        return self._model().attention(params, self._rows(X, params))

    def energy(self, X: Any) -> Array:
        """Energies E of the rows of `X`, which are never negative.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            States.

        Returns
        -------
        energy : ndarray of shape (n_samples,)
            Energies, in double precision.
        """
        params = self._params()
        return self._model().energy(params, self._rows(X, params))

    def score(self, X: Any, y: Any = None) -> float:
        """Mean cosine between retrieved states and the target patterns `y`, or the stored patterns nearest in angle.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Probes.
        y : array-like of shape (n_samples, n_features), default=None
            Target patterns, one for each row. If None or one-dimensional, each row has the nearest stored pattern as
            its target.

        Returns
        -------
        cosine : float
            At most 1, which is reached if every row ends in its target.
        """
        wanted = wanted_states(y, X)
        found = self.recall(X, trajectory=False).states
        if wanted is not None:
            return float(cosine(found, wanted).diagonal().mean())
        return float(cosine(found, self._params().patterns).max(axis=1).mean())

    # In and out

    def _params(self) -> ModernParameters:
        check_is_fitted(self, "patterns_")
        patterns = fitted_array(self.patterns_, "patterns_", (None, self.n_features_in_))
        check_magnitude(patterns, "patterns_")
        weights = fitted_array(self.weights_, "weights_", (len(patterns),))
        check_counts(weights, patterns.dtype, "weights_")
        return ModernParameters(np.ascontiguousarray(patterns), weights)

    def _rows(self, X: Any, params: ModernParameters, allow_nan: bool = False) -> Array:
        X = check_finite(self, X, reset=False, allow_nan=allow_nan)
        return as_dtype(X, params.patterns.dtype)


def _advice(found: NotHeld) -> str:
    if not np.isfinite(found.beta):
        return "Patterns that differ only by a factor have the same direction. Leave out all but one of them."
    if found.normalize:
        return (
            "Patterns of larger norm attract them. sklearn.preprocessing.normalize(X) makes all norms 1; then "
            f"beta={found.beta:.3g} is large enough."
        )
    return f"A larger beta separates them, for example beta={found.beta:.3g}."


def _weighted(X: Array, sample_weight: Any) -> tuple[Array, Array]:
    """Patterns of positive weight, and their weights."""
    weights = check_weights(sample_weight, X)
    if weights is None:
        return X.copy(), np.ones(len(X))
    X, weights = X[weights > 0], weights[weights > 0]
    check_counts(weights, X.dtype, "sample_weight")
    return X, weights
