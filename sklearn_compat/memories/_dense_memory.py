"""The dense associative memory that stores patterns."""

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from ebm._checks import Array
from ebm.energies.memory import (
    INTERACTIONS,
    DenseMemory,
    DenseParameters,
    check_memories,
    some_patterns,
)
from ebm.inference.recall import Recall
from ebm.inference.retrieval import VISITS, settle_spins
from ebm.sklearn_compat._shared._attributes import fitted_array
from ebm.sklearn_compat._shared._course import Course
from ebm.sklearn_compat._shared._docstrings import complete_docstring
from ebm.sklearn_compat._shared._estimator import Estimator
from ebm.sklearn_compat._shared._settings import Number, all_or_nothing, learns, stores_arguments
from ebm.sklearn_compat._shared._validation import calls_it, draw_seed, warn_user
from ebm.sklearn_compat.memories._two_states import (
    check_complete,
    check_two_states,
    read_for,
    recognise,
    refuse_empty,
    wanted_states,
)
from ebm.storage.patterns import CONVENTIONS, by_majority, check_new, collapse, from_spins, overlaps


@complete_docstring
class DenseAssociativeMemory(OneToOneFeatureMixin, TransformerMixin, Estimator):
    """Associative memory of two-valued patterns with an interaction of high degree.

        E(s) = -sum_mu F(xi_mu's),    F(x) = N (x / N)^n,

    The patterns xi_mu and the states s consist of N spins {-1, +1}. Recall lowers the energy of a probe, one unit at a
    time, until it reaches a fixed point, usually the nearest pattern. About N^(n - 1) / (2 (2n - 3)!! log N) random
    patterns are recalled without errors, and 2^(N / 2) with the exponential interaction. Degree 2 is the Hopfield
    network with Hebb's rule [1]_ [2]_.

    Read more in the :ref:`User Guide <memories>`.

    Parameters
    ----------
    degree : int, default=3
        n, at least 2. The exponential interaction does not use it.

    interaction : {"polynomial", "rectified", "exponential"}, default="polynomial"
        "polynomial": F(x) = N (x / N)^n. "rectified": the same for positive x, zero for negative x. "exponential":
        F(x) = exp(x), with the energy -log sum_mu exp(xi_mu's). With "polynomial" and an even degree, the negative of
        every pattern is a memory, too.

    states : {"auto", "binary", "spin"}, default="auto"
        Values of patterns and of results: "binary" is 0 and 1, "spin" is -1 and +1, "auto" accepts either. Other values
        are an error; under "auto" they only raise a warning. They are then rounded to bits if all lie in [0, 1], else
        replaced by their signs; missing entries of such patterns become the most frequent value of the feature.

    update : {"async", "cyclic"}, default="async"
        Order in which units are updated, one at a time: a new random order in each sweep, or the order of the features.

    max_sweeps : int, default=100
        Maximum number of sweeps over all units. Recall ends earlier after a sweep that changes nothing.

    random_state : int, RandomState instance or None, default=None
        Seed of the order of updates. See :term:`Glossary <random_state>`.

    Attributes
    ----------
    patterns_ : ndarray of shape (n_patterns, n_features)
        Stored patterns, in the order of storing.

    states_ : {"binary", "spin"}
        Values of the patterns.

    capacity_ : float
        Approximate number of random patterns that the memory recalls if one bit in two hundred is wrong.

    See Also
    --------
    DenseAssociativeClassifier : Learned memories that complete labels.
    ModernHopfieldNetwork : Real-valued patterns.

    Notes
    -----
    NaN in probes marks unknown bits. Unknown bits do not count in the overlaps until their first update. A unit whose
    two states have the same energy keeps its state. If its state is unknown, a random bit decides, the same one for all
    probes.

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
        "degree": [Number(Integral, 2, None, closed="left")],
        "interaction": [StrOptions(set(INTERACTIONS))],
        "states": [StrOptions({"auto", *CONVENTIONS})],
        "update": [StrOptions(set(VISITS))],
        "max_sweeps": [Number(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    patterns_: Any

    @stores_arguments
    def __init__(
        self,
        degree: int = 3,
        *,
        interaction: str = "polynomial",
        states: str = "auto",
        update: str = "async",
        max_sweeps: int = 100,
        random_state: Any = None,
    ) -> None: ...

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _model(self) -> DenseMemory:
        return DenseMemory(self.interaction, self.degree)

    # Storing

    @classmethod
    def from_parameters(cls, patterns: Any, **settings: Any) -> "DenseAssociativeMemory":
        """A memory with the given patterns: a memory with these settings, fitted to them.

        Parameters
        ----------
        patterns : array-like of shape (n_patterns, n_features)
            The fitted attribute `patterns_`: rows of two states.
        **settings : object
            Parameters of the constructor; `degree` and `interaction` are part of the energy.

        Returns
        -------
        memory : DenseAssociativeMemory
            The memory. Errors and warnings are those of :meth:`fit`.

        Examples
        --------
        >>> from ebm import DenseAssociativeMemory
        >>> patterns = [[1, 1, 0, 0], [0, 0, 1, 1]]
        >>> memory = DenseAssociativeMemory.from_parameters(patterns, interaction="exponential")
        >>> memory.predict([[1, 1, 1, 0]])
        array([[1., 1., 0., 0.]])
        """
        with calls_it(X="patterns"):
            return cls(**settings).fit(patterns)

    @learns
    def fit(self, X: Any, y: Any = None) -> None:
        """Store the rows of `X`, in place of all patterns stored before.

        Parameters
        ----------
        X : array-like of shape (n_patterns, n_features)
            Patterns of two states.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted memory.

        Raises
        ------
        ValueError
            If a pattern occurs twice, is all zeros, or has unknown bits; or, unless ``states="auto"``, if `X` has
            values other than the two states.

        Warns
        -----
        UserWarning
            If patterns are no fixed points, or if there are more than `capacity_`. Of very many patterns an evenly
            spaced part is checked. With ``states="auto"`` also if `X` has values other than two states; equal rows are
            then stored once.
        """
        self._store(X, anew=True)

    @learns
    def partial_fit(self, X: Any, y: Any = None) -> None:
        """Store the rows of `X` in addition to the patterns stored before.

        Parameters
        ----------
        X : array-like of shape (n_patterns, n_features)
            Patterns of two states.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The memory with all patterns.

        Raises
        ------
        ValueError
            As in :meth:`fit`, and if a pattern is already stored. The memory stays unchanged.
        """
        self._store(X, anew=not hasattr(self, "patterns_"))

    def _store(self, X: Any, *, anew: bool) -> None:
        X = check_two_states(self, X, reset=anew)
        if anew:
            self.states_, self._clean = recognise(X, self.states)
            self._course = Course(draw_seed(self.random_state))
        spins = self._read(X, quiet=anew)
        known = spins[:0] if anew else self._params().memories
        if self._clean:
            check_complete(X)
            refuse_empty(X, self.states_)
            check_new(spins, known)
        spins = np.concatenate([known, by_majority(spins).astype(known.dtype)])
        spins, _ = collapse(spins, np.ones(len(spins)))
        self.patterns_ = from_spins(spins, self.states_)
        self.capacity_ = self._model().capacity(X.shape[1])
        self._report()

    def _report(self) -> None:
        """Warn if there are more patterns than the capacity, or if patterns are no fixed points."""
        params = self._params()
        n_patterns, n_units = params.memories.shape
        some = some_patterns(n_patterns, n_units)
        failed = self._model().n_unstable(params, params.memories[some])
        over, exponential = n_patterns > max(self.capacity_, 1), self.interaction == "exponential"
        if not (failed or over):
            return
        degree = "" if exponential else f", degree={self.degree}"
        settings = f"interaction={self.interaction!r}{degree}"
        message = []
        if failed:
            message.append(
                f"{failed} of {len(some)} patterns are not held: they are no fixed points with {settings}."
            )
        if over:
            message.append(
                f"{n_patterns} patterns are more than the capacity of {n_units} units with {settings}: about "
                f"{self.capacity_:.3g} random patterns."
            )
        message.append(
            "Leave out patterns that are nearly equal to others."
            if exponential
            else 'Use a higher degree, or interaction="exponential".'
        )
        warn_user(" ".join(message), UserWarning)

    # Recalling

    @all_or_nothing
    def transform(self, X: Any) -> Array:
        """Recalled patterns: the fixed points that recall reaches from the rows of `X`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Probes, NaN where unknown.

        Returns
        -------
        retrieved : ndarray of shape (n_samples, n_features)
            States at the end of recall, with the values of the patterns.

        Warns
        -----
        ConvergenceWarning
            If rows have reached no fixed point after `max_sweeps` sweeps.
        """
        found = self._recalled(X)
        n_moving = np.count_nonzero(~found.converged)
        if n_moving:
            warn_user(
                f"{n_moving} of {len(found.states)} rows reached no fixed point in max_sweeps={self.max_sweeps} "
                "sweeps. Increase max_sweeps.",
                ConvergenceWarning,
            )
        return found.states

    predict = transform

    @all_or_nothing
    def impute(self, X: Any) -> Array:
        """`X` with its unknown entries recalled, and all other entries unchanged.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Probes, NaN where unknown.

        Returns
        -------
        X_complete : ndarray of shape (n_samples, n_features)
            Fixed points of the dynamics in which only the unknown units change.
        """
        return self._recalled(X, clamp=True).states

    @all_or_nothing
    def recall(
        self, X: Any, *, clamp: bool = False, trajectory: bool = True, random_state: Any = None
    ) -> Recall:
        """The course of recall from each row of `X` to its end.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Probes, NaN where unknown.
        clamp : bool, default=False
            Whether known bits stay fixed.
        trajectory : bool, default=True
            Whether to return the states and energies after each sweep.
        random_state : int, RandomState instance or None, default=None
            Seed of the order of updates. None takes the seed of the memory, as `predict` does.

        Returns
        -------
        recall : Recall
            A tuple of arrays: `states`, `energies`, `n_sweeps`, `converged`, `cycling` (never), `trajectory`
            (n_sweeps.max() + 1, n_samples, n_features) and `trajectory_energies`. The last two are None with
            ``trajectory=False``.
        """
        return self._recalled(X, clamp, trajectory, random_state)

    def _recalled(
        self, X: Any, clamp: bool = False, trace: bool = False, random_state: Any = None
    ) -> Recall:
        S = self._probes(X)
        unknown = np.isnan(S)
        found = settle_spins(
            self._model(),
            self._params(),
            np.where(unknown, 0, S),
            self._stream(random_state),
            update=self.update,
            max_sweeps=self.max_sweeps,
            free=unknown if clamp else None,
            trace=trace,
        )
        states = self._given_back(found.states, S.dtype)
        path = None if found.trajectory is None else self._given_back(found.trajectory, S.dtype)
        return found._replace(states=states, trajectory=path)

    def energy(self, X: Any) -> Array:
        """Energies E of the rows of `X`; a pattern that is stored alone has the energy -n_features.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            States. Unknown bits, NaN, do not count in the overlaps.

        Returns
        -------
        energy : ndarray of shape (n_samples,)
            Energies, in double precision.
        """
        S = np.nan_to_num(self._probes(X))
        return self._model().energy(self._params(), S.astype(np.int8))

    @all_or_nothing
    def score(self, X: Any, y: Any = None) -> float:
        """Mean overlap of the recalled states with the target patterns `y`, or with the nearest stored patterns.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Probes, NaN where unknown.
        y : array-like of shape (n_samples, n_features), default=None
            Target patterns, one for each row. If None or one-dimensional, each row has the nearest stored pattern as
            its target.

        Returns
        -------
        overlap : float
            Between -1 and 1: the share of units that agree minus the share of units that do not.
        """
        wanted = wanted_states(y, X)
        ends = self._read(self._recalled(X).states)
        if wanted is not None:
            return float(np.nan_to_num(ends * self._read(wanted)).mean())
        return float(overlaps(ends, self._params().memories).max(axis=1).mean())

    # In and out

    def _params(self) -> DenseParameters:
        patterns = fitted_array(self.patterns_, "patterns_", (None, self.n_features_in_))
        return DenseParameters(check_memories(self._read(patterns), "patterns_"))

    _read = read_for

    def _probes(self, X: Any) -> Array:
        check_is_fitted(self, "patterns_")
        return self._read(check_two_states(self, X, reset=False))

    def _given_back(self, S: Array, dtype: Any) -> Array:
        """States with the values of the patterns, and NaN for bits that are still unknown."""
        return from_spins(np.where(S == 0, np.nan, S).astype(dtype), self.states_)
