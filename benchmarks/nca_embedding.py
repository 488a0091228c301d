"""Nearest neighbors of columns, of linear and of nonlinear neighborhood components: accuracy on tables.

    python benchmarks/nca_embedding.py [choose] [report] [name of a table ...]

Needs ``pip install scikit-ebm[bench]``. The tables are those of ``benchmarks/tables.py``, and defaults were chosen on
CHOOSE. Columns have variance one in the training rows, at most 1500 random rows of a table take part, and all of them
are predicted once, in four folds: five neighbors of the scaled columns, of scikit-learn's
``NeighborhoodComponentsAnalysis``, and of ``NCAEmbedding()``.
"""

import argparse
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from autoencoder_quality import say
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier, NeighborhoodComponentsAnalysis
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tables import CHOOSE, REPORT, table

from ebm import NCAEmbedding

MOST_ROWS = 1500
EMBEDDINGS: dict[str, Callable[[], Any]] = {
    "columns": lambda: "passthrough",
    "linear": lambda: NeighborhoodComponentsAnalysis(random_state=0, max_iter=50),
    "nonlinear": lambda: NCAEmbedding(random_state=0),
}


def accuracies(name: str) -> dict[str, float]:
    """Mean accuracy with each embedding."""
    X, y = table(name)
    some = np.random.default_rng(0).permutation(len(X))[:MOST_ROWS]
    y = np.unique(y, return_inverse=True)[1][some]
    folds = StratifiedKFold(4, shuffle=True, random_state=0)
    return {
        kind: float(
            cross_val_score(
                make_pipeline(StandardScaler(), made(), KNeighborsClassifier(5)),
                X[some],
                y,
                cv=folds,
            ).mean()
        )
        for kind, made in EMBEDDINGS.items()
    }


def main() -> None:
    """Print one line for each table, then the means."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", default=["report"])
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    groups = {"choose": CHOOSE, "report": REPORT}
    found = []
    for name in (name for word in asked.names for name in groups.get(word, (word,))):
        found.append(accuracies(name))
        say(name, *(f"{kind} {x:.3f}" for kind, x in found[-1].items()))
    for kind in EMBEDDINGS:
        say(f"mean, {kind}: {np.mean([x[kind] for x in found]):.3f}")


if __name__ == "__main__":
    main()
