"""The pass up through a stack: x_k = f(x_{k-1}) for every layer k, where f takes the means or draws states.

A :data:`Step` is a bipartite model with its parameters: its hidden layer is the upper one. The only loop is
:func:`layers_above`; a :data:`Rule` turns the inputs of the units of one layer into its outputs.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ebm._batches import row_fingerprints
from ebm._checks import Array
from ebm._flat import dtype_of
from ebm._random import Key, Reserved, fold, stream
from ebm._sparse import as_dtype, row_blocks
from ebm.samplers import sample_by_content

# A bipartite model, or one of which some visible units are averaged over, and its parameters.
Step = tuple[Any, Any]
# Number of a step, the step, rows of its lower layer -> rows of its upper one.
Rule = Callable[[int, Step, Any], Array]


def means(k: int, step: Step, x: Any) -> Array:
    """The rule that every layer has its means given those of the one below."""
    model, params = step
    mean: Array = model.hidden_mean(params, x)
    return mean


def draws(key: Key, first_row: int = 0) -> Rule:
    """The rule that states are drawn: step k from ``fold(key, k)``, row r the numbers of row ``first_row + r``."""

    def draw(k: int, step: Step, x: Any) -> Array:
        model, params = step
        inputs = model.hidden_input(params, x)
        states: Array = model.hidden.sample(
            model.hidden_parameters(params), inputs, fold(key, k), first_row=first_row
        )
        return states

    return draw


def draws_by_content(key: Key) -> Rule:
    """The rule that states are drawn, the same for equal rows, of one step."""

    def draw(k: int, step: Step, x: Any) -> Array:
        model, params = step
        inputs = model.hidden_input(params, x)
        own = model.hidden_parameters(params)
        return sample_by_content(model.hidden, own, inputs, row_fingerprints(x), key)

    return draw


def layers_above(steps: Iterable[Step], x: Any, rule: Rule = means) -> Iterator[Array]:
    """The layers above rows `x` (rows, n), one after the other, each made by the `rule` of the one below."""
    for k, step in enumerate(steps):
        x = rule(k, step, x)
        yield x


def top_draws(steps: Sequence[Step], x: Any, key: Key, first_row: int) -> Array:
    """One draw of the layer to which the `steps` lead from dense rows `x`: see :class:`ebm._batches.Redrawn`."""
    rows = np.ascontiguousarray(x, dtype_of(steps[0][1]))
    *_, top = layers_above(steps, rows, draws(key, first_row))
    return top


class Propagation(NamedTuple):
    """How the rows that a layer learns from are made of those of the layer below.

    Attributes
    ----------
    draws : bool
        Whether states are drawn; else their means go up.
    seed : int
        Of the draws.
    turn : int
        Number of the draw.
    """

    draws: bool
    seed: int
    turn: int = 0

    def above(self, step: Step, k: int, X: Any) -> Array:
        """The rows of layer k + 1, of the dtype of the parameters; those of layer `k` are `X`, dense or CSR."""
        key = fold(fold(stream(self.seed, "positive"), Reserved.PROPAGATION.number + k), self.turn)
        rule = draws_by_content(key) if self.draws else means
        blocks = (as_dtype(block, dtype_of(step[1])) for block in row_blocks(X))
        return np.concatenate([rule(k, step, block) for block in blocks])
