r"""Stored patterns as the wells of an energy: dense associative memories, and their continuous relatives.

Dense associative memories (Krotov & Hopfield 2016) have spins s in {-1, +1}^N and K memories xi_mu in {-1, +1}^N. With
the overlaps x_mu = xi_mu's,

    E(s) = -sum_mu F(x_mu),        F(x) = N (x / N)^n           "polynomial", of degree n
                                   F(x) = N max(x / N, 0)^n     "rectified"

so that a pattern that is stored alone has the energy -N at every degree. Degree 2 is the Hopfield network with Hebb's
rule: with J = sum_mu xi_mu xi_mu' / N without its diagonal, E = 2 (-s'Js / 2) - K. At a higher degree memories with
small overlaps disturb less, and more can be stored: about N^(n - 1). The limit is exponential storage (Demircigil et
al. 2017), F(x) = exp(x); its energy is written on a logarithmic scale, which overflows nowhere and has the same minima,

                                   E(s) = -log sum_mu exp(x_mu)  "exponential"

A unit whose state in a memory is not known has xi = 0 there.

Modern Hopfield networks (Ramsauer et al. 2021) take that to real vectors q and patterns X = (x_1, ..., x_K):

    E(q) = -lse(beta, X'q) + q'q / 2 + log(K) / beta + M^2 / 2,    lse(beta, z) = log(sum_mu exp(beta z_mu)) / beta,

with M the largest norm of a pattern; 0 <= E(q) holds for all q, and E(q) <= 2 M^2 where q is no longer than M. The
update

    q <- X softmax(beta X'q)

(the attention of a transformer's layer) never increases it, for it minimises a bound that touches E at q. Other
entropies than Shannon's give other softmaxes (Martins & Astudillo 2016; Hu et al. 2023): with

    H(p) = sum_mu (p_mu - p_mu^alpha) / (alpha (alpha - 1)),    alpha = 1: Shannon's, -sum_mu p_mu log p_mu,

lse(beta, z) is max_p [p'z + H(p) / beta], log(K) is max_p H(p), and the maximiser p is alpha-entmax(beta z): sparsemax
for alpha = 2, and exactly zero for patterns far from q at every alpha > 1. A pattern of weight w counts as w equal
ones: in H(p), p_mu is then p_mu / w_mu and every term counts w_mu times, and K is the sum of the weights.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import erfc, erfcinv, gammaln, logsumexp, softmax

from ebm._checks import Array, Settled, check_integer, check_option, check_real
from ebm._kernels import memories as kernels

INTERACTIONS = ("polynomial", "rectified", "exponential")
# The span of one level of a table of steps, as a power of two: a little less than that of double precision above one.
LEVEL_WIDTH = 900
# Largest whole number up to which double precision knows them all.
LARGEST_EXACT = 2**53
# The largest weight of a pattern: beside larger weights, a weight of one is lost in rounding.
MOST_COPIES = 1e15
# Bits of a stored pattern that noise may turn, at the capacity.
TOLERATED_ERROR = 0.005
# Limit of the search for patterns that are not fixed points, in products of entries; patterns examined in any case.
MOST_PRODUCTS = 10**8
FEWEST_LOOKED_AT = 10

VARIANTS = {"softmax": 1.0, "entmax": 1.5, "sparsemax": 2.0}


def some_patterns(n_patterns: int, n_units: int) -> Array:
    """Indices of the patterns that are looked at to see whether they are held: all, or some, evenly spread."""
    n_some = min(max(MOST_PRODUCTS // (n_patterns * n_units), FEWEST_LOOKED_AT), n_patterns)
    return np.linspace(0, n_patterns - 1, n_some).astype(np.int64)


class DenseParameters(NamedTuple):
    """Parameters of a dense associative memory.

    Attributes
    ----------
    memories : ndarray of shape (n_memories, n_units)
        xi: -1 and +1, and 0 where unknown. Learned ones are any numbers; they have energies, but no sweeps.
    """

    memories: Array


def check_memories(memories: Any, argument: str = "memories") -> Array:
    """A C-contiguous int8 copy of the entries -1, 0 and +1 (n_memories, n_units); ValueError for anything else."""
    given = np.asarray(memories)
    if given.ndim != 2 or not given.size:
        raise ValueError(
            f"{argument} must have the shape (n_memories, n_units), neither of them zero. Got {given.shape}."
        )
    other = given[~np.isin(given, (-1, 0, 1))]
    if other.size:
        raise ValueError(
            f"{argument} must have the entries -1 and +1, and 0 where unknown. Got {other[0]!r}."
        )
    return np.array(given, np.int8, order="C")


@dataclass(frozen=True)
class DenseMemory(Settled):
    """The choice of the interaction F; all functions take the parameters and leave their arguments alone.

    Attributes
    ----------
    interaction : {"polynomial", "rectified", "exponential"}
    degree : int
        n, at least 2; means nothing for the exponential.
    """

    interaction: str = "polynomial"
    degree: int = 3

    def __post_init__(self) -> None:
        check_option(self.interaction, "interaction", INTERACTIONS)
        check_integer(self.degree, "degree", 2)

    def overlaps(self, params: DenseParameters, s: Array) -> Array:
        """xi_mu's: (rows, n_units) -> (rows, n_memories), exact for memories of -1, 0 and +1 and such states."""
        memories, dtype = params.memories, np.result_type(s, np.float32)
        if memories.dtype.kind == "i" and s.dtype.kind == "i" and s.shape[1] < 2**24:
            dtype = np.dtype(np.float32)  # knows all the whole numbers that may come up
        overlaps: Array = s.astype(dtype) @ memories.T.astype(dtype)
        return overlaps

    def energy(self, params: DenseParameters, s: Array) -> Array:
        """E(s) per row: (rows, n_units) -> (rows,) in double precision."""
        return self.energy_of_overlaps(self.overlaps(params, s), params.memories.shape[1])

    def energy_of_overlaps(self, overlaps: Array, n_units: int) -> Array:
        """E by the overlaps (rows, n_memories), in double precision."""
        x = overlaps.astype(np.float64)
        if self.interaction == "exponential":
            energy: Array = -logsumexp(x, axis=1)
            return energy
        summed: Array = (self._rectify(x / n_units) ** self.degree).sum(axis=1)
        return -n_units * summed

    def gradient(self, params: DenseParameters, s: Array) -> Array:
        """dE/ds with the states taken as real numbers: (rows, n_units) -> (rows, n_units), in double precision."""
        x = self.overlaps(params, s).astype(np.float64)
        if self.interaction == "exponential":
            slopes = softmax(x, axis=1)
        else:
            slopes = self.degree * self._rectify(x / s.shape[1]) ** (self.degree - 1)
        gradient: Array = -slopes @ params.memories.astype(np.float64)
        return gradient

    def _rectify(self, x: Array) -> Array:
        return np.maximum(x, 0) if self.interaction == "rectified" else x

    def flip_differences(self, params: DenseParameters, s: Array) -> Array:
        """E(s with s_i -> -s_i) - E(s) for every unit i: spins (rows, n_units) -> (rows, n_units).

        Zero where rounding hides the sign, which takes different powers that cancel to the last bits.
        """
        n_memories, n_units = params.memories.shape
        spins, x = s.astype(np.int8, order="C"), self.overlaps(params, s.astype(np.int8))
        fields, levels = np.empty(s.shape), np.empty(s.shape, np.int64)
        steps = self.steps(n_units, n_memories)
        columns = np.ascontiguousarray(params.memories.T)
        kernels.fields(spins, x.astype(np.int32), columns, steps, fields, levels)
        scale = steps.base + LEVEL_WIDTH * levels  # a power of two
        if self.interaction == "exponential":
            log_sum = logsumexp(x.astype(np.float64), axis=1, keepdims=True)
            with np.errstate(divide="ignore"):  # of no field
                size = np.exp(np.log(np.abs(fields)) + np.log(2) * scale - log_sum)
            exponential: Array = -np.log1p(-spins * np.sign(fields) * size)
            return exponential
        # F is in units of N^(1 - n), its steps by whole numbers are not.
        unit = scale + (1 - self.degree) * np.log2(n_units)
        difference: Array = (
            spins * np.sign(fields) * np.exp2(np.log2(np.abs(fields) + (fields == 0)) + unit)
        )
        return difference

    def n_unstable(self, params: DenseParameters, s: Array) -> int:
        """How many of the rows of spins are no fixed points: a unit of theirs would turn."""
        return int((self.flip_differences(params, s) < 0).any(axis=1).sum())

    def steps(self, n_units: int, n_memories: int) -> kernels.Steps:
        """F(y + 1) - F(y - 1) for all the whole numbers y that may come up (see :mod:`ebm._kernels.memories`)."""
        y = np.arange(1 - n_units, n_units)
        rounding = (n_memories + 2) * 2.0**-53
        if self.interaction == "exponential":
            rounding += 6 * n_units * 2.0**-53  # of the exponents
            # F is taken relative to its smallest value, so that levels count from zero.
            powers = (y + 1 + n_units) / np.log(2)
            levels = (powers // LEVEL_WIDTH).astype(np.int64)
            rows = np.arange(levels[-1] + 1)[:, np.newaxis]
            exponents = powers - LEVEL_WIDTH * rows
            table = np.exp2(np.where(exponents < LEVEL_WIDTH + 1, exponents, -np.inf))
            return kernels.Steps(table * -np.expm1(-2.0), levels, 0, rounding, -n_units / np.log(2))
        steps = [self._power(t + 1) - self._power(t - 1) for t in y.tolist()]
        sizes = [self._power(abs(t) + 1).bit_length() for t in y.tolist()]
        levels = np.array(sizes, np.int64) // LEVEL_WIDTH
        mirror = 1 if self.degree % 2 else -1
        if self.interaction == "rectified":
            mirror, levels[: n_units - 1] = 0, 0
        table = np.array([[_scaled(h, row) for h in steps] for row in range(levels.max() + 1)])
        exact = len(table) == 1 and n_memories * max(map(abs, steps)) < LARGEST_EXACT
        return kernels.Steps(table, levels, mirror, 0.0 if exact else rounding, 0.0)

    def _power(self, y: int) -> int:
        """F(y) N^(n - 1), a whole number."""
        return 0 if self.interaction == "rectified" and y < 0 else y**self.degree

    def one_step_error(self, n_units: int, n_memories: float) -> float:
        """Probability that noise turns a bit of a stored random pattern at the first look, for a polynomial.

        erfc(sqrt(N^(n - 1) / (2 (2n - 3)!! K))) / 2, for many units and memories (Krotov & Hopfield 2016, eq. 6).
        """
        if self.interaction == "exponential":
            raise ValueError("one_step_error is known for polynomial interactions. See capacity.")
        power = (self.degree - 1) * np.log(n_units) - np.log(2 * n_memories)
        return float(erfc(np.exp(0.5 * (power - self._log_disturbance(self.degree)))) / 2)

    def capacity(self, n_units: int) -> float:
        """About how many random patterns can be stored, as a real number.

        For a polynomial, as many as leave half a percent of the bits wrong at the first look (:meth:`one_step_error`);
        for the exponential, and at most, 2^(N / 2) (Demircigil et al. 2017, theorem 3). The noise in the formula is
        that of Gaussian overlaps; for n > N / 2 + 1 it would grow faster than the signal, and the noise of the last
        degree below counts.
        """
        bound = 0.5 * n_units * np.log(2)
        if self.interaction != "exponential":
            margin = 2 * erfcinv(2 * TOLERATED_ERROR) ** 2
            degree = max(2, min(self.degree, n_units // 2 + 1))
            power = (degree - 1) * np.log(n_units) - self._log_disturbance(degree) - np.log(margin)
            bound = min(bound, power)
        return float(np.exp(min(bound, 700.0)))

    def _log_disturbance(self, degree: int) -> float:
        """Logarithm of (2n - 3)!!, the (2n - 2)-th moment of a normal deviate; of half of it where half is cut off."""
        moment = (degree - 1) * np.log(2) + gammaln(degree - 0.5) - 0.5 * np.log(np.pi)
        return float(moment - np.log(2) if self.interaction == "rectified" else moment)


def _scaled(whole: int, row: int) -> float:
    """The whole number over 2^(width row), correctly rounded; 0 beyond the level that this row is for."""
    if whole.bit_length() > LEVEL_WIDTH * (row + 1):
        return 0.0
    return whole / (1 << (LEVEL_WIDTH * row))


class ModernParameters(NamedTuple):
    """Parameters of a modern Hopfield network.

    Attributes
    ----------
    patterns : ndarray of shape (n_patterns, n_units)
        The stored patterns, the columns of X.
    weights : ndarray of shape (n_patterns,)
        How many equal patterns each stands for: positive, in double precision.
    """

    patterns: Array
    weights: Array


@dataclass(frozen=True)
class ModernMemory(Settled):
    """The choice of the inverse temperature and of the softmax.

    Attributes
    ----------
    beta : float
    variant : {"softmax", "entmax", "sparsemax"}
        alpha = 1, 1.5 and 2.
    """

    beta: float = 1.0
    variant: str = "softmax"

    def __post_init__(self) -> None:
        check_real(self.beta, "beta", open_low=True)
        check_option(self.variant, "variant", VARIANTS)

    def scores(self, params: ModernParameters, q: Array) -> Array:
        """Scores beta X'q less the largest of each row: (rows, n_units) -> (rows, n_patterns)."""
        return self._cooled(q @ params.patterns.T)[1]

    def _cooled(self, products: Array) -> tuple[Array, Array]:
        """The largest of the inner products X'q of each row, and beta times how far the others fall short of it."""
        largest = products.max(axis=1)
        beta = min(self.beta, float(np.finfo(products.dtype).max))
        with np.errstate(over="ignore"):  # what is infinitely far has no share
            return largest, products.dtype.type(beta) * (products - largest[:, np.newaxis])

    def attention(self, params: ModernParameters, q: Array) -> Array:
        """The shares p of the patterns in the update of `q`: (rows, n_units) -> (rows, n_patterns), summing to one."""
        return self._shares(self.scores(params, q), params.weights)

    def update(self, params: ModernParameters, q: Array) -> Array:
        """X p: (rows, n_units) -> (rows, n_units)."""
        return self.attention(params, q) @ params.patterns

    def energy(self, params: ModernParameters, q: Array) -> Array:
        """E(q) per row: (rows, n_units) -> (rows,) in double precision."""
        wide = ModernParameters(params.patterns.astype(np.float64), params.weights)
        q = q.astype(np.float64)
        largest, z = self._cooled(q @ wide.patterns.T)
        if self.variant == "softmax":
            soft = log_mean_exp(z, params.weights)
        else:
            p = self._shares(z, params.weights)
            soft = np.einsum("ij,ij->i", p, np.where(p > 0, z, 0)) - self._regret(p, params.weights)
        size = np.einsum("ij,ij->i", wide.patterns, wide.patterns).max()
        energy: Array = (np.einsum("ij,ij->i", q, q) + size) / 2 - largest - soft / self.beta
        return energy

    def gradient(self, params: ModernParameters, q: Array) -> Array:
        """dE/dq = q - X p: (rows, n_units) -> (rows, n_units)."""
        gradient: Array = q - self.update(params, q)
        return gradient

    def _shares(self, z: Array, weights: Array) -> Array:
        if self.variant == "softmax":
            shares: Array = softmax(z + np.log(weights).astype(z.dtype), axis=1)
            return shares
        return sparse_softmax(z, weights.astype(z.dtype), VARIANTS[self.variant])

    def _regret(self, p: Array, weights: Array) -> Array:
        """By how much H(p) of rows falls short of the largest, that of equal shares, for alpha > 1.

        As a sum of squares, so that it is not lost in rounding near equal shares: H and its tangent there differ by it.
        """
        share, equal = p / weights, 1 / weights.sum()
        if self.variant == "sparsemax":
            terms = (share - equal) ** 2 / 2
        else:
            root, level = np.sqrt(share), np.sqrt(equal)
            terms = (root - level) ** 2 * (root + level / 2) * (4 / 3)
        regret: Array = terms @ weights
        return regret


def check_counts(weights: Array, dtype: Any, argument: str) -> None:
    """Refuse weights of patterns that are not positive, or of which sums or squares of inverses overflow in `dtype`."""
    least = float(np.sqrt(np.finfo(dtype).tiny))
    wrong = weights[~((weights >= least) & (weights <= MOST_COPIES))]
    if len(wrong):
        raise ValueError(
            f"{argument} holds {wrong[0]:g}, but the weight of a pattern must be between {least:.3g} and "
            f"{MOST_COPIES:g} in {np.dtype(dtype)}. A weight of zero in fit leaves the pattern out. Multiply or divide "
            "all weights by a number."
        )


def log_mean_exp(z: Array, weights: Array) -> Array:
    """Logarithm of the weighted mean of exp(z) of each row, z <= 0: precise also where it is next to zero."""
    shares = weights / weights.sum()
    excess = np.expm1(z) @ shares
    # Up to there 1 + excess loses at most one bit.
    near = excess > -0.5
    mean: Array = np.where(
        near, np.log1p(np.where(near, excess, 0)), logsumexp(z, axis=1, b=shares)
    )
    return mean


def sparse_softmax(z: Array, weights: Array, alpha: float) -> Array:
    """The alpha-entmax of the rows of `z` (rows, n), alpha = 2 or 1.5; entry i stands for `weights[i]` equal ones.

    p_i = w_i max((alpha - 1) z_i - t, 0)^(1 / (alpha - 1)), with t such that the sum is one. This t is the root of a
    polynomial, whose coefficients are moments of the largest entries, those with p_i > 0 (Martins & Astudillo 2016,
    algorithm 1; Peters, Niculae & Martins 2019, algorithm 2).
    """
    power = 1 / (alpha - 1)
    z = (alpha - 1) * (z - z.max(axis=1, keepdims=True))
    order = np.argsort(-z, axis=1, kind="stable")
    w = weights[order]
    # By itself the largest entry has this t; others raise it. Smaller entries have no share; their squares overflow.
    z = np.maximum(z, -(w[:, :1] ** (1 - alpha)))
    ranked = np.take_along_axis(z, order, axis=1)
    total = w.cumsum(axis=1)
    mean = (w * ranked).cumsum(axis=1) / total
    if alpha == 2:
        t = mean - 1 / total
    else:
        spread = (w * ranked**2).cumsum(axis=1) - total * mean**2
        t = mean - np.sqrt(np.maximum(1 - spread, 0) / total)
    n_left = (ranked > t).sum(axis=1, keepdims=True)
    p: Array = weights * np.maximum(z - np.take_along_axis(t, n_left - 1, axis=1), 0) ** power
    p /= p.sum(axis=1, keepdims=True)  # rounding
    return p


def cosine(q: Array, patterns: Array) -> Array:
    """Cosines of the rows of `q` with those of `patterns`: -> (rows, n_patterns); zero for a row of zeros."""
    tiny = np.finfo(patterns.dtype).tiny
    size = np.sqrt(np.outer((q * q).sum(axis=1), (patterns * patterns).sum(axis=1)))
    cosines: Array = (q @ patterns.T) / np.maximum(size, tiny)
    return cosines
