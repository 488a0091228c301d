"""What a second layer and fine-tuning gain: nats per row of scikit-learn's digits, binary, held out.

The table of docs/dbn.rst. Of one machine log p by annealed importance sampling, of stacks the variational bound.

    python benchmarks/dbn_digits.py
"""

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits

from ebm import DBN, BernoulliRBM, FineTuning

ROWS, EPOCHS, SEEDS = 1400, 50, 3


def scores(train, test, seed):
    """Of one machine, after one and two courses; two layers of two starts; the latter fine-tuned, once and twice."""
    machine = BernoulliRBM(64, learning_rate=0.05, n_iter=EPOCHS, schedule="linear")
    found = []
    for n_iter in (EPOCHS, 2 * EPOCHS):
        alone = clone(machine).set_params(random_state=seed, n_iter=n_iter).fit(train)
        found.append(alone.log_likelihood(test).mean())
    layers = [machine, machine]
    for start in ("random", "transposed"):
        dbn = DBN(layers, start=start, random_state=seed, warm_start=True).fit(train)
        found.append(dbn.score(test))
    dbn.set_params(fine_tuning=FineTuning(n_iter=EPOCHS, schedule="linear"))
    for _ in range(2):
        found.append(dbn.fit(train).score(test))
    return found


def main():
    """Print one line per seed."""
    X = (load_digits().data > 8).astype(np.float32)
    X = X[np.random.default_rng(0).permutation(len(X))]
    print(
        "RBM(64)  twice as long  DBN([64, 64])  from the first turned over  fine-tuned  twice as long"
    )
    for seed in range(SEEDS):
        print("  ".join(f"{x:.2f}" for x in scores(X[:ROWS], X[ROWS:], seed)), flush=True)


if __name__ == "__main__":
    main()
