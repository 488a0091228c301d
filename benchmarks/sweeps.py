"""Speed of sequential sweeps beside the matrix product that they cannot avoid and the loops they replace, in one run.

    python benchmarks/sweeps.py [--quick] [--sparse] [--dwave PYTHON]

A sweep visits every unit of a pairwise model once, in all chains. Its floor is one product of the couplings N x N with
states N x 100, single precision. Beside it stand two ways to write a sweep in NumPy: a loop over units that updates all
probes at once, and a loop over units and probes. Recall is timed as a whole, from noisy patterns until nothing moves,
and divided by its sweeps. One chain has another floor: to read J once, in a product of J with one vector. Last, epochs
of persistent contrastive divergence of a fully visible 784-unit machine on MNIST, where scikit-learn can fetch it.

Sparse couplings (alone with --sparse): Ising models on square lattices, beside a compiled loop over lists of neighbours
and beside the same couplings as a dense matrix; and simulated annealing of a glass, beside dwave-samplers, which may be
installed for another interpreter: --dwave names that.
"""

import argparse
import json
import platform
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from ais_throughput import ratios
from numba import njit
from scipy.sparse import csr_array, triu
from threadpoolctl import threadpool_info, threadpool_limits

from ebm import BoltzmannMachine, Spin, lattice
from ebm._random import stream
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.inference import recall
from ebm.samplers import gibbs

MODEL, KEY = Pairwise(Spin()), stream(0, "evaluation")


def spin_glass(n: int) -> PairwiseParameters:
    """Couplings N(0, 1 / n): the spin glass of Sherrington & Kirkpatrick."""
    J = np.random.default_rng(0).normal(size=(n, n)) / np.sqrt(2 * n)
    J = J + J.T
    np.fill_diagonal(J, 0)
    return PairwiseParameters(J.astype(np.float32), np.zeros(n, np.float32))


def hopfield(n: int, n_patterns: int) -> tuple[PairwiseParameters, np.ndarray]:
    """A Hebbian network, and probes: its first patterns with a tenth of the bits flipped."""
    rng = np.random.default_rng(0)
    X = np.where(rng.random((n_patterns, n)) < 0.5, -1, 1).astype(np.float32)
    J = X.T @ X / n
    np.fill_diagonal(J, 0)
    probes = np.where(rng.random((100, n)) < 0.1, -1, 1) * X[:100]
    return PairwiseParameters(J, np.zeros(n, np.float32)), probes.astype(np.float32)


def product(params: PairwiseParameters, n_chains: int) -> None:
    """The floor."""
    n = len(params.bias)
    s, out = np.ones((n, n_chains), np.float32), np.empty((n, n_chains), np.float32)
    np.dot(params.J, s, out=out)


def loop_over_units(params: PairwiseParameters, s: np.ndarray, beta: float) -> None:
    """A sweep as one writes it in NumPy: unit by unit, all probes at once."""
    s, rng = s.copy(), np.random.default_rng(0)
    for i in range(s.shape[1]):
        f = s @ params.J[i] + params.bias[i]
        if beta:
            s[:, i] = np.where(rng.random(len(s)) < 1 / (1 + np.exp(-2 * beta * f)), 1, -1)
        else:
            s[:, i] = np.where(f == 0, s[:, i], np.sign(f))


def loop_over_units_and_probes(params: PairwiseParameters, s: np.ndarray, beta: float) -> None:
    """A sweep as a textbook writes it."""
    s, rng = s.copy(), np.random.default_rng(0)
    for state in s:
        for i in range(s.shape[1]):
            f = params.J[i] @ state + params.bias[i]
            if beta:
                state[i] = 1 if rng.random() < 1 / (1 + np.exp(-2 * beta * f)) else -1
            elif f != 0:
                state[i] = np.sign(f)


def show(title: str, tasks: dict, repeats: int, n_sweeps: int = 1) -> None:
    """One line of ratios to the first task, per sweep."""
    found = ratios(tasks, repeats)
    floor, (first, *others) = 1e3 * found["floor"], tasks
    figures = "  ".join(f"{name} {found[name] / n_sweeps:.2f}" for name in others)
    print(f"  {title:46s} {first} {floor:.3f} ms   {figures}")


