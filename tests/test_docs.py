"""The pages of the user guide: their examples run, and they mention only what there is."""

import doctest
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
