"""Models with several modes whose log Z is known: (name, model, parameters, log Z), for annealing to be tried on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ebm import RBM, DBNClassifier, GaussianRBM
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.lattices import lattice
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.units import Bernoulli, Gaussian, Spin
from tests.oracles import partition

CRITICAL = np.log(1 + np.sqrt(2)) / 2
UNITS = {-1.0: Spin(), 0.0: Bernoulli()}


class Known(NamedTuple):
    """A model and its log Z."""

    family: str
    model: Any
    params: Any
    log_z: float


def spins(family, J, b, log_z, dtype=np.float64) -> Known:
    params = PairwiseParameters(np.ascontiguousarray(J, dtype), np.asarray(b, dtype))
    return Known(family, Pairwise(Spin()), params, log_z)


def as_bits(known: Known) -> Known:
    """The same model, its units 0 and 1."""
    J, b = known.params
    own = 4 * J, 2 * b - 2 * J.sum(axis=1)
    constant = 0.5 * J.sum() - b.sum()
    return Known(
        f"{known.family}, bits",
        Pairwise(Bernoulli()),
        PairwiseParameters(*own),
        known.log_z - constant,
    )


def magnets() -> Iterator[Known]:
    for length in (6, 8, 10, 12):
        for beta in (0.2, 0.35, CRITICAL, 0.6, 0.8, 1.2):
            n = length**2
            log_z = partition.kaufman(length, length, beta)
            yield spins("2-D magnet", beta * lattice((length, length)), np.zeros(n), log_z)
    for beta in (0.5, 0.8):
        J = beta * lattice((8, 8))
        yield as_bits(spins("2-D magnet", J, np.zeros(64), partition.kaufman(8, 8, beta)))
        yield spins(
            "2-D magnet, float32", J, np.zeros(64), partition.kaufman(8, 8, beta), np.float32
        )
    for field in (0.003, 0.01, 0.03, 0.1):
        J, b = 0.7 * lattice((8, 8)), np.full(64, field)
        yield spins("2-D magnet in a field", J, b, partition.by_layers(J, b, 8))
    for length, betas in ((3, (0.1, 0.2217, 0.3, 0.5, 0.8)), (8, (0.2217, 0.4))):
        for beta in betas:
            J = beta * lattice((length, 3, 3))
            yield spins(
                "3-D magnet", J, np.zeros(len(J)), partition.by_layers(J, np.zeros(len(J)), 9)
            )


def glasses() -> Iterator[Known]:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        for scale in (0.7, 1.5, 3.0):
            J = scale * np.triu(lattice((8, 8)) * rng.normal(size=(64, 64)))
            yield spins(
                "2-D glass", J + J.T, np.zeros(64), partition.by_layers(J + J.T, np.zeros(64), 8)
            )
        for scale in (1.0, 2.0):
            n = 16
            J = np.triu(rng.normal(size=(n, n)), 1) * scale / np.sqrt(n)
            b = rng.normal(size=n) * 0.3
            yield spins("full glass", J + J.T, b, partition.enumerated(J + J.T, b))
        J = np.triu(lattice((6, 3, 3)) * rng.choice([-1.5, 1.5], size=(54, 54)))
        yield spins(
            "3-D glass", J + J.T, np.zeros(54), partition.by_layers(J + J.T, np.zeros(54), 9)
        )


def far_modes() -> Iterator[Known]:
    """Blocks of spins that all agree, gauged at random; unequal modes, late ones, many equal ones."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        for strength in (1.5, 4.0):
            for field in (0.0, 0.02, 0.2):
                sizes, S, f = (40,), np.array([[strength / 40]]), np.array([field])
                yield gauged("one block", sizes, S, f, rng)
        S = np.array([[0.1, -0.03], [-0.03, 0.15]])
        yield gauged("two blocks", (20, 30), S, np.array([0.05, -0.1]), rng)
        n_blocks = 3 + seed
        S = np.diag(rng.uniform(0.15, 0.4, n_blocks))
        yield gauged("many blocks", (8,) * n_blocks, S, rng.normal(size=n_blocks) * 0.1, rng)
        # Under a field that points the other way the stronger mode appears late.
        for field in (0.3, 0.5):
            S, f = np.array([[0.08, 0], [0, 0.002]]), np.array([-0.02, field])
            yield gauged("late mode", (30, 30), S, f, rng)


def gauged(family, sizes, strength, fields, rng) -> Known:
    J, b = partition.block_couplings(sizes, strength, fields)
    sign = rng.choice([-1.0, 1.0], size=len(b))
    log_z = partition.by_blocks(sizes, strength, fields)
    return spins(family, J * np.outer(sign, sign), b * sign, log_z)


