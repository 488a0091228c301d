"""Layered models of which some visible units are unknown, any of them: exact sums, and the machine that is left.

A layer of which some units are unknown is split into two layers, the known and the unknown units, which are not
connected to each other. The result is a layered model with whole layers that are known
(:mod:`ebm.energies.layer_sums`).
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ebm._checks import Array
from ebm._flat import in_double
from ebm.energies.edges import Edge
from ebm.energies.incomplete import (
    MAX_SUMMED,
    Conditioned,
    Gaps,
    Marginal,
    conditioned,
    gaps,
    subset,
)
from ebm.energies.layer_graph import EVEN, ODD
from ebm.energies.layer_sums import LayerSum, by_rows, layer_sum
from ebm.energies.layers import LayeredModel, LayeredParameters


class Parted(NamedTuple):
    """A model whose layers are known or unknown as a whole, and where they come from.

    Attributes
    ----------
    model, params : LayeredModel, LayeredParameters
    known, unknown : dict of int to ndarray of int
        The columns of a row that hold the states of visible layers, by their numbers.
    parts : tuple of (int, ndarray of bool)
        For each layer, the number of that of which it is a part, and the mask of its units.
    edges : tuple of (int, ndarray of bool, ndarray of bool)
        For each edge, the number of that of which it is a part, and the masks of the units at both ends.
    """

    model: LayeredModel
    params: LayeredParameters
    known: dict[int, Array]
    unknown: dict[int, Array]
    parts: tuple[tuple[int, Array], ...]
    edges: tuple[tuple[int, Array, Array], ...]

    def at(self, model: LayeredModel, params: LayeredParameters) -> "Parted":
        """The same parts of the `model` at other parameters."""
        layer_params = tuple(
            layer.unit.parameters(*(x[units] for x in params.layers[k]))
            for layer, (k, units) in zip(self.model.layers, self.parts, strict=True)
        )
        weights = tuple(
            model.edges[number].coupling.between(params.weights[number], *ends)[1]
            for number, *ends in self.edges
        )
        return self._replace(params=LayeredParameters(weights, layer_params))


def parted(model: LayeredModel, params: LayeredParameters, unknown: Array) -> Parted:
    """Every visible layer parted into its known and its `unknown` units, a mask (n_visible,); empty parts left out."""
    masks = {k: x[0] for k, x in model.split(unknown[np.newaxis]).items()}
    columns = {k: x[0] for k, x in model.split(np.arange(len(unknown))[np.newaxis]).items()}
    parts: list[tuple[int, Array, bool]] = []
    for k, layer in enumerate(model.layers):
        missing = masks.get(k, np.ones(layer.size, bool))
        parts += [(k, m, known) for m, known in ((~missing, True), (missing, False)) if m.any()]
    some = [subset(model.layers[k].unit, params.layers[k], m) for k, m, _ in parts]
    layers = [
        replace(
            model.layers[k],
            name=f"{model.names[k]}, {'known' if known else 'unknown'}",
            unit=unit,
            size=int(m.sum()),
        )
        for (k, m, known), (unit, _) in zip(parts, some, strict=True)
    ]
    layer_params = tuple(x for _, x in some)
    edges, weights, places = [], [], []
    for number, (edge, ends, W) in enumerate(
        zip(model.edges, model.ends, params.weights, strict=True)
    ):
        for low, (j, lower, _) in zip(layers, parts, strict=True):
            for high, (k, upper, _) in zip(layers, parts, strict=True):
                if (j, k) == ends:
                    coupling, between = edge.coupling.between(W, lower, upper)
                    edges.append(Edge(low.name, high.name, coupling, edge.multiplicity))
                    weights.append(between)
                    places.append((number, lower, upper))
    found: dict[bool, dict[int, Array]] = {True: {}, False: {}}
    for number, (k, m, known) in enumerate(parts):
        if k in columns:
            found[known][number] = columns[k][m]
    whole = LayeredParameters(tuple(weights), layer_params)
    of_layers = tuple((k, m) for k, m, _ in parts)
    return Parted(
        LayeredModel(layers, edges), whole, found[True], found[False], of_layers, tuple(places)
    )


class LayeredGaps(Gaps):
    """Rows of a layered model with the same unknown units."""

    def __init__(self, whole: Parted, beta: float) -> None:
        self._whole, self._beta = whole, beta
        terms = self._terms(np.zeros((1, self._n_visible)))
        self.row_work = float(terms.n_states * sum(x.size for x in whole.model.layers))

    @property
    def _n_visible(self) -> int:
        columns = [*self._whole.known.values(), *self._whole.unknown.values()]
        return sum(len(x) for x in columns)

    def _terms(self, rows: Array) -> LayerSum:
        model, params, known = self._whole[:3]
        states = {k: rows[:, columns] for k, columns in known.items()}
        return layer_sum(model, params, states, self._beta, 2.0**MAX_SUMMED, len(rows))

    def sums(self, rows: Array) -> Marginal:
        """Of `rows` (rows, n_visible)."""
        terms, means = self._terms(rows), rows.copy()
        logs = terms.log_sums()
        for columns in self._whole.unknown.values():
            means[:, columns] = 0
        for block in terms.blocks():
            shares = np.exp(block.log_weights - logs[block.rows])[:, np.newaxis]
            x = terms.completed(block)
            for k, columns in self._whole.unknown.items():
                color, place = self._whole.model.places[k]
                some, totals = by_rows(block, shares * x[color][:, place])
                means[np.ix_(some, columns)] += totals
        return Marginal(logs, means)


@gaps.register
def _(
    model: LayeredModel, params: LayeredParameters, unknown: Array, beta: float = 1.0
) -> Gaps | None:
    """By enumeration of the color with fewer states; None where either has more than 2^20 of them."""
    try:
        return LayeredGaps(parted(model, params, unknown), beta)
    except ValueError:
        return None


@conditioned.register
def _(model: LayeredModel, params: LayeredParameters, row: Array) -> Conditioned:
    """The layers of what is unknown, with biases that take in what they receive from the known ones."""
    whole, exact, known = parted(model, in_double(params), np.isnan(row))[:3]
    states = {k: row[np.newaxis, columns] for k, columns in known.items()}
    rest = [k for k in range(len(whole.layers)) if k not in known]
    layer_params, constant = {k: exact.layers[k] for k in rest}, 0.0
    x = [whole.colored(color, states, whole.nothing(exact, color)) for color in (EVEN, ODD)]
    inputs = [whole.inputs_from(exact, color, x[1 - color])[0] for color in (EVEN, ODD)]
    for k in rest:
        unit, place = whole.layers[k].unit, whole.places[k]
        layer_params[k] = layer_params[k]._replace(
            bias=layer_params[k].bias + inputs[place.color][place.columns]
        )
        origin = np.zeros((1, whole.layers[k].size))
        constant += float(
            (unit.energy(layer_params[k], origin) - unit.energy(exact.layers[k], origin))[0]
        )
    kept = [
        n
        for n, (low, high) in enumerate(whole.ends)
        if low in layer_params and high in layer_params
    ]
    layers = [whole.layers[k] for k in rest]
    if not any(layer.visible for layer in layers):
        layers[:1] = [replace(layer, visible=True) for layer in layers[:1]]
    left = LayeredParameters(
        tuple(exact.weights[n] for n in kept), tuple(layer_params[k] for k in rest)
    )
    smaller = LayeredModel(layers, [whole.edges[n] for n in kept])
    return Conditioned(smaller, left, constant - _known_energy(whole, exact, states))


def _known_energy(
    model: LayeredModel, params: LayeredParameters, states: dict[int, Array]
) -> float:
    """The energy of the known layers alone."""
    total = sum(
        float(model.layers[k].unit.energy(params.layers[k], x)[0]) for k, x in states.items()
    )
    for edge, (low, high), W in zip(model.edges, model.ends, params.weights, strict=True):
        if low in states and high in states:
            s = [model.layers[k].unit.statistic(params.layers[k], states[k]) for k in (low, high)]
            total -= edge.multiplicity[0] * float(np.sum(edge.coupling.up(W, s[0]) * s[1]))
    return total
