"""Recall: fixed points of a pairwise model's dynamics, and Markov chains at a temperature above zero.

At temperature zero a unit goes where its field f_i = sum_j J_ij s_j + b_i points, and stays as it is where f_i = 0.
Row i of J is what acts on unit i; a field smaller than the rounding error that it may have counts as zero. With J
symmetric and zero on the diagonal,

- one unit at a time (*asynchronous*), no update raises E(s) = -s'Js / 2 - b's, and recall ends in a fixed point;
- all units at once (*synchronous*; Little 1974), it ends in a fixed point or goes back and forth between two states
  (Goles, Fogelman & Pellegrin 1985), which is found out: a 2-cycle.

Without symmetry neither holds. At temperature T = 1 / beta a unit takes its higher state with the probability
sigmoid(beta gap f_i), gap being the distance of its states. This heat bath leaves exp(-beta E) / Z unchanged if units
are updated one at a time. Visiting units drawn at random is Glauber's dynamics.

Unknown bits start without a state: midway between the two, they add nothing to the fields, and then each goes where
the field of the known bits points. A random bit would add the noise of its own to the fields of all others. Where
that field is zero, a random bit of the key decides, the same for all probes, so that a result does not depend on
which probes are recalled together.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ebm._arrays import is_sparse
from ebm._checks import Array, check_integer, check_real
from ebm._kernels.sparse_sweeps import sparse_descend
from ebm._kernels.sweeps import HEAT_BATH, descend
from ebm._kernels.symmetry import is_symmetric
from ebm._random import Key, Reserved, choices, fold, permutation, uniform
from ebm.energies.couplings import fastest, neighbour_lists, visit
from ebm.energies.pairwise import Pairwise, PairwiseParameters, field_rounding, finite_beta

UPDATES = ("async", "cyclic", "glauber", "sync")


class Recall(NamedTuple):
    """Where probes end.

    Attributes
    ----------
    states : ndarray of shape (n_probes, n_units)
        Final states.
    energies : ndarray of shape (n_probes,)
        E of them.
    n_sweeps : ndarray of int, shape (n_probes,)
        Sweeps until the last change: zero for a probe that is a fixed point. A sweep is N updates.
    converged : ndarray of bool, shape (n_probes,)
        Whether the final state is a fixed point, known bits that are held apart; never above temperature zero.
    cycling : ndarray of bool, shape (n_probes,)
        Whether the final state is one of the two of a 2-cycle of synchronous updates.
    trajectory : ndarray of shape (n_sweeps.max() + 1, n_probes, n_units) or None
        States at the start and after each sweep; those that have ended stay as they are.
    trajectory_energies : ndarray of shape (n_sweeps.max() + 1, n_probes) or None
        E of these.
    """

    states: Array
    energies: Array
    n_sweeps: Array
    converged: Array
    cycling: Array
    trajectory: Array | None = None
    trajectory_energies: Array | None = None


def recall(
    model: Pairwise,
    params: PairwiseParameters,
    probes: Array,
    key: Key,
    *,
    update: str = "async",
    temperature: float = 0.0,
    max_sweeps: int = 300,
    clamp: bool = False,
    trace: bool = False,
) -> Recall:
    """Let `probes` go where the fields point.

    Parameters
    ----------
    model : Pairwise
        Its unit type says which two states there are.
    params : PairwiseParameters
        J need not be symmetric.
    probes : ndarray of shape (n_probes, n_units)
        States to start from, not modified; NaN where unknown.
    key : Key
        Sweep t draws from ``fold(key, t)``.
    update : {"async", "cyclic", "glauber", "sync"}
        One unit at a time, in a fresh random order every sweep, in order, or drawn with replacement; or all at once.
        The order is the same for all probes.
    temperature : float
        T.
    max_sweeps : int
        Sweeps at most; above temperature zero, exactly.
    clamp : bool
        Whether known bits are held.
    trace : bool
        Whether to return the trajectory.

    Returns
    -------
    Recall

    Raises
    ------
    ValueError
        If `update` is none of these, the temperature negative, `max_sweeps` not a positive integer, or a probe of
        another width or with other values.
    """
    if update not in UPDATES:
        raise ValueError(f"update must be one of {UPDATES}. Got {update!r} instead.")
    temperature = check_real(temperature, "temperature")
    max_sweeps = check_integer(max_sweeps, "max_sweeps")
    _check_probes(model, params, probes)
    params = params._replace(J=fastest(params.J))
    dynamics = _Dynamics(model, params, temperature, update, field_rounding(params))
    states = _complete(dynamics, probes, fold(key, Reserved.TIES.number))
    free = np.isnan(probes) if clamp else np.empty((0, 0), bool)
    settle = _walk if temperature or update == "sync" else _descend
    return settle(dynamics, states, free, key, max_sweeps, trace)


class _Dynamics(NamedTuple):
    """How units move, `zero` being the fields that count as none."""

    model: Pairwise
    params: PairwiseParameters
    temperature: float
    update: str
    zero: Array

    @property
    def beta(self) -> float:
        """1 / T, or as much as there are numbers for."""
        return finite_beta(self.params, 1 / float(self.temperature))

    @property
    def states(self) -> tuple[float, float]:
        """The lower and the higher state."""
        low, high = self.model.unit.states or ()
        return low, high

    def point(self, s: Array, otherwise: Array) -> Array:
        """Where the fields at `s` (rows, n_units) point; `otherwise` where they are zero."""
        return self.pointed(self.fields(s), otherwise)

    def fields(self, s: Array) -> Array:
        """The fields of the units at `s` (rows, n_units), the biases included."""
        f: Array = s @ self.params.J.T + self.params.bias
        return f

    def energies(self, s: Array, f: Array) -> Array:
        """E = -(J s + 2 b)'s / 2 of each row, given the fields f = J s + b."""
        energies: Array = -0.5 * np.einsum("ij,ij->i", f + self.params.bias, s, dtype=np.float64)
        return energies

    def pointed(self, f: Array, otherwise: Array) -> Array:
        """Where the fields `f` point."""
        low, high = (f.dtype.type(state) for state in self.states)
        pointed: Array = np.where(f > self.zero, high, np.where(f < -self.zero, low, otherwise))
        return pointed

    def is_fixed(self, s: Array, f: Array, free: Array) -> Array:
        """Whether no free unit of each row is to change, given their fields `f`."""
        moves = self.pointed(f, s) != s
        found: Array = ~(moves & free if free.size else moves).any(axis=1)
        return found

    def sweep(self, s: Array, free: Array, key: Key) -> Array:
        """The states after one sweep, in a new array."""
        return self.together(s, free, key) if self.update == "sync" else self.in_turn(s, free, key)

    def together(self, s: Array, free: Array, key: Key) -> Array:
        """All units at once."""
        if self.temperature:
            unit, layer_params = self.model.unit, self.model.layer_params(self.params.bias)
            new = unit.sample(layer_params, s @ self.params.J.T, fold(key, 1), self.beta)
        else:
            new = self.point(s, s)
        held: Array = np.where(free, new, s) if free.size else new
        return held

    def in_turn(self, s: Array, free: Array, key: Key) -> Array:
        """One unit after the other, above temperature zero."""
        J, bias = self.params
        beta = J.dtype.type(self.beta)
        law = (np.full(1, beta), beta * bias[np.newaxis], *self.states)
        columns = np.array(s.T, order="C")
        order = visits(self.update, len(bias), fold(key, 0))
        held, draw = np.ascontiguousarray(free.T), (*fold(key, 1), 0)
        visit(J, law, HEAT_BATH, columns, order, held, draw, np.zeros(len(s), J.dtype))
        return np.ascontiguousarray(columns.T)


