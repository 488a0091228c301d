"""What can be had of a fitted restricted Boltzmann machine: features and samples."""

from typing import Any

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array

from ebm._batches import blocks, dense
from ebm._checks import Array, as_rows, check_integer, check_real
from ebm._random import Key, fold, stream
from ebm.energies.bipartite import BipartiteParameters
from ebm.likelihood import diagnose
from ebm.samplers import Target, block_gibbs, conditional_mean, sampler_record
from ebm.sklearn_compat._likelihoods import BipartiteLikelihoods
from ebm.sklearn_compat._validation import FLOATS, check_rows, draw_seed

# Draws of `sample` and `gibbs` count up from 0; imputation, which does not advance, uses a number beyond them.
IMPUTATION = 1 << 40


class BipartiteDistribution(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, BipartiteLikelihoods
):
    """The distribution p(v, h) of the fitted attributes (abstract)."""

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
        if not return_diagnostics:
            return draws.v
        found = diagnose(draws.trace)
        return draws.v, found._replace(swap_rates=draws.swap_rates, temperatures=draws.temperatures)

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
