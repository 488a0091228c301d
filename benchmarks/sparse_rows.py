"""Sparse rows beside scikit-learn: machines and networks on CSR rows, each operation taken in turn.

    python benchmarks/sparse_rows.py [--quick] [--repeats 5] [--news FOLDER]

The rows are random zeros and ones, 3000 x 20000 with one entry in two hundred. With `--news`, also documents of 20
newsgroups: a folder with `train.feat`, one document a line as "1 word:count word:count ...", words numbered from one.
Labels say nothing: it is the time that counts. Times are the processor's, of this process alone, with one thread.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from sklearn.neural_network import BernoulliRBM as ScikitRBM
from sklearn.neural_network import MLPClassifier as ScikitMLP
from threadpoolctl import threadpool_limits

from ebm import BernoulliRBM, MLPClassifier


def random_rows(n_rows: int, n_columns: int) -> tuple[sp.csr_matrix, np.ndarray]:
    """Zeros and ones, and labels that say nothing."""
    X = sp.random(n_rows, n_columns, 0.005, "csr", random_state=0)
    X.data[:] = 1
    return X, np.random.default_rng(0).integers(0, 5, n_rows)


def newsgroups(folder: Path) -> tuple[sp.csr_matrix, np.ndarray]:
    """Which words a document has."""
    indptr, indices = [0], []
    for line in (folder / "train.feat").read_text().splitlines():
        indices += [int(word.split(":")[0]) - 1 for word in line.split()[1:]]
        indptr.append(len(indices))
    X = sp.csr_matrix((np.ones(len(indices)), indices, indptr))
    return X, np.arange(X.shape[0]) % 5


def seconds(call: Callable[[], object]) -> float:
    """Of the processor."""
    start = time.process_time()
    call()
    return time.process_time() - start


def operations(X: sp.csr_matrix, y: np.ndarray) -> dict[str, list[Callable[[], object]]]:
    """Each operation as ours and as scikit-learn's."""
    machine = {"n_components": 100, "batch_size": 10, "n_iter": 1, "random_state": 0}
    network = {"hidden_layer_sizes": (100,), "max_iter": 2, "random_state": 0}
    pairs = [BernoulliRBM(**machine), ScikitRBM(**machine)]
    networks = [MLPClassifier(**network), ScikitMLP(**network)]
    for model in (*pairs, *networks):
        model.fit(X[:400], y[:400])
    return {
        "machine: one epoch of fit": [lambda m=m: m.fit(X) for m in pairs],
        "machine: transform": [lambda m=m: m.transform(X) for m in pairs],
        "machine: score_samples": [lambda m=m: m.score_samples(X) for m in pairs],
        "network: two epochs of fit": [lambda m=m: m.fit(X, y) for m in networks],
        "network: predict_proba": [lambda m=m: m.predict_proba(X) for m in networks],
    }


def report(title: str, X: sp.csr_matrix, y: np.ndarray, repeats: int) -> None:
    """Medians in milliseconds, and their ratio."""
    print(f"{title}: {X.shape[0]} x {X.shape[1]}, {100 * X.nnz / np.prod(X.shape):.2g} % not zero")
    for name, pair in operations(X, y).items():
        times = np.array([[seconds(call) for call in pair] for _ in range(repeats)])
        ours, theirs = 1000 * np.median(times, axis=0)
        print(
            f"  {name:28} {ours:9.0f} ms {theirs:9.0f} ms   ratio {ours / theirs:7.2f}", flush=True
        )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--news", type=Path)
    choice = parser.parse_args()
    warnings.simplefilter("ignore")
    with threadpool_limits(1):
        report(
            "random",
            *random_rows(*((300, 2000) if choice.quick else (3000, 20000))),
            choice.repeats,
        )
        if choice.news is not None:
            report("20 newsgroups", *newsgroups(choice.news), choice.repeats)


if __name__ == "__main__":
    main()
