"""Capacity of the Hopfield network's storage rules, beside the theory.

    python benchmarks/hopfield_capacity.py [recall] [one_step] [storkey] [pseudo_inverse] [perceptron] [--quick]

Patterns are random and independent bits, K of them in N units; the load is alpha = K / N. All runs on one thread.
The standard errors are those of the mean over independent sets of patterns, for the patterns of one set share their
couplings and with them their luck.

recall
    Hebb's rule, recall started at stored patterns. The overlap at the end beside the replica-symmetric theory of Amit,
    Gutfreund & Sompolinsky (1987) at temperature zero: with y = m / sqrt(2 alpha r) its equations

        m = erf(y),   r = 1 / (1 - C)^2,   C = sqrt(2 / (pi alpha r)) exp(-y^2)

    become y (sqrt(2 alpha) + 2 / sqrt(pi) exp(-y^2)) = erf(y). The critical load is the largest for which they have
    a solution other than zero.
one_step
    The share of stored bits that one update turns over, beside erfc(1 / sqrt(2 alpha)) / 2, the law of large N, and
    beside the exact law: the aligned field of a bit is N - 1 plus a sum of (K - 1)(N - 1) independent signs.
storkey
    The share of patterns that are fixed points, as K grows to N / sqrt(2 log N) and beyond; Hebb's rule beside it.
pseudo_inverse
    Patterns, independent ones and ones that resemble each other, that are fixed points, and what becomes of them with
    wrong bits, as K grows to N.
perceptron
    Patterns that are fixed points, beyond N, and the stabilities beside the largest ones in theory (Gardner 1988),

        1 / alpha = integral from -kappa to infinity of (t + kappa)^2 exp(-t^2 / 2) / sqrt(2 pi) dt,

    where alpha is K / (N - 1), the load of one unit's inputs. Units that have a solution at all, beside their share by
    the count of Cover (1965).
"""

import argparse
import time
from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import erf, erfc
from scipy.stats import binom, norm
from threadpoolctl import threadpool_limits

from ebm._checks import Array
from ebm._random import stream
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.inference.recall import recall
from ebm.storage import Hebb, Perceptron, PseudoInverse, StorageRule, Storkey, aligned_fields
from ebm.units import Spin

MODEL = Pairwise(Spin())
NEAR = 0.9  # the overlap above which a pattern counts as retrieved


# Theory


def load_at(y: float) -> float:
    """The load whose equations y = m / sqrt(2 alpha r) solves."""
    slack = max(erf(y) / y - 2 / np.sqrt(np.pi) * np.exp(-(y**2)), 0.0)
    return float(slack**2 / 2)


def critical_point() -> tuple[float, float]:
    """The critical load, and y there."""
    top = minimize_scalar(lambda y: -load_at(y), bounds=(0.5, 5.0), options={"xatol": 1e-10})
    return -float(top.fun), float(top.x)


def overlap_in_theory(load: float) -> float:
    """m of the retrieval states; NaN above the critical load."""
    critical, y = critical_point()
    if load > critical:
        return float("nan")
    return float(erf(brentq(lambda z: load_at(z) - load, y, 100.0)))


def one_step_error(n_units: int, n_patterns: int) -> float:
    """The chance that a bit's aligned field is negative, exactly."""
    n_signs = (n_patterns - 1) * (n_units - 1)
    # The sum is n_signs - 2 x of x signs -1, and is to be below -(N - 1).
    least = (n_signs + n_units - 1) // 2 + 1
    return float(binom.sf(least - 1, n_signs, 0.5))


def largest_stability(load: float) -> float:
    """Gardner's kappa, for random patterns and many units."""

    def inverse_load(kappa: float) -> float:
        return float((1 + kappa**2) * norm.cdf(kappa) + kappa * norm.pdf(kappa))

    return float(brentq(lambda kappa: inverse_load(kappa) - 1 / load, -10.0, 20.0))


def separable(n_patterns: int, n_inputs: int) -> float:
    """The chance that couplings of `n_inputs` exist which give all patterns the right sign."""
    return float(binom.cdf(n_inputs - 1, n_patterns - 1, 0.5))


# Measurements


def random_patterns(n_patterns: int, n_units: int, *seed: int) -> Array:
    """Fair, independent spins."""
    bits = np.random.default_rng(seed).integers(0, 2, (n_patterns, n_units))
    return 2.0 * bits - 1


def resembling_patterns(n_patterns: int, n_units: int, *seed: int) -> Array:
    """Spins that are up with a chance of 0.9, so that two patterns have the mean overlap 0.64."""
    up = np.random.default_rng(seed).random((n_patterns, n_units)) < 0.9
    return 2.0 * up - 1


def stored(rule: StorageRule, patterns: Array) -> PairwiseParameters:
    """The couplings, in single precision."""
    memory = rule.store(rule.empty(patterns.shape[1]), patterns)
    return rule.parameters(memory, np.float32)


