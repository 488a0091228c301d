"""Files of training: never half written, refused when of other training, gone on from to the same bits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from ebm import BernoulliRBM, Checkpoint, EarlyStopping, GaussianRBM, Regularization, _archive
from ebm.gradients import ParallelTempering
from ebm.optimizers import Linear

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]
N_EPOCHS = 6
rng = np.random.default_rng(0)
BITS = (rng.random((60, 6)) < rng.choice([0.2, 0.8], (60, 1))).astype(np.float32)
REALS = rng.normal(size=(60, 6)) @ rng.normal(size=(6, 6))
WEIGHTS = rng.uniform(0.2, 3, 60)


def machine(name, **settings):
    """An estimator by words such as "pcd adam", "gaussian fpcd momentum"."""
    gaussian = name.startswith("gaussian ")
    gradient, optimizer, *more = name.removeprefix("gaussian ").split()
    settings = {
        "n_components": 4,
        "n_iter": N_EPOCHS,
        "random_state": 3,
        "learning_rate": 0.01,
        "optimizer": optimizer,
        "gradient": ParallelTempering(n_temperatures=3) if gradient == "tempering" else gradient,
        "schedule": Linear(),
    } | settings
    if "regularized" in more:
        settings["regularization"] = Regularization(
            l1=1e-3, max_norm=2.0, clip_norm=1.0, sparsity_target=0.2, dropout=0.3
        )
    return GaussianRBM(**settings) if gaussian else BernoulliRBM(**settings)


def data(name):
    return REALS if name.startswith("gaussian") else BITS


NAMES = [
    *(f"{gradient} sgd" for gradient in ("pcd", "fpcd", "tempering", "tap", "cd")),
    *(f"{gradient} adam" for gradient in ("pcd", "fpcd", "tempering", "tap", "cd")),
    "pcd momentum",
    "cd momentum",
    "tempering momentum",
    "pcd nadam",
    "fpcd adam regularized",
    "gaussian pcd sgd",
    "gaussian fpcd momentum",
    "gaussian tempering adam",
    "gaussian cd adam",
    "gaussian pcd nadam",
    "gaussian pcd adam regularized",
]


def everything(rbm):
    """All that training leaves, but for how long it took."""
    arrays = {
        name: value
        for name, value in vars(rbm).items()
        if name.endswith("_") and isinstance(value, np.ndarray)
    }
    for name in ("memory", "gradient_state", "marginals"):
        arrays |= {f"{name}{i}": x for i, x in enumerate(getattr(rbm._course, name))}
    arrays |= {f"history {k}": x for k, x in rbm.history_.items() if k != "time"}
    for layer, named in rbm._course.bounds.items():
        for name, pair in named.items():
            arrays |= {f"{layer} {name} {i}": x for i, x in enumerate(pair)}
    if rbm._course.origin is not None:
        arrays["origin"] = rbm._course.origin
    return {**arrays, "n_steps": np.array(rbm._course.n_steps)}


def assert_same(one, other):
    left, right = everything(one), everything(other)
    assert left.keys() == right.keys()
    for name, x in left.items():
        assert x.dtype == right[name].dtype, name
        np.testing.assert_array_equal(x, right[name], err_msg=name)


# A crash ---------------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from tests.core.test_checkpoint import NAMES, Checkpoint, data, machine

folder = sys.argv[1]

def die(report):
    if report.epoch == 3:
        os.kill(os.getpid(), signal.SIGKILL)

for i, name in enumerate(NAMES):
    child = os.fork()
    if not child:
        file = os.path.join(folder, str(i))
        machine(name, callbacks=[Checkpoint(file), die]).fit(data(name))
        os._exit(1)
    if os.waitpid(child, 0)[1] != signal.SIGKILL:
        sys.exit(name)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_training_that_was_killed_goes_on_to_the_same_bits(tmp_path):
    """In another process, from the file of the second epoch; kill -9 comes during the third."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(map(str, range(len(NAMES))))
    for i, name in enumerate(NAMES):
        header, arrays = _archive.read(tmp_path / str(i))
        assert header["epoch"] == 2 and len(arrays["history.epoch"]) == 2
        resumed = machine(name).resume(tmp_path / str(i), data(name))
        assert_same(resumed, machine(name).fit(data(name)))
        assert resumed.history_["epoch"].tolist() == list(range(1, N_EPOCHS + 1))
        assert np.all(np.diff(resumed.history_["time"]) >= 0)


