"""How well restricted Boltzmann machines learn: replications with published figures, and tasks with a baseline.

    python benchmarks/rbm_quality.py [mnist] [bars] [bars4] [ising] [digits] [gaussian] [pixels] [density] [mnist500]

Likelihoods are exact. Seeds are fixed. MNIST comes through scikit-learn's ``fetch_openml`` (``SCIKIT_LEARN_DATA`` names
its cache); the natural images and the density data are looked for in the folder that ``EBM_DATA`` names, or in
``../shared/data``.
"""

import os
import sys
import time
from pathlib import Path

import joblib
import numpy as np
from scipy import stats
from sklearn.datasets import fetch_openml, load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from ebm import (
    AIS,
    BernoulliRBM,
    ContrastiveDivergence,
    EarlyStopping,
    Exact,
    FastPersistentContrastiveDivergence,
    GaussianRBM,
    Linear,
    Momentum,
    ParallelTempering,
    PersistentContrastiveDivergence,
)
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.gradients import Gradient
from ebm.likelihood import log_partition

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the exact references live with the tests

from tests.oracles.data import (  # noqa: E402
    bars_and_stripes,
    best_log_likelihood,
    sample_states,
    transverse_field_ising,
)


def show(title: str, rows: list[tuple[object, ...]]) -> None:
    """A table of results."""
    print(f"\n{title}")
    for row in rows:
        print("  " + "".join(str(x).ljust(44 if i == 0 else 18) for i, x in enumerate(row)))
    sys.stdout.flush()


def mnist() -> None:
    """Melchior, Fischer & Wiskott (2016), table 3: 16 hidden units, PCD-1, learning rate 0.01, 50 epochs."""
    X = fetch_openml("mnist_784", version=1, as_frame=False).data
    binary = (X > 127.5).astype(np.float32)
    rows: list[tuple[object, ...]] = [
        ("MNIST-16", "test nats", "std of seeds", "published", "seconds")
    ]
    published = {
        (True, False): -142.6,
        (False, False): -149.1,
        (True, True): "",
        (False, True): -183,
    }
    for flipped in (False, True):
        data = 1 - binary if flipped else binary
        for centered in (True, False):
            begun = time.perf_counter()
            scores = [
                BernoulliRBM(
                    16,
                    gradient=PersistentContrastiveDivergence(n_chains=100, centered=centered),
                    learning_rate=0.01,
                    batch_size=100,
                    n_iter=50,
                    random_state=seed,
                )
                .fit(data[:60000])
                .log_likelihood(data[60000:])
                .mean()
                for seed in range(3)
            ]
            name = f"{'centred' if centered else 'plain'}{', flipped bits' if flipped else ''}"
            took = time.perf_counter() - begun
            figure = published[centered, flipped]
            print(name, scores, f"{took:.0f} s", flush=True)
            rows.append(
                (name, f"{np.mean(scores):.2f}", f"{np.std(scores):.2f}", figure, f"{took:.0f}")
            )
    show("Exact test log-likelihood", rows)


def bars() -> None:
    """Bars and stripes: the sum of log-likelihoods against the best that any distribution reaches."""
    rows: list[tuple[object, ...]] = [
        ("6 seeds, 16 hidden (8 for 2x2)", "mean sum of nats", "range", "best possible", "updates")
    ]
    settings: dict[str, dict[str, object]] = {
        "exact gradient, momentum": {"gradient": Exact(), "optimizer": Momentum(), "n_iter": 6000},
        "CD-1": {"gradient": ContrastiveDivergence(), "n_iter": 30000},
        "PCD-1, 100 chains, rate to 0": {
            "gradient": PersistentContrastiveDivergence(n_chains=100),
            "schedule": Linear(),
            "n_iter": 30000,
        },
    }
    for n, n_hidden in ((2, 8), (3, 16)):
        X = bars_and_stripes(n).astype(float)
        best = best_log_likelihood(X)
        for name, chosen in settings.items():
            sums = [
                BernoulliRBM(n_hidden, learning_rate=0.1, batch_size=len(X), random_state=seed)
                .set_params(**chosen)
                .fit(X)
                .log_likelihood(X)
                .sum()
                for seed in range(6)
            ]
            spread = f"{min(sums):.2f} - {max(sums):.2f}"
            cells = (f"{np.mean(sums):.3f}", spread, f"{best:.3f}", chosen["n_iter"])
            rows.append((f"{n}x{n}, {name}", *cells))
    show("Bars and stripes, centred gradients", rows)


