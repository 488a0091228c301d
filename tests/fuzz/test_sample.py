"""A sample of the generated calls, other ones at every run.

``EBM_FUZZ_SEED`` repeats a sample, and ``EBM_FUZZ_CALLS`` says how large it is; the seed is the date otherwise.
"""

import collections
import datetime
import heapq
import os
import random

import pytest

from tests.fuzz.calls import all_calls
from tests.fuzz.runner import Runner
from tests.fuzz.verdicts import HANDLED, SKIPPED

SEED = int(os.environ.get("EBM_FUZZ_SEED", datetime.date.today().toordinal()))
CALLS = int(os.environ.get("EBM_FUZZ_CALLS", 3000))
PARTS = 8
# The share of the sample that may be mishandled. It is to fall, and never to rise: `make fuzz` tells what to mend.
SHARE = 0.001


@pytest.fixture(scope="module")
def sample():
    chance = random.Random(SEED)
    return heapq.nsmallest(CALLS, all_calls(), key=lambda call: chance.random())


@pytest.fixture(scope="module")
def runner():
    child = Runner()
    yield child
    child.stop()


@pytest.fixture(scope="module")
def faults():
    """Calls of all parts so far that were mishandled."""
    return []


@pytest.mark.parametrize("part", range(PARTS))
def test_calls_are_handled(sample, runner, faults, part):
    outcomes = [runner(call) for call in sample[part::PARTS]]
    faults += [outcome for outcome in outcomes if outcome.verdict not in (*HANDLED, SKIPPED)]
    counts = collections.Counter(outcome.verdict for outcome in faults)
    report = "\n\n".join(f"# {o.verdict}: {o.detail}\n{o.call.body()}" for o in faults)
    assert len(faults) <= SHARE * len(sample), (
        f"EBM_FUZZ_SEED={SEED}: {len(faults)} of {len(sample)} calls are mishandled: {dict(counts)}. Each runs below "
        f"the prelude of tests/fuzz/calls.py:\n{report}"
    )
