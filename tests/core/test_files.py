"""Paths of checkpoints, and files that are replaced as a whole: on full disks, in vanished folders, after kills."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ebm import (
    BernoulliRBM,
    Checkpoint,
    DenseAssociativeClassifier,
    MLPClassifier,
    _archive,
    _files,
)

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]
X = np.eye(6)[:, :4]
Y = np.arange(6) % 2
# Rounds of the test that kills; more of them by hand.
N_KILLS = int(os.environ.get("EBM_KILLS", "50"))


def small(**settings):
    return BernoulliRBM(n_components=2, n_iter=3, random_state=0, **settings)


def loop(path):
    path.symlink_to(path.name)
    return path


PATHS = {
    "NUL": lambda folder: "a\0b",
    "no code of a character": lambda folder: "\ud800",
    "empty": lambda folder: "",
    "a folder": lambda folder: folder,
    "this folder": lambda folder: ".",
    "the root": lambda folder: "/",
    "too long": lambda folder: folder / ("x" * 254),
    "far too long": lambda folder: folder / ("x" * 10_000),
    "a folder that is none": lambda folder: folder / "none" / "file",
    "below a file": lambda folder: Path(__file__) / "file",
    "a tilde": lambda folder: "~/file",
    "a device": lambda folder: "/dev/null",
    "a circle of links": lambda folder: loop(folder / "circle"),
    "bytes": lambda folder: b"file",
    "None": lambda folder: None,
    "a flag": lambda folder: True,
    "a descriptor": lambda folder: 1,
    "a number": lambda folder: 2.5,
    "an array": lambda folder: X,
    "a list": lambda folder: ["file"],
    "an open file": lambda folder: sys.stdin,
}


@pytest.mark.parametrize("kind", PATHS)
def test_paths_that_are_none_are_refused_when_a_checkpoint_is_made(kind, tmp_path):
    with pytest.raises((TypeError, ValueError), match=r"^path (must be|holds)") as refused:
        Checkpoint(PATHS[kind](tmp_path))
    assert len(str(refused.value)) < 600


RESUMED = {
    "machine": lambda file: small().resume(file, X),
    "network": lambda file: MLPClassifier().resume(file, X, Y),
    "memory": lambda file: DenseAssociativeClassifier().resume(file, X, Y),
}


@pytest.mark.parametrize("kind", [*PATHS, "missing"])
@pytest.mark.parametrize("estimator", RESUMED)
def test_paths_that_are_none_are_refused_by_resume(kind, estimator, tmp_path):
    """By the argument's name, and nothing is opened or closed."""
    path = {**PATHS, "missing": lambda folder: folder / "missing"}[kind](tmp_path)
    with pytest.raises((TypeError, ValueError, OSError), match=r"checkpoint (must be|holds)"):
        RESUMED[estimator](path)
    os.fstat(1)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match=r"checkpoint must be .*no regular file"):
        small().resume(tmp_path / "pipe", X)


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
def test_a_folder_without_permission_is_refused(tmp_path, monkeypatch):
    """By what the system says of it, for an administrator may write anywhere."""
    monkeypatch.setattr(os, "access", lambda folder, mode: False)
    with pytest.raises(ValueError, match=r"no permission to write to .*another folder"):
        Checkpoint(tmp_path / "file")


def test_texts_and_paths_name_the_same_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in ("file", Path("file"), tmp_path / "file", "./file", "x" * 200):
        small(callbacks=Checkpoint(path)).fit(X)
        small().resume(path, X)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "x" * 200]


# Links and modes ----------------------------------------------------------------------------------


@pytest.fixture(params=["nameless", "named"])
def way(request, monkeypatch):
    """Both ways to a new file: of systems that know files without names, and of those that do not."""
    if request.param == "named":
        monkeypatch.setattr(_files, "_nameless", lambda folder: -1)
    return request.param


