"""The rules by which optimisers move one entry, resolved by the type of their settings.

An optimiser is a NamedTuple of settings and two functions:

    numbers(settings, clock, rate)   what the entries share in this step: computed in double precision, handed on in
                                     the precision of `rate`; counts the step on the `clock`
    rule(numbers, g, old)            (move, new) for an entry with the gradient g, where `old` and `new` are tuples of
                                     what is remembered of it, and nothing remembered is zero

The formulas stand in :mod:`ebm.optimizers.sgd` and :mod:`ebm.optimizers.adaptive`. As with units
(:mod:`ebm._kernels.units`) the compiler sees the one rule that a type of settings selects; a new optimiser is an entry
in :data:`RULES`. A bare 1 or 0.5 in a rule would make doubles of all that follows it, hence the many numbers.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba.extending import overload

from ebm._jit import jit

# Memory of the whole vector: the number of steps, and Nadam's 1 - mu_1 ... mu_t. It starts at zero.
CLOCK_SIZE = 2


class PlainSettings(NamedTuple):
    """Plain ascent, which has none."""


@jit(inline=True)
def _plain_numbers(settings, clock, rate):
    return (rate,)


@jit(inline=True)
def _plain(numbers, g, old):
    return numbers[0] * g, old


class MomentumSettings(NamedTuple):
    """Classical momentum, or Nesterov's with `look_ahead`."""

    momentum: float
    look_ahead: bool


@jit(inline=True)
def _momentum_numbers(settings, clock, rate):
    T = type(rate)
    momentum = T(settings.momentum)
    own, ahead = (rate, momentum) if settings.look_ahead else (T(0), T(1))
    return rate, momentum, own, ahead


@jit(inline=True)
def _momentum(numbers, g, old):
    rate, momentum, own, ahead = numbers
    u = momentum * old[0] + rate * g
    return ahead * u + own * g, (u,)


class AdaGradSettings(NamedTuple):
    """Sum of squares."""

    epsilon: float


@jit(inline=True)
def _adagrad_numbers(settings, clock, rate):
    return rate, type(rate)(settings.epsilon)


@jit(inline=True)
def _adagrad(numbers, g, old):
    rate, epsilon = numbers
    s = old[0] + g * g
    return rate * g / (np.sqrt(s) + epsilon), (s,)


class RMSPropSettings(NamedTuple):
    """Running mean of squares."""

    decay: float
    epsilon: float


@jit(inline=True)
def _rmsprop_numbers(settings, clock, rate):
    T = type(rate)
    return rate, T(settings.decay), T(1 - settings.decay), T(settings.epsilon)


@jit(inline=True)
def _rmsprop(numbers, g, old):
    rate, decay, fresh, epsilon = numbers
    s = decay * old[0] + fresh * (g * g)
    return rate * g / (np.sqrt(s) + epsilon), (s,)


class AdaDeltaSettings(NamedTuple):
    """Running means of the squares of gradients and of moves."""

    decay: float
    epsilon: float


@jit(inline=True)
def _adadelta_numbers(settings, clock, rate):
    T = type(rate)
    return rate, T(settings.decay), T(1 - settings.decay), T(settings.epsilon)


@jit(inline=True)
def _adadelta(numbers, g, old):
    rate, decay, fresh, epsilon = numbers
    s = decay * old[0] + fresh * (g * g)
    d = np.sqrt((old[1] + epsilon) / (s + epsilon)) * g
    return rate * d, (s, decay * old[1] + fresh * (d * d))


class AdamSettings(NamedTuple):
    """Running means of gradients and of their squares, corrected for their start at zero.

    With `epsilon_hat` epsilon is added before the correction of the root, not after it.
    """

    beta1: float
    beta2: float
    epsilon: float
    epsilon_hat: bool


@jit(inline=True)
def _adam_numbers(settings, clock, rate):
    T = type(rate)
    beta1, beta2 = np.float64(settings.beta1), np.float64(settings.beta2)
    clock[0] += T(1)
    t = np.float64(clock[0])
    step = np.float64(rate) / (1 - beta1**t)
    shrink = 1 / np.sqrt(1 - beta2**t)
    epsilon = T(settings.epsilon * (shrink if settings.epsilon_hat else 1.0))
    fresh = (T(1 - beta1), T(1 - beta2))
    return T(beta1), fresh[0], T(beta2), fresh[1], T(step), T(0), T(shrink), epsilon


class NadamSettings(NamedTuple):
    """Adam with Nesterov's momentum, which is warmed up."""

    beta1: float
    beta2: float
    epsilon: float


@jit(inline=True)
def _warming(beta1, t):
    return beta1 * (1 - 0.5 * 0.96 ** (t / 250))


@jit(inline=True)
def _nadam_numbers(settings, clock, rate):
    T = type(rate)
    beta1, beta2, r = np.float64(settings.beta1), np.float64(settings.beta2), np.float64(rate)
    t = np.float64(clock[0]) + 1
    now, ahead = _warming(beta1, t), _warming(beta1, t + 1)
    correction = 1 - now * (1 - np.float64(clock[1]))
    clock[0], clock[1] = T(t), T(correction)
    step = r * ahead / (1 - ahead * (1 - correction))
    own = r * (1 - now) / correction
    shrink = 1 / np.sqrt(1 - beta2**t)
    fresh = (T(1 - now), T(1 - beta2))
    return T(now), fresh[0], T(beta2), fresh[1], T(step), T(own), T(shrink), T(settings.epsilon)


@jit(inline=True)
def _adam(numbers, g, old):
    beta1, fresh1, beta2, fresh2, step, own, shrink, epsilon = numbers
    m = beta1 * old[0] + fresh1 * g
    n = beta2 * old[1] + fresh2 * (g * g)
    return (step * m + own * g) / (shrink * np.sqrt(n) + epsilon), (m, n)


class Rule(NamedTuple):
    """An optimiser's two functions, and how many numbers it remembers of every entry."""

    numbers: Callable[..., Any]
    rule: Callable[..., Any]
    n_remembered: int


RULES: dict[type, Rule] = {
    PlainSettings: Rule(_plain_numbers, _plain, 0),
    MomentumSettings: Rule(_momentum_numbers, _momentum, 1),
    AdaGradSettings: Rule(_adagrad_numbers, _adagrad, 1),
    RMSPropSettings: Rule(_rmsprop_numbers, _rmsprop, 1),
    AdaDeltaSettings: Rule(_adadelta_numbers, _adadelta, 2),
    AdamSettings: Rule(_adam_numbers, _adam, 2),
    NadamSettings: Rule(_nadam_numbers, _adam, 2),
}


def numbers(settings, clock, rate):
    """The numbers that all entries share in this step."""
    return RULES[type(settings)].numbers(settings, clock, rate)


def rule(settings, shared, g, old):
    """(move, what is remembered) of an entry."""
    return RULES[type(settings)].rule(shared, g, old)


# A loop with a call inside does not vectorise.
@overload(numbers, jit_options={"forceinline": True})
def _numbers(settings, clock, rate):
    role = RULES[settings.instance_class].numbers
    return lambda settings, clock, rate: role(settings, clock, rate)


@overload(rule, jit_options={"forceinline": True})
def _rule(settings, shared, g, old):
    role = RULES[settings.instance_class].rule
    return lambda settings, shared, g, old: role(shared, g, old)
