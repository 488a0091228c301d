"""Updates of a flat parameter vector, in one pass and in place. Gradients point uphill.

An entry that a step would make infinite stays where it is: parameters are finite whatever the learning rate.
"""

import numpy as np

from ebm._jit import jit


@jit(inline=True)
def _finite_or(new, old):
    return new if abs(new) < np.inf else old


@jit
def ascend(theta, gradient, rate, decay, n_decayed):
    """Theta <- theta + rate (gradient - decay theta), the decay for the first `n_decayed` entries only."""
    kept = (
        type(rate)(1) - rate * decay
    )  # a bare 1 is an int64, and would make doubles of all that follows
    for i in range(n_decayed):
        theta[i] = _finite_or(kept * theta[i] + rate * gradient[i], theta[i])
    for i in range(n_decayed, theta.size):
        theta[i] = _finite_or(theta[i] + rate * gradient[i], theta[i])


@jit
def ascend_with_momentum(theta, gradient, velocity, rate, decay, n_decayed, momentum, look_ahead):
    """Classical momentum, or Nesterov's with `look_ahead`: see :mod:`ebm.optimizers.sgd`."""
    T = type(rate)
    own, ahead = (rate, momentum) if look_ahead else (T(0), T(1))
    for i in range(theta.size):
        g = gradient[i] - (decay * theta[i] if i < n_decayed else T(0))
        velocity[i] = _finite_or(momentum * velocity[i] + rate * g, velocity[i])
        theta[i] = _finite_or(theta[i] + ahead * velocity[i] + own * g, theta[i])
