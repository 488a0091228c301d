"""Log Z of models with several modes: right within its interval, or a doubt; and not doubted without reason.

A part of the models of tests/models/log_z.py; benchmarks/log_partition_reliability.py goes through all of them.
"""

from __future__ import annotations

from functools import cache
from itertools import islice

import numpy as np
import pytest

from ebm._random import fold, stream
from ebm.likelihood import AIS, Evaluation, log_partition
from ebm.likelihood.base import WIDENED
from tests.models import log_z as models

# Which of each kind: made when they are asked for, since some of them are trained.
FAMILIES = {
    "magnets": (models.magnets, [*range(2, 12, 2), 26, 27]),
    "glasses": (models.glasses, range(2, 36, 5)),
    "far modes": (models.far_modes, range(0, 40, 6)),
    "machines": (models.machines, range(1, 56, 8)),
    "Gaussian machines": (models.gaussians, range(0, 16, 4)),
    "trained machines": (models.trained, range(4)),
}
every_family = pytest.mark.parametrize("family", FAMILIES)
HURRIED = AIS(n_temperatures=100, n_runs=50)


@cache
def members(family):
    make, numbers = FAMILIES[family]
    return [known for i, known in enumerate(islice(make(), max(numbers) + 1)) if i in numbers]


def is_silent(found, log_z):
    """Whether log Z is outside the 99.9 % interval, and nothing is said."""
    low, high = (found.value + WIDENED * (x - found.value) for x in found.interval)
    return not found.doubt and not low - 1e-3 <= log_z <= high + 1e-3


def estimates(family, method):
    for number, known in enumerate(members(family)):
        evaluation = Evaluation(key=fold(stream(0, "evaluation"), number))
        yield known, log_partition(known.model, known.params, method, evaluation=evaluation)


@pytest.mark.needs_jit
@every_family
def test_estimates_are_right_or_doubted(family):
    doubted = 0
    for known, found in estimates(family, "ais"):
        assert not is_silent(found, known.log_z), (known.family, found, known.log_z)
        assert found.value > found.lower_bound - 1e-9
        assert known.log_z > found.lower_bound - 1e-4 * (1 + abs(known.log_z))
        assert found.doubt or abs(found.value - known.log_z) < 0.5
        doubted += bool(found.doubt)
    assert doubted <= len(members(family)) // 3


@pytest.mark.needs_jit
@every_family
def test_hurried_annealing_from_one_law_is_right_or_doubted(family):
    """With the settings that are asked for, from one base; what it misses, the bound sees."""
    silent = [known for known, found in estimates(family, HURRIED) if is_silent(found, known.log_z)]
    assert not silent, silent


@pytest.mark.needs_jit
def test_annealing_from_one_side_of_a_magnet_is_found_out():
    """With all spins up at the start the error is log 2, and neither the error bar nor the way back shows it."""
    known = members("magnets")[4]  # 8 x 8, beta = 0.8
    evaluation = Evaluation(base=np.ones(64))
    found = log_partition(known.model, known.params, AIS(n_temperatures=300), evaluation=evaluation)
    assert abs(found.gap) < 0.8 and "missed modes" in found.doubt and np.isinf(found.standard_error)
    cured = log_partition(known.model, known.params, "ais")
    assert "method='ais'" in found.doubt and not cured.doubt
    assert abs(cured.value - known.log_z) < 0.2
