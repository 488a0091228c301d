"""Limits and penalties besides the penalty on squared weights: small parameters and active hidden units.

With the weights W, their gradient, and the gradient g of all parameters::

    l1               the penalty l1 sum |W_ij|, whose slope l1 sign(W_ij) is subtracted from the gradient
    max_norm         after an update, every hidden unit's weights (column of W) with a Euclidean norm above max_norm are
                     scaled down to it
    clip_norm        g is scaled down to the Euclidean norm clip_norm if its own is larger
    clip_value       entries of g are then clipped to [-clip_value, clip_value]
    sparsity_target  the penalty sparsity_cost / 2 sum_j (mean over the batch of E[h_j | v] - sparsity_target)^2: a mean
                     over the rows, so that its weight against the likelihood does not depend on the batch size
    dropout          each hidden unit is left out of an update with this probability, and the weights learn to do
                     without it (Srivastava et al. 2014, section 8; here for all rows of the batch together)

Clipping comes before the penalties on the weights: it limits what the data say, not what holds it back.
"""

from dataclasses import dataclass

import numpy as np

from ebm._checks import Array, Settings, check_real
from ebm._kernels.ascent import clip_factor
from ebm.optimizers.base import UpdateLimits


@dataclass(frozen=True, repr=False)
class Regularization(Settings):
    """Penalties and limits on an update, beyond the squared weights' `weight_decay`.

    Parameters
    ----------
    l1 : float >= 0, default=0.0
        Coefficient of the penalty on absolute weights.
    max_norm : float > 0 or None, default=None
        Largest Euclidean norm of a hidden unit's weights.
    clip_norm : float > 0 or None, default=None
        Largest Euclidean norm of the gradient by all parameters.
    clip_value : float > 0 or None, default=None
        Largest absolute value of an entry of the gradient.
    sparsity_target : float in (0, 1) or None, default=None
        Mean activity that hidden units are drawn to.
    sparsity_cost : float >= 0, default=0.1
        Coefficient of the penalty on half the squared deviations from `sparsity_target`.
    dropout : float in [0, 1), default=0.0
        Probability with which a hidden unit is left out of an update.

    Notes
    -----
    With `dropout` training does not raise the likelihood of the fitted machine, in which all units are present: its
    visible units get 1 / (1 - dropout) times the input of training. It serves features; before such a machine is
    sampled or its likelihood asked for, multiply ``components_`` by 1 - dropout, or go on without it for a while.

    The slope of an absolute value does not stop at zero: weights without support from the data flutter around it,
    within l1 times the learning rate, rather than vanish.

    References
    ----------
    .. [1] Srivastava, N., Hinton, G., Krizhevsky, A., Sutskever, I. and Salakhutdinov, R. (2014). Dropout: a simple way
       to prevent neural networks from overfitting. Journal of Machine Learning Research 15, 1929-1958, section 8.
    .. [2] Pascanu, R., Mikolov, T. and Bengio, Y. (2013). On the difficulty of training recurrent neural networks.
       International Conference on Machine Learning, algorithm 1 (clip_norm).

    Examples
    --------
    >>> from ebm import Regularization
    >>> Regularization(l1=1e-4, max_norm=3.0)
    Regularization(l1=0.0001, max_norm=3.0)
    """

    l1: float = 0.0
    max_norm: float | None = None
    clip_norm: float | None = None
    clip_value: float | None = None
    sparsity_target: float | None = None
    sparsity_cost: float = 0.1
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check_real(self.l1, "l1")
        check_real(self.sparsity_cost, "sparsity_cost")
        check_real(self.dropout, "dropout", 0.0, 1.0, open_high=True)
        for name in ("max_norm", "clip_norm", "clip_value"):
            if getattr(self, name) is not None:
                check_real(getattr(self, name), name, 0.0, open_low=True)
        if self.sparsity_target is not None:
            check_real(
                self.sparsity_target, "sparsity_target", 0.0, 1.0, open_low=True, open_high=True
            )

    @property
    def is_fused(self) -> bool:
        """Whether all of it happens in the pass that updates the parameters."""
        apart = (self.max_norm, self.clip_norm, self.sparsity_target)
        return all(x is None for x in apart) and not self.dropout

    @property
    def needs_binary_units(self) -> bool:
        """Whether some of it has a meaning for binary hidden units only."""
        return self.sparsity_target is not None or self.dropout > 0

    def update_limits(self, gradient: Array, decay: float, n_weights: int) -> UpdateLimits:
        """Clipping and penalties of an update along `gradient` (:meth:`ebm.optimizers.base.Optimizer.step`).

        `decay` is the coefficient of the penalty on half the squared weights, which are the first `n_weights` entries.
        """
        factor = 1.0 if self.clip_norm is None else clip_factor(gradient, float(self.clip_norm))
        limit = np.inf if self.clip_value is None else float(self.clip_value)
        return (factor, limit, float(self.l1), float(decay), n_weights)
