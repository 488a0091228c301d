"""The Hopfield network: settings, storing, forgetting, unlearning."""

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import StrOptions

from ebm._arrays import as_numbers, check_squares
from ebm._checks import check_integer, check_real, shown
from ebm._random import fold, stream
from ebm.energies.pairwise import Pairwise
from ebm.inference.recall import UPDATES
from ebm.sklearn_compat._shared._course import Course
from ebm.sklearn_compat._shared._settings import RECORD, Number, learns
from ebm.sklearn_compat._shared._validation import (
    calls_it,
    check_weights,
    draw_seed,
    warn_user,
)
from ebm.sklearn_compat.memories._hopfield_recall import HopfieldRecall
from ebm.sklearn_compat.memories._two_states import (
    check_complete,
    check_two_states,
    recognise,
    refuse_empty,
)
from ebm.storage import (
    RULES,
    Memory,
    StorageRule,
    diluted,
    dream,
    share_of_unstable_bits,
    storage_rule,
    stored_badly,
    unlearn,
)
from ebm.storage.patterns import by_majority, check_new, from_spins, in_fixed_order
from ebm.units import Spin

# At the critical load Hebb's rule leaves 0.4 % of the bits of random patterns unstable.
MOST_UNSTABLE = 0.02
# Of fewer units one bit is a large share.
FEWEST_UNITS = 20


