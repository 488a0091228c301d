"""Errors of stored bits in dense associative memories, one look at each, beside the theory.

    python benchmarks/dense_capacity.py [--quick]

K random patterns of N bits are stored; each bit of some of them is looked at once, with all others as stored, and is in
error where the other state has the lower energy. Krotov & Hopfield (2016) take the sum over the other patterns for a
normal deviate, which makes the error

    erfc(sqrt(N^(n - 1) / (2 (2n - 3)!! K))) / 2

for large N. Beside it, the same with the signal and the noise's variance as they are at this N. Loads are (2n - 3)!! K
/ N^(n - 1), so that one load has one error, whatever the degree. The standard error is that of the mean over sets of
patterns.
"""

import argparse
import time

import numpy as np
from scipy.special import erfc
from scipy.stats import binom

from ebm.energies.memory import DenseMemory, DenseParameters

# Units by degree, such that the most patterns are some tens of thousands.
UNITS = {2: 1000, 3: 300, 4: 100}
NOISE = {2: 1, 3: 3, 4: 15}  # (2n - 3)!!
LOADS = (0.1, 0.15, 0.25, 0.5)


def measured(degree: int, n_patterns: int, n_sets: int, n_bits: int) -> tuple[float, float]:
    """Share of stored bits in error, and its standard error, over independent sets of patterns."""
    n_units, model = UNITS[degree], DenseMemory("polynomial", degree)
    shares = []
    for seed in range(n_sets):
        rng = np.random.default_rng([degree, n_patterns, seed])
        patterns = rng.integers(0, 2, (n_patterns, n_units), dtype=np.int8) * 2 - 1
        looked_at = patterns[: max(1, n_bits // n_units)]
        differences = model.flip_differences(DenseParameters(patterns), looked_at)
        shares.append(np.mean(differences < 0))
    return float(np.mean(shares)), float(np.std(shares, ddof=1) / np.sqrt(n_sets))


def at_this_size(degree: int, n_patterns: int) -> float:
    """The normal approximation with the signal N^n - (N - 2)^n and the exact variance of a pattern's share."""
    n = UNITS[degree]
    y = np.arange(-(n - 1), n, 2.0)
    steps = (y + 1) ** degree - (y - 1) ** degree
    variance = np.sum(binom.pmf(np.arange(n), n - 1, 0.5) * steps**2)
    signal = float(n) ** degree - float(n - 2) ** degree
    return float(erfc(signal / np.sqrt(2 * (n_patterns - 1) * variance)) / 2)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer sets of patterns")
    n_sets = 4 if parser.parse_args().quick else 20
    begun = time.perf_counter()
    print("degree     N      K   load   measured         theory    at this N   (percent of bits)")
    for degree, n_units in UNITS.items():
        model = DenseMemory("polynomial", degree)
        for load in LOADS:
            n_patterns = round(load * n_units ** (degree - 1) / NOISE[degree])
            share, error = measured(degree, n_patterns, n_sets, 30_000)
            theory = model.one_step_error(n_units, n_patterns)
            print(
                f"{degree:6d} {n_units:5d} {n_patterns:6d}   {load:4.2f}   {100 * share:6.3f} +- {100 * error:5.3f}"
                f"   {100 * theory:6.3f}   {100 * at_this_size(degree, n_patterns):6.3f}",
                flush=True,
            )
    print(f"{time.perf_counter() - begun:.0f} seconds")


if __name__ == "__main__":
    main()
