"""How well stacks of restricted Boltzmann machines learn, and what a classifier gains that starts from them.

    python benchmarks/deep_quality.py [full] [few] [joint] [bound] [variations]

full        all labels of MNIST: pre-trained stacks, fine-tuned by back-propagation
few         1 000 and 100 labels, pre-training on the 60 000 rows without them, five draws of the labels
joint       the joint density of images and labels
bound       the lower bound on the log-likelihood of binarised MNIST, beside one RBM of the same budget
variations  rectangles and digits on a noisy background (see variations.py), with pre-training and without

Seeds are fixed. MNIST comes through scikit-learn's ``fetch_openml`` (``SCIKIT_LEARN_DATA`` names its cache); binarised
MNIST, of the fixed bits that the literature shares, is looked for in the folder that ``EBM_DATA`` names, or in
``../shared/data``. Settings were chosen on training rows held out from the labels, and the test rows
are for the last figure only. Times are of the whole process; ``OPENBLAS_NUM_THREADS`` says how many threads took them.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.datasets import fetch_openml
from sklearn.frozen import FrozenEstimator
from variations import noisy_digits, rectangles

from ebm import (
    AIS,
    DBN,
    Adam,
    BernoulliRBM,
    ContrastiveDivergence,
    DBNClassifier,
    Linear,
    MLPClassifier,
    PersistentContrastiveDivergence,
    Regularization,
)

ROOT = Path(__file__).resolve().parents[1]


def show(title: str, rows: list[tuple[object, ...]]) -> None:
    """A table of results."""
    print(f"\n{title}")
    for row in rows:
        print("  " + "".join(str(x).ljust(52 if i == 0 else 18) for i, x in enumerate(row)))
    sys.stdout.flush()


class Digits(NamedTuple):
    """MNIST, grey values between 0 and 1: 60 000 training and 10 000 test rows."""

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


def mnist() -> Digits:
    """As scikit-learn fetches it."""
    images, labels = fetch_openml("mnist_784", version=1, as_frame=False, return_X_y=True)
    X, y = (images / 255).astype(np.float32), labels.astype(np.int64)
    return Digits(X[:60_000], y[:60_000], X[60_000:], y[60_000:])


def rbm(n_components: int, n_iter: int = 20, rate: float = 0.1, **chosen: Any) -> BernoulliRBM:
    """One layer of a stack."""
    settings = {"gradient": PersistentContrastiveDivergence(n_chains=100), "schedule": Linear()}
    return BernoulliRBM(
        n_components,
        learning_rate=rate,
        batch_size=100,
        n_iter=n_iter,
        random_state=0,
        **(settings | chosen),
    )


def error(model: Any, X: np.ndarray, y: np.ndarray) -> float:
    """Wrong predictions in percent."""
    return 100 * (1 - float(model.score(X, y)))


# --- all labels ---------------------------------------------------------------------------------


FULL = {"784-500-500-2000": (500, 500, 2000), "784-1000-1000-1000": (1000, 1000, 1000)}


def full() -> None:
    """Hinton & Salakhutdinov (2006) and the Theano tutorial: pre-train greedily, fine-tune with all labels."""
    data = mnist()
    rows: list[tuple[object, ...]] = [
        ("all 60 000 labels", "test error", "minutes to pre-train", "minutes in all")
    ]
    for name, hidden in FULL.items():
        begun = time.perf_counter()
        stack = DBN([rbm(n) for n in hidden], random_state=0).fit(data.X)
        pretrained = time.perf_counter() - begun
        mlp = MLPClassifier(
            hidden,
            activation="logistic",
            pretraining=FrozenEstimator(stack),
            solver="adam",
            schedule=Linear(),
            learning_rate_init=1e-3,
            dropout=(0.2, 0.5, 0.5, 0.5),
            batch_size=100,
            alpha=0.0,
            max_iter=100,
            random_state=0,
        ).fit(data.X, data.y)
        took = time.perf_counter() - begun
        wrong = error(mlp, data.X_test, data.y_test)
        rows.append((name, f"{wrong:.2f} %", f"{pretrained / 60:.0f}", f"{took / 60:.0f}"))
        print(rows[-1], flush=True)
    rows.append(("published", "1.2 - 1.34 %", "", ""))
    show("MNIST, pre-trained and fine-tuned", rows)


# --- few labels ---------------------------------------------------------------------------------


def draws(y: np.ndarray, n_labels: int, n_draws: int = 5) -> list[np.ndarray]:
    """Rows whose labels are known, the same number of each class, the last 10 000 rows left for choosing settings."""
    drawn = []
    for seed in range(n_draws):
        rng = np.random.default_rng(seed)
        each = [np.flatnonzero(y[:50_000] == c) for c in range(10)]
        drawn.append(np.concatenate([rng.choice(x, n_labels // 10, replace=False) for x in each]))
    return drawn


def few_labels(base: MLPClassifier, data: Digits, n_labels: int) -> list[tuple[float, float]]:
    """Accuracies on the held-out training rows and on the test rows, in percent, of each draw of labels."""
    found = []
    for seed, known in enumerate(draws(data.y, n_labels)):
        mlp = clone(base).set_params(random_state=seed).fit(data.X[known], data.y[known])
        held_out = 100 - error(mlp, data.X[50_000:], data.y[50_000:])
        found.append((held_out, 100 - error(mlp, data.X_test, data.y_test)))
    return found


def few() -> None:
    """The network from a random start, from one RBM, and from a stack."""


# --- images and labels together -----------------------------------------------------------------


def joint() -> None:
    """Hinton, Osindero & Teh (2006): label units beside the topmost but one layer; classes by free energy."""


# --- density ------------------------------------------------------------------------------------


def binarized() -> dict[str, np.ndarray]:
    """Binarised MNIST: "train", "valid" and "test" rows of 784 bits."""
    folder = Path(os.environ.get("EBM_DATA", ROOT.parent / "shared" / "data"))
    with np.load(folder / "binarized_mnist" / "binarized_mnist.npz") as packed:
        return {x: np.unpackbits(packed[x], axis=1).astype(np.float32) for x in packed}


def bound() -> None:
    """Salakhutdinov & Murray (2008): the bound of a 500-2000 network, AIS for its top."""


# --- variations ---------------------------------------------------------------------------------


def variations() -> None:
    """Larochelle et al. (2007): one network with pre-training and without."""


TASKS = {f.__name__: f for f in (full, few, joint, bound, variations)}

if __name__ == "__main__":
    unknown = set(sys.argv[1:]) - TASKS.keys()
    if unknown:
        sys.exit(f"unknown: {sorted(unknown)}; there are {sorted(TASKS)}")
    for task in sys.argv[1:] or TASKS:
        TASKS[task]()
