"""What can be had of a fitted restricted Boltzmann machine: energies and features."""

from typing import Any

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array

from ebm._checks import Array, as_rows
from ebm._random import Key
from ebm._sparse import as_dtype
from ebm.energies.bipartite import BipartiteParameters
from ebm.samplers import block_gibbs
from ebm.sklearn_compat._shared._fitted import FittedBipartite
from ebm.sklearn_compat._shared._likelihoods import Likelihoods
from ebm.sklearn_compat._shared._samples import Samples
from ebm.sklearn_compat._shared._settings import all_or_nothing
from ebm.sklearn_compat._shared._validation import EXTRAPOLATION, FLOATS, warn_outside


class BipartiteDistribution(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, FittedBipartite, Samples, Likelihoods
):
    """The distribution p(v, h) of the fitted attributes (abstract)."""

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
        v = self._rows(X, params)
        h = as_dtype(as_rows(H, params.W.shape[1], "H"), params.W.dtype, "H")
        if np.isnan(h).any():
            raise ValueError("H holds NaN: an energy is that of states that are known.")
        warn_outside(self._model().hidden, h, "H", EXTRAPOLATION)
        if v.shape[0] != len(h):
            raise ValueError(f"X and H must have as many rows. Got {v.shape[0]} and {len(h)}.")
        return self._model().energy(params, v, h)

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
        h = check_array(as_rows(X, params.W.shape[1], "X"), input_name="X", dtype=FLOATS)
        h = as_dtype(h, params.W.dtype)
        warn_outside(self._model().hidden, h, slack=EXTRAPOLATION)
        return self._model().visible_mean(params, h)

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

    @all_or_nothing
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

    def _start(self, params: BipartiteParameters, n_rows: int, key: Key) -> Array:
        """Independent visible units, driven by the mean activity of the hidden ones."""
        lam: Any = getattr(self, "offset_hidden_", None)
        model = self._model()
        if getattr(lam, "shape", None) != params.W.shape[1:] or not np.isfinite(lam).all():
            zero = np.zeros((1, params.W.shape[1]), params.W.dtype)
            lam = model.hidden.mean(params.hidden, zero)[0]
        inputs = np.tile(
            model.visible_input(params, np.asarray(lam, params.W.dtype)[np.newaxis]), (n_rows, 1)
        )
        return model.visible.sample(params.visible, inputs, key)
