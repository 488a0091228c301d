"""Speed of an epoch of back-propagation beside its matrix products, scikit-learn and PyTorch, all in one run.

    python benchmarks/mlp_throughput.py [--quick] [--shape small|large] [--threads 1 2] [--memory]

In single precision, with momentum and with Adam. The floor of an epoch is

    products    the matrix products of every step, by NumPy into results that exist: forwards one a layer, backwards the
                gradient of each layer's weights, and the error of each layer but the data
    traffic     one compiled pass an update over the arrays that the optimiser must read (parameters, gradient, memory)
                and write (parameters, memory), with an addition each and no roots or quotients

and nothing else: no activations, no losses, no rows gathered. What differs between BLAS libraries is measured, too: the
same products by PyTorch's. PyTorch runs eagerly, with the optimiser as it comes and with its fused one. Every figure is
a ratio of medians of times taken in turn (ours, theirs, ours, ...), with one thread and with two: with noisy neighbours
the single-thread figures are the ones to trust.
"""

import argparse
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.neural_network import MLPClassifier as ScikitMLP
from threadpoolctl import threadpool_limits

from ebm import MLPClassifier
from ebm._jit import jit


class Shape(NamedTuple):
    """A network, and how it is fed."""

    hidden: tuple[int, ...]
    batch_size: int
    n_rows: int

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of all layers."""
        return (784, *self.hidden, 10)

    @property
    def n_parameters(self) -> int:
        """Weights and biases."""
        return sum((n + 1) * m for n, m in zip(self.sizes[:-1], self.sizes[1:], strict=True))


SHAPES = {"small": Shape((500, 500), 100, 10_000), "large": Shape((1000, 1000, 1000), 256, 10_240)}
SOLVERS: dict[str, dict[str, Any]] = {
    "momentum": {"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": False},
    "Adam": {"solver": "adam"},
}
RATES = {"momentum": 0.01, "Adam": 0.001}


def numpy_products(shape: Shape, X: np.ndarray) -> Callable[[], None]:
    """The products of an epoch by NumPy."""
    n = shape.batch_size
    pairs = list(zip(shape.sizes[:-1], shape.sizes[1:], strict=True))
    W = [np.full(pair, 0.01, X.dtype) for pair in pairs]
    slopes = [np.empty_like(w) for w in W]
    states = [np.full((n, size), 0.5, X.dtype) for size in shape.sizes]

    def epoch() -> None:
        for start in range(0, len(X) - n + 1, n):
            a = [X[start : start + n], *states[1:]]
            for k, w in enumerate(W):
                np.dot(a[k], w, out=states[k + 1])
            for k in range(len(W) - 1, -1, -1):
                np.dot(a[k].T, states[k + 1], out=slopes[k])
                if k:
                    np.dot(states[k + 1], W[k].T, out=states[k])

    return epoch


def torch_products(torch: Any, shape: Shape, X: np.ndarray) -> Callable[[], None]:
    """The same products by PyTorch's BLAS."""
    n = shape.batch_size
    pairs = list(zip(shape.sizes[:-1], shape.sizes[1:], strict=True))
    data = torch.from_numpy(X)
    W = [torch.full(pair, 0.01) for pair in pairs]
    slopes = [torch.empty(pair) for pair in pairs]
    states = [torch.full((n, size), 0.5) for size in shape.sizes]

    @torch.no_grad()
    def epoch() -> None:
        for start in range(0, len(X) - n + 1, n):
            a = [data[start : start + n], *states[1:]]
            for k, w in enumerate(W):
                torch.mm(a[k], w, out=states[k + 1])
            for k in range(len(W) - 1, -1, -1):
                torch.mm(a[k].T, states[k + 1], out=slopes[k])
                if k:
                    torch.mm(states[k + 1], W[k].T, out=states[k])

    return epoch


@jit
def touch_momentum(theta, gradient, velocity, rate, fraction):
    """Three arrays read, two written."""
    for i in range(len(theta)):
        velocity[i] = fraction * velocity[i] + rate * gradient[i]
        theta[i] += velocity[i]


