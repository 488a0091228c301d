"""One joint update of a 784-500-1000 deep Boltzmann machine, beside its matrix products alone.

    python benchmarks/dbm_throughput.py [--sweeps 5] [--batch 100] [--repeats 30] [--threads 1]

With one chain for each row of the batch and one Gibbs step, an update makes these products of (rows, units) with the
weights W1 (784, 500) and W2 (500, 1000):

    start of the mean field    x W1, h1 W2
    each sweep                 h2 W2', h1 W2
    the chains                 h1 W1', h1 W2, v W1, h2 W2'
    the gradient               of both phases stacked: V'H1, H1'H2

The script counts them as it makes them. Ours is the compiled loop, updates of the parameters included; the tolerance is
zero, so that no row stops early. All take turns, in single precision and with `--threads` BLAS threads. The figures are
ratios of medians.

Where PyTorch is installed, it makes the same update, as one would write it: eagerly, with the products and the
element-wise functions of the textbook, without autograd, and with parameters that change in place. It neither centers
its gradient nor looks for convergence of the mean field. States are drawn by ``torch.bernoulli``, and in a second
version by comparing probabilities with uniform numbers, which is faster.
"""

import argparse
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from mlp_throughput import installed_torch
from threadpoolctl import threadpool_info, threadpool_limits

from ebm import training
from ebm._batches import Rows
from ebm.energies.deep import DeepModel
from ebm.energies.fixed_point import FixedPoint
from ebm.gradients import PersistentContrastiveDivergence
from ebm.optimizers import SGD, Constant
from ebm.units import Bernoulli

SIZES = (784, 500, 1000)
RATE = 0.01


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
    plan = training.Plan(gradient, SGD(), Constant(), RATE, 0.0, n_rows, 0)
    state = training.start(model, Rows(v), sum(SIZES[1:]), plan)
    learner = training.Learner(state, plan, n_rows)
    rates = np.array([RATE], np.float32)
    return lambda: learner.run(v, None, rates)


class TorchMachine:
    """The update in PyTorch: mean field of the batch, one Gibbs step of the chains, a step of gradient ascent."""

    def __init__(self, torch: Any, n_rows: int, n_sweeps: int, draw: Callable[[Any], Any]) -> None:
        self.torch, self.n_sweeps, self.draw = torch, n_sweeps, draw
        self.v = (torch.rand(n_rows, SIZES[0]) < 0.2).float()
        self.W1, self.W2 = (0.01 * torch.randn(*shape) for shape in pairwise(SIZES))
        self.b, self.c1, self.c2 = (torch.zeros(n) for n in SIZES)
        self.h1 = torch.bernoulli(torch.full((n_rows, SIZES[1]), 0.5))

    def __call__(self) -> None:
        torch, draw = self.torch, self.draw
        with torch.no_grad():
            below = self.v @ self.W1
            q1 = torch.sigmoid(2 * below + self.c1)
            q2 = torch.sigmoid(q1 @ self.W2 + self.c2)
            for _ in range(self.n_sweeps):
                q1 = torch.sigmoid(below + q2 @ self.W2.T + self.c1)
                q2 = torch.sigmoid(q1 @ self.W2 + self.c2)
            v = draw(torch.sigmoid(self.h1 @ self.W1.T + self.b))
            h2 = draw(torch.sigmoid(self.h1 @ self.W2 + self.c2))
            h1 = self.h1 = draw(torch.sigmoid(v @ self.W1 + h2 @ self.W2.T + self.c1))
            n = len(v)
            self.W1 += RATE / n * (self.v.T @ q1 - v.T @ h1)
            self.W2 += RATE / n * (q1.T @ q2 - h1.T @ h2)
            self.b += RATE * (self.v - v).mean(0)
            self.c1 += RATE * (q1 - h1).mean(0)
            self.c2 += RATE * (q2 - h2).mean(0)


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
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    print([f"{x['internal_api']} {x.get('architecture')}" for x in threadpool_info()])
    with threadpool_limits(asked.threads):
        floor = Floor(asked.batch, asked.sweeps)
        tasks = {"ours": updates(asked.batch, asked.sweeps), "products": floor}
        torch = installed_torch()
        if torch is not None:
            torch.set_num_threads(asked.threads)
            draws = {
                "bernoulli": torch.bernoulli,
                "rand": lambda p: (torch.rand_like(p) < p).float(),
            }
            for name, draw in draws.items():
                machine = TorchMachine(torch, asked.batch, asked.sweeps, draw)
                tasks[f"PyTorch, {name}"] = machine
        for task in tasks.values():
            task()  # ours compiles
        times = [
            {name: milliseconds(task) for name, task in tasks.items()} for _ in range(asked.repeats)
        ]
    t = {name: float(np.median([x[name] for x in times])) for name in tasks}
    print(
        f"{'-'.join(map(str, SIZES))}, batch {asked.batch}, {asked.sweeps} sweeps, {asked.threads} threads: "
        f"{t['ours']:.2f} ms an update; its {floor.count} products of {floor.flops:.2f} GFLOP {t['products']:.2f} ms "
        f"({1e3 * floor.flops / t['products']:.0f} GFLOP/s), {t['ours'] / t['products']:.2f} times as long"
    )
    for name in tasks:
        ratio = np.median([x[name] / x["ours"] for x in times])
        print(
            f"  {name}: {t[name]:.2f} ms, {t[name] / t['ours']:.2f} times ours; median ratio {ratio:.2f}"
        )


if __name__ == "__main__":
    main()
