"""Learning without a partition function: pseudo-likelihood, and ratio matching.

Both compare each row only with the rows that differ from it in one visible unit. With the probability of a flip,

    q_i = p(flip_i v) / (p(v) + p(flip_i v)) = sigmoid(F(v) - F(flip_i v)),

they maximise

    pseudo-likelihood (Besag 1975):     sum_i log (1 - q_i) = sum_i log p(v_i | v without v_i)
    ratio matching (Hyvarinen 2007):    -sum_i q_i^2

by the exact gradient, in which every flip has its share:

    sum_i share_i [dF(flip_i v)/dtheta - dF(v)/dtheta],    share = q,    or    share = 2 q^2 (1 - q).

    1. for all i:       q_i, share_i, and E[h | flip_i v]
    2. positive phase:  v the batch, each row counted sum_i share_i times
    3. negative phase:  all flips of the rows, each counted share_i times

Deterministic, and consistent: with enough data of the model's family, the maximum is where the likelihood's is. Without
it, the compromises differ (Marlin, Swersky, Chen & de Freitas 2010): a mode far from all data is not seen, for no
single flip leads there. Costs rows x visible x hidden; no chains.

Entries between 0 and 1 are flipped to 1 - v, as in :mod:`ebm.likelihood.pseudo_likelihood`, of whose sum this is the
derivative.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from ebm._checks import Array
from ebm._flat import in_double
from ebm._kernels.flips import LOG_LARGEST, flip_moments, flip_tables
from ebm._random import Key
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.gradients.base import Batch, BoundGradient, ChainState, Gradient, Info
from ebm.gradients.moments import (
    Moments,
    batch_weights,
    data_moments,
    mix,
    slide_offsets,
    write_difference,
)
from ebm.units import Bernoulli


@dataclass(frozen=True, repr=False)
class PseudoLikelihood(Gradient[Bipartite]):
    """The exact gradient of the pseudo-likelihood, for binary visible units.

    Parameters
    ----------
    centered : bool, default=True
        Whether the gradient is centred.
    """

    centered: bool = True

    def n_chains_for(self, batch_size: int) -> int:
        """No chains."""
        return 0

    def bind(
        self, model: Bipartite, gradient: BipartiteParameters, batch_size: int, n_chains: int
    ) -> BoundGradient:
        """The estimator; refuses visible units that are not binary."""
        return BoundFlips(model, gradient, batch_size, self.slide, ratio=False)


@dataclass(frozen=True, repr=False)
class RatioMatching(Gradient[Bipartite]):
    """The exact gradient of minus the ratio-matching objective, for binary visible units.

    Parameters
    ----------
    centered : bool, default=True
        Whether the gradient is centred.
    """

    centered: bool = True

    def n_chains_for(self, batch_size: int) -> int:
        """No chains."""
        return 0

    def bind(
        self, model: Bipartite, gradient: BipartiteParameters, batch_size: int, n_chains: int
    ) -> BoundGradient:
        """The estimator; refuses visible units that are not binary."""
        return BoundFlips(model, gradient, batch_size, self.slide, ratio=True)


class BoundFlips(BoundGradient):
    """Both estimators with their buffer."""

    def __init__(
        self,
        model: Bipartite,
        gradient: BipartiteParameters,
        batch_size: int,
        slide: float,
        *,
        ratio: bool,
    ) -> None:
        if model.visible.states is None or len(model.visible.states) != 2:
            raise ValueError(
                "The gradients 'pseudo_likelihood' and 'ratio_matching' flip visible units, which "
                f"{type(model.visible).__name__} units cannot do. Use gradient='pcd' or 'cd' for them."
            )
        self._model, self._gradient = model, gradient
        self._slide, self._ratio = slide, ratio
        self._V = np.zeros((batch_size, gradient.W.shape[0]), gradient.W.dtype)

    def rows(self, n_rows: int) -> Array:
        """Where the next batch is best written."""
        return self._V[:n_rows]

    def __call__(
        self, params: BipartiteParameters, batch: Batch, chains: ChainState, key: Key
    ) -> tuple[BipartiteParameters, ChainState, Info]:
        """Gradient of the batch's mean objective (see :class:`~ebm.gradients.base.BoundGradient`)."""
        weights = batch_weights(batch, np.float64)
        exact, v = in_double(params), batch.v.astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):  # reported below
            slide_offsets(chains, data_moments(self._model, exact, v, weights), self._slide)
            phases = phases_of_flips(self._model, exact, v, weights, self._ratio)
            finite = write_difference(*phases, params, chains, self._gradient)
        return self._gradient, chains, Info(finite)


def phases_of_flips(
    model: Bipartite, params: BipartiteParameters, v: Array, weights: Array, ratio: bool
) -> tuple[Moments, Moments]:
    """Moments of the rows `v` and of their flips, each counted by its share; all in double precision."""
    largest = np.abs(params.W).max()
    fast = isinstance(model.visible, Bernoulli) and isinstance(model.hidden, Bernoulli)
    # The fast way multiplies exponentials, which has bounds; all that is outside takes the general one.
    if fast and largest < LOG_LARGEST and np.all(np.abs(1 - 2 * v) <= 1):
        shares, flips = _bernoulli_pair(params, v, weights, ratio, largest)
    else:
        shares, flips = _two_state_visible(model, params, v, weights, ratio)
    return data_moments(model, params, v, shares.sum(axis=1)), flips


def _bernoulli_pair(
    params: BipartiteParameters, v: Array, weights: Array, ratio: bool, largest: float
) -> tuple[Array, Moments]:
    growth, run = flip_tables(params.W, largest)
    inputs = v @ params.W + params.hidden.bias
    out = shares, H, turned = np.empty(v.shape), np.empty(inputs.shape), np.empty(params.W.shape)
    flip_moments(v, inputs, params.W, params.visible.bias, growth, run, ratio, weights, out)
    # flip_i v = v + d_i e_i with d = 1 - 2 v
    mean = shares.sum(axis=1) @ v + np.sum(shares * (1 - 2 * v), axis=0)
    return shares, Moments(v.T @ H + turned, mean, H.sum(axis=0), {}, {})


def _two_state_visible(
    model: Bipartite, params: BipartiteParameters, v: Array, weights: Array, ratio: bool
) -> tuple[Array, Moments]:
    low, high = model.visible.states or ()
    share: Callable[[Array], Array] = _share_in_ratio_matching if ratio else expit
    before = model.free_energy(params, v)
    shares = np.empty(v.shape)
    total: Moments | None = None
    for i in range(v.shape[1]):
        flipped = v.copy()
        flipped[:, i] = low + high - v[:, i]
        shares[:, i] = weights * share(before - model.free_energy(params, flipped))
        flips = data_moments(model, params, flipped, shares[:, i])
        total = flips if total is None else mix(total, 1.0, flips, 1.0)
    assert total is not None
    return shares, total


def _share_in_ratio_matching(gain: Array) -> Array:
    """2 q^2 (1 - q) with q = sigmoid(gain)."""
    share: Array = 2 * expit(gain) ** 2 * expit(-gain)
    return share
