"""Checkpoints: training is written to a file, and goes on from it as if it had not stopped.

Settings and rows must be those of the training that wrote the file; what else it must hold, :mod:`ebm._contents` says.
"""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ebm import __version__
from ebm._archive import REMEDY, ContentError, opened, write
from ebm._batches import Rows
from ebm._checks import fingerprint
from ebm._contents import (
    LAST_SEED,
    PROGRESS,
    arrays_of,
    check_described,
    check_progress,
    check_state,
    expected,
    progress_of,
    state_of,
)
from ebm._gaps import RowsWithGaps
from ebm._state import Plan, State, count_epochs, with_rate
from ebm.energies.base import Model
from ebm.monitors import Callback

OWN = ("format", "version", "identities")  # besides settings and progress
# Errors of writing where the disk, the folder or something that a callback has kept does not allow it.
# The arguments or parameters that make a setting, where it has another name there.
GIVEN_AS = {
    "rows": "rows: the same X, y, sample_weight, early_stopping, validation_fraction, random_state and shuffle",
    "seed": "random_state",
    "shape": "sizes: n_components, n_hidden, layers, modalities and top, or hidden_layer_sizes, columns of X, and "
    "classes or outputs of y; NCAEmbedding has a decoder only for a supervision below one",
    "model": "units, layers and their settings, such as n_components, hidden_layer_sizes, decoder_layer_sizes, tied, "
    "activation, batch_norm, dropout, loss (with 'auto' also X), corruption, code_noise or temperature",
    "gradient": "gradient and its settings, or error_power",
    "optimizer": "optimizer, or solver, and its settings, such as momentum, beta_1, beta_2 and epsilon",
    "n_iter": "n_iter, or max_iter",
    "learning_rate": "learning_rate, or learning_rate_init",
}
FAILURES = (OSError, ValueError, TypeError, OverflowError, MemoryError)


def save(path: Any, state: State, plan: Plan, rows: Rows, n_epochs: int) -> None:
    """Write a checkpoint of `state` to `path`: from it training goes on to the same bits (see :func:`load`)."""
    header = {**_settings(state.model, plan, rows, n_epochs), **progress_of(state)}
    write(path, header, arrays_of(state))


def save_all(
    paths: Sequence[Path], state: State, of: tuple[Plan, Rows, int], reported: set[Path]
) -> None:
    """Write `state` of a run of so many epochs to the files; those that cannot be written are warned of once.

    The files with a warning are added to `reported`.
    """
    for path in paths:
        try:
            save(path, state, *of)
        except FAILURES as error:
            if path not in reported:
                warnings.warn(
                    f"checkpoint {path} could not be written: {str(error).rstrip('.')}. Training continues, and "
                    "writes the next one when it is due. There is no further warning.",
                    stacklevel=2,
                )
            reported.add(path)


def load(
    path: Any,
    like: State,
    plan: Plan,
    rows: Rows,
    n_epochs: int | str,
    callbacks: Sequence[Callback] = (),
) -> State:
    """The state that was saved to `path`.

    Parameters
    ----------
    path : str or path
    like : State
        A state with which the same training begins: what the file must hold is read off it.
    plan : Plan
    rows : Rows
    n_epochs : int or "auto"
    callbacks : sequence of callable
        Of which some may say what they keep.

    Raises
    ------
    ValueError
        If the file is no checkpoint, of another format, of training with other settings or rows than these, or holds
        something that no such training comes to.
    OSError
        If the file cannot be read.

    Warns
    -----
    UserWarning
        If another version of the library has written the file.
    """
    n_epochs, plan = count_epochs(n_epochs, rows, plan), with_rate(plan, like, rows)
    wanted = {"shape": list(like.shape), **_settings(like.model, plan, rows, n_epochs)}
    known, n_batches = expected(like, plan), -(-len(rows) // plan.batch_size)
    with opened(path) as stored:
        _check_settings(stored.header, wanted)
        check_progress(stored.header, n_epochs, n_batches)
        check_described(stored.described, known, stored.header["epoch"])
        arrays = stored.arrays()
        state = state_of(stored.header, arrays, like)
        check_state(state, known, plan, callbacks)
        if isinstance(rows, RowsWithGaps) and state.missing is not None:
            reason = rows.invalid(state.missing, state.model.visible)
            if reason:
                raise ContentError(f"holds {reason}, among states of missing entries. {REMEDY}")
        stored.confirm(arrays)
    version = stored.header["version"]
    if version != __version__:
        warnings.warn(
            f"checkpoint {Path(path).name!r} was written by version {version!s:.40} of ebm, and this is {__version__}. "
            "Training continues, but its last bits may differ from those of uninterrupted training.",
            stacklevel=2,
        )
    return state


def seed_of(path: Any) -> int:
    """The seed of the training that was saved to `path`."""
    with opened(path) as stored:
        text = str(stored.header.get("seed"))
        if not (text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) <= LAST_SEED):
            raise ContentError(f"says seed={text:.40}, which is no seed. {REMEDY}")
    return int(text)


def _settings(model: Model, plan: Plan, rows: Rows, n_epochs: int) -> dict[str, Any]:
    """All that has to be the same for the same bits; choices by their values, and as text to be read."""
    rows_of = {
        "dtype": str(np.dtype(rows.dtype)),
        "rows": rows.fingerprint,  # before the model, which may be measured on them
    }
    # The seed before the model, too.
    choices = {"seed": plan.seed, "model": model, "n_iter": n_epochs, **plan._asdict()}
    return {
        **rows_of,
        **{name: f"{value!r:.1000}" for name, value in choices.items()},
        "identities": {name: fingerprint(value) for name, value in choices.items()},
    }


def _check_settings(header: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse a header of other entries, or with other settings, than those `wanted`."""
    for name in (*wanted, *PROGRESS, *OWN):
        if name not in header:
            raise ContentError(f"does not say {name!r}. {REMEDY}")
    for name in header.keys() - {*wanted, *PROGRESS, *OWN}:
        raise ContentError(f"says {name!r:.60}, which this version of ebm does not know. {REMEDY}")
    written, identities = header["identities"], wanted["identities"]
    if not isinstance(written, dict):
        raise ContentError(f"has no identities of its settings. {REMEDY}")
    for name in (*identities, "version"):
        if not isinstance(header[name], str):
            raise ContentError(f"says {name}={header[name]!r:.60}, which is no text. {REMEDY}")
    for name, value in wanted.items():
        if name == "identities":
            continue
        found = header[name]
        same = written.get(name) == identities[name] if name in identities else found == value
        if not same:
            print_alike = " (the same in print, not in value)" if found == value else ""
            raise ContentError(
                f"was written with {name}={found!s:.300}, but this is {value!s:.300}{print_alike}. Continue with the "
                f"same {GIVEN_AS.get(name, 'settings and rows')}"
            )
