"""Contrastive divergence, persistent or not, for pairwise models.

Boltzmann machine learning (Ackley, Hinton & Sejnowski 1985) with the two phases of Salakhutdinov & Hinton (2009).

    1. positive phase:  v the batch, m the means of the hidden units given v
    2. k times:         a sequential Gibbs sweep over all units of the chains
    3. gradient:        dJ = < s s' > over (v, m), minus the same over the chains;  db = < s >, likewise

Where no two hidden units are connected, the means are exact. Elsewhere they are those of naive mean field, and what
rises is a lower bound of the likelihood (the *variational* positive phase). In the negative phase a mean field would
bound the likelihood from the wrong side: it is sampled, by chains that persist (*stochastic approximation*).

With offsets mu (*centred*), s is s - mu throughout, and db = < s > - < s > - dJ mu (:mod:`ebm.gradients.base`).
"""

import numpy as np

from ebm._checks import Array
from ebm._kernels.symmetry import symmetrise
from ebm._random import Key, Reserved, fold
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.gradients.base import Batch, BoundGradient, ChainState, Info
from ebm.gradients.contrastive import bind_contrastive
from ebm.gradients.moments import batch_weights
from ebm.inference.hidden_means import completed
from ebm.samplers.gibbs import gibbs


class BoundSweeps(BoundGradient):
    """The estimator with its buffers: chains start at the data (`n_chains` None) or where they last stood."""

    def __init__(
        self,
        model: Pairwise,
        gradient: PairwiseParameters,
        batch_size: int,
        n_chains: int | None,
        n_steps: int,
        slide: float,
    ) -> None:
        n_units, dtype = len(gradient.bias), gradient.J.dtype
        self._model, self._gradient = model, gradient
        self._n_steps, self._slide = n_steps, slide
        self._persistent = n_chains is not None
        n_rows = batch_size + (batch_size if n_chains is None else n_chains)
        self._left, self._right = np.zeros((2, n_rows, n_units), dtype)
        self._V = np.zeros((batch_size, n_units - model.n_hidden), dtype)

    def rows(self, n_rows: int) -> Array:
        """Where the next batch is best written."""
        return self._V[:n_rows]

    def __call__(
        self, params: PairwiseParameters, batch: Batch, chains: ChainState, key: Key
    ) -> tuple[PairwiseParameters, ChainState, Info]:
        """Gradient of the batch's mean log-likelihood (see :class:`~ebm.gradients.base.BoundGradient`)."""
        data = completed(self._model, params, batch.v)
        start = chains.h if self._persistent else self._states(data, key)
        s = gibbs(self._model, params, start, key, self._n_steps)
        if self._persistent:
            chains.h[:] = s
        weights = batch_weights(batch, params.J.dtype)
        chains.visible_offset[:] += self._slide * (weights @ data - chains.visible_offset)
        # Chains that start at the data stand for them, with their weights.
        shares = np.full(len(s), 1 / len(s), s.dtype) if self._persistent else weights
        finite = self._write((data, weights), (s, shares), chains.visible_offset)
        return self._gradient, chains, Info(finite)

    def _states(self, data: Array, key: Key) -> Array:
        """The rows with hidden states drawn from their means."""
        n = len(data.T) - self._model.n_hidden
        low, high = self._model.unit.states or ()
        nothing = self._model.layer_params(np.zeros(self._model.n_hidden, data.dtype))
        p = np.clip((data[:, n:] - low) / (high - low), 1e-7, 1 - 1e-7)
        log_odds = (np.log(p / (1 - p)) / (high - low)).astype(data.dtype)
        hidden = self._model.unit.sample(nothing, log_odds, fold(key, Reserved.FIRST_HIDDEN.number))
        return np.hstack([data[:, :n], hidden])

    def _write(self, data: tuple[Array, Array], model: tuple[Array, Array], mu: Array) -> bool:
        """Write the difference of the phases, as one product of the stacked rows; whether it is finite."""
        (rows, weights), (s, shares) = data, model
        n, n_all = len(rows), len(rows) + len(s)
        left, right = self._left[:n_all], self._right[:n_all]
        np.subtract(rows, mu, out=right[:n])
        np.subtract(s, mu, out=right[n:])
        np.multiply(right[:n], weights[:, np.newaxis], out=left[:n])
        np.multiply(right[n:], -shares[:, np.newaxis], out=left[n:])
        J, bias = self._gradient
        np.matmul(left.T, right, out=J)
        symmetrise(J)
        self._model.joined(J)
        bias[:] = left.sum(axis=0) - J @ mu
        return bool(np.isfinite(J.sum()) and np.isfinite(bias.sum()))


@bind_contrastive.register
def _(
    model: Pairwise,
    gradient: PairwiseParameters,
    batch_size: int,
    n_chains: int | None,
    n_steps: int,
    slide: float,
) -> BoundGradient:
    return BoundSweeps(model, gradient, batch_size, n_chains, n_steps, slide)
