"""Updates of a flat parameter vector, in one pass and in place. Gradients point uphill."""

from ebm._jit import jit


@jit
def ascend(theta, gradient, rate, decay, n_decayed):
    """Theta <- theta + rate (gradient - decay theta), the decay for the first `n_decayed` entries only."""
    kept = 1 - rate * decay
    for i in range(n_decayed):
        theta[i] = kept * theta[i] + rate * gradient[i]
    for i in range(n_decayed, theta.size):
        theta[i] += rate * gradient[i]


@jit
def ascend_with_momentum(theta, gradient, velocity, rate, decay, n_decayed, momentum, look_ahead):
    """Classical momentum, or Nesterov's with `look_ahead`: see :mod:`ebm.optimizers.sgd`."""
    own, ahead = (rate, momentum) if look_ahead else (0 * rate, 1 + 0 * momentum)
    for i in range(theta.size):
        g = gradient[i] - (decay * theta[i] if i < n_decayed else 0 * decay)
        velocity[i] = momentum * velocity[i] + rate * g
        theta[i] += ahead * velocity[i] + own * g
