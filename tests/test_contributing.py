"""The skeletons of CONTRIBUTING.md are complete: they run, and they do what their room asks of them."""

import os
import re
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.special import logsumexp
from sklearn.base import clone

from ebm import BernoulliRBM, MLPClassifier, training
from ebm._batches import Rows
from ebm._random import stream
from ebm.energies.base import Model
from ebm.gradients import Exact, Gradient
from ebm.gradients.base import Batch
from ebm.likelihood import log_likelihood
from ebm.networks.dense import Dense
from ebm.networks.layer import Layer
from ebm.networks.losses import CrossEntropy
from ebm.networks.network import Network
from ebm.optimizers import SGD, Constant, Optimizer
from ebm.samplers import Sampler

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
ALL_BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
BLOCKS = [block for block in ALL_BLOCKS if not block.startswith("# ")]
PARTS = [block for block in ALL_BLOCKS if block.startswith("# ")]  # that name their file
X = np.repeat(np.array(list(product([0.0, 1.0], repeat=2))), 2, axis=1)[[0, 0, 0, 1, 3]]
SETTINGS = {"n_components": 3, "batch_size": 5, "n_iter": 300, "random_state": 0}


def skeleton(role):
    """The record of that role that one of the blocks defines."""
    found = []
    for block in BLOCKS:
        names = {"__name__": "contributing"}
        exec(compile(block, "CONTRIBUTING.md", "exec"), names)
        found += [
            thing
            for thing in names.values()
            if isinstance(thing, type)
            and thing.__module__ == "contributing"
            and issubclass(thing, role)
        ]
    (record,) = found
    return record()


def gain(**choice):
    """By how much learning raises the exact mean log-likelihood, in nats."""
    before, after = (BernoulliRBM(**{**SETTINGS, "n_iter": n}, **choice) for n in (0, 300))
    return after.fit(X).log_likelihood(X).mean() - before.fit(X).log_likelihood(X).mean()


@pytest.mark.parametrize("role", [Gradient, Sampler, Optimizer, Layer])
def test_the_skeleton_is_a_record(role):
    record = skeleton(role)
    assert repr(clone(record)) == repr(record) == f"{type(record).__name__}()"


def test_the_gradient_learns():
    assert gain(gradient=skeleton(Gradient)) > 0.5


def test_the_optimizer_climbs_and_is_held_back():
    sign = skeleton(Optimizer)
    assert gain(gradient="exact", optimizer=sign, learning_rate=0.01) > 0.5
    held, free = (
        BernoulliRBM(optimizer=sign, learning_rate=0.01, weight_decay=decay, **SETTINGS).fit(X)
        for decay in (1.0, 0.0)
    )
    assert abs(held.components_).max() < abs(free.components_).max() / 2


def test_the_sampler_follows_the_law():
    rbm = BernoulliRBM(gradient="exact", **SETTINGS).fit(X)
    states = np.array(list(product([0.0, 1.0], repeat=4)))
    mean = np.exp(rbm.log_likelihood(states)) @ states
    n = 4000
    draws = rbm.sample(n, n_steps=200, sampler=skeleton(Sampler), random_state=0)
    assert (abs(draws.mean(axis=0) - mean) < 5 * np.sqrt(mean * (1 - mean) / n)).all()
    given = rbm.sample(n, n_steps=20, sampler=skeleton(Sampler), given=[1, np.nan, 0, np.nan])
    assert (given[:, 0] == 1).all() and (given[:, 2] == 0).all()


