"""The prose of the library: short sentences with a noun for a subject, and records that show their settings."""

import dataclasses
import inspect
import re
from pathlib import Path

import pytest
from numpydoc.docscrape import ClassDoc

import ebm
from tests.prose import docstrings, n_words, sentences

ROOT = Path(__file__).parents[1]
MAX_WORDS = 30
SOURCES = [
    path.relative_to(ROOT).as_posix()
    for folder in ("ebm", "sklearn_compat")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if folder != "ebm" or "sklearn_compat" not in path.parts
]
# Files whose docstrings have not been rewritten. The list only shrinks: a clean file has to leave it.
UNREAD = set(Path(__file__).with_name("unread.txt").read_text(encoding="utf-8").split())
RECORDS = [name for name in ebm.__all__ if dataclasses.is_dataclass(getattr(ebm, name))]


def fault(sentence: str) -> str:
    """What is wrong with the sentence, or ''."""
    if re.match(r"(?i:what)\b", sentence) and not sentence.endswith("?"):
        return "begins with What"
    if re.match(r"(?i:that)\b", sentence):
        return "begins with That"
    return f"{n_words(sentence)} words" if n_words(sentence) > MAX_WORDS else ""


def faults(text: str) -> list[str]:
    return [f"{fault(s)}: {s}" for s in sentences(text) if fault(s)]


@pytest.mark.parametrize("path", SOURCES)
def test_sentences_of_docstrings_are_short_and_have_a_subject(path):
    found = [line for text in docstrings(ROOT / path) for line in faults(text)]
    if path in UNREAD:
        assert found, f"{path} is clean: delete it from tests/unread.txt"
    else:
        assert not found, "\n".join(found)


def test_files_that_were_not_read_exist():
    assert set(SOURCES) >= UNREAD


LONG = "word " * 31
PARAMETERS = "Sum.\n\nParameters\n----------\n{}\n    {}"


@pytest.mark.parametrize(
    "text",
    [
        "What a model draws.",
        "A short one. That is not clear.",
        "Items:\n\n- What is kept.",
        LONG,
        f"Sum.\n\n- first\n- {LONG}",
        PARAMETERS.format("x : int", "What is shown."),
        PARAMETERS.format("x : int", LONG),
        "The sum log Z. That needs no sampling.",
    ],
)
def test_a_fault_is_found(text):
    assert len(faults(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "What does the model draw?",
        "word " * 30,
        f"With\n\n    {LONG}\n\nit holds.",
        PARAMETERS.format(LONG, "Number of steps."),
        f"Sum.\n\nReferences\n----------\n.. [1] {LONG}",
        f"Sum.\n\n>>> {LONG}",
        f"Call `{LONG}` or ``{LONG}``.",
        f"Sum.\n\n- {'word ' * 20}\n- {'word ' * 20}",
    ],
)
def test_only_prose_counts(text):
    assert not faults(text)


@pytest.mark.parametrize("name", RECORDS)
def test_settings_of_a_record_are_documented_parameters(name):
    record = getattr(ebm, name)
    fields = [field.name for field in dataclasses.fields(record)]
    documented = [one for entry in ClassDoc(record)["Parameters"] for one in entry.name.split(", ")]
    assert fields == documented == list(inspect.signature(record).parameters)
    assert not any(field.startswith("_") for field in fields)
    if not any(p.default is p.empty for p in inspect.signature(record).parameters.values()):
        assert sorted(record().get_params(deep=False)) == sorted(fields)
