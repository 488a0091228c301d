"""Sphinx settings. Everything is built from this checkout; nothing is fetched."""

import os
import re
import sys
from pathlib import Path

import ebm

sys.path.insert(0, str(Path(__file__).parent))  # for rooms.py

project = "scikit-ebm"
author = "The scikit-ebm developers"
project_copyright = author
version = release = ebm.__version__

extensions = [
    "matplotlib.sphinxext.plot_directive",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "rooms",
    "sphinx_gallery.gen_gallery",
    "sphinxcontrib.bibtex",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
default_role = "literal"  # as in scikit-learn's docstrings
smartquotes = False  # W' is a transpose

# The summary tables are the table of contents: each class has a page of its own, with its methods.
numpydoc_show_class_members = False
autodoc_typehints = "none"  # the docstrings say more
autosummary_generate = True

bibtex_bibfiles = ["references.bib"]
bibtex_reference_style = "author_year"

os.environ["EBM_FIGURES"] = ""  # the gallery shows figures, it writes no files of its own
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "within_subsection_order": "FileNameSortKey",
    "show_memory": False,
    "matplotlib_animations": True,
    "show_signature": False,
    "download_all_examples": False,
    "abort_on_example_error": False,  # a failure is a warning, and warnings are errors
}

plot_html_show_formats = False
plot_formats = ["png"]

html_theme = "pydata_sphinx_theme"
html_title = "scikit-ebm"
html_show_sourcelink = False
html_theme_options = {"show_prev_next": False, "secondary_sidebar_items": ["page-toc"]}


def without_foreign_references(app, what, name, obj, options, lines):
    """What scikit-learn's docstrings, as of inherited methods, point to in its own user guide is left as text."""
    if str(getattr(obj, "__module__", "")).startswith("sklearn."):
        lines[:] = [re.sub(r":ref:`([^<`]*?)\s*<[^>`]*>`", r"\1", line) for line in lines]


def setup(app):
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", without_foreign_references)
