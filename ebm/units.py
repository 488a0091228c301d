"""What one unit is: its states, its energy, and its law given the input from the layers it is joined to.

A layer of units x has the own energy U(x) and a *statistic* s(x), linear in x, through which weights see it:

    E(x, y) = U(x) + U(y) - s(x)' W s(y).

Given its *input* f = W s(y), summed over all joined layers, each unit (or group of units) is independent of the others
and follows an exponential-family law with log-normaliser A,

    p(x | f) = exp(-beta [U(x) - s(x)' f] - A(f)),      A(f) = log sum_x exp(-beta [U(x) - s(x)' f]).

The units say nothing of how many layers there are; beta is the inverse temperature. A layer's own parameters are a
NamedTuple of arrays (units,), with the field ``bias`` first; the gradient by them has the same type.

=========  ===========================  ====================  =============================================
unit       own energy U(x)              statistic s(x)        states
=========  ===========================  ====================  =============================================
Bernoulli  -b x                         x                     {0, 1}
Spin       -b x                         x                     {-1, +1}
Gaussian   (x - b)^2 / (2 sigma^2)      x / sigma^2           real line
OneHot     -b x                         x                     {0, 1}, exactly one unit of each group being 1
=========  ===========================  ====================  =============================================

A unit class is abstract (:class:`Unit`) or final. To add one: the compiled functions (``ebm/_kernels/NAME.py``, entered
in ``ebm/_kernels/units.py``) and a class here, entered in :data:`UNITS` if layers of any size are made of it.
"""

import abc
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from ebm._arrays import as_numbers
from ebm._checks import Array, Record, check_integer, check_real, extent, varies
from ebm._kernels import units as kernels
from ebm._kernels.bernoulli import BernoulliParameters
from ebm._kernels.gaussian import GaussianParameters
from ebm._kernels.one_hot import OneHotParameters
from ebm._kernels.spin import SpinParameters
from ebm._random import Key
from ebm._sparse import blocks, is_sparse, scaled
from ebm._values import BITS, ROUNDING, SPINS, States, consists_of, invalid_groups, invalid_states

TOTAL_TOLERANCE = 1e-3  # how far the probabilities of a group may be from summing to one
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