@jit
def touch_adam(theta, gradient, first, second, rate, fraction):
    """Four arrays read, three written."""
    for i in range(len(theta)):
        first[i] = fraction * first[i] + rate * gradient[i]
        second[i] = fraction * second[i] + rate * gradient[i]
        theta[i] += first[i] + second[i]


def traffic(shape: Shape, solver: str) -> Callable[[], None]:
    """What the updates of an epoch read and write."""
    touch, n_arrays = {"momentum": (touch_momentum, 3), "Adam": (touch_adam, 4)}[solver]
    arrays = np.ones((n_arrays, shape.n_parameters), np.float32)
    rate, fraction = np.float32(1e-4), np.float32(0.9)

    def epoch() -> None:
        for _ in range(shape.n_rows // shape.batch_size):
            touch(*arrays, rate, fraction)

    return epoch


def torch_epoch(
    torch: Any,
    shape: Shape,
    X: np.ndarray,
    y: np.ndarray,
    solver: str,
    activation: str,
    fused: bool,
) -> Callable[[], None]:
    """An epoch in PyTorch, as one would write it."""
    layers: list[Any] = []
    for n, m in zip(shape.sizes[:-2], shape.sizes[1:-1], strict=True):
        layers += [
            torch.nn.Linear(n, m),
            {"relu": torch.nn.ReLU, "logistic": torch.nn.Sigmoid}[activation](),
        ]
    net = torch.nn.Sequential(*layers, torch.nn.Linear(*shape.sizes[-2:]))
    chosen = {"lr": RATES[solver]} | ({"fused": True} if fused else {})
    if solver == "Adam":
        optimizer = torch.optim.Adam(net.parameters(), **chosen)
    else:
        optimizer = torch.optim.SGD(net.parameters(), momentum=0.9, **chosen)
    data, labels = torch.from_numpy(X), torch.from_numpy(y)
    cross_entropy = torch.nn.CrossEntropyLoss()

    def epoch() -> None:
        order = torch.randperm(len(data))
        for start in range(0, len(data), shape.batch_size):
            rows = order[start : start + shape.batch_size]
            optimizer.zero_grad()
            cross_entropy(net(data[rows]), labels[rows]).backward()
            optimizer.step()

    return epoch


def estimator_epoch(
    kind: type, shape: Shape, X: np.ndarray, y: np.ndarray, solver: str, activation: str
) -> Callable[[], object]:
    """An epoch of an estimator: a partial fit to all rows of one that is initialised."""
    mlp = kind(
        shape.hidden,
        activation=activation,
        batch_size=shape.batch_size,
        learning_rate_init=RATES[solver],
        random_state=0,
        **SOLVERS[solver],
    )
    mlp.partial_fit(X[: shape.batch_size], y[: shape.batch_size], classes=np.arange(10))
    assert mlp.coefs_[0].dtype == X.dtype, "single precision was not kept"
    return lambda: mlp.partial_fit(X, y)


def installed_torch() -> Any:
    """PyTorch, or None."""
    try:
        import torch
    except ImportError:
        return None
    return torch


def medians(tasks: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each task, the tasks taken in turn."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for task in tasks.values():
        task()
    for _ in range(repeats):
        for name, task in tasks.items():
            # A BLAS pool that has just worked spins a while, and would slow the next.
            time.sleep(0.1)
            begun = time.perf_counter()
            task()
            times[name].append(time.perf_counter() - begun)
    return {name: float(np.median(x)) for name, x in times.items()}


def tasks_of(
    shape: Shape, X: np.ndarray, y: np.ndarray, solver: str, activation: str
) -> dict[str, Callable[[], object]]:
    """All that is compared."""
    common = (shape, X, y, solver, activation)
    tasks: dict[str, Callable[[], object]] = {
        "products": numpy_products(shape, X),
        "traffic": traffic(shape, solver),
        "ours": estimator_epoch(MLPClassifier, *common),
        "scikit-learn": estimator_epoch(ScikitMLP, *common),
    }
    torch = installed_torch()
    if torch is not None:
        tasks["PyTorch's products"] = torch_products(torch, shape, X)
        tasks["PyTorch"] = torch_epoch(torch, *common, fused=False)
        tasks["PyTorch, fused"] = torch_epoch(torch, *common, fused=True)
    return tasks


def report(t: dict[str, float]) -> None:
    """Seconds, and the ratios that are promised."""
    floor = t["products"] + t["traffic"]
    for name, seconds in t.items():
        print(f"  {name:20s} {seconds:8.3f} s   {seconds / floor:5.2f} x floor")
    print(f"  ours is {t['ours'] / floor:.3f} x the floor of {floor:.3f} s (at most 1.25),")
    print(f"  {t['scikit-learn'] / t['ours']:.2f} x as fast as scikit-learn (at least 1.5)", end="")
    if "PyTorch" in t:
        theirs = t["PyTorch's products"]
        blas = t["products"] - theirs
        print(f",\n  NumPy's products take {t['products'] / theirs:.3f} x PyTorch's")
        for name in ("PyTorch", "PyTorch, fused"):
            beyond = (t["ours"] - blas) / t[name]
            print(
                f"  {t['ours'] / t[name]:.3f} x {name}; {beyond:.3f} x without the difference in BLAS"
            )
    print(flush=True)


def speed(
    name: str, X: np.ndarray, y: np.ndarray, activation: str, threads: int, repeats: int
) -> None:
    """One network with both optimisers."""
    shape = SHAPES[name]
    X, y = X[: shape.n_rows], y[: shape.n_rows]
    torch = installed_torch()
    for solver in SOLVERS:
        with threadpool_limits(threads):
            if torch is not None:
                torch.set_num_threads(threads)
            t = medians(tasks_of(shape, X, y, solver, activation), repeats)
        sizes = "-".join(map(str, shape.sizes))
        print(
            f"\n{sizes}, batch {shape.batch_size}, {activation}, {solver}, {len(X)} rows, {threads} thread(s)"
        )
        report(t)


def peak(task: Callable[[], object]) -> float:
    """Largest number of bytes that were allocated at once."""
    tracemalloc.start()
    task()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return float(most)


def memory(X: np.ndarray, y: np.ndarray) -> None:
    """Bytes beyond the data: of a fit beside what Adam must hold, of a prediction beside one layer of all rows."""
    shape = SHAPES["small"]
    one_array = 4 * shape.n_parameters
    batch = 4 * shape.batch_size * (sum(shape.sizes) + sum(shape.sizes[1:]))
    print(
        f"\nmemory, {'-'.join(map(str, shape.sizes))}, {len(X)} rows ({X.nbytes / 1e6:.0f} MB), Adam, in MB:"
    )
    print(f"  parameters, gradient and two moments {4 * one_array / 1e6:.1f}")
    print(f"  activations and errors of one batch {batch / 1e6:.2f}")
    print(f"  largest hidden layer of all rows {4 * len(X) * max(shape.hidden) / 1e6:.0f}")
    for name, kind in {"ours": MLPClassifier, "scikit-learn": ScikitMLP}.items():
        mlp = kind(shape.hidden, batch_size=shape.batch_size, max_iter=1, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one iteration is too few, and is meant
            mlp.fit(X[:500], y[:500]).predict(X[:500])
            figures = peak(lambda mlp=mlp: mlp.fit(X, y)), peak(lambda mlp=mlp: mlp.predict(X))
        print(
            f"  {name:12s} fit {figures[0] / 1e6:7.1f}, {figures[0] / one_array:.2f} x the parameters;",
            end="",
        )
        print(f" predict {figures[1] / 1e6:7.1f}")
    sys.stdout.flush()


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three repeats and ReLU alone")
    parser.add_argument("--shape", choices=SHAPES, nargs="+", default=list(SHAPES))
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--memory", action="store_true", help="the memory alone")
    chosen = parser.parse_args()
    rng = np.random.RandomState(0)
    X = (rng.rand(20_000, 784) < 0.2).astype(np.float32)
    y = rng.randint(10, size=len(X))
    if not chosen.memory:
        for activation in ("relu",) if chosen.quick else ("relu", "logistic"):
            for name in chosen.shape:
                for threads in chosen.threads:
                    speed(name, X, y, activation, threads, 3 if chosen.quick else 7)
    memory(X, y)


if __name__ == "__main__":
    main()