def sweeps(repeats: int, n_slow: int) -> None:
    """Ratios to the product, and how much slower the loops are than ours."""
    network, probes = hopfield(2000, 100)
    glass = spin_glass(784)
    s = np.where(np.random.default_rng(1).random((100, 784)) < 0.5, -1, 1).astype(np.float32)
    coins = np.random.default_rng(1).random(probes.shape) < 0.5
    for name, x in (("noisy patterns", probes), ("random starts", np.where(coins, -1, 1))):
        recalled_in_turn(name, network, x.astype(np.float32), repeats)
    show(
        "Gibbs, N = 784, 100 chains",
        {
            "product": lambda: product(glass, 100),
            "cyclic": lambda: gibbs(MODEL, glass, s, KEY, 1),
            "random order": lambda: gibbs(MODEL, glass, s, KEY, 1, visit="random"),
            "glauber": lambda: gibbs(MODEL, glass, s, KEY, 1, visit="glauber"),
        },
        repeats,
    )
    frozen = gibbs(MODEL, glass, s[:1], KEY, 200, beta=5.0)
    show(
        "Gibbs, N = 784, one cold chain",
        {
            "J s": lambda: product(glass, 1),
            "cyclic": lambda: gibbs(MODEL, glass, frozen, KEY, 1, beta=5.0),
        },
        repeats,
    )

    n_sweeps = n_sweeps_of(network, probes)
    ours = {"ours": lambda: recall(MODEL, network, probes, KEY)}
    loops("recall, N = 2000, noisy patterns", ours, (network, probes, 0.0), n_sweeps, n_slow)
    ours = {"ours": lambda: gibbs(MODEL, glass, s, KEY, 3)}
    loops("Gibbs, N = 784, 100 chains", ours, (glass, s, 1.0), 3, n_slow)


def n_sweeps_of(network: PairwiseParameters, probes: np.ndarray) -> int:
    """Sweeps until nothing moves; a last one finds that out."""
    return int(recall(MODEL, network, probes, KEY).n_sweeps.max()) + 1


def recalled_in_turn(
    name: str, network: PairwiseParameters, probes: np.ndarray, repeats: int
) -> None:
    """Whole recalls per sweep, beside the product."""
    n_sweeps = n_sweeps_of(network, probes)
    show(
        f"recall, N = 2000, {name}, {n_sweeps} sweeps",
        {
            "product": lambda: product(network, 100),
            "random order": lambda: recall(MODEL, network, probes, KEY),
            "cyclic": lambda: recall(MODEL, network, probes, KEY, update="cyclic"),
        },
        repeats,
        n_sweeps,
    )


def loops(title: str, ours: dict, problem: tuple, n_sweeps: int, n_slow: int) -> None:
    """How many times longer a sweep takes in the loops; the slower is timed on `n_slow` chains."""
    params, start, beta = problem
    quick = {**ours, "loop over units": lambda: loop_over_units(params, start, beta)}
    slow = {
        **ours,
        "both": lambda: loop_over_units_and_probes(params, start[:n_slow], beta),
    }
    one = ratios(quick, 3)["loop over units"] * n_sweeps
    two = ratios(slow, 1)["both"] * n_sweeps * len(start) / n_slow
    print(f"  {title:46s} loop over units {one:.1f} x ours, over units and probes {two:.0f} x")


def epochs() -> None:
    """Seconds per epoch of a fully visible machine on MNIST."""
    try:
        from sklearn.datasets import fetch_openml

        X = fetch_openml("mnist_784", version=1, as_frame=False).data[:60000]
    except (OSError, ImportError) as error:
        print(f"  MNIST is not to be had: {error}")
        return
    X = (X > 127).astype(np.float32)
    machine = BoltzmannMachine(learning_rate=1e-3, n_iter=1, random_state=0)
    machine.fit(X[:1000])
    begun = time.perf_counter()
    machine.fit(X)
    print(
        f"  an epoch of PCD-1 on MNIST, 784 units, batch 100: {time.perf_counter() - begun:.2f} s"
    )


# Sparse couplings


@njit(nogil=True)
def loop_over_neighbours(starts, units, couplings, s, n_sweeps, beta, rng):
    """Gibbs sweeps of one chain of spins, as one writes them in a compiled language."""
    for _ in range(n_sweeps):
        for i in range(s.size):
            f = 0.0
            for k in range(starts[i], starts[i + 1]):
                f += couplings[k] * s[units[k]]
            s[i] = 1.0 if rng.random() < 1 / (1 + np.exp(-2 * beta * f)) else -1.0


def lattice_model(length: int) -> tuple[PairwiseParameters, PairwiseParameters]:
    """A square lattice near its critical temperature: couplings in CSR form, and as a matrix."""
    J = (0.4 * lattice((length, length))).astype(np.float32)
    bias = np.zeros(len(J), np.float32)
    return PairwiseParameters(csr_array(J), bias), PairwiseParameters(J, bias)