SLOW = """
import sys, time
from tests.core.test_checkpoint import Checkpoint, data, machine

def wait(report):
    time.sleep(0.05)

fit = machine("pcd momentum", n_iter=40, callbacks=[Checkpoint(sys.argv[1]), wait])
fit.fit(data("pcd"))
"""


def test_training_that_was_killed_from_without_goes_on(tmp_path):
    """Anywhere after the second epoch, also while the file is being written."""
    file = tmp_path / "file"
    process = subprocess.Popen([sys.executable, "-c", SLOW, str(file)], cwd=ROOT)
    try:
        deadline = time.monotonic() + 120
        while not (file.exists() and _archive.read(file)[0]["epoch"] >= 2):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        process.kill()
    assert process.wait() == -signal.SIGKILL
    assert 2 <= _archive.read(file)[0]["epoch"] < 40
    resumed = machine("pcd momentum", n_iter=40).resume(file, BITS)
    assert_same(resumed, machine("pcd momentum", n_iter=40).fit(BITS))


FITTED = """
import hashlib
from tests.core.test_checkpoint import data, everything, machine

for name in ("pcd momentum", "gaussian cd sgd"):
    digest = hashlib.sha256()
    for key, x in sorted(everything(machine(name).fit(data(name))).items()):
        digest.update(key.encode() + x.tobytes())
    print(name, digest.hexdigest())
"""


