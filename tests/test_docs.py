"""The pages of the user guide: their examples run, and they mention only what there is."""

import doctest
import importlib
import importlib.util
import inspect
import re
from pathlib import Path

import pytest

import ebm

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(DOCS.glob("*.rst"))
WITH_EXAMPLES = [page for page in PAGES if ">>>" in page.read_text(encoding="utf-8")]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=lambda page: page.stem)
def test_examples_of_the_page_run(page):
    from matplotlib import pyplot

    try:
        failed, run = doctest.testfile(str(page), module_relative=False, optionflags=FLAGS)
    finally:
        pyplot.close("all")
    assert run > 0
    assert failed == 0, f"{failed} of {run} examples in {page.name} failed; their output is above"


def test_the_reference_lists_everything_public():
    listed = set(re.findall(r"^   ~ebm\.(\w+)$", (DOCS / "api.rst").read_text(), re.M))
    assert listed == set(ebm.__all__)


def test_every_reference_is_cited():
    keys = set(re.findall(r"^@\w+\{(\w+),", (DOCS / "references.bib").read_text(), re.M))
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    cited = {key for group in re.findall(r":cite:p:`([^`]+)`", text) for key in group.split(",")}
    assert keys == cited


def test_the_table_of_rooms_is_the_contract_on_imports():
    spec = importlib.util.spec_from_file_location("rooms", DOCS / "rooms.py")
    rooms = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rooms)
    text = "\n".join(rooms.table())
    names = [room for layer in rooms.layers() for room in layer]
    assert {path.stem for path in (DOCS.parent / "ebm").glob("[!_]*.py")} <= set(names)
    assert all(f"``{room}``" in text and len(rooms.summary(room)) > 20 for room in names)
    assert ".. rooms::" in (DOCS / "architecture.rst").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", ["pitfalls.rst", "architecture.rst", "../CONTRIBUTING.md"])
def test_tests_that_a_page_names_exist(page):
    text = (DOCS / page).read_text(encoding="utf-8")
    for path, name in re.findall(r"\b(tests/[\w/]+\.py)(?:::(\w+))?", text):
        source = (DOCS.parent / path).read_text(encoding="utf-8")
        assert not name or re.search(rf"^\s*def {name}\(", source, re.M), f"{path}::{name}"


def test_every_pitfall_names_its_symptom_its_formulas_and_its_test():
    text = (DOCS / "pitfalls.rst").read_text(encoding="utf-8")
    entries = re.split(r"^\*\*(?=.*\*\*$)", text, flags=re.M)[1:]
    assert len(entries) >= 13
    for entry in entries:
        assert re.findall(r"^(Symptom|Wrong|Right|Test)$", entry, re.M) == [
            "Symptom",
            "Wrong",
            "Right",
            "Test",
        ]
        assert "::test_" in entry


def test_what_contributors_register_with_is_there():
    text = (DOCS / "architecture.rst").read_text(encoding="utf-8")
    table = text.split("How to add an energy")[1].split("How to add a layer")[0]
    rows = re.findall(r"\* - (`.+`)\n\s+- (`.+`)\n", table)
    assert len(rows) > 6
    for names, homes in rows:
        modules = [home.strip("`,").removesuffix(".py").replace("/", ".") for home in homes.split()]
        for name in re.findall(r"`(\w+)`", names):
            found = [getattr(importlib.import_module(f"ebm.{m}"), name, None) for m in modules]
            assert any(hasattr(f, "registry") for f in found), name


def test_loops_of_a_unit_have_the_names_of_the_page():
    from ebm._kernels import units

    text = (DOCS / "architecture.rst").read_text(encoding="utf-8")
    step = text.split("How to add a unit")[1].split("\n2. ")[0]
    named = {name for name in re.findall(r"`([a-z_]+)`", step) if name != "bias"}
    roles = inspect.getmembers(units, inspect.isfunction)
    public = {name for name, f in roles if f.__module__ == units.__name__ and name[0] != "_"}
    assert named == public - {"couples"}
