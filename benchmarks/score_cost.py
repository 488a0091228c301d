"""The pseudo-log-likelihood of a Gaussian machine, in epochs of its training.

    python benchmarks/score_cost.py [--quick] [--repeats 7]

Machines are fitted with the default settings. Then an epoch of training and `score_samples` of all rows are taken in
turn. Times are the processor's, of this process alone, with one thread.
"""

import argparse
import time
import warnings
from collections.abc import Callable

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import scale
from threadpoolctl import threadpool_limits

from ebm import GaussianRBM

EPOCHS = 5


def factors(n_rows: int, n_features: int) -> np.ndarray:
    """Ten factors, and noise."""
    rng = np.random.default_rng(0)
    common = rng.standard_normal((n_rows, 10)) @ rng.standard_normal((10, n_features))
    return scale(common + rng.standard_normal((n_rows, n_features)))


def seconds(call: Callable[[], object]) -> float:
    """Of the processor."""
    start = time.process_time()
    call()
    return time.process_time() - start


def report(X: np.ndarray, n_hidden: int, repeats: int) -> None:
    """Medians in milliseconds, and their ratio."""
    machine = GaussianRBM(n_components=n_hidden, random_state=0).fit(X)
    machine.score_samples(X)
    few, more = (GaussianRBM(n_hidden, n_iter=n, random_state=0) for n in (1, 1 + EPOCHS))
    calls = [lambda: few.fit(X), lambda: more.fit(X), lambda: machine.score_samples(X)]
    times = np.array([[seconds(call) for call in calls] for _ in range(repeats)])
    start, end, score = 1000 * np.median(times, axis=0)
    epoch = (end - start) / EPOCHS
    print(
        f"{len(X):5} x {X.shape[1]:3}, {n_hidden:3} hidden units: score {score:6.1f} ms, epoch {epoch:5.1f} ms, "
        f"ratio {score / epoch:5.1f}",
        flush=True,
    )


def main() -> None:
    """Print the lines."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--repeats", type=int, default=7)
    choice = parser.parse_args()
    warnings.simplefilter("ignore")
    table = scale(load_breast_cancer().data)
    with threadpool_limits(1):
        report(table, 64, choice.repeats)
        if not choice.quick:
            report(table, 256, choice.repeats)
            report(factors(1000, 100), 100, choice.repeats)


if __name__ == "__main__":
    main()
