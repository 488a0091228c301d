"""The compiler's cache on disk: a convenience that may be missing, full, damaged, stale or not writable.

Each case runs one small kernel in a process of its own, forked from one that has loaded the compiler. The folders that
cannot be written to are files, which stop the super-user too.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Modules of their own folder, so that the copies beside the sources are under the test's control.
HELPER = """
from ebm._jit import jit

FACTOR = 2


@jit
def double(x):
    return FACTOR * x
"""
KERNEL = """
from ebm._jit import jit
from tiny.helper import (
    double,  # and no more
)


@jit
def quadruple(x):
    return double(double(x))
"""

PROGRAM = """
import warnings

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    {prelude}
    from tiny.kernel import quadruple

    assert {claim}
hits = sum(quadruple.stats.cache_hits.values())
print(f"hits {{hits}}", *(f"{{w.category.__name__}}: {{w.message}}" for w in caught), sep="\\n")
"""

# Reads programs with their environments, runs each in a child, and writes what it printed.
NURSERY = """
import json, os, signal, sys, tempfile, traceback
import numba
from ebm import _jit

numba.njit(lambda x: x + 1)(1)  # loads the compiler


def child(program, folder, environment):
    for name in ("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"):
        os.environ.pop(name, None)
    os.environ.update(environment)
    numba.config.CACHE_DIR = os.environ.get("NUMBA_CACHE_DIR", "")
    sys.path.insert(0, folder)
    os.chdir(folder)
    try:
        exec(program, {})
    except BaseException:
        traceback.print_exc(file=sys.stdout)
        return 1
    return 0


for line in sys.stdin:
    runs = json.loads(line)
    children, files = [], [tempfile.TemporaryFile("w+") for _ in runs]
    for run, file in zip(runs, files):
        pid = os.fork()
        if not pid:
            sys.stdout = file
            os.dup2(file.fileno(), 2)
            status = child(*run)
            file.flush()
            os._exit(status)
        children.append(pid)
    failed = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
    said = []
    for file in files:
        file.seek(0)
        said.append(file.read())
    print(json.dumps([failed, said]), flush=True)
"""

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="every case is a forked process"),
]


@pytest.fixture(scope="module")
def nursery():
    """A process that runs programs in children: see NURSERY."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    environment |= {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", NURSERY],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.stdin.close()


@pytest.fixture
def run_all(tmp_path, nursery):
    """Outputs of programs that run at the same time."""

    def run_all(*runs):
        print(json.dumps(runs), file=nursery.stdin, flush=True)
        failed, said = json.loads(nursery.stdout.readline())
        assert not any(failed), "\n".join(said)
        return said

    return run_all


@pytest.fixture
def package(tmp_path):
    """A package with the kernel, where __pycache__ is a file: like a read-only installation."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "helper.py").write_text(HELPER)
    (folder / "kernel.py").write_text(KERNEL)
    (folder / "__pycache__").touch()
    return folder


@pytest.fixture
def run(run_all, package):
    """Hits of the cache, and the warnings, of a new process with no other place to write to than given."""

    def run(prelude="", claim="quadruple(3) == 12", **environment):
        home = {"HOME": str(package / "__pycache__")}  # a file: no folder can be made below it
        program = PROGRAM.format(prelude=prelude.strip(), claim=claim)
        (said,) = run_all((program, str(package.parent), home | environment))
        first, *warned = said.splitlines()
        return int(first.removeprefix("hits ")), warned

    return run


@pytest.fixture
def cached(run, tmp_path):
    """The folder of a cache that holds the kernel, and a run with it."""
    folder = tmp_path / "cache"

    def again(prelude="", **rest):
        return run(prelude, NUMBA_CACHE_DIR=str(folder), **rest)

    assert again() == (0, [])
    return folder, again


def assert_one_warning(warned, reason):
    (line,) = warned
    assert line.startswith("RuntimeWarning: ")
    assert reason in line and "NUMBA_CACHE_DIR" in line and "compiles anew" in line


# --- nowhere to write -----------------------------------------------------------------------------

NO_HOME = """
    import os, pwd
    del os.environ["HOME"]
    pwd.getpwuid = {}.__getitem__  # a user without an entry, as containers have
"""
FULL_DISK = """
    import errno, io, os, tempfile, numba.core.caching as caching

    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    # The modules of the standard library keep their own open.
    caching.open = lambda path, mode: open(path, mode) if "r" in mode else Full()
"""
NO_FILES = """
    import errno, os, tempfile

    def refuse(*args, **settings):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    tempfile.TemporaryFile = refuse  # folders exist, and nothing can be written