def test_the_layer_has_its_derivatives():
    network = Network(4, (Dense(3), skeleton(Layer), Dense(2)), CrossEntropy())
    theta = network.pack(network.drawn(stream(0, "init"), np.float64))
    theta += 0.3 * np.random.default_rng(0).normal(size=len(theta))
    targets = np.eye(2)[[0, 1, 0, 1, 1]]
    gradient = network.unpack(np.zeros_like(theta))
    network.back_propagate(network.unpack(theta), X, targets, gradient)

    def rises(k, step=1e-5):
        up, down = (theta + side * step * np.eye(len(theta))[k] for side in (1, -1))
        loss = [network.mean_loss(network.unpack(t), X, targets) for t in (down, up)]
        return (loss[0] - loss[1]) / (2 * step)

    expected = [rises(k) for k in range(len(theta))]
    np.testing.assert_allclose(network.pack(gradient), expected, rtol=1e-6, atol=1e-9)


def test_the_layer_learns():
    rows = np.array(list(product([0.0, 1.0], repeat=2)))
    odd = rows.sum(axis=1) % 2
    swish = MLPClassifier(8, skeleton(Layer), learning_rate_init=0.05, random_state=0)
    swish.set_params(max_iter=300, n_iter_no_change=np.inf).fit(rows, odd)
    assert swish.score(rows, odd) == 1
    assert abs(swish.layer_params_[1].slope - 1).max() > 0.1


def gated_energy(params, v, h, g):
    own = sum(x @ layer.bias for x, layer in zip((v, h, g), params[1:], strict=True))
    return -np.einsum("i,ijk,j,k", v, params.W, h, g) - own


def test_the_energy_has_its_likelihood():
    model, bits = skeleton(Model), (0.0, 1.0)
    theta = np.random.default_rng(0).normal(size=3 * 2 * 2 + 3 + 2 + 2)
    params = model.unpack(theta, 3, 2)
    logs = [
        [
            -gated_energy(params, *map(np.array, (v, h, g)))
            for h in product(bits, repeat=2)
            for g in product(bits, repeat=2)
        ]
        for v in product(bits, repeat=3)
    ]
    expected = logsumexp(logs, axis=1) - logsumexp(logs)
    rows = np.array(list(product(bits, repeat=3)))
    found, errors, _ = log_likelihood(model, params, rows, "exact")
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert not errors.any()


def test_the_energy_has_its_gradient():
    model, rows = skeleton(Model), np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]])
    theta = np.random.default_rng(0).normal(size=3 * 2 * 2 + 3 + 2 + 2)
    gradient, chains = np.zeros_like(theta), model.start_chains(None, rows[0], 0, False, None)
    bound = Exact().bind(model, model.unpack(gradient, 3, 2), 3, 0)
    bound(model.unpack(theta, 3, 2), Batch(rows.copy()), chains, None)

    def slope(k, step=1e-5):
        up, down = (theta + side * step * np.eye(len(theta))[k] for side in (1, -1))
        means = [
            log_likelihood(model, model.unpack(t, 3, 2), rows, "exact")[0].mean()
            for t in (up, down)
        ]
        return (means[0] - means[1]) / (2 * step)

    np.testing.assert_allclose(
        gradient, [slope(k) for k in range(len(theta))], rtol=1e-6, atol=1e-9
    )


def test_the_energy_learns():
    # All bits alike: log 2 nats at best, and 3 log 2 for independent bits of the same means.
    model = skeleton(Model)
    rows = np.array([[0.0, 0, 0], [1, 1, 1]])
    plan = training.Plan(Exact(), SGD(), Constant(), 0.5, 0.0, 4, 0)
    state = training.start(model, Rows(rows), 3, plan)
    assert not training.train(state, Rows(rows), plan, 500)
    assert log_likelihood(model, state.params, rows, "exact")[0].mean() > -1.2 * np.log(2)


# A unit, added to a copy of the library and of its tests -----------------------------------------------------


