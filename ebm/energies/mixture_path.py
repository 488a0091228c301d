"""The path from a mixture of product distributions to a model, so that annealing starts near all of its modes.

With the path E_t from fair coins, and product distributions p_k(x) = exp(f_k'x - A_k) of weights w_k, the distribution
at t is

    p_t(x, k) = w_k exp(-E_t(x)) exp((1 - t) (f_k'x - A_k)) / Z_t,

where k is summed out of the weights and drawn anew at each step: it may change as long as the distributions overlap. At
t = 0 this is the mixture, at t = 1 the model.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ebm._checks import Array
from ebm._random import Key, fold, uniform
from ebm.energies.path import Path, Tilt


class MixturePath(Path):
    """The path to the end of `coins`, which starts at units without fields, from a mixture of product distributions.

    The distributions have the `fields` (distributions, units); ``counts[k]`` of every ``sum(counts)`` rows start from
    distribution k, so that its weight is its share of them and the starts are stratified.
    """

    def __init__(self, coins: Path, fields: Array, counts: Array) -> None:
        self._coins, self.unit = coins, coins.unit
        self._log_weights = np.log(counts / counts.sum())
        self.labels = np.repeat(np.arange(len(counts)), counts)
        self._fields = np.ascontiguousarray(fields)
        self._log_normalisers = coins.log_normaliser(self._fields)
        self.log_z = coins.log_z - float(coins.log_normaliser(np.zeros_like(fields[:1]))[0])

    def log_normaliser(self, fields: Array) -> Array:
        """The log-partition function of units with the `fields` alone."""
        return self._coins.log_normaliser(fields)

    def start(self, n_rows: int, key: Key, first_row: int = 0, tilt: Tilt | None = None) -> Array:
        """Draws from the distributions that `labels` names, over and over."""
        labels = self.labels[np.arange(first_row, first_row + n_rows) % len(self.labels)]
        return self._coins.start(n_rows, key, first_row, Tilt(labels, self._fields))

    def inputs(self, x: Array) -> Array:
        """Those of the path from coins."""
        return self._coins.inputs(x)

    def stage(self, t: float) -> tuple[float, Any]:
        """t, and the stage of the path from coins."""
        return t, self._coins.stage(t)

    def _log_laws(self, x: Array) -> Array:
        """Log p_k(x): (rows, distributions) in double precision."""
        logs: Array = x @ self._fields.T - self._log_normalisers
        return logs

    def gain(self, x: Array, inputs: Array, first: Any, last: Any) -> Array:
        """F_first(x) - F_last(x), the distributions being summed out."""
        (s, before), (t, after) = first, last
        logs = self._log_laws(x)
        old, new = (np.logaddexp.reduce(self._log_weights + (1 - u) * logs, axis=1) for u in (s, t))
        gain: Array = self._coins.gain(x, inputs, before, after) + new - old
        return gain

    def move(
        self,
        x: Array,
        inputs: Array,
        stages: Sequence[Any],
        key: Key,
        first_row: int = 0,
        given: Array | None = None,
        tilt: Tilt | None = None,
    ) -> Array:
        """A draw of the label of each row, and a step in the fields of its distribution."""
        ((t, stage),) = stages
        if t == 1:
            return self._coins.move(x, inputs, [stage], fold(key, 1), first_row)
        logs = self._log_weights + (1 - t) * self._log_laws(x)
        shares = np.cumsum(np.exp(logs - logs.max(axis=1, keepdims=True)), axis=1)
        places = uniform(fold(key, 0), first_row + len(x))[first_row:] * shares[:, -1]
        labels = (shares[:, :-1] < places[:, np.newaxis]).sum(axis=1)
        fields = ((1 - t) * self._fields).astype(x.dtype)
        return self._coins.move(
            x, inputs, [stage], fold(key, 1), first_row, tilt=Tilt(labels, fields)
        )

    def energy(self, x: Array, inputs: Array) -> Array:
        """The energy of the model."""
        return self._coins.energy(x, inputs)
