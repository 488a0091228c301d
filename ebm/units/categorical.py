"""Units in groups of which exactly one each is on: categories, labels, Potts variables."""

from dataclasses import dataclass

from ebm._checks import Array
from ebm.units.base import Unit
from ebm.units.bernoulli import Bernoulli
from ebm.units.groups import Groups


@dataclass(frozen=True, repr=False)
class Categorical(Groups):
    """Groups of {0, 1} units of which exactly one each is on: categories, labels, Potts variables.

        p(x_k = 1 | f) = exp(beta (b_k + f_k)) / sum_l exp(beta (b_l + f_l))    over the units l of k's group.

    A group is a column of categories in the form of :class:`sklearn.preprocessing.OneHotEncoder`. Where a table has
    other columns as well, ``visible=[("bernoulli", 3), (Categorical((4, 2)), 6)]`` names the type of each.

    Parameters
    ----------
    sizes : tuple of int, default=(2,)
        Units of each group, at least 2, in order. The layer has ``sum(sizes)`` units.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm import RBM, Categorical
    >>> X = np.eye(3)[[0, 2, 1, 1, 0]]
    >>> rbm = RBM(2, visible=Categorical((3,)), n_iter=5, random_state=0).fit(X)
    >>> rbm.sample(4, random_state=0).sum(axis=1)
    array([1., 1., 1., 1.])
    """

    def first_column(self, n_units: int) -> int:
        """Zero."""
        if n_units != self.n_grouped:
            raise ValueError(
                f"sizes={self.sizes} are {self.n_grouped} units, but the layer has {n_units} (a visible one: as "
                "many as X has columns). Columns of other types stand in a list beside them, such as "
                f"visible=[('bernoulli', 3), ({self!r}, {self.n_grouped})]."
            )
        return 0

    def losses(self, n_units: int) -> list[tuple[str, int]]:
        """One for each group."""
        return [("cross_entropy", size) for size in self.sizes]

    def restricted(self, units: Array) -> Unit:
        """Of whole groups; ValueError where a group is there in part."""
        sizes = self._sizes_of(units)
        return Categorical(sizes) if sizes else Bernoulli()
