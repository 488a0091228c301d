"""Speed of an update beside copying the same bytes, and of training with every optimiser beside plain ascent.

    python benchmarks/optimizer_throughput.py [--quick]

An update reads the parameters, the gradient and what the optimiser remembers, and writes the first and the last of
them. The floor is ``np.copyto`` over as many bytes read and written in all, between two arrays that are as long as
that takes. All on one thread; every ratio is one of medians of times taken in turn (one, the other, one, ...).
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

from ebm import BernoulliRBM, PersistentContrastiveDivergence, Regularization
from ebm.optimizers import OPTIMIZERS
from ebm.optimizers.base import UNLIMITED, UpdateLimits

N_WEIGHTS = 784 * 500
# Adaptive steps are about one learning rate long, whatever the gradient.
RATES = {"sgd": 0.05, "momentum": 0.01, "nesterov": 0.01, "adadelta": 1.0}


def medians(tasks: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each task, the tasks taken in turn."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for task in tasks.values():
        task()
    for _ in range(repeats):
        for name, task in tasks.items():
            begun = time.perf_counter()
            task()
            times[name].append(time.perf_counter() - begun)
    return {name: float(np.median(x)) for name, x in times.items()}


def update(name: str, dtype: type, limits: UpdateLimits) -> tuple[Callable[[], object], int]:
    """One update of the weights, and how many numbers it reads and writes."""
    rng = np.random.default_rng(0)
    theta, gradient = 0.01 * rng.normal(size=(2, N_WEIGHTS)).astype(dtype)
    record = OPTIMIZERS[name]()
    memory = record.start(theta)
    touched = (3 + 2 * (len(memory) - 1)) * N_WEIGHTS
    return lambda: record.step(theta, gradient, memory, 1e-4, limits), touched


def copy(n_numbers: int, dtype: type) -> Callable[[], object]:
    """Reading and writing as many numbers, half of them each."""
    source, target = np.ones((2, n_numbers // 2), dtype)
    return lambda: np.copyto(target, source)


def updates(dtype: type, repeats: int) -> None:
    """Each update beside its floor, free and with everything that holds an ascent back."""
    everything = Regularization(l1=1e-4, clip_value=0.05).update_limits(np.ones(1), 1e-4, N_WEIGHTS)
    print(f"\nupdate of {N_WEIGHTS} weights, {np.dtype(dtype).name}, one thread, microseconds")
    for name in OPTIMIZERS:
        free, touched = update(name, dtype, UNLIMITED)
        held, _ = update(name, dtype, everything)
        tasks = {"free": free, "copy": copy(touched, dtype), "held": held}
        t = medians(tasks, repeats)
        print(
            f"  {name:9s} {1e6 * t['free']:6.0f}   copy of {touched / N_WEIGHTS:.0f} arrays {1e6 * t['copy']:6.0f}"
            f"   {t['free'] / t['copy']:5.2f} x   with l1, l2 and clipping {t['held'] / t['copy']:5.2f} x"
        )


def roots(n_numbers: int, dtype: type, repeats: int) -> None:
    """The division and the square root that an adaptive step takes at least, by NumPy's loops."""
    x, y = np.full((2, n_numbers), 2, dtype)
    tasks = {"root": lambda: np.sqrt(x, out=y), "quotient": lambda: np.divide(x, x, out=y)}
    t = medians(tasks, repeats)
    total = " + ".join(f"{1e6 * t[name]:.1f} ({name})" for name in tasks)
    print(f"  one root and one quotient for each of {n_numbers} numbers: {total} microseconds")


def training(X: np.ndarray, n_hidden: int, batch_size: int, n_iter: int, repeats: int) -> None:
    """PCD-1 with every optimiser."""

    def fit(name: str) -> Callable[[], object]:
        rbm = BernoulliRBM(
            n_hidden,
            learning_rate=RATES.get(name, 0.001),
            batch_size=batch_size,
            n_iter=n_iter,
            gradient=PersistentContrastiveDivergence(),
            optimizer=name,
            random_state=0,
        )
        return lambda: rbm.fit(X)

    t = medians({name: fit(name) for name in OPTIMIZERS}, repeats)
    n_updates = n_iter * -(-len(X) // batch_size)
    print(
        f"\nPCD-1, {X.shape[1]}-{n_hidden}, batch {batch_size}, {X.dtype}, one thread, microseconds per update"
    )
    for name, seconds in t.items():
        more = 1e6 * (seconds - t["sgd"]) / n_updates
        print(
            f"  {name:9s} {1e6 * seconds / n_updates:7.1f}   {seconds / t['sgd']:5.3f} x sgd   {more:+6.1f}"
        )


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rows and repeats")
    quick = parser.parse_args().quick
    rows, repeats = (2_000, 5) if quick else (5_000, 11)
    with threadpool_limits(1):
        for dtype in (np.float32, np.float64):
            updates(dtype, 20 * repeats)
        X = (np.random.RandomState(0).rand(rows, 784) < 0.2).astype(np.float32)
        training(X, 500, 100, 1, repeats)
        digits = load_digits(return_X_y=True)[0] / 16
        for dtype in (np.float32, np.float64):
            training(digits.astype(dtype), 100, 10, 5, 3 * repeats)
            roots(64 * 100 + 64 + 100, dtype, 20 * repeats)


if __name__ == "__main__":
    main()
