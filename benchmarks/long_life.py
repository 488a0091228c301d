"""Models that live long: whether their 50 000th call takes the time and the memory of the first ones.

    python benchmarks/long_life.py [--calls 50000] [--readings 10000] [--only NAME ...]

Every estimator makes `--calls` updates by `partial_fit`, on small batches, and then `--readings`. Associative memories
keep what they are given. So `HopfieldNetwork` stores a pattern and forgets it again; the others, which cannot forget,
store one pattern more at each call and after ten of them begin anew. A row of the table holds

- the median time of the first thousand calls of a new model and of the last thousand of the old one, taken in turn;
- the growth of the memory of the process, between the first hundred calls and the last thousand;
- the growth of what Python has allocated, over a thousand calls.

One thread. Each epoch leaves numbers in `history_`: of a network, whose `partial_fit` is an epoch, 200 bytes a call.
"""

import argparse
import gc
import itertools
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from ebm import (
    DBM,
    DBN,
    RBM,
    Autoencoder,
    BernoulliRBM,
    BoltzmannMachine,
    DBMClassifier,
    DBNClassifier,
    DenseAssociativeClassifier,
    DenseAssociativeMemory,
    GaussianRBM,
    HopfieldNetwork,
    MLPClassifier,
    MLPRegressor,
    ModernHopfieldNetwork,
    MultimodalDBM,
    NCAEmbedding,
)

N_ROWS, N_FEATURES, N_BATCHES = 10, 16, 7
WARM_UP, SOME = 100, 1000
# Models of real-valued columns.
REAL = (GaussianRBM, MLPClassifier, MLPRegressor, Autoencoder, NCAEmbedding)
Call = Callable[[], object]


