"""Whichever module comes first, a function that dispatches on the energy knows all energies.

Registrations run when their module is imported: one that nobody imports would send its energy to another's formula, or
to an error that says that there is none.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Which models each function has a way for. Any other gets the error, or the default, of the function itself.
ALL, LAYERS = "BeliefNetwork Bipartite LayeredModel Pairwise", "Bipartite LayeredModel Pairwise"
TABLE = {
    "energies.incomplete.conditioned": LAYERS,
    "energies.incomplete.gaps": ALL,
    "energies.path.base_of": LAYERS,
    "energies.path.model_base": "Bipartite LayeredModel",
    "energies.path.path_to": LAYERS,
    "gradients.contrastive.bind_contrastive": "Bipartite LayeredModel Pairwise",
    "gradients.exact.bind_exact": LAYERS,
    "gradients.tempered.bind_tempered": "Bipartite LayeredModel",
    "likelihood.exact.check_law": "Bipartite LayeredModel",
    "likelihood.exact.exact_log_partition": LAYERS,
    "likelihood.free_energy.estimated_free_energy": "Pairwise",
    "likelihood.free_energy.free_energy": LAYERS,
    "likelihood.modes.modes": LAYERS,
    "likelihood.partition.can_be_exact": LAYERS,
    "likelihood.partition.without_couplings": "LayeredModel",
    "likelihood.features.flat_features": "Bipartite",
    "likelihood.placement.misplaced": "Bipartite",
    "likelihood.placement.improbable": "Bipartite",
    "likelihood.placement.too_wide": "Bipartite",
    "likelihood.pseudo_likelihood.pseudo_log_likelihood": LAYERS,
    "likelihood.reconstruction.reconstruction_error": "BeliefNetwork Bipartite LayeredModel",
    "likelihood.routes.coin_path": "Bipartite Pairwise",
    "likelihood.routes.has_routes": "Bipartite Pairwise",
    "likelihood.routes.reduced": "Bipartite",
    "samplers.base.first_states": "Bipartite LayeredModel",
    "samplers.base.half_means": ALL,
    "samplers.base.run_chain": ALL,
    "samplers.expectation.dispersed_starts": ALL,
}
MODELS = {*ALL.split(), "ColumnModel", "LabelMemory", "Network"}

# A copy of the process for each module: the libraries below it are imported once. A module that its own package
# imports is covered by the package, which always comes first.
PROGRAM = """
import importlib, json, os, pkgutil, sys
import numba, scipy.stats, sklearn.utils.estimator_checks, matplotlib.pyplot
import ebm

def registries():
    found = {}
    for name, module in list(sys.modules.items()):
        for f in vars(module).values() if name.partition(".")[0] == "ebm" else ():
            if hasattr(f, "registry") and hasattr(f, "dispatch"):
                found[f"{f.__module__}.{f.__qualname__}"] = sorted(t.__qualname__ for t in f.registry)
    return found

def alone(name):
    read, write = os.pipe()
    if os.fork() == 0:
        importlib.import_module(name)
        with os.fdopen(write, "w") as pipe:
            json.dump([registries(), [m for m in sys.modules if m.startswith(name + ".")]], pipe)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        answer = pipe.read()
    os.wait()
    return json.loads(answer or "null")

def modules(package, folder):
    for found in pkgutil.iter_modules([folder], package + "."):
        yield found.name
        if found.ispkg:
            yield from modules(found.name, os.path.join(folder, found.name.rpartition(".")[2]))

answers, covered = {}, {}
for name in modules("ebm", ebm.__path__[0]):
    if name not in covered:
        answers[name], inside = alone(name)
        covered |= dict.fromkeys([name, *inside], name)
json.dump([answers, covered], sys.stdout)
"""


@pytest.fixture(scope="module")
def imported():
    """What dispatches on what, by the module that was imported first; and the module that stands for each."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def union_of(answers):
    """All types for which each function has a way."""
    everything = {}
    for registries in answers.values():
        for function, types in registries.items():
            everything.setdefault(function, set()).update(types)
    return everything


@pytest.mark.once
def test_every_registration_is_there_whichever_module_comes_first(imported):
    answers, covered = imported
    estimators = ROOT / "ebm" / "sklearn_compat"
    sources = [p for p in (ROOT / "ebm").rglob("*.py") if not p.is_relative_to(estimators)]
    assert len(covered) >= len(sources) - 1  # ebm itself
    everything = union_of(answers)
    assert {"Bipartite", "Pairwise", "object"} <= everything["ebm.energies.path.path_to"]
    lacking = {
        f"{module}: {function}": everything[function] - set(types)
        for module, registries in answers.items()
        for function, types in registries.items()
        if everything[function] - set(types)
    }
    assert not lacking


@pytest.mark.once
def test_models_are_registered_where_the_table_says(imported):
    answers, _ = imported
    found = {
        function.removeprefix("ebm."): " ".join(sorted(MODELS & types))
        for function, types in union_of(answers).items()
        if MODELS & types
    }
    assert found == TABLE
