"""How well autoencoders reconstruct MNIST, beside principal components.

    python benchmarks/autoencoder_quality.py [--smoke] [--rows N] [--epochs N] [metric] [deep] [hashing] [anomalies]

metric      squared error per test image of 30 principal components, which proves the metric: 13.87 in the literature
deep        784-1000-500-250-30: from random weights, from principal components, and from a deep belief network that is
            unrolled
hashing     binary codes of scikit-learn's images of digits: how many of the 50 nearest by their bits are the same digit
anomalies   one digit of scikit-learn's against the others, by reconstruction, that of PCA, and by IsolationForest

Seeds are fixed. MNIST comes through scikit-learn's ``fetch_openml`` (``SCIKIT_LEARN_DATA`` names its cache). ``--rows``
takes the first rows of the training set only, ``--epochs`` so many passes of fine-tuning; ``--smoke`` is a run of
seconds on the images of digits that come with scikit-learn, which says nothing about quality. Times are of the whole
process; ``OPENBLAS_NUM_THREADS`` says how many threads took them.
"""

import argparse
import sys
import time
import warnings
from typing import Any

import numpy as np
from sklearn.datasets import fetch_openml, load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestNeighbors

from ebm import DBN, RBM, Autoencoder, BernoulliRBM

SIZES = (1000, 500, 250, 30)


def say(*words: Any, end: str = "\n") -> None:
    """Print at once: runs are watched."""
    print(*words, end=end)
    sys.stdout.flush()


def images(smoke: bool, n_rows: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Training and test rows, grey values between 0 and 1."""
    if smoke:
        X = load_digits().data.astype(np.float32) / 16
        return X[:1200], X[1200:]
    X = fetch_openml("mnist_784", version=1, as_frame=False).data.astype(np.float32) / 255
    return X[:60000][:n_rows], X[60000:]


def error(rows: np.ndarray, test: np.ndarray) -> float:
    """Squared error per image."""
    return float(np.square(rows.astype(float) - test).sum(axis=1).mean())


def metric(train: np.ndarray, test: np.ndarray) -> None:
    """The error of 30 components."""
    pca = PCA(30, svd_solver="full").fit(train.astype(float))
    say(f"PCA, 30 components: {error(pca.inverse_transform(pca.transform(test)), test):.3f}")


def deep(train: np.ndarray, test: np.ndarray, sizes: tuple[int, ...], n_epochs: int) -> None:
    """The same network with and without pre-training, for the same number of epochs."""
    begun = time.perf_counter()
    *hidden, n_code = sizes
    rbm = {"n_iter": 5, "batch_size": 100, "learning_rate": 0.1, "gradient": "cd"}
    top = RBM(n_code, hidden="gaussian", **{**rbm, "learning_rate": 0.005})
    stack = DBN([*(BernoulliRBM(n, **rbm) for n in hidden), top], random_state=0).fit(train)
    say(f"stack {time.perf_counter() - begun:.0f} s: {error(stack.reconstruct(test), test):.3f}")
    settings = {
        "solver": "adam",
        "learning_rate": "linear",
        "batch_size": 100,
        "max_iter": n_epochs,
        "n_iter_no_change": np.inf,
        "early_stopping": False,
        "random_state": 0,
    }
    coders = {
        "random, logistic": Autoencoder(
            sizes, [*["logistic"] * len(hidden), "identity"], **settings
        ),
        "random, relu": Autoencoder(sizes, init="glorot", **settings),
        "from components, relu": Autoencoder(sizes, init="pca", **settings),
        "from the stack": Autoencoder(pretraining=FrozenEstimator(stack), **settings),
    }
    for name, coder in coders.items():
        begun = time.perf_counter()
        coder.fit(train)
        seconds = time.perf_counter() - begun
        say(
            f"{name}, {n_epochs} epochs, {seconds:.0f} s: {error(coder.reconstruct(test), test):.3f}"
        )


def precision(train: np.ndarray, test: np.ndarray, y: np.ndarray, y_test: np.ndarray) -> float:
    """Share of the 50 nearest rows that are of the same class."""
    kind = "hamming" if train.dtype == np.uint8 else "euclidean"
    found = NearestNeighbors(n_neighbors=50, metric=kind).fit(train).kneighbors(test, 50, False)
    return float((y[found] == y_test[:, np.newaxis]).mean())


def hashing() -> None:
    """Bits with and without noise on the code, beside the pixels and the signs of principal components."""
    X, y = load_digits(return_X_y=True)
    parts = train_test_split(X / 16, y, test_size=0.25, random_state=0)
    train, test, *labels = parts
    say(f"pixels: {precision(train, test, *labels):.3f}")
    for n in (16, 32):
        pca = PCA(n).fit(train)
        signs = ((pca.transform(rows) > 0).astype(np.uint8) for rows in (train, test))
        say(f"{n} signs of components: {precision(*signs, *labels):.3f}")
        for noise in (0.0, 2.0, 4.0):
            coder = Autoencoder((100, n), ["relu", "logistic"], code_noise=noise, random_state=0)
            coder.fit(train)
            bits = (coder.bits(rows) for rows in (train, test))
            say(f"{n} bits, code_noise={noise:g}: {precision(*bits, *labels):.3f}")


def anomalies() -> None:
    """Area under the curve of the other digits, for networks and components that half of one digit has taught."""
    X, y = load_digits(return_X_y=True)
    X, areas = X / 16, []
    for digit in range(10):
        own = X[y == digit]
        train, test = own[::2], np.vstack([own[1::2], X[y != digit]])
        usual = np.arange(len(test)) < len(own[1::2])
        pca = PCA(8).fit(train)
        apart = np.square(pca.inverse_transform(pca.transform(test)) - test).sum(axis=1)
        coder = Autoencoder((100, 8), random_state=0).fit(train)
        forest = IsolationForest(random_state=0).fit(train)
        scores = {
            "autoencoder": coder.score_samples(test),
            "8 components": -apart,
            "IsolationForest": forest.score_samples(test),
        }
        areas.append({name: roc_auc_score(usual, x) for name, x in scores.items()})
    for name in areas[0]:
        say(f"{name}: {np.mean([x[name] for x in areas]):.4f}")


# Tasks on the images of digits that come with scikit-learn.
SMALL = {"hashing": hashing, "anomalies": anomalies}


def main() -> None:
    """The tasks that are named, or all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("tasks", nargs="*", help="tasks; metric and deep by default")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--rows", type=int, default=None)
    parser.add_argument("--epochs", type=int, default=50)
    asked = parser.parse_args()
    tasks = asked.tasks or ["metric", "deep"]
    if set(tasks) - {"metric", "deep", *SMALL}:
        parser.error(f"tasks are metric, deep, hashing and anomalies, not {tasks}")
    for task in SMALL.keys() & tasks:
        warnings.simplefilter("ignore")
        SMALL[task]()
    if not set(tasks) & {"metric", "deep"}:
        return
    train, test = images(asked.smoke, asked.rows)
    say(f"{len(train)} training rows, {len(test)} test rows of {train.shape[1]} pixels")
    if "metric" in tasks:
        metric(train, test)
    if "deep" in tasks:
        sizes = (50, 20, 8) if asked.smoke else SIZES
        deep(train, test, sizes, min(asked.epochs, 2) if asked.smoke else asked.epochs)


if __name__ == "__main__":
    main()