def batches(*, real: bool = False) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows with classes, the same few batches over and over."""
    rng = np.random.default_rng(0)
    y = np.arange(N_ROWS) % 2
    some = []
    for _ in range(N_BATCHES):
        X = rng.normal(size=(N_ROWS, N_FEATURES)) + y[:, np.newaxis]
        some.append((X if real else (X > 0.5).astype(float), y))
    return itertools.cycle(some)


def without_classes(model: object, *, real: bool = False) -> Call:
    """One update on the next batch."""
    stream = batches(real=real)
    return lambda: model.partial_fit(next(stream)[0])


def with_classes(model: object, *, real: bool = False) -> Call:
    """One update on the next batch and its classes, which the first call announces."""
    stream = batches(real=real)
    model.partial_fit(*next(stream), classes=[0, 1])
    return lambda: model.partial_fit(*next(stream))


def with_targets(model: object) -> Call:
    """One epoch on the next batch."""
    stream = batches(real=True)
    return lambda: model.partial_fit(*next(stream))


def stored_and_forgotten(model: HopfieldNetwork) -> Call:
    """A pattern more and a pattern less."""
    patterns = np.unique(np.random.default_rng(0).integers(0, 2, (99, N_FEATURES)), axis=0)
    model.fit(patterns[:2])
    stream = itertools.cycle(patterns[2:, np.newaxis])

    def call() -> None:
        pattern = next(stream)
        model.partial_fit(pattern).forget(pattern)

    return call


def stored_anew(model: object) -> Call:
    """A pattern more; after ten of them, two alone."""
    patterns = np.unique(np.random.default_rng(0).integers(0, 2, (99, N_FEATURES)), axis=0)
    count = itertools.cycle(range(2, 12))

    def call() -> None:
        k = next(count)
        if k == 2:
            model.fit(patterns[:2].astype(float))
        model.partial_fit(patterns[k : k + 1].astype(float))

    return call


def lives() -> dict[str, Callable[[], tuple[object, Call]]]:
    """Makers of every estimator and of its update; names are those of the classes."""
    few = {"random_state": 0}
    # Small steps: what is measured is the call, and a stream of 50 000 must not diverge.
    slow = {"learning_rate": 1e-3, **few}
    network = {"hidden_layer_sizes": (8,), "learning_rate_init": 1e-3, **few}
    real = partial(without_classes, real=True)
    slower = {**slow, "learning_rate": 1e-4}
    made = [
        (partial(BernoulliRBM, 8, **slow), without_classes),
        (partial(GaussianRBM, 8, **slow), real),
        (partial(RBM, 8, hidden="gaussian", **slower), without_classes),
        (partial(BoltzmannMachine, 4, **slow), without_classes),
        (partial(DBN, (8, 4), **few), without_classes),
        (partial(DBNClassifier, (8, 4), **few), with_classes),
        (partial(DenseAssociativeClassifier, 8, **few), with_classes),
        (partial(MLPClassifier, **network), partial(with_classes, real=True)),
        (partial(MLPRegressor, **network), with_targets),
        (partial(Autoencoder, **{**network, "hidden_layer_sizes": (8, 2)}), real),
        (partial(DBM, (8, 4), **few), without_classes),
        (
            partial(MultimodalDBM, [("a", [4], slice(0, 4)), ("b", [4], slice(4, None))], 4, **few),
            without_classes,
        ),
        (partial(DBMClassifier, (8, 4), **few), with_classes),
        (partial(NCAEmbedding, **{**network, "hidden_layer_sizes": (8, 2)}), with_targets),
        (partial(HopfieldNetwork, **few), stored_and_forgotten),
        (partial(DenseAssociativeMemory, **few), stored_anew),
        (partial(ModernHopfieldNetwork, 20.0), stored_anew),
    ]

    def born(make: Callable[[], object], begin: Callable[[object], Call]) -> tuple[object, Call]:
        model = make()
        return model, begin(model)

    return {make.func.__name__: partial(born, make, begin) for make, begin in made}


def readings(model: object) -> dict[str, Call]:
    """The methods that read a model again and again."""
    X = next(batches(real=isinstance(model, REAL)))[0]
    calls: dict[str, Call] = {}
    if hasattr(model, "sample"):
        calls["sample"] = lambda: model.sample(2, n_steps=2)
    for name in ("transform", "predict"):
        if hasattr(model, name):
            calls[name] = lambda name=name: getattr(model, name)(X)
            break
    return calls


def resident() -> float:
    """Memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def timed(*calls: Call, count: int = SOME) -> list[float]:
    """Medians in microseconds of so many calls of each, taken in turn."""
    times = np.empty((count, len(calls)))
    for i, k in np.ndindex(times.shape):
        start = time.perf_counter()
        calls[k]()
        times[i, k] = time.perf_counter() - start
    return list(1e6 * np.median(times, axis=0))


def repeat(call: Call, count: int) -> None:
    """Call so often."""
    for _ in range(count):
        call()
    gc.collect()


def allocated(call: Call) -> float:
    """Growth in MB of what Python has allocated, over `SOME` calls."""
    tracemalloc.start()
    repeat(call, WARM_UP)
    before = tracemalloc.get_traced_memory()[0]
    repeat(call, SOME)
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return (after - before) / 1e6


def life(name: str, old: Call, new: Call, n_calls: int) -> None:
    """Print a row of the table."""
    repeat(old, WARM_UP)
    before = resident()
    repeat(old, n_calls - SOME - WARM_UP)
    grown = resident() - before
    repeat(new, WARM_UP)
    first, last = timed(new, old)
    print(
        f"{name:40} {first:7.0f} us {last:7.0f} us  ratio {last / first:5.2f}   "
        f"process {grown:+7.2f} MB   Python {allocated(old):+7.3f} MB",
        flush=True,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=50_000)
    parser.add_argument("--readings", type=int, default=10_000)
    parser.add_argument("--only", nargs="+", default=[])
    choice = parser.parse_args()
    warnings.simplefilter("ignore")
    with threadpool_limits(1):
        for name, born in lives().items():
            if choice.only and name not in choice.only:
                continue
            (model, old), (young, new) = born(), born()
            life(f"{name}.partial_fit", old, new, choice.calls)
            for reading, old in readings(model).items():
                life(f"{name}.{reading}", old, readings(young)[reading], choice.readings)


if __name__ == "__main__":
    main()
