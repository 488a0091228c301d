"""Modalities as one parameter: their names, machines and columns."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

from ebm._checks import Array, shown
from ebm.pretraining import naming
from ebm.sklearn_compat._shared._validation import column_names
from ebm.sklearn_compat.deep._layers import (
    as_machine,
    check_below,
    is_size,
    layer_name,
    layer_seed,
    new_machines,
    sized,
    with_length,
)
from ebm.sklearn_compat.deep._tree import Path, Tree
from ebm.sklearn_compat.rbm._layer import model_of

# Hidden units of the modality of all columns that is the default.
DEFAULT_SIZE = 64
# The first of the seeds from which those of the machines of a further modality come; none counts as many layers.
SEEDS = 1 << 16


class NamedModalities(NamedTuple):
    """The machines of a list of modalities, by names such as ``image_layer1``: a :class:`NamedList` of two depths."""

    def named(self, given: Any) -> dict[str, Any]:
        """The machines by their names; none where `given` is no list of modalities."""
        entries = given if isinstance(given, list | tuple) else ()
        known = [entry for entry in entries if _is_triple(entry)]
        return {
            machine_name(name, k): machine
            for name, layers, _ in known
            for k, machine in enumerate(layers if isinstance(layers, list | tuple) else ())
        }

    def made(self, entry: Any) -> Any:
        """The machine that an entry stands for."""
        return sized(entry)

    def rebuilt(self, given: Any, entries: dict[str, Any]) -> Any:
        """The list with other machines."""
        found = []
        for entry in given:
            if not _is_triple(entry) or not isinstance(entry[1], list | tuple):
                found.append(entry)
                continue
            name, layers, columns = entry
            some = [entries[machine_name(name, k)] for k in range(len(layers))]
            found.append((name, type(layers)(some), columns))
        return type(given)(found)


class NamedTop(NamedTuple):
    """The topmost machine as a setting whose own settings have names, also where it is a number."""

    def named(self, given: Any) -> dict[str, Any]:
        """The machine by the name of the setting."""
        return {"top": given}

    def made(self, entry: Any) -> Any:
        """The machine that the setting stands for."""
        return sized(entry)

    def rebuilt(self, given: Any, entries: dict[str, Any]) -> Any:
        """The setting."""
        return entries["top"]


def machine_name(name: str, k: int) -> str:
    """Of machine `k` of the modality `name`."""
    return f"{name}_{layer_name(k)}"


def _is_triple(entry: Any) -> bool:
    return isinstance(entry, list | tuple) and len(entry) == 3 and isinstance(entry[0], str)


def check_modalities(modalities: Any) -> list[tuple[str, Any, Any]]:
    """The names, layers and columns; ValueError where these are no such list. None stands for one of all columns."""
    if modalities is None:
        return [("all", [DEFAULT_SIZE], slice(None))]
    if not isinstance(modalities, list | tuple) or not modalities:
        raise ValueError(
            "modalities must be a list of tuples (name, layers, columns), one at least: "
            f"[('image', [64, 32], slice(0, 64)), ('words', [32], slice(64, 80))]. Got {shown(modalities)}."
        )
    for entry in modalities:
        if not _is_triple(entry):
            raise ValueError(
                f"modalities must hold tuples (name, layers, columns). Got {shown(entry)} among them."
            )
        name, layers, _ = entry
        if not name.isidentifier() or "__" in name:
            raise ValueError(
                f"modalities: names must be words without spaces or double underscores. Got {name!r}."
            )
        if not isinstance(layers, list | tuple) or not layers:
            raise ValueError(
                f"modalities: the layers of {name!r} must be a list of RBM estimators or numbers of hidden units, one "
                f"at least. Got {shown(layers)}."
            )
    names = [entry[0] for entry in modalities]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise ValueError(f"modalities must have different names. Got {twice[0]!r} more than once.")
    return [(name, layers, columns) for name, layers, columns in modalities]


# Columns


def columns_of(self: Any) -> dict[str, Array]:
    """The columns of each modality by its name, as indices; each column of `X` belongs to one modality."""
    n_features, names = self.n_features_in_, column_names(self)
    found: dict[str, Array] = {}
    owner: dict[int, str] = {}
    for name, _, columns in check_modalities(self.modalities):
        index = _indices(name, columns, n_features, names)
        for i in index.tolist():
            if i in owner:
                where = "twice" if owner[i] == name else f"and also to {name!r}"
                raise ValueError(
                    f"modalities: column {_called(i, names)} belongs to {owner[i]!r} {where}. Each column belongs to "
                    "one modality."
                )
            owner[i] = name
        found[name] = index
    left = [i for i in range(n_features) if i not in owner]
    if left:
        raise ValueError(
            f"modalities leave out {len(left)} of the {n_features} columns of X, such as {_called(left[0], names)}. "
            "Each column belongs to one modality: give it to one, or drop it from X."
        )
    return found


def _called(i: int, names: Array | None) -> str:
    return str(i) if names is None else repr(str(names[i]))


def _indices(name: str, columns: Any, n_features: int, names: Array | None) -> Array:
    """The columns of one modality as indices."""
    if isinstance(columns, slice):
        index = _sliced(name, columns, n_features, names)
    else:
        listed = [columns] if isinstance(columns, str) or is_size(columns) else columns
        if isinstance(listed, str | bytes | dict | set) or not isinstance(
            listed, Sequence | np.ndarray
        ):
            raise _no_columns(name, columns)
        values = list(listed)
        if all(isinstance(x, str) for x in values):
            index = [_numbered(name, x, names) for x in values]
        elif len(values) == n_features and all(isinstance(x, bool | np.bool_) for x in values):
            index = np.flatnonzero(values).tolist()
        elif all(isinstance(x, Integral) and not isinstance(x, bool | np.bool_) for x in values):
            index = [_within(name, int(x), n_features) for x in values]
        else:
            raise _no_columns(name, columns)
    if not index:
        raise ValueError(
            f"modalities: {name!r} has no column: {shown(columns)} names none of the columns of X, which has "
            f"n_features={n_features}."
        )
    return np.array(index, np.intp)


def _no_columns(name: str, columns: Any) -> ValueError:
    return ValueError(
        f"modalities: the columns of {name!r} must be a slice, a list of integers, a mask of bool for all columns "
        f"of X, or a list of names of columns. Got {shown(columns)}."
    )


def _sliced(name: str, columns: slice, n_features: int, names: Array | None) -> list[int]:
    """A slice of integers, or of names, of which the last one is included as in pandas."""
    ends = [columns.start, columns.stop]
    if any(isinstance(x, str) for x in ends):
        first, last = (None if x is None else _numbered(name, str(x), names) for x in ends)
        columns = slice(first, None if last is None else last + 1, columns.step)
    try:
        return list(range(*columns.indices(n_features)))
    except (TypeError, ValueError):
        raise _no_columns(name, columns) from None


def _within(name: str, i: int, n_features: int) -> int:
    if not -n_features <= i < n_features:
        raise ValueError(
            f"modalities: {name!r} has a column {i}, but X has n_features={n_features} columns."
        )
    return i % n_features


def _numbered(name: str, column: str, names: Array | None) -> int:
    """The number of the column of this name."""
    if names is None:
        raise ValueError(
            f"modalities: {name!r} has a column {column!r}, but the columns of X have no names. Fit on a data frame, "
            "or give numbers of columns."
        )
    found = np.flatnonzero(np.asarray(names) == column)
    if not len(found):
        raise ValueError(
            f"modalities: {name!r} has a column {column!r}, which X has not. Its columns are {shown(list(names))}."
        )
    return int(found[0])


# Machines


def tree_of(self: Any, seed: int) -> Tree:
    """Unfitted machines for all layers; numbers stand for machines with settings of the estimator."""
    paths = []
    columns = columns_of(self)
    for number, (name, layers, _) in enumerate(check_modalities(self.modalities)):
        own = seed if number == 0 else layer_seed(seed, SEEDS + number)
        some = [with_length(self, layer) for layer in layers]
        with naming(f"modalities, {name!r}"):
            machines = new_machines(some, own, len(columns[name]), columns=True)
        names = [machine_name(name, k) for k in range(len(machines))]
        visible = model_of(machines[0]).visible
        paths.append(Path(names, machines, visible, len(columns[name])))
    top = as_machine(with_length(self, self.top), "top")
    with naming("top"):
        top._validate_params()
    if top.random_state is None:
        top.random_state = layer_seed(seed, SEEDS)
    for path in paths:
        check_below(path.machines[-1], path.names[-1], top, "top")
    return Tree(paths, "top", top)
