"""Layered models among those whose log Z and free energies are known, exactly or by estimates."""

from typing import Any

import numpy as np

from ebm._checks import Array
from ebm._flat import in_double
from ebm._random import Key, fold
from ebm._sparse import blocks
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.layer_graph import EVEN, ODD
from ebm.energies.layer_sums import (
    MAX_UNASKED,
    cheaper_color,
    layered_free_energy,
    layered_log_z,
    unit_states,
)
from ebm.energies.layers import LayeredModel, LayeredParameters
from ebm.energies.normal_sums import check_normal, is_integral
from ebm.energies.principal_axes import Decoupled, decoupled
from ebm.inference.layered_mean_field import layered_bound, layered_mean_field
from ebm.likelihood.base import LogPartition
from ebm.likelihood.exact import check_law, exact_log_partition
from ebm.likelihood.free_energy import free_energy
from ebm.likelihood.listed import listed_conditionals, nodes_of
from ebm.likelihood.modes import COINS, KEY, PILOT_STEPS, SWEEPS, Laws, kept_laws, modes
from ebm.likelihood.partition import can_be_exact, without_couplings
from ebm.likelihood.pseudo_likelihood import gaussian_conditional, pseudo_log_likelihood
from ebm.likelihood.reconstruction import reconstruction_error
from ebm.samplers.layered_gibbs import layered_gibbs
from ebm.units import Unit


@exact_log_partition.register
def _(
    model: LayeredModel,
    params: LayeredParameters,
    *,
    beta: float = 1.0,
    n_jobs: int | None = None,
) -> LogPartition:
    """By enumeration of the color with fewer states, or in closed form where all layers are normal."""
    value = layered_log_z(model, params, beta, n_jobs)
    return LogPartition(value, 0.0, (value, value), "exact")


@check_law.register
def _(model: LayeredModel, params: LayeredParameters) -> None:
    model.check_finite(params)
    check_normal(model, params)


@without_couplings.register
def _(model: LayeredModel, params: LayeredParameters) -> Decoupled | None:
    return decoupled(model, params)


@can_be_exact.register
def _(model: LayeredModel, params: LayeredParameters) -> bool:
    if is_integral(model):
        return True
    try:
        cheaper_color(model, most=MAX_UNASKED)
    except ValueError:
        return False
    return True


@free_energy.register
def _(model: LayeredModel, params: LayeredParameters, v: Array, beta: float = 1.0) -> Array:
    """By enumeration of the hidden layers of one color, if there are any of either color, or in closed form."""
    return layered_free_energy(model, params, v, beta)


@modes.register
def _(
    model: LayeredModel, params: LayeredParameters, rows: Array | None = None, key: Key = KEY
) -> Laws:
    """From coins, short chains, the opposites of both, and rows of data."""
    params = in_double(params)
    side, layer_params = model.sides[EVEN], model.layer_params(params, EVEN)
    nothing = model.nothing(params, EVEN, COINS)
    loose = tuple(x._replace(bias=np.zeros_like(x.bias)) for x in layer_params)
    coins = side.sample(loose, nothing, fold(key, 0))
    pilots = layered_gibbs(model, params, coins, fold(key, 1), PILOT_STEPS).even
    center = side.mean(loose, nothing)
    starts = [coins, pilots, 2 * center - coins, 2 * center - pilots]
    if rows is not None and len(rows):
        known = {k: x.astype(np.float64) for k, x in model.split(rows[:COINS]).items()}
        starts.append(model.colored(EVEN, known, center[: len(rows)]))
    even = np.vstack(starts)
    laws = layered_mean_field(model, params, {}, even=even, n_rows=len(even), n_sweeps=SWEEPS)
    bounds = layered_bound(model, params, {}, laws)
    layers: list[tuple[Unit, Any, Array]] = [
        (model.sides[c], model.layer_params(params, c), laws.inputs[c]) for c in (EVEN, ODD)
    ]
    return kept_laws(layers, bounds)


@reconstruction_error.register
def _(model: LayeredModel, params: LayeredParameters, v: Array) -> float:
    """By way of the means of the other layers, which are those of the mean field where they are connected."""
    known = model.split(v.astype(model.dtype(params)))
    laws = layered_mean_field(model, params, known)
    means = []
    for k in model.shown:
        color, columns = model.places[k]
        received = model.inputs(params, color, laws.statistics[1 - color])[:, columns]
        means.append(model.layers[k].unit.mean(params.layers[k], np.ascontiguousarray(received)))
    return float(np.mean((np.hstack(means) - v) ** 2))


