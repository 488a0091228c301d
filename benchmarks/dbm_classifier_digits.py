"""Deep Boltzmann machines with labels beside deep belief networks with labels, on scikit-learn's digits.

    python benchmarks/dbm_classifier_digits.py [--seeds 3]

Pixels are bits (above 7 of 16). Layers of 100 units, 40 epochs of pre-training with batches of 25, 20 epochs of joint
training. Accuracy on the held-out 30 percent of the rows, with all labels and with a tenth of them; the means over
splits, and the seconds of the processor that training took. Seeds are fixed, and no setting was searched for.
"""

import argparse
import time
import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_info

from ebm import BernoulliRBM, DBMClassifier, DBNClassifier

PART = {"n_iter": 40, "batch_size": 25}


def layers(n: int) -> list[BernoulliRBM]:
    return [BernoulliRBM(100, **PART) for _ in range(n)]


JOINT = {"n_iter": 20, "batch_size": 25}
MODELS = {
    "DBMClassifier, two layers": lambda seed: DBMClassifier(layers(2), **JOINT, random_state=seed),
    "DBMClassifier, one layer": lambda seed: DBMClassifier(layers(1), **JOINT, random_state=seed),
    "DBNClassifier, joint": lambda seed: DBNClassifier(
        layers(2), label_weights="joint", random_state=seed
    ),
    "DBNClassifier, conditional": lambda seed: DBNClassifier(layers(2), random_state=seed),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Classifiers of digits.")
    parser.add_argument("--seeds", type=int, default=3)
    n_seeds = parser.parse_args().seeds
    print(sorted({str(x.get("architecture")) for x in threadpool_info()}))
    X, y = load_digits(return_X_y=True)
    X = (X > 7).astype(float)
    for name, make in MODELS.items():
        scores, seconds = np.zeros((n_seeds, 2)), 0.0
        for seed in range(n_seeds):
            train, test, known, wanted = train_test_split(X, y, test_size=0.3, random_state=seed)
            hidden = np.random.default_rng(seed).random(len(known)) < 0.9
            for k, labels in enumerate((known, np.where(hidden, -1, known))):
                begun = time.process_time()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    model = make(seed).fit(train, labels)
                    seconds += time.process_time() - begun
                    scores[seed, k] = model.score(test, wanted)
        means, error = scores.mean(axis=0), scores.std(axis=0, ddof=1) / np.sqrt(n_seeds)
        print(
            f"{name}: all labels {means[0]:.3f} ± {error[0]:.3f}, a tenth {means[1]:.3f} ± {error[1]:.3f}, "
            f"{seconds / (2 * n_seeds):.1f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
