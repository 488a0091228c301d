"""One estimate of the up-down gradient of a 784-500-500-2000 network, beside its matrix products alone.

    python benchmarks/up_down_throughput.py [--batch 100] [--repeats 60]

A contrastive step (k = 1) is sixteen products: three for each directed layer awake (recognition, prediction, gradient),
three asleep, and four of the top, whose gradient is one product of the stacked phases. Ours and the floor take turns;
the figure is the ratio of the medians, in single precision, with one BLAS thread and with all.
"""

import argparse
import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from threadpoolctl import threadpool_limits

from ebm._random import Key, fold
from ebm.energies.belief_network import BeliefNetwork
from ebm.energies.bipartite import Bipartite
from ebm.gradients import UpDown
from ebm.gradients.base import Batch
from ebm.units import Bernoulli

SIZES = (784, 500, 500, 2000)


class Floor:
    """The products, with preallocated results and nothing else."""

    def __init__(self, n_rows: int) -> None:
        rng = np.random.default_rng(0)
        *lower, self.top = [
            (
                *(rng.random((n_rows, n), np.float32) for n in pair),
                rng.random(pair, np.float32) / sum(pair),
                np.empty(pair, np.float32),
            )
            for pair in pairwise(SIZES)
        ]
        self.directed = lower
        below, above = SIZES[-2:]
        self.stacked = [rng.random((2 * n_rows + 2, n), np.float32) for n in (below, above)]

    def __call__(self) -> None:
        for x, y, W, gradient in self.directed:
            for _ in range(2):
                np.dot(x, W, out=y)
                np.dot(y, W.T, out=x)
                np.dot(x.T, y, out=gradient)
            x[:], y[:] = 0.5, 0.5  # what is multiplied over and over would overflow
        x, y, W, gradient = self.top
        np.dot(x, W, out=y)
        np.dot(y, W.T, out=x)
        np.dot(x, W, out=y)
        np.dot(self.stacked[0].T, self.stacked[1], out=gradient)
        x[:] = 0.5


def milliseconds(run: Callable[[], object]) -> float:
    """Time of one call."""
    start = time.perf_counter()
    run()
    return 1e3 * (time.perf_counter() - start)


def compare(choice: UpDown, n_rows: int, repeats: int) -> str:
    """Medians of ours and of the floor, taken in turn, and their ratio."""
    rng = np.random.default_rng(1)
    rbm = Bipartite(Bernoulli(), Bernoulli())
    model = BeliefNetwork((Bernoulli(),) * (len(SIZES) - 1), rbm)
    directed = sum(a * b for a, b in pairwise(SIZES[:-1]))
    count = 2 * directed + SIZES[-2] * SIZES[-1] + sum(SIZES) + sum(SIZES[1:-1])
    params = model.unpack((0.01 * rng.normal(size=count)).astype(np.float32), *SIZES)
    gradient = model.unpack(np.zeros(count, np.float32), *SIZES)
    v = (rng.random((n_rows, SIZES[0])) < 0.2).astype(np.float32)
    estimate = choice.bind(model, gradient, n_rows, choice.n_chains_for(n_rows))
    chains = choice.start(model, params, v.mean(axis=0), n_rows, Key(1, 2))
    estimate(params, Batch(v), chains, Key(3, 4))  # compiles
    floor, ours, theirs = Floor(n_rows), [], []
    for step in range(repeats):
        key = fold(Key(3, 4), step)
        ours.append(milliseconds(lambda: estimate(params, Batch(v), chains, key)))  # noqa: B023
        theirs.append(milliseconds(floor))
    a, b = np.median(ours), np.median(theirs)
    return f"{choice!r:45} {a:8.2f} ms   products {b:8.2f} ms   ratio {a / b:.2f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=60)
    options = parser.parse_args()
    for threads in (1, None):
        with threadpool_limits(threads):
            print("one thread" if threads else "all threads")
            for choice in (UpDown(), UpDown(persistent=True)):
                print("  " + compare(choice, options.batch, options.repeats))


if __name__ == "__main__":
    main()