def ising() -> None:
    """Ground state of the transverse-field Ising chain: KL divergence of a 10-10 RBM after 5 and 60 epochs."""
    _, p = transverse_field_ising(10)
    X = sample_states(p, 10_000, np.random.default_rng(0)).astype(float)
    states = (np.arange(2**10)[:, np.newaxis] >> np.arange(9, -1, -1)) & 1
    rows: list[tuple[object, ...]] = [
        ("10-10, rate 0.1, batch 100", "KL, 5 epochs", "KL, 60 epochs")
    ]
    gradients = {
        "CD-10, centred": ContrastiveDivergence(10),
        "CD-10, plain": ContrastiveDivergence(10, centered=False),
        "PCD-10, 200 chains, centred": PersistentContrastiveDivergence(10, 200),
        "PCD-10, 200 chains, plain": PersistentContrastiveDivergence(10, 200, centered=False),
    }
    for name, gradient in gradients.items():
        cells = []
        for n_iter in (5, 60):
            kl = []
            for seed in range(5):
                rbm = BernoulliRBM(
                    10, gradient=gradient, batch_size=100, n_iter=n_iter, random_state=seed
                ).fit(X)
                log_q = rbm.log_likelihood(states.astype(float))
                kl.append(float(p @ (np.log(np.maximum(p, 1e-300)) - log_q)))
            cells.append(f"{min(kl):.3f} - {max(kl):.3f}")
        rows.append((name, *cells))
    rows.append(("reference (CD-10)", "0.33 - 0.38", "0.018 - 0.033"))
    show("Transverse-field Ising chain, range of 5 seeds", rows)


def nudged(images: np.ndarray) -> np.ndarray:
    """The images and their shifts by one pixel up, down, left and right, with zeros moving in."""
    padded = np.pad(images.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)))
    shifts = [(1, 1), (0, 1), (2, 1), (1, 0), (1, 2)]
    return np.concatenate([padded[:, i : i + 8, j : j + 8].reshape(-1, 64) for i, j in shifts])


def digits() -> None:
    """scikit-learn's RBM example: logistic regression on shifted digits, from pixels and from RBM features."""
    X, y = load_digits(return_X_y=True)
    rows: list[tuple[object, ...]] = [
        ("held-out third", "raw pixels", "RBM features", "difference")
    ]
    gains = []
    for seed in range(5):
        # Split first: no image is in the test third as a shifted copy of one that was learned from.
        parts = train_test_split(X, y, test_size=1 / 3, random_state=seed)
        train, test, y_train, y_test = (nudged(x) if x.ndim == 2 else np.tile(x, 5) for x in parts)
        raw = make_pipeline(MinMaxScaler(clip=True), LogisticRegression(C=10, max_iter=2000))
        rbm = make_pipeline(
            MinMaxScaler(clip=True),
            BernoulliRBM(100, learning_rate=0.06, n_iter=20, random_state=seed),
            LogisticRegression(C=100, max_iter=2000),
        )
        scores = [model.fit(train, y_train).score(test, y_test) for model in (raw, rbm)]
        gains.append(scores[1] - scores[0])
        rows.append((f"seed {seed}", *(f"{100 * x:.2f} %" for x in (*scores, gains[-1]))))
    rows.append(("mean", "", "", f"{100 * np.mean(gains):.2f} points"))
    show("Shifted digits", rows)


def data_folder() -> Path:
    """Where the data sets lie that no package fetches."""
    return Path(os.environ.get("EBM_DATA", ROOT.parent / "shared" / "data"))


def whitened_patches(n: int, size: int = 8) -> np.ndarray:
    """PCA-whitened patches of the natural images, each patch's mean removed: (n, size^2 - 1)."""
    from matplotlib.image import imread

    folder = data_folder() / "natural_images"
    rng = np.random.default_rng(0)
    images = [imread(path).astype(float) for path in sorted(folder.glob("*.tiff"))]
    images = [x.mean(axis=2) if x.ndim == 3 else x for x in images]
    patches = []
    for k in range(n):
        image = images[k % len(images)]
        i, j = (rng.integers(0, side - size) for side in image.shape)
        patches.append(image[i : i + size, j : j + size].ravel())
    X = np.array(patches)
    X -= X.mean(axis=1, keepdims=True)
    X -= X.mean(axis=0)
    values, vectors = np.linalg.eigh(X.T @ X / n)
    return X @ vectors[:, 1:] / np.sqrt(values[1:])


