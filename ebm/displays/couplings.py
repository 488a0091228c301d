"""Which units are coupled, and how strongly."""

from typing import Any

import numpy as np

from ebm._checks import check_flag, check_integer
from ebm._sparse import dense
from ebm.displays._images import axes, shown_of


class CouplingsDisplay:
    """The matrix of couplings of a pairwise model, as an image.

    The colour scale is symmetric about zero, so that white, in the default colours, stands for units that are not
    coupled. Lines set hidden units apart from visible ones.

    It is recommended to use :func:`~ebm.CouplingsDisplay.from_estimator` to create a display. All parameters are
    stored as attributes.

    Parameters
    ----------
    couplings : array-like or sparse matrix of shape (n_units, n_units)
        J: a positive entry favours equal states of two units.
    n_hidden : int, default=0
        How many of the units are hidden: the last ones.

    Attributes
    ----------
    image_ : matplotlib AxesImage
        The matrix.
    ax_ : matplotlib Axes
        Axes with the matrix.
    figure_ : matplotlib Figure
        Figure with the axes.

    See Also
    --------
    CouplingsDisplay.from_estimator : Show the couplings of a fitted estimator.
    FiltersDisplay : The weights of hidden units as images.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from ebm import CouplingsDisplay, lattice
    >>> CouplingsDisplay(couplings=lattice((4, 4))).plot()
    <...>
    >>> plt.show()
    """

    def __init__(self, *, couplings: Any, n_hidden: int = 0) -> None:
        self.couplings = couplings
        self.n_hidden = n_hidden

    def plot(self, ax: Any = None, *, colorbar: bool = True, **kwargs: Any) -> "CouplingsDisplay":
        """Draw the matrix.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in; None: new ones in a new figure.
        colorbar : bool, default=True
            Whether to add the scale of the colours.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.imshow`, for example `cmap`, or `vmin` and `vmax`.

        Returns
        -------
        display : CouplingsDisplay
            The display itself.

        Raises
        ------
        ValueError
            If `couplings` is not a square matrix with entries, or `n_hidden` not a count of its units.
        """
        J = np.asarray(dense(self.couplings))
        if J.ndim != 2 or J.shape[0] != J.shape[1] or not J.size:
            raise ValueError(f"couplings must have the shape (n_units, n_units). Got {J.shape}.")
        check_integer(self.n_hidden, "n_hidden", 0)
        limit = float(np.abs(J).max()) or 1.0
        self.ax_ = axes(ax, J)
        self.figure_ = self.ax_.figure
        style = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit, "interpolation": "nearest"}
        self.image_ = self.ax_.imshow(J, **{**style, **kwargs})
        if self.n_hidden:
            edge = len(J) - self.n_hidden - 0.5
            self.ax_.axhline(edge, color="black", linewidth=0.8)
            self.ax_.axvline(edge, color="black", linewidth=0.8)
        self.ax_.set(xlabel="unit", ylabel="unit")
        if check_flag(colorbar, "colorbar"):
            self.figure_.colorbar(self.image_, ax=self.ax_, label="coupling", shrink=0.8)
        return self

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None, **kwargs: Any) -> "CouplingsDisplay":
        """Show the couplings of a fitted estimator.

        Parameters
        ----------
        estimator : object
            A fitted estimator with the attribute `couplings_`: :class:`~ebm.BoltzmannMachine` or
            :class:`~ebm.HopfieldNetwork`.
        ax : matplotlib Axes, default=None
            Axes to draw in; None: new ones in a new figure.
        **kwargs : dict
            Passed to :meth:`plot` and on to :meth:`matplotlib.axes.Axes.imshow`.

        Returns
        -------
        display : CouplingsDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If the estimator has no couplings, or `ax` is not what it should be.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklearn.datasets import load_digits
        >>> from ebm import BoltzmannMachine, CouplingsDisplay
        >>> X = (load_digits().data[:200] > 8).astype(float)
        >>> machine = BoltzmannMachine(n_iter=2, random_state=0).fit(X)
        >>> CouplingsDisplay.from_estimator(machine)
        <...>
        >>> plt.show()
        """
        couplings = shown_of(estimator, "CouplingsDisplay")
        n_hidden = getattr(estimator, "n_hidden", 0)
        return cls(couplings=couplings, n_hidden=n_hidden).plot(ax, **kwargs)