def ends(params: PairwiseParameters, probes: Array, seed: int) -> Array:
    """Where recall ends, one unit at a time in random order."""
    return recall(MODEL, params, probes.astype(np.float32), stream(seed, "evaluation")).states


def retrieved(params: PairwiseParameters, probes: Array, patterns: Array, seed: int) -> Array:
    """Overlaps of where recall from `probes` ends with the `patterns`, row by row."""
    return np.mean(ends(params, probes, seed) * patterns, axis=1, dtype=np.float64)


def with_wrong_bits(patterns: Array, share: float, *seed: int) -> Array:
    """The patterns with a share of their bits, at random, turned over."""
    return np.where(np.random.default_rng(seed).random(patterns.shape) < share, -patterns, patterns)


def mean_and_error(values: Sequence[float] | Array) -> str:
    """Mean over sets of patterns and its standard error; of fewer than three there is not much to say."""
    if len(values) < 3:
        return f"{np.mean(values):.4f}          " if len(values) else "none             "
    return f"{np.mean(values):.4f} +- {np.std(values, ddof=1) / np.sqrt(len(values)):.4f}"


def measure_recall(n_sets: int) -> None:
    """Overlaps after recall from stored patterns."""
    print(f"Hebb, recall from stored patterns. Critical load {critical_point()[0]:.4f}")
    print("    N    K   load  theory  overlap             of those retrieved  share retrieved")
    cases = [(2000, load) for load in (0.05, 0.10, 0.12, 0.13, 0.14, 0.15, 0.16, 0.18, 0.20)]
    cases += [(n, load) for load in (0.13, 0.15) for n in (500, 1000, 4000, 8000)]
    for n_units, load in cases:
        n_patterns = round(load * n_units)
        means, near_means, shares = [], [], []
        for seed in range(max(3, n_sets * 2000 // max(n_units, 2000))):
            patterns = random_patterns(n_patterns, n_units, 0, n_units, n_patterns, seed)
            params = stored(Hebb(), patterns)
            m = retrieved(params, patterns[:300], patterns[:300], seed)
            means.append(m.mean())
            shares.append(np.mean(m > NEAR))
            if (m > NEAR).any():
                near_means.append(m[m > NEAR].mean())
        m = overlap_in_theory(load)
        theory = "  none" if np.isnan(m) else f"{m:.4f}"
        print(
            f"{n_units:5d} {n_patterns:4d}  {load:5.3f}  {theory}  {mean_and_error(means)}   "
            f"{mean_and_error(near_means)}   {mean_and_error(shares)}",
            flush=True,
        )


def measure_one_step(n_sets: int) -> None:
    """Bits that one update turns over."""
    n_units = 2000
    print("Hebb, bits in error after one step, percent")
    print("    N    K   load  measured            exactly   large N")
    for load in (0.05, 0.10, 0.138, 0.20, 0.50, 1.00):
        n_patterns, shares = round(load * n_units), []
        for seed in range(n_sets):
            patterns = random_patterns(n_patterns, n_units, 1, n_patterns, seed)
            # Sums of signs without 1 / N are whole numbers: zeros are zeros.
            params = stored(Hebb(normalize=False), patterns)
            fields = aligned_fields(params, patterns.astype(np.float32))
            shares.append(100 * np.mean(fields < 0))
        print(
            f"{n_units:5d} {n_patterns:4d}  {load:5.3f}  {mean_and_error(shares)}"
            f"   {100 * one_step_error(n_units, n_patterns):7.4f}   {50 * erfc(1 / np.sqrt(2 * load)):7.4f}",
            flush=True,
        )


def measure_storkey(n_sets: int) -> None:
    """Patterns that are fixed points, while more and more are stored."""
    print("Storkey beside Hebb, share of patterns that are fixed points")
    print(
        "    N    K   K sqrt(2 log N) / N   Storkey             Hebb                sets all fixed by Storkey"
    )
    parts = (0.25, 0.5, 0.8, 0.9, 1.0, 1.1, 1.2)
    for n_units in (250, 500, 1000, 2000):
        counts = [round(part * Storkey().capacity(Storkey().empty(n_units))) for part in parts]
        shares: dict[str, list[list[float]]] = {"storkey": [], "hebb": []}
        n_here = max(3, n_sets * 1000 // max(n_units, 1000))
        for seed in range(n_here):
            patterns = random_patterns(counts[-1], n_units, 2, n_units, seed)
            shares["storkey"].append(fixed_while_growing(Storkey(), patterns, counts))
            shares["hebb"].append(fixed_while_growing(Hebb(normalize=False), patterns, counts))
        storkey, hebb = np.transpose(shares["storkey"]), np.transpose(shares["hebb"])
        for i, (part, count) in enumerate(zip(parts, counts, strict=True)):
            print(
                f"{n_units:5d} {count:4d}   {part:4.2f}                  {mean_and_error(storkey[i])}   "
                f"{mean_and_error(hebb[i])}   {np.sum(storkey[i] == 1)} of {n_here}",
                flush=True,
            )


def fixed_while_growing(rule: StorageRule, patterns: Array, counts: Sequence[int]) -> list[float]:
    """The share of the first `counts` patterns that are fixed points, when so many are stored."""
    memory, shares, before = rule.empty(patterns.shape[1]), [], 0
    for count in counts:
        memory = rule.store(memory, patterns[before:count])
        fields = aligned_fields(rule.parameters(memory), patterns[:count])
        shares.append(float(np.mean((fields >= 0).all(axis=1))))
        before = count
    return shares


def measure_pseudo_inverse(n_sets: int) -> None:
    """Patterns that are fixed points, and retrieved from wrong bits."""
    n_units = 1000
    print(
        "Pseudo-inverse, share of patterns that are fixed points; overlap after recall with 5 % wrong bits (0.9 at"
    )
    print("the start); mean aligned field")
    print(
        "    N    K   patterns      fixed points        overlap             aligned field       1 - K / N"
    )
    for name, draw in (("independent", random_patterns), ("resembling", resembling_patterns)):
        for load in (0.25, 0.5, 0.75, 0.9, 0.99, 1.0):
            n_patterns = round(load * n_units)
            fixed, overlaps, means = [], [], []
            for seed in range(max(3, n_sets // 2)):
                patterns = draw(n_patterns, n_units, 3, n_patterns, seed)
                params = stored(PseudoInverse(), patterns)
                unmoved = ends(params, patterns, seed) == patterns
                fixed.append(float(np.mean(unmoved.all(axis=1))))
                probes = with_wrong_bits(patterns[:300], 0.05, 4, seed)
                overlaps.append(retrieved(params, probes, patterns[:300], seed).mean())
                means.append(aligned_fields(params, patterns.astype(np.float32)).mean())
            print(
                f"{n_units:5d} {n_patterns:4d}   {name:11s}   {mean_and_error(fixed)}   {mean_and_error(overlaps)}"
                f"   {mean_and_error(means)}   {1 - load:.4f}",
                flush=True,
            )


def measure_perceptron(n_sets: int) -> None:
    """Patterns that are fixed points, and the units' stabilities."""
    n_units = 200
    print(
        "Perceptron rule, shares of units that are stable in all patterns and of patterns that are"
    )
    print("fixed points; mean over units of the least stability")
    print(
        "    N    K   load   couplings   units               Cover   fixed points        stability           Gardner"
    )
    for symmetric, loads in ((False, (0.5, 1.0, 1.5, 1.8)), (True, (1.0, 1.25))):
        for load in loads:
            n_patterns = round(load * n_units)
            units, fixed, stabilities = [], [], []
            for seed in range(max(3, n_sets // 2)):
                patterns = random_patterns(n_patterns, n_units, 5, n_patterns, seed)
                # Close to 2 N, learning takes more passes than the default allows.
                rule = Perceptron(symmetric=symmetric, max_iter=20_000)
                J, bias = rule.parameters(rule.store(rule.empty(n_units), patterns))
                fields = aligned_fields(PairwiseParameters(J, bias), patterns)
                least = (fields / np.linalg.norm(J, axis=1)).min(axis=0)
                units.append(float(np.mean(least > 0)))
                fixed.append(float(np.mean((fields > 0).all(axis=1))))
                stabilities.append(float(least.mean()))
            kind = "symmetric" if symmetric else "separate "
            gardner = "" if symmetric else f"{largest_stability(n_patterns / (n_units - 1)):.4f}"
            cover = "      " if symmetric else f"{separable(n_patterns, n_units - 1):.4f}"
            print(
                f"{n_units:5d} {n_patterns:4d}   {load:4.2f}   {kind}   {mean_and_error(units)}   {cover}  "
                f"{mean_and_error(fixed)}   {mean_and_error(stabilities)}   {gardner}",
                flush=True,
            )


PARTS: dict[str, Callable[[int], None]] = {
    "recall": measure_recall,
    "one_step": measure_one_step,
    "storkey": measure_storkey,
    "pseudo_inverse": measure_pseudo_inverse,
    "perceptron": measure_perceptron,
}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}; or all")
    parser.add_argument("--quick", action="store_true", help="fewer sets of patterns")
    options = parser.parse_args()
    if not set(options.parts) <= set(PARTS):
        parser.error(f"parts are {', '.join(PARTS)}")
    with threadpool_limits(1):
        for name in options.parts or PARTS:
            start = time.process_time()
            PARTS[name](3 if options.quick else 10)
            print(f"{time.process_time() - start:.0f} seconds of one processor\n", flush=True)
    print(f"{time.process_time():.0f} seconds in all")


if __name__ == "__main__":
    main()
