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


def mean(params, x, beta):
    """Inputs from the connected layers -> conditional means, in place."""
    UNITS[type(params)].mean(params, x, x.dtype.type(beta))


def sample(params, x, beta, key0, key1, first_row):
    """Inputs -> conditional samples, in place; row r draws the numbers of row ``first_row + r``."""
    UNITS[type(params)].sample(params, x, x.dtype.type(beta), key0, key1, first_row)


def mean_and_sample(params, x, out, beta, key0, key1, first_row):
    """Inputs -> conditional means, in place, and samples in `out`."""
    UNITS[type(params)].mean_and_sample(params, x, out, x.dtype.type(beta), key0, key1, first_row)


def log_normaliser(params, x, beta, out):
    """Add each row's sum of log-normalisers given the inputs `x` to `out`, in double precision."""
    UNITS[type(params)].log_normaliser(params, x, x.dtype.type(beta), out)


def to_statistic(params, x):
    """States -> what the weights multiply, in place."""
    UNITS[type(params)].to_statistic(params, x)


def parameter_gradient(params, s, weights, gradient):
    """Write the weighted sum over rows of -dU/dtheta to `gradient`, for all theta but the bias, at statistics `s`."""
    UNITS[type(params)].parameter_gradient(params, s, weights, gradient)


def expected_parameter_gradient(params, x, weights, gradient, fresh):
    """Add the same sum of the expectations given the inputs `x`; with `fresh`, write it."""
    UNITS[type(params)].expected_parameter_gradient(params, x, weights, gradient, fresh)


def couple(params, coupling, gradient):
    """Add what the unit's statistic contributes to them: `coupling` (units,) is the sum of s_i (W s)_i."""
    UNITS[type(params)].couple(params, coupling, gradient)


def couples(params):
    """Whether the unit's statistic has a parameter: else :func:`couple` has nothing to do."""
    return UNITS[type(params)].COUPLES


def with_bias(params, bias):
    """A layer of the same type with these biases, for units without other parameters."""
    return UNITS[type(params)].with_bias(params, bias)


# What the compiler makes of the same names: the function of the unit whose parameters it sees.


def _role(name: str, params: Any) -> Any:
    return getattr(UNITS[params.instance_class], name)


@overload(mean)
def _mean(params, x, beta):
    role = _role("mean", params)
    return lambda params, x, beta: role(params, x, type(params.bias[0])(beta))


@overload(sample)
def _sample(params, x, beta, key0, key1, first_row):
    role = _role("sample", params)
    return lambda params, x, beta, key0, key1, first_row: role(
        params, x, type(params.bias[0])(beta), key0, key1, first_row
    )


@overload(mean_and_sample)
def _mean_and_sample(params, x, out, beta, key0, key1, first_row):
    role = _role("mean_and_sample", params)
    return lambda params, x, out, beta, key0, key1, first_row: role(
        params, x, out, type(params.bias[0])(beta), key0, key1, first_row
    )


@overload(log_normaliser)
def _log_normaliser(params, x, beta, out):
    role = _role("log_normaliser", params)
    return lambda params, x, beta, out: role(params, x, type(params.bias[0])(beta), out)


@overload(to_statistic)
def _to_statistic(params, x):
    role = _role("to_statistic", params)
    return lambda params, x: role(params, x)


@overload(parameter_gradient)
def _parameter_gradient(params, s, weights, gradient):
    role = _role("parameter_gradient", params)
    return lambda params, s, weights, gradient: role(params, s, weights, gradient)


@overload(expected_parameter_gradient)
def _expected_parameter_gradient(params, x, weights, gradient, fresh):
    role = _role("expected_parameter_gradient", params)
    return lambda params, x, weights, gradient, fresh: role(params, x, weights, gradient, fresh)


@overload(couple)
def _couple(params, coupling, gradient):
    role = _role("couple", params)
    return lambda params, coupling, gradient: role(params, coupling, gradient)


@overload(couples)
def _couples(params):
    answer = _role("COUPLES", params)
    return lambda params: answer


@overload(with_bias)
def _with_bias(params, bias):
    role = _role("with_bias", params)
    return lambda params, bias: role(params, bias)
