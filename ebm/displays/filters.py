"""The filters of the hidden units, as images."""

from typing import Any

import numpy as np

from ebm._checks import Array, check_flag, check_integer
from ebm.displays._images import axes, columns_for, height_and_width, mosaic, no_frame, shown_of


class FiltersDisplay:
    """The weights of hidden units as images.

    One image per hidden unit: what it adds up in its input. The colour scale is the same for all of them and
    symmetric about zero, so that white, in the default colours, stands for no weight.

    It is recommended to use :func:`~ebm.FiltersDisplay.from_estimator` to create a display. All parameters are stored
    as attributes.

    Parameters
    ----------
    weights : array-like of shape (n_filters, n_features)
        One row per image, in the order in which they are shown.
    image_shape : tuple (height, width) or None, default=None
        How a row is folded into an image; None: into a square.

    Attributes
    ----------
    image_ : matplotlib AxesImage
        All the images, as one.
    ax_ : matplotlib Axes
        Axes with the images.
    figure_ : matplotlib Figure
        Figure with the axes.

    See Also
    --------
    FiltersDisplay.from_estimator : Show the filters of a fitted estimator.
    SamplesDisplay : What a model draws, beside its data.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from ebm import BernoulliRBM, FiltersDisplay
    >>> X = load_digits().data[:200] / 16
    >>> rbm = BernoulliRBM(n_components=9, n_iter=2, random_state=0).fit(X)
    >>> display = FiltersDisplay(weights=rbm.components_, image_shape=(8, 8))
    >>> display.plot()
    <...>
    >>> plt.show()
    """

    def __init__(self, *, weights: Any, image_shape: Any = None) -> None:
        self.weights = weights
        self.image_shape = image_shape

    def plot(
        self, ax: Any = None, *, n_columns: Any = None, colorbar: bool = True, **kwargs: Any
    ) -> "FiltersDisplay":
        """Draw the filters.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in; None: new ones in a new figure.
        n_columns : int or None, default=None
            Images per line; None: as many as there are lines.
        colorbar : bool, default=True
            Whether to add the scale of the colours.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.imshow`, for example `cmap`, or `vmin` and `vmax`.

        Returns
        -------
        display : FiltersDisplay
            The display itself.
        """
        weights = np.asarray(self.weights)
        if weights.ndim != 2 or len(weights) == 0:
            raise ValueError(
                f"weights must have the shape (n_filters, n_features). Got {weights.shape}."
            )
        shape = height_and_width(self.image_shape, weights.shape[1])
        whole = mosaic(weights, shape, columns_for(len(weights), n_columns))
        limit = float(np.abs(weights).max()) or 1.0
        self.ax_ = axes(ax, whole)
        self.figure_ = self.ax_.figure
        self.image_ = self.ax_.imshow(
            whole, **{"cmap": "RdBu_r", "vmin": -limit, "vmax": limit, **kwargs}
        )
        no_frame(self.ax_)
        if check_flag(colorbar, "colorbar"):
            self.figure_.colorbar(self.image_, ax=self.ax_, label="weight", shrink=0.8)
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        n_filters: Any = 100,
        order: str = "norm",
        image_shape: Any = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> "FiltersDisplay":
        """Show the filters of a fitted estimator.

        Parameters
        ----------
        estimator : object
            A fitted estimator with the attribute `components_`, such as :class:`~ebm.BernoulliRBM`.
        n_filters : int or None, default=100
            The largest count of filters to show; None: all of them.
        order : {"norm", "index"}, default="norm"
            Which filters come first: those with the largest Euclidean norm, or those with the smallest index.
        image_shape : tuple (height, width) or None, default=None
            How the features are folded into an image; None: into a square.
        ax : matplotlib Axes, default=None
            Axes to draw in; None: new ones in a new figure.
        **kwargs : dict
            Passed to :meth:`plot` and on to :meth:`matplotlib.axes.Axes.imshow`.

        Returns
        -------
        display : FiltersDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If the image shape does not hold the features, or another argument is not what it should be.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklearn.datasets import load_digits
        >>> from ebm import BernoulliRBM, FiltersDisplay
        >>> X = load_digits().data[:200] / 16
        >>> rbm = BernoulliRBM(n_components=16, n_iter=2, random_state=0).fit(X)
        >>> FiltersDisplay.from_estimator(rbm, n_filters=9)
        <...>
        >>> plt.show()
        """
        weights = np.asarray(shown_of(estimator, "FiltersDisplay"))
        weights = weights[_ranking(weights, order)]
        if n_filters is not None:
            n_filters = check_integer(n_filters, "n_filters")
            weights = weights[: int(n_filters)]
        shape = height_and_width(image_shape, weights.shape[1])
        return cls(weights=weights, image_shape=shape).plot(ax, **kwargs)


def _ranking(weights: Array, order: str) -> Array:
    if order == "norm":
        return np.argsort(-np.linalg.norm(weights, axis=1), kind="stable")
    if order == "index":
        return np.arange(len(weights))
    raise ValueError(f"order must be 'norm' or 'index'. Got {order!r} instead.")
