"""The compiler's cache on disk: a convenience that may be missing, full, damaged or not writable.

Each case runs one small kernel in processes of its own. The folders that cannot be written to are files, which stop the
super-user too.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# A module of its own folder, so that the copy beside the source is under the test's control.
KERNEL = """
from ebm._jit import jit


@jit
def double(x):
    return 2 * x


@jit
def quadruple(x):
    return double(double(x))
"""

PROGRAM = """
import warnings

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    {prelude}
    from tiny_kernel import quadruple

    assert {claim}
hits = sum(quadruple.stats.cache_hits.values())
print(f"hits {{hits}}", *(f"{{w.category.__name__}}: {{w.message}}" for w in caught), sep="\\n")
"""

pytestmark = pytest.mark.needs_jit


@pytest.fixture
def package(tmp_path):
    """A folder with the kernel, where __pycache__ is a file: like a read-only installation."""
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "tiny_kernel.py").write_text(KERNEL)
    (folder / "__pycache__").touch()
    return folder


def run(package, prelude="", claim="quadruple(3) == 12", **environment):
    """Hits of the cache, and the warnings, of a new process with no other place to write to than given."""
    nowhere = package / "__pycache__"  # a file: no folder can be made below it
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA_", "XDG_", "HOME"))}
    places = {"HOME": str(nowhere), "PYTHONPATH": f"{package}{os.pathsep}{ROOT}"}
    places["PYTHONDONTWRITEBYTECODE"] = "1"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(prelude=prelude, claim=claim)],
        cwd=package,
        env=kept | places | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    first, *warned = done.stdout.splitlines()
    return int(first.removeprefix("hits ")), warned


def assert_one_warning(warned, reason):
    (line,) = warned
    assert line.startswith("RuntimeWarning: ")
    assert reason in line and "NUMBA_CACHE_DIR" in line and "compiles anew" in line


def test_without_a_writable_folder_it_compiles_and_warns_once(package):
    hits, warned = run(package)
    assert hits == 0
    assert_one_warning(warned, "no folder")


def test_a_given_folder_that_cannot_be_written_to_is_no_error(package):
    hits, warned = run(package, NUMBA_CACHE_DIR=str(package / "__pycache__" / "below"))
    assert hits == 0
    assert_one_warning(warned, "no folder")


def test_the_cure_that_the_warning_names(package, tmp_path):
    folder = str(tmp_path / "cache")
    assert run(package, NUMBA_CACHE_DIR=folder) == (0, [])
    assert run(package, NUMBA_CACHE_DIR=folder) == (1, [])


FULL_DISK = """
    import errno, io, os, numba.core.caching as caching

    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    # The modules of the standard library keep their own open.
    caching.open = lambda path, mode: open(path, mode) if "r" in mode else Full()
"""


def test_a_full_disk_compiles_and_warns_once(package, tmp_path):
    folder = tmp_path / "cache"
    hits, warned = run(package, FULL_DISK.strip(), NUMBA_CACHE_DIR=str(folder))
    assert hits == 0
    assert_one_warning(warned, os.strerror(28))
    assert not [p for p in folder.rglob("*") if p.is_file()]


def damage_index(folder):
    for path in folder.rglob("*.nbi"):
        path.write_bytes(path.read_bytes()[:40])


def damage_code(folder):
    for path in folder.rglob("*.nbc"):
        path.write_bytes(path.read_bytes()[:40])


def lose_code(folder):
    for path in folder.rglob("*.nbc"):
        path.unlink()


def empty_index(folder):
    for path in folder.rglob("*.nbi"):
        path.write_bytes(b"")


def test_damaged_files_are_compiled_anew_and_replaced(package, tmp_path):
    folder = tmp_path / "cache"
    run(package, NUMBA_CACHE_DIR=str(folder))
    for damage in (damage_index, damage_code, lose_code, empty_index):
        damage(folder)
        assert run(package, NUMBA_CACHE_DIR=str(folder)) == (0, []), damage.__name__
    assert run(package, NUMBA_CACHE_DIR=str(folder)) == (1, [])


def test_code_of_other_types_is_not_run(package, tmp_path):
    # Two processes that compile for two types at the same moment can both call their file the first.
    folder = tmp_path / "cache"
    claim = "quadruple(3) == 12 and quadruple(0.5) == 2.0"
    run(package, claim=claim, NUMBA_CACHE_DIR=str(folder))
    first, second = sorted(folder.rglob("*quadruple*.nbc"))
    bytes_of_first = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(bytes_of_first)
    assert run(package, claim=claim, NUMBA_CACHE_DIR=str(folder)) == (0, [])
    assert run(package, claim=claim, NUMBA_CACHE_DIR=str(folder)) == (2, [])


def test_an_index_that_cannot_be_read_nor_replaced_warns(package, tmp_path):
    folder = tmp_path / "cache"
    run(package, NUMBA_CACHE_DIR=str(folder))
    for path in list(folder.rglob("*.nbi")):
        path.unlink()
        path.mkdir()
    hits, warned = run(package, NUMBA_CACHE_DIR=str(folder))
    assert hits == 0
    assert_one_warning(warned, "IsADirectoryError")


def test_a_failed_write_leaves_no_index_that_names_the_code_of_another_source(package, tmp_path):
    # Numba writes the new index first: were the code then missing, the old code would pass for new.
    folder = str(tmp_path / "cache")
    run(package, NUMBA_CACHE_DIR=folder)
    source = package / "tiny_kernel.py"
    source.write_text(KERNEL.replace("2 * x", "x + x + 0"))
    full_for_code = FULL_DISK.replace('"r" in mode', '".nbc" not in str(path)')
    _, warned = run(package, full_for_code.strip(), NUMBA_CACHE_DIR=folder)
    assert_one_warning(warned, os.strerror(28))
    assert run(package, NUMBA_CACHE_DIR=folder) == (0, [])


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
def test_long_compilation_is_announced_once(tmp_path, patience, prelude, lines):
    program = SLOW.format(patience=patience, prelude=prelude)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr.count("Compiling for the first use") == lines, done.stderr
    again = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert again.stderr == "", "loaded from the disk, nothing was compiled"
