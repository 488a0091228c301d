"""Methods of a fitted Boltzmann machine: energies, features, samples, minima, moments."""

from typing import Any

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from ebm._arrays import as_numbers
from ebm._checked import once
from ebm._checks import LARGEST_SCHEDULE, Array, check_beta, check_integer, resolve
from ebm._random import Key, fold
from ebm._sparse import as_dtype, dense
from ebm.energies import qubo
from ebm.energies.couplings import count_units
from ebm.energies.pairwise import (
    Pairwise,
    PairwiseParameters,
    check_biases,
    check_couplings,
    check_mask,
)
from ebm.inference.hidden_means import conditional_means, hidden_means
from ebm.inference.minima import Minima, find_minima
from ebm.likelihood.mean_field_gap import MOST_ROWS, mean_field_message
from ebm.likelihood.pairwise_moments import Comparison, compare_moments
from ebm.samplers.gibbs import gibbs, independent_states
from ebm.samplers.simulated_annealing import Annealed, simulated_annealing, temperature_range
from ebm.sklearn_compat._shared import _density as density
from ebm.sklearn_compat._shared import _likelihoods as likelihoods
from ebm.sklearn_compat._shared._estimator import Estimator
from ebm.sklearn_compat._shared._settings import all_or_nothing
from ebm.sklearn_compat._shared._validation import (
    check_weights,
    warn_user,
)
from ebm.units import Bernoulli, Spin, TwoState

TWO_STATE: dict[str, type[TwoState]] = {"bernoulli": Bernoulli, "spin": Spin}


