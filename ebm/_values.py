"""The values that an array holds: how far they reach, and of which alphabet of two states they are.

Bits {0, 1} and spins {-1, +1} are different states, and on them the same parameters mean different distributions. Rows
of the other alphabet are recognised by the one state that only it has.
"""

import numpy as np

from ebm._arrays import Array, extent

States = tuple[float, ...]
BITS: States = (0.0, 1.0)
SPINS: States = (-1.0, 1.0)
NAMES = {BITS: "0 and 1", SPINS: "-1 and +1"}
# How the states of one alphabet become those of the other.
TRANSLATIONS = {BITS: "2 * {} - 1", SPINS: "({} + 1) / 2"}
# How far beyond a bound rounding may leave what was scaled to it, in either precision.
ROUNDING = 1e-6


def consists_of(x: Array, states: States) -> bool:
    """Whether all entries are among the two `states`, NaN apart."""
    low, high = states
    return bool(((x == low) | (x == high) | np.isnan(x)).all())


def other_alphabet(x: Array, states: States | None) -> States | None:
    """The alphabet that `x` consists of, if it is not that of `states` and not without a state that they lack.

    Ones alone may be either. 0 and 1 among other values between -1 and 1 are means of spins.
    """
    for alphabet in (BITS, SPINS):
        if states not in (alphabet, None) and extent(x)[0] == alphabet[0]:
            return alphabet if consists_of(x, alphabet) else None
    return None


def invalid_states(x: Array, states: States, unit: str, allowed: str, slack: float) -> str:
    """Why `x` holds what units of two `states` cannot be or have as means, or ''; `slack` as in ``Unit.invalid``."""
    found = other_alphabet(x, states)
    if found:
        return f"the values {NAMES[found]}, but {unit} units take {NAMES[states]}"
    (low, high), (least, most) = states, extent(x)
    slack *= high - low
    if least < low - slack or most > high + slack:
        return f"values between {least:g} and {most:g}, but {unit} units take {allowed} in between"
    return ""


def invalid_groups(x: Array, groups: list[slice], tolerance: float, first: int = 0) -> str:
    """Why rows of `x` are no states or means of units of which one of each group is on, or ''.

    `first` is the number of the first column of `x` in the layer, which the `groups` are places in.
    """
    for group in groups:
        states = x[:, group.start - first : group.stop - first]
        total, unknown = states.sum(axis=1, dtype=np.float64), np.isnan(states)
        columns = f"columns {group.start} to {group.stop - 1}"
        if (np.abs(total - 1) > tolerance).any():
            return f"rows whose {columns} do not sum to one, as those of a group have to"
        if (unknown.any(axis=1) & ~unknown.all(axis=1)).any():
            return f"NaN in some of the {columns}, a group that is known as a whole or not at all"
    return ""
