"""One type of unit: its states, its energy, and its distribution given the input from the layers it is connected to.

A layer of units x has the own energy U(x) and a *statistic* s(x), linear in x, through which weights see it:

    E(x, y) = U(x) + U(y) - s(x)' W s(y).

Given its *input* f = W s(y), summed over all connected layers, each unit (or group of units) is independent of the
others and follows an exponential-family distribution with log-normaliser A,

    p(x | f) = exp(-beta [U(x) - s(x)' f] - A(f)),      A(f) = log sum_x exp(-beta [U(x) - s(x)' f]).

The units say nothing of how many layers there are; beta is the inverse temperature. A layer's own parameters are a
NamedTuple of arrays (units,), with the field ``bias`` first; the gradient by them has the same type.

===========  ===========================  ====================  =============================================
unit         own energy U(x)              statistic s(x)        states
===========  ===========================  ====================  =============================================
Bernoulli    -b x                         x                     {0, 1}
Spin         -b x                         x                     {-1, +1}
Gaussian     (x - b)^2 / (2 sigma^2)      x / sigma^2           real line
Categorical  -b x                         x                     {0, 1}, exactly one unit of each group being 1
Poisson      log x! - b x                 x                     0, 1, 2, ...
Binomial     -log (n choose x) - b x      x                     0, 1, ..., n
===========  ===========================  ====================  =============================================

A unit class is abstract (:class:`Unit`) or final. To add one: the compiled functions (``ebm/_kernels/NAME.py``, entered
in ``ebm/_kernels/units.py``) and a class in a file beside this one, entered in :data:`UNITS` if layers of any size are
made of it.
"""

from ebm.units.base import Bounds, Linear, TwoState, Unit, confined
from ebm.units.bernoulli import Bernoulli
from ebm.units.binomial import Binomial
from ebm.units.categorical import Categorical
from ebm.units.counts import Counts
from ebm.units.gaussian import Gaussian
from ebm.units.groups import TOTAL_TOLERANCE, Groups
from ebm.units.one_hot import OneHot
from ebm.units.poisson import Poisson
from ebm.units.spin import Spin

__all__ = [
    "TOTAL_TOLERANCE",
    "UNITS",
    "Bernoulli",
    "Binomial",
    "Bounds",
    "Categorical",
    "Counts",
    "Gaussian",
    "Groups",
    "Linear",
    "OneHot",
    "Poisson",
    "Spin",
    "TwoState",
    "Unit",
    "confined",
]

UNITS: dict[str, type[Unit]] = {
    "bernoulli": Bernoulli,
    "spin": Spin,
    "gaussian": Gaussian,
    "poisson": Poisson,
    "binomial": Binomial,
}