def gaussian() -> None:
    """Test log-density of Gaussian RBMs (exact) beside that of one Gaussian with a full diagonal."""
    rng = np.random.default_rng(0)
    centres = np.array([[2.0, 2.0], [-2.0, -1.0], [2.0, -2.0]])
    mixture = centres[rng.integers(0, 3, 10_000)] + 0.5 * rng.normal(size=(10_000, 2))
    rows: list[tuple[object, ...]] = [
        ("test nats per row", "Gaussian RBM", "diagonal Gaussian", "difference", "variances")
    ]
    tasks = {
        "2-D mixture of 3": (mixture, [("defaults, 4 hidden", GaussianRBM(4, random_state=0))]),
        "8x8 natural patches, whitened": (
            whitened_patches(60_000),
            [
                ("defaults, 16 hidden", GaussianRBM(16, random_state=0)),
                (
                    "16 hidden, 60 epochs, rate 0.1 to 0",
                    GaussianRBM(
                        16, learning_rate=0.1, n_iter=60, schedule=Linear(), random_state=0
                    ),
                ),
            ],
        ),
    }
    for task, (X, models) in tasks.items():
        half = len(X) // 2
        train, test = X[:half], X[half:]
        plain = stats.norm(train.mean(0), train.std(0)).logpdf(test).sum(1).mean()
        for name, rbm in models:
            score = rbm.fit(train).log_likelihood(test).mean()
            spread = f"{rbm.variances_.min():.3f} - {rbm.variances_.max():.3f}"
            cells = (f"{score:.3f}", f"{plain:.3f}", f"{score - plain:+.3f}", spread)
            rows.append((f"{task}, {name}", *cells))
    show("Gaussian RBM", rows)


def pixels() -> None:
    """Grey values of MNIST as reals: what a linear classifier makes of the hidden units, 10 000 rows to learn from."""
    X, y = fetch_openml("mnist_784", version=1, as_frame=False, return_X_y=True)
    X, y = (X[:15_000] / 255).astype(np.float32), y[:15_000]
    rows: list[tuple[object, ...]] = [("500 hidden", "test error", "mean below 0.01")]
    for rate in (0.03, 0.01):
        rbm = GaussianRBM(500, learning_rate=rate, random_state=0).fit(X[:10_000])
        train, test = rbm.transform(X[:10_000]), rbm.transform(X[10_000:])
        linear = LogisticRegression(C=0.1, max_iter=100).fit(train, y[:10_000])
        wrong, off = 1 - linear.score(test, y[10_000:]), (test.mean(axis=0) < 0.01).mean()
        rows.append((f"10 epochs, rate {rate}", f"{100 * wrong:.1f} %", f"{100 * off:.1f} %"))
    show("Gaussian RBM on 784 pixels", rows)


def exact_likelihood(model: Bipartite, params: BipartiteParameters, v: np.ndarray) -> float:
    """Mean exact log-likelihood of the rows `v`."""
    free = model.free_energy(params, v).mean(dtype=float)
    return -float(free) - log_partition(model, params, "exact").value


# Published figure, smoothing, and settings, chosen by the exact likelihood of the validation rows.
DENSITY: dict[str, tuple[float, float, dict[str, object]]] = {
    "dna": (
        -96.74,
        0.1,
        {
            "gradient": PersistentContrastiveDivergence(n_chains=100),
            "learning_rate": 0.1,
            "schedule": Linear(),
            "batch_size": 50,
            "n_iter": 300,
            "weight_decay": 3e-3,
        },
    ),
    "mushrooms": (
        -15.15,
        0.0,
        {
            "gradient": PersistentContrastiveDivergence(n_steps=10, n_chains=200),
            "learning_rate": 0.2,
            "schedule": Linear(),
            "batch_size": 20,
            "n_iter": 300,
        },
    ),
    "nips": (
        -277.37,
        0.25,
        {
            "gradient": PersistentContrastiveDivergence(n_steps=5, n_chains=200),
            "learning_rate": 0.05,
            "batch_size": 20,
            "n_iter": 240,
            "weight_decay": 1e-3,
        },
    ),
}


def density(seeds: tuple[int, ...] = (0, 1, 2)) -> None:
    """Three data sets of Larochelle & Murray (2011), table 1: 23 hidden units, so that log Z is exact.

    The epoch is the one with the best validation rows. Smoothing draws the training rows towards their mean: the RBM
    reads what is left as probabilities, which on few rows is worth more than weight decay.
    """
    rows: list[tuple[object, ...]] = [
        ("23 hidden, centred PCD", "test nats", "valid nats", "published", "seconds")
    ]
    for name, (published, smoothing, settings) in DENSITY.items():
        files = [data_folder() / "density" / f"{name}.{x}.data" for x in ("train", "valid", "test")]
        train, valid, test = (np.loadtxt(x, np.float32, delimiter=",") for x in files)
        smooth = (1 - smoothing) * train + smoothing * train.mean(axis=0)
        for seed in seeds:
            begun = time.perf_counter()
            # Never stops before the schedule has come to its end, but keeps the best of what it saw.
            best = EarlyStopping(valid, monitor=exact_likelihood, every=20, patience=1000)
            rbm = BernoulliRBM(23, random_state=seed, callbacks=best)
            rbm.set_params(**settings).fit(smooth)
            score = rbm.log_likelihood(test, "exact").mean()
            seen = rbm.history_["exact_likelihood"]
            epoch, value = np.nanargmax(seen) + 1, np.nanmax(seen)
            took = f"{time.perf_counter() - begun:.0f}"
            title = f"{name}, seed {seed}, epoch {epoch}"
            rows.append((title, f"{score:.2f}", f"{value:.2f}", published, took))
    show("Exact test log-likelihood, stopped by that of the validation rows", rows)