@pseudo_log_likelihood.register
def _(model: LayeredModel, params: LayeredParameters, v: Any) -> Array:
    """Of visible layers of one color on hidden layers of the other: one unit, or group, given all others."""
    if model.members[EVEN] != model.shown:
        raise TypeError(
            "There is no pseudo-likelihood of a model whose hidden layers are connected to each other, or whose "
            "visible ones are. Use the likelihood instead, such as method='ais'."
        )
    params, fused = in_double(params), model.fused
    if fused is not model:
        return pseudo_log_likelihood(fused, model.respelled(params, fused), v)
    return np.concatenate([_pseudo(model, params, x.astype(np.float64)) for _, x in blocks(v)])


def _pseudo(model: LayeredModel, params: LayeredParameters, v: Array) -> Array:
    """The sum over the visible layers, for some rows."""
    inputs = model.inputs_from(params, ODD, v)
    # Inputs of the hidden units from one unit at one: statistics are linear.
    pull = model.inputs_from(params, ODD, np.eye(v.shape[1]))
    total = np.zeros(len(v))
    for k, x in model.split(v).items():
        layer, columns = model.layers[k], model.places[k].columns
        parts = unit_states(layer.unit, layer.size)
        if parts is None:
            total += _of_real_units(model, params, k, x, inputs, pull[columns])
            continue
        at = 0
        for states in parts:
            some = slice(at, at + states.shape[1])
            total += _of_part(model, params, k, (x, some, states), inputs, pull[columns][some])
            at = some.stop
    return total


def _of_part(
    model: LayeredModel,
    params: LayeredParameters,
    k: int,
    part: tuple[Array, slice, Array],
    inputs: Array,
    pull: Array,
) -> Array:
    """Log p of a unit, or a group, of layer `k` given all others; of means the expectation, as for two layers."""
    x, some, states = part
    two = states.shape == (2, 1)
    others = states.sum(axis=0) - x[:, some] if two else None  # the unit flipped
    choices = (
        [x[:, some], others] if two else [np.broadcast_to(s, x[:, some].shape) for s in states]
    )
    logs = np.empty((len(x), len(choices)))
    side, layer_params = model.sides[ODD], model.layer_params(params, ODD)
    for column, choice in enumerate(choices):
        moved = x.copy()
        moved[:, some] = choice
        received = inputs + (moved[:, some] - x[:, some]) @ pull
        energy = model.layers[k].unit.energy(params.layers[k], moved)
        logs[:, column] = side.log_normaliser(layer_params, received) - energy
    logs -= np.logaddexp.reduce(logs, axis=1, keepdims=True)
    if two:
        return logs[:, 0]
    weights = x[:, some] if states.shape[1] > 1 else (x[:, some] == states.T).astype(np.float64)
    expectation: Array = np.einsum("rk,rk->r", weights, logs)
    return expectation


def _of_real_units(
    model: LayeredModel, params: LayeredParameters, k: int, x: Array, inputs: Array, pull: Array
) -> Array:
    """Log-probabilities of units of infinitely many states given all others, on one hidden layer."""
    hidden = [model.layers[j].unit for j in model.members[ODD]]
    scale = model.layers[k].unit.scale(params.layers[k])
    if scale is None and len(hidden) == 1:
        W = pull / model.layers[k].unit.statistic(params.layers[k], np.ones((1, len(pull)))).T
        alone = BipartiteParameters(W, params.layers[k], model.layer_params(params, ODD)[0])
        two = Bipartite(model.layers[k].unit, hidden[0])
        nodes = nodes_of(two, alone)
        if nodes is not None:
            return listed_conditionals(two, alone, nodes, x, inputs)
    if scale is None or len(hidden) != 1 or len(hidden[0].states or ()) != 2:
        raise TypeError(
            f"There is no pseudo-likelihood of {type(model.layers[k].unit).__name__} visible units with "
            f"{' and '.join(type(unit).__name__ for unit in hidden)} hidden units. Use the likelihood instead, such as "
            "method='ais'."
        )
    W, hidden_params = scale[:, np.newaxis] * pull, model.layer_params(params, ODD)[0]
    pair = (
        Bipartite(model.layers[k].unit, hidden[0]),
        BipartiteParameters(W, params.layers[k], hidden_params),
    )
    return sum(
        (gaussian_conditional(*pair, i, x, inputs) for i in range(x.shape[1])), np.zeros(len(x))
    )
