"""Models at work side by side, in threads and in processes: the same bits as one after the other.

Every estimator learns, and every method is called once. Products are small, so that BLAS has no reason to divide
them among threads.
"""

from __future__ import annotations

import copy
import multiprocessing
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import joblib
import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from ebm import BernoulliRBM, MLPClassifier
from tests.estimators.everyone import REAL, X, Y, everyone, name_of, outcome, same

pytestmark = pytest.mark.needs_jit
NAMES = [name_of(estimator) for estimator in everyone()]


@cache
def one_after_the_other():
    return [outcome(estimator) for estimator in everyone()]


def in_threads(estimators):
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(outcome, estimators))


def by_joblib(backend):
    def run(estimators):
        return joblib.Parallel(n_jobs=2, backend=backend)(map(joblib.delayed(outcome), estimators))

    return run


def by_multiprocessing(start):
    def run(estimators):
        with multiprocessing.get_context(start).Pool(2) as pool:
            return pool.map(outcome, estimators)

    return run


WAYS = {
    "threads": in_threads,
    "joblib threads": by_joblib("threading"),
    "loky": by_joblib("loky"),
    "spawn": by_multiprocessing("spawn"),
}
if "fork" in multiprocessing.get_all_start_methods():
    WAYS["fork"] = by_multiprocessing("fork")


# So little training does not converge, and Python warns of every fork of a process that has other threads.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("way", WAYS)
def test_side_by_side_gives_the_bits_of_one_after_the_other(way):
    found = WAYS[way](everyone()[::-1])[::-1]
    for name, alone, together in zip(NAMES, one_after_the_other(), found, strict=True):
        assert same(alone, together), name


def test_two_threads_read_one_model():
    rbm = BernoulliRBM(3, n_iter=2, random_state=0).fit(X)
    alone = rbm.transform(X)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(lambda _: rbm.transform(X), range(40)))
    finally:
        sys.setswitchinterval(interval)
    assert all(np.array_equal(alone, x) for x in together)


@pytest.mark.parametrize("backend", ["threading", "loky"])
@pytest.mark.parametrize(
    ("model", "rows", "grid"),
    [
        (BernoulliRBM(3, n_iter=2, random_state=0), X, {"learning_rate": [0.01, 0.1]}),
        (MLPClassifier((3,), max_iter=2, random_state=0), REAL, {"alpha": [0.0, 0.1]}),
    ],
    ids=["machine", "network"],
)
@pytest.mark.filterwarnings("ignore:.*Not converged:sklearn.exceptions.ConvergenceWarning")
def test_a_search_in_two_jobs_finds_what_a_search_in_one_does(model, rows, grid, backend):
    def scores(n_jobs):
        with joblib.parallel_config(backend):
            search = GridSearchCV(copy.deepcopy(model), grid, cv=2, n_jobs=n_jobs)
            return search.fit(rows, Y).cv_results_["mean_test_score"]

    np.testing.assert_array_equal(scores(1), scores(2))