def sparse_sweeps(repeats: int) -> None:
    """One chain beside the compiled loop, and 100 chains beside the dense path."""
    n_sweeps, rng = 100, np.random.default_rng(0)
    few, _ = lattice_model(64)
    lists = few.J.indptr, few.J.indices, few.J.data
    s = np.where(rng.random((1, 64**2)) < 0.5, -1, 1).astype(np.float32)
    show(
        "Gibbs, 64 x 64, one chain",
        {
            "loop over neighbours": lambda: loop_over_neighbours(
                *lists, s[0].copy(), n_sweeps, 1.0, rng
            ),
            "ours": lambda: gibbs(MODEL, few, s, KEY, n_sweeps),
            "ours, random order": lambda: gibbs(MODEL, few, s, KEY, n_sweeps, visit="random"),
        },
        repeats,
    )
    for length in (16, 32, 64):
        few, full = lattice_model(length)
        S = np.where(rng.random((100, length**2)) < 0.5, -1, 1).astype(np.float32)
        show(
            f"Gibbs, {length} x {length}, 100 chains, 5 sweeps",
            {
                "dense": lambda full=full, S=S: gibbs(MODEL, full, S, KEY, 5),
                "sparse": lambda few=few, S=S: gibbs(MODEL, few, S, KEY, 5),
            },
            min(repeats, 5),
        )


# Reads couplings, then anneals once for each line of its input: the seed.
PEER = """
import json, sys, time
try:
    import dimod
    from dwave.samplers import SimulatedAnnealingSampler
except ImportError as error:
    sys.exit(print(json.dumps({"missing": str(error)}), flush=True))
problem = json.loads(sys.stdin.readline())
model = dimod.BinaryQuadraticModel.from_ising({}, {(i, j): -x for i, j, x in problem["bonds"]})
print(json.dumps({"n": model.num_variables}), flush=True)
for line in sys.stdin:
    begun = time.perf_counter()
    found = SimulatedAnnealingSampler().sample(model, num_reads=4, num_sweeps=100, seed=int(line))
    energies = found.record.energy.tolist()
    print(json.dumps({"time": time.perf_counter() - begun, "energies": energies}), flush=True)
"""


def glass(length: int) -> csr_array:
    """Couplings +1 or -1 of a cubic lattice: the spin glass of Edwards & Anderson."""
    J = np.triu(lattice((length,) * 3))
    J *= np.random.default_rng(0).choice([-1.0, 1.0], J.shape)
    return csr_array(J + J.T)


def annealing(repeats: int, python: str) -> None:
    """Four chains, 100 sweeps, in turn with dwave-samplers: times, and energies per spin."""
    J = glass(12)
    half = triu(J).tocoo()
    machine = BoltzmannMachine.from_couplings(J)
    bonds = list(zip(half.row.tolist(), half.col.tolist(), half.data.tolist(), strict=True))
    with subprocess.Popen(
        [python, "-c", PEER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as peer:

        def ask(question: str) -> dict:
            try:
                peer.stdin.write(question + "\n")
                peer.stdin.flush()
            except BrokenPipeError:
                pass  # it has said why
            return json.loads(peer.stdout.readline())

        theirs = ask(json.dumps({"bonds": bonds}))
        missing = theirs.get("missing", "")
        ours_found, theirs_found = [], []
        for seed in range(repeats + 1):
            begun = time.perf_counter()
            energies = machine.anneal(4, n_steps=100, random_state=seed).energies
            ours_found.append((time.perf_counter() - begun, energies.mean()))
            if not missing:
                answer = ask(str(seed))
                theirs_found.append((answer["time"], np.mean(answer["energies"])))
        peer.stdin.close()
    for name, found in (("ours", ours_found), ("dwave-samplers", theirs_found)):
        if found:
            times, energies = np.array(found[1:]).T
            error = energies.std(ddof=1) / np.sqrt(len(energies)) / 12**3
            energy = f"energy per spin {energies.mean() / 12**3:.4f} +- {error:.4f}"
            print(f"  glass, 12 x 12 x 12, {name:20s} {1e3 * np.median(times):.0f} ms   {energy}")
    if missing:
        print(f"  dwave-samplers is missing for {python}: {missing}")


def describe_machine() -> None:
    """The processor, and what the BLAS takes it for."""
    found = [x for x in threadpool_info() if x["user_api"] == "blas"]
    kinds = {f"{x['internal_api']} {x.get('version')} {x.get('architecture')}" for x in found}
    lines = Path("/proc/cpuinfo").read_text().splitlines() if sys.platform == "linux" else []
    names = {line.partition(":")[2].strip() for line in lines if line.startswith("model name")}
    print(f"{', '.join(names) or platform.processor()}; {', '.join(sorted(kinds))}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="fewer repeats, no MNIST")
    parser.add_argument("--sparse", action="store_true", help="sparse couplings alone")
    parser.add_argument(
        "--dwave", default=sys.executable, help="an interpreter with dwave-samplers"
    )
    given = parser.parse_args()
    repeats, n_slow = (3, 1) if given.quick else (15, 5)
    describe_machine()
    print("sparse couplings, one thread:")
    with threadpool_limits(1):
        sparse_sweeps(repeats)
        annealing(repeats, given.dwave)
    if given.sparse:
        return
    for title, limit in (("one thread", 1), ("all threads", None)):
        print(f"{title}:")
        with threadpool_limits(limit, user_api="blas"):
            sweeps(repeats, n_slow)
            if not given.quick:
                epochs()


if __name__ == "__main__":
    main()