def test_kernels_from_the_disk_compute_what_those_just_compiled_do(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    compiled, loaded = (
        subprocess.run(
            [sys.executable, "-c", FITTED],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    )
    assert any(tmp_path.rglob("*.nbi"))
    assert compiled == loaded and len(compiled.splitlines()) == 2


# Going on --------------------------------------------------------------------------------------


def interrupted(file, name="pcd momentum", at=2, X=None, weights=None, callbacks=(), **settings):
    """The file of a fit that ended after `at` epochs of N_EPOCHS."""
    rbm, keep = machine(name, **settings), []

    def copy(report):
        if report.epoch == at + 1:
            keep.append(file.read_bytes())

    rbm.set_params(callbacks=[*callbacks, Checkpoint(file), copy])
    rbm.fit(data(name) if X is None else X, sample_weight=weights)
    file.write_bytes(keep[0])
    return file


@pytest.fixture
def file(tmp_path):
    return tmp_path / "checkpoint"


@pytest.mark.parametrize("at", [1, 4])
def test_weighted_rows_go_on(file, at):
    interrupted(file, at=at, weights=WEIGHTS)
    resumed = machine("pcd momentum").resume(file, BITS, sample_weight=WEIGHTS)
    assert_same(resumed, machine("pcd momentum").fit(BITS, sample_weight=WEIGHTS))


def test_a_seed_that_was_drawn_is_that_of_the_file(file):
    np.random.seed(5)  # noqa: NPY002
    interrupted(file, random_state=None)
    np.random.seed(5)  # noqa: NPY002
    expected = machine("pcd momentum", random_state=None).fit(BITS)
    resumed = machine("pcd momentum", random_state=None).resume(file, BITS)
    assert_same(resumed, expected)


def test_a_warm_start_goes_on(file):
    def warm():
        return machine("pcd momentum", warm_start=True).fit(BITS)

    rbm, keep = warm(), []
    expected = warm().fit(BITS)
    copy = lambda r: keep.append(file.read_bytes()) if r.epoch == 3 else None  # noqa: E731
    rbm.set_params(callbacks=[Checkpoint(file), copy]).fit(BITS)
    file.write_bytes(keep[0])
    resumed = machine("pcd momentum").resume(file, BITS)
    assert_same(resumed, expected)
    assert len(resumed.history_["epoch"]) == 2 * N_EPOCHS


def test_the_file_of_the_last_epoch_is_the_result(file):
    rbm = machine("pcd adam", callbacks=Checkpoint(file, every=4)).fit(BITS)
    resumed = machine("pcd adam").resume(file, BITS)
    assert_same(resumed, rbm)
    for one in (rbm, resumed):
        one.partial_fit(BITS[:9])
    assert_same(resumed, rbm)
    np.testing.assert_array_equal(resumed.sample(3, n_steps=2), rbm.sample(3, n_steps=2))


@pytest.mark.parametrize("monitor", ["pseudo_likelihood", "callable"])
def test_early_stopping_stops_where_the_uninterrupted_fit_does(file, monitor):
    scores = [1, 5, 4, 3, 2, 1, 0, 0, 0]

    def make():
        if monitor == "callable":
            score = lambda model, params, rows: float(-np.abs(params.W).sum())  # noqa: E731
        else:
            score = monitor
        return EarlyStopping(BITS[:9], monitor=score, patience=3)

    settings = {"n_iter": len(scores), "learning_rate": 0.3}
    expected = machine("cd momentum", callbacks=[make()], **settings).fit(BITS)
    n_epochs = len(expected.history_["epoch"])
    interrupted(file, "cd momentum", at=1, callbacks=[make()], **settings)
    resumed = machine("cd momentum", callbacks=[make()], **settings).resume(file, BITS)
    assert_same(resumed, expected)
    assert len(resumed.history_["epoch"]) == n_epochs
    if monitor == "callable":
        assert n_epochs == 4  # weights grow from the first epoch on


def test_a_fit_that_was_stopped_early_has_no_more_to_do(file):
    score = lambda model, params, rows: float(-np.abs(params.W).sum())  # noqa: E731
    stop = [EarlyStopping(BITS, monitor=score, patience=2), Checkpoint(file)]
    rbm = machine("pcd sgd", n_iter=20, learning_rate=0.3, callbacks=stop).fit(BITS)
    assert len(rbm.history_["epoch"]) < 20
    resumed = machine("pcd sgd", n_iter=20, learning_rate=0.3, callbacks=stop)
    with pytest.warns(ConvergenceWarning, match="a callback had ended training after epoch"):
        resumed.resume(file, BITS)
    assert_same(resumed, rbm)
    # The advice: a fit that goes on learns more.
    more = resumed.set_params(warm_start=True, callbacks=None, n_iter=1).fit(BITS)
    assert not np.array_equal(more.components_, rbm.components_)


# A crash while writing -------------------------------------------------------------------------


@pytest.mark.parametrize("failing", ["savez", "fsync", "replace"])
def test_a_crash_while_writing_leaves_the_old_file(file, failing, monkeypatch):
    interrupted(file)
    before = file.read_bytes()

    def crash(*args, **kwargs):
        if failing == "savez":
            args[0].write(b"half of it")
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(np if failing == "savez" else os, failing, crash)
        with pytest.warns(UserWarning, match="could not be written: disk full"):
            fitted = machine("pcd momentum", callbacks=Checkpoint(file)).fit(BITS)
    assert_same(fitted, machine("pcd momentum").fit(BITS))
    assert file.read_bytes() == before
    assert [p.name for p in file.parent.iterdir()] == [file.name]
    assert_same(machine("pcd momentum").resume(file, BITS), machine("pcd momentum").fit(BITS))


# What is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"n_components": 5}, "shape"),
        ({"n_iter": 7}, "n_iter=6, but this is 7"),
        ({"learning_rate": 0.02}, "learning_rate=0.01, but this is 0.02"),
        ({"random_state": 4}, "seed=3, but this is 4"),
        ({"batch_size": 11}, "batch_size=10"),
        ({"weight_decay": 0.1}, "weight_decay=0.0"),
        ({"gradient": "cd"}, r"gradient=PersistentContrastiveDivergence\(\)"),
        ({"optimizer": "sgd"}, "optimizer=Momentum"),
        ({"schedule": "constant"}, "schedule=Linear"),
        ({"regularization": Regularization(l1=0.1)}, "regularization="),
    ],
)
def test_other_settings_are_refused_by_name(file, settings, word):
    interrupted(file)
    rbm = machine("pcd momentum", **settings)
    with pytest.raises(ValueError, match=f"checkpoint 'checkpoint' was written with {word}"):
        rbm.resume(file, BITS)
    assert not hasattr(rbm, "components_")