def visits(update: str, n_units: int, key: Key) -> Array:
    """The units in the order in which one sweep updates them."""
    if update == "cyclic":
        return np.arange(n_units)
    if update == "async":
        return permutation(key, n_units)
    return choices(key, n_units)


def _complete(dynamics: _Dynamics, probes: Array, key: Key) -> Array:
    """`probes` with a state for each unknown bit (see the module docstring), in a new array of the dtype of J."""
    states = np.array(probes, dynamics.params.J.dtype, order="C")
    unknown = np.isnan(states)
    if unknown.any():
        low, high = dynamics.states
        states[unknown] = (low + high) / 2
        coin = np.where(uniform(key, states.shape[1]) < 0.5, low, high).astype(states.dtype)
        states[unknown] = dynamics.point(states, coin)[unknown]
    return states


def _check_probes(model: Pairwise, params: PairwiseParameters, probes: Array) -> None:
    n, states = len(params.bias), model.unit.states or ()
    if probes.ndim != 2 or probes.shape[1] != n:
        raise ValueError(f"Probes must have {n} columns. Got the shape {probes.shape}.")
    if not (np.isin(probes, states) | np.isnan(probes)).all():
        raise ValueError(f"Probes must consist of the states {states}, and NaN where unknown.")


def _descend(
    dynamics: _Dynamics, states: Array, free: Array, key: Key, max_sweeps: int, trace: bool
) -> Recall:
    """One unit at a time at temperature zero, until every probe has ended.

    Fields follow the flips. After more flips than there are units, a field holds more rounding errors than its sum
    does. Fields are then summed anew before a state counts as a fixed point.
    """
    n_sweeps, settled = np.zeros(len(states), np.int64), np.zeros(len(states), bool)
    n_units, (influence, flip_by_flip) = states.shape[1], _influence(dynamics.params.J)
    law = (dynamics.zero, *dynamics.states)
    fields, path = dynamics.fields(states), [states.copy()]
    since = np.zeros(len(states), np.int64)  # flips since the sum
    for t in range(max_sweeps):
        stale = settled & (since > n_units)
        if settled.all() and stale.any():
            fields[stale], since[stale] = dynamics.fields(states[stale]), 0
            settled = dynamics.is_fixed(states, fields, free)
        left = np.flatnonzero(~settled)
        if not left.size:
            break
        s, f, mobile = states[left], fields[left], free[left] if free.size else free
        flips = np.zeros(len(left), np.int64)
        order = visits(dynamics.update, n_units, fold(fold(key, t), 0))
        flip_by_flip(influence, law, s, f, order, mobile, flips)
        states[left], fields[left] = s, f
        n_sweeps[left[flips > 0]] = t + 1
        since[left] += flips
        settled[left] = dynamics.is_fixed(s, f, mobile)
        if trace:
            path.append(states.copy())
    stale = since > n_units
    if stale.any():
        fields[stale] = dynamics.fields(states[stale])
    converged = dynamics.is_fixed(states, fields, free)
    energies = dynamics.energies(states, fields)
    ends = Recall(states, energies, n_sweeps, converged, np.zeros(len(states), bool))
    return _traced(dynamics, ends, path) if trace else ends


