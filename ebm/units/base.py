"""The contract of a type of unit, and base classes for units of one energy or of two states.

The formulas are those of :mod:`ebm.units`.
"""

import abc
from typing import Any, ClassVar

import numpy as np

from ebm._checks import Array, Settings
from ebm._kernels import units as kernels
from ebm._random import Key
from ebm._sparse import is_sparse, scaled
from ebm._values import BITS, ROUNDING, invalid_states

Bounds = dict[str, dict[str, tuple[Array, Array]]]  # lower and upper, by layer and parameter


def confined(layers: "dict[str, tuple[Unit, Any]]", bounds: Bounds) -> bool:
    """Bring the own parameters of named `layers` back within `bounds`, in place; False if one passed an upper bound."""
    inside = True
    for layer, named in bounds.items():
        for name, (low, high) in named.items():
            values = getattr(layers[layer][1], name)
            inside = inside and bool((values <= high).all())
            np.clip(values, low, high, out=values)
    return inside


class Unit(Settings, abc.ABC):
    """One type of unit (abstract). Functions take `params`, the layer's parameters, and leave their arguments alone.

    Parameters are arrays that are learned, or given as those of a Gaussian unit's variance may be. Constants, such as
    a number of trials or the sizes of groups, are fields of the unit.

    Attributes
    ----------
    fields : tuple of str
        Names of the layer's parameters, the bias first.
    states : tuple of float or None
        All states of one unit, in order, or None when they are not finitely many.
    is_real : bool
        Whether the states are real numbers, so that probabilities are densities, which may exceed one.
    has_scale : bool
        Whether the distribution has a location and a scale, as that of Gaussian units. Learning is then of the states
        less the mean of the data, in the unit of measurement of the data (see :meth:`scale`).
    bounded : bool
        Whether the states lie within bounds.
    one_sided : bool
        Whether the states have a lower bound alone, and the mean grows with the exponential of the input, as of counts.
        Such layers have a distribution beside others without bounds only if weights are of one sign, or zero.
    pace : float
        Learning rate beside that of {0, 1} units: log p(x) moves by the rate times the squares of states and their
        variances, which is four times as far for spins.
    activation : str or None
        Name of the activation of a network that is the mean given the input, if there is one.
    is_normal : bool
        Whether the distribution given the input is a normal one, so that two layers of such units have a normal joint
        distribution.
    """

    parameters: ClassVar[Any]
    states: ClassVar[tuple[float, ...] | None] = None
    is_real: ClassVar[bool] = False
    has_scale: ClassVar[bool] = False
    bounded: ClassVar[bool] = True
    one_sided: ClassVar[bool] = False
    pace: ClassVar[float] = 1.0
    activation: ClassVar[str | None] = None
    is_normal: ClassVar[bool] = False

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the layer's parameters, the bias first."""
        return tuple(self.parameters._fields)

    def compiled(self, params: Any) -> Any:
        """The arguments of compiled functions in the place of `params`: the parameters with the unit's constants."""
        return params

    def is_free(self, field: str) -> bool:
        """Whether the parameter of that name is learned; the others keep their values."""
        return True

    @abc.abstractmethod
    def initial(self, mean: Array, variance: Array, count: float) -> Any:
        """Parameters at which a layer without input has about the given `mean` and `variance` (units,).

        `count` is the number of observations behind them.
        """

    def neutral(self, n_units: int, dtype: Any) -> Any:
        """Parameters of a layer about which nothing is known: all zero."""
        return self.parameters(*(np.zeros(n_units, dtype) for _ in self.fields))

    @abc.abstractmethod
    def energy(self, params: Any, x: Array) -> Array:
        """U(x), summed over the units: (rows, units) -> (rows,) in double precision."""

    def columns(self, x: Array) -> "list[tuple[Unit, Array]]":
        """The parts of a layer that are of one type each, with the states `x` (rows, units) of theirs."""
        return [(self, x)]

    def restricted(self, units: Array) -> "Unit":
        """The type of some of the `units`, a mask (units,), of a layer of this type."""
        return self

    def scale(self, params: Any) -> Array | None:
        """Squared unit of measurement of each unit (units,), or None without `has_scale`.

        Learning moves W_ij and b_i in these units, so that it does not depend on those of the data.
        """
        return None

    def narrowed(self, params: Any, precision: Array) -> Any:
        """Parameters with `precision` (units,) added to the inverse squares of learned scales; else those given."""
        return params

    def parameter_derivatives(self, params: Any, x: Array) -> dict[str, Array]:
        """-dU/dtheta (rows, units) at the states `x`, for each learned parameter theta but the bias.

        The derivative by the bias is s(x), up to a constant.
        """
        return {}

    def mean_derivatives(self, params: Any, inputs: Array) -> dict[str, Array]:
        """The expectations of :meth:`parameter_derivatives` given the inputs, at beta = 1.

        Not the derivatives at the means: the two differ wherever the variance given the input depends on the input.
        """
        return {}

    def statistic_slopes(self, params: Any) -> dict[str, Array]:
        """Slopes d log s / dtheta (units,) by parameters of the statistic, which is linear: ds/dtheta = slope s."""
        return {}

    def bounds(self, params: Any) -> dict[str, tuple[Array, Array]]:
        """Smallest and largest values (units,) of parameters that have them, for learning that starts at `params`.

        Parameters that reach the lower bound stay there; beyond the upper one they have diverged.
        """
        return {}

    @abc.abstractmethod
    def tempered(self, params: Any, beta: float) -> tuple[Any, float]:
        """Parameters whose energy is beta U, and their statistic's factor beside that of `params`."""

    @abc.abstractmethod
    def between(self, first: Any, last: Any, t: float) -> tuple[Any, Array | None, float]:
        """Parameters, ratio and constant of the geometric mean of two distributions.

        The energy (1 - t) U_first + t U_last is that of the parameters plus the constant, summed over the units; with
        the ratio (units,), s_last(x) = ratio s(x), where s is the parameters' own statistic; None stands for ones.
        """

    def losses(self, n_units: int) -> list[tuple[str, int]]:
        """Losses of a network whose predictions are the means of the units, by name, and how many units each is for.

        The prediction is the mean at the input of the unit: the output of the network without the bias. ValueError if
        there is no such loss.
        """
        raise ValueError(
            f"No loss has the mean of {self!r} units as its prediction, so that no decoder can end in them."
        )

    def nodes(self, params: Any, low: Array, high: Array) -> list[tuple[Array, Array]] | None:
        """States of each unit and logarithms of their weights: a sum over these stands for that over all states.

        This holds for every input from `low` to `high` (units,). Units of infinitely many states list those that count,
        or the nodes of a quadrature. None if there is no such list. Pseudo-likelihoods need it.
        """
        if self.states is None:
            return None
        states = np.array(self.states)
        return [(states, np.zeros(len(states)))] * len(params.bias)

    def energy_difference(self, first: Any, last: Any, x: Array) -> Array:
        """U_last(x) - U_first(x), summed over the units: (rows, units) -> (rows,) in double precision."""
        return self.energy(last, x) - self.energy(first, x)

    def span(self, params: Any) -> tuple[Any, Any]:
        """A low and a high state that are far apart; of units with a scale, in standard deviations around the bias."""
        if self.states is None:
            raise TypeError(f"{self!r}: units of infinitely many states have a span of their own.")
        return self.states[0], self.states[-1]

    def least_variance(self, params: Any, mean: Array) -> Any:
        """A lower bound of the variance of units that have the `mean` (rows, units), which two states have exactly."""
        if self.states is None or len(self.states) > 2:
            raise TypeError(
                f"{self!r}: only two states have the variance that follows from the mean."
            )
        low, high = self.span(params)
        return (mean - low) * (high - mean)

    @abc.abstractmethod
    def invalid(self, x: Array, slack: float = ROUNDING) -> str:
        """Say why `x` holds what this unit cannot be, or '' when it is fine (NaN is fine: it marks the unknown).

        Means of states are fine, and what goes beyond them by the `slack`, in distances of two states.
        """

    def impossible(self, x: Array) -> str:
        """Say why `x` holds what is no state to hold a unit at, or ''."""
        return self.invalid(x)

    def statistic(self, params: Any, x: Any) -> Any:
        """s(x): (rows, units) -> (rows, units); of CSR rows, a CSR matrix."""
        if is_sparse(x):  # linear: the state times a number of the unit's
            return scaled(x, self.statistic(params, np.ones((1, x.shape[1]), x.dtype))[0])
        out = np.array(x, order="C")
        kernels.to_statistic(self.compiled(params), out)
        return out

    def mean(self, params: Any, inputs: Array, beta: float = 1.0) -> Array:
        """E[x | input]: (rows, units) -> (rows, units)."""
        out = np.array(inputs, order="C")
        kernels.mean(self.compiled(params), out, beta)
        return out

    def sample(
        self, params: Any, inputs: Array, key: Key, beta: float = 1.0, first_row: int = 0
    ) -> Array:
        """Independent draws from p(x | input): row r draws the numbers of row ``first_row + r`` of `key`."""
        out = np.array(inputs, order="C")
        kernels.sample(self.compiled(params), out, beta, key[0], key[1], first_row)
        return out

    def log_normaliser(self, params: Any, inputs: Array, beta: float = 1.0) -> Array:
        """A(input), summed over the units: (rows, units) -> (rows,) in double precision."""
        out = np.zeros(len(inputs))
        if inputs.shape[1]:  # kernels read the type of the first unit's numbers
            kernels.log_normaliser(self.compiled(params), np.ascontiguousarray(inputs), beta, out)
        return out


