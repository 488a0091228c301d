"""The patterns that a memory has stored."""

from typing import Any

import numpy as np

from ebm._checks import check_integer
from ebm.displays._images import axes, columns_for, height_and_width, mosaic, no_frame, shown_of


class PatternsDisplay:
    """Stored patterns as images, one beside the other, on one scale of colours.

    It is recommended to use :func:`~ebm.PatternsDisplay.from_estimator` to create a display. All parameters are stored
    as attributes.

    Parameters
    ----------
    patterns : array-like of shape (n_patterns, n_features)
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
    PatternsDisplay.from_estimator : Show the patterns of a fitted memory.
    SamplesDisplay : Samples of a model, beside its data.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from ebm import PatternsDisplay
    >>> patterns = np.random.RandomState(0).choice([-1, 1], size=(4, 16))
    >>> PatternsDisplay(patterns=patterns).plot()
    <...>
    >>> plt.show()
    """

    def __init__(self, *, patterns: Any, image_shape: Any = None) -> None:
        self.patterns = patterns
        self.image_shape = image_shape

    def plot(self, ax: Any = None, *, n_columns: Any = None, **kwargs: Any) -> "PatternsDisplay":
        """Draw the patterns.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in; None: new ones in a new figure.
        n_columns : int or None, default=None
            Images per line; None: about as many as there are lines.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.imshow`, for example `cmap`, or `vmin` and `vmax`.

        Returns
        -------
        display : PatternsDisplay
            The display itself.

        Raises
        ------
        ValueError
            If `patterns` is no matrix with rows, or the image shape does not hold its columns.
        """
        patterns = np.asarray(self.patterns)
        if patterns.ndim != 2 or len(patterns) == 0:
            raise ValueError(
                f"patterns must have the shape (n_patterns, n_features). Got {patterns.shape}."
            )
        shape = height_and_width(self.image_shape, patterns.shape[1])
        whole = mosaic(patterns, shape, columns_for(len(patterns), n_columns))
        self.ax_ = axes(ax, whole)
        self.figure_ = self.ax_.figure
        self.image_ = self.ax_.imshow(whole, **{"cmap": "gray_r", **kwargs})
        no_frame(self.ax_)
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        n_patterns: Any = 100,
        image_shape: Any = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> "PatternsDisplay":
        """Show the patterns that a fitted memory has stored.

        Parameters
        ----------
        estimator : object
            A fitted estimator with the attribute `patterns_`: :class:`~ebm.HopfieldNetwork`,
            :class:`~ebm.DenseAssociativeMemory` or :class:`~ebm.ModernHopfieldNetwork`.
        n_patterns : int or None, default=100
            The largest count of patterns to show, the first ones; None: all of them.
        image_shape : tuple (height, width) or None, default=None
            How the features are folded into an image; None: into a square.
        ax : matplotlib Axes, default=None
            Axes to draw in; None: new ones in a new figure.
        **kwargs : dict
            Passed to :meth:`plot` and on to :meth:`matplotlib.axes.Axes.imshow`.

        Returns
        -------
        display : PatternsDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If the estimator stores no patterns, the image shape does not hold the features, or another argument is
            not what it should be.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from ebm import HopfieldNetwork, PatternsDisplay
        >>> X = np.random.RandomState(0).choice([-1, 1], size=(3, 64))
        >>> PatternsDisplay.from_estimator(HopfieldNetwork().fit(X))
        <...>
        >>> plt.show()
        """
        patterns = np.asarray(shown_of(estimator, "PatternsDisplay"))
        if n_patterns is not None:
            n_patterns = check_integer(n_patterns, "n_patterns")
            patterns = patterns[: int(n_patterns)]
        shape = height_and_width(image_shape, patterns.shape[1])
        return cls(patterns=patterns, image_shape=shape).plot(ax, **kwargs)
