"""Docstrings of estimators: parameters and attributes that several estimators share are documented once."""

import re
from inspect import cleandoc, signature
from typing import Any, TypeVar

T = TypeVar("T", bound=type[Any])
HEADING = re.compile(r"^(\S.*)\n-{3,}\n", re.M)
ENTRY = re.compile(r"\n+(?=\S)")


def complete_docstring(cls: T) -> T:
    """Add the parameters and attributes that base classes document to the docstring of `cls`: a class decorator.

    Parameters that the constructor of `cls` lacks are left out. An entry of the class replaces the entry of the same
    name in a base class. Parameters are in the order of the constructor; attributes of the class come before those of
    its base classes.
    """
    if cls.__doc__ is None:  # removed by python -OO
        return cls
    intro, sections = _sections(cls)
    order = list(signature(cls).parameters)
    for base in cls.__mro__[1:]:
        if base.__module__.startswith("ebm."):
            inherited = _sections(base)[1]
            for title in ("Parameters", "Attributes"):
                known = sections.get(title, {})
                sections[title] = known | {
                    name: text
                    for name, text in inherited.get(title, {}).items()
                    if name not in known and (title == "Attributes" or name.split(", ")[0] in order)
                }
    names = sorted(sections["Parameters"], key=lambda name: order.index(name.split(", ")[0]))
    sections["Parameters"] = {name: sections["Parameters"][name] for name in names}
    first = {title: sections.pop(title) for title in ("Parameters", "Attributes")}
    texts = [
        f"{title}\n{'-' * len(title)}\n" + "\n\n".join(entries.values())
        for title, entries in (first | sections).items()
    ]
    cls.__doc__ = "\n\n".join([intro, *texts])
    return cls


def _sections(cls: type) -> tuple[str, dict[str, dict[str, str]]]:
    """The text before the first heading, and the sections: their entries by name."""
    intro, *rest = HEADING.split(cleandoc(cls.__doc__ or ""))
    sections = {}
    for title, body in zip(rest[::2], rest[1::2], strict=True):
        named = title in ("Parameters", "Attributes")
        entries = ENTRY.split(body.strip("\n")) if named else [body.strip("\n")]
        sections[title] = {entry.partition(" : ")[0]: entry for entry in entries}
    return intro.strip("\n"), sections