@pytest.fixture(scope="module")
def with_ternary(tmp_path_factory):
    """A copy to which the blocks that name a file were added there, with the imports that their comments ask for."""
    root = tmp_path_factory.mktemp("contributor")
    for folder in ("ebm", "sklearn_compat", "tests"):
        hidden = shutil.ignore_patterns("__pycache__", "sklearn_compat" if folder == "ebm" else "")
        shutil.copytree(ROOT / folder, root / folder, ignore=hidden)
    (root / "ebm" / "sklearn_compat").symlink_to("../sklearn_compat")
    shutil.copy(ROOT / "pyproject.toml", root)
    for part in PARTS:
        first, rest = part.split("\n", 1)
        path = root / re.match(r"# ([\w/.]+)", first)[1]
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        imports = "".join(f"{line}\n" for line in re.findall(r"`(from .*?)`", rest))
        path.write_text(f"{before}\n{imports}{rest}", encoding="utf-8")
    return root


def run_in(root, *command, **env):
    done = subprocess.run(
        [sys.executable, *command],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root), "NUMBA_CACHE_DIR": str(root / "cache")} | env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


PAIR = "Bernoulli and (exact_gradient or pseudo_likelihood or (moments and not fpcd and not tempering))"
CHOSEN = f"Ternary and ((TestUnit and not 1.8) or ({PAIR}))"


@pytest.mark.once
def test_the_unit_conforms(with_ternary):
    """Both of its parameters learn right, visible and hidden: finite differences of the exact log-likelihood."""
    where, plain = "tests/conformance", ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0")
    chosen = ("-k", CHOSEN, "-m", "not needs_jit", where)
    told = run_in(with_ternary, *plain, *chosen, NUMBA_DISABLE_JIT="1")
    passed = int(re.search(r"(\d+) passed", told)[1])
    assert passed >= 18 and "failed" not in told


LEARNS = """
import numpy as np
from ebm import RBM
rng = np.random.default_rng(0)
X = rng.choice([-1.0, 0.0, 1.0], size=(60, 3), p=[0.2, 0.5, 0.3])
X[:, 1] = X[:, 0]
choice = {"visible": "ternary", "learning_rate": 0.1, "gradient": "exact", "random_state": 0}
fits = [RBM(2, batch_size=60, n_iter=n, **choice).fit(X) for n in (0, 150)]
assert fits[1].log_likelihood(X).mean() > fits[0].log_likelihood(X).mean() + 0.2
assert set(np.unique(fits[1].sample(9, n_steps=3, random_state=0))) <= {-1.0, 0.0, 1.0}
assert fits[1].quadratic_visible_.shape == (3,)
assert fits[1].score(X) > fits[0].score(X) + 0.2
"""

COMPILES = """
import numpy as np
from ebm._kernels import units as kernels
from ebm._random import Key
from ebm.units import UNITS
unit = UNITS["ternary"]()
own = unit.parameters(np.array([0.3, -0.2]), np.array([0.1, 0.4]))
f, gradient = np.array([[0.5, -1.0]]), unit.neutral(2, float)
kernels.expected_parameter_gradient(own, f, np.ones(1), gradient, True)
np.testing.assert_allclose(gradient.quadratic, unit.mean_derivatives(own, f)["quadratic"][0])
step = 1e-6 * np.eye(2)[:, np.newaxis]
slopes = [(unit.log_normaliser(own, f + d) - unit.log_normaliser(own, f - d))[0] / 2e-6 for d in step]
np.testing.assert_allclose(unit.mean(own, f)[0], slopes, atol=1e-8)
x = unit.sample(own, np.repeat(f, 20000, axis=0), Key(1, 2))
np.testing.assert_allclose(x.mean(axis=0), slopes, atol=0.03)
np.testing.assert_allclose((x**2).mean(axis=0), gradient.quadratic, atol=0.03)
kernels.parameter_gradient(own, x, np.full(len(x), 1 / len(x)), gradient)
np.testing.assert_allclose(gradient.quadratic, (x**2).mean(axis=0))
"""


@pytest.mark.once
def test_the_unit_learns_in_an_estimator(with_ternary):
    run_in(with_ternary, "-c", LEARNS, NUMBA_DISABLE_JIT="1")


@pytest.mark.needs_jit
@pytest.mark.once
def test_the_loops_of_the_unit_compile(with_ternary):
    run_in(with_ternary, "-c", COMPILES)
