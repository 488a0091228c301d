"""Speed of an epoch of a deep autoencoder beside its matrix products, on dense rows and on sparse words.

    python benchmarks/autoencoder_throughput.py [--rows N] [--repeats N]

In single precision, with Adam and one thread: 784-1000-500-250-30 and its mirror image at batch 100. The floor of an
epoch is that of ``benchmarks/mlp_throughput.py``: the products of every step by NumPy into results that exist, and one
pass an update over what the optimiser reads and writes. The sparse rows have 2000 columns and one entry in a hundred,
through 500-250-30, whose first layer multiplies the non-zeros only: its two products in the floor are of CSR rows.
All columns are reconstructed, so that the last layer is dense. Where PyTorch is installed, it takes the same epoch, as
one would write it: eagerly, with its Adam as it is by default, and with the fused one. Its sparse rows are made dense
batch by batch. Every figure is a median of times taken in turn.
"""

import argparse
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from mlp_throughput import installed_torch, medians, numpy_products, torch_products, traffic
from scipy import sparse
from threadpoolctl import threadpool_limits

from ebm import Autoencoder


class Mirrored(NamedTuple):
    """An encoder with its mirror image, and how it is fed."""

    encoder: tuple[int, ...]
    n_in: int
    batch_size: int
    n_rows: int

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of all layers."""
        return (self.n_in, *self.encoder, *self.encoder[-2::-1], self.n_in)

    @property
    def n_parameters(self) -> int:
        """Weights and biases."""
        return sum((n + 1) * m for n, m in zip(self.sizes[:-1], self.sizes[1:], strict=True))


class Chain(NamedTuple):
    """Layers whose products are taken, and the rows of a batch."""

    sizes: tuple[int, ...]
    batch_size: int


def epoch_of(shape: Mirrored, X: Any) -> Callable[[], object]:
    """An epoch: a partial fit of a network that is laid out."""
    coder = Autoencoder(shape.encoder, batch_size=shape.batch_size, init="glorot", random_state=0)
    coder.partial_fit(X[: shape.batch_size])
    assert coder.coefs_[0].dtype == np.float32, "single precision was not kept"
    return lambda: coder.partial_fit(X)


def torch_epoch(torch: Any, shape: Mirrored, X: Any, fused: bool) -> Callable[[], None]:
    """The same epoch in PyTorch, in a random order of the rows."""
    layers: list[Any] = []
    for k, (n, m) in enumerate(zip(shape.sizes[:-1], shape.sizes[1:], strict=True)):
        linear = k in (len(shape.encoder) - 1, len(shape.sizes) - 2)
        layers += [torch.nn.Linear(n, m), *([] if linear else [torch.nn.ReLU()])]
    net = torch.nn.Sequential(*layers)
    optimizer = torch.optim.Adam(net.parameters(), **({"fused": True} if fused else {}))
    loss = torch.nn.BCEWithLogitsLoss(reduction="sum")
    data = None if sparse.issparse(X) else torch.from_numpy(X)

    def epoch() -> None:
        order = torch.randperm(X.shape[0])
        for start in range(0, X.shape[0], shape.batch_size):
            rows = order[start : start + shape.batch_size]
            batch = torch.from_numpy(X[rows.numpy()].toarray()) if data is None else data[rows]
            optimizer.zero_grad()
            (loss(net(batch), batch) / len(rows)).backward()
            optimizer.step()

    return epoch


def torch_tasks(shape: Mirrored, X: Any) -> dict[str, Callable[[], object]]:
    """Epochs in PyTorch, if it is installed."""
    torch = installed_torch()
    if torch is None:
        return {}
    torch.set_num_threads(1)
    names = {"PyTorch": False, "PyTorch, fused Adam": True}
    found: dict[str, Callable[[], object]]
    found = {name: torch_epoch(torch, shape, X, fused) for name, fused in names.items()}
    if not sparse.issparse(X):
        found["PyTorch's products"] = torch_products(torch, shape, X)
    return found


def say_torch(t: dict[str, float]) -> None:
    """Times of PyTorch over ours."""
    for name, seconds in t.items():
        if name == "PyTorch's products":
            print(f"  {name}: {seconds:.3f} s, those of NumPy {t['products']:.3f} s")
        elif name.startswith("PyTorch"):
            print(f"  {name}: {seconds:.3f} s, {seconds / t['epoch']:.2f} times as long")


def sparse_products(shape: Mirrored, X: Any) -> Callable[[], None]:
    """The products of the first layer with CSR rows, forwards and for the gradient of its weights."""
    n, m = shape.batch_size, shape.encoder[0]
    W, delta = np.full((shape.n_in, m), 0.01, np.float32), np.full((n, m), 0.5, np.float32)

    def epoch() -> None:
        for start in range(0, X.shape[0] - n + 1, n):
            batch = X[start : start + n]
            batch @ W
            batch.T @ delta

    return epoch


def dense_report(n_rows: int, repeats: int) -> None:
    """The deep network."""
    shape = Mirrored((1000, 500, 250, 30), 784, 100, n_rows)
    X = (np.random.RandomState(0).rand(n_rows, 784) < 0.2).astype(np.float32)
    tasks = {
        "products": numpy_products(shape, X),
        "traffic": traffic(shape, "Adam"),
        "epoch": epoch_of(shape, X),
        **torch_tasks(shape, X),
    }
    t = medians(tasks, repeats)
    floor = t["products"] + t["traffic"]
    print(f"{'-'.join(map(str, shape.sizes))}, {n_rows} rows")
    print(f"  epoch {t['epoch']:.3f} s, {t['epoch'] / floor:.2f} x the floor of {floor:.3f} s")
    say_torch(t)


def sparse_report(n_rows: int, repeats: int) -> None:
    """Words of documents: all layers but the first are dense."""
    shape = Mirrored((500, 250, 30), 2000, 100, n_rows)
    X = sparse.random_array(
        (n_rows, 2000), density=0.01, format="csr", dtype=np.float32, rng=np.random.default_rng(0)
    )
    X.data[:] = 1
    # One column in the place of 2000 costs nothing, and the errors of the first hidden layer are among the products.
    others = Chain((1, *shape.sizes[1:]), shape.batch_size)
    tasks = {
        "first layer": sparse_products(shape, X),
        "other layers": numpy_products(others, np.ones((n_rows, 1), np.float32)),
        "traffic": traffic(shape, "Adam"),
        "epoch": epoch_of(shape, X),
        "epoch, dense": epoch_of(shape, X.toarray()),
        **torch_tasks(shape, X),
    }
    t = medians(tasks, repeats)
    floor = t["first layer"] + t["other layers"] + t["traffic"]
    print(f"{'-'.join(map(str, shape.sizes))}, {n_rows} sparse rows")
    print(
        f"  epoch {t['epoch']:.3f} s, {t['epoch'] / floor:.2f} x the floor of {floor:.3f} s, ",
        end="",
    )
    print(
        f"of which {t['first layer']:.3f} s are the first layer's; dense {t['epoch, dense']:.3f} s"
    )
    say_torch(t)


def main() -> None:
    """Print both reports."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    with threadpool_limits(1):
        dense_report(asked.rows, asked.repeats)
        sparse_report(asked.rows, asked.repeats)


if __name__ == "__main__":
    main()