class Unit(Record, abc.ABC):
    """One type of unit (abstract). Functions take `own`, the layer's parameters, and leave their arguments alone.

    Attributes
    ----------
    fields : tuple of str
        Names of the layer's parameters, the bias first.
    states : tuple of float or None
        All states of one unit, in order, or None when they are not finitely many.
    has_scale : bool
        Whether the states are measured in a unit of the data's (see :meth:`scale`), or count in ones.
    constant_variance : bool
        Whether the variance given the input does not depend on it.
    """

    parameters: ClassVar[Any]
    states: ClassVar[tuple[float, ...] | None] = None
    has_scale: ClassVar[bool] = False
    constant_variance: ClassVar[bool] = False

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the layer's parameters, the bias first."""
        return tuple(self.parameters._fields)

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
    def energy(self, own: Any, x: Array) -> Array:
        """U(x), summed over the units: (rows, units) -> (rows,) in double precision."""

    def scale(self, own: Any) -> Array | None:
        """Squared unit of measurement of each unit (units,), or None without `has_scale`.

        Learning moves W_ij and b_i in these units, so that it does not depend on those of the data.
        """
        return None

    def narrowed(self, own: Any, precision: Array) -> Any:
        """Parameters with `precision` (units,) added to the inverse squares of learned scales; else those given."""
        return own

    def own_derivatives(self, own: Any, x: Array) -> dict[str, Array]:
        """-dU/dtheta (rows, units) at the states `x`, for each parameter theta but the bias."""
        return {}

    def mean_derivatives(self, own: Any, inputs: Array) -> dict[str, Array]:
        """The expectations of :meth:`own_derivatives` given the inputs, at beta = 1."""
        return {}

    def bounds(self, own: Any) -> dict[str, tuple[Array, Array]]:
        """Smallest and largest values (units,) of parameters that have them, for learning that starts at `own`.

        What reaches the lower bound stays there; what passes the upper one has diverged.
        """
        return {}

    @abc.abstractmethod
    def tempered(self, own: Any, beta: float) -> tuple[Any, float]:
        """Parameters whose energy is beta U, and the factor by which their statistic is larger than that of `own`."""

    @abc.abstractmethod
    def between(self, first: Any, last: Any, t: float) -> tuple[Any, Array | None, float]:
        """Parameters, ratio and constant of the geometric mean of two laws.

        The energy (1 - t) U_first + t U_last is that of the parameters plus the constant, summed over the units; with
        the ratio (units,), s_last(x) = ratio s(x), where s is the parameters' own statistic; None stands for ones.
        """

    def energy_difference(self, first: Any, last: Any, x: Array) -> Array:
        """U_last(x) - U_first(x), summed over the units: (rows, units) -> (rows,) in double precision."""
        return self.energy(last, x) - self.energy(first, x)

    @abc.abstractmethod
    def invalid(self, x: Array, slack: float = ROUNDING) -> str:
        """Say why `x` holds what this unit cannot be, or '' when it is fine (NaN is fine: it marks the unknown).

        Means of states are fine, and what goes beyond them by the `slack`, in distances of two states.
        """

    def impossible(self, x: Array) -> str:
        """Say why `x` holds what is no state to hold a unit at, or ''."""
        return self.invalid(x)

    def statistic(self, own: Any, x: Any) -> Any:
        """s(x): (rows, units) -> (rows, units); of CSR rows, a CSR matrix."""
        if is_sparse(x):  # linear: the state times a number of the unit's
            return scaled(x, self.statistic(own, np.ones((1, x.shape[1]), x.dtype))[0])
        out = np.array(x, order="C")
        kernels.to_statistic(own, out)
        return out

    def mean(self, own: Any, inputs: Array, beta: float = 1.0) -> Array:
        """E[x | input]: (rows, units) -> (rows, units)."""
        out = np.array(inputs, order="C")
        kernels.mean(own, out, beta)
        return out

    def sample(
        self, own: Any, inputs: Array, key: Key, beta: float = 1.0, first_row: int = 0
    ) -> Array:
        """Independent draws from p(x | input): row r draws the numbers of row ``first_row + r`` of `key`."""
        out = np.array(inputs, order="C")
        kernels.sample(own, out, beta, key[0], key[1], first_row)
        return out

    def log_normaliser(self, own: Any, inputs: Array, beta: float = 1.0) -> Array:
        """A(input), summed over the units: (rows, units) -> (rows,) in double precision."""
        out = np.zeros(len(inputs))
        if inputs.shape[1]:  # kernels read the type of the first unit's numbers
            kernels.log_normaliser(own, np.ascontiguousarray(inputs), beta, out)
        return out


class Linear(Unit):
    """Units with the own energy -b x (abstract); the weights multiply the states themselves."""

    def energy(self, own: Any, x: Array) -> Array:
        """-b'x."""
        energy: Array = -(x.astype(np.float64) @ own.bias.astype(np.float64))
        return energy

    def tempered(self, own: Any, beta: float) -> tuple[Any, float]:
        """Beta b; the statistic has no parameter."""
        return own._replace(bias=beta * own.bias), 1.0

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


@dataclass(frozen=True, repr=False)
class Bernoulli(TwoState):
    """Binary units with the states 0 and 1: p(x = 1 | f) = sigmoid(beta (b + f))."""

    parameters: ClassVar[Any] = BernoulliParameters
    states: ClassVar[States | None] = BITS
    allowed: ClassVar[str] = "0, 1, or probabilities"

    def initial(self, mean: Array, variance: Array, count: float) -> BernoulliParameters:
        """Log-odds of the mean."""
        return BernoulliParameters(self.log_odds(mean, count))


@dataclass(frozen=True, repr=False)
class Spin(TwoState):
    """Units with the states -1 and +1: E[x | f] = tanh(beta (b + f))."""

    parameters: ClassVar[Any] = SpinParameters
    states: ClassVar[States | None] = SPINS
    allowed: ClassVar[str] = "-1, +1, or means"

    def initial(self, mean: Array, variance: Array, count: float) -> SpinParameters:
        """Half the log-odds of the mean."""
        return SpinParameters(self.log_odds(mean, count) / 2)

    def impossible(self, x: Array) -> str:
        """Anything but -1 and +1: a mean of zero cannot be told from the bit 0."""
        reason = self.invalid(x)
        if reason or consists_of(x, SPINS):
            return reason
        return "values other than -1 and +1, the states of a Spin unit"


