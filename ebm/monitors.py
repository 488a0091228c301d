"""Callbacks of training: plain callables, called after every epoch.

A callback takes a :class:`Report` and may return a dict of numbers, which join that epoch's entry of the history, or
True, which ends training there.
"""

import math
import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ebm._arrays import as_numbers
from ebm._checks import Array, check_integer, check_real, real_of, shown
from ebm._files import writable
from ebm.energies.base import Model
from ebm.likelihood import free_energy, free_energy_gap, pseudo_log_likelihood


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
    model, params : the model (Bipartite or Pairwise or LabelMemory), and its parameters
        The model, and its parameters as they are now: views, copy what you keep.
    theta : ndarray of shape (parameters,)
        The parameters as training holds them: what is written here is what it goes on from.
    saved : dict of ndarray
        Values that callbacks keep from epoch to epoch; they are part of a checkpoint.
    monitored : dict of float
        Numbers recorded for this epoch so far.
    checkpoints : list of path
        Files to which training is to be written when all callbacks have been called.
    slowdowns : list of float
        Factors by which the learning rate of all later epochs is multiplied.
    """

    epoch: int
    n_epochs: int
    learning_rate: float
    elapsed: float
    model: Model
    params: Any
    theta: Array = field(default_factory=lambda: np.empty(0))
    saved: dict[str, Array] = field(default_factory=dict)
    monitored: dict[str, float] = field(default_factory=dict)
    checkpoints: list[Path] = field(default_factory=list)
    slowdowns: list[float] = field(default_factory=list)

    @property
    def kept(self) -> dict[str, Array]:
        """The old name of `saved`, for one more release."""
        warnings.warn("Report.kept is now Report.saved.", FutureWarning, stacklevel=2)
        return self.saved


Callback = Callable[[Report], Any]
Score = Callable[[Any, Any, Array], float]
History = dict[str, list[float]]
RECORDED = ("epoch", "learning_rate", "time")  # in every history, besides what monitors record


def invalid_saved(callbacks: Sequence[Callback], saved: dict[str, Array], theta: Array) -> str:
    """Why `saved`, beside the parameters `theta`, is not what the callbacks that know it leave there, or ''."""
    judges = [getattr(callback, "invalid_saved", None) for callback in callbacks]
    return next((reason for judge in judges if judge and (reason := judge(saved, theta))), "")


def _invalid_best(saved: dict[str, Array], theta: Array, scores: str, best: str | None) -> str:
    """Why `saved` has no two `scores`, of which the second is a count, or not the `best` parameters, if any; ''."""
    likes = {scores: np.zeros(2)} | ({best: theta} if best else {})
    for name, like in likes.items():
        x = saved.get(name)
        if x is None or (x.dtype, x.shape) != (like.dtype, like.shape):
            return f"no {name!r} of the shape {like.shape} and dtype {like.dtype}, which a monitor keeps"
    if not saved[scores][1] >= 0 or (best and not np.isfinite(saved[best]).all()):
        return f"a negative count in {scores!r}, or parameters that are not finite beside it"
    return ""


def notify(callbacks: Sequence[Callback], report: Report, history: History) -> bool:
    """Call the callbacks in turn and enter the epoch into `history`; whether one asked to stop."""
    stop = False
    for callback in callbacks:
        answer = callback(report)
        if isinstance(answer, Mapping):
            report.monitored.update(answer)
        stop = stop or (isinstance(answer, bool | np.bool_) and bool(answer))
    done = len(history.get("epoch", ()))
    basics = {
        "epoch": done + 1,
        "learning_rate": report.learning_rate,
        "time": report.elapsed,
    }
    row = {**report.monitored, **basics}
    try:
        _enter(row, history, done)
    finally:  # an interrupt leaves no row entered by half
        _enter(row, history, done)
    return stop


def _enter(row: Mapping[str, float], history: History, done: int) -> None:
    """Make `row` number `done` of the history, where it is not yet."""
    for name in {**history, **row}:  # what is recorded only sometimes is NaN at other times
        if name not in history:
            history[name] = [math.nan] * done
        if len(history[name]) == done:
            history[name].append(row.get(name, math.nan))


class Scorer:
    """Callback that records ``score(params)`` under `name`: the pseudo-likelihood of some rows, say."""

    def __init__(self, name: str, score: Callable[[Any], float]) -> None:
        self._name, self._score = name, score

    def __call__(self, report: Report) -> dict[str, float]:
        """The entry of this epoch."""
        return {self._name: float(self._score(report.params))}


class Plateau:
    """Callback that ends training, or slows it down, when a monitored number no longer improves.

    An epoch counts as one without improvement when the number does not pass the best so far by more than `tol`;
    training ends after more than `patience` of them in a row. With `slowdown` the learning rate is multiplied by it
    instead, until that rate is below `smallest_rate`.

    Parameters
    ----------
    monitor : str
        Name of the number in ``report.monitored``, measured by the gradient or an earlier callback.
    rises : bool
        Whether it improves by rising. The parameters at the highest are then kept, in ``report.saved["best_theta"]``.
    tol : float
    patience : float
        Infinite: never.
    slowdown : float in (0, 1), optional
    smallest_rate : float
    """

    def __init__(
        self,
        monitor: str,
        *,
        rises: bool = False,
        tol: float = 1e-4,
        patience: float = 10,
        slowdown: float | None = None,
        smallest_rate: float = 1e-6,
    ) -> None:
        self.monitor, self.sign = monitor, 1.0 if rises else -1.0
        self.tol, self.patience = tol, patience
        self.slowdown, self.smallest_rate = slowdown, smallest_rate

    def __call__(self, report: Report) -> bool:
        """Compare; whether to end training."""
        value = self.sign * report.monitored[self.monitor]
        best, misses = report.saved.get("plateau", np.array([-np.inf, 0.0]))
        misses = 0 if value >= best + self.tol or best == -np.inf else misses + 1
        if value > best and self.sign > 0:
            report.saved["best_theta"] = report.theta.copy()
        stuck = misses > self.patience
        if stuck and self.slowdown is not None and report.learning_rate > self.smallest_rate:
            report.slowdowns.append(self.slowdown)
            stuck, misses = False, 0
        report.saved["plateau"] = np.array([np.fmax(value, best), misses])
        return bool(stuck)

    def begin(self, saved: dict[str, Array], value: float, theta: Array) -> None:
        """Make parameters a candidate for the best before the first epoch, at a finite `value` that is to rise."""
        if np.isfinite(value):
            saved["plateau"], saved["best_theta"] = np.array([value, 0.0]), theta.copy()

    def invalid_saved(self, saved: dict[str, Array], theta: Array) -> str:
        """Say why `saved` is not what it has left there, or ''."""
        best = "best_theta" if "best_theta" in saved else None
        return _invalid_best(saved, theta, "plateau", best)

    def stuck(self, saved: dict[str, Array]) -> bool:
        """Whether, by what it left in ``report.saved``, it has ended training."""
        return bool(saved.get("plateau", np.zeros(2))[1] > self.patience)

    def best(self, saved: dict[str, Array]) -> float:
        """The best value so far of a number that should fall, or of minus a number that should rise. Infinite before
        the first.
        """
        return -float(saved.get("plateau", np.array([-np.inf]))[0])


class EarlyStopping:
    """Callback that ends training when held-out rows no longer profit, and restores the best parameters.

    Parameters
    ----------
    held_out : {array-like, sparse matrix} of shape (n_rows, n_features)
        Rows that training does not see.
    monitor : {"pseudo_likelihood", "free_energy_gap"} or callable, default="pseudo_likelihood"
        "pseudo_likelihood": the mean pseudo-log-likelihood of the held-out rows has to rise. "free_energy_gap": their
        mean free energy may exceed that of the rows `train` by at most `max_gap`. The best parameters are then the last
        ones within `max_gap`. A callable ``monitor(model, params, held_out)`` -> float is to rise.
    train : {array-like, sparse matrix} of shape (n_rows, n_features), optional
        Some of the rows trained on, for the free-energy gap.
    patience : int, default=10
        Looks in a row without improvement after which training ends.
    min_delta : float, default=0.0
        An improvement exceeds the best so far by more than this, in nats.
    max_gap : float, default=1.0
        Largest free-energy gap, in nats.
    every : int, default=1
        Epochs between looks; there is always one after the last epoch.

    Raises
    ------
    ValueError
        If rows hold NaN or infinite values, or have the wrong number of columns (when training begins), or a setting
        is out of range.

    Notes
    -----
    The parameters are also restored when training comes to its end without a stop; not when it is interrupted. The
    monitored numbers stand in ``history_`` as "held_out_pseudo_likelihood", "free_energy_gap", or the name of
    the callable ("held_out" if it has none; two callables in one fit need names that differ).

    The free-energy gap (section 6 of [1]_) is the difference of the mean log-likelihoods, for log Z cancels. Which gap
    is too large it does not say; a held-out pseudo-likelihood has a maximum of its own.

    References
    ----------
    .. [1] Hinton, G. E. (2012). A practical guide to training restricted Boltzmann machines. In Neural Networks: Tricks
       of the Trade. Springer.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm import BernoulliRBM, EarlyStopping
    >>> X = np.random.default_rng(0).integers(0, 2, (60, 8)).astype(float)  # nothing to learn
    >>> stop = EarlyStopping(X[30:], patience=5)
    >>> rbm = BernoulliRBM(n_components=4, n_iter=500, callbacks=stop, random_state=0).fit(X[:30])
    >>> len(rbm.history_["held_out_pseudo_likelihood"]) < 500
    True
    """

    def __init__(
        self,
        held_out: Any,
        *,
        monitor: str | Score = "pseudo_likelihood",
        train: Any = None,
        patience: int = 10,
        min_delta: float = 0.0,
        max_gap: float = 1.0,
        every: int = 1,
    ) -> None:
        patience = check_integer(patience, "patience")
        min_delta = check_real(min_delta, "min_delta")
        max_gap = check_real(max_gap, "max_gap", open_low=True)
        every = check_integer(every, "every")
        named = isinstance(monitor, str) and monitor in ("pseudo_likelihood", "free_energy_gap")
        if not named and (isinstance(monitor, type) or not callable(monitor)):
            raise ValueError(
                "monitor must be 'pseudo_likelihood', 'free_energy_gap' or a callable. "
                f"Got {shown(monitor)} instead."
            )
        if named and monitor == "free_energy_gap" and train is None:
            raise ValueError(
                "train must hold rows that are trained on when monitor='free_energy_gap'."
            )
        self.held_out = _complete_rows(held_out, "held_out")
        self.train = None if train is None else _complete_rows(train, "train")
        self.monitor, self.patience, self.every = monitor, patience, every
        self.min_delta, self.max_gap = min_delta, max_gap

    def __call__(self, report: Report) -> bool:
        """Whether to stop; at the end of training the best parameters are back in place."""
        saved, last = report.saved, report.epoch >= report.n_epochs
        if report.epoch == 1:
            saved.pop(self._name, None)  # of an earlier fit
        stop = False
        if report.epoch % self.every == 0 or last:
            score = self._score(report.model, report.params)
            report.monitored[self._name] = score
            stop = self._judge(saved, score, report.theta)
        if stop or last:
            report.theta[:] = saved[f"{self._name}.theta"]
        return stop

    def invalid_saved(self, saved: dict[str, Array], theta: Array) -> str:
        """Say why `saved` is not what it has left there, or ''."""
        best = f"{self._name}.theta"
        if not saved.keys() & {self._name, best}:  # it has not looked yet
            return ""
        return _invalid_best(saved, theta, self._name, best)

    @property
    def _name(self) -> str:
        # "pseudo_likelihood" is what a verbose fit records of training rows.
        if self.monitor == "pseudo_likelihood":
            return "held_out_pseudo_likelihood"
        if isinstance(self.monitor, str):
            return self.monitor
        name = getattr(self.monitor, "__name__", "<")
        return "held_out" if name.startswith("<") else name

    def _score(self, model: Model, params: Any) -> float:
        for name, rows in (("held_out", self.held_out), ("train", self.train)):
            n_visible = model.shape(params)[0]
            if rows is not None and rows.shape[1] != n_visible:
                raise ValueError(
                    f"{name} has {rows.shape[1]} columns, but the model has {n_visible} visible units."
                )
        if callable(self.monitor):
            score = real_of(self.monitor(model, params, self.held_out))
            if score is None:
                raise ValueError(
                    f"monitor must return a number. Got another result from {shown(self.monitor)}."
                )
            return score
        _check_measured(model, self.monitor)
        if self.train is not None and self.monitor == "free_energy_gap":
            return free_energy_gap(model, params, self.train, self.held_out)
        return float(pseudo_log_likelihood(model, params, self.held_out).mean())

    def _judge(self, saved: dict[str, Array], score: float, theta: Array) -> bool:
        """Note the score; whether there were too many bad ones in a row."""
        best = saved.get(self._name)  # the best score, and how many looks ago it was
        if best is None or self._improves(score, best[0]):
            saved |= {self._name: np.array([score, 0.0]), f"{self._name}.theta": theta.copy()}
        else:
            best[1] += 1
        return bool(saved[self._name][1] >= self.patience)

    def _improves(self, score: float, best: float) -> bool:
        if self.monitor == "free_energy_gap":
            return score <= self.max_gap
        return score > best + self.min_delta or (math.isnan(best) and not math.isnan(score))


def _check_measured(model: Model, monitor: str) -> None:
    """Refuse a measure of likelihood where the model has none."""
    measure: Any = {"pseudo_likelihood": pseudo_log_likelihood, "free_energy_gap": free_energy}[
        monitor
    ]
    if measure.dispatch(type(model)) is measure.dispatch(object):
        raise ValueError(
            f"monitor={monitor!r} says nothing of {model!r}, which has no likelihood. Give a callable "
            "monitor(model, params, held_out), whose result is to rise."
        )


def _brief(x: float) -> str:
    """Two decimals, or where these would say nothing or too much, three digits."""
    return f"{x:.2f}" if x == 0 or 0.1 <= abs(x) < 1e7 else f"{x:.3g}"


def _complete_rows(rows: Any, argument: str) -> Array:
    """Dense rows, all finite."""
    x = as_numbers(rows, argument)
    if x.ndim != 2 or not len(x):
        raise ValueError(
            f"{argument} must be a table of numbers with rows. Got the shape {x.shape}."
        )
    if not np.isfinite(x).all():
        raise ValueError(
            f"{argument} holds NaN or infinite values: leave such rows out, or fill them in (impute)."
        )
    return x


class Checkpoint:
    """Callback that writes training to a file, from which the estimator's `resume` goes on to the same bits.

    Parameters
    ----------
    path : str or path
        The file. It is replaced in one step: a crash leaves the old one or the new one. A link to a file stays, and so
        does the mode.
    every : int, default=1
        Epochs between writes; the last of the epochs asked for is always written.

    Raises
    ------
    TypeError
        If `path` is none.
    ValueError
        If `every` is not a positive integer, or if no file can be written at `path`: it is a folder, or its folder does
        not exist or is not writable.

    Warns
    -----
    UserWarning
        Once in a training, if the file cannot be written, for example to a full disk. Training continues.

    Notes
    -----
    Values that a callback stores in ``report.saved``, as :class:`EarlyStopping` does, are part of the file. Values that
    it stores elsewhere are lost.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from ebm import BernoulliRBM, Checkpoint
    >>> X, settings = np.eye(3), {"n_components": 2, "n_iter": 4, "random_state": 0}
    >>> def crash(report):
    ...     if report.epoch == 3:
    ...         raise OSError("the power went out")
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "training")
    ...     try:
    ...         BernoulliRBM(**settings, callbacks=[Checkpoint(file), crash]).fit(X)
    ...     except OSError:
    ...         rbm = BernoulliRBM(**settings).resume(file, X)
    >>> bool((rbm.components_ == BernoulliRBM(**settings).fit(X).components_).all())
    True
    """

    def __init__(self, path: str | os.PathLike[str], *, every: int = 1) -> None:
        every = check_integer(every, "every")
        self.path, self.every = writable(path, "path"), every

    def __call__(self, report: Report) -> None:
        """Ask for the file to be written."""
        if report.epoch % self.every == 0 or report.epoch >= report.n_epochs:
            report.checkpoints.append(self.path)


class ProgressLine:
    """Callback that prints a progress bar on a terminal, and one plain line per epoch elsewhere."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._bar: tqdm[Any] | None = None
        self._before = 0.0

    def __call__(self, report: Report) -> None:
        """Show the epoch."""
        shown = {name.replace("_", "-"): _brief(x) for name, x in report.monitored.items()}
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
