"""Label units on a dense associative memory: what the memory adds to a row of data where it is incomplete.

The units are s = (v, t): visible ones v, any real numbers around [-1, 1], and one label unit t_b in {-1, +1} for each
class (Krotov & Hopfield 2016, section 4). Memories xi = (w, l) of as many real numbers have the energy

    E(v, t) = -sum_k F((w_k'v + l_k't) / T),        F(x) = x^n, or zero for negative x if rectified.

The labels start off, t = -1. For each label the gain of turning it on alone is computed once, and the label becomes

    c_b = tanh(gain_b),     gain_b = E(v, -1) - E(v, -1 with t_b = +1).

The row's class is the label of the largest gain. Among the states with exactly one label on, exp(-2E) gives label b the
share exp(2 gain_b) / sum exp(2 gain).

To training (:mod:`ebm.training`) all units are visible: a row of data is s = (v, t), and the memories are the hidden
ones, one each. They start at rows, shrunk and with noise. A memory far from the data would have inputs below zero for
all rows, and a rectified interaction then has no gradient for it. They are kept within [-1, 1], where the states are
(Krotov & Hopfield 2016, appendix A).
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from scipy.special import softmax

from ebm._arrays import Array, as_numbers, finite_numbers
from ebm._checks import Settled, check_integer, check_real, shown
from ebm._flat import Extent
from ebm._kernels import label_memory as kernels
from ebm._random import Key, normal
from ebm.energies.base import DataSummary, Model
from ebm.energies.memory import DenseParameters
from ebm.units import Bounds, Spin

# Size of the rows that memories start at, and of the noise: that of the paper's random start.
START = 0.3


@dataclass(frozen=True)
class LabelMemory(Settled, Model):
    """The choice of the interaction, and of the scale T.

    Attributes
    ----------
    n_labels : int
        The last units of every memory.
    degree : int
        n, at least 2.
    rectified : bool
    scale : float
        T.
    """

    kind: ClassVar[str] = "models with label units"
    n_labels: int
    degree: int
    rectified: bool
    scale: float

    def __post_init__(self) -> None:
        check_integer(self.n_labels, "n_labels")
        check_integer(self.degree, "degree", 2)
        check_real(self.scale, "scale", open_low=True)

    # What training asks of a model

    @property
    def visible(self) -> Spin:
        """The type of all units, the rows of training data: without a scale of their own."""
        return Spin()

    @property
    def starts_at_rows(self) -> bool:
        """Learning starts at rows of the data."""
        return True

    def layout(self, *shape: int) -> DenseParameters:
        """The memories of (n_units, n_memories), one after the other: all are weights."""
        return DenseParameters(Extent(shape[::-1], weight=True))  # type: ignore[arg-type]

    def shape(self, params: DenseParameters) -> tuple[int, int]:
        """(n_units, n_memories)."""
        n_memories, n_units = params.memories.shape
        return n_units, n_memories

    def visible_at_rest(self, params: DenseParameters) -> Array:
        """Means of the units without input: zero."""
        return np.zeros(self.shape(params)[0], params.memories.dtype)

    def project(self, params: DenseParameters, bounds: Bounds) -> bool:
        """Keep the memories within [-1, 1], in place; that is no sign of divergence."""
        np.clip(params.memories, -1, 1, out=params.memories)
        return True

    def initial(self, data: DataSummary, n_hidden: int, key: Key) -> DenseParameters:
        """Noise, to which :meth:`with_examples` adds rows."""
        return DenseParameters(normal(key, (n_hidden, len(data.mean)), data.mean.dtype))

    def with_examples(self, params: DenseParameters, examples: Array) -> DenseParameters:
        """Add the first n_memories of the rows `examples` (rows, n_units), and shrink."""
        first = examples[: len(params.memories)]
        return DenseParameters(np.clip(START * (params.memories + first), -1, 1))

    # Inputs and gains

    def parts(self, s: Array) -> tuple[Array, Array]:
        """Views of the visible units and of the labels in `s` (rows, n_units)."""
        return s[:, : -self.n_labels], s[:, -self.n_labels :]

    def split(self, params: DenseParameters) -> tuple[Array, Array]:
        """The visible parts (n_memories, n_visible) and the label parts (n_labels, n_memories), in units of T."""
        memories = params.memories * params.memories.dtype.type(1 / self.scale)
        return memories[:, : -self.n_labels], np.ascontiguousarray(memories[:, -self.n_labels :].T)

    def inputs(self, visible: Array, labels: Array, v: Array) -> Array:
        """The inputs of the memories with all labels off: (rows, n_visible) -> (rows, n_memories)."""
        inputs: Array = v @ visible.T
        inputs -= labels.sum(axis=0)
        return inputs

    def gains(self, params: DenseParameters, v: Array) -> Array:
        """gain_b of each row and label: (rows, n_visible) -> (rows, n_labels) in double precision."""
        visible, labels = self.split(params)
        a = self.inputs(visible, labels, v)
        out = np.empty((len(v), self.n_labels))
        kernels.gains(a, labels, self.degree, self.rectified, out)
        return out

    def shares(self, params: DenseParameters, v: Array) -> Array:
        """exp(2 gain_b), normalised: (rows, n_visible) -> (rows, n_labels)."""
        shares: Array = softmax(2 * self.gains(params, v), axis=1)
        return shares

    def accuracy(self, params: DenseParameters, s: Array) -> float:
        """Share of the rows `s` = (v, t) whose label, of all, gains most."""
        v, t = self.parts(np.asarray(s, params.memories.dtype))
        return float((self.gains(params, v).argmax(axis=1) == t.argmax(axis=1)).mean())

    def unit_scale(self, params: DenseParameters, v: Array) -> float:
        """The scale T at which the largest gain of a row is one, on average over the rows `v`.

        Gains are as 1 / T to the power n: they are measured at a scale at which no term exceeds one, and that tells.
        """
        exact = DenseParameters(params.memories.astype(np.float64))
        visible, labels = replace(self, scale=1.0).split(exact)
        a = self.inputs(visible, labels, v.astype(np.float64))
        reach = float((np.abs(a).max(axis=0) + 2 * np.abs(labels).max(axis=0)).max())
        if not reach > 0:
            return 1.0
        gains = replace(self, scale=reach).gains(exact, v.astype(np.float64))
        largest = float(np.abs(gains).max(axis=1).mean())
        return reach * (largest ** (1 / self.degree) if largest > 0 else 1.0)


def with_labels(v: Array, labels: Array, n_labels: int) -> Array:
    """States s = (v, t) of all units: the rows `v`, and t, which is +1 for the row's number in `labels`, else -1."""
    n_rows, n_visible = v.shape
    s = np.empty((n_rows, n_visible + n_labels), v.dtype)
    s[:, :n_visible] = v
    s[:, n_visible:] = -1
    s[np.arange(n_rows), n_visible + labels] = 1
    return s


def given_memories(
    memories: Any, n_labels: int, ends: Any
) -> tuple[DenseParameters, tuple[float, float]]:
    """Copies of memories that somebody gives, and what is mapped to -1 and to +1.

    Parameters
    ----------
    memories : array-like of shape (n_memories, n_visible + n_labels)
    n_labels : int
    ends : tuple of float
        The lower and the upper value.

    Returns
    -------
    params : DenseParameters
    ends : tuple of float

    Raises
    ------
    ValueError
        If there is no visible unit, an entry is NaN or infinite, or the upper value is not above the lower one.
    """
    components = np.array(finite_numbers(memories, "components"), order="C")
    if components.ndim != 2 or not len(components) or components.shape[1] <= n_labels:
        raise ValueError(
            f"components must have the shape (n_components, n_features + {n_labels}), a column for each class at the "
            f"end. Got {components.shape}."
        )
    both = as_numbers(ends, "range")
    if both.shape != (2,) or not -np.inf < both[0] < both[1] < np.inf:
        raise ValueError(
            f"range must be two finite numbers, the lower one first. Got {shown(ends)}."
        )
    low, high = map(float, both)
    return DenseParameters(components), (low, high)
