"""Independent chains: the simplest sampler, for every model with Gibbs chains."""

from dataclasses import dataclass

import numpy as np

from ebm._checks import Array
from ebm._random import Key, fold
from ebm.samplers.base import Draws, Sampler, Target, run_chain


@dataclass(frozen=True, repr=False)
class Gibbs(Sampler):
    """Sampling by independent chains of Gibbs sampling; no settings of its own.

    Notes
    -----
    A step of a restricted machine renews the hidden units and then the visible ones, at the cost of two products with
    the weights. A step of a Boltzmann machine visits its units one after the other, at the cost of about one product.
    Chains cross between modes only through states of low probability: if modes are far apart, use
    :class:`~ebm.Tempering`.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm import BernoulliRBM, Gibbs
    >>> rbm = BernoulliRBM(n_components=2, n_iter=2, random_state=0).fit(np.eye(3))
    >>> rbm.sample(4, n_steps=10, sampler=Gibbs()).shape
    (4, 3)
    """

    def draw(self, target: Target, v: Array, key: Key, n_steps: int) -> Draws:
        """Samples after `n_steps` from `v`; the trace is that of the second half of the steps."""
        model, params, beta, given, _ = target
        model.check_energy()
        burn_in = n_steps // 2
        trace = np.empty((len(v), n_steps - burn_in))  # first, for it may be too large
        if burn_in:
            v = run_chain(model, params, v, fold(key, 0), burn_in, beta=beta, given=given)
        key = fold(key, 1)
        v = run_chain(model, params, v, key, n_steps - burn_in, beta=beta, given=given, trace=trace)
        return Draws(v, trace)
