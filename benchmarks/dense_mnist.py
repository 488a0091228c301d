"""Test error on MNIST of a dense associative memory that completes label units, beside the published one.

    python benchmarks/dense_mnist.py [--quick] [--components K] [--degree N] [--epochs E]

Krotov & Hopfield (2016) report about 1.5 % for degrees 2 to 20 with 2000 memories, without any augmentation, after
thousands of epochs. scikit-learn fetches MNIST from OpenML, or finds it in the folder that SCIKIT_LEARN_DATA names.
"""

import argparse
import time

import numpy as np
from sklearn.datasets import fetch_openml

from ebm import DenseAssociativeClassifier, NormalizedMomentum


def mnist() -> tuple[np.ndarray, np.ndarray]:
    """Images within [0, 1] and digits, the 60 000 of the training set first."""
    X, y = fetch_openml("mnist_784", version=1, as_frame=False, return_X_y=True)
    return X.astype(np.float32) / 255, y.astype(int)


def main() -> None:
    """Train, and print the errors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="200 memories, 10 000 rows")
    parser.add_argument("--components", type=int, default=2000)
    parser.add_argument("--degree", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--temperature", type=float, default=1.5)
    parser.add_argument("--power", type=int, default=30)
    parser.add_argument("--rate", type=float, default=0.04)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    n_rows, n_components = (10_000, 200) if given.quick else (60_000, given.components)
    X, y = mnist()
    memory = DenseAssociativeClassifier(
        n_components,
        degree=given.degree,
        temperature=given.temperature,
        error_power=given.power,
        learning_rate=given.rate,
        batch_size=200,
        n_iter=given.epochs,
        optimizer=NormalizedMomentum(0.6),
        verbose=1,
        random_state=given.seed,
    )
    begun = time.perf_counter()
    memory.fit(X[:n_rows], y[:n_rows])
    seconds = time.perf_counter() - begun
    test, train = (
        100 * (1 - memory.score(X[part], y[part]))
        for part in (slice(60_000, 70_000), slice(0, 10_000))
    )
    print(
        f"{n_components} memories, degree {given.degree}, {n_rows} rows, {given.epochs} epochs: test error "
        f"{test:.2f} %, on the first 10 000 training rows {train:.2f} %, {seconds:.0f} s"
    )


if __name__ == "__main__":
    main()
