"""Whether estimates of log Z are right within their interval, or doubted: 203 models of which log Z is known.

    python benchmarks/log_partition_reliability.py [--every 10] [--method ais] [--seed 0]

The models and their sums are those of tests/models/log_z.py. Silent: log Z is outside the 99.9 % interval and there is
no doubt. False alarm: there is a doubt, and the value is right within 3.3 standard errors and 0.25 nats.
"""

import argparse
import sys
import time
import warnings
from itertools import chain
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from ebm import AIS
from ebm._random import fold, stream
from ebm.likelihood import Evaluation, log_partition
from ebm.likelihood.base import WIDENED
from tests.models import log_z

METHODS = {"ais": "ais", "hurried": AIS(n_temperatures=100, n_runs=50), "AIS": AIS()}


def judge(known: log_z.Known, method: object, seed: int, number: int) -> list[float]:
    """Error, silent, doubted, false alarm, seconds."""
    evaluation = Evaluation(key=fold(stream(seed, "evaluation"), number))
    begun = time.perf_counter()
    z = log_partition(known.model, known.params, method, evaluation=evaluation)
    seconds = time.perf_counter() - begun
    low, high = (z.value + WIDENED * (x - z.value) for x in z.interval)
    error = abs(z.value - known.log_z)
    silent = not z.doubt and not low - 1e-3 <= known.log_z <= high + 1e-3
    false = bool(z.doubt) and error < min(3.3 * z.standard_error, 0.25)
    return [error, silent, bool(z.doubt), false, seconds]


def main() -> None:
    """Print one row per family."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--method", default="ais", choices=METHODS)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    found: dict[str, list[list[float]]] = {}
    for number, known in enumerate(log_z.everything()):
        if number % args.every == 0:
            row = judge(known, METHODS[args.method], args.seed, number)
            found.setdefault(known.family, []).append(row)
    print("family | models | median error | largest | silent | doubted | false alarms | seconds")
    found["all"] = list(chain.from_iterable(found.values()))
    for family, rows in found.items():
        error, silent, doubted, false, seconds = np.array(rows, float).T
        counts = " | ".join(str(int(x.sum())) for x in (silent, doubted, false))
        sizes = f"{np.median(error):.3f} | {error.max():.2f}"
        print(f"{family} | {len(rows)} | {sizes} | {counts} | {seconds.mean():.2f}", flush=True)


if __name__ == "__main__":
    main()
