"""Exact sums over the states of a layered model, some layers of which are known.

One color is enumerated and the other one summed out in closed form given it,

    log sum_(unknown) exp(-beta E) = log sum_(unknown x of one color) exp(-beta U(x) + B(x)),

where B is the sum, over the layers of the other color, of the log-normaliser if a layer is unknown, and of
-beta [U - s' f] if it is known. The color with fewer unknown states is enumerated; one with infinitely many cannot be.
With nothing known the sum is log Z, with the visible layers known it is -beta F(v), where the hidden layers may be of
either color.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, prod
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed

from ebm._checks import Array
from ebm._flat import in_double
from ebm.energies.layer_graph import EVEN, ODD
from ebm.energies.layers import LayeredModel, LayeredParameters
from ebm.energies.normal_sums import is_integral, log_integrals
from ebm.units import Groups, Unit

# States of which sums are made on request, and unasked: seconds.
MAX_STATES, MAX_UNASKED = 2.0**25, 2.0**20
# States at a time.
BLOCK = 1 << 12


def unit_states(unit: Unit, n_units: int) -> list[Array] | None:
    """All states (states, units) of each of the independent parts of a layer, side by side; None: infinitely many."""
    if unit.states is not None:
        return [np.array(unit.states, np.float64)[:, np.newaxis]] * n_units
    if isinstance(unit, Groups):
        groups = unit.groups(n_units)
        bits = [np.array([[0.0], [1.0]])] * (n_units - sum(g.stop - g.start for g in groups))
        return bits + [np.eye(g.stop - g.start) for g in groups]
    return None


def listed_states(unit: Unit, n_units: int, codes: Array) -> Array:
    """The states of a layer (codes, n_units) with these numbers, in the order of :func:`unit_states`."""
    parts = []
    for part in unit_states(unit, n_units) or ():
        codes, digits = np.divmod(codes, len(part))
        parts.append(part[digits])
    return np.hstack(parts)


def count_states(model: LayeredModel, layers: list[int]) -> float:
    """How many states the `layers` have together; infinity where there is no end of them."""
    parts = [unit_states(model.layers[k].unit, model.layers[k].size) for k in layers]
    return (
        inf
        if any(p is None for p in parts)
        else float(prod(len(x) for p in parts for x in p or ()))
    )


def unknown(model: LayeredModel, known: Any, color: int) -> list[int]:
    """Numbers of the layers of one color that are not among the `known` ones."""
    return [k for k in model.members[color] if k not in known]


def cheaper_color(model: LayeredModel, known: Any = (), most: float = MAX_STATES) -> int:
    """The color whose unknown layers have fewer states; ValueError beyond so many."""
    counts = [count_states(model, unknown(model, known, color)) for color in (EVEN, ODD)]
    color = int(counts[ODD] < counts[EVEN])
    if counts[color] > most:
        sides = " and ".join(
            f"{', '.join(repr(model.names[k]) for k in unknown(model, known, c))}: {counts[c]:.3g}"
            for c in (EVEN, ODD)
        )
        raise ValueError(
            f"Exact sums take the enumeration of all states of the layers of one color, at most {most:.3g}. "
            f"There are, by colors, {sides}. Use fewer units, or an estimate (method='ais')."
        )
    return color


class Block(NamedTuple):
    """Some terms of the sum.

    Attributes
    ----------
    rows : ndarray of int of shape (terms,)
        To which row each belongs.
    x : ndarray of shape (terms, units)
        States of the enumerated color.
    inputs : ndarray of shape (terms, other units)
        The inputs of the other color from them.
    log_weights : ndarray of shape (terms,)
        The logarithms of the terms.
    """

    rows: Array
    x: Array
    inputs: Array
    log_weights: Array


@dataclass(frozen=True)
class LayerSum:
    """The sum over what is unknown, for each row of the `known` layers (or one row without any).

    Parameters
    ----------
    model, params : LayeredModel, LayeredParameters
        Parameters in double precision.
    known : dict of int to ndarray of shape (rows, units)
        States of layers, by their numbers.
    color : int
        The color of which the unknown states are enumerated.
    beta : float
    n_rows : int
        How many sums there are.
    """

    model: LayeredModel
    params: LayeredParameters
    known: dict[int, Array]
    color: int
    beta: float = 1.0
    n_rows: int = 1

    @property
    def n_states(self) -> int:
        """Terms of each sum."""
        return int(count_states(self.model, unknown(self.model, self.known, self.color)))

    def starts(self) -> range:
        """First terms of the blocks."""
        return range(0, self.n_rows * self.n_states, BLOCK)

    def block(self, start: int) -> Block:
        """The terms from number `start`, row by row."""
        stop = min(start + BLOCK, self.n_rows * self.n_states)
        rows, codes = np.divmod(np.arange(start, stop), self.n_states)
        x = self._states(rows, codes)
        f = self.model.inputs_from(self.params, 1 - self.color, x)
        layer_params = self.model.layer_params(self.params, self.color)
        logs = -self.beta * self.model.sides[self.color].energy(layer_params, x) + self._others(
            rows, f
        )
        return Block(rows, x, f, logs)

    def blocks(self) -> Iterator[Block]:
        """All terms."""
        return map(self.block, self.starts())

    def _states(self, rows: Array, codes: Array) -> Array:
        """Known states of the rows, and those of the others that the codes stand for."""
        model = self.model
        x = np.empty((len(rows), sum(model.sides[self.color].sizes)))
        for k in model.members[self.color]:
            columns = model.places[k].columns
            if k in self.known:
                x[:, columns] = self.known[k][rows]
                continue
            layer = model.layers[k]
            codes, number = np.divmod(codes, int(count_states(model, [k])))
            x[:, columns] = listed_states(layer.unit, layer.size, number)
        return x

    def _others(self, rows: Array, f: Array) -> Array:
        """B, the sum over the layers of the other color."""
        total = np.zeros(len(rows))
        for k in self.model.members[1 - self.color]:
            unit, layer_params = self.model.layers[k].unit, self.params.layers[k]
            received = np.ascontiguousarray(f[:, self.model.places[k].columns])
            if k in self.known:
                x = self.known[k][rows]
                pull = np.einsum("ij,ij->i", unit.statistic(layer_params, x), received)
                total += self.beta * (pull - unit.energy(layer_params, x))
            else:
                total += unit.log_normaliser(layer_params, received, self.beta)
        return total

    def log_sums(self, n_jobs: int | None = None) -> Array:
        """Their logarithms: (rows,); threads, in joblib's sense, do not change them."""
        totals = np.full(self.n_rows, -np.inf)
        found = Parallel(n_jobs=n_jobs, prefer="threads")(
            delayed(self._partial)(start) for start in self.starts()
        )
        for rows, logs in found:
            totals[rows] = np.logaddexp(totals[rows], logs)
        return totals

    def _partial(self, start: int) -> tuple[Array, Array]:
        block = self.block(start)
        return by_rows(block, block.log_weights, np.logaddexp)

    def completed(self, block: Block) -> tuple[Array, Array]:
        """States or means of both colors, for each term: those of unknown layers that are not enumerated are means."""
        other = 1 - self.color
        layer_params = self.model.layer_params(self.params, other)
        mean = self.model.sides[other].mean(layer_params, block.inputs, self.beta)
        known = {k: x[block.rows] for k, x in self.known.items()}
        rest = self.model.colored(other, known, mean)
        return (block.x, rest) if self.color == EVEN else (rest, block.x)


