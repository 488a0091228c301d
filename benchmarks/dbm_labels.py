"""Networks that begin as deep Boltzmann machines, belief networks or restricted machines: MNIST, all labels and few.

    python benchmarks/dbm_labels.py MACHINE [--starts dbm dbn rbm random] [--labels 60000 1000 100] [--choose]

``MACHINE`` is the file of a machine that ``dbm_quality.py --save`` wrote. The belief network has layers of the same
sizes, the restricted machine one layer of the size of the first; both are trained here for ``--epochs`` passes, on the
pixels as probabilities. MNIST comes through scikit-learn's ``fetch_openml``.

For each start and number of labels: the test error of the fine-tuned network in percent, and the seconds of the
processor. Few labels are drawn five times, the same number of each class: mean and standard deviation. The settings of
fine-tuning are those of ``deep_quality.py``, which were chosen by training rows, for belief networks. ``--choose``
leaves the last 10 000 training rows out and takes them in the place of the test rows, in order to choose settings.
"""

import argparse
import time
from typing import Any

import joblib
import numpy as np
from deep_quality import (
    FINE_TUNING,
    N_CHOOSING,
    STEPS,
    Digits,
    accuracies,
    error,
    mnist,
    network,
    rbm,
)
from threadpoolctl import threadpool_info

from ebm import DBM, DBN, MLPClassifier


def start(name: str, machine: DBM, X: np.ndarray, epochs: int) -> Any:
    """The fitted machine that the network begins as; None at random."""
    sizes = [len(c) for c in machine.intercepts_[1:]]
    depth = {"dbn": len(sizes), "rbm": 1}
    if name in depth:
        return DBN([rbm(n, epochs) for n in sizes[: depth[name]]], random_state=0).fit(X)
    return machine if name == "dbm" else None


def tuned(stack: Any, machine: DBM, steps: dict[str, Any]) -> MLPClassifier:
    """The unfitted network that begins as `stack`, with as many rates of dropout as it has layers."""
    hidden = tuple(len(c) for c in machine.intercepts_[1:])
    n_layers = len(stack.rbms_) if isinstance(stack, DBN) else len(hidden)
    first, *others = steps["dropout"]
    return network(stack, hidden, **steps | {"dropout": (first, *others[-1:] * n_layers)})


def main() -> None:
    """All starts, all numbers of labels."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("machine")
    parser.add_argument("--starts", nargs="+", default=["dbm", "dbn", "rbm", "random"])
    parser.add_argument("--labels", type=int, nargs="+", default=[60_000, 1_000, 100])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--choose", action="store_true")
    chosen = parser.parse_args()
    print(
        [
            f"{x['internal_api']} {x.get('architecture')} x{x['num_threads']}"
            for x in threadpool_info()
        ]
    )
    print(chosen, flush=True)
    machine, data = joblib.load(chosen.machine), mnist()
    if chosen.choose:
        kept = slice(0, -N_CHOOSING)
        rest = slice(-N_CHOOSING, None)
        data = Digits(data.X[kept], data.y[kept], data.X[rest], data.y[rest])
    for name in chosen.starts:
        stack = start(name, machine, data.X, chosen.epochs)
        for n_labels in chosen.labels:
            begun = time.process_time()
            if n_labels > 1000:
                mlp = tuned(stack, machine, FINE_TUNING).fit(data.X, data.y)
                found = f"{error(mlp, data.X_test, data.y_test):.2f} %"
            else:
                wrong = (
                    100 - accuracies(tuned(stack, machine, STEPS[n_labels]), data, n_labels)[:, 0]
                )
                found = f"{wrong.mean():.2f} +- {wrong.std(ddof=1):.2f} %"
            seconds = time.process_time() - begun
            print(f"{name:8s} {n_labels:6d} labels  {found:16s} {seconds:6.0f} s", flush=True)


if __name__ == "__main__":
    main()