class HopfieldNetwork(HopfieldRecall):
    """Hopfield network: an associative memory of two-state patterns.

    Units s_i in {-1, +1}, every pair of them joined by couplings J, with the energy

        E(s) = -1/2 s'Js - b's.

    A storage rule makes the patterns of `fit` fixed points of the dynamics in which each unit goes where its field J
    s + b points; from a distorted or incomplete pattern (NaN where unknown), `predict` and `transform` go to the
    fixed point nearby.

    Patterns and probes are bits {0, 1} or spins {-1, +1}, which is recognised, and what comes back is of the same kind.
    Energies, fields and couplings are those of the *spins* in either case: bits x stand for s = 2 x - 1.

    Read more in the :ref:`User Guide <hopfield>`.

    Parameters
    ----------
    rule : {"hebb", "storkey", "pseudo_inverse", "perceptron", "covariance"} or record, default="hebb"
        Storage rule, by name or with its own settings, for example ``Hebb(normalize=False)``, ``Perceptron(kappa=0.5)``
        or ``Covariance(activity=0.1)``. In N units, "hebb" holds about 0.138 N random patterns with a few wrong bits,
        "storkey" N / sqrt(2 log N), "pseudo_inverse" N, correlated ones too, "perceptron" 2 N; "covariance" is for
        patterns in which few units are active.

    states : {"auto", "binary", "spin"}, default="auto"
        What patterns consist of: 0 and 1, -1 and +1, or either. Other values are an error, but under "auto" they draw a
        warning and are read as bits, by rounding, if all lie within [0, 1], and by their signs if not; what is missing
        from such patterns, by the majority of the feature.

    update : {"async", "cyclic", "glauber", "sync"}, default="async"
        One unit at a time: in a fresh random order each sweep, in order, or drawn with replacement; or all units at
        once, which may end in a cycle of two states.

    temperature : float, default=0.0
        Temperature of recall. Above zero it is a random walk by the heat bath, of `max_sweeps` sweeps.

    max_sweeps : int, default=300
        Sweeps (updates per unit) at most. From random states, 2000 units take up to about 80.

    mask : float, {array-like, sparse matrix, graph} of bool of shape (n_features, n_features), or None, default=None
        Dilution: which pairs of units are joined, or the share of pairs that are, drawn at random; None joins all.

    thresholds : float, array-like of shape (n_features,), or None, default=None
        What a unit's field J s must exceed, besides the rule's own thresholds. None is zero.

    random_state : int, RandomState instance or None, default=None
        Seed of order, dilution, dreams, temperature and of ties of unknown bits. An int makes every result
        reproducible. See :term:`Glossary <random_state>`.

    verbose : int, default=0
        Whether to say what has been stored.

    Attributes
    ----------
    couplings_ : ndarray of shape (n_features, n_features)
        J, of zero diagonal; row i holds what acts on unit i. Symmetric but under the rule "perceptron". It may be
        replaced by other couplings, which hold until patterns are stored or forgotten.

    intercept_ : ndarray of shape (n_features,)
        b, the thresholds with their signs changed.

    patterns_ : ndarray of shape (n_patterns, n_features)
        What is stored, in the order of storing.

    states_ : {"binary", "spin"}
        What patterns consist of.

    mask_ : ndarray of bool of shape (n_features, n_features) or None
        Pairs of units that are joined.

    capacity_ : float
        Count of random patterns that the rule can hold.

    dreams_ : ndarray of shape (n_dreams, n_features)
        The states that the last call of `unlearn` dreamt of.

    n_features_in_ : int
        Number of features seen during :term:`fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during :term:`fit`. Defined only when `X` has feature names that are all strings.

    See Also
    --------
    BernoulliRBM : A memory with hidden units, learned by likelihood.

    Notes
    -----
    Hebb's, Storkey's, the projection and the covariance rule have symmetric couplings: one unit at a time, the energy
    falls until recall ends in a fixed point. The perceptron rule has not, unless ``Perceptron(symmetric=True)``.

    References
    ----------
    .. [1] Hopfield, J. J. "Neural networks and physical systems with emergent collective computational abilities."
       PNAS 79, 2554-2558 (1982).
    .. [2] Amit, D. J. "Modeling brain function." Cambridge University Press (1989).
    .. [3] Storkey, A. "Increasing the capacity of a Hopfield network without sacrificing functionality." ICANN (1997).
    .. [4] Krauth, W. & Mezard, M. "Learning algorithms with optimal stability in neural networks." Journal of Physics
       A 20, L745-L752 (1987).

    Examples
    --------
    >>> import numpy as np
    >>> from ebm import HopfieldNetwork
    >>> X = np.array([[1, 1, 1, 1, 0, 0, 0, 0], [1, 0, 1, 0, 1, 0, 1, 0]])
    >>> network = HopfieldNetwork(random_state=0).fit(X)
    >>> network.predict([[1, 1, 1, 0, 0, 0, 0, 0], [1, 0, np.nan, 0, 1, 0, np.nan, 0]])
    array([[1., 1., 1., 1., 0., 0., 0., 0.],
           [1., 0., 1., 0., 1., 0., 1., 0.]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "rule": [StrOptions(set(RULES)), RECORD],
        "states": [StrOptions({"auto", "binary", "spin"})],
        "update": [StrOptions(set(UPDATES))],
        "temperature": [Number(Real, 0, None, closed="left")],
        "max_sweeps": [Number(Integral, 1, None, closed="left")],
        "mask": [Number(Real, 0, 1, closed="right"), "array-like", "sparse matrix", None],
        "thresholds": [Number(Real, None, None, closed="neither"), "array-like", None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }
    _resolvers: ClassVar[dict[str, Callable[[object], Any]]] = {"rule": storage_rule}

    def __init__(
        self,
        rule: Any = "hebb",
        *,
        states: str = "auto",
        update: str = "async",
        temperature: float = 0.0,
        max_sweeps: int = 300,
        mask: Any = None,
        thresholds: Any = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.rule = rule
        self.states = states
        self.update = update
        self.temperature = temperature
        self.max_sweeps = max_sweeps
        self.mask = mask
        self.thresholds = thresholds
        self.random_state = random_state
        self.verbose = verbose

    @learns
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> None:
        """Store the rows of `X`, and nothing else.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Patterns, all different, never modified.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            A pattern of weight w is stored w times; zero leaves it out. "storkey" takes whole numbers, and under
            "pseudo_inverse" and "perceptron" storing twice is storing once.

        Returns
        -------
        self : object
            The network.

        Raises
        ------
        ValueError
            If a pattern comes twice, is all zeros, or holds NaN or, unless ``states="auto"``, other values. A network
            fitted before stays what it was. Rows that are read from other values may be equal: they are weighed
            together.

        Warns
        -----
        UserWarning
            If there are other values than two, or more patterns than the rule can hold.
        ConvergenceWarning
            If the rule "perceptron" found no couplings that make all patterns fixed points.
        """
        self._store(X, sample_weight, anew=True)

    @learns
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> None:
        """Store the rows of `X` besides what is stored: one by one is the same as all at once.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            New patterns.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            As for `fit`.

        Returns
        -------
        self : object
            The network. Nothing is lost if an error is raised.
        """
        self._store(X, sample_weight, anew=not hasattr(self, "_memory"))

    @learns
    def forget(self, patterns: Any) -> None:
        """Take stored patterns out again.

        Parameters
        ----------
        patterns : array-like of shape (n_patterns, n_features)
            Some of `patterns_`.

        Returns
        -------
        self : object
            The network, as if they had never been stored; what was unlearned stays so.

        Raises
        ------
        ValueError
            If one of them is not stored; then none is forgotten.
        """
        self._check_fitted()
        rule, memory = self._rule_and_memory()
        with calls_it(X="patterns"):
            spins = self._read(check_two_states(self, patterns, reset=False, complete=True))
        self._keep(rule, rule.forget(memory, spins))

    @learns
    def unlearn(self, n_dreams: int = 100, rate: float = 0.01) -> None:
        """Unlearn what the network dreams of: fixed points reached from random states.

        Parameters
        ----------
        n_dreams : int, default=100
            Count of dreams.
        rate : float, default=0.01
            By how much a dream is weakened, relative to the strength with which Hebb's rule stores a pattern.

        Returns
        -------
        self : object
            The network; the dreams are in `dreams_`. Patterns stored later are stored besides.

        Raises
        ------
        ValueError
            If a count is not a positive integer, or the rate not a positive number.

        References
        ----------
        .. [1] Hopfield, J. J., Feinstein, D. I. & Palmer, R. G. "'Unlearning' has a stabilizing effect in collective
           memories." Nature 304, 158-159 (1983).
        """
        n_dreams = check_integer(n_dreams, "n_dreams")
        rate = check_real(rate, "rate", open_low=True)
        params = self._params()
        rule, memory = self._rule_and_memory()
        self._n_unlearned += 1
        step = rule.strength(memory) * rate
        dreams = dream(
            Pairwise(Spin(), mask=memory.mask),
            params,
            fold(stream(self._own_seed(), "negative"), self._n_unlearned),
            n_dreams=n_dreams,
            rate=step,
            max_sweeps=self.max_sweeps,
        )
        self._keep(rule, unlearn(memory, dreams.states, step))
        self.dreams_ = from_spins(dreams.states, self.states_)

    def _store(self, X: Any, sample_weight: Any, *, anew: bool) -> None:
        rule = storage_rule(self.rule)
        X = check_two_states(self, X, reset=anew)
        weights = check_weights(sample_weight, X)
        if anew:
            self.states_, self._clean = recognise(X, self.states)
            self._dtype = X.dtype
            self._course, self._n_unlearned = Course(draw_seed(self.random_state)), -1
            if hasattr(self, "dreams_"):
                del self.dreams_
        spins = self._read(X, quiet=anew)
        used = slice(None) if weights is None else weights > 0
        memory = self._blank(rule, X.shape[1]) if anew else self._to_go_on()
        if self._clean:
            check_complete(X)
            refuse_empty(X[used], self.states_)
            check_new(spins[used], memory.patterns)
        else:
            spins = by_majority(spins)
            if (
                rule.is_ordered
            ):  # rows of data rather than a list of patterns: only which there are is to matter
                spins, weights = in_fixed_order(spins, weights)
        self._keep(rule, rule.store(memory, spins, weights))
        self._report(rule)

    def _to_go_on(self) -> Memory:
        """The memory that there is; ValueError where the mask of these settings joins other pairs."""
        rule, memory = self._rule_and_memory()
        if self.mask is None and memory.mask is None:
            return memory
        asked = self._blank(rule, memory.n_units).mask
        if asked is None or memory.mask is None or not np.array_equal(asked, memory.mask):
            raise ValueError(
                f"mask is {shown(self.mask)}, but the network to go on from was made with another one (see mask_). Fit "
                "anew to change it."
            )
        return memory

    def _blank(self, rule: StorageRule, n_units: int) -> Memory:
        if isinstance(self.mask, Real):
            return rule.empty(
                n_units, diluted(n_units, float(self.mask), stream(self._own_seed(), "init"))
            )
        return rule.empty(n_units, self.mask)

    def _rule_and_memory(self) -> tuple[StorageRule, Memory]:
        """The memory in the terms of the rule; another one since the last change stores everything anew."""
        rule, memory = storage_rule(self.rule), self._memory
        if type(rule) is not self._rule_type:
            blank = rule.empty(memory.n_units, memory.mask)
            fresh = rule.store(blank, memory.patterns, memory.weights)
            memory = fresh._replace(unlearned=memory.unlearned)
        return rule, memory

    def _keep(self, rule: StorageRule, memory: Memory) -> None:
        """Turn the memory into fitted attributes."""
        params = rule.parameters(memory, self._dtype)
        given = 0.0 if self.thresholds is None else as_numbers(self.thresholds, "thresholds")
        thresholds = np.asarray(given, self._dtype)
        if np.shape(thresholds) not in ((), params.bias.shape) or not np.isfinite(thresholds).all():
            raise ValueError(
                f"thresholds must be one finite number or {len(params.bias)}, one for each unit. "
                f"Got {self.thresholds!r}."
            )
        check_squares(np.atleast_1d(thresholds), "thresholds")
        self._memory, self._rule_type = memory, type(rule)
        self._symmetric = rule.is_symmetric and memory.is_symmetric
        self.couplings_ = params.J
        self.intercept_ = params.bias - thresholds
        self.patterns_ = from_spins(memory.patterns, self.states_).astype(self._dtype)
        self.mask_ = memory.mask
        self.capacity_ = rule.capacity(memory)

    def _report_likeness(self, name: str) -> None:
        """Warn of patterns that are few enough, but too much alike for the rule."""
        if self.thresholds is not None or self.n_features_in_ < FEWEST_UNITS:
            return
        unstable = share_of_unstable_bits(self._params(), self._memory.patterns)
        if unstable > MOST_UNSTABLE:
            warn_user(
                f"The patterns resemble each other more than {name} can bear: {unstable:.0%} of their bits are not "
                "stable. Use rule='pseudo_inverse', which takes out what they have in common.",
                UserWarning,
            )

    def _larger(self, n_patterns: int) -> str:
        """Advice on storing so many patterns."""
        if n_patterns < self.n_features_in_:
            return "Use rule='pseudo_inverse', which holds any N - 1 patterns that are independent."
        if n_patterns < 2 * self.n_features_in_:
            return "Use rule='perceptron', which holds up to 2 N random ones."
        return "Store fewer, or use DenseAssociativeMemory, which holds more."

    def _report(self, rule: StorageRule) -> None:
        """Warn of patterns that are not held, and say what there is if asked to."""
        n_patterns, name = len(self.patterns_), type(rule).__name__
        if self.verbose:
            print(
                f"[{type(self).__name__}] {n_patterns} patterns of {self.n_features_in_} units stored by {name}, "
                f"whose capacity is about {self.capacity_:.4g}"
            )
        over = n_patterns > max(self.capacity_, 1)
        if not (over or rule.is_exact):
            self._report_likeness(name)
            return
        failed = stored_badly(self._params(), self._memory.patterns, strict=rule.is_exact)
        held = f"{failed} of {n_patterns} patterns are not held with rule {name}"
        if failed and over:
            warn_user(
                f"{held}. {n_patterns} patterns are more than the about {self.capacity_:.4g} random ones that "
                f"{self.n_features_in_} units hold with it ({rule.law}). {self._larger(n_patterns)}",
                UserWarning,
            )
        elif failed:
            warn_user(
                f"{held}: it found no couplings under which all are stable. Allow more updates (max_iter), or store "
                "fewer patterns.",
                ConvergenceWarning,
            )
