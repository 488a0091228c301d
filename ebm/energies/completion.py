"""Label units on a dense associative memory: what the memory adds to a row of data where it is incomplete.

The units are s = (v, t): visible ones v, any real numbers around [-1, 1], and one label unit t_b in {-1, +1} for each
class (Krotov & Hopfield 2016, section 4). Memories xi = (w, l) of as many real numbers have the energy

    E(v, t) = -sum_k F((w_k'v + l_k't) / T),        F(x) = x^n, or zero for negative x if rectified.

The labels start off, t = -1, and each looks once, by itself, at what it would gain by turning on, and becomes

    c_b = tanh(gain_b),     gain_b = E(v, -1) - E(v, -1 with t_b = +1).

The row's class is the label of the largest gain. Among the states with exactly one label on, exp(-2E) gives label b the
share exp(2 gain_b) / sum exp(2 gain).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from ebm._checks import Array, check_integer, check_real
from ebm._kernels import completion as kernels
from ebm.energies.memory import DenseParameters


@dataclass(frozen=True)
class Completion:
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

    n_labels: int
    degree: int
    rectified: bool
    scale: float

    def __post_init__(self) -> None:
        check_integer(self.n_labels, "n_labels")
        check_integer(self.degree, "degree", 2)
        check_real(self.scale, "scale", open_low=True)

    def split(self, params: DenseParameters) -> tuple[Array, Array]:
        """The visible parts (n_memories, n_visible) and the label parts (n_labels, n_memories), in units of T."""
        memories = params.memories * params.memories.dtype.type(1 / self.scale)
        return memories[:, : -self.n_labels], np.ascontiguousarray(memories[:, -self.n_labels :].T)

    def inputs(self, visible: Array, labels: Array, v: Array) -> Array:
        """What the memories receive with all labels off: (rows, n_visible) -> (rows, n_memories)."""
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
