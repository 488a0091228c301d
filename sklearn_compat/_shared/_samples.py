"""What can be drawn from a fitted machine: samples, and the completion of rows."""

from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ebm._batches import blocks
from ebm._checks import Array, as_rows, check_integer, check_real
from ebm._random import Key, fold
from ebm._sparse import as_dtype
from ebm.likelihood import diagnose
from ebm.samplers import Target, sampler_record
from ebm.samplers.expectation import N_DOUBLINGS, expectation
from ebm.sklearn_compat._shared._fitted import Fitted
from ebm.sklearn_compat._shared._settings import all_or_nothing
from ebm.sklearn_compat._shared._validation import check_rows, warn_user

# Draws of `sample` and `gibbs` count up from 0; imputation, which does not advance, uses a number beyond them.
IMPUTATION = 1 << 40


class Samples(Fitted):
    """Samples of the distribution of the fitted attributes (abstract)."""

    def _start(self, params: Any, n_rows: int, key: Key) -> Array:
        """States for chains to start from: of the units that the walk renews."""
        raise NotImplementedError

    def _start_at(self, v: Array, params: Any, key: Key, beta: float) -> Array:
        """States with the visible part `v` for chains to start from."""
        return v

    def _all_units(self, v: Array, params: Any) -> Array:
        """Visible rows as rows of the units that the walk renews, NaN where there is nothing to say."""
        return v

    def _visible(self, x: Array, params: Any) -> Array:
        """The visible part of them."""
        return x

    @all_or_nothing
    def sample(
        self,
        n_samples: int = 1,
        *,
        n_steps: int = 1000,
        given: Any = None,
        start: Any = None,
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
            Steps per chain. The samples follow the model's law as far as that many steps forget their start.
        given : array-like of shape (n_features,) or (n_samples, n_features), default=None
            Condition: known values, which stay as they are bit for bit, and NaN where the model is to draw.
        start : array-like of shape (n_features,) or (n_samples, n_features), default=None
            Visible states from which the chains go on, samples of an earlier call for example; hidden units follow from
            them. If None, chains start from independent units.
        beta : float, default=1.0
            Inverse temperature of the law exp(-beta E) / Z(beta).
        sampler : {"gibbs", "tempering"} or record, default="gibbs"
            Gibbs sampling, or parallel tempering, ``Tempering(n_temperatures=20)`` for example, for laws whose
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
            If a count is not a positive integer, `beta` not a positive number, or `given` or `start` of the wrong shape
            or with values that the visible units cannot have.
        """
        n_samples = check_integer(n_samples, "n_samples")
        n_steps = check_integer(n_steps, "n_steps")
        beta = check_real(beta, "beta", open_low=True)
        walker = sampler_record(sampler)
        params = self._params()
        clamped = self._given(given, n_samples, params)
        key = self._next_key(random_state)
        if start is None:
            x = self._start(params, n_samples, fold(key, 0))
        else:
            v = self._states(start, n_samples, params, "start")
            x = self._start_at(v, params, fold(key, 0), beta)
        target = Target(self._model(), params, beta, clamped, self._base(params))
        draws = walker.draw(target, x, fold(key, 1), n_steps)
        v = self._visible(draws.v, params)
        if not return_diagnostics:
            return v
        found = diagnose(draws.trace)
        return v, found._replace(swap_rates=draws.swap_rates, temperatures=draws.temperatures)

    @all_or_nothing
    def impute(self, X: Any, *, n_steps: int = 200, return_std: bool = False) -> Any:
        """Fill in the unknown entries of `X` by their expectations given the known ones.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with NaN where unknown.
        n_steps : int, default=200
            Gibbs steps of each of eight chains with the known entries clamped, of which the second half is averaged.
            It is doubled, twice at most, for rows whose chains do not agree. Rows that are exact need no chains.
        return_std : bool, default=False
            Whether to return standard errors as well.

        Returns
        -------
        X_complete : ndarray of shape (n_samples, n_features)
            `X` with NaN replaced; known entries are the same bit for bit. The same call gives the same result.
        standard_error : ndarray of shape (n_samples, n_features)
            Only with `return_std`: of the chains' average, zero where it is exact or known.

        Raises
        ------
        ValueError
            If `n_steps` is not a positive integer, or `X` holds infinite values.

        Warns
        -----
        ConvergenceWarning
            If the chains of some rows, which start far from each other, do not agree in the end.

        Notes
        -----
        Exact where at most 20 units of two states have to be summed for a row: of two layers, the hidden units or the
        unknown visible ones; of a Boltzmann machine, the unknown and hidden ones together, or more of them if their
        couplings are sparse; of a deep belief network, the hidden layers below the topmost one. Two Gaussian layers
        have a closed form. Rows with the same gaps are summed together. Where all of this would take more than half a
        minute, the most expensive gaps are sampled instead.
        """
        n_steps = check_integer(n_steps, "n_steps")
        params = self._params()
        X = check_rows(self, X, reset=False, allow_nan=True, unit=self._model().visible)
        rows = as_dtype(np.concatenate([block for _, block in blocks(X)]), self._dtype(params))
        clamped = self._all_units(rows, params)
        key = self._standing_key(IMPUTATION)
        x = self._start(params, len(clamped), fold(key, 0))
        found = expectation(self._model(), params, clamped, x, fold(key, 1), n_steps)
        self._warn_of_chains(found.agreed, n_steps)
        return (found.mean, found.standard_error) if return_std else found.mean

    def _warn_of_chains(self, agreed: Array, n_steps: int) -> None:
        """One warning for all rows whose chains do not agree."""
        n_apart = int(np.count_nonzero(~agreed))
        if n_apart:
            longest = n_steps << N_DOUBLINGS
            warn_user(
                f"In {n_apart} of {len(agreed)} rows, chains from different starts do not agree on the unknown entries "
                f"after {longest} steps: they stay in different modes. impute(X, n_steps={10 * longest}) walks longer; "
                "return_std=True tells how far off the values may be.",
                ConvergenceWarning,
            )

    def _given(self, given: Any, n_rows: int, params: Any) -> Array | None:
        if given is None:
            return None
        rows = self._states(given, n_rows, params, "given", "; NaN marks the unknown features")
        return self._all_units(rows, params)

    def _states(
        self, x: Any, n_rows: int, params: Any, argument: str, remedy: str | None = None
    ) -> Array:
        """One visible state per chain: (n_rows, n_features). NaN is allowed where the `remedy` speaks of it."""
        n_features = self._model().shape(params)[0]
        rows = as_dtype(as_rows(x, n_features, argument), self._dtype(params), argument)
        if len(rows) not in (1, n_rows):
            raise ValueError(
                f"{argument} must have the shape ({n_features},) or ({n_rows}, {n_features}). Got {rows.shape}."
            )
        reason = self._model().visible.impossible(rows)
        if not reason and remedy is None and np.isnan(rows).any():
            reason = "NaN; what is known and what is not is for given to say"
        if reason:
            raise ValueError(f"{argument} holds {reason}{remedy or ''}.")
        return np.ascontiguousarray(np.broadcast_to(rows, (n_rows, n_features)))
