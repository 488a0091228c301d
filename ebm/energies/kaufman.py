"""Log Z of the Ising model on a square torus without a field, in closed form (Kaufman 1949).

For m rows of n spins, with K = beta J between rows and K' = beta J' within a row, both positive,

    Z = (2 sinh 2K)^(mn/2) / 2 * [prod 2 cosh(m g_odd / 2) + prod 2 sinh(m g_odd / 2)
                                  + prod 2 cosh(m g_even / 2) + prod 2 sinh(m g_even / 2)],

where each product has n factors, g_odd are g_1, g_3, ..., g_(2n-1), g_even are g_0, g_2, ..., g_(2n-2), and

    cosh g_l = cosh 2K* cosh 2K' - sinh 2K* sinh 2K' cos(pi l / n),     tanh K* = exp(-2K),     g_0 = 2 (K' - K*).

The last product changes its sign at the critical point, where g_0 = 0. Of a torus of even sides the sign of the
couplings does not matter: every second spin can be turned round.
"""

from collections.abc import Iterator

import numpy as np

from ebm._checks import Array
from ebm.units import TwoState

# Beyond this K the hyperbolic functions overflow; such models are left to other methods.
MAX_K = 150.0


# # Fields below this fraction of the sum of their terms' sizes are rounding errors.
ROUNDING = 1e-13


def zero_field_log_partition(unit: TwoState, J: Array, bias: Array, beta: float) -> float | None:
    """Log Z(beta) of units with the couplings `J` (units, units) if, as spins, they are a uniform torus without fields.

    None for anything else. With x = scale s + shift, the couplings of the spins s are scale^2 J, and their fields
    scale (b + shift J1).
    """
    low, high = unit.states or ()
    scale, shift = (high - low) / 2, (high + low) / 2
    pull = J.sum(axis=1)
    fields, size = bias + shift * pull, np.abs(bias) + np.abs(shift * pull)
    if np.any(np.abs(fields) > ROUNDING * size):
        return None
    found = as_torus(J)
    if found is None or beta * scale**2 * max(found[:2]) > MAX_K:
        return None
    K, K_within = (beta * scale**2 * x for x in found[:2])
    constant = beta * shift * float(shift * pull.sum() / 2 + bias.sum())
    return torus_log_partition(K, K_within, *found[2:]) + constant


def torus_log_partition(K: float, K_within: float, n_rows: int, n_columns: int) -> float:
    """Log Z of `n_rows` times `n_columns` spins, both couplings (times beta) positive."""
    dual = -0.5 * np.log(np.tanh(K))
    angles = np.pi * np.arange(2 * n_columns) / n_columns
    # 2 sinh(g/2)^2 = cosh g - 1, without the cancellation.
    squares = np.sinh(K_within - dual) ** 2
    squares = squares + np.sinh(2 * K_within) / np.sinh(2 * K) * np.sin(angles / 2) ** 2
    halves = n_rows * np.arcsinh(np.sqrt(squares))
    halves[0] = n_rows * (K_within - dual)
    terms = []
    for x in (halves[1::2], halves[::2]):
        size = np.abs(x).sum()
        with np.errstate(divide="ignore"):  # at the critical point g_0 = 0 and the product vanishes
            sinh = size + np.log(-np.expm1(-2 * np.abs(x))).sum()
        terms += [(size + np.log1p(np.exp(-2 * np.abs(x))).sum(), 1.0), (sinh, _sign(x[0]))]
    logs, signs = np.array(terms).T
    top = logs.max()
    total = top + np.log(signs @ np.exp(logs - top)) - np.log(2)
    return float(total + 0.5 * n_rows * n_columns * np.log(2 * np.sinh(2 * K)))


def _sign(x: float) -> float:
    return -1.0 if x < 0 else 1.0


def as_torus(J: Array) -> tuple[float, float, int, int] | None:
    """Couplings between rows and within a row, rows and columns, if the spins' `J` (units, units) are a uniform torus.

    Units are numbered row by row. Couplings are returned as positive where their sign does not matter. None for any
    other graph, and for a torus with a side of one or with a negative coupling around an odd side.
    """
    n = len(J)
    degree = np.count_nonzero(J[:1])
    if n < 4 or not 2 <= degree <= 4 or np.count_nonzero(J) != degree * n:
        return None
    for n_rows, n_columns in _sides(n):
        below, right = float(J[0, n_columns % n]), float(J[0, 1])
        frustrated = (below < 0 and n_rows % 2) or (right < 0 and n_columns % 2)
        if below and right and not frustrated and _is_torus(J, below, right, n_rows, n_columns):
            # Two units that are connected both ways round have twice the coupling.
            return (
                abs(below) / (2 if n_rows == 2 else 1),
                abs(right) / (2 if n_columns == 2 else 1),
                n_rows,
                n_columns,
            )
    return None


def _sides(n: int) -> Iterator[tuple[int, int]]:
    return ((n // m, m) for m in range(2, n // 2 + 1) if n % m == 0)


def _is_torus(J: Array, below: float, right: float, n_rows: int, n_columns: int) -> bool:
    numbers = np.arange(len(J)).reshape(n_rows, n_columns)
    for coupling, axis, length in ((below, 0, n_rows), (right, 1, n_columns)):
        there = np.roll(numbers, -1, axis)
        if length > 1 and not np.all(J[numbers, there] == coupling):
            return False
    return int(np.count_nonzero(J)) == len(J) * ((n_rows > 2) + (n_columns > 2) + 2)
