"""Docstrings of estimators are completed with the parameters and attributes of their base classes."""

import inspect

import pytest
from numpydoc.docscrape import ClassDoc

import ebm
from ebm.sklearn_compat._shared._docstrings import complete_docstring


class Base:
    """Base.

    Parameters
    ----------
    a : int
        First.

    b, c : float
        Second and third.

    Attributes
    ----------
    a_ : int
        Of the base.
    """

    def __init__(self, a, b, c): ...


class Derived(Base):
    """Derived.

    Parameters
    ----------
    d : int
        New.

        In two paragraphs.

    a : str
        Replaced.

    Attributes
    ----------
    d_ : int
        Of the class.

    Notes
    -----
    A note.
    """

    def __init__(self, d, a, b, c): ...


def test_entries_of_bases_are_added_and_replaced(monkeypatch):
    monkeypatch.setattr(Base, "__module__", "ebm.example")
    monkeypatch.setattr(Derived, "__doc__", Derived.__doc__)
    documented = ClassDoc(complete_docstring(Derived))
    assert [x.name for x in documented["Parameters"]] == ["d", "a", "b, c"]
    assert [x.desc for x in documented["Parameters"]] == [
        ["New.", "", "In two paragraphs."],
        ["Replaced."],
        ["Second and third."],
    ]
    assert [x.name for x in documented["Attributes"]] == ["d_", "a_"]
    assert documented["Notes"] == ["A note."]


@pytest.mark.parametrize("public", sorted({*ebm.sklearn_compat.__all__} - {"FineTuning"}))
def test_all_parameters_and_the_names_of_features_are_documented(public):
    estimator = getattr(ebm, public)
    documented = ClassDoc(estimator)
    names = [name for x in documented["Parameters"] for name in x.name.split(", ")]
    assert names == list(inspect.signature(estimator).parameters)
    assert {"n_features_in_", "feature_names_in_"} <= {x.name for x in documented["Attributes"]}
