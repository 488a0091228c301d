"""The pseudo-log-likelihood (Besag 1975): how well each visible unit is predicted by all the others,

    sum_i log p(v_i | v without v_i),

without a partition function, without randomness, with the hidden units summed out. It is largest, in expectation, at
the data's distribution, as the likelihood is.

Bernoulli units that hold a probability instead of a state are scored by log sigmoid(F(v with 1 - v_i) - F(v)), the
expectation of what scikit-learn's ``BernoulliRBM.score_samples`` draws one sample of.
"""

from collections.abc import Callable
from functools import partial, singledispatch
from typing import Any, NamedTuple

import numpy as np

from ebm._checks import Array
from ebm._flat import in_double
from ebm._kernels.flips import LARGEST_BIAS, LOG_LARGEST, both_sides, flip_scores, flip_tables
from ebm._kernels.mixtures import log_integrals, within_tables
from ebm._sparse import blocks, is_sparse
from ebm.energies.base import Model
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.likelihood.exact import gaussian_precision
from ebm.likelihood.listed import listed_conditionals, nodes_of
from ebm.units import Bernoulli, Gaussian, Groups, Unit

# A sum over points 0.75 standard deviations apart is the integral of a Gaussian to 2 exp(-2 pi^2 / 0.75^2) = 1e-15 of
# its value (Poisson's summation formula); nine standard deviations around the outermost means hold all but 1e-18.
SPACING, REACH = 0.75, 9.0
BLOCK_NUMBERS = 1 << 20
BLOCK_ROWS = 1024
POINTS = 32  # of the grid at a time
WIDEST = 2000.0  # standard deviations that one grid may span


@singledispatch
def pseudo_log_likelihood(model: Model, params: Any, v: Any) -> Array:
    """Pseudo-log-likelihood of each row of `v` (rows, n_visible), in nats: -> (rows,) in double precision.

    Exact for visible units whose states can be listed (:meth:`ebm.units.Unit.nodes`), categories, and Gaussian units
    over two-state or Gaussian ones; TypeError for all others. Deterministic. All features of a row are predicted, those
    that are zero as well. The cost is proportional to rows x visible x hidden units, also where the rows of a bipartite
    model are CSR.
    """
    raise TypeError(f"There is no pseudo-likelihood of {model!r}: an energy registers its own.")


@pseudo_log_likelihood.register
def _(model: Bipartite, params: BipartiteParameters, v: Any) -> Array:
    """Of dense or CSR rows, some at a time."""
    params = in_double(params)
    if isinstance(model.visible, Groups):
        return _in_blocks(v, partial(_grouped_visible, model, params))
    if _has_two_states(model.visible):
        return _flipped_visible(model, params, v, v.shape[1])
    if isinstance(model.visible, Gaussian) and isinstance(model.hidden, Gaussian):
        return _in_blocks(v, partial(_gaussian_pair, params))
    if isinstance(model.visible, Gaussian) and _has_two_states(model.hidden):
        return _in_blocks(v, partial(_gaussian_visible, model, params))
    nodes = nodes_of(model, params)
    if nodes is not None:
        return _in_blocks(v, partial(listed_conditionals, model, params, nodes))
    raise TypeError(
        f"There is no pseudo-likelihood of {type(model.visible).__name__} visible units with "
        f"{type(model.hidden).__name__} hidden units. Use the likelihood instead, such as method='ais'."
    )


def _has_two_states(unit: Unit) -> bool:
    return unit.states is not None and len(unit.states) == 2


def _in_blocks(v: Any, function: Callable[[Array], Array]) -> Array:
    """`function` of dense rows in double precision, so many at a time that what is known of them stays in a cache."""
    parts = []
    for _, block in blocks(v):
        rows = block.astype(np.float64)
        parts += [function(rows[k : k + BLOCK_ROWS]) for k in range(0, len(rows), BLOCK_ROWS)]
    return np.concatenate(parts)


