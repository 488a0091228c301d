"""One digit of MNIST against the others: autoencoders, principal components and an isolation forest.

    python benchmarks/autoencoder_anomalies.py [choose] [report] [--rows 1000] [--csv FOLDER]

A detector learns from the first images of one digit in the training set, 1000 of them, without any other digit. It
ranks new images of all digits, and the figure is the area under the ROC curve of its digit against the others, for each
of the ten digits. Seeds are fixed. MNIST comes through scikit-learn's ``fetch_openml`` (``SCIKIT_LEARN_DATA`` names its
cache).

choose   settings of all three by the mean area among further training images, 200 of the digit and 200 of each other
report   what was chosen, on the 10 000 test images
"""

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from autoencoder_quality import say
from sklearn.datasets import fetch_openml
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from ebm import Autoencoder, GaussianNoise, MaskingNoise

Scorer = Callable[[np.ndarray], np.ndarray]
Detector = Callable[[np.ndarray], Scorer]
FURTHER = 200


def coder(*sizes: int, **settings: Any) -> Detector:
    """Minus the loss of the reconstruction by an autoencoder."""

    def fitted(train: np.ndarray) -> Scorer:
        made: Any = Autoencoder(sizes, random_state=0, **settings)
        score: Scorer = made.fit(train).score_samples
        return score

    return fitted


def components(n: float) -> Detector:
    """Minus the squared distance from the principal components."""

    def fitted(train: np.ndarray) -> Scorer:
        pca = PCA(n, random_state=0).fit(train)
        return lambda rows: (
            -np.square(pca.inverse_transform(pca.transform(rows)) - rows).sum(axis=1)
        )

    return fitted


def forest(n: int) -> Detector:
    """An isolation forest."""
    return lambda train: IsolationForest(n_estimators=n, random_state=0).fit(train).score_samples


TRIED: dict[str, Detector] = {
    **{f"IsolationForest({n})": forest(n) for n in (100, 300)},
    **{f"PCA({n})": components(n) for n in (8, 16, 32, 64, 128)},
    "Autoencoder()": coder(100, 32),
    "squared error": coder(100, 32, loss="squared_error"),
    "code of 8": coder(100, 8),
    "code of 16": coder(100, 16),
    "code of 64": coder(200, 64),
    "code of 16, masking": coder(100, 16, corruption=MaskingNoise(0.3)),
    "code of 16, Gaussian noise": coder(100, 16, corruption=GaussianNoise(0.3)),
}
CHOSEN = {
    "autoencoder": "code of 16, Gaussian noise",
    "components": "PCA(32)",
    "isolation forest": "IsolationForest(100)",
}


def mnist() -> tuple[np.ndarray, np.ndarray]:
    """Images between 0 and 1, the test images last, and their digits."""
    X, y = fetch_openml("mnist_784", version=1, as_frame=False, return_X_y=True)
    return X.astype(np.float32) / 255, y.astype(int)


def area(detector: Detector, train: np.ndarray, X: np.ndarray, usual: np.ndarray) -> float:
    """Area under the curve."""
    return float(roc_auc_score(usual, detector(train)(X)))


def choose(X: np.ndarray, y: np.ndarray, n_rows: int) -> None:
    """Print the mean area of all that is tried."""
    places = [np.flatnonzero(y[:60_000] == digit)[: n_rows + FURTHER] for digit in range(10)]
    further = np.concatenate([x[n_rows:] for x in places])
    for name, detector in TRIED.items():
        begun = time.process_time()
        areas = [
            area(detector, X[places[digit][:n_rows]], X[further], y[further] == digit)
            for digit in range(10)
        ]
        seconds = (time.process_time() - begun) / 10
        say(f"{name}: {np.mean(areas):.4f}, worst {min(areas):.4f} ({seconds:.1f} s each)")


def report(X: np.ndarray, y: np.ndarray, n_rows: int, csv: str | None) -> None:
    """The table of the chosen ones."""
    found = []
    for digit in range(10):
        train = X[np.flatnonzero(y[:60_000] == digit)[:n_rows]]
        usual = y[60_000:] == digit
        areas = {kind: area(TRIED[name], train, X[60_000:], usual) for kind, name in CHOSEN.items()}
        found.append({"digit": digit, **areas})
        say({name: round(x, 4) for name, x in found[-1].items()})
    table = pd.DataFrame(found).set_index("digit")
    table.loc["mean"] = table.mean()
    say(table.round(4).to_string())
    if csv:
        table.round(4).to_csv(Path(csv) / "autoencoder_anomalies.csv")


def main() -> None:
    """The tasks that are named."""
    parser = argparse.ArgumentParser()
    parser.add_argument("tasks", nargs="*", default=["report"])
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--csv", help="folder for the table of the documentation")
    asked = parser.parse_args()
    if set(asked.tasks) - {"choose", "report"}:
        parser.error(f"tasks are choose and report, not {asked.tasks}")
    warnings.simplefilter("ignore")
    X, y = mnist()
    if "choose" in asked.tasks:
        choose(X, y, asked.rows)
    if "report" in asked.tasks:
        report(X, y, asked.rows, asked.csv)


if __name__ == "__main__":
    main()