class Linear(Unit):
    """Units with the own energy -b x (abstract); the weights multiply the states themselves."""

    def energy(self, params: Any, x: Array) -> Array:
        """-b'x."""
        energy: Array = -(x.astype(np.float64) @ params.bias.astype(np.float64))
        return energy

    def tempered(self, params: Any, beta: float) -> tuple[Any, float]:
        """Beta b; the statistic has no parameter."""
        return params._replace(bias=beta * params.bias), 1.0

    def between(self, first: Any, last: Any, t: float) -> tuple[Any, None, float]:
        """(1 - t) b_first + t b_last."""
        return last._replace(bias=(1 - t) * first.bias + t * last.bias), None, 0.0

    def energy_difference(self, first: Any, last: Any, x: Array) -> Array:
        """-(b_last - b_first)'x, without a copy of `x` in double precision."""
        difference: Array = (x @ (first.bias - last.bias)).astype(np.float64)
        return difference


class TwoState(Linear):
    """Units with two states (abstract)."""

    allowed: ClassVar[str]

    def invalid(self, x: Array, slack: float = ROUNDING) -> str:
        """The states of the other alphabet, or values outside of the states; those between are read as means."""
        return invalid_states(x, self.states or BITS, type(self).__name__, self.allowed, slack)

    def log_odds(self, mean: Array, count: float) -> Array:
        """Of the higher state, with half an observation of either added (Jeffreys' prior): always finite."""
        low, high = self.states or ()
        highs = np.clip((mean - low) / (high - low), 0, 1) * count
        odds: Array = np.log((highs + 0.5) / (count - highs + 0.5)).astype(mean.dtype)
        return odds
