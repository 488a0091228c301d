"""Persistent contrastive divergence, PCD-k, or stochastic maximum likelihood (Younes 1989; Tieleman 2008).

    1. positive phase:  v the batch, E[h | v]
    2. k times, from where the chains last stood:  v ~ p(v | h), h ~ p(h | v)
    3. gradient:        < s(v) E[s(h) | v]' > over the batch, minus the same over the chains

The chains are never restarted: while the parameters move little per update they follow the model's distribution, and
the estimate follows the likelihood's gradient. The number of chains has nothing to do with the batch: each phase is
divided by its own count.
"""

from dataclasses import dataclass
from typing import Any

from ebm._checks import check_integer
from ebm.energies.base import Model
from ebm.gradients.base import BoundGradient, Gradient, registered
from ebm.gradients.contrastive import bind_contrastive


@dataclass(frozen=True, repr=False)
class PersistentContrastiveDivergence(Gradient[Model]):
    """Persistent contrastive divergence: the negative phase goes on where it last stopped.

    Parameters
    ----------
    n_steps : int, default=1
        Gibbs steps per update.
    n_chains : int or None, default=None
        Count of chains; None: as many as the batch size.
    centered : bool, default=True
        Whether the gradient is centred.
    """

    n_steps: int = 1
    n_chains: int | None = None
    centered: bool = True

    def __post_init__(self) -> None:
        check_integer(self.n_steps, "n_steps")
        if self.n_chains is not None:
            check_integer(self.n_chains, "n_chains")

    @property
    def models(self) -> tuple[type[Model], ...]:
        """Those registered with :func:`ebm.gradients.contrastive.bind_contrastive`."""
        return registered(bind_contrastive)

    def n_chains_for(self, batch_size: int) -> int:
        """`n_chains`, or one per row of a batch."""
        return batch_size if self.n_chains is None else self.n_chains

    def bind(self, model: Model, gradient: Any, batch_size: int, n_chains: int) -> BoundGradient:
        """The estimator with its buffers."""
        return bind_contrastive(model, gradient, batch_size, n_chains, self.n_steps, self.slide)
