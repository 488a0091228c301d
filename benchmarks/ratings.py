"""Ratings with most entries missing: how well machines predict those that are not known.

    python benchmarks/ratings.py [--users 1000] [--items 100] [--seeds 3]

Users give items one to five stars. The truth is known: thresholds on u'v, a level of the user and one of the item, and
noise, with five hidden tastes. 70, 85 or 95 % of the entries are missing, at random. The error is that of those.
Machines are fitted to the entries that are known (NaN elsewhere), and predict by `impute`:

- ``Binomial``: stars less one are the counts of four trials; 20 hidden units, for the default of 256 learns the noise;
- ``Categorical``: each item is a group of five units, with 20 hidden units; the prediction is the mean of the stars;
- ``TableRBM``: the stars as columns of numbers, defaults.

Beside them: the mean of the item, the mean of the item with that of the user, nearest neighbours, and the mean of the
stars given the true tastes and levels, which nothing can beat.
"""

import argparse
import time
import warnings
from collections.abc import Callable

import numpy as np
from scipy.special import ndtr
from sklearn.impute import KNNImputer

from ebm import RBM, TableRBM
from ebm.units import Binomial, Categorical

SHARES = (0.7, 0.85, 0.95)
EDGES = np.array([-1.2, -0.4, 0.4, 1.2])


def ratings(n_users: int, n_items: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Stars (users, items), and their means given what is hidden."""
    rng = np.random.default_rng(seed)
    tastes, kinds = rng.standard_normal((n_users, 5)), rng.standard_normal((n_items, 5))
    level = tastes @ kinds.T / np.sqrt(5) * 0.8
    level += 0.4 * rng.standard_normal((n_users, 1)) + 0.5 * rng.standard_normal(n_items)
    noise = 0.5
    stars = 1 + np.searchsorted(EDGES, level + noise * rng.standard_normal(level.shape))
    mean = 1 + ndtr((level[..., np.newaxis] - EDGES) / noise).sum(axis=-1)
    return stars.astype(float), mean


def item_mean(X: np.ndarray, seed: int) -> np.ndarray:
    """Of the known stars of the item."""
    return np.where(np.isnan(X), np.nanmean(X, axis=0), X)


def both_means(X: np.ndarray, seed: int) -> np.ndarray:
    """The mean of the item and the user's deviations from it, shrunk by five ratings."""
    items = np.nanmean(X, axis=0)
    known = (~np.isnan(X)).sum(axis=1)
    users = np.nansum(X - items, axis=1) / (known + 5)
    return np.where(np.isnan(X), items + users[:, np.newaxis], X)


def neighbours(X: np.ndarray, seed: int) -> np.ndarray:
    """Of scikit-learn, the best known setting for few ratings: many of them, nearer ones count more."""
    return KNNImputer(n_neighbors=50, weights="distance").fit_transform(X)


def binomial(X: np.ndarray, seed: int) -> np.ndarray:
    """Counts of four trials."""
    machine = RBM(20, visible=[(Binomial(4), X.shape[1])], random_state=seed)
    return 1 + machine.fit(X - 1).impute(X - 1)


def categorical(X: np.ndarray, seed: int) -> np.ndarray:
    """Groups of five units."""
    n_items, stars = X.shape[1], np.arange(1, 6)
    units = (X[..., np.newaxis] == stars).astype(float)
    units[np.isnan(X)] = np.nan
    machine = RBM(20, visible=[(Categorical((5,) * n_items), 5 * n_items)], random_state=seed)
    rows = units.reshape(len(X), -1)
    return machine.fit(rows).impute(rows).reshape(*X.shape, 5) @ stars


def table(X: np.ndarray, seed: int) -> np.ndarray:
    """Columns of numbers."""
    kinds = dict.fromkeys(range(X.shape[1]), "real")
    found = TableRBM(columns=kinds, random_state=seed).fit(X).impute(X)
    return np.asarray(found)


METHODS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "item mean": item_mean,
    "item and user mean": both_means,
    "neighbours": neighbours,
    "Binomial": binomial,
    "Categorical": categorical,
    "TableRBM": table,
}


def main() -> None:
    """Root mean squared errors, by the share that is missing."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--items", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=list(METHODS))
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    for share in SHARES:
        errors: dict[str, list[float]] = {}
        seconds: dict[str, list[float]] = {}
        for seed in range(chosen.seeds):
            stars, best = ratings(chosen.users, chosen.items, seed)
            gone = np.random.default_rng([seed, 1]).random(stars.shape) < share
            X = np.where(gone, np.nan, stars)
            errors.setdefault("the truth", []).append(rmse(best, stars, gone))
            for name in chosen.only:
                begun = time.process_time()
                errors.setdefault(name, []).append(rmse(METHODS[name](X, seed), stars, gone))
                seconds.setdefault(name, []).append(time.process_time() - begun)
        print(f"{share:.0%} missing")
        for name, found in errors.items():
            spent = f"{np.mean(seconds[name]):7.1f} s" if name in seconds else ""
            print(f"  {name:20s} {np.mean(found):.3f} +- {np.std(found):.3f} {spent}", flush=True)


def rmse(found: np.ndarray, stars: np.ndarray, gone: np.ndarray) -> float:
    """Of the stars that are not known; predictions are kept between one and five."""
    return float(np.sqrt(np.mean((np.clip(found[gone], 1, 5) - stars[gone]) ** 2)))


if __name__ == "__main__":
    main()
