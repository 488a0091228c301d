"""Persistent contrastive divergence with fast weights, FPCD (Tieleman & Hinton 2009).

The chains follow the distribution of the parameters plus *fast* ones, which learn quickly and forget quickly:

    1. positive phase:  v the batch, E[h | v], under theta
    2. k times, from where the chains last stood:  v ~ p(v | h), h ~ p(h | v), under theta + fast
    3. gradient g:      < s(v) E[s(h) | v]' > over the batch under theta, minus the same over the chains, theta + fast
    4. fast parameters: fast <- decay fast + rate g

Where the chains stay too long, the fast parameters raise the energy until they leave: mixing no longer waits for the
learning rate of theta to make it happen. In exchange the chains do not follow the model's distribution, so that the
estimate is biased by as much as the fast parameters move it.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ebm._checks import Array, check_integer, check_real
from ebm._random import Key
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.gradients.base import Batch, BoundGradient, ChainState, Gradient, Info
from ebm.gradients.contrastive import BoundContrastive
from ebm.units import Linear


@dataclass(frozen=True, repr=False)
class FastPersistentContrastiveDivergence(Gradient[Bipartite]):
    """Persistent contrastive divergence whose chains are driven by fast weights.

    Parameters
    ----------
    n_steps : int, default=1
        Gibbs steps per update.
    n_chains : int or None, default=None
        Count of chains; None: as many as the batch size.
    fast_learning_rate : float, default=0.1
        Rate at which the fast parameters follow the gradient; it does not decay.
    fast_decay : float in [0, 1), default=0.95
        Fraction of the fast parameters that an update keeps (the published value is 19/20).
    centered : bool, default=True
        Whether the gradient is centred.

    References
    ----------
    .. [1] Tieleman, T. and Hinton, G. (2009). Using fast weights to improve persistent contrastive divergence.
       International Conference on Machine Learning.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm import BernoulliRBM, FastPersistentContrastiveDivergence
    >>> fast = FastPersistentContrastiveDivergence(n_chains=20, fast_learning_rate=0.05)
    >>> rbm = BernoulliRBM(n_components=2, gradient=fast, n_iter=2, random_state=0).fit(np.eye(4))
    >>> rbm.h_samples_.shape
    (20, 2)
    """

    has_state: ClassVar[bool] = True
    n_steps: int = 1
    n_chains: int | None = None
    fast_learning_rate: float = 0.1
    fast_decay: float = 0.95
    centered: bool = True

    def __post_init__(self) -> None:
        check_integer(self.n_steps, "n_steps")
        if self.n_chains is not None:
            check_integer(self.n_chains, "n_chains")
        check_real(self.fast_learning_rate, "fast_learning_rate", open_low=True)
        check_real(self.fast_decay, "fast_decay", 0.0, 1.0)
        if self.fast_decay == 1:
            raise ValueError("fast_decay must be below 1: fast parameters have to forget. Got 1.")

    def n_chains_for(self, batch_size: int) -> int:
        """`n_chains`, or one per row of a batch."""
        return batch_size if self.n_chains is None else self.n_chains

    def start(
        self, model: Bipartite, params: BipartiteParameters, mean: Array, batch_size: int, key: Key
    ) -> ChainState:
        """Fast parameters of zero."""
        chains = super().start(model, params, mean, batch_size, key)
        return chains._replace(gradient_state=(np.zeros_like(model.pack(params)),))

    def bind(
        self, model: Bipartite, gradient: BipartiteParameters, batch_size: int, n_chains: int
    ) -> BoundGradient:
        """The estimator with its buffers."""
        return BoundFastPersistent(self, model, gradient, batch_size, n_chains)


class BoundFastPersistent(BoundGradient):
    """The persistent estimator, and the sum of slow and fast parameters that its chains follow."""

    def __init__(
        self,
        choice: FastPersistentContrastiveDivergence,
        model: Bipartite,
        gradient: BipartiteParameters,
        batch_size: int,
        n_chains: int,
    ) -> None:
        self._choice, self._model = choice, model
        chains = n_chains, choice.n_steps, choice.slide
        self._inner = BoundContrastive(model, gradient, batch_size, *chains)
        self.takes_sparse = isinstance(model.visible, Linear)
        self._shape = model.shape(gradient)
        buffers = np.zeros((2, model.pack(gradient).size), gradient.W.dtype)
        self._step = buffers[1]
        self._views = tuple(model.unpack(x, *self._shape) for x in buffers)

    def rows(self, n_rows: int) -> Array:
        """Where the next batch is best written."""
        return self._inner.rows(n_rows)

    def __call__(
        self, params: BipartiteParameters, batch: Batch, chains: ChainState, key: Key
    ) -> tuple[BipartiteParameters, ChainState, Info]:
        """Gradient of the batch's mean log-likelihood (see :class:`~ebm.gradients.base.BoundGradient`)."""
        (fast,) = chains.gradient_state
        views = self._model.unpack(fast, *self._shape)
        walkers, step = self._views
        for a, b, total in zip(_arrays(params), _arrays(views), _arrays(walkers), strict=True):
            np.add(a, b, out=total)
        gradient, chains, info = self._inner.estimate(params, walkers, batch, chains, key)
        if info.finite:
            for a, b in zip(_arrays(gradient), _arrays(step), strict=True):
                b[:] = a
            self._model.rescale(params, step, chains)  # the fast ones are weights and biases
            fast *= fast.dtype.type(self._choice.fast_decay)
            fast += fast.dtype.type(self._choice.fast_learning_rate) * self._step
        return gradient, chains, info


def _arrays(params: BipartiteParameters) -> tuple[Array, ...]:
    return (params.W, *params.visible, *params.hidden)
