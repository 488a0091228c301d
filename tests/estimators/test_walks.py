"""How many files of ours a row of data goes through in one `fit`: a reader has to open as many."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import ebm

ROOT = Path(ebm.__file__).resolve().parents[1]
FOLDERS = ROOT / "ebm", ROOT / "sklearn_compat"
X = (np.random.default_rng(0).random((50, 6)) < 0.4).astype(float)
Y = np.arange(50) % 2

pytestmark = pytest.mark.needs_jit  # as plain Python the kernels would count, too


def entered(function):
    """The files of ours in which functions are called."""
    found = set()

    def look(frame, event, arg):
        if event == "call":
            path = Path(frame.f_code.co_filename)
            found.update({path} if path.is_absolute() else ())

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        function()
    finally:
        sys.setprofile(before)
    ours = {path.resolve() for path in found}
    return {path for path in ours if any(path.is_relative_to(folder) for folder in FOLDERS)}


# Files of the estimators, and files of the core without its kernels.
BOUNDS = {
    "DBN": (ebm.DBN([5, 3], random_state=0), 14, 32),
    # Five of them are those of layers and edges: the joint machine is a table. Three are those of label weights. One is
    # where stacks ask whether rows have gaps, one the start at thresholds, and one file is shared with DBMClassifier.
    "DBNClassifier": (ebm.DBNClassifier([5, 3], random_state=0), 17, 44),
    "MLPClassifier": (ebm.MLPClassifier((5,), n_iter_no_change=5, tol=1.0, random_state=0), 13, 27),
    # One of them compares the likelihood of the rows with that of independent units; one is the start at thresholds.
    "BernoulliRBM": (ebm.BernoulliRBM(5, random_state=0), 8, 31),
    "DBM": (ebm.DBM([5, 3], random_state=0), 13, 44),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_a_fit_passes_through_few_files(name):
    estimator, of_estimators, of_core = BOUNDS[name]
    estimator.fit(X, Y)  # whatever is imported or compiled once
    files = entered(lambda: estimator.fit(X, Y))
    above = {path for path in files if "sklearn_compat" in path.parts}
    core = {path for path in files - above if "_kernels" not in path.parts}
    assert len(above) <= of_estimators, sorted(map(str, above))
    assert len(core) <= of_core, sorted(map(str, core))
