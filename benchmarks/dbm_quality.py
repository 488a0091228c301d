"""How well deep Boltzmann machines learn MNIST, beside other models of the same size.

    python benchmarks/dbm_quality.py [--rows 10000] [--sizes 200 100] [--epochs 5 10] [--smoke]
    python benchmarks/dbm_quality.py --rows 60000 --test 10000 --epochs 3 12 --batch 100 --rates 0.05 0.02 \
        --sweeps 10 --temperatures 500 --models pcd rbm none --final

MNIST comes through scikit-learn's ``fetch_openml`` (``SCIKIT_LEARN_DATA`` names its cache). Its pixels are
probabilities of which bits are drawn, so that bounds are not those of the fixed bits that the literature shares: once
for a test row, ``--draws`` times for a training row (an epoch passes over all draws).
For each model: the bound on the log-likelihood of test rows with the standard error of log Z, log Z forward and in
reverse, the accuracy of a logistic regression on the features with 1000 labels, and the seconds of the
processor that training took.
The models are

- DBMs whose layers are pre-trained by persistent chains (pcd) or by contrastive divergence (cd), before and after joint
  training, one without pre-training, and one that begins with a deep belief network;
- a deep belief network and a restricted machine whose hidden layer has as many units as both layers together.

``--epochs`` and ``--rates`` are those of each layer in pre-training, and of joint training. Other models have the sum
of the epochs, and the first rate. ``--models`` chooses among pcd, cd, none (without pre-training), dbn and rbm. Seeds
are fixed. ``--smoke`` takes a minute, with the digits of scikit-learn in the place of MNIST.
"""

import argparse
import sys
import time
import warnings

import joblib
import numpy as np
from deep_quality import Digits, mnist
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_info

from ebm import AIS, DBM, DBN, BernoulliRBM


def data(n_rows: int, n_test: int, n_draws: int, smoke: bool) -> Digits:
    """Bits and labels; the bits of each training row are drawn ``n_draws`` times."""
    if smoke:
        X, y = load_digits(return_X_y=True)
        X = (X > 7).astype(np.float32)
        return Digits(X[:1200], y[:1200], X[1200:], y[1200:])
    grey, rng = mnist(), np.random.default_rng(0)
    X, X_test = (
        (rng.random(x.shape, np.float32) < x).astype(np.float32)
        for x in (np.tile(grey.X[:n_rows], (n_draws, 1)), grey.X_test[:n_test])
    )
    return Digits(X, np.tile(grey.y[:n_rows], n_draws), X_test, grey.y_test[:n_test])


def report(name: str, model: object, seconds: float, digits: Digits, method: object) -> None:
    """One line of results."""
    begun = time.process_time()
    bound = getattr(model, "lower_bound", None) or model.log_likelihood
    z = model.log_partition(method)
    values, error = bound(digits.X_test, method, return_std=True)
    few = slice(0, 1000)
    features, held_out = model.transform(digits.X[few]), model.transform(digits.X_test)
    linear = LogisticRegression(max_iter=1000).fit(features, digits.y[few])
    accuracy = linear.score(held_out, digits.y_test)
    print(
        f"{name:44s} bound {values.mean():9.2f} +- {np.nanmean(error):.2f}  log Z {z.value:9.2f} (reverse "
        f"{z.reverse:9.2f})  accuracy {accuracy:.4f}  {seconds:7.1f} s, evaluation {time.process_time() - begun:.1f} s"
    )
    sys.stdout.flush()


def fitted(model: object, X: np.ndarray) -> float:
    """Seconds of the processor that a fit takes."""
    begun = time.process_time()
    model.fit(X)
    return time.process_time() - begun


def options() -> argparse.Namespace:
    """Of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--test", type=int, default=2000)
    parser.add_argument("--draws", type=int, default=1, help="of the bits of each training row")
    parser.add_argument("--sizes", type=int, nargs="+", default=[200, 100])
    parser.add_argument("--epochs", type=int, nargs=2, default=[5, 10])
    parser.add_argument("--rates", type=float, nargs=2, default=[0.05, 0.05])
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--sweeps", type=int, default=30)
    parser.add_argument("--temperatures", type=int, default=2000)
    parser.add_argument("--models", nargs="+", default=["pcd", "cd", "none", "dbn", "rbm"])
    parser.add_argument("--final", action="store_true", help="no figures before joint training")
    parser.add_argument("--save", help="file for the last deep machine that was pre-trained")
    parser.add_argument("--smoke", action="store_true")
    chosen = parser.parse_args()
    if chosen.smoke:
        chosen.sizes, chosen.epochs, chosen.temperatures = [20, 10], [2, 2], 200
    return chosen


def main() -> None:
    """All models."""
    chosen = options()
    warnings.simplefilter("once")
    print(
        [
            f"{x['internal_api']} {x.get('architecture')} x{x['num_threads']}"
            for x in threadpool_info()
        ]
    )
    print(chosen)
    digits = data(chosen.rows, chosen.test, chosen.draws, chosen.smoke)
    X, method = digits.X, AIS(n_temperatures=chosen.temperatures, n_runs=100)
    greedy, joint = chosen.epochs
    few = {"batch_size": chosen.batch, "learning_rate": chosen.rates[0], "random_state": 0}
    deep = few | {"learning_rate": chosen.rates[1], "n_sweeps": chosen.sweeps}
    print(f"{len(X)} rows, {len(digits.X_test)} test rows")
    sys.stdout.flush()
    for name in chosen.models:
        if name in ("pcd", "cd"):
            layers = [BernoulliRBM(n, gradient=name, n_iter=greedy, **few) for n in chosen.sizes]
            machine = DBM(layers, pretraining="greedy", n_iter=0, warm_start=True, **deep)
            spent = fitted(machine, X)
            if not chosen.final:
                report(f"DBM, layers by {name}, composed", machine, spent, digits, method)
            spent += fitted(machine.set_params(n_iter=joint), X)
            if chosen.save:
                joblib.dump(machine, chosen.save)
            report(f"DBM, layers by {name}, trained together", machine, spent, digits, method)
        elif name == "none":
            machine = DBM(chosen.sizes, n_iter=greedy + joint, **deep)
            report("DBM without pre-training", machine, fitted(machine, X), digits, method)
        elif name == "dbn":
            networks(chosen, X, digits, method, few, deep)
        elif name == "rbm":
            rbm = BernoulliRBM(sum(chosen.sizes), n_iter=greedy + joint, **few)
            report("RBM", rbm, fitted(rbm, X), digits, method)


def networks(
    chosen: argparse.Namespace,
    X: np.ndarray,
    digits: Digits,
    method: object,
    few: dict[str, object],
    deep: dict[str, object],
) -> None:
    """Deep belief networks, and a deep machine that begins with one."""
    greedy, joint = chosen.epochs
    layers = [BernoulliRBM(n, n_iter=greedy, **few) for n in chosen.sizes]
    network = DBN(layers, features="all", random_state=0)
    spent = fitted(network, X)
    report("DBN, pre-training alone", network, spent, digits, method)
    machine = DBM.from_dbn(network, n_iter=joint, warm_start=True, **deep)
    report("DBM from this DBN, halved", machine, spent, digits, method)
    spent += fitted(machine, X)
    report("DBM from this DBN, trained together", machine, spent, digits, method)
    layers = [BernoulliRBM(n, n_iter=greedy + joint, **few) for n in chosen.sizes]
    network = DBN(layers, features="all", random_state=0)
    report("DBN", network, fitted(network, X), digits, method)


if __name__ == "__main__":
    main()
