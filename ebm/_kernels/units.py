"""One name per role for every unit type, resolved by the type of the layer's parameters.

Functions cannot be handed to compiled code that is cached on disk, and a chain of integer codes would compile every
unit into every kernel. So a layer's parameters are a NamedTuple of the unit's own class, and each role below is a
generic function over it. The compiler resolves it in compiled code, a dictionary in plain Python. Where a unit has
constants beside its parameters, such as a number of trials, compiled code takes a NamedTuple of both
(:meth:`ebm.units.Unit.compiled`). A new unit is a file beside :mod:`ebm._kernels.bernoulli` and an entry in
:data:`UNITS`.
"""

from types import ModuleType
from typing import Any

from numba.extending import overload

from ebm._kernels import bernoulli, binomial, categorical, gaussian, poisson, spin

UNITS: dict[type, ModuleType] = {
    bernoulli.BernoulliParameters: bernoulli,
    spin.SpinParameters: spin,
    gaussian.GaussianParameters: gaussian,
    categorical.CategoricalLayer: categorical,
    poisson.PoissonParameters: poisson,
    binomial.BinomialLayer: binomial,
}


def mean(own, x, beta):
    """Inputs from the connected layers -> conditional means, in place."""
    UNITS[type(own)].mean(own, x, x.dtype.type(beta))


def sample(own, x, beta, key0, key1, first_row):
    """Inputs -> conditional samples, in place; row r draws the numbers of row ``first_row + r``."""
    UNITS[type(own)].sample(own, x, x.dtype.type(beta), key0, key1, first_row)


def mean_and_sample(own, x, out, beta, key0, key1, first_row):
    """Inputs -> conditional means, in place, and samples in `out`."""
    UNITS[type(own)].mean_and_sample(own, x, out, x.dtype.type(beta), key0, key1, first_row)


def log_normaliser(own, x, beta, out):
    """Add each row's sum of log-normalisers given the inputs `x` to `out`, in double precision."""
    UNITS[type(own)].log_normaliser(own, x, x.dtype.type(beta), out)


def to_statistic(own, x):
    """States -> what the weights multiply, in place."""
    UNITS[type(own)].to_statistic(own, x)


def own_gradient(own, s, weights, gradient):
    """Write the weighted sum over rows of -dU/dtheta to `gradient`, for all theta but the bias, at statistics `s`."""
    UNITS[type(own)].own_gradient(own, s, weights, gradient)


def expected_own_gradient(own, x, weights, gradient, fresh):
    """Add the same sum of the expectations given the inputs `x`; with `fresh`, write it."""
    UNITS[type(own)].expected_own_gradient(own, x, weights, gradient, fresh)


def couple(own, coupling, gradient):
    """Add what the unit's statistic contributes to them: `coupling` (units,) is the sum of s_i (W s)_i."""
    UNITS[type(own)].couple(own, coupling, gradient)


def couples(own):
    """Whether the unit's statistic has a parameter: else :func:`couple` has nothing to do."""
    return UNITS[type(own)].COUPLES


# What the compiler makes of the same names: the function of the unit whose parameters it sees.


def _role(name: str, own: Any) -> Any:
    return getattr(UNITS[own.instance_class], name)


@overload(mean)
def _mean(own, x, beta):
    role = _role("mean", own)
    return lambda own, x, beta: role(own, x, type(own.bias[0])(beta))


@overload(sample)
def _sample(own, x, beta, key0, key1, first_row):
    role = _role("sample", own)
    return lambda own, x, beta, key0, key1, first_row: role(
        own, x, type(own.bias[0])(beta), key0, key1, first_row
    )


@overload(mean_and_sample)
def _mean_and_sample(own, x, out, beta, key0, key1, first_row):
    role = _role("mean_and_sample", own)
    return lambda own, x, out, beta, key0, key1, first_row: role(
        own, x, out, type(own.bias[0])(beta), key0, key1, first_row
    )


@overload(log_normaliser)
def _log_normaliser(own, x, beta, out):
    role = _role("log_normaliser", own)
    return lambda own, x, beta, out: role(own, x, type(own.bias[0])(beta), out)


@overload(to_statistic)
def _to_statistic(own, x):
    role = _role("to_statistic", own)
    return lambda own, x: role(own, x)


@overload(own_gradient)
def _own_gradient(own, s, weights, gradient):
    role = _role("own_gradient", own)
    return lambda own, s, weights, gradient: role(own, s, weights, gradient)


@overload(expected_own_gradient)
def _expected_own_gradient(own, x, weights, gradient, fresh):
    role = _role("expected_own_gradient", own)
    return lambda own, x, weights, gradient, fresh: role(own, x, weights, gradient, fresh)


@overload(couple)
def _couple(own, coupling, gradient):
    role = _role("couple", own)
    return lambda own, coupling, gradient: role(own, coupling, gradient)


@overload(couples)
def _couples(own):
    answer = _role("COUPLES", own)
    return lambda own: answer
