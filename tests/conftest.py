"""What every test can rely on: pinned threads, a fresh compiler cache, no windows, the data folder.

The environment is set before anything imports NumPy, Numba or ebm, which read it once.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]


def _cache_key() -> str:
    # Numba's disk cache goes stale when a callee in another file changes, and it does not notice
    # the two switches either.
    digest = hashlib.sha256()
    for switch in ("NUMBA_BOUNDSCHECK", "NUMBA_DISABLE_JIT"):
        digest.update(f"{switch}={os.environ.get(switch, '')};".encode())
    # All that is compiled lies in the kernels and goes through one decorator (test_architecture.py).
    sources = [ROOT / "ebm" / "_jit.py", *(ROOT / "ebm" / "_kernels").rglob("*.py")]
    for path in sorted(sources):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


# One BLAS thread: the last bits of a product depend on their number, and small products wait for
# each other. Two Numba threads, so that tests which compare one with two can, on any machine.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
os.environ["NUMBA_NUM_THREADS"] = "2"
os.environ["NUMBA_CACHE_DIR"] = str(ROOT / ".numba_cache" / _cache_key())
os.environ["MPLBACKEND"] = "Agg"

import hypothesis  # noqa: E402
import numpy  # noqa: E402
import pytest  # noqa: E402
import sklearn  # noqa: E402
from threadpoolctl import threadpool_limits  # noqa: E402

# Fixed seeds, and no deadline, for the first example of a property may compile a kernel.
hypothesis.settings.register_profile("ebm", derandomize=True, deadline=None)
hypothesis.settings.load_profile("ebm")


@pytest.fixture(scope="session", autouse=True)
def _one_blas_thread() -> Iterator[None]:
    """Pin the pools that were loaded before the environment could tell them."""
    with threadpool_limits(limits=1):
        yield


@pytest.fixture(autouse=True)
def _states_of_other_libraries() -> Iterator[None]:
    """Hand no error state of NumPy on, and no configuration of scikit-learn: interrupts may leave them changed."""
    before, config = numpy.geterr(), sklearn.get_config()
    yield
    numpy.seterr(**before)
    sklearn.set_config(**config)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The optional folder of data sets; tests that want it are skipped where there is none."""
    folder = Path(os.environ.get("EBM_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no data folder at {folder}: set EBM_DATA to the folder of data sets")
    return folder
