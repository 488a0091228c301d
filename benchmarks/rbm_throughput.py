"""Speed of training and of the first use, beside the peers and the floor, all in one run.

    python benchmarks/rbm_throughput.py [--quick]

The floor is the five matrix products of a CD-1 step through NumPy alone. Every figure is a ratio of medians of times
taken in turn (ours, theirs, ours, ...), with all BLAS threads and with one: on a machine with noisy neighbours the
single-thread figures are the ones to trust. PyTorch is measured where it is installed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import BernoulliRBM as ScikitRBM
from threadpoolctl import threadpool_limits

from ebm import SGD, BernoulliRBM, ContrastiveDivergence, PersistentContrastiveDivergence

SHAPES = {"large": (784, 500, 100), "digits": (64, 100, 10)}


def floor_epoch(X: np.ndarray, n_hidden: int, batch_size: int) -> None:
    """The five products of every step, with preallocated results and nothing else."""
    n_visible = X.shape[1]
    W = np.full((n_visible, n_hidden), 0.01, X.dtype)
    h = np.full((batch_size, n_hidden), 0.5, X.dtype)
    v = np.full((batch_size, n_visible), 0.5, X.dtype)
    positive, negative = np.empty_like(W), np.empty_like(W)
    for start in range(0, len(X) - batch_size + 1, batch_size):
        batch = X[start : start + batch_size]
        np.dot(batch, W, out=h)
        np.dot(h, W.T, out=v)
        np.dot(v, W, out=h)
        np.dot(batch.T, h, out=positive)
        np.dot(v.T, h, out=negative)


def torch_epoch(X: np.ndarray, n_hidden: int, batch_size: int) -> Callable[[], None] | None:
    """CD-1 in PyTorch, eager mode, as one would write it; None where PyTorch is missing."""
    try:
        import torch
    except ImportError:
        return None
    data = torch.from_numpy(X)
    W = torch.randn(X.shape[1], n_hidden, dtype=data.dtype) * 0.01
    b, c = torch.zeros(X.shape[1], dtype=data.dtype), torch.zeros(n_hidden, dtype=data.dtype)

    @torch.no_grad()
    def epoch() -> None:
        order = torch.randperm(len(data))
        for start in range(0, len(data), batch_size):
            v = data[order[start : start + batch_size]]
            h = torch.sigmoid(torch.addmm(c, v, W))
            v_model = torch.bernoulli(torch.sigmoid(torch.addmm(b, torch.bernoulli(h), W.T)))
            h_model = torch.sigmoid(torch.addmm(c, v_model, W))
            rate = 0.05 / len(v)
            W.addmm_(v.T, h, alpha=rate).addmm_(v_model.T, h_model, alpha=-rate)
            b.add_((v - v_model).sum(0), alpha=rate)
            c.add_((h - h_model).sum(0), alpha=rate)

    return epoch


def medians(tasks: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each task, the tasks taken in turn."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for task in tasks.values():
        task()
    for _ in range(repeats):
        for name, task in tasks.items():
            time.sleep(
                0.1
            )  # a BLAS pool that has just worked spins a while, and would slow the next
            begun = time.perf_counter()
            task()
            times[name].append(time.perf_counter() - begun)
    return {name: float(np.median(x)) for name, x in times.items()}


def set_threads(threads: int | None) -> None:
    """PyTorch keeps its own count."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads or os.cpu_count() or 1)


