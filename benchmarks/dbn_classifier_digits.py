"""How well joint machines of features and labels classify scikit-learn's digits: figures of docs/dbn_classifier.rst.

python benchmarks/dbn_classifier_digits.py
"""

import time

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from ebm import (
    BernoulliRBM,
    ContrastiveDivergence,
    DBNClassifier,
    FineTuning,
    PersistentContrastiveDivergence,
    Regularization,
    UpDown,
)


def sparse(n_iter):
    """A machine of 200 units, few of which are on at a time."""
    few = Regularization(sparsity_target=0.1, sparsity_cost=1.0)
    return machine(n_iter, 1).set_params(gradient=ContrastiveDivergence(), regularization=few)


def machine(n_iter, n_steps):
    """A machine of 200 units."""
    return BernoulliRBM(
        200,
        batch_size=100,
        n_iter=n_iter,
        learning_rate=0.1,
        optimizer="momentum",
        schedule="linear",
        gradient=PersistentContrastiveDivergence(n_steps=n_steps),
    )


def report(name, classifier, parts):
    """Fit, and print the accuracy and the time."""
    train, test, y_train, y_test = parts
    start = time.perf_counter()
    accuracy = classifier.fit(train, y_train).score(test, y_test)
    print(f"{name:40} {accuracy:7.2%} {time.perf_counter() - start:6.0f} s", flush=True)


def main():
    """Grey and binary pixels, one layer and two, and the latter fine-tuned."""
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    split = {"test_size": 0.3, "random_state": 0, "stratify": y}
    grey = train_test_split(X, y, **split)
    binary = train_test_split((X > 0.45).astype(np.float32), y, **split)
    report("one layer", DBNClassifier([machine(300, 5)], random_state=0), grey)
    report("one layer, binary pixels", DBNClassifier([machine(300, 5)], random_state=0), binary)
    two = DBNClassifier([sparse(300), machine(300, 5)], random_state=0)
    report("two layers, binary pixels", two, binary)
    how = FineTuning(
        UpDown(n_steps=5, persistent=True),
        n_iter=100,
        learning_rate=0.05,
        batch_size=50,
        optimizer="momentum",
        schedule="linear",
    )
    report("fine-tuned", two.set_params(warm_start=True, fine_tuning=how), binary)
    for layers in ((100,), (100, 100)):
        for kind in ("joint", "conditional"):
            defaults = DBNClassifier(layers, label_weights=kind, random_state=0)
            report(f"defaults, layers {layers}, {kind}", defaults, grey)
            print(
                f"{'    samples of a class that look like it':40} {recognised(defaults, grey):7.1%}"
            )
            if len(layers) == 1:
                log_p = defaults.log_likelihood(grey[1], grey[3]).mean()
                print(f"{'    log p(x, y) of test rows':40} {log_p:7.2f}")


def recognised(dbn, parts):
    """The share of samples with a clamped label that a logistic regression on the rows gives this label."""
    judge = LogisticRegression(max_iter=2000).fit(parts[0], parts[2])
    draws = [dbn.sample(100, label=c, n_steps=500, random_state=1) for c in range(10)]
    return np.mean([np.mean(judge.predict(V) == c) for c, V in enumerate(draws)])


if __name__ == "__main__":
    main()