@dataclass(frozen=True, repr=False)
class OneHot(Linear):
    """Bernoulli units, followed by groups of {0, 1} units of which exactly one each is on: labels, Potts variables.

        p(x_k = 1 | f) = exp(beta (b_k + f_k)) / sum_l exp(beta (b_l + f_l))    over the units l of k's group.

    Which unit belongs to which group is a parameter that is not learned: to all else the units of a layer are alike.

    Parameters
    ----------
    sizes : tuple of int, default=(2,)
        Units of each group, at least 2; the last ``sum(sizes)`` units of a layer are those of the groups, in order.
    """

    parameters: ClassVar[Any] = OneHotParameters
    sizes: tuple[int, ...] = (2,)

    def __post_init__(self) -> None:
        if not isinstance(self.sizes, tuple) or not self.sizes:
            raise ValueError(f"sizes must be a tuple of integers. Got {self.sizes!r} instead.")
        for size in self.sizes:
            check_integer(size, "sizes", 2)

    @property
    def n_grouped(self) -> int:
        """How many units are in groups."""
        return sum(self.sizes)

    def groups(self, n_units: int) -> list[slice]:
        """Where in a layer of `n_units` the units of each group are."""
        ends = n_units - self.n_grouped + np.cumsum([0, *self.sizes])
        return [slice(int(a), int(b)) for a, b in pairwise(ends)]

    def is_free(self, field: str) -> bool:
        """The biases are learned."""
        return field == "bias"

    def extra_states(self, n_extra: int) -> Array:
        """All states (states, n_extra) of the last `n_extra` units, which must be those of the groups."""
        if n_extra != self.n_grouped:
            raise ValueError(f"sizes={self.sizes} are {self.n_grouped} units. Got {n_extra}.")
        chosen = np.indices(self.sizes).reshape(len(self.sizes), -1)
        return np.hstack([np.eye(n)[k] for n, k in zip(self.sizes, chosen, strict=True)])

    def initial(self, mean: Array, variance: Array, count: float) -> OneHotParameters:
        """Log-odds of the mean; in the groups, logarithms of frequencies, with half an observation of each added."""
        own = self.neutral(len(mean), mean.dtype)
        own.bias[:] = Bernoulli().log_odds(mean, count)
        for group in self.groups(len(mean)):
            counts = np.clip(mean[group], 0, 1) * count + 0.5
            own.bias[group] = np.log(counts / counts.sum())
        return own

    def neutral(self, n_units: int, dtype: Any) -> OneHotParameters:
        """Zero biases, and the groups' numbers."""
        if n_units < self.n_grouped:
            raise ValueError(f"sizes={self.sizes} are more units than the {n_units} of the layer.")
        number = np.zeros(n_units, dtype)
        for k, group in enumerate(self.groups(n_units)):
            number[group] = k + 1
        return OneHotParameters(np.zeros(n_units, dtype), number)

    def invalid(self, x: Array, slack: float = ROUNDING) -> str:
        """Values outside [0, 1], groups that do not sum to one, or are known in part; between are probabilities."""
        reason = Bernoulli().invalid(x, slack)
        if reason or x.ndim < 2:  # entries of a sparse matrix, of which no sums are known
            return reason
        return invalid_groups(x, self.groups(x.shape[1]), TOTAL_TOLERANCE)


