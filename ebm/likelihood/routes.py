"""Log Z by two estimates that fail in different ways.

Annealing from one product distribution can be confidently wrong. Where the model has several modes and the product
distribution favours one, the particles agree with each other, forwards and backwards, and miss the rest. So there are
two estimates here:

- *populations*: sequential Monte Carlo from fair coins (:mod:`ebm.samplers.sequential`), which breaks no symmetry and
  finds modes that separate gradually from each other, but not those that appear late and far from the others;
- *modes*: annealed importance sampling from a mixture of product distributions around the modes that were found
  (:mod:`ebm.energies.mixture_path`), coins, and the marginals of the data. A first pass says where the weight is.

Where they agree, their mean by inverse variances is the estimate. Where the second is higher, the populations missed
modes and it is taken alone. Where the first is higher, there are more modes than were found: it is taken, and doubted
if the difference is large. No estimate is below the bound that the modes make (:mod:`ebm.likelihood.modes`), and one
that would be, by more than its error, is doubted. A mode that nothing reaches is in none of these.
"""

from collections.abc import Callable
from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np

from ebm._checks import Array
from ebm._random import Key, fold
from ebm.energies.base import Model
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.conversions import hidden_machine
from ebm.energies.mixture_path import MixturePath
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.energies.path import Path, path_to
from ebm.likelihood.ais import half_width, log_mean, temperatures
from ebm.likelihood.base import LogPartition
from ebm.likelihood.modes import Laws, mixture_bound, modes
from ebm.samplers.annealing import anneal
from ebm.samplers.sequential import sequential, steady_temperatures
from ebm.units import TwoState

N_POPULATIONS, N_PARTICLES, STEADY, MOST_STEPS = 16, 64, 0.995, 2000
# Particles that fix the temperatures, and are discarded.
N_PILOTS = 128
# Of the two passes; the first one only says where the weight is.
N_TEMPERATURES, N_RUNS = (250, 750), 100
# Distributions of the mixture beside coins and data. Least share of the particles that start from coins. Share of the
# others that is spread evenly in the second pass.
MOST_MODES, COINS, EVEN = 12, 0.25, 0.5
# Those around modes are made wider: a part of their fields, of limited log-odds.
SHRUNK, MOST_ODDS = 0.6, 4.0
# In standard errors and nats, by which two estimates differ by chance, or without more modes than were found.
CHANCE, AGREEMENT, SLACK = 1.0, 3.5, 0.05
LEAST_SHARE = 0.2
LONGER = "Compare with a longer annealing, AIS(n_temperatures=4000, n_runs=500)."


class Estimate(NamedTuple):
    """Of log Z: its value, its standard error, and the effective sample size of the weights behind it."""

    value: float
    error: float
    size: float


@singledispatch
def has_routes(model: Model) -> bool:
    """Whether the model has finitely many states, after Gaussian units have been integrated out."""
    return False


@has_routes.register
def _(model: Pairwise) -> bool:
    return True


@has_routes.register
def _(model: Bipartite) -> bool:
    if model.visible.bounded and model.hidden.bounded:
        return True
    real, other = sorted((model.visible, model.hidden), key=lambda unit: not unit.has_scale)
    return real.has_scale and isinstance(other, TwoState)


def two_routes(
    model: Model,
    params: Any,
    key: Key,
    *,
    marginals: Any = None,
    n_jobs: int | None = None,
    tell: Callable[[str], object] | None = None,
) -> LogPartition:
    """Log Z of a model that :func:`has_routes`.

    Parameters
    ----------
    model, params : Bipartite or Pairwise, and its parameters
    key : Key
    marginals : tuple or ndarray or None
        The own parameters of independent units with the moments of data (:func:`ebm.energies.path.base_of`).
    n_jobs : int, optional
        Threads, in joblib's sense; the result does not depend on it.
    tell : callable, optional
        Called with the text of each of the two estimates.

    Returns
    -------
    LogPartition
    """
    model, params, data, constant = reduced(model, params, marginals)
    laws, path = modes(model, params), coin_path(model, params)
    populations = by_populations(path, constant, fold(key, 0), n_jobs)
    fields = mixture_fields(model, params, laws, data)
    mixture = by_modes(path, fields, constant, fold(key, 1), n_jobs)
    if tell is not None:
        tell(f"AIS, populations from coins: log Z = {reported(populations)}")
        tell(f"AIS from a mixture of {len(fields)} distributions: log Z = {reported(mixture)}")
    value, error, doubt = combined(populations, mixture)
    width = half_width(error, N_POPULATIONS)
    known = "" if data is None else "the marginals of the data, "
    base = f"fair coins, {known}{min(len(laws.bounds), MOST_MODES)} modes"
    interval = (value - width, value + width)
    found = LogPartition(value, error, interval, "ais", mixture.size, base=base, doubt=doubt)
    return found.at_least(mixture_bound(laws)[0] + constant)


def reported(estimate: Estimate) -> str:
    """An estimate in words."""
    return f"{estimate.value:.2f} +- {estimate.error:.2f}"


@singledispatch
def reduced(model: Model, params: Any, data: Any) -> tuple[Model, Any, Array | None, float]:
    """The model, its parameters, biases with the moments of data, and a constant to be added to log Z.

    A layer of Gaussian units is integrated out exactly, where there is one.
    """
    return model, params, data, 0.0


