"""Long runs of deep autoencoders on all of MNIST: reconstruction by 30 numbers, and codes in the plane.

    python benchmarks/autoencoder_mnist.py [deep] [plane] [--epochs N] [--rows N] [--csv FOLDER]

deep    784-1000-500-250-30: squared error of a test image, after every second epoch
plane   784-1000-500-250-2: accuracy of the five nearest of 10 000 training images in the plane, on the test images

Both begin at the principal components, with rectifiers, and have the cross-entropy of gray values as their loss. Adam
takes batches of 100 rows, and its learning rate falls from 0.001 to zero in a line, within 20 epochs (``deep``) or 10
(``plane``) unless ``--epochs`` says otherwise. All training rows are used. The curve of the test rows is written down,
and decides nothing in a run. MNIST comes through scikit-learn's ``fetch_openml`` (``SCIKIT_LEARN_DATA`` names its
cache). ``OPENBLAS_NUM_THREADS`` says how many threads there are; minutes are those of the processor.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from autoencoder_quality import error, say
from sklearn.datasets import fetch_openml
from sklearn.neighbors import KNeighborsClassifier

from ebm import Autoencoder
from ebm.monitors import Report

HIDDEN = (1000, 500, 250)
WIDTHS, EPOCHS = {"deep": 30, "plane": 2}, {"deep": 20, "plane": 10}
EVERY = 2  # epochs between two points of the curve
NEAREST_AMONG = 10_000


def mnist(n_rows: int | None) -> dict[str, Any]:
    """Training and test rows between 0 and 1, and their digits."""
    X, y = fetch_openml("mnist_784", version=1, as_frame=False, return_X_y=True)
    X = X.astype(np.float32) / 255
    train = slice(0, min(n_rows or 60_000, 60_000))
    return {"train": X[train], "y": y[train], "test": X[60_000:], "y_test": y[60_000:]}


def accuracy(coder: Autoencoder, data: dict[str, Any]) -> float:
    """Share of test images whose digit is that of most of the five nearest training images by their codes."""
    some = slice(0, NEAREST_AMONG)
    neighbors = KNeighborsClassifier(5).fit(coder.transform(data["train"][some]), data["y"][some])
    return float(neighbors.score(coder.transform(data["test"]), data["y_test"]))


def watched(
    points: list[dict[str, float]], begun: float, test: np.ndarray
) -> Callable[[Report], None]:
    """A callback that measures the network after every few epochs."""

    def callback(report: Report) -> None:
        if report.epoch % EVERY:
            return
        seconds = time.process_time() - begun
        network: Any = report.model
        found = error(network.predict(report.params, test), test)
        point = {"epoch": report.epoch, "minutes": seconds / 60, "squared error": found}
        points.append(point)
        say({name: round(float(x), 3) for name, x in point.items()})

    return callback


def run(task: str, data: dict[str, Any], n_epochs: int) -> pd.DataFrame:
    """The curve of one run, whose last line has the finished network."""
    points: list[dict[str, float]] = []
    begun = time.process_time()
    coder = Autoencoder(
        (*HIDDEN, WIDTHS[task]),
        loss="binary_cross_entropy",
        init="pca",
        batch_size=100,
        learning_rate="linear",
        max_iter=n_epochs,
        n_iter_no_change=np.inf,
        early_stopping=False,
        random_state=0,
        callbacks=watched(points, begun, data["test"]),
    )
    coder.fit(data["train"])
    seconds = time.process_time() - begun
    train = data["train"][:10_000]
    say(f"{task}: {n_epochs} epochs, {seconds / 60:.1f} minutes of processor time")
    say(f"squared error of a test image {error(coder.reconstruct(data['test']), data['test']):.3f}")
    say(f"squared error of a training image {error(coder.reconstruct(train), train):.3f}")
    say(f"accuracy of five neighbors by codes {accuracy(coder, data):.4f}")
    return pd.DataFrame(points)


def main() -> None:
    """The runs that are named, or both."""
    parser = argparse.ArgumentParser()
    parser.add_argument("tasks", nargs="*", default=[*WIDTHS])
    parser.add_argument("--epochs", type=int, default=None)
    parser.add_argument("--rows", type=int, default=None)
    parser.add_argument("--csv", help="folder for the curves of the documentation")
    asked = parser.parse_args()
    if set(asked.tasks) - {*WIDTHS}:
        parser.error(f"tasks are {[*WIDTHS]}, not {asked.tasks}")
    warnings.simplefilter("ignore")
    data = mnist(asked.rows)
    for task in asked.tasks:
        curve = run(task, data, asked.epochs or EPOCHS[task])
        if asked.csv:
            curve.round(3).to_csv(Path(asked.csv) / f"autoencoder_mnist_{task}.csv", index=False)


if __name__ == "__main__":
    main()