@dataclass(frozen=True, repr=False)
class Gaussian(Unit):
    """Real units: x | f ~ N(b + f, sigma^2 / beta), parametrised by z = log sigma^2.

    Parameters
    ----------
    variance : {"learned", "unit"} or array-like of shape (units,) or float, default="learned"
        "learned": starts at the data's variances and follows the gradient. "unit": one, fixed. Numbers: given, fixed.
    floor : float, default=1e-3
        Smallest learned variance, as a fraction of the variance that learning starts from. Where a feature can be
        predicted without error the likelihood has no maximum: its variance would go to zero. A variance that grows by
        the inverse of it is taken for divergence.
    """

    parameters: ClassVar[Any] = GaussianParameters
    has_scale: ClassVar[bool] = True
    constant_variance: ClassVar[bool] = True
    variance: Any = "learned"
    floor: float = 1e-3

    def __post_init__(self) -> None:
        check_real(self.floor, "floor", 0.0, 1.0, open_low=True)
        word = isinstance(self.variance, str)
        if word and self.variance in ("learned", "unit"):
            return
        given = np.zeros(1) if word else as_numbers(self.variance, "variance")
        if given.ndim > 1 or not np.all(np.isfinite(given)) or not np.all(given > 0):
            raise ValueError(
                "variance must be 'learned', 'unit', or positive numbers, one per unit or one for all. "
                f"Got {self.variance!r} instead."
            )

    def is_free(self, field: str) -> bool:
        """The log-variance is learned only where asked."""
        return field != "log_variance" or (
            isinstance(self.variance, str) and self.variance == "learned"
        )

    def initial(self, mean: Array, variance: Array, count: float) -> GaussianParameters:
        """The mean itself, and the variance where it is learned (one for constant features)."""
        z = self.neutral(len(mean), mean.dtype).log_variance
        if self.is_free("log_variance"):
            known = varies(mean, variance, mean.dtype)
            z = np.log(np.where(known, variance, 1)).astype(mean.dtype)
        return GaussianParameters(mean.copy(), z)

    def neutral(self, n_units: int, dtype: Any) -> GaussianParameters:
        """Mean zero; variance one, or as given."""
        z = np.zeros(n_units, dtype)
        if not isinstance(self.variance, str):
            given = np.asarray(self.variance, dtype=np.float64)
            if given.ndim == 1 and len(given) != n_units:
                raise ValueError(
                    f"variance has {len(given)} entries, but the layer has {n_units} units."
                )
            z[:] = np.log(given)
        return GaussianParameters(np.zeros(n_units, dtype), z)

    def energy(self, own: GaussianParameters, x: Array) -> Array:
        """Sum (x - b)^2 / (2 sigma^2)."""
        if is_sparse(x):  # no zero of x is one here: the sum is over all units anyway
            return np.concatenate([self.energy(own, block) for _, block in blocks(x)])
        precision = np.exp(-own.log_variance.astype(np.float64))
        energy: Array = 0.5 * (x.astype(np.float64) - own.bias) ** 2 @ precision
        return energy

    def tempered(self, own: GaussianParameters, beta: float) -> tuple[GaussianParameters, float]:
        """The variance is divided by beta, and so x / sigma^2 grows by the factor beta."""
        z = own.log_variance - np.log(own.log_variance.dtype.type(beta))
        return GaussianParameters(own.bias, z), beta

    def between(
        self, first: GaussianParameters, last: GaussianParameters, t: float
    ) -> tuple[GaussianParameters, Array, float]:
        """Precisions, and means times precisions, are mixed."""
        p = (1 - t) * np.exp(-first.log_variance.astype(np.float64))
        q = t * np.exp(-last.log_variance.astype(np.float64))
        b = (p * first.bias + q * last.bias) / (p + q)
        squares = p * first.bias.astype(np.float64) ** 2 + q * last.bias.astype(np.float64) ** 2
        constant = 0.5 * float(np.sum(squares - (p + q) * b**2))
        dtype = last.bias.dtype
        ratio = np.exp(-last.log_variance) / (p + q)
        own = GaussianParameters(b.astype(dtype), -np.log(p + q).astype(dtype))
        return own, ratio.astype(dtype), constant

    def scale(self, own: GaussianParameters) -> Array:
        """sigma^2, the inverse Fisher information of the mean."""
        variance: Array = np.exp(own.log_variance)
        return variance

    def narrowed(self, own: GaussianParameters, precision: Array) -> GaussianParameters:
        """1 / sigma^2 + precision, of variances that are learned."""
        if not self.is_free("log_variance"):
            return own
        z = own.log_variance - np.log1p(precision * np.exp(own.log_variance.astype(np.float64)))
        return own._replace(log_variance=z.astype(own.log_variance.dtype))

    def own_derivatives(self, own: GaussianParameters, x: Array) -> dict[str, Array]:
        """By z: (x - b)^2 / (2 sigma^2)."""
        return {"log_variance": (x - own.bias) ** 2 / (2 * np.exp(own.log_variance))}

    def mean_derivatives(self, own: GaussianParameters, inputs: Array) -> dict[str, Array]:
        """By z: (f^2 + sigma^2) / (2 sigma^2)."""
        return {"log_variance": inputs**2 / (2 * np.exp(own.log_variance)) + 0.5}

    def bounds(self, own: GaussianParameters) -> dict[str, tuple[Array, Array]]:
        """The floor on a learned variance, and its inverse as the ceiling."""
        if not self.is_free("log_variance"):
            return {}
        z, span = own.log_variance, own.log_variance.dtype.type(np.log(self.floor))
        return {"log_variance": (z + span, z - span)}

    def invalid(self, x: Array, slack: float = ROUNDING) -> str:
        """Infinities."""
        return "infinite values" if np.isinf(extent(x)).any() else ""


UNITS: dict[str, type[Unit]] = {"bernoulli": Bernoulli, "spin": Spin, "gaussian": Gaussian}
