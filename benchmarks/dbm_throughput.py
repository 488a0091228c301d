"""One joint update of a 784-500-1000 deep Boltzmann machine, beside its matrix products alone.

    python benchmarks/dbm_throughput.py [--sweeps 5] [--batch 100] [--repeats 30]

With one chain for each row of the batch and one Gibbs step, an update makes these products of (rows, units) with the
weights W1 (784, 500) and W2 (500, 1000):

    start of the mean field    x W1, h1 W2
    each sweep                 h2 W2', h1 W2
    the chains                 h1 W1', h1 W2, v W1, h2 W2'
    the gradient               of both phases stacked: V'H1, H1'H2

The script counts them as it makes them. Ours is the compiled loop, updates of the parameters included; the tolerance is
zero, so that no row stops early. Both take turns, in single precision and with one BLAS thread. The figure is the ratio
of the medians.
"""

import argparse
import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from ebm import training
from ebm._batches import Rows
from ebm.energies.deep import DeepModel
from ebm.energies.fixed_point import FixedPoint
from ebm.gradients import PersistentContrastiveDivergence
from ebm.optimizers import SGD, Constant
from ebm.units import Bernoulli

SIZES = (784, 500, 1000)


class Floor:
    """The products, with preallocated results and nothing else; `count` of them and `flops` (in 1e9) were made."""

    def __init__(self, n_rows: int, n_sweeps: int) -> None:
        rng = np.random.default_rng(0)
        self.n_sweeps, self.count, self.flops = n_sweeps, 0, 0.0
        self.v, self.h1, self.h2 = (rng.random((n_rows, n), np.float32) for n in SIZES)
        self.out = [np.empty((n_rows, n), np.float32) for n in SIZES]
        self.W1, self.W2 = (rng.random(shape, np.float32) for shape in pairwise(SIZES))
        self.stacked = [rng.random((2 * n_rows + 2, n), np.float32) for n in SIZES]
        self.gradient = [np.empty_like(W) for W in (self.W1, self.W2)]

    def product(self, a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
        """One of them."""
        np.dot(a, b, out=out)
        self.count += 1
        self.flops += 2e-9 * a.shape[0] * a.shape[1] * b.shape[1]

    def __call__(self) -> None:
        self.count, self.flops = 0, 0.0
        (v, h1, h2), (a, b, c) = (self.v, self.h1, self.h2), self.out
        self.product(v, self.W1, b)
        self.product(h1, self.W2, c)
        for _ in range(self.n_sweeps):
            self.product(h2, self.W2.T, b)
            self.product(h1, self.W2, c)
        self.product(h1, self.W1.T, a)
        self.product(h1, self.W2, c)
        self.product(v, self.W1, b)
        self.product(h2, self.W2.T, b)
        for k in (0, 1):
            self.product(self.stacked[k].T, self.stacked[k + 1], self.gradient[k])


def updates(n_rows: int, n_sweeps: int) -> Callable[[], object]:
    """A function that makes one joint update."""
    rng = np.random.default_rng(1)
    hidden = [(Bernoulli(), n) for n in SIZES[1:]]
    model = DeepModel([(Bernoulli(), SIZES[0])], hidden, FixedPoint(n_sweeps, tol=0.0))
    v = (rng.random((n_rows, SIZES[0])) < 0.2).astype(np.float32)
    gradient = PersistentContrastiveDivergence()
    plan = training.Plan(gradient, SGD(), Constant(), 0.01, 0.0, n_rows, 0)
    state = training.start(model, Rows(v), sum(SIZES[1:]), plan)
    learner = training.Learner(state, plan, n_rows)
    rates = np.array([0.01], np.float32)
    return lambda: learner.run(v, None, rates)


def milliseconds(run: Callable[[], object]) -> float:
    """Time of one call."""
    start = time.perf_counter()
    run()
    return 1e3 * (time.perf_counter() - start)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--sweeps", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=30)
    chosen = parser.parse_args()
    print([f"{x['internal_api']} {x.get('architecture')}" for x in threadpool_info()])
    with threadpool_limits(1):
        ours, floor = updates(chosen.batch, chosen.sweeps), Floor(chosen.batch, chosen.sweeps)
        ours()  # compiles
        floor()
        pairs = [(milliseconds(ours), milliseconds(floor)) for _ in range(chosen.repeats)]
    a, b = np.median(pairs, axis=0)
    print(
        f"{'-'.join(map(str, SIZES))}, batch {chosen.batch}, {chosen.sweeps} sweeps: {a:.2f} ms an update; "
        f"{floor.count} products of {floor.flops:.2f} GFLOP in {b:.2f} ms ({1e3 * floor.flops / b:.0f} GFLOP/s); "
        f"ratio {a / b:.2f}, median of ratios {np.median([x / y for x, y in pairs]):.2f}"
    )


if __name__ == "__main__":
    main()