@pytest.mark.skipif(os.name != "posix", reason="links and modes are those of POSIX")
def test_links_and_modes_stay(way, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "target", tmp_path / "link"
    link.symlink_to(Path("elsewhere", "target"))
    mask = os.umask(0o027)
    try:
        for mode in (0o640, 0o644, 0o400):  # the first is what the mask leaves of a new file
            small(callbacks=Checkpoint(link)).fit(X)
            assert stat.S_IMODE(target.stat().st_mode) == mode or target.chmod(mode) is None
            small(callbacks=Checkpoint(link)).fit(X)
            assert stat.S_IMODE(target.stat().st_mode) == mode
    finally:
        os.umask(mask)
    assert link.is_symlink() and [p.name for p in target.parent.iterdir()] == ["target"]
    small().resume(link, X)


def test_what_a_crash_has_left_is_used_up(way, tmp_path):
    _files._part(tmp_path / "file").write_bytes(b"half of it")
    small(callbacks=Checkpoint(tmp_path / "file")).fit(X)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_another_file_in_the_place_of_ours_is_not_taken(tmp_path, monkeypatch):
    """Two processes that write to one file, where files have names from the start."""
    monkeypatch.setattr(_files, "_nameless", lambda folder: -1)
    file = tmp_path / "file"

    def write():
        with _files.replacing(file) as ours:
            ours.write(b"ours")
            _files._part(file).unlink()
            _files._part(file).write_bytes(b"of the other")

    with pytest.raises(FileExistsError, match="another process"):
        write()
    assert not file.exists()


def test_threads_that_write_to_one_file_leave_one_of_theirs(tmp_path):
    """Where files have no name until they are complete."""
    if _files._nameless(tmp_path) < 0:
        pytest.skip("this system does not know files without a name")
    file = tmp_path / "file"

    def write(k):
        for _ in range(25):
            _archive.write(file, {"k": k}, {"x": np.full(1000, float(k))})
            header, arrays = _archive.read(file)
            assert (arrays["x"] == header["k"]).all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


# Disks and folders --------------------------------------------------------------------------------


def full(*args, **kwargs):
    args[0].write(b"half of it")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def trained(callbacks, **settings):
    """All that is told while such a machine is trained; it is trained to its end."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        fitted = small(callbacks=callbacks, **settings).fit(X)
    np.testing.assert_array_equal(fitted.components_, small().fit(X).components_)
    return [str(x.message) for x in told]


def test_a_full_disk_is_told_once_and_the_old_file_stays(way, tmp_path, monkeypatch):
    file = tmp_path / "file"
    small(callbacks=Checkpoint(file)).fit(X)
    before = file.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(np, "savez", full)
        told = trained(Checkpoint(file))
    assert len(told) == 1 and f"{file} could not be written" in told[0] and "No space" in told[0]
    assert file.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["file"]


LIMITED = """
import resource, sys
import numpy as np
from ebm import _archive, _files

if sys.argv[2] == "named":
    _files._nameless = lambda folder: -1
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    _archive.write(sys.argv[1], {}, {"x": np.zeros(100)})
except OSError as error:
    print(error)
"""


@pytest.mark.skipif(os.name != "posix", reason="limits are those of POSIX")
def test_a_limit_of_the_system_leaves_no_file(way, tmp_path):
    """In a process of its own, which may write files of a hundred bytes."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "file"), way],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "File too large" in done.stdout
    assert not [*tmp_path.iterdir()]


def test_a_folder_that_vanishes_is_told_once_and_may_come_back(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    callback = Checkpoint(folder / "file")
    folder.rmdir()
    told = trained(callback)
    assert len(told) == 1 and "No such file or directory" in told[0]

    def bring_back(report):
        if report.epoch == 3:
            folder.mkdir()

    assert len(trained([bring_back, callback])) == 1
    small().resume(folder / "file", X)


@pytest.mark.parametrize("kept", [[1, None], {"a": 1}, np.array([{}])])
def test_what_cannot_be_written_is_told_once(kept, tmp_path):
    def keep(report):
        report.saved["odd"] = kept

    told = trained([keep, Checkpoint(tmp_path / "file")])
    assert len(told) == 1 and "'kept.odd' holds objects" in told[0]
    told = trained([lambda report: {"word": "text"}, Checkpoint(tmp_path / "file")])
    assert len(told) == 1 and "'word' of the history" in told[0]
    assert not [*tmp_path.iterdir()]


# Kills ----------------------------------------------------------------------------------------------

KILLED = """
import os, signal, sys, time
from pathlib import Path
import numpy as np
from ebm import _archive, _files

file, n_kills = Path(sys.argv[1], "file"), int(sys.argv[2])
if sys.argv[3] == "named":
    _files._nameless = lambda folder: -1
part = _files._part(file)
k, litter = 0, 0

def write(k):
    _archive.write(file, {"k": k}, {"x": np.full(20_000, float(k))})

for moment in np.random.default_rng(0).uniform(0, 0.02, n_kills):
    write(k := k + 1)
    ready, begun = os.pipe()
    child = os.fork()
    while not child:
        write(k := k + 1)
        os.write(begun, b".")
    os.read(ready, 1)
    time.sleep(moment)
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    header, arrays = _archive.read(file)
    assert header["k"] > k and (arrays["x"] == header["k"]).all()
    left = set(os.listdir(file.parent)) - {"file"}
    assert left <= {part.name}, left
    litter += len(left)
    os.close(ready)
    os.close(begun)
write(0)
assert os.listdir(file.parent) == ["file"]
print(litter)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="signals are those of POSIX")
def test_kills_leave_the_old_file_or_the_new(way, tmp_path):
    """A child writes without a pause and is killed at moments that come from a seed; then there is another one."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), str(N_KILLS), way],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if hasattr(os, "O_TMPFILE") and way == "nameless":
        assert (
            int(done.stdout) < N_KILLS / 4
        )  # only between the name and the place: about one in a hundred