@reduced.register
def _(
    model: Bipartite, params: BipartiteParameters, data: Any
) -> tuple[Model, Any, Array | None, float]:
    marginals = None if data is None or model.visible.has_scale else data[0].bias
    if not (model.visible.has_scale or model.hidden.has_scale):
        return model, params, marginals, 0.0
    if model.hidden.has_scale:
        model, params = model.swapped(params)
    machine = hidden_machine(model, params)
    return machine.model, machine.params, marginals, machine.log_constant


@singledispatch
def coin_path(model: Model, params: Any) -> Path:
    """The path from units that are undecided."""
    raise TypeError(f"There are no coins for {model!r}: an energy registers its own coin_path.")


@coin_path.register
def _(model: Pairwise, params: PairwiseParameters) -> Path:
    return path_to(model, params, np.zeros_like(params.bias))


@coin_path.register
def _(model: Bipartite, params: BipartiteParameters) -> Path:
    layers = params.visible, params.hidden
    return path_to(model, params, tuple(x._replace(bias=np.zeros_like(x.bias)) for x in layers))


def by_populations(path: Path, constant: float, key: Key, n_jobs: int | None) -> Estimate:
    """By sequential Monte Carlo; the error is that of the populations' mean."""
    t = steady_temperatures(path, N_PILOTS, fold(key, 0), MOST_STEPS, STEADY)
    ratios = sequential(path, t, N_POPULATIONS, N_PARTICLES, fold(key, 1), n_jobs).log_ratios
    value, error, size = (float(x) for x in log_mean(ratios))
    return Estimate(path.log_z + constant + value, error, size)


def mixture_fields(model: Model, params: Any, laws: Laws, marginals: Array | None) -> Array:
    """Fields of the mixture's distributions (distributions, units): coins, data, modes."""
    ((unit, layer_params),) = model.walk_layers(params)
    bias = layer_params.bias.astype(np.float64)
    limit = MOST_ODDS / np.ptp(unit.states or (0.0, 1.0))
    around = np.clip(SHRUNK * (laws.inputs[0][:MOST_MODES] + bias), -limit, limit)
    known = np.zeros((0, len(bias))) if marginals is None else marginals[np.newaxis]
    return np.vstack([np.zeros_like(bias), known, around]).astype(layer_params.bias.dtype)


def by_modes(
    path: Path,
    fields: Array,
    constant: float,
    key: Key,
    n_jobs: int | None,
    passes: tuple[int, int] = N_TEMPERATURES,
) -> Estimate:
    """By annealed importance sampling from a mixture, twice: the first pass says which starts carry weight."""
    shares = np.zeros(len(fields))
    for attempt, n_temperatures in enumerate(passes):
        mixture = MixturePath(path, fields, counts_of(shares))
        t = temperatures("sigmoid", n_temperatures)
        log_weights = anneal(mixture, t, N_RUNS, fold(key, attempt), n_jobs).log_weights
        w = np.exp(log_weights - log_weights.max())
        shares = np.bincount(mixture.labels, w, len(fields)) / w.sum()
    value, error, size = (float(x) for x in log_mean(log_weights))
    return Estimate(mixture.log_z + constant + value, error, size)


def counts_of(shares: Array) -> Array:
    """How many particles start from each distribution, coins the first, that had these `shares` of the weight."""
    others = np.where(np.isfinite(shares), shares, 0)[1:]
    even = np.full(len(others), 1 / max(1, len(others)))
    mixed = EVEN * even + (1 - EVEN) * (others / others.sum() if others.any() else even)
    counts = np.maximum(1, np.floor((1 - COINS) * N_RUNS * mixed)).astype(int)
    return np.concatenate([[N_RUNS - counts.sum()], counts])


def combined(populations: Estimate, mixture: Estimate) -> tuple[float, float, str]:
    """The estimate, its standard error, and the reason for doubt or ''.

    Weights that miss a mode make an estimate too small, and their spread does not show it. Of two estimates that differ
    significantly the higher one is therefore taken.
    """
    excess = populations.value - mixture.value
    sigma = np.hypot(populations.error, mixture.error)
    both = f"{populations.value:.2f} by populations from coins and {mixture.value:.2f} from modes"
    if not np.isfinite(excess):
        doubt = f"The estimates of log Z, {both}, differ by {excess:.2f} nats: energies overflow."
        return mixture.value, mixture.error, doubt
    few, far = mixture.size < LEAST_SHARE * N_RUNS, AGREEMENT * sigma + SLACK
    if not few and abs(excess) <= CHANCE * sigma + SLACK / 2:
        w = np.array([1 / max(x.error, 1e-12) ** 2 for x in (populations, mixture)])
        return mixture.value + excess * w[0] / w.sum(), float(w.sum() ** -0.5), ""
    if excess > far and not few:
        doubt = (
            f"The estimates of log Z, {both}, disagree: the model has more modes than were found. The first estimate "
            f"is taken; its standard error may be too small. {LONGER}"
        )
        return populations.value, populations.error, doubt
    if excess > 0 or (few and excess >= -far):
        return populations.value, populations.error, ""
    doubt = (
        f"The estimate of log Z, {mixture.value:.2f}, hangs on few of {N_RUNS} particles: the effective sample size is "
        f"{mixture.size:.1f}. {LONGER}"
    )
    return mixture.value, mixture.error, doubt if few else ""
