"""Real data on their way to units within [-1, 1]: the range in which they lie, and its map."""

from ebm._checks import Array
from ebm._values import ROUNDING
from ebm.sklearn_compat._shared._validation import EXTRAPOLATION, warn_outside, warn_user
from ebm.units import Bernoulli, Spin, Unit

UNITS: dict[tuple[float, float], Unit] = {(0.0, 1.0): Bernoulli(), (-1.0, 1.0): Spin()}


def range_of(X: Array) -> tuple[float, float]:
    """The range in which the data lie: [0, 1], [-1, 1], or with a warning their own."""
    low, high = float(X.min()), float(X.max())
    if low >= -1 - ROUNDING and high <= 1 + ROUNDING:
        return (0.0, 1.0) if low >= -ROUNDING else (-1.0, 1.0)
    warn_user(
        f"X holds values between {low:g} and {high:g}, which are mapped to [-1, 1] as a whole. Scale it first, for "
        "example with sklearn.preprocessing.MinMaxScaler.",
        UserWarning,
    )
    return low, high if high > low else low + max(1.0, abs(low))


def check_range(X: Array, range_: tuple[float, float]) -> None:
    """One warning for rows that are not of the range of the training data, but of another."""
    low, high = range_
    if range_ in UNITS:
        warn_outside(UNITS[range_], X, slack=EXTRAPOLATION)
        return
    slack = EXTRAPOLATION * (high - low)
    if X.min() < low - slack or X.max() > high + slack:
        warn_user(
            f"X holds values between {X.min():g} and {X.max():g}, but the training data lie between {low:g} and "
            f"{high:g}. Scale it as those.",
            UserWarning,
        )


def to_signed(X: Array, range_: tuple[float, float]) -> Array:
    """`X` with the range mapped to [-1, 1]; the same object if that is its range."""
    low, high = range_
    if (low, high) == (-1.0, 1.0):
        return X
    number = X.dtype.type
    return (X - number(low)) * number(2 / (high - low)) - number(1)
