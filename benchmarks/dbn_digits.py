"""What a second layer and fine-tuning gain: nats per row of scikit-learn's digits, binary, held out.

The table of docs/dbn.rst. Of one machine log p by annealed importance sampling, of stacks the variational bound.

    python benchmarks/dbn_digits.py
"""

import numpy as np
from sklearn.datasets import load_digits

from ebm import DBN, BernoulliRBM, FineTuning

ROWS, EPOCHS, SEEDS = 1400, 50, 3


def scores(train, test, seed):
    """Of one machine, two layers, and these after one and two courses of fine-tuning."""
    machine = BernoulliRBM(64, learning_rate=0.05, n_iter=EPOCHS)
    alone = machine.set_params(random_state=seed).fit(train)
    found = [alone.log_likelihood(test).mean()]
    layers = [machine.set_params(random_state=None), machine]
    dbn = DBN(layers, random_state=seed, warm_start=True).fit(train)
    found.append(dbn.score(test))
    dbn.set_params(fine_tuning=FineTuning(n_iter=EPOCHS))
    for _ in range(2):
        found.append(dbn.fit(train).score(test))
    return found


def main():
    """Print one line per seed."""
    X = (load_digits().data > 8).astype(np.float32)
    X = X[np.random.default_rng(0).permutation(len(X))]
    print("RBM(64)  DBN([64, 64])  fine-tuned  twice as long")
    for seed in range(SEEDS):
        print("  ".join(f"{x:.2f}" for x in scores(X[:ROWS], X[ROWS:], seed)), flush=True)


if __name__ == "__main__":
    main()
