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
from ebm.sklearn_compat._shared._docstrings import complete_docstring
from ebm.sklearn_compat._shared._settings import RECORD, Number, learns, stores_arguments
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

# Largest accepted share of unstable bits. At the critical load Hebb's rule leaves 0.4 % of the bits of random patterns
# unstable.
MOST_UNSTABLE = 0.02
# In smaller networks a single bit would exceed that share.
FEWEST_UNITS = 20


@complete_docstring
class HopfieldNetwork(HopfieldRecall):
    """Hopfield network: an associative memory of two-state patterns.

    Units s_i in {-1, +1}, with couplings J between all pairs and the energy

        E(s) = -1/2 s'Js - b's.

    In recall each unit takes the sign of its field J s + b. A storage rule chooses J such that the patterns of `fit`
    are fixed points of recall. From a distorted or incomplete pattern (NaN where unknown), `predict` and `transform`
    go to a fixed point nearby.

    Patterns and probes are bits {0, 1} or spins {-1, +1}; the network detects which, and returns the same values.
    Energies, fields and couplings always refer to *spins*: bits x stand for s = 2 x - 1.

    Read more in the :ref:`User Guide <hopfield>`.

    Parameters
    ----------
    rule : {"hebb", "storkey", "pseudo_inverse", "perceptron", "covariance"} or record, default="hebb"
        Storage rule, by name or with settings, such as ``Hebb(normalize=False)``, ``Perceptron(kappa=0.5)`` or
        ``Covariance(activity=0.1)``. The capacities of N units, in random patterns, are: "hebb" about 0.138 N with a
        few wrong bits, "storkey" N / sqrt(2 log N), "pseudo_inverse" N, also for correlated patterns, "perceptron" 2 N.
        "covariance" is for patterns with few active units.

    states : {"auto", "binary", "spin"}, default="auto"
        Values of patterns and of results: "binary" is 0 and 1, "spin" is -1 and +1, "auto" accepts either. Other values
        are an error; under "auto" they only raise a warning. They are then rounded to bits if all lie in [0, 1], else
        replaced by their signs; missing entries of such patterns become the most frequent value of the feature.

    update : {"async", "cyclic", "glauber", "sync"}, default="async"
        Order of updates, one unit at a time: "async" a new random order in each sweep, "cyclic" the order of the
        features, "glauber" drawn with replacement. "sync" updates all units at once and may end in a cycle of two
        states.

    temperature : float, default=0.0
        Temperature of recall. Above zero, recall is heat-bath sampling for `max_sweeps` sweeps.

    max_sweeps : int, default=300
        Maximum number of sweeps (updates per unit). From random states, 2000 units need up to about 80.

    mask : float, {array-like, sparse matrix, graph} of bool of shape (n_features, n_features), or None, default=None
        Dilution: the pairs of units that are connected, or the share of pairs that are connected at random. None
        connects all pairs.

    thresholds : float, array-like of shape (n_features,), or None, default=None
        Thresholds of the fields J s, added to those of the storage rule. None means zero.

    random_state : int, RandomState instance or None, default=None
        Seed of the order of updates, dilution, dreams, temperature and ties of unknown bits. An int makes every result
        reproducible. See :term:`Glossary <random_state>`.

    verbose : int, default=0
        Whether to print how many patterns have been stored.

    Attributes
    ----------
    couplings_ : ndarray of shape (n_features, n_features)
        J, with a zero diagonal; row i has the couplings that act on unit i. J is symmetric, except with the rule
        "perceptron". You may assign other couplings; the next change of the stored patterns overwrites them.

    intercept_ : ndarray of shape (n_features,)
        b, the negative thresholds.

    patterns_ : ndarray of shape (n_patterns, n_features)
        Stored patterns, in the order of storing.

    states_ : {"binary", "spin"}
        Values of the patterns.

    mask_ : ndarray of bool of shape (n_features, n_features) or None
        Pairs of units that are connected.

    capacity_ : float
        Number of random patterns that the rule can store.

    dreams_ : ndarray of shape (n_dreams, n_features)
        The fixed points that the last call of `unlearn` removed.

    See Also
    --------
    BernoulliRBM : A memory with hidden units, trained by maximum likelihood.

    Notes
    -----
    All rules except "perceptron" make symmetric couplings. Then updates of one unit at a time lower the energy until
    recall ends in a fixed point. ``Perceptron(symmetric=True)`` makes symmetric couplings, too.

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

    @stores_arguments
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
    ) -> None: ...

    @learns
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> None:
        """Store the rows of `X`, in place of all patterns stored before.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Patterns, all different. `X` is not modified.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            A pattern of weight w is stored w times; zero leaves it out. "storkey" takes integers only. For
            "pseudo_inverse" and "perceptron" all positive weights are the same.

        Returns
        -------
        self : object
            The network.

        Raises
        ------
        ValueError
            If a pattern occurs twice, is all zeros, or has NaN; or, unless ``states="auto"``, if `X` has values other
            than the two states. The network stays unchanged. Rows that become equal by rounding are no error: their
            weights are added.

        Warns
        -----
        UserWarning
            If `X` has values other than two states, or if patterns beyond the capacity of the rule are no fixed points.
        ConvergenceWarning
            If the rule "perceptron" found no couplings that make all patterns fixed points.
        """
        self._store(X, sample_weight, anew=True)

    @learns
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> None:
        """Store the rows of `X` in addition to the patterns stored before; several calls have the result of one.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            New patterns.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            As in `fit`.

        Returns
        -------
        self : object
            The network. After an error it is unchanged.
        """
        self._store(X, sample_weight, anew=not hasattr(self, "_memory"))

    @learns
    def forget(self, patterns: Any) -> None:
        """Remove stored patterns.

        Parameters
        ----------
        patterns : array-like of shape (n_patterns, n_features)
            Some of `patterns_`.

        Returns
        -------
        self : object
            The network, as if the patterns had never been stored. Unlearned dreams stay unlearned.

        Raises
        ------
        ValueError
            If one of the patterns is not stored. Then none is removed.
        """
        self._check_fitted()
        rule, memory = self._rule_and_memory()
        with calls_it(X="patterns"):
            spins = self._read(check_two_states(self, patterns, reset=False, complete=True))
        self._keep(rule, rule.forget(memory, spins))

    @learns
    def unlearn(self, n_dreams: int = 100, rate: float = 0.01) -> None:
        """Weaken the dreams of the network, which are fixed points that recall reaches from random states.

        Parameters
        ----------
        n_dreams : int, default=100
            Number of dreams.
        rate : float, default=0.01
            Strength with which a dream is weakened, relative to the strength with which Hebb's rule stores a pattern:
            above zero, at most 1e100.

        Returns
        -------
        self : object
            The network; the dreams are in `dreams_`. The effect remains when more patterns are stored.

        Raises
        ------
        ValueError
            If `n_dreams` is not a positive integer, or `rate` is not in its range.

        References
        ----------
        .. [1] Hopfield, J. J., Feinstein, D. I. & Palmer, R. G. "'Unlearning' has a stabilizing effect in collective
           memories." Nature 304, 158-159 (1983).
        """
        n_dreams = check_integer(n_dreams, "n_dreams")
        rate = check_real(rate, "rate", high=1e100, open_low=True)
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
            ):  # rows of data are a set, so the result must not depend on their order
                spins, weights = in_fixed_order(spins, weights)
        self._keep(rule, rule.store(memory, spins, weights))
        self._report(rule)

    def _to_go_on(self) -> Memory:
        """The present memory; ValueError if the setting `mask` has changed."""
        rule, memory = self._rule_and_memory()
        if self.mask is None and memory.mask is None:
            return memory
        asked = self._blank(rule, memory.n_units).mask
        if asked is None or memory.mask is None or not np.array_equal(asked, memory.mask):
            raise ValueError(
                f"mask={shown(self.mask)} differs from the mask of the fitted network (see mask_). Call fit to change "
                "the mask."
            )
        return memory

    def _blank(self, rule: StorageRule, n_units: int) -> Memory:
        if isinstance(self.mask, Real):
            return rule.empty(
                n_units, diluted(n_units, float(self.mask), stream(self._own_seed(), "init"))
            )
        return rule.empty(n_units, self.mask)

    def _rule_and_memory(self) -> tuple[StorageRule, Memory]:
        """The storage rule and its memory; if the rule has changed, it stores all patterns anew."""
        rule, memory = storage_rule(self.rule), self._memory
        if type(rule) is not self._rule_type:
            blank = rule.empty(memory.n_units, memory.mask)
            fresh = rule.store(blank, memory.patterns, memory.weights)
            memory = fresh._replace(unlearned=memory.unlearned)
        return rule, memory

    def _keep(self, rule: StorageRule, memory: Memory) -> None:
        """Set the fitted attributes from the memory."""
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
        """Warn if patterns within the capacity are too similar for the rule."""
        if self.thresholds is not None or self.n_features_in_ < FEWEST_UNITS:
            return
        unstable = share_of_unstable_bits(self._params(), self._memory.patterns)
        if unstable > MOST_UNSTABLE:
            warn_user(
                f"Rule {name} cannot store these similar patterns: {unstable:.0%} of their bits are not stable. "
                "Use rule='pseudo_inverse', which removes the correlations between patterns.",
                UserWarning,
            )

    def _advice(self, n_patterns: int) -> str:
        """Advice for more patterns than the capacity of the rule."""
        if n_patterns < self.n_features_in_:
            return (
                "Use rule='pseudo_inverse', which stores any N - 1 linearly independent patterns."
            )
        if n_patterns < 2 * self.n_features_in_:
            return "Use rule='perceptron', which stores up to 2 N random patterns."
        return "Store fewer patterns, or use DenseAssociativeMemory, which has a larger capacity."

    def _report(self, rule: StorageRule) -> None:
        """Print the number of patterns if `verbose`, and warn if patterns are no fixed points."""
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
                f"{held}. {n_patterns} patterns are more than the capacity of {self.n_features_in_} units with this "
                f"rule: about {self.capacity_:.4g} random patterns ({rule.law}). {self._advice(n_patterns)}",
                UserWarning,
            )
        elif failed:
            warn_user(
                f"{held}: it found no couplings that make all patterns stable. Increase max_iter of the rule, or store "
                "fewer patterns.",
                ConvergenceWarning,
            )
