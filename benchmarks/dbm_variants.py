"""Deep Boltzmann machines on digits: schemes of pre-training, inputs of networks, and the cost of a score.

    python benchmarks/dbm_variants.py [--seeds 3]

Pixels of scikit-learn's digits are bits (above 7 of 16); 30 percent of the rows are held out, and figures are means
over splits with their standard errors. Default settings, but for what is compared; no setting was searched for.

- *Schemes*: the mean bound of held-out rows, log Z by ``AIS(2000)``, before and after joint training.
- *Networks*: accuracy of held-out rows with all labels, and with a tenth of them, of networks that begin as a machine
  of 100-100 units, with and without means of its second hidden layer as inputs, and of one that begins at random.
- *Scores*: seconds of the processor of ``fit`` and ``score``, and the standard error of log Z, of tables in bits.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_info

from ebm import AIS, DBM, BernoulliRBM, MLPClassifier

SIZES = ((64, 64), (100, 40), (60, 60, 40))
TABLES = {"iris": load_iris, "wine": load_wine, "breast cancer": load_breast_cancer}


def shown(values: Any) -> str:
    """Mean and standard error over splits."""
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1) / np.sqrt(len(values)):.3f}"


def splits(n_seeds: int) -> list[tuple[Any, ...]]:
    """Training and held-out rows, and their labels."""
    X, y = load_digits(return_X_y=True)
    X = (X > 7).astype(np.float32)
    return [train_test_split(X, y, test_size=0.3, random_state=seed) for seed in range(n_seeds)]


def schemes(n_seeds: int) -> None:
    """Bounds before and after joint training."""
    for sizes in SIZES:
        for scheme in ("greedy", "two_copies", None):
            found: list[list[float]] = [[], []]
            for seed, (train, test, *_) in enumerate(splits(n_seeds)):
                layers = [BernoulliRBM(n) for n in sizes]
                for k, n_iter in enumerate((0, "auto")):
                    dbm = DBM(layers, pretraining=scheme, n_iter=n_iter, random_state=seed).fit(
                        train
                    )
                    found[k].append(dbm.lower_bound(test, AIS(2000)).mean())
            print(
                f"{sizes} {scheme}: before {shown(found[0])}, after {shown(found[1])}", flush=True
            )


def networks(n_seeds: int) -> None:
    """Accuracies with all labels and a tenth of them."""

    def machine(seed: int) -> DBM:
        return DBM([100, 100], random_state=seed)

    makers: dict[str, Callable[[int], MLPClassifier]] = {
        "one pass": lambda seed: MLPClassifier(pretraining=machine(seed), random_state=seed),
        "mean_field_inputs": lambda seed: MLPClassifier(
            pretraining=machine(seed), mean_field_inputs=True, random_state=seed
        ),
        "random": lambda seed: MLPClassifier((100, 100), random_state=seed),
    }
    for name, make in makers.items():
        scores: list[list[float]] = [[], []]
        for seed, (train, test, known, wanted) in enumerate(splits(n_seeds)):
            hidden = np.random.default_rng(seed).random(len(known)) < 0.9
            for k, labels in enumerate((known, np.where(hidden, -1, known))):
                scores[k].append(100 * make(seed).fit(train, labels).score(test, wanted))
        print(f"{name}: all labels {shown(scores[0])}, a tenth {shown(scores[1])}", flush=True)


def costs() -> None:
    """Seconds of a fit and of a score."""
    for name, load in {**TABLES, "digits": load_digits}.items():
        data = load().data
        X = (data > np.median(data, axis=0)).astype(float)
        for sizes in ((256, 64), (64, 32)):
            begun = time.process_time()
            dbm = DBM(sizes, random_state=0).fit(X)
            middle = time.process_time()
            dbm.score(X)
            end, z = time.process_time(), dbm.log_partition()
            print(
                f"{name} {X.shape}, {sizes}: fit {middle - begun:.2f} s, score {end - middle:.2f} s, "
                f"error of log Z {z.standard_error:.2f} ({z.method})",
                flush=True,
            )


def main() -> None:
    """Print all three parts."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    n_seeds = parser.parse_args().seeds
    print(sorted({str(x.get("architecture")) for x in threadpool_info()}))
    warnings.simplefilter("ignore")
    DBM([3, 2], n_iter=1).fit(np.eye(4)).score(np.eye(4))  # compiles
    costs()
    schemes(n_seeds)
    networks(n_seeds)


if __name__ == "__main__":
    main()