def _flipped_visible(model: Bipartite, params: BipartiteParameters, v: Any, n: int) -> Array:
    """The first `n` units, of two states: each is compared with itself flipped.

    The fast way multiplies exponentials, which has bounds: the rows outside take the general one.
    """
    W, bias = params.W[:n], params.visible.bias[:n]
    largest = np.abs(W).max()
    binary = isinstance(model.visible, Bernoulli | Groups) and isinstance(model.hidden, Bernoulli)
    binary = binary and largest < LOG_LARGEST and np.abs(bias).max() < LARGEST_BIAS
    growth, run = flip_tables(W, largest) if binary else (W, 1)
    out = np.empty(v.shape[0])
    for start, block in blocks(v):
        x, of_block = block.astype(np.float64), out[start : start + len(block)]
        fast = binary & (np.abs(1 - 2 * x[:, :n]).max(axis=1) <= 1)
        if not fast.all():
            of_block[~fast] = _two_state_visible(model, params, x[~fast], n)
        if fast.any():
            rows = v[start : start + len(block)] if is_sparse(v) else x
            inputs = (rows[fast] @ params.W) + params.hidden.bias
            found = np.empty(len(inputs))
            flip_scores(np.ascontiguousarray(x[fast, :n]), inputs, W, bias, growth, run, found)
            of_block[fast] = found
    return out


def _two_state_visible(model: Bipartite, params: BipartiteParameters, v: Array, n: int) -> Array:
    low, high = model.visible.states or Bernoulli.states or ()
    before = model.free_energy(params, v)
    out = np.zeros(len(v))
    for i in range(n):
        flipped = v.copy()
        flipped[:, i] = low + high - v[:, i]
        out -= np.logaddexp(0, before - model.free_energy(params, flipped))
    return out


def _grouped_visible(model: Bipartite, params: BipartiteParameters, v: Array) -> Array:
    """Log p(group | all others), averaged where a group holds probabilities, and the flips of the Bernoulli units."""
    assert isinstance(model.visible, Groups)
    n = model.visible.first_column(v.shape[1])
    out: Array = np.zeros(len(v))
    for group in model.visible.groups(v.shape[1]):
        logs = _log_weights(model, params, v, group, np.eye(group.stop - group.start))
        logs -= np.logaddexp.reduce(logs, axis=1, keepdims=True)
        out += np.einsum("rk,rk->r", v[:, group], logs)
    return out + _flipped_visible(model, params, v, n) if n else out


def _log_weights(
    model: Bipartite, params: BipartiteParameters, v: Array, units: slice, states: Array
) -> Array:
    """-F of each row of `v` (rows, n_visible) with each of the `states` in the place of `units`: (rows, states)."""
    rows, alone = v.copy(), np.zeros((len(states), v.shape[1]))
    rows[:, units], alone[:, units] = 0, states
    shared, weights = model.hidden_input(params, rows), np.empty((len(v), len(states)))
    for column, added in enumerate(model.hidden_input(params, alone)):
        rows[:, units] = states[column]
        summed = model.hidden.log_normaliser(params.hidden, shared + added)
        weights[:, column] = summed - model.visible.energy(params.visible, rows)
    return weights


def _gaussian_visible(model: Bipartite, params: BipartiteParameters, v: Array) -> Array:
    """Two-state hidden units: v_i given the others is a mixture of Gaussians of one variance, integrated on a grid."""
    low, high = model.hidden.states or ()
    inputs = model.hidden_input(params, v)
    fields = (high - low) * (inputs + params.hidden.bias)
    on, off = np.empty(fields.shape), np.empty(fields.shape)
    both_sides(fields.ravel(), on.ravel(), off.ravel())
    finite = np.isfinite(fields).all(axis=1)
    out = np.zeros(len(v))
    for i, (b, z) in enumerate(zip(*params.visible, strict=True)):
        sd = np.exp(z / 2)
        w, y = params.W[i] / sd, (v[:, i] - b) / sd
        steps, tilt = (high - low) * w, float(low * w.sum())
        near = finite & within_tables(y, steps, tilt)
        all_near = near.all()
        if near.any():
            some = slice(None) if all_near else near  # a slice copies nothing
            y = y[some]
            found = np.empty(len(y))
            log_integrals(y, on[some], off[some], steps, tilt, found)
            out[some] -= found + 0.5 * y**2 + np.log(sd)
        if not all_near:
            out[~near] += gaussian_conditional(model, params, i, v[~near], inputs[~near])
    return out