"""


@pytest.mark.parametrize("prelude", ["", NO_HOME, NO_FILES], ids=["no", "unset", "read-only"])
@pytest.mark.parametrize("given", [None, "", "tiny/__pycache__/below", "a" * 5000])
def test_without_a_writable_folder_it_compiles_and_warns_once(run, package, prelude, given):
    there = {} if given is None else {"NUMBA_CACHE_DIR": given}
    hits, warned = run(prelude, **there)
    assert hits == 0
    assert_one_warning(warned, "no folder")
    assert not (package.parent / "~").exists()


def test_the_cure_that_the_warning_names(cached):
    folder, again = cached
    assert again() == (1, [])
    assert list(folder.rglob("*quadruple*.nbi"))


@pytest.mark.parametrize("home", ["NUMBA_CACHE_DIR", "XDG_CACHE_HOME"])
def test_a_full_disk_compiles_and_warns_once(run, tmp_path, home):
    folder = tmp_path / "cache"
    hits, warned = run(FULL_DISK, **{home: str(folder)})
    assert hits == 0
    assert_one_warning(warned, os.strerror(28))
    assert not [p for p in folder.rglob("*") if p.is_file()]


# --- damaged, of other versions, of other sources -----------------------------------------------------


def cut(raw):
    return raw[:40]


def emptied(raw):
    return b""


def noise(raw):
    return bytes((37 * i * i + 11) % 256 for i in range(len(raw)))


def garbled(raw):
    """Some bytes in the midst of it are others: in code, machine code that a disk has lost."""
    middle = len(raw) // 2
    return raw[:middle] + noise(raw[middle : middle + 64]) + raw[middle + 64 :]


def of_another_version(raw):
    import pickle

    return pickle.dumps("0.1.0") + raw


@pytest.mark.parametrize("files", ["*.nbi", "*.nbc"])
@pytest.mark.parametrize("damage", [cut, emptied, noise, garbled, of_another_version, None])
def test_damaged_files_are_compiled_anew_and_replaced(cached, files, damage):
    folder, again = cached
    for path in folder.rglob(files):
        if damage is None:
            path.unlink()
        else:
            path.write_bytes(damage(path.read_bytes()))
    assert again() == (0, [])
    assert again() == (1, [])


def test_code_of_other_types_is_not_run(cached):
    # Two processes that compile for two types at the same moment can both call their file the first.
    folder, again = cached
    claim = "quadruple(3) == 12 and quadruple(0.5) == 2.0"
    again(claim=claim)
    first, second = sorted(folder.rglob("*quadruple*.nbc"))
    bytes_of_first = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(bytes_of_first)
    assert again(claim=claim) == (0, [])
    assert again(claim=claim) == (2, [])


@pytest.mark.parametrize("change", ["double", "FACTOR"])
def test_code_is_compiled_anew_when_a_source_that_went_into_it_has_changed(cached, package, change):
    """As by an upgrade, which leaves the files of the version before it where they are."""
    _, again = cached
    new = HELPER.replace("FACTOR = 2", "FACTOR = 3" if change == "FACTOR" else "FACTOR = 4 - 1")
    (package / "helper.py").write_text(new)
    assert again(claim="quadruple(3) == 27") == (0, [])
    assert again(claim="quadruple(3) == 27") == (1, [])


def test_code_that_another_source_left_under_a_new_index_is_not_run(cached, package):
    # A process of the version before may write its code after the new one has written the index.
    folder, again = cached
    (path,) = folder.rglob("*quadruple*.nbc")
    old = path.read_bytes()
    (package / "helper.py").write_text(HELPER.replace("FACTOR = 2", "FACTOR = 3"))
    again(claim="quadruple(3) == 27")
    path.write_bytes(old)
    assert again(claim="quadruple(3) == 27") == (0, [])


def test_an_index_that_cannot_be_read_nor_replaced_warns(cached):
    folder, again = cached
    for path in list(folder.rglob("*.nbi")):
        path.unlink()
        path.mkdir()
    hits, warned = again()
    assert hits == 0
    assert_one_warning(warned, "IsADirectoryError")


def test_a_failed_write_leaves_no_index_that_names_the_code_of_another_source(cached, package):
    # Numba writes the new index first: were the code then missing, the old code would pass for new.
    _, again = cached
    (package / "helper.py").write_text(HELPER.replace("FACTOR * x", "x + x + 0"))
    _, warned = again(FULL_DISK.replace('"r" in mode', '".nbc" not in str(path)'))
    assert_one_warning(warned, os.strerror(28))
    assert again() == (0, [])


def test_processes_that_compile_at_once_get_the_same(run_all, package, tmp_path):
    environment = {"HOME": str(package), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    claims = ["quadruple(3) == 12", "quadruple(0.5) == 2.0", "quadruple(True) == 4"]
    programs = [PROGRAM.format(prelude="", claim=claim) for claim in 2 * claims]
    for _ in range(2):
        said = run_all(*((program, str(package.parent), environment) for program in programs))
        assert all(text.splitlines()[1:] == [] for text in said), said


# --- interrupts -----------------------------------------------------------------------------------

# Each pair is interrupted once, after a random part of the time that compiling takes, and is then called as if nothing
# had happened.
PAIR = """
@jit
def inner{k}(x):
    return x[0] ** 2 if x[0] > 0 else -x[0]