def bars4() -> None:
    """Bars and stripes 4x4, 30 patterns and the two uniform ones doubled: 16 hidden units, every negative phase."""
    X = bars_and_stripes(4).astype(float)
    best = best_log_likelihood(X) / len(X)
    how_many = {"n_chains": 500}
    gradients: dict[str, Gradient] = {
        "parallel tempering, 10 temperatures": ParallelTempering(**how_many),
        "PCD-10": PersistentContrastiveDivergence(n_steps=10, **how_many),
        "fast-weight PCD": FastPersistentContrastiveDivergence(**how_many),
        "PCD-1": PersistentContrastiveDivergence(**how_many),
        "CD-10": ContrastiveDivergence(n_steps=10),
    }
    rows: list[tuple[object, ...]] = [
        ("6 seeds, rate 0.3 to 0, 5000 updates", "mean nats", "range", "best possible", "seconds")
    ]
    for name, gradient in gradients.items():
        begun = time.perf_counter()
        rbm = BernoulliRBM(16, gradient=gradient, schedule=Linear(), learning_rate=0.3)
        rbm.set_params(batch_size=len(X), n_iter=5000)
        found = [rbm.set_params(random_state=i).fit(X).log_likelihood(X).mean() for i in range(6)]
        took = f"{(time.perf_counter() - begun) / 6:.0f} each"
        spread = f"{min(found):.3f} - {max(found):.3f}"
        rows.append((name, f"{np.mean(found):.3f}", spread, f"{best:.4f}", took))
    show("Bars and stripes 4x4: exact mean log-likelihood", rows)


# Epochs, learning rate (which falls to zero), chains, and Gibbs steps per update.
MNIST_500: dict[str, tuple[int, float, int, int]] = {
    "PCD-1, 60 epochs": (60, 0.1, 100, 1),
    "PCD-1, 240 epochs": (240, 0.1, 100, 1),
}


def mnist500() -> None:
    """MNIST with 500 hidden units: pixels are probabilities, drawn anew for every epoch; Z by AIS, both ways.

    With ``EBM_SAVE`` the last machine is written with joblib to the file of that name.
    """
    X = fetch_openml("mnist_784", version=1, as_frame=False).data.astype(np.float32) / 255
    rows: list[tuple[object, ...]] = [
        ("500 hidden, batch 100", "test nats", "+- log Z", "by reverse AIS", "train s", "AIS s")
    ]
    for name, (n_epochs, rate, n_chains, n_steps) in MNIST_500.items():
        rng = np.random.default_rng(0)
        begun = time.perf_counter()
        gradient = PersistentContrastiveDivergence(n_steps, n_chains)
        rbm = BernoulliRBM(500, gradient=gradient, batch_size=100, n_iter=1, random_state=0)
        rbm.set_params(warm_start=True)
        for epoch in range(n_epochs):
            rbm.set_params(learning_rate=rate * (1 - epoch / n_epochs)).fit(drawn(X[:60000], rng))
        trained = time.perf_counter() - begun
        energy = rbm.free_energy(drawn(X[60000:], rng)).mean()
        z = rbm.log_partition(AIS(16000))
        took = time.perf_counter() - begun - trained
        figures = (-energy - z.value, z.standard_error, -energy - z.reverse, trained, took)
        formats = ("{:.2f}", "{:.2f}", "{:.2f}", "{:.0f}", "{:.0f}")
        rows.append((name, *(f.format(x) for f, x in zip(formats, figures, strict=True))))
        print(rows[-1], z, flush=True)
        if "EBM_SAVE" in os.environ:
            joblib.dump(rbm, os.environ["EBM_SAVE"])
    show("MNIST, pixels drawn anew every epoch, learning rate to 0", rows)


def drawn(p: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Bits with the probabilities `p`."""
    return (rng.random(p.shape, np.float32) < p).astype(np.float32)


TASKS = {
    f.__name__: f for f in (mnist, bars, bars4, ising, digits, gaussian, pixels, density, mnist500)
}

if __name__ == "__main__":
    unknown = set(sys.argv[1:]) - TASKS.keys()
    if unknown:
        sys.exit(f"unknown: {sorted(unknown)}; there are {sorted(TASKS)}")
    for task in sys.argv[1:] or TASKS:
        TASKS[task]()
