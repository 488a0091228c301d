"""One description of a training's file, by which it is written and by which it is read.

The description of the arrays is a state with which the same training begins. A file has the same entries, with the same
shapes and dtypes, and besides them the history and what monitors keep, whose names are not known beforehand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ebm._archive import REMEDY, ContentError, Described
from ebm._checks import Array
from ebm._state import Plan, State
from ebm.gradients.base import ChainState
from ebm.monitors import RECORDED, Callback, invalid_saved
from ebm.units import Bounds

LAST_SEED = 2**32 - 1
WHOLE = ("n_steps", "first_step", "epoch")
PROGRESS = ("shape", *WHOLE, "finished", "slowdown")


# The header -------------------------------------------------------------------------------------


def progress_of(state: State) -> dict[str, Any]:
    """How far training is, as the header has it."""
    numbers = {name: int(getattr(state, name)) for name in WHOLE}
    settled = {"finished": bool(state.finished), "slowdown": float(state.slowdown)}
    return {"shape": [int(n) for n in state.shape], **numbers, **settled}


def check_progress(header: Mapping[str, Any], n_epochs: int, n_batches: int) -> None:
    """Refuse a position that a fit of `n_epochs` with `n_batches` updates each does not come to."""
    for name in WHOLE:
        if type(header[name]) is not int or header[name] < 0:
            raise _wrong(f"says {name}={header[name]!r:.40}, which is no count")
    epoch, done = header["epoch"], header["n_steps"] - header["first_step"]
    if not 1 <= epoch <= n_epochs:
        raise _wrong(f"says epoch={epoch!r:.40}, and this training has {n_epochs} epochs")
    if done != epoch * n_batches:
        raise _wrong(
            f"says n_steps={header['n_steps']!r:.40}, and {epoch} epochs of {n_batches} updates end elsewhere"
        )
    if type(header["finished"]) is not bool:
        raise _wrong(f"says finished={header['finished']!r:.40}, which is not true or false")
    if type(header["slowdown"]) is not float or not 0 < header["slowdown"] <= 1:
        raise _wrong(f"says slowdown={header['slowdown']!r:.40}, which is no factor in (0, 1]")


def _wrong(what: str) -> ContentError:
    return ContentError(f"{what}. {REMEDY}")


# The arrays -------------------------------------------------------------------------------------


def arrays_of(state: State) -> dict[str, Any]:
    """All arrays of a state, by the names of the entries."""
    history = {f"history.{name}": _numbers(name, x) for name, x in state.history.items()}
    return {**_named(state), **history, **{f"kept.{name}": x for name, x in state.saved.items()}}


def _named(state: State) -> dict[str, Array]:
    """The arrays whose names are known beforehand."""
    h, mu, lam, gradient_state = state.chains
    arrays = {"theta": state.theta, "h": h, "mu": mu, "lam": lam}
    for name, group in (
        ("memory", state.memory),
        ("own", gradient_state),
        ("marginals", state.marginals),
    ):
        arrays |= {f"{name}.{i}": x for i, x in enumerate(group)}
    for layer, named in state.bounds.items():
        for name, (low, high) in named.items():
            arrays |= {f"low.{layer}.{name}": low, f"high.{layer}.{name}": high}
    optional = {"origin": state.origin, "missing": state.missing}
    return arrays | {name: x for name, x in optional.items() if x is not None}


def _numbers(name: str, values: list[float]) -> Array:
    """Whole numbers as such, for they are counts; everything else in double precision."""
    x = np.asarray(values)
    if x.ndim != 1 or x.dtype.kind not in "biuf":
        raise ValueError(f"{name!r} of the history holds something else than real numbers")
    return x.astype(np.int64 if x.dtype.kind == "i" else np.float64)


def expected(like: State, plan: Plan) -> dict[str, Array]:
    """Arrays like those of a training with the `plan` that began at `like`, after an update."""
    gradient_state = plan.gradient.state_after(*like.fused, like.chains)
    return _named(replace(like, chains=like.chains._replace(gradient_state=gradient_state)))


def check_described(
    described: Mapping[str, Described], known: Mapping[str, Array], n_epochs: int
) -> None:
    """Refuse entries, before they are read, that are not those of a training after `n_epochs`; `known`: see above."""
    without = not any(name.startswith("marginals.") for name in described)
    for name, x in known.items():
        if name in described:
            _check_alike(name, described[name], x)
        elif not (without and name.startswith("marginals.")):  # of data that nobody has shown
            raise _wrong(f"lacks the entry {name!r}")
    for name in described.keys() - known.keys():
        if not name.startswith(("history.", "kept.")):
            raise _wrong(f"has an entry {name!r:.60}, which this training has not")
    history = {name: x for name, x in described.items() if name.startswith("history.")}
    _check_history(history, n_epochs)


def _check_history(described: Mapping[str, Described], n_epochs: int) -> None:
    for name in RECORDED:
        if f"history.{name}" not in described:
            raise _wrong(f"lacks the entry 'history.{name}'")
    length = described["history.epoch"].shape
    if len(length) != 1 or length[0] < n_epochs:
        raise _wrong(f"has a history that is not one of {n_epochs} epochs or more")
    for name, found in described.items():
        if found.dtype not in (np.int64, np.float64) or found.shape != length:
            raise _wrong(
                f"has an entry {name!r:.60} of the shape {found.shape!s:.60} and dtype {found.dtype}, unlike others "
                "of the history"
            )


def _check_alike(name: str, found: Described, x: Array) -> None:
    by_columns = x.flags.f_contiguous and not x.flags.c_contiguous
    if (found.dtype, found.shape, found.by_columns) != (x.dtype, x.shape, by_columns):
        order = "" if found.by_columns == by_columns else " in another order"
        raise _wrong(
            f"has an entry {name!r} of the shape {found.shape!s:.60} and dtype {found.dtype}{order}, and this "
            f"training has {x.shape} and {x.dtype}"
        )


# The values -------------------------------------------------------------------------------------


def state_of(header: Mapping[str, Any], arrays: Mapping[str, Array], like: State) -> State:
    """The state that header and arrays describe."""

    def group(name: str) -> dict[str, Array]:
        start = f"{name}."
        return {k.removeprefix(start): x for k, x in arrays.items() if k.startswith(start)}

    def tuple_of(name: str) -> tuple[Array, ...]:
        found = group(name)
        return tuple(found[str(i)] for i in range(len(found)))

    bounds: Bounds = {}
    for layer, named in like.bounds.items():
        for name in named:
            pair = arrays[f"low.{layer}.{name}"], arrays[f"high.{layer}.{name}"]
            bounds.setdefault(layer, {})[name] = pair
    return replace(
        like,
        theta=arrays["theta"],
        memory=tuple_of("memory"),
        chains=ChainState(arrays["h"], arrays["mu"], arrays["lam"], tuple_of("own")),
        bounds=bounds,
        origin=arrays.get("origin"),
        missing=arrays.get("missing"),
        history={name: x.tolist() for name, x in group("history").items()},
        marginals=tuple_of("marginals"),
        saved=group("kept"),
        **{name: header[name] for name in PROGRESS if name != "shape"},
    )


def check_state(
    state: State, known: Mapping[str, Array], plan: Plan, callbacks: Sequence[Callback]
) -> None:
    """Refuse values that no training comes to; `known`: see :func:`expected`."""
    for name, x in _named(state).items():
        unknown = np.isnan(x) if np.isnan(known[name]).any() else False
        if not name.startswith(("low.", "high.")) and not (np.isfinite(x) | unknown).all():
            raise _wrong(f"holds NaN or infinite values in the entry {name!r}")
    for layer, named in state.bounds.items():
        for name, (low, high) in named.items():
            if not (low <= high).all():
                raise _wrong(f"has invalid bounds of {layer} {name}")
    if state.marginals and min(x.min(initial=0) for x in state.marginals[1:]) < 0:
        raise _wrong("has a negative variance or count of rows among its marginals")
    times = np.asarray(state.history["time"], float)
    if not (np.isfinite(times).all() and times.min() >= 0):
        raise _wrong("has invalid times in its history")
    reason = (
        plan.gradient.invalid(state.model.fused, state.chains)
        or plan.optimizer.invalid(state.memory)
        or invalid_saved(callbacks, state.saved, state.theta)
    )
    if reason:
        raise _wrong(f"holds {reason}")