def machine(family, W, b, c, low, hidden_low, dtype=np.float64) -> Known:
    own = [UNITS[x].parameters(np.asarray(y, dtype)) for x, y in ((low, b), (hidden_low, c))]
    params = BipartiteParameters(np.ascontiguousarray(W, dtype), *own)
    log_z = partition.two_layers(W, b, c, low, hidden_low)
    return Known(family, Bipartite(UNITS[low], UNITS[hidden_low]), params, log_z)


def machines() -> Iterator[Known]:
    for seed in range(4):
        for low, hidden_low in ((0.0, 0.0), (-1.0, -1.0), (0.0, -1.0), (-1.0, 0.0)):
            for scale in (0.5, 1.5, 3.0):
                rng = np.random.default_rng(seed)
                W = rng.normal(size=(30, 10)) * scale * (0.5 if low == hidden_low == -1 else 1)
                b, c = rng.normal(size=30) * 0.3, rng.normal(size=10) * 0.3
                if low == 0:
                    c = c - W.sum(axis=0) / 2
                if hidden_low == 0:
                    b = b - W.sum(axis=1) / 2
                dtype = np.float32 if seed == 3 else np.float64
                yield machine("RBM", W.astype(dtype).astype(float), b, c, low, hidden_low, dtype)
    for seed in range(4):  # two far modes, one favoured, both layers large but for the rank
        rng = np.random.default_rng(seed)
        x, y = rng.choice([-1.0, 1.0], 60), rng.choice([-1.0, 1.0], 12)
        for strength in (0.15, 0.4):
            W = strength * np.outer(x, y)
            yield machine("RBM of two modes", W, 0.01 * seed * x, np.zeros(12), -1.0, -1.0)


def gaussian(family, W, b, c, z) -> Known:
    params = BipartiteParameters(W, Gaussian.parameters(b, z), Bernoulli.parameters(c))
    model = Bipartite(Gaussian(), Bernoulli())
    return Known(family, model, params, partition.gaussian_visible(W, b, c, np.exp(z)))


def gaussians() -> Iterator[Known]:
    for seed in range(4):
        for scale in (0.5, 1.0, 2.0):
            rng = np.random.default_rng(seed)
            W, b, z = scale * rng.normal(size=(6, 12)), rng.normal(size=6), rng.normal(size=6) / 2
            c = rng.normal(size=12) - 0.5 * (W**2 / np.exp(z)[:, None]).sum(axis=0)
            yield gaussian("Gaussian RBM", W, b, c, z)
        known = gaussian("", W, b, c, z)
        swapped = known.model.swapped(known.params)
        yield Known("RBM with Gaussian hidden units", *swapped, known.log_z)


def clusters(rng, n, p=0.05, n_features=40):
    """Rows about two patterns, 70 to 30."""
    centres = rng.integers(0, 2, size=(2, n_features))
    flips = rng.random((n, n_features)) < p
    return np.abs(centres[(rng.random(n) < 0.3).astype(int)] - flips).astype(float)


def trained() -> Iterator[Known]:
    for seed in range(4):
        rng = np.random.default_rng(seed)
        X = clusters(rng, 200)
        for unit, rows in (("bernoulli", X), ("spin", 2 * X - 1)):
            rbm = RBM(
                10, visible=unit, hidden=unit, n_iter=30, learning_rate=0.02, random_state=seed
            )
            params = rbm.fit(rows)._params()
            W, b, c = params.W, params.visible.bias, params.hidden.bias
            low = -1.0 if unit == "spin" else 0.0
            yield machine("RBM trained on two clusters", W, b, c, low, low)
        centre = np.where(rng.random(200) < 0.5, 4.0, -4.0)[:, None]
        rows = centre * np.array([1, -1, 0.5]) + rng.normal(size=(200, 3))
        gauss = GaussianRBM(6, n_iter=20, random_state=seed).fit(rows)._params()
        own = gauss.visible.bias, gauss.hidden.bias, gauss.visible.log_variance
        yield gaussian("Gaussian RBM trained on two clusters", gauss.W, *own)
        yield top_machine(X, seed)


def top_machine(X, seed) -> Known:
    """The two topmost layers of a classifier: bits and a group of labels on hidden bits."""
    inside = X @ np.random.default_rng(seed + 9).normal(size=X.shape[1])
    y = np.digitize(inside, np.quantile(inside, [0.3, 0.6]))
    top = DBNClassifier([12, 10], random_state=seed).fit(X, y).rbms_[-1]
    params = top._params()
    W, b = np.vstack(params.weights), np.concatenate([own.bias for own in params.layers[:-1]])
    log_z = partition.two_layers(W, b, params.layers[-1].bias, groups=(3,))
    return Known("top of a classifier", top._model(), params, log_z)


def everything() -> Iterator[Known]:
    for family in (magnets, glasses, far_modes, machines, gaussians, trained):
        yield from family()
