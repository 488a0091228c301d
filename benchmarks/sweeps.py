"""Speed of sequential sweeps beside the matrix product that they cannot avoid and the loops they replace, in one run.

    python benchmarks/sweeps.py [--quick]

A sweep visits every unit of a pairwise model once, in all chains. Its floor is one product of the couplings N x N with
states N x 100, single precision. Beside it stand two ways to write a sweep in NumPy: a loop over units that updates all
probes at once, and a loop over units and probes. Recall is timed as a whole, from noisy patterns until nothing moves,
and divided by its sweeps. One chain has another floor: to read J once, in a product of J with one vector. Last, epochs
of persistent contrastive divergence of a fully visible 784-unit machine on MNIST, where scikit-learn can fetch it.
"""

import argparse
import time

import numpy as np
from ais_throughput import ratios
from threadpoolctl import threadpool_limits

from ebm import BoltzmannMachine, Spin
from ebm._random import stream
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.inference import recall
from ebm.samplers import gibbs

MODEL, KEY = Pairwise(Spin()), stream(0, "evaluation")


def spin_glass(n: int) -> PairwiseParameters:
    """Couplings N(0, 1 / n): the spin glass of Sherrington & Kirkpatrick."""
    J = np.random.default_rng(0).normal(size=(n, n)) / np.sqrt(2 * n)
    J = J + J.T
    np.fill_diagonal(J, 0)
    return PairwiseParameters(J.astype(np.float32), np.zeros(n, np.float32))


def hopfield(n: int, n_patterns: int) -> tuple[PairwiseParameters, np.ndarray]:
    """A Hebbian network, and probes: its first patterns with a tenth of the bits flipped."""
    rng = np.random.default_rng(0)
    X = np.where(rng.random((n_patterns, n)) < 0.5, -1, 1).astype(np.float32)
    J = X.T @ X / n
    np.fill_diagonal(J, 0)
    probes = np.where(rng.random((100, n)) < 0.1, -1, 1) * X[:100]
    return PairwiseParameters(J, np.zeros(n, np.float32)), probes.astype(np.float32)


def product(params: PairwiseParameters, n_chains: int) -> None:
    """The floor."""
    n = len(params.bias)
    s, out = np.ones((n, n_chains), np.float32), np.empty((n, n_chains), np.float32)
    np.dot(params.J, s, out=out)


def loop_over_units(params: PairwiseParameters, s: np.ndarray, beta: float) -> None:
    """A sweep as one writes it in NumPy: unit by unit, all probes at once."""
    s, rng = s.copy(), np.random.default_rng(0)
    for i in range(s.shape[1]):
        f = s @ params.J[i] + params.bias[i]
        if beta:
            s[:, i] = np.where(rng.random(len(s)) < 1 / (1 + np.exp(-2 * beta * f)), 1, -1)
        else:
            s[:, i] = np.where(f == 0, s[:, i], np.sign(f))


def loop_over_units_and_probes(params: PairwiseParameters, s: np.ndarray, beta: float) -> None:
    """A sweep as a textbook writes it."""
    s, rng = s.copy(), np.random.default_rng(0)
    for state in s:
        for i in range(s.shape[1]):
            f = params.J[i] @ state + params.bias[i]
            if beta:
                state[i] = 1 if rng.random() < 1 / (1 + np.exp(-2 * beta * f)) else -1
            elif f != 0:
                state[i] = np.sign(f)


def show(title: str, tasks: dict, repeats: int, n_sweeps: int = 1) -> None:
    """One line of ratios to the first task, per sweep."""
    found = ratios(tasks, repeats)
    floor, (first, *others) = 1e3 * found["floor"], tasks
    figures = "  ".join(f"{name} {found[name] / n_sweeps:.2f}" for name in others)
    print(f"  {title:46s} {first} {floor:.3f} ms   {figures}")


