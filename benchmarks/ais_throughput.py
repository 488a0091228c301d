"""Speed of annealed importance sampling beside the matrix products that it cannot avoid, in one run.

    python benchmarks/ais_throughput.py [--temperatures 200] [--deep]

A 784-500 machine in single precision, 100 runs. Every temperature takes two products of 100 rows: the inputs of the
hidden units and those of the visible ones. With ``--deep`` it is a deep machine 784-500-1000, whose first hidden layer
is summed out: 1784 units in the place of the visible ones. Figures are ratios of medians of times taken in turn, with
one BLAS thread and with all; and, of 200 runs, shared out among threads (``n_jobs``) that make their own products.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from ebm import Bernoulli
from ebm._random import stream
from ebm.energies.bipartite import Bipartite
from ebm.energies.deep import DeepModel
from ebm.energies.path import Path, base_of, path_to
from ebm.samplers import anneal, anneal_back

N_VISIBLE, N_HIDDEN, N_TOP, N_RUNS = 784, 500, 1000, 100


def path(deep: bool) -> Path:
    """From the marginals of imaginary data to a machine with weights of the size that learning gives them."""
    rng = np.random.default_rng(0)
    bits = Bernoulli()
    model: Any = Bipartite(bits, bits)
    shape: tuple[int, ...] = N_VISIBLE, N_HIDDEN
    n = N_VISIBLE * N_HIDDEN + N_VISIBLE + N_HIDDEN
    if deep:
        model = DeepModel([(bits, N_VISIBLE)], [(bits, N_HIDDEN), (bits, N_TOP)])
        shape = N_VISIBLE, N_HIDDEN + N_TOP
        n += N_HIDDEN * N_TOP + N_TOP
    vector = (0.05 * rng.normal(size=n)).astype(np.float32)
    params = model.unpack(vector, *shape)
    mean = rng.random(N_VISIBLE)
    return path_to(model, params, base_of(model, params, mean, mean * (1 - mean), 1000.0))


def products(n_temperatures: int, n_states: int, n_runs: int = N_RUNS) -> None:
    """The floor: preallocated products through NumPy, and nothing else."""
    rng = np.random.default_rng(0)
    W = rng.normal(size=(n_states, N_HIDDEN)).astype(np.float32)
    v = rng.integers(0, 2, size=(n_runs, n_states)).astype(np.float32)
    h = rng.integers(0, 2, size=(n_runs, N_HIDDEN)).astype(np.float32)
    a, f = np.empty_like(h), np.empty_like(v)
    for _ in range(n_temperatures):
        np.dot(v, W, out=a)
        np.dot(h, W.T, out=f)


def ratios(tasks: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median time of each task over that of the first, taken in turn."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(repeats + 1):
        for name, task in tasks.items():
            time.sleep(0.05)  # a pool that has just worked spins a while
            begun = time.perf_counter()
            task()
            times[name].append(time.perf_counter() - begun)
    found = {name: statistics.median(x[1:]) for name, x in times.items()}
    floor = next(iter(found.values()))
    return {name: x / floor for name, x in found.items()} | {"floor": floor}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--temperatures", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--deep", action="store_true")
    given = parser.parse_args()
    t, key = np.linspace(0, 1, given.temperatures + 1), stream(0, "evaluation")
    road = path(given.deep)
    n_states = N_VISIBLE + (N_TOP if given.deep else 0)
    x = road.start(N_RUNS, key)
    tasks: dict[str, Callable[[], object]] = {
        "products": lambda: products(given.temperatures, n_states),
        "forward": lambda: anneal(road, t, N_RUNS, key),
        "backward": lambda: anneal_back(road, t, x, key),
    }
    print(
        f"AIS, {N_VISIBLE}-{N_HIDDEN}{f'-{N_TOP}' * given.deep}, {N_RUNS} runs, float32: time / time of its products"
    )
    for title, limit in (("one thread", 1), ("all threads", None)):
        with threadpool_limits(limit, user_api="blas"):
            found = ratios(tasks, given.repeats)
        show(title, found, given.temperatures)

    def with_threads() -> object:
        with threadpool_limits(1, user_api="blas"):
            return anneal(road, t, 2 * N_RUNS, key, n_jobs=os.cpu_count())

    floor = {"products": lambda: products(given.temperatures, n_states, 2 * N_RUNS)}
    found = ratios({**floor, "forward": with_threads}, given.repeats)
    show("200 runs, shared", found, given.temperatures)


def show(title: str, found: dict[str, float], n_temperatures: int) -> None:
    """One line."""
    floor = f"{1e3 * found.pop('floor') / n_temperatures:.3f} ms of products per temperature"
    figures = "  ".join(f"{name} {x:.2f}" for name, x in found.items() if name != "products")
    print(f"  {title:16s} {figures}   ({floor})")


if __name__ == "__main__":
    main()