class PairwiseDistribution(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Estimator):
    """The distribution p(s) of the fitted attributes (abstract)."""

    couplings_: Any
    intercept_: Any
    n_hidden: int
    n_features_in_: int
    unit: Any
    mask: Any

    sample = density.sample
    impute = density.impute
    free_energy = likelihoods.free_energy
    score_samples = likelihoods.score_samples
    score = likelihoods.score
    log_partition = likelihoods.log_partition
    log_likelihood = likelihoods.log_likelihood

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.sparse = True
        return tags

    def _model(self) -> Pairwise:
        unit = resolve(self.unit, TWO_STATE, TwoState, "unit")  # type: ignore[type-abstract]
        n_hidden = self._n_hidden
        return Pairwise(unit, n_hidden, once(check_mask, self.mask, self._n_visible + n_hidden))

    @property
    def _n_hidden(self) -> int:
        """The setting as a Python integer, which cannot overflow."""
        return check_integer(self.n_hidden, "n_hidden", 0)

    @property
    def _n_visible(self) -> int:
        """Number of features: that of the training data, or derived from couplings that users have assigned."""
        if hasattr(self, "n_features_in_"):
            return check_integer(self.n_features_in_, "n_features_in_")
        check_is_fitted(self, ["couplings_", "intercept_"])
        return count_units(self.couplings_) - self._n_hidden

    def _params(self) -> PairwiseParameters:
        """The fitted attributes as parameters, checked: users may have replaced them."""
        check_is_fitted(self, ["couplings_", "intercept_"])
        n_hidden = count_units(self.couplings_) - self._n_visible
        if n_hidden >= 0 and n_hidden != self._n_hidden:
            raise ValueError(
                f"n_hidden is {self._n_hidden}, but the fitted machine has {n_hidden} hidden units. Fit anew "
                "(warm_start=False) to change it."
            )
        n_units = self._n_visible + self._n_hidden
        J = once(check_couplings, self.couplings_, "couplings_", n_units)
        return PairwiseParameters(J, check_biases(self.intercept_, "intercept_", J))

    def _density(self) -> density.Density[Pairwise]:
        model, params = self._model(), self._params()

        def first_states(n_rows: int, key: Key) -> Array:
            return independent_states(model, params, law.base(), n_rows, key)

        def states_at(v: Array, key: Key, beta: float) -> Array:
            """One sweep over the hidden units: an exact draw if no two of them are connected."""
            x, known = first_states(len(v), fold(key, 0)), law.all_units(v)
            return gibbs(model, params, x, fold(key, 1), 1, beta=beta, given=known)

        law = density.Density(
            model,
            params,
            params.J.dtype,
            first_states,
            states_at,
            n_beside=self._n_hidden,
            marginals=self._course.marginals,
        )
        return law

    # Energies and features

    def energy(self, X: Any, H: Any = None) -> Array:
        """Energy E(s) of states.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Visible states.
        H : array-like of shape (n_samples, n_hidden), default=None
            Hidden states; required if the machine has hidden units. :meth:`free_energy` sums over hidden states.

        Returns
        -------
        energy : ndarray of shape (n_samples,)
            Energies in nats.

        Raises
        ------
        ValueError
            If `H` is missing, is given without hidden units, or has another number of rows than `X`.
        """
        law = self._density()
        v = law.dense(self, X)
        if (H is None) != (self._n_hidden == 0):
            raise ValueError(
                f"H must hold the states of the {self._n_hidden} hidden units. Use free_energy(X) to sum over them."
                if self._n_hidden
                else "H must be None, because there are no hidden units."
            )
        if H is None:
            return law.model.energy(law.params, v)
        h = law.hidden_states(H, self._n_hidden, law.model.unit, len(v))
        return law.model.energy(law.params, np.hstack([v, h]))

    def transform(self, X: Any, beta: float = 1.0) -> Array:
        """Means of the hidden units given `X`; without hidden units, mean of each unit given all others.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Visible states.
        beta : float, default=1.0
            Inverse temperature.

        Returns
        -------
        H : ndarray of shape (n_samples, n_hidden) or (n_samples, n_features)
            Features, in the dtype of the model. They are exact if no two hidden units are connected, or if at most ten
            hidden units are. Otherwise they are the naive mean field: the means of the distribution of independent
            units that is nearest to the distribution of the hidden units given the row.

        Warns
        -----
        ConvergenceWarning
            If short chains of the first eight rows show that the mean field is inaccurate. Its error is then more than
            a tenth of the gap between the two states, or it misses some of several modes.
        """
        beta = check_beta(beta)
        law = self._density()
        means = hidden_means if self._n_hidden else conditional_means
        X = law.seen(self, X)
        some = as_dtype(dense(X[:MOST_ROWS]), law.dtype)
        message = mean_field_message(law.model, law.params, some, beta)
        if message:
            warn_user(f"{type(self).__name__}: {message}.", ConvergenceWarning)
        return law.by_blocks(X, lambda params, v: means(law.model, params, v, beta))

    # Other forms of the same energy

    @classmethod
    def from_qubo(cls, Q: Any) -> Any:
        """A machine of bits with the energy x'Qx, for quadratic unconstrained binary optimization (QUBO).

        Parameters
        ----------
        Q : {array-like, sparse matrix} of shape (n_units, n_units) or mapping
            A triangular or a full square matrix; only the sums Q_ij + Q_ji matter. The diagonal has the linear
            coefficients, because x * x = x. A mapping ``{(i, j): value}`` has the entries that are not zero.

        Returns
        -------
        machine : BoltzmannMachine
            Machine with ``unit="bernoulli"``; :meth:`anneal` searches for the minimum. Add a constant term of the
            energy yourself: it does not change the distribution.

        Raises
        ------
        ValueError
            If `Q` is not square, or has entries that are not finite numbers.

        Examples
        --------
        Exactly one of three bits is on: (x_1 + x_2 + x_3 - 1)^2 without its constant.

        >>> from ebm import BoltzmannMachine
        >>> machine = BoltzmannMachine.from_qubo([[-1, 2, 2], [0, -1, 2], [0, 0, -1]])
        >>> machine.energy([[0, 1, 0], [1, 1, 0], [0, 0, 0]]).tolist()
        [-1.0, 0.0, 0.0]
        """
        J, bias = qubo.from_qubo(Q)
        return cls.from_couplings(J, bias, unit="bernoulli")

    def to_qubo(self) -> qubo.Qubo:
        """The energy as a quadratic function x'Qx + offset of bits x, with x = (s + 1) / 2 for spins s.

        Returns
        -------
        qubo : Qubo
            `Q`, an upper triangular matrix over all units, with the linear coefficients on its diagonal and hidden
            units last; and `offset`, which is zero for machines of bits.

        Examples
        --------
        >>> from ebm import BoltzmannMachine
        >>> pair = BoltzmannMachine.from_couplings([[0.0, 1.0], [1.0, 0.0]])
        >>> Q, offset = pair.to_qubo()
        >>> Q.tolist(), offset
        ([[2.0, -4.0], [0.0, 2.0]], -1.0)
        """
        return qubo.to_qubo(self._model().unit, self._params())

    # Samples

    @all_or_nothing
    def anneal(
        self,
        n_samples: int = 10,
        *,
        n_steps: int = 1000,
        betas: Any = None,
        given: Any = None,
        start: Any = None,
        random_state: Any = None,
    ) -> Annealed:
        """States of low energy, by simulated annealing of independent chains.

        Parameters
        ----------
        n_samples : int, default=10
            Number of chains.
        n_steps : int, default=1000
            Sweeps over all units, each at its own inverse temperature; at most 100 million.
        betas : tuple (first, last) or array-like of shape (n_steps,), default=None
            Inverse temperatures: the first and the last of a geometric sequence, or all of them. None computes the two
            from the couplings. At the first, the most costly flip is half as frequent as a flip without cost; at the
            last, the units are frozen. The result then does not depend on the scale of the energy.
        given : array-like of shape (n_features,) or (n_samples, n_features), default=None
            Known values, which stay fixed, and NaN for unknown values.
        start : array-like of shape (n_features,) or (n_samples, n_features), default=None
            Initial visible states; independent units if None. High initial temperatures forget them, so begin with a
            large inverse temperature: ``betas=(2.0, 10.0)``.
        random_state : int, RandomState instance or None, default=None
            Seed. None continues the random stream of the model, so that repeated calls differ.

        Returns
        -------
        annealed : Annealed
            `s`, states of all units (n_samples, n_features + n_hidden), and their `energies` (n_samples,), the lowest
            first unless rows of `given` differ. No single flip lowers any of these energies.

        Raises
        ------
        ValueError
            If `n_samples` or `n_steps` is not a positive integer, or `betas` are not positive; if `given` or `start`
            has the wrong shape, or values that the visible units cannot have.
        """
        n_samples = check_integer(n_samples, "n_samples")
        n_steps = check_integer(n_steps, "n_steps", 1, LARGEST_SCHEDULE)
        law = self._density()
        betas = temperature_range(law.model, law.params) if betas is None else betas
        schedule = as_numbers(betas, "betas").astype(np.float64)
        possible = (schedule > 0) & (schedule < np.inf)
        if schedule.ndim != 1 or not schedule.size or not possible.all():
            raise ValueError(f"betas must be positive inverse temperatures. Got {betas!r}.")
        if schedule.size == 2:
            schedule = np.geomspace(schedule[0], schedule[1], n_steps)
        key = self._next_key(random_state)
        clamped = law.clamped(given, n_samples)
        x = law.begun(start, n_samples, fold(key, 0), float(schedule[0]))
        return simulated_annealing(law.model, law.params, x, fold(key, 1), schedule, clamped)

    @all_or_nothing
    def minima(self, n_starts: int | None = None, *, random_state: Any = None) -> Minima:
        """Local minima of the energy, with the sizes of their basins and the barriers between them.

        Parameters
        ----------
        n_starts : int, default=None
            Number of random initial states of steepest descent. None takes all states if there are at most 16 units,
            else 1000 random states.
        random_state : int, RandomState instance or None, default=None
            Seed. None continues the random stream of the model.

        Returns
        -------
        minima : Minima
            A tuple, the lowest minimum first: `states` (n_minima, n_units), `energies`, `counts` of descents that ended
            there, `basins` (their shares) with `basin_errors`, and `is_complete`. ``barriers[a, b]`` is the energy to
            climb from minimum a to minimum b by single flips. If descent did not start from all states, `barriers` is
            None and there may be further minima.

        Raises
        ------
        ValueError
            If `n_starts` is not a positive integer.

        Examples
        --------
        >>> from ebm import BoltzmannMachine, lattice
        >>> found = BoltzmannMachine.from_couplings(lattice(4)).minima()
        >>> found.counts, found.barriers[0, :2]
        (array([6, 6, 1, 1, 1, 1]), array([0., 4.]))
        """
        return find_minima(self._model(), self._params(), self._next_key(random_state), n_starts)

    @all_or_nothing
    def moments(
        self,
        X: Any = None,
        *,
        beta: float = 1.0,
        n_samples: int = 1000,
        n_steps: int = 1000,
        sample_weight: Any = None,
        random_state: Any = None,
    ) -> Comparison:
        """Means and covariances of the visible units, of the model and of data.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            Data to compare with.
        beta : float, default=1.0
            Inverse temperature of the model.
        n_samples : int, default=1000
            Number of chains, if the model is too large for exact sums. Exact sums take at most 20 units, or sparse
            couplings such as a chain or a 10 x 10 lattice.
        n_steps : int, default=1000
            Sweeps of each chain.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows of `X`.
        random_state : int, RandomState instance or None, default=None
            Seed. None continues the random stream of the model.

        Returns
        -------
        comparison : Comparison
            `mean` and `covariance` of the model with their `standard_error` (zero if exact), and `data_mean` and
            `data_covariance`, which are None without `X`.
        """
        n_samples = check_integer(n_samples, "n_samples")
        law = self._density()
        rows = None if X is None else law.dense(self, X)
        key = self._next_key(random_state)
        start = law.first_states(n_samples, fold(key, 0))
        weights = None if rows is None else check_weights(sample_weight, rows)
        return compare_moments(
            law.model, law.params, start, fold(key, 1), n_steps, beta=beta, v=rows, weights=weights
        )
