"""Methods of a fitted Hopfield network: recall, energies, overlaps, stabilities."""

from typing import Any, ClassVar

from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from ebm._checks import Array, check_option
from ebm.energies.pairwise import Pairwise, PairwiseParameters, check_biases
from ebm.inference.minima import Minima, find_minima
from ebm.inference.recall import Recall, recall
from ebm.sklearn_compat._shared._course import Course
from ebm.sklearn_compat._shared._estimator import Estimator
from ebm.sklearn_compat._shared._settings import all_or_nothing
from ebm.sklearn_compat._shared._validation import calls_it, draw_seed, warn_user
from ebm.sklearn_compat.memories._two_states import check_two_states, read_for, wanted_states
from ebm.storage import storage_rule
from ebm.storage.base import aligned_fields, check_parameters, given_couplings, holding
from ebm.storage.patterns import from_spins, overlaps
from ebm.units import Spin


class HopfieldRecall(OneToOneFeatureMixin, TransformerMixin, Estimator):
    """Abstract base of :class:`HopfieldNetwork`: recall, and the attributes that it needs."""

    couplings_: Any
    intercept_: Any
    patterns_: Any
    states_: Any
    n_features_in_: int
    states: Any
    update: Any
    temperature: Any
    max_sweeps: Any
    _memory: Any
    _clean: bool
    _symmetric: bool
    _dtype: Any
    _fills_in: ClassVar[str] = "recall(X, clamp=True).states"  # advice in errors about NaN

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @classmethod
    def from_couplings(
        cls, J: Any, intercept: Any = None, *, states: str = "spin", **settings: Any
    ) -> Any:
        """A network with the given couplings and no patterns; methods that need patterns raise an error.

        Parameters
        ----------
        J : {array-like, sparse matrix, graph} of shape (n_features, n_features)
            Couplings of spins -1 and +1, with a zero diagonal; row i has the couplings that act on unit i. The
            couplings may be asymmetric.
        intercept : array-like of shape (n_features,), default=None
            Biases b; zero if None. The setting `thresholds` becomes -b.
        states : {"spin", "binary"}, default="spin"
            Values of probes and of recalled states: -1 and +1, or 0 and 1.
        **settings : object
            Further parameters of the constructor.

        Returns
        -------
        network : HopfieldNetwork
            The network, with copies of the arrays. `partial_fit` stores patterns in addition to these couplings.

        Raises
        ------
        ValueError
            If `J` is not square and finite with a zero diagonal, or if `intercept` or a setting is invalid.

        Examples
        --------
        >>> from ebm import HopfieldNetwork
        >>> HopfieldNetwork.from_couplings([[0, 1], [1, 0]]).predict([[1, float("nan")]])
        array([[1., 1.]])
        """
        couplings, symmetric = given_couplings(J)
        states = check_option(states, "states", ("binary", "spin"))
        network = cls(states=states, **settings)
        network._validate_params()
        network.n_features_in_, network._dtype = couplings.shape[0], couplings.dtype
        if intercept is not None:
            network.thresholds = -check_biases(intercept, "intercept", couplings)
        network.states_, network._clean, network._n_unlearned = states, True, -1
        network._course = Course(draw_seed(network.random_state))
        rule = storage_rule(network.rule)
        network._keep(rule, holding(network._blank(rule, couplings.shape[0]), couplings))
        network.couplings_, network._symmetric = couplings, symmetric
        return network

    @classmethod
    def from_parameters(cls, couplings: Any, intercept: Any = None, **settings: Any) -> Any:
        """A network with the given fitted attributes: :meth:`from_couplings` with other argument names.

        Parameters
        ----------
        couplings : {array-like, sparse matrix, graph} of shape (n_features, n_features)
            Couplings J of spins -1 and +1.
        intercept : array-like of shape (n_features,), default=None
            Biases b; zero if None.
        **settings : object
            Parameters of the constructor, where `states` is "spin" by default.

        Returns
        -------
        network : HopfieldNetwork
            The network. Errors are those of :meth:`from_couplings`.

        Examples
        --------
        >>> from ebm import HopfieldNetwork
        >>> HopfieldNetwork.from_parameters([[0, 1], [1, 0]]).energy([[1, 1]])
        array([-1.])
        """
        return cls.from_couplings(couplings, intercept, **settings)

    _read = read_for

    # Recall

    @all_or_nothing
    def predict(self, X: Any) -> Array:
        """Recalled states: at temperature zero, the fixed points that recall reaches from the rows of `X`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Probes; NaN where unknown.

        Returns
        -------
        X_recalled : ndarray of shape (n_samples, n_features)
            Recalled states, with the values of the patterns and the dtype of the network. The same call has the same
            result.

        Warns
        -----
        ConvergenceWarning
            If, at temperature zero, a probe ended in a cycle, or in no fixed point after `max_sweeps` sweeps.
        """
        ends = self._recall(X, False, False, None)
        if self.temperature == 0 and not ends.converged.all():
            n_cycles, n_open = ends.cycling.sum(), (~(ends.converged | ends.cycling)).sum()
            warn_user(
                f"{n_cycles} of {len(ends.states)} probes ended in a cycle of two states, and {n_open} reached no "
                f"fixed point in max_sweeps={self.max_sweeps} sweeps. With symmetric couplings, update='async' has "
                "no cycles. For the other probes increase max_sweeps. recall(X) shows which probes these are.",
                ConvergenceWarning,
            )
        return from_spins(ends.states, self.states_)

    transform = predict

    @all_or_nothing
    def recall(
        self, X: Any, *, clamp: bool = False, trajectory: bool = True, random_state: Any = None
    ) -> Recall:
        """The course of recall from each row of `X` to its end.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Probes; NaN where unknown. Unknown units start with the sign of their field from the known units.
        clamp : bool, default=False
            Whether known bits stay fixed.
        trajectory : bool, default=True
            Whether to return the states and energies after each sweep.
        random_state : int, RandomState instance or None, default=None
            Seed of the order of updates and of the noise. None takes the seed of the network, as `predict` does.

        Returns
        -------
        recall : Recall
            A tuple of arrays: `states`, `energies`, `n_sweeps`, `converged`, `cycling` (2-cycles), `trajectory`
            (n_sweeps.max() + 1, n_samples, n_features) and `trajectory_energies`. The last two are None with
            ``trajectory=False``.
        """
        ends = self._recall(X, clamp, trajectory, random_state)
        path = ends.trajectory
        return ends._replace(
            states=from_spins(ends.states, self.states_),
            trajectory=None if path is None else from_spins(path, self.states_),
        )

    @all_or_nothing
    def score(self, X: Any, y: Any = None) -> float:
        """Mean overlap of the recalled states with the target patterns `y`, or with the nearest stored patterns.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Probes; NaN where unknown.
        y : array-like of shape (n_samples, n_features), default=None
            Target patterns, one for each row. If None or one-dimensional, each row has the nearest stored pattern as
            its target.

        Returns
        -------
        score : float
            1 if every row ends in its target. The overlap of states s and xi is the mean of s_i xi_i.
        """
        wanted = wanted_states(y, X)
        ends = self._recall(X, False, False, None)
        if wanted is not None:
            return float((ends.states * self._read(wanted)).mean())
        self._check_has_patterns()
        return float(overlaps(ends.states, self._memory.patterns).max(axis=1).mean())

    # Energies and overlaps

    @all_or_nothing
    def minima(self, n_starts: int | None = None, *, random_state: Any = None) -> Minima:
        """Local minima of the energy (the fixed points), with the sizes of their basins and the barriers between them.

        Parameters
        ----------
        n_starts : int, default=None
            Number of random initial states of steepest descent. None takes all states if there are at most 16 units,
            else 1000 random states.
        random_state : int, RandomState instance or None, default=None
            Seed of the initial states. None takes the seed of the network.

        Returns
        -------
        minima : Minima
            A tuple, the lowest minimum first: `states` (n_minima, n_features) with the values of the patterns,
            `energies`, `counts` of descents that ended there, `basins` (their shares) with `basin_errors`, `barriers`
            (n_minima, n_minima), and `is_complete`. If descent did not start from all states, `barriers` is None and
            there may be further minima.

        Raises
        ------
        ValueError
            If `n_starts` is not a positive integer, or the couplings are not symmetric: no energy falls then.
        """
        params = self._params()
        if not self._symmetric:
            raise ValueError(
                "minima needs symmetric couplings, but the couplings of this network are not symmetric. "
                "rule=Perceptron(symmetric=True) makes symmetric ones."
            )
        found = find_minima(Pairwise(Spin()), params, self._stream(random_state), n_starts)
        return found._replace(states=from_spins(found.states, self.states_))

    def energy(self, X: Any) -> Array:
        """Energies E(s) = -1/2 s'Js - b's of the rows of `X`, with the spins s = 2 x - 1 of bits x.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            States.

        Returns
        -------
        energy : ndarray of shape (n_samples,)
            Energies. The energy of the same network in bits, with the couplings 4 J and the biases 2 b - 2 J 1,
            differs from them by a constant.
        """
        params = self._params()
        s = self._read(check_two_states(self, X, reset=False, complete=True)).astype(
            params.J.dtype, copy=False
        )
        return Pairwise(Spin()).energy(params, s)

    def overlaps(self, X: Any) -> Array:
        """Overlaps (1/N) sum_i s_i xi_i of each row with each stored pattern, over the N known bits.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            States; NaN where unknown.

        Returns
        -------
        overlaps : ndarray of shape (n_samples, n_patterns)
            Overlaps, from -1 (the complement of the pattern) to 1 (the pattern).
        """
        self._check_fitted()
        spins = self._read(check_two_states(self, X, reset=False))
        return overlaps(spins, self._memory.patterns)

    def stability(self, patterns: Any = None) -> Array:
        """Aligned fields xi_i (J xi + b)_i: a unit keeps its state if its aligned field is not negative.

        Parameters
        ----------
        patterns : array-like of shape (n_patterns, n_features), default=None
            States; None takes the stored patterns.

        Returns
        -------
        fields : ndarray of shape (n_patterns, n_features)
            Aligned fields. Divided by the norms of the rows of `couplings_`, they become Gardner's stabilities.
        """
        params = self._params()
        if patterns is None:
            spins = self._memory.patterns
        else:
            with calls_it(X="patterns"):
                spins = self._read(check_two_states(self, patterns, reset=False, complete=True))
        return aligned_fields(params, spins.astype(params.J.dtype, copy=False))

    # Fitted attributes as parameters

    def _recall(self, X: Any, clamp: bool, trajectory: bool, random_state: Any) -> Recall:
        params = self._params()
        spins = self._read(check_two_states(self, X, reset=False))
        return recall(
            Pairwise(Spin()),
            params,
            spins,
            self._stream(random_state),
            update=self.update,
            temperature=self.temperature,
            max_sweeps=self.max_sweeps,
            clamp=clamp,
            trace=trajectory,
        )

    def _params(self) -> PairwiseParameters:
        """The fitted attributes as parameters, checked: users may have replaced them."""
        self._check_fitted()
        return check_parameters(
            self.couplings_, self.intercept_, self.n_features_in_, symmetric=self._symmetric
        )

    def _check_fitted(self) -> None:
        check_is_fitted(self, "couplings_")

    def _check_has_patterns(self) -> None:
        if not len(self._memory.patterns):
            raise ValueError(
                "There is no stored pattern to compare with. Store patterns with partial_fit, or give target "
                "patterns y."
            )
