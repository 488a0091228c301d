"""What can be asked of a fitted restricted Boltzmann machine: samples, features, energies, likelihoods."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_array, check_is_fitted

from ebm._batches import blocks, dense
from ebm._checks import Array, as_rows, check_integer, check_real
from ebm._random import Key, fold, stream
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.path import data_base
from ebm.likelihood import (
    AIS,
    Evaluation,
    LogPartition,
    diagnose_draws,
    log_likelihood,
    log_partition,
    pseudo_log_likelihood,
)
from ebm.samplers import Target, block_gibbs, conditional_mean, sampler_record
from ebm.sklearn_compat._validation import FLOATS, check_rows, draw_seed

# Draws of `sample` and `gibbs` count up from 0; imputation, which does not advance, uses a number beyond them.
IMPUTATION, ANNEALING = 1 << 40, 1 << 41


class BipartiteDistribution(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """The distribution p(v, h) of the fitted attributes (abstract)."""

    components_: Any
    random_state: Any

    def _model(self) -> Bipartite:
        raise NotImplementedError

    def _params(self) -> BipartiteParameters:
        """The parameters that the fitted attributes hold, whoever set them."""
        check_is_fitted(self, "components_")
        W = np.asarray(self.components_).T
        dtype = W.dtype if W.dtype in (np.float32, np.float64) else np.float64
        model = self._model()
        layers = []
        for name, unit, n in (
            ("visible", model.visible, len(W)),
            ("hidden", model.hidden, len(W.T)),
        ):
            own = unit.neutral(n, np.dtype(dtype))
            intercept = np.asarray(getattr(self, f"intercept_{name}_"))
            if intercept.shape != (n,):
                raise ValueError(
                    f"intercept_{name}_ must have the shape ({n},), as components_ says. Got {intercept.shape}."
                )
            values = [getattr(self, f"intercept_{name}_")]
            values += [getattr(self, f"{field}_{name}_", None) for field in unit.fields[1:]]
            layers.append(
                type(own)(
                    *(
                        x if given is None else np.ascontiguousarray(given, dtype)
                        for x, given in zip(own, values, strict=True)
                    )
                )
            )
        return BipartiteParameters(np.ascontiguousarray(W, dtype), *layers)

    def _by_blocks(self, X: Any, function: Callable[[BipartiteParameters, Array], Array]) -> Array:
        """`function` of the parameters and dense rows, applied to `X` block by block."""
        params = self._params()
        X = check_rows(self, X, reset=False)
        parts = [
            function(params, np.ascontiguousarray(block, params.W.dtype)) for _, block in blocks(X)
        ]
        return np.concatenate(parts)

    def _next_key(self, random_state: Any) -> Key:
        """Key of the next draw: of the model's own stream, or the first of the one that `random_state` opens."""
        if random_state is not None:
            return fold(stream(draw_seed(random_state), "evaluation"), 0)
        if not hasattr(self, "_seed"):
            self._seed = draw_seed(self.random_state)
        self._n_draws = getattr(self, "_n_draws", -1) + 1
        return fold(stream(self._seed, "evaluation"), self._n_draws)

    # Features

    def transform(self, X: Any) -> Array:
        """Means of the hidden units given `X`: for binary units, the probabilities P(h = 1 | v = X).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Visible states.

        Returns
        -------
        H : ndarray of shape (n_samples, n_components)
            Features, of the dtype of the model.
        """
        return self._by_blocks(X, self._model().hidden_mean)

    def inverse_transform(self, X: Any) -> Array:
        """Means of the visible units given hidden ones, E[v | h = X].

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Hidden states or means.

        Returns
        -------
        V : ndarray of shape (n_samples, n_features)
            Visible means.
        """
        params = self._params()
        h = as_rows(dense(X), params.W.shape[1], "X").astype(params.W.dtype)
        return self._model().visible_mean(params, check_array(h, input_name="X", dtype=FLOATS))

    def reconstruct(self, X: Any) -> Array:
        """Visible means given the hidden means given `X`: one deterministic pass up and down.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Visible states.

        Returns
        -------
        V : ndarray of shape (n_samples, n_features)
            Reconstructions.
        """
        return self.inverse_transform(self.transform(X))

    # Samples

    def gibbs(self, v: Any) -> Array:
        """One step of block Gibbs sampling: h given `v`, then new visible states given h.

        Parameters
        ----------
        v : {array-like, sparse matrix} of shape (n_samples, n_features)
            Visible states to start from.

        Returns
        -------
        v_new : ndarray of shape (n_samples, n_features)
            Visible states after the step; repeated calls draw anew.
        """
        params = self._params()
        rows = self._dense(v, params)
        return block_gibbs(self._model(), params, rows, self._next_key(None), 1).v

    def sample(
        self,
        n_samples: int = 1,
        *,
        n_steps: int = 1000,
        given: Any = None,
        beta: float = 1.0,
        sampler: Any = "gibbs",
        return_diagnostics: bool = False,
        random_state: Any = None,
    ) -> Any:
        """Draw visible states from the model with independent Markov chains, one per sample.

        Parameters
        ----------
        n_samples : int, default=1
            Count of samples, and of chains.
        n_steps : int, default=1000
            Steps per chain. The samples follow the model's law as far as that many steps forget their start, in
            which units are independent.
        given : array-like of shape (n_features,) or (n_samples, n_features), default=None
            Condition: known values, which stay as they are bit for bit, and NaN where the model is to draw.
        beta : float, default=1.0
            Inverse temperature of the law exp(-beta E) / Z(beta).
        sampler : {"gibbs", "tempering"} or record, default="gibbs"
            Block Gibbs sampling, or parallel tempering, ``Tempering(n_temperatures=20)`` for example, for laws whose
            modes are far apart.
        return_diagnostics : bool, default=False
            Whether to return what the free energies along the chains say of their convergence as well.
        random_state : int, RandomState instance or None, default=None
            None goes on in the model's own stream of draws, so that repeated calls differ.

        Returns
        -------
        V : ndarray of shape (n_samples, n_features)
            Samples, of the dtype of the model.
        diagnostics : Diagnostics
            Only with `return_diagnostics`: R-hat, effective sample sizes and autocorrelation time of the second half of
            the chains, swap rates and temperatures of replicas.

        Raises
        ------
        ValueError
            If a count is not a positive integer, `beta` not a positive number, or `given` of the wrong shape.
        """
        check_integer(n_samples, "n_samples")
        check_integer(n_steps, "n_steps")
        check_real(beta, "beta", open_low=True)
        walker = sampler_record(sampler)
        params = self._params()
        clamped = self._given(given, n_samples, params)
        key = self._next_key(random_state)
        v = self._start(params, n_samples, fold(key, 0))
        target = Target(self._model(), params, beta, clamped, self._base(params))
        draws = walker.draw(target, v, fold(key, 1), n_steps)
        return (draws.v, diagnose_draws(draws)) if return_diagnostics else draws.v

    def impute(self, X: Any, *, n_steps: int = 200) -> Array:
        """Fill in the unknown entries of `X` by their expectations given the known ones.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with NaN where unknown.
        n_steps : int, default=200
            Gibbs steps with the known entries clamped; the second half is averaged.

        Returns
        -------
        X_complete : ndarray of shape (n_samples, n_features)
            `X` with NaN replaced; known entries are the same bit for bit. The same call gives the same result.
        """
        check_integer(n_steps, "n_steps")
        params = self._params()
        X = check_rows(self, X, reset=False, allow_nan=True)
        clamped = np.concatenate([block for _, block in blocks(X)]).astype(params.W.dtype)
        if not hasattr(self, "_seed"):
            self._seed = draw_seed(self.random_state)
        key = fold(stream(self._seed, "evaluation"), IMPUTATION)
        v = self._start(params, len(clamped), fold(key, 0))
        return conditional_mean(self._model(), params, v, fold(key, 1), n_steps, clamped)

    def _dense(self, X: Any, params: BipartiteParameters) -> Array:
        X = check_rows(self, X, reset=False)
        return np.concatenate([block for _, block in blocks(X)]).astype(params.W.dtype, order="C")

    def _start(self, params: BipartiteParameters, n_rows: int, key: Key) -> Array:
        """Independent visible units, driven by the mean activity of the hidden ones."""
        lam = getattr(self, "offset_hidden_", None)
        model = self._model()
        if lam is None or lam.shape != params.W.shape[1:]:
            zero = np.zeros((1, params.W.shape[1]), params.W.dtype)
            lam = model.hidden.mean(params.hidden, zero)[0]
        inputs = np.tile(
            model.visible_input(params, lam[np.newaxis].astype(params.W.dtype)), (n_rows, 1)
        )
        return model.visible.sample(params.visible, inputs, key)

    def _given(self, given: Any, n_rows: int, params: BipartiteParameters) -> Array | None:
        if given is None:
            return None
        n_features = params.W.shape[0]
        rows = as_rows(given, n_features, "given").astype(params.W.dtype)
        if len(rows) not in (1, n_rows):
            raise ValueError(
                f"given must have the shape ({n_features},) or ({n_rows}, {n_features}). Got {rows.shape}."
            )
        reason = self._model().visible.invalid(rows)
        if reason:
            raise ValueError(f"given holds {reason}; NaN marks the unknown features.")
        return np.broadcast_to(rows, (n_rows, n_features))

    # Energies and likelihoods

    def energy(self, X: Any, H: Any) -> Array:
        """Energy E(v, h) of pairs of visible and hidden states.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Visible states.
        H : array-like of shape (n_samples, n_components)
            Hidden states.

        Returns
        -------
        energy : ndarray of shape (n_samples,)
            Energies in nats.
        """
        params = self._params()
        v = self._dense(X, params)
        h = as_rows(H, params.W.shape[1], "H").astype(params.W.dtype)
        if len(v) != len(h):
            raise ValueError(f"X and H must have as many rows. Got {len(v)} and {len(h)}.")
        return self._model().energy(params, v, h)

    def free_energy(self, X: Any) -> Array:
        """Free energy F(v) = -log sum_h exp(-E(v, h)).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Visible states.

        Returns
        -------
        free_energy : ndarray of shape (n_samples,)
            Free energies in nats; -F(v) is log p(v) up to the constant log Z.
        """
        return self._by_blocks(X, self._model().free_energy)

    def score_samples(self, X: Any) -> Array:
        """Pseudo-log-likelihood of each row: the sum of log p(v_i | the other visible units) over the features.

        Deterministic: no feature is picked at random, all are summed.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Visible states.

        Returns
        -------
        pseudo_log_likelihood : ndarray of shape (n_samples,)
            In nats.
        """
        model = self._model()
        return self._by_blocks(X, lambda params, v: pseudo_log_likelihood(model, params, v))

    def score(self, X: Any, y: Any = None) -> float:
        """Mean pseudo-log-likelihood of the rows of `X` (see :meth:`score_samples`).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Visible states.
        y : None
            Ignored.

        Returns
        -------
        score : float
            In nats per row; larger is better.
        """
        return float(self.score_samples(X).mean())

    def log_partition(
        self, method: Any = "auto", *, beta: float = 1.0, n_jobs: int | None = None
    ) -> LogPartition:
        """Logarithm of the partition function Z(beta).

        Parameters
        ----------
        method : {"auto", "exact", "ais"} or AIS, default="auto"
            "exact" enumerates the states of the smaller layer of binary units, at most 25; for two Gaussian layers Z is
            known in closed form. "ais" is annealed importance sampling from the marginals of the training data, with
            as many temperatures as it takes for the forward and the reverse estimate to agree; a record,
            ``AIS(n_temperatures=10000, n_runs=200)``, gives it settings. "auto" is exact up to 20 units.
        beta : float, default=1.0
            Inverse temperature.
        n_jobs : int, default=None
            Threads, in joblib's sense. The result does not depend on it, nor on earlier calls.

        Returns
        -------
        log_partition : LogPartition
            `value` in nats, its `standard_error` and 95 % `interval`, the `method`, and of an estimate also the
            `effective_sample_size` of its weights and the `reverse` estimate.

        Raises
        ------
        ValueError
            If `method` is unknown, or "exact" and no layer is small enough to be enumerated.

        Warns
        -----
        ConvergenceWarning
            If the forward and the reverse estimate differ by more than the tolerance.
        """
        check_real(beta, "beta", open_low=True)
        params = self._params()
        z = log_partition(
            self._model(), params, method, beta=beta, evaluation=self._evaluation(params, n_jobs)
        )
        return _agreed(z, method)

    def log_likelihood(
        self,
        X: Any,
        method: Any = "auto",
        *,
        return_std: bool = False,
        n_jobs: int | None = None,
    ) -> Any:
        """Log-likelihood log p(v) = -F(v) - log Z of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Visible states.
        method : {"auto", "exact", "ais", "raise", "pseudo"} or AIS or RAISE, default="auto"
            The first three: with log Z of :meth:`log_partition`. "raise": by annealing back from each row, a
            conservative estimate that needs no log Z. "pseudo": the pseudo-log-likelihood of :meth:`score_samples`.
        return_std : bool, default=False
            Whether to return standard errors as well.
        n_jobs : int, default=None
            Threads, in joblib's sense; the result does not depend on it.

        Returns
        -------
        log_likelihood : ndarray of shape (n_samples,)
            In nats; densities for real-valued units.
        standard_error : ndarray of shape (n_samples,)
            Only with `return_std`. That of log Z is shared by all rows, so that their mean has it as well; those of
            "raise" are independent.
        """
        params = self._params()
        rows = self._dense(X, params)
        values, errors, z = log_likelihood(
            self._model(), params, rows, method, self._evaluation(params, n_jobs)
        )
        if z is not None:
            _agreed(z, method)
        return (values, errors) if return_std else values

    def _base(self, params: BipartiteParameters) -> Any:
        """The marginals of the training data, to anneal from, or None when they are unknown."""
        marginals = getattr(self, "_marginals", ())
        known = marginals and len(marginals[0]) == len(params.W)
        return data_base(self._model(), params, *marginals) if known else None

    def _evaluation(self, params: BipartiteParameters, n_jobs: int | None) -> Evaluation:
        if not hasattr(self, "_seed"):
            self._seed = draw_seed(self.random_state)
        key = fold(stream(self._seed, "evaluation"), ANNEALING)
        h = getattr(self, "h_samples_", None)
        samples = None
        if h is not None and h.size and h.shape[1] == params.W.shape[1]:
            h = np.ascontiguousarray(h, params.W.dtype)
            samples = self._model().sample_visible(params, h, fold(key, 3))
        return Evaluation(self._base(params), samples, key, n_jobs)


def _agreed(z: LogPartition, method: Any) -> LogPartition:
    """Warn of an estimate whose two sides do not agree."""
    tolerance = method.tolerance if isinstance(method, AIS) else AIS().tolerance
    if abs(z.gap) > tolerance:
        warnings.warn(
            f"The reverse estimate of log Z, {z.reverse:.2f}, differs from the forward one, {z.value:.2f}, by "
            f"{z.gap:.2f} nats, more than the tolerance {tolerance:g}. Give AIS more n_temperatures.",
            ConvergenceWarning,
            stacklevel=3,
        )
    return z
