"""What users get: the archives, the import names, the time of the first import, README and examples."""

import os
import re
import runpy
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("plot_*.py"))


def run(*command, cwd, **environment):
    """Run a command outside the checkout; on failure its output is the message."""
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=os.environ | {key: str(value) for key, value in environment.items()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def python(source, *, cwd, **environment):
    return run(sys.executable, "-c", source, cwd=cwd, **environment)


def modules(folder, prefix):
    """Names in the wheel of the Python files under a folder of the checkout."""
    return {f"{prefix}/{path.relative_to(folder).as_posix()}" for path in folder.rglob("*.py")}


# --- the archives ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of what git knows, or would know after `git add`: no caches, nothing built."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listing = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    copy = tmp_path_factory.mktemp("packaging") / "checkout"
    for name in filter(None, listing.split("\0")):
        if os.path.lexists(ROOT / name):  # a file may be deleted and not yet committed
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name, follow_symlinks=False)
    return copy


@pytest.fixture(scope="module")
def dist(checkout):
    """The source archive, and the wheel built from that archive."""
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", "dist", ".", cwd=checkout)
    return checkout / "dist"


@pytest.fixture(scope="module")
def wheel(dist):
    (path,) = dist.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The wheel, unpacked into a folder of its own; the dependencies are those of this Python."""
    target = tmp_path_factory.mktemp("installed")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    run(*pip, "install", "--no-deps", "--no-compile", "--target", target, wheel, cwd=target)
    return target


def test_wheel_holds_each_module_once(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    core = {n for n in modules(ROOT / "ebm", "ebm") if not n.startswith("ebm/sklearn_compat/")}
    estimators = modules(ROOT / "sklearn_compat", "ebm/sklearn_compat")
    assert len(names) == len(set(names))
    assert {n for n in names if n.endswith(".py")} == core | estimators
    assert {n.split("/")[0] for n in names if ".dist-info/" not in n} == {"ebm"}


def test_wheel_carries_the_licence(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert [n for n in names if n.endswith(".dist-info/licenses/LICENSE")]


def test_wheel_is_the_same_without_the_detour_over_the_source_archive(checkout, wheel):
    command = (sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", "direct")
    run(*command, ".", cwd=checkout)
    (direct,) = (checkout / "direct").glob("*.whl")
    assert set(zipfile.ZipFile(direct).namelist()) == set(zipfile.ZipFile(wheel).namelist())


def test_installed_wheel_fits(installed, tmp_path):
    program = """
import numpy as np
import ebm, ebm.sklearn_compat
X = np.random.default_rng(0).integers(0, 2, (20, 5)).astype(float)
rbm = ebm.BernoulliRBM(n_components=3, n_iter=2, random_state=0).fit(X)
assert rbm.transform(X).shape == (20, 3)
print(ebm.__file__, ebm.sklearn_compat.__file__, sep="\\n")
"""
    # From another folder and with the wheel first on the path, or the checkout would be imported.
    files = python(program, cwd=tmp_path, PYTHONPATH=installed, NUMBA_CACHE_DIR=tmp_path / "cache")
    for file in files.splitlines()[-2:]:
        assert Path(file).is_relative_to(installed)


def test_version_is_written_once(wheel):
    import ebm

    assert wheel.name.split("-")[1] == ebm.__version__


# --- the names ------------------------------------------------------------------------------------


def test_the_wrong_name_is_refused(tmp_path):
    shutil.copytree(ROOT / "sklearn_compat", tmp_path / "sklearn_compat")
    program = """
try:
    import sklearn_compat
except ImportError as error:
    print(error)
"""
    sentence = python(program, cwd=tmp_path, PYTHONPATH=tmp_path)
    assert "ebm" in sentence
    assert len(sentence.split()) > 5, f"not a helpful sentence: {sentence!r}"


def test_import_is_lazy(tmp_path):
    program = "import sys, ebm; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = set(python(program, cwd=tmp_path, PYTHONPATH=ROOT).split())
    assert "ebm" in loaded
    assert not loaded & {"numba", "sklearn", "scipy", "matplotlib"}


# --- what the pages promise -----------------------------------------------------------------------


README = (ROOT / "README.md").read_text(encoding="utf-8")
# Each snippet with the output that is shown below it.
SNIPPETS = re.findall(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```", README, re.M | re.S)
NUMBER = re.compile(r"-?\d+\.\d+")


def test_readme_shows_the_output_of_every_snippet():
    assert len(SNIPPETS) == README.count("```python") > 0


@pytest.mark.parametrize(("code", "shown"), SNIPPETS, ids=range(len(SNIPPETS)))
def test_readme_snippet_runs_alone_and_prints_what_is_shown(code, shown, capsys):
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    printed = capsys.readouterr().out
    assert NUMBER.sub("#", printed) == NUMBER.sub("#", shown)
    # Another machine may round differently on the way: one unit in the last digit shown.
    for number, expected in zip(NUMBER.findall(printed), NUMBER.findall(shown), strict=True):
        digits = len(expected.partition(".")[2])
        assert abs(float(number) - float(expected)) < 1.5 * 10.0**-digits, printed


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text())
    assert not [link for link in links if not (ROOT / link).exists()]


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(script, monkeypatch, tmp_path):
    from matplotlib import pyplot

    monkeypatch.setenv("EBM_FIGURES", str(tmp_path))
    try:
        runpy.run_path(str(script), run_name="__main__")
    finally:
        pyplot.close("all")
