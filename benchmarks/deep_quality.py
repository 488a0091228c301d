"""How well stacks of restricted Boltzmann machines learn, and what a classifier gains that starts from them.

    python benchmarks/deep_quality.py [full] [few] [curve] [joint] [bound] [variations]

full        all labels of MNIST: pre-trained stacks, fine-tuned by back-propagation
few         1 000 and 100 labels, pre-training on the 60 000 rows without them, five draws of the labels
curve       the same for 10 to 10 000 labels
joint       the joint density of images and labels
bound       the lower bound on the log-likelihood of binarised MNIST, beside one RBM of the same budget
variations  rectangles and digits on a noisy background (see variations.py), with pre-training and without

Seeds are fixed. MNIST comes through scikit-learn's ``fetch_openml`` (``SCIKIT_LEARN_DATA`` names its cache); binarised
MNIST, of the fixed bits that the literature shares, is looked for in the folder that ``EBM_DATA`` names, or in
``../shared/data``. Settings were chosen on training rows held out from the labels, and the test rows
are for the last figure only. Times are of the whole process; ``OPENBLAS_NUM_THREADS`` says how many threads took them.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.datasets import fetch_openml
from sklearn.frozen import FrozenEstimator
from variations import noisy_digits, rectangles

from ebm import (
    AIS,
    DBN,
    BernoulliRBM,
    ContrastiveDivergence,
    DBNClassifier,
    FineTuning,
    GaussianRBM,
    Linear,
    MLPClassifier,
    PersistentContrastiveDivergence,
    Regularization,
    UpDown,
)

ROOT = Path(__file__).resolve().parents[1]


def show(title: str, rows: list[tuple[object, ...]]) -> None:
    """A table of results."""
    print(f"\n{title}")
    for row in rows:
        print("  " + "".join(str(x).ljust(52 if i == 0 else 18) for i, x in enumerate(row)))
    sys.stdout.flush()


class Digits(NamedTuple):
    """MNIST, grey values between 0 and 1: 60 000 training and 10 000 test rows."""

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


def mnist() -> Digits:
    """As scikit-learn fetches it."""
    images, labels = fetch_openml("mnist_784", version=1, as_frame=False, return_X_y=True)
    X, y = (images / 255).astype(np.float32), labels.astype(np.int64)
    return Digits(X[:60_000], y[:60_000], X[60_000:], y[60_000:])


def rbm(n_components: int, n_iter: int = 20, rate: float = 0.1, **chosen: Any) -> BernoulliRBM:
    """One layer of a stack."""
    settings: dict[str, Any] = {
        "gradient": PersistentContrastiveDivergence(n_chains=100),
        "schedule": Linear(),
        "batch_size": 100,
    }
    return BernoulliRBM(
        n_components, learning_rate=rate, n_iter=n_iter, random_state=0, **(settings | chosen)
    )


def network(
    stack: DBN | None, hidden: tuple[int, ...] | str = "auto", **chosen: Any
) -> MLPClassifier:
    """A network of logistic units from the fitted stack, or from a random start."""
    settings = {"max_iter": 200, "n_iter_no_change": np.inf, "random_state": 0}
    if stack is None:
        return MLPClassifier(hidden, **({"activation": "logistic"} | settings | chosen))
    return MLPClassifier(pretraining=FrozenEstimator(stack), **(settings | chosen))


def error(model: Any, X: np.ndarray, y: np.ndarray) -> float:
    """Wrong predictions in percent."""
    return 100 * (1 - float(model.score(X, y)))


# --- all labels ---------------------------------------------------------------------------------

FULL = {"784-500-500-2000": ((500, 15), (500, 15), (2000, 10))}  # units and epochs of each layer
FINE_TUNING: dict[str, Any] = {
    "solver": "adam",
    "learning_rate": "linear",
    "learning_rate_init": 1e-3,
    "dropout": (0.2, 0.4, 0.4, 0.4),
    "batch_size": 100,
    "alpha": 0.0,
    "max_iter": 50,
}


def full() -> None:
    """Hinton & Salakhutdinov (2006) and the tutorial of 2010: pre-train greedily, fine-tune with all labels."""
    data = mnist()
    rows: list[tuple[object, ...]] = [
        ("all 60 000 labels", "test error", "minutes before", "minutes in all")
    ]
    for name, hidden in FULL.items():
        begun = time.perf_counter()
        cd = ContrastiveDivergence()
        stack = DBN([rbm(n, n_iter, gradient=cd) for n, n_iter in hidden]).fit(data.X)
        before = time.perf_counter() - begun
        mlp = network(stack, **FINE_TUNING).fit(data.X, data.y)
        took = time.perf_counter() - begun
        wrong = f"{error(mlp, data.X_test, data.y_test):.2f} %"
        rows.append((name, wrong, f"{before / 60:.0f}", f"{took / 60:.0f}"))
        print(rows[-1], flush=True)
    rows.append(("published", "1.2 - 1.34 %", "", ""))
    show("MNIST, pre-trained and fine-tuned", rows)


# --- few labels ---------------------------------------------------------------------------------

N_CHOOSING = 10_000  # the last training rows, whose labels settings were chosen by
# Accuracy on the test rows: pre-trained, random start (a machine with 1024 hidden units).
PUBLISHED = {1_000: (93.65, 88.71), 100: (81.70, 76.02)}
# Sparse features are worth more than anything else: without the penalty the frozen features of CD-1 serve a linear
# classifier three points worse on 1 000 labels. Persistent chains come to the same as CD-1 here.
SPARSE = Regularization(sparsity_target=0.05, sparsity_cost=10.0)
LAYER = rbm(1024, gradient=ContrastiveDivergence(), regularization=SPARSE)
# Plain momentum: adaptive solvers move every weight by about as much, whatever its gradient, and what was learned
# without labels is lost (two points).
DESCENT: dict[str, Any] = {
    "solver": "sgd",
    "nesterovs_momentum": False,
    "learning_rate": "linear",
    "alpha": 0.0,
}
STEPS: dict[int, dict[str, Any]] = {
    1_000: DESCENT
    | {"learning_rate_init": 0.3, "batch_size": 50, "max_iter": 100, "dropout": (0.3, 0.5)},
    100: DESCENT
    | {"learning_rate_init": 0.1, "batch_size": 100, "max_iter": 300, "dropout": (0.4, 0.7)},
}
# From a random start the same network, and the one that does best, with ReLU; steps chosen by the same rows.
AT_RANDOM: dict[str, dict[int, dict[str, Any]]] = {
    "random, the same": {
        1_000: STEPS[1_000],
        100: DESCENT
        | {"learning_rate_init": 0.1, "batch_size": 10, "max_iter": 100, "dropout": (0.2, 0.5)},
    },
    "random, ReLU": {
        n: {
            "activation": "relu",
            "solver": "adam",
            "learning_rate": "linear",
            "alpha": 0.0,
            "batch_size": batch_size,
            "max_iter": 50,
            "dropout": (0.2, 0.5),
        }
        for n, batch_size in ((1_000, 50), (100, 10))
    },
}


def draws(y: np.ndarray, n_labels: int, n_draws: int = 5) -> list[np.ndarray]:
    """Rows whose labels are known, the same number of each class; none of the rows that settings were chosen by."""
    drawn = []
    for seed in range(n_draws):
        rng = np.random.default_rng(seed)
        each = [np.flatnonzero(y[:-N_CHOOSING] == c) for c in range(10)]
        drawn.append(np.concatenate([rng.choice(x, n_labels // 10, replace=False) for x in each]))
    return drawn


def accuracies(mlp: MLPClassifier, data: Digits, n_labels: int) -> np.ndarray:
    """In percent, of each draw of labels (rows): on the test rows, and on those that settings were chosen by."""
    found = []
    for seed, known in enumerate(draws(data.y, n_labels)):
        fitted = clone(mlp).set_params(random_state=seed).fit(data.X[known], data.y[known])
        choosing = data.X[-N_CHOOSING:], data.y[-N_CHOOSING:]
        found.append([100 - error(fitted, *part) for part in (data[2:], choosing)])
    return np.array(found)


def starts(stack: DBN, n_labels: int) -> dict[str, MLPClassifier]:
    """The network from random starts and from the `stack`; steps are those chosen for 100 or for 1 000 labels."""
    chosen = 100 if n_labels <= 300 else 1_000
    sizes = tuple(layer.n_components for layer in stack.rbms_)
    found = {x: network(None, sizes, **steps[chosen]) for x, steps in AT_RANDOM.items()}
    found["pre-trained"] = network(stack, **STEPS[chosen])
    return {x: y.set_params(batch_size=min(y.batch_size, n_labels)) for x, y in found.items()}


def summary(found: np.ndarray) -> tuple[str, ...]:
    """Mean and standard deviation on the test rows, mean on the others."""
    return tuple(f"{x:.2f}" for x in (found[:, 0].mean(), found[:, 0].std(), found[:, 1].mean()))


def few() -> None:
    """Few labels: the network from a machine that saw all rows, and from a random start.

    Every class has as many labels. The pre-training is fitted once, since all draws of labels have the same rows.
    """
    data = mnist()
    begun = time.perf_counter()
    stack = DBN([LAYER]).fit(data.X)
    rows: list[tuple[object, ...]] = [
        ("5 draws of labels", "test accuracy", "std of draws", "chosen by", "published"),
        ("minutes to pre-train", f"{(time.perf_counter() - begun) / 60:.1f}"),
    ]
    for n_labels, (published, at_random) in PUBLISHED.items():
        found = {x: accuracies(y, data, n_labels) for x, y in starts(stack, n_labels).items()}
        figures = {"pre-trained": published, "random, the same": at_random}
        for start, each in found.items():
            rows.append((f"{n_labels} labels, {start}", *summary(each), figures.get(start, "")))
        for start in AT_RANDOM:
            gain = found["pre-trained"][:, 0].mean() - found[start][:, 0].mean()
            rows.append((f"{n_labels} labels, gain over {start}", f"{gain:+.2f}"))
        print(*rows[-5:], sep="\n", flush=True)
    show("MNIST with few labels, percent", rows)


CURVE = (10, 30, 100, 300, 1_000, 3_000, 10_000)


def curve() -> None:
    """Accuracy by the number of labels."""
    data = mnist()
    stack = DBN([LAYER]).fit(data.X)
    rows: list[tuple[object, ...]] = [("labels", *starts(stack, 100))]
    for n_labels in CURVE:
        models = starts(stack, n_labels).values()
        found = [accuracies(mlp, data, n_labels)[:, 0] for mlp in models]
        rows.append((n_labels, *(f"{x.mean():.2f} +- {x.std():.2f}" for x in found)))
        print(rows[-1], flush=True)
    show("MNIST, accuracy by the number of labels, percent, mean and std of 5 draws", rows)


# --- images and labels together -----------------------------------------------------------------


# The first layer sparse, which its features gain most by. The top learns in large steps, from chains of five Gibbs
# steps: at a tenth of the rate its units hardly part, and the labels with them.
JOINT = (
    rbm(
        500,
        15,
        gradient=ContrastiveDivergence(),
        regularization=Regularization(sparsity_target=0.1, sparsity_cost=1.0),
    ),
    rbm(500, 15, gradient=ContrastiveDivergence()),
    rbm(2000, 60, 0.5, gradient=PersistentContrastiveDivergence(n_steps=5, n_chains=100)),
)
UP_DOWN = FineTuning(UpDown(n_steps=5), learning_rate=0.02, n_iter=5)


def joint() -> None:
    """Hinton, Osindero & Teh (2006): labels beside the last layer but one, classes by free energy."""
    data = mnist()
    rows: list[tuple[object, ...]] = [
        ("784-500-500-2000 with labels", "test error", "training error", "minutes")
    ]
    begun = time.perf_counter()
    model = DBNClassifier(list(JOINT), random_state=0, warm_start=True)
    for name, stages in (
        ("greedy", {}),
        (
            "after 5 epochs of the up-down algorithm",
            {"fine_tuning": UP_DOWN} | {f"layer{k}__n_iter": 0 for k in (1, 2, 3)},
        ),
    ):
        model.set_params(**stages).fit(data.X, data.y)
        took = time.perf_counter() - begun
        wrong = (error(model, data.X_test, data.y_test), error(model, data.X, data.y))
        rows.append((name, *(f"{x:.2f} %" for x in wrong), f"{took / 60:.0f}"))
        print(rows[-1], flush=True)
    rows += [
        ("published, before the up-down algorithm", "2.49 %", "", ""),
        ("published, after it", "1.25 %", "", "a week"),
    ]
    show("Joint density of images and labels", rows)


# --- density ------------------------------------------------------------------------------------


def binarized() -> dict[str, np.ndarray]:
    """Binarised MNIST: 50 000 "train" and 10 000 "test" rows of 784 bits."""
    folder = Path(os.environ.get("EBM_DATA", ROOT.parent / "shared" / "data"))
    with np.load(folder / "binarized_mnist" / "binarized_mnist.npz") as packed:
        return {x: np.unpackbits(packed[x], axis=1).astype(np.float32) for x in ("train", "test")}


def bound() -> None:
    """Salakhutdinov & Murray (2008): the bound of a 500-2000 network, AIS for its top, beside one machine of 500.

    The second layer starts as the first one turned over, so that the bound starts at the likelihood of the first; from
    small weights it ends far below (-92 nats, with 60 and 40 epochs). The single machine trains for as long as both
    layers of the network together.
    """
    bits = binarized()
    ais = AIS(16_000)
    models = {
        "DBN 500-2000, bound": DBN(
            [rbm(500, n_iter=240), rbm(2000, n_iter=20, rate=0.005)], start="transposed"
        ),
        "RBM 500": DBN([rbm(500, n_iter=310)]),
    }
    published = {"DBN 500-2000, bound": "-86.22", "RBM 500": "-86.34"}
    rows: list[tuple[object, ...]] = [
        ("test nats", "mean", "error of log Z", "by reverse AIS", "published", "minutes")
    ]
    for name, model in models.items():
        begun = time.perf_counter()
        model.set_params(random_state=0).fit(bits["train"])
        took = time.perf_counter() - begun
        z = model.log_partition(ais)
        value = float(model.lower_bound(bits["test"], ais).mean())
        figures = (value, z.standard_error, value + z.value - z.reverse)
        cells = (*(f"{x:.2f}" for x in figures), published[name], f"{took / 60:.0f}")
        rows.append((name, *cells))
        print(rows[-1], flush=True)
    show("Binarised MNIST", rows)


# --- variations ---------------------------------------------------------------------------------

CD = {"gradient": ContrastiveDivergence(), "batch_size": 50}
# Layers, and test errors published: one hidden layer from a random start, and three that were pre-trained.
VARIATIONS: dict[str, tuple[Any, list[Any], tuple[float, float]]] = {
    "rectangles": (rectangles, [rbm(1000, 30) for _ in range(3)], (7.16, 2.60)),
    # Uniform noise has a third of the variance of bits of the same mean, which binary visible units take for signal.
    # Above them large steps, or features hardly part.
    "noisy digits": (
        noisy_digits,
        [
            GaussianRBM(
                1000, learning_rate=0.03, n_iter=20, schedule=Linear(), random_state=0, **CD
            ),
            rbm(1000, 20, 1.0, **CD),
            rbm(1000, 20, 0.3, **CD),
        ],
        (20.04, 6.73),
    ),
}
# That with which the rows left out are read best is taken, for each start.
RATES = (0.1, 0.02, 0.005)


def tuned(start: Any, data: Any, **chosen: Any) -> MLPClassifier:
    """The network with the learning rate, and the epoch, that does best on a sixth of the rows."""
    settings = {
        "solver": "sgd",
        "alpha": 0.0,
        "batch_size": 50,
        "max_iter": 60,
        "n_iter_no_change": 10,
        "early_stopping": True,
        "validation_fraction": 1 / 6,
    }
    fitted = [
        network(start, learning_rate_init=rate, **(settings | chosen)).fit(data.X, data.y)
        for rate in RATES
    ]
    return max(fitted, key=lambda mlp: mlp.best_validation_score_)


def compared(start: Any, n_layers: int, data: Any) -> tuple[list[str], str]:
    """Test errors of the network from a random start, of one with ReLU, and from `start`; and the rates chosen."""
    hidden = (1000,) * n_layers
    found = [
        tuned(None, data, hidden=hidden),
        tuned(None, data, hidden=hidden, activation="relu"),
        tuned(start, data),
    ]
    rates = ", ".join(str(mlp.learning_rate_init) for mlp in found)
    return [f"{error(mlp, *data[2:]):.2f} %" for mlp in found], rates


def variations() -> None:
    """Larochelle et al. (2007): the same network with pre-training and without, 12 000 rows."""
    rows: list[tuple[object, ...]] = [
        ("test error", "random", "published", "ReLU", "pre-trained", "published", "rates", "min.")
    ]
    for name, (make, layers, (alone, deep)) in VARIATIONS.items():
        data = make(12_000)
        begun = time.perf_counter()
        stack = DBN(layers, random_state=0).fit(data.X)
        for n_layers, start in ((1, stack.rbms_[0]), (3, stack)):
            (random, relu, learned), rates = compared(start, n_layers, data)
            sizes = f"{name}, {n_layers} hidden layer{'s'[: n_layers > 1]} of 1000"
            known = (alone, "") if n_layers == 1 else ("", deep)
            took = f"{(time.perf_counter() - begun) / 60:.0f}"
            rows.append((sizes, random, known[0], relu, learned, known[1], rates, took))
            print(rows[-1], flush=True)
    show("Variations of Larochelle et al. (2007)", rows)


TASKS = {f.__name__: f for f in (full, few, curve, joint, bound, variations)}

if __name__ == "__main__":
    unknown = set(sys.argv[1:]) - TASKS.keys()
    if unknown:
        sys.exit(f"unknown: {sorted(unknown)}; there are {sorted(TASKS)}")
    for task in sys.argv[1:] or TASKS:
        TASKS[task]()
