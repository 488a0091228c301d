"""The restricted Boltzmann machine of any two unit types."""

from collections.abc import Callable
from functools import partial
from numbers import Integral
from typing import Any, ClassVar

from sklearn.utils._param_validation import StrOptions

from ebm._checks import check_integer, resolve, shown
from ebm.energies.bipartite import Bipartite
from ebm.energies.columns import ColumnModel
from ebm.energies.factored import FactoredModel
from ebm.sklearn_compat._shared._docstrings import complete_docstring
from ebm.sklearn_compat._shared._settings import RECORD, Number, stores_arguments
from ebm.sklearn_compat.rbm._base import BaseRBM
from ebm.units import UNITS, Unit


@complete_docstring
class RBM(BaseRBM):
    """Restricted Boltzmann machine of any two unit types.

    Two layers of units, visible v and hidden h, with weights between the layers and none within:

        p(v, h) = exp(-E(v, h)) / Z,    E(v, h) = U(v) + U(h) - s(v)' W s(h),

    with U = -b'x and s = x for binary units {0, 1}, U = sum (x - b)^2 / (2 sigma^2) and s = x / sigma^2 for Gaussian
    ones. Trained by stochastic ascent of the likelihood.

    Read more in the :ref:`User Guide <rbm>`.

    Parameters
    ----------
    visible : {"bernoulli", "spin", "gaussian", "poisson", "binomial"}, Unit, or list of (type, int), \
            default="bernoulli"
        Type of the visible units: binary {0, 1}, spins {-1, +1}, real, counts 0, 1, 2, ..., or counts of two trials;
        ``Gaussian(variance="unit")``, ``Binomial(10)`` and the like for settings. Columns of several types are a list
        of groups, in the order of the columns. Each is a type and how many columns it has, such as
        ``[("bernoulli", 3), ("gaussian", 2), (Categorical((4,)), 4)]``.

    hidden : {"bernoulli", "spin", "gaussian", "poisson", "binomial"} or Unit, default="bernoulli"
        Type of the hidden units.

    n_factors : int, default=0
        Gaussian hidden units of variance one beside the `n_components` others, for groups of columns that hold
        "gaussian" ones: they hold how these depend on each other linearly, as in factor analysis. They are the last
        of the features. Columns that nearly follow from others need them.

    Attributes
    ----------
    log_variance_visible_, log_variance_hidden_ : ndarray of shape (n_gaussian_columns,) or (n_components,)
        log sigma^2 of the units, where they are Gaussian.

    See Also
    --------
    BernoulliRBM : Binary visible and hidden units.
    GaussianRBM : Real visible and binary hidden units.

    References
    ----------
    .. [1] Smolensky, P. "Information processing in dynamical systems: foundations of harmony theory." In Parallel
       Distributed Processing 1, 194-281 (1986).
    .. [2] Welling, M., Rosen-Zvi, M. & Hinton, G. "Exponential family harmoniums with an application to information
       retrieval." NIPS 17 (2004).
    .. [3] Rubin, D. B. & Thayer, D. T. "EM algorithms for ML factor analysis." Psychometrika 47, 69-76 (1982).
    .. [4] Melchior, J., Fischer, A. & Wiskott, L. "How to center deep Boltzmann machines." JMLR 17(99) (2016).

    Examples
    --------
    >>> import numpy as np
    >>> from ebm import RBM
    >>> X = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 0], [1, 1, 0]])
    >>> rbm = RBM(n_components=2, hidden="gaussian", n_iter=2, random_state=0).fit(X)
    >>> rbm.transform(X).shape
    (4, 2)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseRBM._parameter_constraints,
        "visible": [StrOptions(set(UNITS)), RECORD, list],
        "hidden": [StrOptions(set(UNITS)), RECORD],
        "n_factors": [Number(Integral, 0, None, closed="left")],
    }

    _resolvers: ClassVar[dict[str, Callable[[object], Any]]] = {
        **BaseRBM._resolvers,
        "visible": partial(resolve, known=UNITS, base=Unit, argument="visible"),  # type: ignore[type-abstract]
        "hidden": partial(resolve, known=UNITS, base=Unit, argument="hidden"),  # type: ignore[type-abstract]
    }

    @stores_arguments
    def __init__(
        self,
        n_components: int = 256,
        *,
        visible: Any = "bernoulli",
        hidden: Any = "bernoulli",
        n_factors: int = 0,
        learning_rate: Any = "auto",
        batch_size: int = 10,
        n_iter: Any = "auto",
        verbose: int = 0,
        random_state: Any = None,
        gradient: Any = "pcd",
        optimizer: Any = "sgd",
        schedule: Any = "linear",
        weight_decay: float = 0.0,
        regularization: Any = None,
        warm_start: bool = False,
        callbacks: Any = None,
    ) -> None: ...

    def _model(self) -> Bipartite | ColumnModel:
        hidden = self._resolvers["hidden"](self.hidden)
        n_factors = check_integer(self.n_factors, "n_factors", 0)
        if isinstance(self.visible, list):
            if n_factors:
                return FactoredModel(self._groups(), hidden, self.n_components, n_factors)
            return ColumnModel(self._groups(), hidden, self.n_components)
        if n_factors:
            raise ValueError(
                f"n_factors={n_factors} takes a list of groups, such as visible=[('gaussian', 5)]. Got "
                f"visible={shown(self.visible)}."
            )
        return Bipartite(self._resolvers["visible"](self.visible), hidden)

    def _groups(self) -> list[tuple[Unit, int]]:
        """Types of the visible units, and the count of columns of each."""
        for group in self.visible or [()]:
            if not isinstance(group, tuple | list) or len(group) != 2:
                raise ValueError(
                    "visible must be the name of a unit, a unit, or a list of pairs of these and the number of their "
                    f'columns, such as [("bernoulli", 3), ("gaussian", 2)]. Got {shown(self.visible)}.'
                )
        resolve_unit = self._resolvers["visible"]
        return [
            (resolve_unit(unit), check_integer(count, "visible")) for unit, count in self.visible
        ]
