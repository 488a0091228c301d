"""The layers of a deep machine as its settings give them: pathways of machines, and the one at the top of all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ebm.energies.deep import DeepModel
from ebm.energies.fixed_point import FixedPoint
from ebm.energies.side_by_side import SideBySide
from ebm.energies.trees import Pathway, TreeModel
from ebm.sklearn_compat._shared._learning import count_hidden
from ebm.sklearn_compat.rbm._base import BaseRBM
from ebm.sklearn_compat.rbm._layer import model_of
from ebm.units import Unit


class Path(NamedTuple):
    """One pathway.

    Attributes
    ----------
    names : list of str
        Of its machines.
    machines : list of BaseRBM
        Unfitted, from the data up; the one at the top of all pathways is not among them.
    visible : Unit
        The type of its columns.
    n_columns : int
    """

    names: list[str]
    machines: list[BaseRBM]
    visible: Unit
    n_columns: int


@dataclass(frozen=True, eq=False)
class Tree:
    """Pathways, and the machine of the topmost layer."""

    paths: list[Path]
    top_name: str
    top: BaseRBM

    @property
    def machines(self) -> list[BaseRBM]:
        """Pathway by pathway, the topmost one last."""
        return [*(machine for path in self.paths for machine in path.machines), self.top]

    @property
    def names(self) -> list[str]:
        """Of the hidden layers, in the same order."""
        return [*(name for path in self.paths for name in path.names), self.top_name]

    @property
    def sizes(self) -> list[int]:
        """Counts of the hidden units."""
        return [count_hidden(machine) for machine in self.machines]

    @property
    def columns(self) -> list[slice]:
        """Where the columns of each pathway stand in rows of the model."""
        ends = np.cumsum([path.n_columns for path in self.paths]).tolist()
        return [slice(b - path.n_columns, b) for b, path in zip(ends, self.paths, strict=True)]

    def model(
        self, fixed_point: FixedPoint | None = None, sizes: Sequence[int] | None = None
    ) -> TreeModel:
        """The deep machine of these units; its layers have the `sizes` of a fitted one if these are given."""
        counts = iter(self.sizes if sizes is None else sizes)
        pathways = [
            Pathway(_groups(path), [(model_of(x).hidden, next(counts)) for x in path.machines])
            for path in self.paths
        ]
        top = model_of(self.top).hidden, next(counts)
        if len(pathways) == 1:
            return DeepModel(pathways[0].groups, [*pathways[0].hidden, top], fixed_point)
        return TreeModel(pathways, top, fixed_point)


def _groups(path: Path) -> list[tuple[Unit, int]]:
    """Types of the columns of a pathway, and how many there are of each."""
    unit: Any = path.visible
    if not isinstance(unit, SideBySide):
        return [(unit, path.n_columns)]
    unit.columns(np.empty((0, path.n_columns)))  # refuses another number of columns
    return list(zip(unit.units, unit.sizes, strict=True))