@jit
def outer{k}(x, y):
    return inner{k}(x) + inner{k}(y) * 2 + {k}
"""
INTERRUPTED = """
import random, signal, time, warnings
import numpy as np
from tiny import pairs

warnings.simplefilter("error")
random.seed(0)
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGALRM, lambda *args: signal.raise_signal(signal.SIGINT))
x = np.array([2.0, -2.0])
begun = time.perf_counter()
pairs.outer0(x, x)
took, heard = time.perf_counter() - begun, 0
for k in range(1, {moments} + 1):
    outer = getattr(pairs, f"outer{{k}}")
    try:
        signal.setitimer(signal.ITIMER_REAL, 1e-6 + random.random() * took)
        outer(x, x)
        signal.pause()  # it was faster
    except KeyboardInterrupt:
        heard += 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert outer(x, x) == 12.0 + k, k
loaded = sum(sum(outer.stats.cache_hits.values()) > 0 for outer in vars(pairs).values() if hasattr(outer, "stats"))
print(heard, loaded)
"""


def test_an_interrupt_is_heard_and_the_next_call_compiles(run_all, package):
    moments = int(os.environ.get("EBM_INTERRUPTS", "10"))
    pairs = [PAIR.format(k=k) for k in range(moments + 1)]
    (package / "pairs.py").write_text("from ebm._jit import jit\n" + "".join(pairs))
    environment = {"NUMBA_CACHE_DIR": str(package.parent / "cache")}
    run = (INTERRUPTED.format(moments=moments), str(package.parent), environment)
    assert run_all(run) == [f"{moments} 0\n"]
    (again,) = run_all(run)
    assert int(again.split()[1]) > moments, "what was interrupted is on the disk, too"


# --- forks ----------------------------------------------------------------------------------------

FORKED = """
import os, signal, threading
from tiny import pairs
import numpy as np

x = np.array([2.0, -2.0])
pairs.outer0(x, x)


def compile_all():
    for k in range(1, 8):
        getattr(pairs, f"outer{k}")(x, x)


for k in range(8, 11):
    other = threading.Thread(target=compile_all)
    other.start()
    pid = os.fork()
    if not pid:
        signal.alarm(60)  # it would wait for ever
        os._exit(getattr(pairs, f"outer{k}")(x, x) != 12.0 + k)
    assert os.waitpid(pid, 0)[1] == 0
    other.join()
"""


def test_a_child_forked_while_another_thread_compiles_can_compile(run_all, package):
    pairs = [PAIR.format(k=k) for k in range(11)]
    (package / "pairs.py").write_text("from ebm._jit import jit\n" + "".join(pairs))
    environment = {"NUMBA_CACHE_DIR": str(package.parent / "cache")}
    assert run_all((FORKED, str(package.parent), environment)) == [""]


# --- a first call that takes long -----------------------------------------------------------------

SLOW = """
import logging
from ebm import _jit

_jit.PATIENCE = {patience}
{prelude}
from ebm._random import normal, stream

for n in (2, 3):
    normal(stream(0, "evaluation"), (n, n), "float32")
"""


@pytest.mark.parametrize(
    ("patience", "prelude", "lines"),
    [
        (0.0, "", 1),
        (1e9, "", 0),
        (0.0, 'logging.getLogger("ebm").setLevel("ERROR")', 0),
    ],
)
def test_long_compilation_is_announced_once(run_all, tmp_path, patience, prelude, lines):
    program = SLOW.format(patience=patience, prelude=prelude)
    run = (program, str(tmp_path), {"NUMBA_CACHE_DIR": str(tmp_path / "cache")})
    (said,) = run_all(run)
    assert said.count("Compiling for the first use") == lines, said
    assert run_all(run) == [""], "loaded from the disk, nothing was compiled"
