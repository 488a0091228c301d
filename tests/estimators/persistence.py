"""Fitted estimators of every kind, what they hold and answer: in this process and, run as a module, in others."""

from __future__ import annotations

import json
import pickle
import sys
import warnings
from hashlib import blake2b
from pathlib import Path

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator

import ebm

rng = np.random.default_rng(0)
WORDS = (rng.permutation(np.arange(1, 64))[:, np.newaxis] >> np.arange(6) & 1).astype(float)
X, NEW = WORDS[:16], WORDS[16:20]  # all rows differ, and none is empty
REALS = rng.normal(size=(16, 6))
Y = np.arange(16) % 2
SMALL = {"n_iter": 2, "max_iter": 2, "random_state": 0, "layers": (4, 3), "batch_size": 5}
METHODS = ("transform", "predict", "predict_proba", "score_samples", "recall", "sample")


def estimators():
    """One unfitted estimator of every public class, and variants that hold records of other kinds."""
    classes = [getattr(ebm, name) for name in ebm.__all__]
    kinds = [c for c in classes if isinstance(c, type) and issubclass(c, BaseEstimator)]
    found = {c.__name__: c() for c in kinds if hasattr(c, "fit")}
    found["tempered"] = ebm.GaussianRBM(
        3, variance=np.ones(6), gradient=ebm.ParallelTempering(n_temperatures=2), optimizer="adam"
    )
    found["linear rate"] = ebm.RBM(4, hidden=ebm.Bernoulli(), schedule="linear", gradient="fpcd")
    found["hidden units"] = ebm.BoltzmannMachine(n_hidden=2, gradient="pcd")
    found["tuned"] = ebm.DBN((4, 3), fine_tuning=ebm.FineTuning(n_iter=2))
    found["deep"] = ebm.MLPClassifier(
        (4, 3), activation=["maxout", "elu"], batch_norm=True, dropout=0.1
    )
    for estimator in found.values():
        known = estimator.get_params()
        estimator.set_params(**{k: x for k, x in SMALL.items() if k in known})
    return found


def rows(estimator):
    return REALS if isinstance(estimator, ebm.GaussianRBM) else X


def fitted(estimator):
    """The same, fitted; short training on random rows has much to tell, and that is not the point here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(rows(estimator), Y)


def leaves(x, path=""):
    """All numbers, texts and types that `x` consists of, with the ways to them."""
    yield f"{path} {type(x).__name__}"
    if sparse.issparse(x):
        x = x.toarray()
    if isinstance(x, np.ndarray) and not x.dtype.hasobject:
        yield f"{x.dtype} {x.shape} {blake2b(x.tobytes()).hexdigest()}"
    elif isinstance(x, dict):
        for name in sorted(x, key=str):
            yield from leaves(x[name], f"{path}.{name}") if name != "time" else ()
    elif isinstance(x, list | tuple | np.ndarray):
        for i, part in enumerate(x):
            yield from leaves(part, f"{path}.{i}")
    elif hasattr(x, "__dict__") and not callable(x):
        yield from leaves({k: v for k, v in vars(x).items() if k != "_sklearn_version"}, path)
    else:
        yield repr(x)


def digest(x):
    return blake2b("\n".join(leaves(x)).encode(), digest_size=16).hexdigest()


def answers(estimator):
    """Answers of its methods, then whether it goes on: digests by the method's name."""
    found = {"contents": digest(estimator)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in METHODS:
            if hasattr(estimator, name):
                method = getattr(estimator, name)
                found[name] = digest(method(3) if name == "sample" else method(rows(estimator)))
        if hasattr(estimator, "partial_fit"):
            found["partial_fit"] = digest(estimator.partial_fit(NEW, Y[:4]))
    return found


def main(folder):
    """Load the pickles in `folder`; answers of these go to a file there, and pickles of fits of this process."""
    stored = {p.stem: pickle.loads(p.read_bytes()) for p in folder.glob("*.pickle")}
    found = {name: answers(estimator) for name, estimator in stored.items()}
    (folder / "answers.json").write_text(json.dumps(found), encoding="utf-8")
    for name, estimator in estimators().items():
        (folder / f"{name}.back").write_bytes(pickle.dumps(fitted(estimator)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