def _influence(J: Any) -> tuple[Any, Callable[..., None]]:
    """The influence of each unit on the others, the columns of `J`, and the kernel that takes it in this form."""
    if is_sparse(J):
        return neighbour_lists(J.T.tocsr()), sparse_descend
    return (J if is_symmetric(J) else np.ascontiguousarray(J.T)), descend


def _walk(
    dynamics: _Dynamics, states: Array, free: Array, key: Key, max_sweeps: int, trace: bool
) -> Recall:
    """Above temperature zero, `max_sweeps` sweeps; at zero, all units at once until every probe has ended."""
    settles = dynamics.temperature == 0
    n_sweeps = np.zeros(len(states), np.int64)
    converged, cycling = np.zeros((2, len(states)), bool)
    before = np.full_like(states, np.nan)  # the states of one sweep ago
    path = [states.copy()]
    for t in range(max_sweeps):
        left = np.flatnonzero(~(converged | cycling))
        if not left.size:
            break
        old, mobile = states[left], free[left] if free.size else free
        new = dynamics.sweep(old, mobile, fold(key, t))
        moved = (new != old).any(axis=1)
        n_sweeps[left[moved] if settles else left] = t + 1
        if settles:
            converged[left] = ~moved
            cycling[left] = moved & (new == before[left]).all(axis=1)
        before[left], states[left] = old, new
        if trace:
            path.append(states.copy())
    left = np.flatnonzero(~(converged | cycling))
    fields = dynamics.fields(states)
    if settles and left.size:
        mobile = free[left] if free.size else free
        converged[left] = dynamics.is_fixed(states[left], fields[left], mobile)
    ends = Recall(states, dynamics.energies(states, fields), n_sweeps, converged, cycling)
    return _traced(dynamics, ends, path) if trace else ends


def _traced(dynamics: _Dynamics, ends: Recall, path: list[Array]) -> Recall:
    """With the states of the way, as far as something moved."""
    path = path[: ends.n_sweeps.max(initial=0) + 1]
    energies = [dynamics.energies(s, dynamics.fields(s)) for s in path]
    return ends._replace(trajectory=np.stack(path), trajectory_energies=np.stack(energies))
