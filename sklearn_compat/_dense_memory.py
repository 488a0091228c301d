"""The dense associative memory that stores patterns."""

import warnings
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from ebm._checks import Array
from ebm._random import stream
from ebm.energies.memory import INTERACTIONS, DenseMemory, DenseParameters, check_memories
from ebm.inference.retrieval import VISITS, Retrieval, settle_spins
from ebm.sklearn_compat._states import CHOICES, read_spins, users_line, write_spins
from ebm.sklearn_compat._validation import FLOATS, draw_seed


class DenseAssociativeMemory(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Associative memory of two-valued patterns with an interaction of high degree.

        E(s) = -sum_mu F(xi_mu's),    F(x) = N (x / N)^n,

    with the patterns xi_mu and the states s read as spins {-1, +1}, N of them. A probe runs downhill, one unit at a
    time, to the pattern whose well it lies in. Of random patterns about N^(n - 1) / (2 (2n - 3)!! log N) are held
    without errors, and 2^(N / 2) with the exponential interaction; degree 2 is the Hopfield network with Hebb's rule
    [1]_ [2]_.

    Read more in the :ref:`User Guide <memories>`.

    Parameters
    ----------
    degree : int, default=3
        n, at least 2. Means nothing for the exponential interaction.

    interaction : {"polynomial", "rectified", "exponential"}, default="polynomial"
        F(x) is N (x / N)^n; or that for positive x and zero for negative ones; or exp(x), whose energy is -log sum_mu
        exp(xi_mu's). With an even degree, "polynomial" holds the negative of every pattern as well.

    states : {"auto", "binary", "spin"}, default="auto"
        The two values of the data: {0, 1}, {-1, +1}, or whichever the patterns have. What comes back has the same. With
        "auto", other values draw a warning and are read by rounding, within [0, 1], or by their sign; with the
        others they are an error.

    visit : {"random", "cyclic"}, default="random"
        The units in a fresh random order every sweep, or one after the other.

    max_sweeps : int, default=100
        Sweeps over all units at most; recall ends sooner, after a sweep in which nothing changes.

    random_state : int, RandomState instance or None, default=None
        Seed of the order of visits. See :term:`Glossary <random_state>`.

    Attributes
    ----------
    patterns_ : ndarray of shape (n_patterns, n_features)
        What is stored, as it was given; NaN where unknown.

    states_ : {"binary", "spin"}
        The two values that were recognised.

    capacity_ : float
        About how many random patterns the memory holds with one bit in two hundred disturbed.

    n_features_in_ : int
        Number of features seen during :term:`fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during :term:`fit`. Defined only when `X` has feature names that are all strings.

    See Also
    --------
    DenseAssociativeClassifier : Learned memories that complete labels.
    ModernHopfieldNetwork : Real-valued patterns.

    Notes
    -----
    NaN in probes marks unknown units: they have no part in the overlaps until they are visited. In patterns they
    neither support nor oppose anything. A unit whose two states have the same energy keeps the one it has.

    References
    ----------
    .. [1] Krotov, D. & Hopfield, J. J. "Dense associative memory for pattern recognition." NIPS 29 (2016).
    .. [2] Demircigil, M., Heusel, J., Loewe, M., Upgang, S. & Vermet, F. "On a model of associative memory with huge
       storage capacity." Journal of Statistical Physics 168, 288-299 (2017).

    Examples
    --------
    >>> import numpy as np
    >>> from ebm import DenseAssociativeMemory
    >>> patterns = np.random.default_rng(0).integers(
    ...     0, 2, (40, 30)
    ... )  # a Hopfield network of this size holds four
    >>> memory = DenseAssociativeMemory(interaction="exponential", random_state=0).fit(patterns)
    >>> probes = patterns.astype(float)
    >>> probes[:, :10] = np.nan  # unknown
    >>> bool((memory.predict(probes) == patterns).all())
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "degree": [Interval(Integral, 2, None, closed="left")],
        "interaction": [StrOptions(set(INTERACTIONS))],
        "states": [StrOptions(set(CHOICES))],
        "visit": [StrOptions(set(VISITS))],
        "max_sweeps": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        degree: int = 3,
        *,
        interaction: str = "polynomial",
        states: str = "auto",
        visit: str = "random",
        max_sweeps: int = 100,
        random_state: Any = None,
    ) -> None:
        self.degree = degree
        self.interaction = interaction
        self.states = states
        self.visit = visit
        self.max_sweeps = max_sweeps
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _model(self) -> DenseMemory:
        return DenseMemory(self.interaction, self.degree)

    # Storing

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> "DenseAssociativeMemory":
        """Store the rows of `X`, and nothing else.

        Parameters
        ----------
        X : array-like of shape (n_patterns, n_features)
            Patterns of two values, NaN where unknown.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted memory.

        Raises
        ------
        ValueError
            If `X` has no rows or nothing known, or, unless states="auto", values that are not the two states.

        Warns
        -----
        UserWarning
            If `X` has other values than two; if patterns repeat others, which are stored once; if there are more than
            `capacity_`.
        """
        X = validate_data(self, X, dtype=FLOATS, ensure_all_finite="allow-nan")
        S, kind = read_spins(X, self.states)
        self._store(_distinct(S), len(X), kind)
        self._seed = draw_seed(self.random_state)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any = None) -> "DenseAssociativeMemory":
        """Store the rows of `X` beside what is stored.

        Parameters
        ----------
        X : array-like of shape (n_patterns, n_features)
            Patterns of two values, NaN where unknown.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The memory with all patterns.

        Raises
        ------
        ValueError
            As :meth:`fit`; what was stored stays.
        """
        if not hasattr(self, "patterns_"):
            return self.fit(X)
        X = validate_data(self, X, dtype=FLOATS, ensure_all_finite="allow-nan", reset=False)
        S, kind = read_spins(X, self.states, known=self.states_)
        known = self._spins(self.patterns_)
        both = np.concatenate([known, S.astype(known.dtype)])
        self._store(_distinct(both), len(both), kind)
        return self

    def _store(self, S: Array, n_given: int, kind: str) -> None:
        """Keep the distinct patterns `S` out of `n_given`."""
        if not len(S):
            raise ValueError("X holds nothing but NaN: there is no pattern to store.")
        if len(S) < n_given:
            warnings.warn(
                f"{n_given - len(S)} of {n_given} patterns repeat others or have no known entry: every pattern is "
                "stored once.",
                UserWarning,
                stacklevel=users_line(),
            )
        capacity = self._model().capacity(S.shape[1])
        if len(S) > capacity:
            warnings.warn(
                f"{len(S)} patterns are more than the about {capacity:.3g} random ones that {S.shape[1]} units hold at "
                f"interaction={self.interaction!r}, degree={self.degree}. Use a higher degree, or "
                'interaction="exponential".',
                UserWarning,
                stacklevel=users_line(),
            )
        self.patterns_, self.states_, self.capacity_ = write_spins(S, kind), kind, capacity

    # Recalling

    def transform(self, X: Any) -> Array:
        """Patterns that the rows of `X` run to.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Probes, NaN where unknown.

        Returns
        -------
        retrieved : ndarray of shape (n_samples, n_features)
            States at rest, of two values.

        Warns
        -----
        ConvergenceWarning
            If rows are not at rest after `max_sweeps` sweeps.
        """
        found = self._recalled(X)
        n_moving = np.count_nonzero(~found.converged)
        if n_moving:
            warnings.warn(
                f"{n_moving} of {len(found.converged)} rows are not at rest after max_sweeps={self.max_sweeps} sweeps.",
                ConvergenceWarning,
                stacklevel=users_line(),
            )
        return found.states

    def predict(self, X: Any) -> Array:
        """Patterns that the rows of `X` run to: :meth:`transform`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Probes, NaN where unknown.

        Returns
        -------
        retrieved : ndarray of shape (n_samples, n_features)
            States at rest, of two values.
        """
        return self.transform(X)

    def impute(self, X: Any) -> Array:
        """`X` with its unknown entries recalled, and all others as they are.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Probes, NaN where unknown.

        Returns
        -------
        X_complete : ndarray of shape (n_samples, n_features)
            Where the free units come to rest while the known ones stay.
        """
        return self._recalled(X, clamp=True).states

    def recall(self, X: Any, *, clamp: bool = False, return_trajectory: bool = False) -> Retrieval:
        """What becomes of probes, and how.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Probes, NaN where unknown.
        clamp : bool, default=False
            Whether known entries stay as they are.
        return_trajectory : bool, default=False
            Whether to keep the states after every sweep.

        Returns
        -------
        retrieval : Retrieval
            `states` at rest; `energies` (n_sweeps + 1, n_samples) after every sweep; `n_steps`, the sweeps of each row;
            `converged`, whether it is at rest; `trajectory` (n_sweeps + 1, n_samples, n_features), or None.
        """
        return self._recalled(X, clamp=clamp, trace=return_trajectory)

    def _recalled(self, X: Any, clamp: bool = False, trace: bool = False) -> Retrieval:
        S = self._probes(X)
        unknown = np.isnan(S)
        found = settle_spins(
            self._model(),
            self._params(),
            np.where(unknown, 0, S),
            stream(self._seed, "evaluation"),
            visit=self.visit,
            max_sweeps=self.max_sweeps,
            free=unknown if clamp else None,
            trace=trace,
        )
        states = self._given_back(found.states, S.dtype)
        path = None if found.trajectory is None else self._given_back(found.trajectory, S.dtype)
        return found._replace(states=states, trajectory=path)

    def energy(self, X: Any) -> Array:
        """E of the rows of `X`; a pattern that is stored alone has -n_features.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            States; unknown ones, NaN, have no part in the overlaps.

        Returns
        -------
        energy : ndarray of shape (n_samples,)
            In double precision.
        """
        S = np.nan_to_num(self._probes(X))
        return self._model().energy(self._params(), S.astype(np.int8))

    def score(self, X: Any, y: Any = None) -> float:
        """Mean overlap of what is retrieved with the nearest stored pattern, 1 if all of it is stored.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Probes, NaN where unknown.
        y : None
            Ignored.

        Returns
        -------
        overlap : float
            Between -1 and 1: the share of units that agree minus the share that do not.
        """
        found = self._spins(self._recalled(X).states).astype(np.int8)
        overlaps = self._model().overlaps(self._params(), found)
        return float(overlaps.max(axis=1).mean() / found.shape[1])

    # In and out

    def _params(self) -> DenseParameters:
        return DenseParameters(check_memories(np.nan_to_num(self._spins(self.patterns_))))

    def _spins(self, X: Array) -> Array:
        return read_spins(X, "auto", known=self.states_)[0]

    def _probes(self, X: Any) -> Array:
        check_is_fitted(self, "patterns_")
        X = validate_data(self, X, dtype=FLOATS, ensure_all_finite="allow-nan", reset=False)
        return read_spins(X, self.states, known=self.states_)[0]

    def _given_back(self, S: Array, dtype: Any) -> Array:
        spins = S.astype(dtype)
        return write_spins(np.where(spins == 0, np.nan, spins).astype(dtype), self.states_)


def _distinct(S: Array) -> Array:
    """The first of equal rows, those without a known entry left out."""
    S = S[~np.isnan(S).all(axis=1)]
    _, first = np.unique(np.nan_to_num(S), axis=0, return_index=True)
    return S[np.sort(first)]
