"""Layered models among those whose log Z and free energies are known, exactly or by estimates."""

from typing import Any

import numpy as np

from ebm._checks import Array
from ebm._random import Key, fold
from ebm.energies.layer_graph import EVEN, ODD
from ebm.energies.layer_sums import (
    MAX_UNASKED,
    cheaper_color,
    layered_free_energy,
    layered_log_z,
)
from ebm.energies.layers import LayeredModel, LayeredParameters, in_double
from ebm.inference.layered_mean_field import layered_bound, layered_mean_field
from ebm.likelihood.base import LogPartition
from ebm.likelihood.exact import exact_log_partition
from ebm.likelihood.free_energy import free_energy
from ebm.likelihood.modes import COINS, KEY, PILOT_STEPS, SWEEPS, Laws, kept_laws, modes
from ebm.likelihood.partition import can_be_exact
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
    """By enumeration of the color with fewer states."""
    value = layered_log_z(model, params, beta, n_jobs)
    return LogPartition(value, 0.0, (value, value), "exact")


@can_be_exact.register
def _(model: LayeredModel, params: LayeredParameters) -> bool:
    try:
        cheaper_color(model, most=MAX_UNASKED)
    except ValueError:
        return False
    return True


@free_energy.register
def _(model: LayeredModel, params: LayeredParameters, v: Array, beta: float = 1.0) -> Array:
    """By enumeration of the hidden layers of one color, if there are any of either color."""
    return layered_free_energy(model, params, v, beta)


@modes.register
def _(
    model: LayeredModel, params: LayeredParameters, rows: Array | None = None, key: Key = KEY
) -> Laws:
    """From coins, short chains, the opposites of both, and rows of data."""
    params = in_double(params)
    side, own = model.sides[EVEN], model.own(params, EVEN)
    nothing = model.nothing(params, EVEN, COINS)
    loose = tuple(x._replace(bias=np.zeros_like(x.bias)) for x in own)
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
        (model.sides[c], model.own(params, c), laws.inputs[c]) for c in (EVEN, ODD)
    ]
    return kept_laws(layers, bounds)
