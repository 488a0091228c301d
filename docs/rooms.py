"""The rooms of the library as a table, read from the contract on imports and from the rooms' own docstrings."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).parents[1]


def layers() -> list[list[str]]:
    """The rooms from top to bottom; those in one list do not import each other."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (contract,) = (c for c in contracts if c["type"] == "layers" and c["containers"] == ["ebm"])
    return [[room.strip(" ()") for room in line.split("|")] for line in contract["layers"]]


def summary(room: str) -> str:
    """The first sentence of the docstring of the room, a module or a package."""
    home = ROOT / "ebm" / room
    path = home / "__init__.py" if home.is_dir() else home.with_suffix(".py")
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first = " ".join(text.split("\n\n")[0].split())
    return re.split(r"(?<=[.;])\s", first)[0].rstrip(".;")


def table() -> Iterator[str]:
    """A list table: one row for each layer of the contract."""
    yield from (".. list-table::", "   :widths: 24 76", "   :header-rows: 1", "")
    yield from ("   * - Rooms", "     - Content")
    for layer in layers():
        yield "   * - " + ", ".join(f"``{room}``" for room in layer)
        for k, room in enumerate(layer):
            lead = "     - " if k == 0 else "       "
            name = f"``{room}``: " if len(layer) > 1 else ""
            yield from (f"{lead}{name}{summary(room)}.", "")


class Rooms(SphinxDirective):
    """``.. rooms::`` draws the table."""

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(ROOT / "pyproject.toml"))
        found = nodes.Element()
        self.state.nested_parse(StringList(list(table()), "rooms"), self.content_offset, found)
        return found.children


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("rooms", Rooms)
    return {"parallel_read_safe": True}
