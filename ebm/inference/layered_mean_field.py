"""Naive mean field of layered models, some layers being known: the best distribution of independent units.

Among the product distributions q of the unknown layers the one nearest to p(x | known) has the largest bound

    L(q) = -beta <E>_q + S(q) <= log sum_(unknown) exp(-beta E),

which is -beta F of the known states at most, and log Z at most if nothing is known. Layers of one color are updated
together: their units receive the means of the other color's statistics instead of its states. With the other color
fixed this is the best distribution. So no update lowers the bound, and the iteration needs no damping. The part of the
inputs that comes from known layers is computed once.

The iteration starts *outward* from the known layers. Each layer receives from the neighbors that are nearer to them,
and twice as much if it has another neighbor (Salakhutdinov & Hinton 2009, section 3.1). So the first means are near
those that the layer has with input from both sides, and a few sweeps are enough.

Single units of a layer may be unknown as well (NaN): the others keep their states while the layer is updated. Rows in
which all of a layer is unknown start without it, so that a row's means do not depend on those of other rows.

With *damping*, a layer keeps a share of its old means. The bound is concave in the means of one layer, so that such a
move never lowers it either. The means are then those of the inputs only where they have converged.

A layer whose units have the inputs f has -beta <U> + S = A(f) - beta f'<s>, so that

    L = sum_unknown (A_l(f_l) - beta f_l'<s_l>) - beta sum_known U_l(x_l) + beta sum_edges <s_l>' W <s_m>.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ebm._checks import Array
from ebm.energies.incomplete import patterns, subset
from ebm.energies.layer_graph import EVEN, ODD
from ebm.energies.layers import LayeredModel, LayeredParameters
from ebm.units import Unit

SWEEPS, TOLERANCE = 30, 1e-4


class LayeredMeans(NamedTuple):
    """A product distribution of the unknown layers for each row.

    Attributes
    ----------
    inputs : tuple of two ndarrays of shape (rows, units)
        The inputs of the units of each color; those of known layers are not used.
    statistics : tuple of two ndarrays of shape (rows, units)
        Means of the statistics of each color; of known layers those of their states.
    converged : ndarray of bool of shape (rows,)
        Whether the last sweep moved no mean by more than the tolerance.
    n_sweeps : int
        Sweeps made: updates of both colors.
    """

    inputs: tuple[Array, Array]
    statistics: tuple[Array, Array]
    converged: Array
    n_sweeps: int


def layered_mean_field(
    model: LayeredModel,
    params: LayeredParameters,
    known: dict[int, Array],
    *,
    even: Array | None = None,
    n_rows: int = 1,
    beta: float = 1.0,
    n_sweeps: int = SWEEPS,
    tol: float = TOLERANCE,
    damping: float = 0.0,
) -> LayeredMeans:
    """Iterate the means of the unknown layers, the odd and the even ones in turn.

    Parameters
    ----------
    model, params : LayeredModel, LayeredParameters
    known : dict of int to ndarray of shape (rows, units)
        States of the known layers, by their numbers; NaN where single units of a layer are unknown.
    even : ndarray of shape (rows, units), optional
        States or means of the even units to start at; without, the start is outward from the known layers, or the
        means without input if nothing is known.
    n_rows : int
        How many rows there are if no layer is known.
    beta : float
        Inverse temperature.
    n_sweeps : int
        Sweeps at most. One is exact where all unknown layers are odd.
    tol : float
        A row has converged when a sweep moves no statistic by more. From then on it stays, so that it does not depend
        on what other rows there are.
    damping : float
        Share of the old means that an update keeps, in [0, 1).
    """
    count = len(next(iter(known.values()))) if known else n_rows
    whole = {k: x for k, x in known.items() if not np.isnan(x).any()}
    updated = [c for c in (ODD, EVEN) if any(k not in whole for k in model.members[c])]
    nothing = [model.nothing(params, color, count) for color in (EVEN, ODD)]
    s = [
        nothing[color]
        if color in updated[:1] and not any(k in known for k in model.members[color])
        else _statistics(model, params, color, nothing[color], known, beta)
        for color in (EVEN, ODD)
    ]
    if even is not None and EVEN not in updated[:1]:
        s[EVEN] = model.statistic(params, EVEN, model.colored(EVEN, known, even))
    elif known and len(updated) > 1:
        _start_outward(model, params, known, s, beta)
    ways = [Ways.of(model, params, color, s[1 - color], whole) for color in (EVEN, ODD)]
    f = [way.fixed.copy() for way in ways]
    converged, made = np.zeros(count, bool), 0
    left: Any = slice(None)
    while made < (n_sweeps if len(updated) > 1 else len(updated)) and not converged.all():
        some = {k: x[left] for k, x in known.items()}
        moved = np.zeros(np.count_nonzero(~converged))
        for color in updated:
            received = ways[color].inputs(model, params, s[1 - color], left)
            new = _statistics(model, params, color, received, some, beta)
            old = s[color][left]
            moved = np.maximum(moved, np.abs(new - old).max(axis=1, initial=0))
            if damping and len(updated) > 1:
                new = old + new.dtype.type(1 - damping) * (new - old)
            f[color], s[color] = _with(f[color], left, received), _with(s[color], left, new)
        made += 1
        converged[left] = (moved <= tol) | (len(updated) < 2)
        left = np.flatnonzero(~converged)
    converged |= not updated
    return LayeredMeans((f[EVEN], f[ODD]), (s[EVEN], s[ODD]), converged, made)


def incomplete_mean_field(
    model: LayeredModel, params: LayeredParameters, known: dict[int, Array], **settings: Any
) -> LayeredMeans:
    """The same for rows of which different entries are unknown (NaN): the means of a row are those of the row alone.

    `settings` are keyword arguments of :func:`layered_mean_field`.
    """
    if not any(np.isnan(x).any() for x in known.values()):
        return layered_mean_field(model, params, known, **settings)
    count = len(next(iter(known.values())))
    nothing = [model.nothing(params, color, count) for color in (EVEN, ODD)]
    f, s = (tuple(x.copy() for x in nothing) for _ in range(2))
    converged, made = np.zeros(count, bool), 0
    for layers, rows in _kinds(known):
        some = {k: np.ascontiguousarray(known[k][rows]) for k in layers}
        found = layered_mean_field(model, params, some, n_rows=len(rows), **settings)
        for color in (EVEN, ODD):
            f[color][rows], s[color][rows] = found.inputs[color], found.statistics[color]
        converged[rows], made = found.converged, max(made, found.n_sweeps)
    return LayeredMeans((f[EVEN], f[ODD]), (s[EVEN], s[ODD]), converged, made)


def _kinds(known: dict[int, Array]) -> Iterator[tuple[list[int], Array]]:
    """Numbers of the layers of which something is known, and of the rows for which these are the same.

    Rows also differ in kind where a layer is known as a whole in some and in part in others.
    """
    there = [~np.isnan(x) for x in known.values()]
    kinds = np.stack([x.any(axis=1) + 1 * x.all(axis=1) for x in there], axis=1)
    for kind in np.unique(kinds, axis=0):
        rows = np.flatnonzero((kinds == kind).all(axis=1))
        yield [k for k, part in zip(known, kind, strict=True) if part], rows


def _start_outward(
    model: LayeredModel,
    params: LayeredParameters,
    known: dict[int, Array],
    s: list[Array],
    beta: float,
) -> None:
    """Write the statistics of unknown layers to `s`, by colors, layer by layer outward from the `known` ones."""
    steps = model.steps_from(known)
    for distance in range(1, 1 + max(steps.values())):
        for k in (k for k, x in steps.items() if x == distance):
            color, columns = model.places[k]
            edges = [number for number, ends in enumerate(model.ends) if k in ends]
            nearer = [n for n in edges if steps[sum(model.ends[n]) - k] < distance]
            received = model.inputs(params, color, s[1 - color], nearer)[:, columns]
            unit, layer_params = model.layers[k].unit, params.layers[k]
            if len(nearer) < len(edges) and unit.bounded:
                received = 2 * received
            mean = unit.mean(layer_params, np.ascontiguousarray(received), beta)
            s[color][:, columns] = unit.statistic(layer_params, mean)


class Ways(NamedTuple):
    """How the unknown layers of one color receive their inputs.

    Attributes
    ----------
    color : int
    fixed : ndarray of shape (rows, units)
        The part that comes from known layers.
    edges : list of int
        Numbers of the edges to unknown layers.
    """

    color: int
    fixed: Array
    edges: list[int]

    @classmethod
    def of(
        cls,
        model: LayeredModel,
        params: LayeredParameters,
        color: int,
        statistics: Array,
        known: dict[int, Array],
    ) -> "Ways":
        """Those beside the `known` layers, with the `statistics` of the other color."""
        fixed: list[int] = []
        edges: list[int] = []
        for number, ends in enumerate(model.ends):
            to, source = ends if model.places[ends[0]].color == color else ends[::-1]
            if to not in known:
                (fixed if source in known else edges).append(number)
        return cls(color, model.inputs(params, color, statistics, fixed), edges)

    def inputs(
        self, model: LayeredModel, params: LayeredParameters, statistics: Array, rows: Any
    ) -> Array:
        """The inputs of some `rows`, in a new array."""
        fixed: Array = self.fixed[rows]
        if not self.edges:
            return fixed.copy()
        return fixed + model.inputs(params, self.color, statistics[rows], self.edges)


def _with(whole: Array, rows: Any, part: Array) -> Array:
    """`whole` with the `rows` replaced by `part`: itself, changed in place, where these are not all."""
    if len(part) == len(whole):
        return part
    whole[rows] = part
    return whole


def _statistics(
    model: LayeredModel,
    params: LayeredParameters,
    color: int,
    inputs: Array,
    known: dict[int, Array],
    beta: float,
) -> Array:
    """Means of the statistics of one color, given the inputs of the unknown layers and the states of the known ones."""
    side, layer_params = model.sides[color], model.layer_params(params, color)
    x = side.mean(layer_params, inputs, beta)
    for k, states in known.items():
        if model.places[k].color == color:
            columns = model.places[k].columns
            x[:, columns] = np.where(np.isnan(states), x[:, columns], states)
    return side.statistic(layer_params, x)


def layered_bound(
    model: LayeredModel,
    params: LayeredParameters,
    known: dict[int, Array],
    means: LayeredMeans,
    beta: float = 1.0,
) -> Array:
    """L, a lower bound of the logarithm of the sum over all that is unknown: (rows,) in double precision.

    `known` may hold NaN where single units are unknown.
    """
    model.check_energy()
    total = np.zeros(len(means.converged))
    for k, (layer, layer_params, (color, columns)) in enumerate(
        zip(model.layers, params.layers, model.places, strict=True)
    ):
        f, s = (x[color][:, columns] for x in (means.inputs, means.statistics))
        total += _own_terms(layer.unit, layer_params, known.get(k), (f, s), beta)
    received = model.inputs(params, ODD, means.statistics[EVEN])
    total += beta * np.einsum("ij,ij->i", received, means.statistics[ODD], dtype=np.float64)
    return total


def _own_terms(
    unit: Unit, layer_params: Any, x: Array | None, means: tuple[Array, Array], beta: float
) -> Array:
    """The terms of L of one layer: A(f) - beta f's of the units that are unknown, -beta U of the others.

    `x` are the states of the layer, NaN where they are unknown, or None; `means` are the inputs f and the statistics s.
    """
    f, s = means
    if x is None:
        product = np.einsum("ij,ij->i", f, s, dtype=np.float64)
        total: Array = unit.log_normaliser(layer_params, f, beta) - beta * product
        return total
    if not np.isnan(x).any():
        total = -beta * unit.energy(layer_params, x)
        return total
    total = np.zeros(len(x))
    for free, rows in patterns(x):
        for units, is_free in ((free, True), (~free, False)):
            if units.any():
                part = subset(unit, layer_params, units)
                states = None if is_free else np.ascontiguousarray(x[np.ix_(rows, units)])
                some = [np.ascontiguousarray(a[np.ix_(rows, units)]) for a in (f, s)]
                total[rows] += _own_terms(*part, states, (some[0], some[1]), beta)
    return total
