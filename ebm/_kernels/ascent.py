"""Updates of a flat parameter vector, in one pass and in place. Gradients point uphill.

An entry that a step would make infinite stays where it is, and the update is reported as not finite.
"""

import numpy as np

from ebm._jit import jit


@jit
def ascend(theta, gradient, rate, decay, n_decayed):
    """Plain: theta <- theta + rate (gradient - decay theta), the decay for the first `n_decayed` entries only."""
    # A bare 1 is an int64, and would make doubles of all that follows.
    kept = type(rate)(1) - rate * decay
    refused = np.int32(0)
    for i in range(n_decayed):
        new = kept * theta[i] + rate * gradient[i]
        finite = abs(new) < np.inf
        theta[i] = new if finite else theta[i]
        refused += np.int32(not finite)
    for i in range(n_decayed, theta.size):
        new = theta[i] + rate * gradient[i]
        finite = abs(new) < np.inf
        theta[i] = new if finite else theta[i]
        refused += np.int32(not finite)
    return refused == 0


@jit
def ascend_with_momentum(theta, gradient, velocity, rate, decay, n_decayed, momentum, look_ahead):
    """Classical momentum, or Nesterov's with `look_ahead`: see :mod:`ebm.optimizers.sgd`."""
    T = type(rate)
    own, ahead = (rate, momentum) if look_ahead else (T(0), T(1))
    refused = np.int32(0)
    for i in range(theta.size):
        g = gradient[i] - (decay * theta[i] if i < n_decayed else T(0))
        u = momentum * velocity[i] + rate * g
        new = theta[i] + ahead * u + own * g
        finite = abs(new) < np.inf
        velocity[i] = u if finite else T(0)
        theta[i] = new if finite else theta[i]
        refused += np.int32(not finite)
    return refused == 0
