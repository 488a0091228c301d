"""Autoencoders by their defaults beside principal components: squared error of held-out rows, on tables and on MNIST.

    python benchmarks/autoencoder_tables.py [choose] [report] [mnist] [name of a table ...] [--rows N] [--csv FOLDER]

Needs ``pip install scikit-ebm[bench]``. The tables are those of ``benchmarks/tables.py``: the defaults were chosen on
CHOOSE alone, and REPORT was looked at once they stood. Columns have variance one in the training rows, those of digits
the range from 0 to 1. Every row is held out once in four folds, and at most 2000 random rows of a table take part. The
errors stand over that of as many principal components:

default       ``Autoencoder()``
random        the same with ``init="glorot"``: random weights
all epochs    the same with ``early_stopping=False``: no held-out rows, 200 epochs
squared       for columns between 0 and 1 only: ``loss="squared_error"``

``mnist`` is 784-256-64-k for several k, on the first ``--rows`` training images (5000), errors of the test images.
"""

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from autoencoder_quality import error, images, say
from sklearn.decomposition import PCA
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler
from tables import CHOOSE, REPORT, table

from ebm import Autoencoder

MOST_ROWS, FOLDS = 2000, 4
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "random": {"init": "glorot"},
    "all epochs": {"early_stopping": False, "n_iter_no_change": np.inf},
}
SQUARED = {"squared": {"loss": "squared_error"}}


def folds(name: str) -> list[tuple[Any, Any]]:
    """Training and test rows, scaled."""
    X, _ = table(name)
    X = X[np.random.default_rng(0).permutation(len(X))[:MOST_ROWS]]
    parts = [(X[a], X[b]) for a, b in KFold(FOLDS).split(X)]
    if name == "digits":
        return [(a / 16, b / 16) for a, b in parts]
    scalers = [StandardScaler().fit(a) for a, _ in parts]
    return [(s.transform(a), s.transform(b)) for s, (a, b) in zip(scalers, parts, strict=True)]


def beside(train: Any, test: Any, coder: Autoencoder, n: int) -> tuple[float, float]:
    """Errors of a network and of as many components."""
    pca = PCA(n).fit(train)
    own = error(coder.fit(train).reconstruct(test), test)
    return own, error(pca.inverse_transform(pca.transform(test)), test)


def of_table(name: str) -> dict[str, Any]:
    """Errors of all variants over those of components, and the seconds of a default fit."""
    parts = folds(name)
    n = max(1, min(32, parts[0][0].shape[1] // 2))
    found: dict[str, Any] = {"table": name, "rows": len(parts[0][0]), "columns": len(parts[0][0].T)}
    for variant, settings in (VARIANTS | (SQUARED if name == "digits" else {})).items():
        begun = time.process_time()
        errors = [
            beside(train, test, Autoencoder(random_state=fold, **settings), n)
            for fold, (train, test) in enumerate(parts)
        ]
        own, components = np.mean(errors, axis=0)
        found["components"], found[variant] = components, own / components
        if variant == "default":
            found["seconds"] = (time.process_time() - begun) / FOLDS
    return found


def mnist(n_rows: int) -> None:
    """Errors of test images."""
    train, test = images(False, n_rows)
    for n in (2, 8, 30):
        for loss in ("auto", "squared_error"):
            coder = Autoencoder((256, 64, n), loss=loss, random_state=0)
            begun = time.process_time()
            own, components = beside(train, test, coder, n)
            seconds = time.process_time() - begun
            say(f"mnist, code of {n}, loss {loss}: {own:.2f}, components {components:.2f}", end="")
            say(f" ({coder.n_iter_} epochs, {seconds:.0f} s)")


def main() -> None:
    """Print one line for each table, then the means."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", default=["report"])
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--csv", help="folder for the table of the documentation")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    groups = {"choose": CHOOSE, "report": REPORT}
    names = [name for word in asked.names for name in groups.get(word, (word,))]
    found = []
    for name in names:
        if name == "mnist":
            mnist(asked.rows)
            continue
        found.append(of_table(name))
        line = found[-1].items()
        say({key: x if isinstance(x, str | int) else round(float(x), 3) for key, x in line})
    if not found:
        return
    results = pd.DataFrame(found).set_index("table")
    for group, members in groups.items():
        part = results.loc[results.index.isin(members), [*VARIANTS]]
        if len(part):
            say(f"{group}:\n{part.agg(['mean', 'max']).round(3)}")
    if asked.csv:
        results.round(2).to_csv(Path(asked.csv) / "autoencoder_tables.csv")


if __name__ == "__main__":
    main()
