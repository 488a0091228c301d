"""Default deep Boltzmann machines on small tables: features, density, and the seconds of a fit, beside other defaults.

    python benchmarks/dbm_tables.py [name of a table ...] [--folds 3] [--seed 0]

Tables are those of tables.py; without names, four on which the defaults were chosen, and two that were looked at once
they stood. Accuracy in percent: means over folds of a logistic regression on the features, without a scaler between
the two, columns scaled to [0, 1]. "raw" is one on columns of variance one; "untrained" machines make no update;
"together" is ``pretraining=None``. "reals" is a Gaussian machine as the first layer, columns of variance one.

Density: each column becomes a bit, larger or not than its median in training. The figures are the mean of held-out rows
in the first fold, log-likelihoods of the restricted machine and lower bounds of the deep ones, by annealed importance
sampling, in nats a row. "independent" has independent bits. Seconds are of the processor, for a fit on the bits.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from tables import linear, table

from ebm import AIS, DBM, DBN, BernoulliRBM, GaussianRBM

TABLES = ("iris", "wine", "breast cancer", "digits", "penguins", "diabetes")
METHOD = AIS(n_temperatures=400, n_runs=100)

MACHINES: dict[str, Callable[[int], Any]] = {
    "RBM": lambda seed: BernoulliRBM(random_state=seed),
    "DBN": lambda seed: DBN(random_state=seed),
    "DBM": lambda seed: DBM(random_state=seed),
    "DBM untrained": lambda seed: DBM(n_iter=0, random_state=seed),
    "DBM together": lambda seed: DBM(pretraining=None, random_state=seed),
}
REALS: dict[str, Callable[[int], Any]] = {
    "RBM of reals": lambda seed: GaussianRBM(random_state=seed),
    "DBM of reals": lambda seed: DBM([GaussianRBM(), 64], random_state=seed),
}


def pipelines(seed: int) -> dict[str, Any]:
    """All of them, by name."""
    found = {"raw": make_pipeline(StandardScaler(), linear())}
    for name, make in MACHINES.items():
        found[name] = make_pipeline(MinMaxScaler(), make(seed), linear())
    for name, make in REALS.items():
        found[name] = make_pipeline(StandardScaler(), make(seed), linear())
    return found


def density(train: np.ndarray, test: np.ndarray, seed: int) -> dict[str, str]:
    """Nats a row and seconds of a fit, by machine."""
    middle = np.median(train, axis=0)
    A, B = (train > middle).astype(float), (test > middle).astype(float)
    p = (A.sum(axis=0) + 0.5) / (len(A) + 1)
    alone = (B * np.log(p) + (1 - B) * np.log(1 - p)).sum(axis=1).mean()
    found = {"independent": f"{alone:.2f}"}
    for name, make in MACHINES.items():
        if name == "DBN":
            continue
        begun = time.process_time()
        machine = make(seed).fit(A)
        seconds = time.process_time() - begun
        measure = getattr(machine, "lower_bound", None) or machine.log_likelihood
        values, error = measure(B, METHOD, return_std=True)
        found[name] = f"{values.mean():.2f} +- {error[0]:.2f} ({seconds:.1f} s)"
    return found


def main() -> None:
    """Print both parts, table by table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tables", nargs="*", default=list(TABLES))
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    DBM([3, 2], n_iter=1).fit(np.eye(4))  # compiles
    for name in chosen.tables or TABLES:
        X, y = table(name)
        folds = StratifiedKFold(chosen.folds, shuffle=True, random_state=chosen.seed)
        parts = list(folds.split(X, y))
        print(f"{name} {X.shape}", flush=True)
        for title, model in pipelines(chosen.seed).items():
            scores = [model.fit(X[a], y[a]).score(X[b], y[b]) for a, b in parts]
            print(f"  accuracy {title:16s} {100 * np.mean(scores):6.1f}", flush=True)
        for title, figure in density(*(X[some] for some in parts[0]), chosen.seed).items():
            print(f"  density  {title:16s} {figure}", flush=True)


if __name__ == "__main__":
    main()