def sweeps(repeats: int, n_slow: int) -> None:
    """Ratios to the product, and how much slower the loops are than ours."""
    network, probes = hopfield(2000, 100)
    glass = spin_glass(784)
    s = np.where(np.random.default_rng(1).random((100, 784)) < 0.5, -1, 1).astype(np.float32)
    coins = np.random.default_rng(1).random(probes.shape) < 0.5
    for name, x in (("noisy patterns", probes), ("random starts", np.where(coins, -1, 1))):
        recalled_in_turn(name, network, x.astype(np.float32), repeats)
    show(
        "Gibbs, N = 784, 100 chains",
        {
            "product": lambda: product(glass, 100),
            "cyclic": lambda: gibbs(MODEL, glass, s, KEY, 1),
            "random order": lambda: gibbs(MODEL, glass, s, KEY, 1, visit="random"),
            "glauber": lambda: gibbs(MODEL, glass, s, KEY, 1, visit="glauber"),
        },
        repeats,
    )
    frozen = gibbs(MODEL, glass, s[:1], KEY, 200, beta=5.0)
    show(
        "Gibbs, N = 784, one cold chain",
        {
            "J s": lambda: product(glass, 1),
            "cyclic": lambda: gibbs(MODEL, glass, frozen, KEY, 1, beta=5.0),
        },
        repeats,
    )

    n_sweeps = n_sweeps_of(network, probes)
    ours = {"ours": lambda: recall(MODEL, network, probes, KEY)}
    loops("recall, N = 2000, noisy patterns", ours, (network, probes, 0.0), n_sweeps, n_slow)
    ours = {"ours": lambda: gibbs(MODEL, glass, s, KEY, 3)}
    loops("Gibbs, N = 784, 100 chains", ours, (glass, s, 1.0), 3, n_slow)


def n_sweeps_of(network: PairwiseParameters, probes: np.ndarray) -> int:
    """Sweeps until nothing moves; a last one finds that out."""
    return int(recall(MODEL, network, probes, KEY).n_sweeps.max()) + 1


def recalled_in_turn(
    name: str, network: PairwiseParameters, probes: np.ndarray, repeats: int
) -> None:
    """Whole recalls per sweep, beside the product."""
    n_sweeps = n_sweeps_of(network, probes)
    show(
        f"recall, N = 2000, {name}, {n_sweeps} sweeps",
        {
            "product": lambda: product(network, 100),
            "random order": lambda: recall(MODEL, network, probes, KEY),
            "cyclic": lambda: recall(MODEL, network, probes, KEY, update="cyclic"),
        },
        repeats,
        n_sweeps,
    )


def loops(title: str, ours: dict, problem: tuple, n_sweeps: int, n_slow: int) -> None:
    """How many times longer a sweep takes in the loops; the slower is timed on `n_slow` chains."""
    params, start, beta = problem
    quick = {**ours, "loop over units": lambda: loop_over_units(params, start, beta)}
    slow = {
        **ours,
        "both": lambda: loop_over_units_and_probes(params, start[:n_slow], beta),
    }
    one = ratios(quick, 3)["loop over units"] * n_sweeps
    two = ratios(slow, 1)["both"] * n_sweeps * len(start) / n_slow
    print(f"  {title:46s} loop over units {one:.1f} x ours, over units and probes {two:.0f} x")


def epochs() -> None:
    """Seconds per epoch of a fully visible machine on MNIST."""
    try:
        from sklearn.datasets import fetch_openml

        X = fetch_openml("mnist_784", version=1, as_frame=False).data[:60000]
    except (OSError, ImportError) as error:
        print(f"  MNIST is not to be had: {error}")
        return
    X = (X > 127).astype(np.float32)
    machine = BoltzmannMachine(learning_rate=1e-3, n_iter=1, random_state=0)
    machine.fit(X[:1000])
    begun = time.perf_counter()
    machine.fit(X)
    print(
        f"  an epoch of PCD-1 on MNIST, 784 units, batch 100: {time.perf_counter() - begun:.2f} s"
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="fewer repeats, no MNIST")
    given = parser.parse_args()
    repeats, n_slow = (3, 1) if given.quick else (15, 5)
    for title, limit in (("one thread", 1), ("all threads", None)):
        print(f"{title}:")
        with threadpool_limits(limit, user_api="blas"):
            sweeps(repeats, n_slow)
            if not given.quick:
                epochs()


if __name__ == "__main__":
    main()
