"""How well, and how fast, the direct solvers find the couplings of spin glasses; how fast exact sums are.

    python benchmarks/inverse_ising.py [--quick]

Sherrington-Kirkpatrick models: couplings of the standard deviation beta / sqrt(N) between all N spins, fields of the
standard deviation 0.3. Rows are independent draws from the enumerated law. The error is the root mean square of that of
the couplings, in units of their standard deviation; 1 is as good as no couplings at all.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from threadpoolctl import threadpool_limits

from ebm.energies.groups import all_states
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.energies.pairwise_sums import pairwise_log_partition, pairwise_moments
from ebm.gradients import MaximumLikelihood, MaximumPseudoLikelihood, MeanFieldInversion
from ebm.units import Spin

MODEL = Pairwise(Spin())
SOLVERS = {
    "mean field": MeanFieldInversion(order=1),
    "TAP": MeanFieldInversion(order=2),
    "pseudo-likelihood": MaximumPseudoLikelihood(),
    "likelihood": MaximumLikelihood(),
}


def spin_glass(n: int, beta: float, seed: int) -> PairwiseParameters:
    """A Sherrington-Kirkpatrick model with weak fields."""
    rng = np.random.default_rng(seed)
    J = np.tril(rng.normal(size=(n, n)) * beta / np.sqrt(n), -1)
    return PairwiseParameters(J + J.T, 0.3 * rng.normal(size=n))


def draws(params: PairwiseParameters, count: int, seed: int) -> np.ndarray:
    """Independent rows from the enumerated law."""
    S = all_states(MODEL.unit, len(params.bias))
    log_p = -MODEL.energy(params, S)
    cumulative = np.cumsum(np.exp(log_p - log_p.max()))
    u = np.random.default_rng(seed).uniform(0, cumulative[-1], size=count)
    return S[np.searchsorted(cumulative, u, side="right")]


def seconds(task: Callable[[], object], repeats: int) -> float:
    """Median time of a task, after one run that is not counted."""
    task()
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        task()
        times.append(time.perf_counter() - begun)
    return float(np.median(times))


def errors(n: int, betas: list[float], sizes: list[int], seeds: int) -> None:
    """A table of errors, one column for each number of rows."""
    print(f"\nN = {n}, {seeds} models: error of the couplings in units of their standard deviation")
    print(f"{'beta':>6}  {'method':<18}" + "".join(f"{size:>10} rows" for size in sizes))
    for beta in betas:
        found = {name: np.zeros(len(sizes)) for name in SOLVERS}
        for seed in range(seeds):
            params = spin_glass(n, beta, seed)
            X = draws(params, max(sizes), seed + 1000)
            for k, size in enumerate(sizes):
                for name, solver in SOLVERS.items():
                    J = solver.solve(MODEL, X[:size]).params.J
                    square = np.sum((J - params.J) ** 2) / (n * (n - 1))
                    found[name][k] += np.sqrt(square) * np.sqrt(n) / beta / seeds
        for name, row in found.items():
            print(f"{beta:>6}  {name:<18}" + "".join(f"{error:>15.3f}" for error in row))


def times(n: int, n_rows: int, repeats: int) -> None:
    """Of the solvers, and of exact sums."""
    params = spin_glass(n, 1.0, 0)
    X = draws(params, n_rows, 1)
    print(f"\nN = {n}, {n_rows} rows, beta = 1: milliseconds")
    for name, solver in SOLVERS.items():
        print(f"  {name:<18}{1e3 * seconds(lambda s=solver: s.solve(MODEL, X), repeats):>10.1f}")
    for units in (n, 25):
        glass = spin_glass(units, 1.0, 0)
        spent = seconds(lambda g=glass: pairwise_log_partition(MODEL, g), repeats)
        print(f"  log Z of {units} units {1e3 * spent:>10.1f}")
    spent = seconds(lambda: pairwise_moments(MODEL, params), repeats)
    print(f"  moments of {n} units{1e3 * spent:>9.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller, to see that it runs")
    quick = parser.parse_args().quick
    with threadpool_limits(1):
        if quick:
            errors(10, [0.5], [300, 3000], 1)
            times(10, 3000, 1)
        else:
            errors(16, [0.25, 0.5, 1.0, 2.0], [1_000, 10_000, 100_000], 5)
            times(20, 10_000, 5)


if __name__ == "__main__":
    main()