def training(shape: str, dtype: type, X: np.ndarray, n_iter: int, repeats: int) -> None:
    """One table: CD-1 and PCD-1, ours and theirs."""
    _, n_hidden, batch_size = SHAPES[shape]
    X = np.ascontiguousarray(X, dtype)
    common = {"n_components": n_hidden, "learning_rate": 0.05, "batch_size": batch_size}
    common |= {"n_iter": n_iter, "random_state": 0}

    def ours(gradient: object, optimizer: object = SGD()) -> Callable[[], object]:
        return lambda: BernoulliRBM(gradient=gradient, optimizer=optimizer, **common).fit(X)

    def floor() -> None:
        for _ in range(n_iter):
            floor_epoch(X, n_hidden, batch_size)

    tasks: dict[str, Callable[[], object]] = {
        "floor": floor,
        "ours CD-1": ours(ContrastiveDivergence()),
        "ours PCD-1": ours(PersistentContrastiveDivergence()),
        "ours CD-1, momentum": ours(ContrastiveDivergence(), "momentum"),
        "scikit-learn PCD-1": lambda: ScikitRBM(**common).fit(X),
    }
    torch = torch_epoch(X, n_hidden, batch_size)
    if torch is not None:
        tasks["PyTorch CD-1"] = lambda: [torch() for _ in range(n_iter)]
    for threads in (None, 1):
        set_threads(threads)
        with threadpool_limits(threads):
            t = medians(tasks, repeats)
        name = f"{shape} {'-'.join(map(str, SHAPES[shape]))} {np.dtype(dtype).name}"
        print(f"\n{name}, {len(X)} rows, {n_iter} epochs, {threads or 'all'} thread(s)")
        for task, seconds in t.items():
            ratios = f"{seconds / t['floor']:6.2f} x floor"
            if task != "floor":
                ratios += f"   ours CD-1 is {seconds / t['ours CD-1']:5.2f} x as fast"
            print(f"  {task:22s} {seconds:8.3f} s {ratios}")


def memory() -> None:
    """Bytes allocated by a fit beyond X, against those of the parameters."""
    X = (np.random.RandomState(0).rand(20_000, 784) < 0.2).astype(np.float32)
    rbm = BernoulliRBM(500, batch_size=100, n_iter=1, optimizer="momentum", random_state=0)
    rbm.fit(X[:200])
    tracemalloc.start()
    rbm.fit(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    parameters = 4 * (784 * 500 + 784 + 500)
    print(f"\nmemory of a fit with momentum, 784-500, 20 000 rows: peak {peak / 1e6:.1f} MB,")
    print(
        f"  {peak / parameters:.2f} x the parameters ({parameters / 1e6:.1f} MB); X has {X.nbytes / 1e6:.0f} MB"
    )


def enumeration() -> None:
    """Exact log Z of 784-20."""
    X = (np.random.RandomState(0).rand(200, 784) < 0.2).astype(float)
    rbm = BernoulliRBM(20, n_iter=1, random_state=0).fit(X)
    seconds = medians({"log Z": rbm.log_partition}, 3)["log Z"]
    print(f"\nexact log Z of 784-20: {seconds:.2f} s on one thread")


FIRST_USE = """
import time; t = time.perf_counter(); import ebm; a = time.perf_counter() - t
from sklearn.datasets import load_digits
from sklearn.neural_network import BernoulliRBM as S
X = load_digits(return_X_y=True)[0] / 16
t = time.perf_counter(); S(100).fit(X); s = time.perf_counter() - t
t = time.perf_counter(); from ebm import BernoulliRBM; BernoulliRBM(100).fit(X)
b = time.perf_counter() - t
print(a, b, s)
"""


def first_use() -> None:
    """Import, first fit with a cold compilation cache, and with a warm one, each in a fresh process."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
        for state in ("cold", "warm", "warm", "warm"):
            out = subprocess.run(
                [sys.executable, "-c", FIRST_USE],
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            ).stdout.split()
            a, b, s = map(float, out)
            print(
                f"{state} cache: import ebm {a:.3f} s, first fit on digits {b:.2f} s (scikit-learn's {s:.2f} s)"
            )


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rows and repeats")
    quick = parser.parse_args().quick
    rows, repeats = (2_000, 3) if quick else (10_000, 7)
    X = (np.random.RandomState(0).rand(rows, 784) < 0.2).astype(np.float32)
    training("large", np.float32, X, 1, repeats)
    digits = load_digits(return_X_y=True)[0] / 16
    for dtype in (np.float64, np.float32):
        training("digits", dtype, digits, 10, 2 * repeats)
    memory()
    enumeration()
    print()
    first_use()


if __name__ == "__main__":
    main()