def gaussian_conditional(
    model: Bipartite, params: BipartiteParameters, i: int, v: Array, inputs: Array
) -> Array:
    """Log p(v_i | the others), whatever the row and the weights, given the total `inputs` of the hidden units.

    It is made for rows far outside of the means' range, and for weights that are large beside the standard deviation.
    """
    low, high = model.hidden.states or ()
    b, w, sd = params.visible.bias[i], params.W[i], np.exp(params.visible.log_variance[i] / 2)
    first = b + np.minimum(low * w, high * w).sum() - REACH * sd
    last = b + np.maximum(low * w, high * w).sum() + REACH * sd
    unit = Conditional(model, params, b, sd, w)
    if last - first < WIDEST * sd:
        integral = unit.log_sum(inputs, v[:, i], np.arange(first, last, SPACING * sd))
    else:
        rows = (unit.log_sum_of_peaks(a, x) for a, x in zip(inputs, v[:, i], strict=True))
        integral = np.fromiter(rows, np.float64, len(v))
    at_v = model.hidden.log_normaliser(params.hidden, inputs)
    density: Array = at_v - 0.5 * ((v[:, i] - b) / sd) ** 2 - integral - np.log(SPACING * sd)
    return density


class Conditional(NamedTuple):
    """One Gaussian visible unit given all the others: its bias, standard deviation and weights."""

    model: Bipartite
    params: BipartiteParameters
    b: float
    sd: float
    w: Array

    def log_density(self, inputs: Array, v: Array, x: Array) -> Array:
        """-U(x) + A with the unit moved from v to x, up to a constant: (rows, points)."""
        change = (x - v[:, np.newaxis]) / self.sd**2
        moved = inputs[:, np.newaxis] + change[:, :, np.newaxis] * self.w
        flat = moved.reshape(-1, len(self.w))
        a = self.model.hidden.log_normaliser(self.params.hidden, flat).reshape(len(v), -1)
        return a - 0.5 * ((x - self.b) / self.sd) ** 2

    def log_sum(self, inputs: Array, v: Array, x: Array) -> Array:
        """Log of the sum of the density over the points `x`, per row, some points and rows at a time."""
        total = np.full(len(v), -np.inf)
        step = max(1, BLOCK_NUMBERS // (POINTS * len(self.w)))
        for k in range(0, len(x), POINTS):
            for r in range(0, len(v), step):
                rows = slice(r, r + step)
                part = self.log_density(inputs[rows], v[rows], x[k : k + POINTS])
                total[rows] = np.logaddexp(total[rows], np.logaddexp.reduce(part, axis=1))
        return total

    def log_sum_of_peaks(self, inputs: Array, v: float) -> float:
        """The same for one row on the grid's points near its peaks, when weights are large beside sd.

        Between the points at which hidden units change sides, the density is a Gaussian around b + Ws(h) for the h of
        that side, up to a factor between 1 and 2^n. There are n + 1 peaks, of which the high ones count.
        """
        low, high = self.model.hidden.states or ()
        field = inputs + self.params.hidden.bias
        weights = (high - low) * self.w
        turning = np.where(
            weights == 0, np.inf, v - field * self.sd**2 / np.where(weights == 0, 1, weights)
        )
        steps = np.abs(weights[np.argsort(turning)])
        left = self.b + low * self.w.sum() + np.minimum(weights, 0).sum()
        peaks = left + np.append(0.0, np.cumsum(steps))
        slack = len(weights) * np.log(2) + 40
        row, start = inputs[np.newaxis], np.array([v])
        heights = self.log_density(row, start, peaks)[0]
        peaks = peaks[heights > heights.max() - slack]
        reach = int(np.sqrt(2 * slack) / SPACING) + 1
        grid = SPACING * self.sd
        places = np.round(peaks / grid)[:, np.newaxis] + np.arange(-reach, reach + 1)
        return float(self.log_sum(row, start, np.unique(places) * grid)[0])


def _gaussian_pair(params: BipartiteParameters, v: Array) -> Array:
    """Two Gaussian layers: v is Gaussian, with the Schur complement P of the joint precision."""
    n = v.shape[1]
    joint = gaussian_precision(params)
    cross, inner = joint[:n, n:], joint[n:, n:]
    P = joint[:n, :n] - cross @ np.linalg.solve(inner, cross.T)
    # P (mean - b) = C c + C q^-1 C' b with C = -cross: the pull of the hidden units at v = b.
    pull = -cross @ (params.hidden.bias - np.linalg.solve(inner, cross.T @ params.visible.bias))
    residual = (v - params.visible.bias) @ P - pull  # P (v - mean), also where P has no inverse
    d = np.diag(P)
    out: Array = 0.5 * np.sum(np.log(d / (2 * np.pi)) - residual**2 / d, axis=1)
    return out