def test_other_rows_are_refused(file):
    interrupted(file)
    flipped = BITS.copy()
    flipped[3, 2] = 1 - flipped[3, 2]
    for X, word in (
        (flipped, "rows="),
        (BITS[:-1], "rows="),
        (BITS[:, :5], "shape="),
        (BITS.astype(np.float64), "dtype=float32"),
    ):
        with pytest.raises(ValueError, match=f"'checkpoint' was written with {word}"):
            machine("pcd momentum").resume(file, X)
    with pytest.raises(ValueError, match="rows="):
        machine("pcd momentum").resume(file, BITS, sample_weight=WEIGHTS)
    with pytest.raises(ValueError, match="model="):
        machine("gaussian pcd momentum").resume(file, BITS)


def test_another_version_is_refused(file):
    _archive.write(file, {}, {})
    with np.load(file) as stored:
        header = json.loads(str(stored["header"]))
    assert header.keys() == {"format", "version", "digest"}
    assert header["format"] == _archive.FORMAT
    np.savez(file.with_suffix(".npz"), header=np.array(json.dumps({"format": 99})))
    with pytest.raises(ValueError, match=r"'checkpoint.npz' has the format 99.*reads 2"):
        machine("pcd momentum").resume(file.with_suffix(".npz"), BITS)


def contents(kind, file):
    if kind == "npy":
        np.save(file, BITS)
        return file.with_suffix(".npy")
    if kind == "npz":
        np.savez(file, a=BITS)
        return file.with_suffix(".npz")
    if kind == "a header that is none":
        np.savez(file, header=np.array("[1, 2]"))
        return file.with_suffix(".npz")
    if kind == "objects":
        np.savez(file, header=np.array([{}], dtype=object))
        return file.with_suffix(".npz")
    file.write_bytes({"empty": b"", "text": b"not a checkpoint\n" * 50, "zip": b"PK\x03\x04"}[kind])
    return file


@pytest.mark.parametrize(
    "kind", ["empty", "text", "zip", "npy", "npz", "a header that is none", "objects"]
)
@pytest.mark.parametrize("random_state", [3, None])
def test_what_is_no_checkpoint_is_refused_by_name(file, kind, random_state):
    path = contents(kind, file)
    with pytest.raises(
        ValueError, match=f"checkpoint '{path.name}' (cannot be read|has the format)"
    ):
        machine("pcd momentum", random_state=random_state).resume(path, BITS)


def test_a_damaged_file_is_refused_by_name(file):
    """Cut at any length, or with a changed byte: refused, unless the byte was of no account."""
    interrupted(file)
    whole = file.read_bytes()
    expected = {name: x.tobytes() for name, x in _archive.read(file)[1].items()}
    damage = np.random.default_rng(0)
    for length in damage.integers(0, len(whole), 60):
        file.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="checkpoint 'checkpoint' cannot be read"):
            _archive.read(file)
    for place in damage.integers(0, len(whole), 300):
        changed = bytearray(whole)
        changed[place] ^= 1 << int(damage.integers(8))
        file.write_bytes(bytes(changed))
        try:
            arrays = _archive.read(file)[1]
        except ValueError as error:
            assert "'checkpoint'" in str(error)  # noqa: PT017
        else:
            assert all(arrays[k].tobytes() == x for k, x in expected.items() if k in arrays)


def test_a_file_that_is_not_there_is_named(file):
    with pytest.raises(FileNotFoundError, match="checkpoint"):
        machine("pcd momentum").resume(file, BITS)
