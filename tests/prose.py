"""Sentences of docstrings: headings, formulas, code, directives, tables and references are left out."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
NAMED = {"Parameters", "Attributes", "Returns", "Yields", "Raises", "Warns", "Other Parameters"}
LEFT_OUT = {"References", "See Also"}

SECTION = re.compile(r"^(\S.*)\n-{3,}$", re.M)
ITEM = re.compile(r"\n(?=[ ]*(?:[-*]|\d+\.)[ ])")
MARKER = re.compile(r"^\s*(?:[-*]|\d+\.)\s+")
NOT_PROSE = re.compile(r"^\s*(?:>>>|\.\.[ ]|\||\+--|:\w+:|[=-]{3})")
END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"`]|['(\[]*[A-Z\d])")
ABBREVIATED = re.compile(r"\b(e\.g|i\.e|cf|et al|Eq|Eqs|eq|Sec|Fig|No|pp|vs)\.(?=\s)")
CODE = re.compile(r":?\w*:?(``?)(?:(?!\1).)+\1\w*", re.S)
WORD = re.compile(
    r"[(\"'\[]*(?:[A-Za-z]+(?:['-][A-Za-z]+)+|[A-Za-z]{2,}|[aAI])(?:'s|'|s')?[.,;:!?)\"'\]]*"
)


def docstrings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, DOCUMENTED) and (text := ast.get_docstring(node)):
            yield text


def sections(text: str) -> Iterator[tuple[str, str]]:
    parts = SECTION.split(text)
    yield "", parts[0]
    yield from zip(parts[1::2], parts[2::2], strict=True)


def entries(body: str) -> str:
    """The descriptions of a section of named entries, without the lines that hold names and types."""
    lines = ["" if line[:1].strip() else line[4:] for line in body.splitlines()]
    return "\n".join(lines)


def paragraphs(text: str) -> Iterator[str]:
    """Runs of prose; an indented run is a formula, and so is whatever follows a directive, indented."""
    for block in re.split(r"\n\s*\n", inspect.cleandoc(text) if text.strip() else ""):
        for item in ITEM.split(block):
            if not NOT_PROSE.match(item) and not re.match(r" {4}", item):
                yield MARKER.sub("", item)


def sentences(text: str) -> Iterator[str]:
    """All sentences of a docstring, with each piece of inline code as one word."""
    for name, body in sections(text):
        if name in LEFT_OUT:
            continue
        for paragraph in paragraphs(entries(body) if name in NAMED else body):
            line = " ".join(paragraph.split())
            yield from END.split(ABBREVIATED.sub(r"\1", line))


def n_words(sentence: str) -> int:
    """Words of letters: a symbol, a number or a piece of code counts as none."""
    return sum(bool(WORD.fullmatch(token)) for token in CODE.sub("0", sentence).split())
