"""What is recorded while training, and who is told: plain callables, called after every epoch.

A callback takes a :class:`Report` and may return a dict of numbers, which join that epoch's entry of the history, or
True, which ends training there.
"""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tqdm import tqdm

from ebm.energies.bipartite import Bipartite, BipartiteParameters


@dataclass(frozen=True)
class Report:
    """State of training after an epoch.

    Attributes
    ----------
    epoch, n_epochs : int
        Epochs done, from 1, and epochs asked for in this fit.
    learning_rate : float
        Rate of the epoch's last step.
    elapsed : float
        Seconds since the fit began.
    model, params : Bipartite, BipartiteParameters
        The model, and its parameters as they are now: views, copy what you keep.
    monitored : dict of float
        Numbers recorded for this epoch so far.
    """

    epoch: int
    n_epochs: int
    learning_rate: float
    elapsed: float
    model: Bipartite
    params: BipartiteParameters
    monitored: dict[str, float] = field(default_factory=dict)


Callback = Callable[[Report], Any]
History = dict[str, list[float]]


def notify(callbacks: Sequence[Callback], report: Report, history: History) -> bool:
    """Call the callbacks in turn and enter the epoch into `history`; whether one asked to stop."""
    stop = False
    for callback in callbacks:
        answer = callback(report)
        if isinstance(answer, Mapping):
            report.monitored.update(answer)
        stop = stop or (isinstance(answer, bool | np.bool_) and bool(answer))
    done = len(history.get("epoch", ()))
    own = {"epoch": done + 1, "learning_rate": report.learning_rate, "time": report.elapsed}
    row = {**report.monitored, **own}
    for name in {**history, **row}:  # what is recorded only sometimes is NaN at other times
        history.setdefault(name, [math.nan] * done).append(row.get(name, math.nan))
    return stop


class Scorer:
    """Callback that records ``score(params)`` under `name`: the pseudo-likelihood of some rows, say."""

    def __init__(self, name: str, score: Callable[[BipartiteParameters], float]) -> None:
        self._name, self._score = name, score

    def __call__(self, report: Report) -> dict[str, float]:
        """The entry of this epoch."""
        return {self._name: float(self._score(report.params))}


class ProgressLine:
    """Callback that prints a progress bar on a terminal, and one plain line per epoch elsewhere."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._bar: tqdm[Any] | None = None
        self._before = 0.0

    def __call__(self, report: Report) -> None:
        """Show the epoch."""
        shown = {name.replace("_", "-"): f"{x:.2f}" for name, x in report.monitored.items()}
        if sys.stdout.isatty():
            if self._bar is None:
                self._bar = tqdm(
                    total=report.n_epochs, desc=self._title, unit="epoch", file=sys.stdout
                )
            self._bar.set_postfix(shown, refresh=False)
            self._bar.update(report.epoch - self._bar.n)
        else:
            numbers = "".join(f" {name} = {x}," for name, x in shown.items())
            took = report.elapsed - self._before
            print(f"[{self._title}] Iteration {report.epoch},{numbers} time = {took:.2f}s")
        self._before = report.elapsed

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()