def by_rows(block: Block, values: Array, sum_up: np.ufunc = np.add) -> tuple[Array, Array]:
    """The rows of which a block has terms, and sums of the `values` (terms, ...) of each."""
    rows, first = np.unique(block.rows, return_index=True)
    return rows, sum_up.reduceat(values, first, axis=0)


def layer_sum(
    model: LayeredModel,
    params: LayeredParameters,
    known: dict[int, Array] | None = None,
    beta: float = 1.0,
    most: float = MAX_STATES,
    n_rows: int = 1,
) -> LayerSum:
    """The sum over all layers but the `known` ones, by the cheaper color; `n_rows` are for sums with nothing known.

    ValueError where the unknown layers of either color have more than `most` states, or the model has no energy.
    """
    model.check_energy()
    exact = {k: x.astype(np.float64) for k, x in (known or {}).items()}
    color = cheaper_color(model, exact, most)
    count = max([n_rows, *(len(x) for x in exact.values())])
    return LayerSum(model, in_double(params), exact, color, beta, count)


def layered_free_energy(
    model: LayeredModel, params: LayeredParameters, v: Array, beta: float = 1.0
) -> Array:
    """F(v) of rows of data (rows, n_visible), all hidden layers summed out: (rows,) in double precision."""
    known = model.split(v)
    if is_integral(model, known):
        return -log_integrals(model, params, known, beta) / beta
    free: Array = -layer_sum(model, params, known, beta, MAX_UNASKED).log_sums() / beta
    return free


def layered_log_z(
    model: LayeredModel, params: LayeredParameters, beta: float = 1.0, n_jobs: int | None = None
) -> float:
    """Log Z(beta)."""
    if is_integral(model):
        return float(log_integrals(model, params, beta=beta)[0])
    return float(layer_sum(model, params, beta=beta).log_sums(n_jobs)[0])
