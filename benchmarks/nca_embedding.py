"""Nearest neighbors of columns, of linear and of nonlinear neighborhood components: accuracy on tables.

    python benchmarks/nca_embedding.py [choose] [report] [few] [name of a table ...]

Needs ``pip install scikit-ebm[bench]``. The tables are those of ``benchmarks/tables.py``, and defaults were chosen on
CHOOSE. Columns have variance one in the training rows, at most 1500 random rows of a table take part, and all of them
are predicted once, in four folds: five neighbors of the scaled columns, of scikit-learn's
``NeighborhoodComponentsAnalysis``, and of ``NCAEmbedding()``.

``few`` is about scikit-learn's images of digits with few labels of each class: accuracy on half of the images, of three
neighbors among the labelled ones of the other half, by pixels, by the code of an autoencoder, and by embeddings with
different `supervision`. Means and standard deviations of ten draws; no setting is chosen.
"""

import argparse
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from autoencoder_quality import say
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, cross_val_score, train_test_split
from sklearn.neighbors import KNeighborsClassifier, NeighborhoodComponentsAnalysis
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from tables import CHOOSE, REPORT, table

from ebm import Autoencoder, NCAEmbedding

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


def few_labels(n_draws: int = 10) -> None:
    """Print a line for each number of labels and each embedding."""
    X, y = load_digits(return_X_y=True)
    quick = {"max_iter": 100, "n_iter_no_change": np.inf}
    made: dict[str, Callable[[int], Any]] = {
        "pixels": lambda seed: FunctionTransformer(),
        "autoencoder": lambda seed: Autoencoder((100, 10), random_state=seed),
        **{
            f"supervision={x:g}": lambda seed, x=x: NCAEmbedding(  # type: ignore[misc]
                (100,), supervision=x, random_state=seed, **quick
            )
            for x in (1.0, 0.99, 0.9, 0.5)
        },
    }
    for n in (3, 5, 10, 30):
        found: dict[str, list[float]] = {name: [] for name in made}
        for seed in range(n_draws):
            train, test, own, other = train_test_split(X / 16, y, test_size=0.5, random_state=seed)
            some = np.concatenate([np.flatnonzero(own == digit)[:n] for digit in range(10)])
            labels = np.full(len(own), -1)
            labels[some] = own[some]
            for name, make in made.items():
                part = some if name == "supervision=1" else slice(None)
                model = make(seed).fit(train[part], labels[part])
                near = KNeighborsClassifier(3).fit(model.transform(train[some]), own[some])
                found[name].append(near.score(model.transform(test), other))
        for name, x in found.items():
            say(
                f"{n} labels of each digit, {name}: {100 * np.mean(x):.1f} +- {100 * np.std(x):.1f}"
            )


def main() -> None:
    """Print one line for each table, then the means."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", default=["report"])
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    groups = {"choose": CHOOSE, "report": REPORT}
    found = []
    for name in (name for word in asked.names for name in groups.get(word, (word,))):
        if name == "few":
            few_labels()
            continue
        found.append(accuracies(name))
        say(name, *(f"{kind} {x:.3f}" for kind, x in found[-1].items()))
    for kind in EMBEDDINGS if found else ():
        say(f"mean, {kind}: {np.mean([x[kind] for x in found]):.3f}")


if __name__ == "__main__":
    main()
