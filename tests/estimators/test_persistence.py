"""Pickles, copies and skops: the same bits, in other processes, with other numbers of threads, in another Python."""

from __future__ import annotations

import copy
import io
import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.base import clone

from ebm import Checkpoint
from tests.estimators.persistence import Y, answers, digest, estimators, fitted, rows

skops_io = pytest.importorskip("skops.io")
pytestmark = pytest.mark.needs_jit  # processes of their own, and no branch of a kernel

ROOT = Path(__file__).parents[2]
NAMES = list(estimators())
# The path of another interpreter with the library's dependencies, such as one of the next minor version.
OTHER_PYTHON = os.environ.get("EBM_OTHER_PYTHON")


@pytest.fixture(scope="module")
def stored():
    """Pickles of fitted estimators by name."""
    return {name: pickle.dumps(fitted(estimator)) for name, estimator in estimators().items()}


def through_joblib(estimator):
    file = io.BytesIO()
    joblib.dump(estimator, file, compress=3)
    file.seek(0)
    return joblib.load(file)


def through_skops(estimator):
    data = skops_io.dumps(estimator)
    return skops_io.loads(data, trusted=skops_io.get_untrusted_types(data=data))


TRIPS = {
    "oldest pickle": lambda x: pickle.loads(pickle.dumps(x, protocol=2)),
    "joblib": through_joblib,
    "deepcopy": copy.deepcopy,
    "skops": through_skops,
}


@pytest.mark.parametrize("name", NAMES)
def test_round_trips_keep_all_bits(name, stored):
    original = pickle.loads(stored[name])
    expected = answers(original)
    for trip, through in TRIPS.items():
        again = through(pickle.loads(stored[name]))
        assert answers(again) == expected, trip


@pytest.mark.parametrize("name", NAMES)
def test_skops_asks_for_types_of_packages_that_the_guide_names(name, stored):
    types = skops_io.get_untrusted_types(data=skops_io.dumps(pickle.loads(stored[name])))
    guide = (ROOT / "docs" / "persistence.rst").read_text("utf-8")
    packages = set(re.findall(r"``(ebm\.\w+|numpy\.dtype)``", guide))
    assert {re.match(r"\w+\.\w+", x)[0] for x in types} <= packages, types


# Settings ------------------------------------------------------------------------------------------

# Other types in which a setting may be given.
NUMBERS = {bool: np.bool_, int: np.int64, float: np.float64, np.ndarray: list, tuple: list}


def in_other_types(estimator):
    """The same with numbers of NumPy's types, lists for arrays and tuples, and whole numbers for such floats."""
    settings = {}
    for name, x in estimator.get_params(deep=False).items():
        whole = type(x) is float and x.is_integer() and x != 1.0
        settings[name] = int(x) if whole else NUMBERS.get(type(x), lambda x: x)(x)
    return clone(estimator).set_params(**settings)


@pytest.mark.parametrize("name", [k for k, x in estimators().items() if hasattr(x, "resume")])
@pytest.mark.parametrize("written", ["as Python's", "as NumPy's"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning", "ignore:X holds")
def test_checkpoints_compare_settings_by_value(name, written, tmp_path):
    plain = estimators()[name]
    pair = [plain, in_other_types(plain)][:: 1 if written == "as Python's" else -1]
    whole = pair[0].set_params(callbacks=Checkpoint(tmp_path / "file"))
    whole.fit(rows(whole), Y)
    resumed = pair[1].resume(tmp_path / "file", rows(plain), Y)
    one, other = (
        {k: x for k, x in vars(fit).items() if k.endswith("_")} for fit in (resumed, whole)
    )
    assert digest(one) == digest(other)


# Other processes -----------------------------------------------------------------------------------


def in_another_process(folder, stored, python=sys.executable, **environment):
    """Answers of pickles in a process of its own, and fits of that process: digests of both by name."""
    for name, data in stored.items():
        (folder / f"{name}.pickle").write_bytes(data)
    done = subprocess.run(
        [python, "-m", "tests.estimators.persistence", str(folder)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    back = {p.stem: digest(pickle.loads(p.read_bytes())) for p in folder.glob("*.back")}
    return json.loads((folder / "answers.json").read_text("utf-8")), back


def check_alike(stored, answered, back):
    originals = {name: pickle.loads(data) for name, data in stored.items()}
    assert back == {name: digest(x) for name, x in originals.items()}
    assert answered == {name: answers(x) for name, x in originals.items()}


def test_another_process_with_other_threads_has_the_same_bits(stored, tmp_path):
    threads = {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2", "NUMBA_NUM_THREADS": "1"}
    check_alike(stored, *in_another_process(tmp_path, stored, **threads))


@pytest.mark.skipif(not OTHER_PYTHON, reason="EBM_OTHER_PYTHON names no other interpreter")
def test_another_python_has_the_same_bits(stored, tmp_path):
    """With the same versions of NumPy, SciPy and Numba; what is compiled there lies elsewhere."""
    environment = {"PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(ROOT / ".numba_cache" / "other")}
    check_alike(stored, *in_another_process(tmp_path, stored, OTHER_PYTHON, **environment))
