"""Samples of a model, beside rows of data."""

from typing import Any

import numpy as np
from sklearn.utils import check_array, check_random_state

from ebm._checks import check_integer
from ebm.displays._images import (
    GAP,
    axes,
    columns_for,
    height_and_width,
    mosaic,
    no_frame,
    shown_of,
)


class SamplesDisplay:
    """Samples of a model as images, beside rows of data.

    Data stand on the left, samples on the right, on one scale of colours.

    It is recommended to use :func:`~ebm.SamplesDisplay.from_estimator` to create a display. All parameters are stored
    as attributes.

    Parameters
    ----------
    samples : array-like of shape (n_samples, n_features)
        Visible states that the model drew.
    data : array-like of shape (n_rows, n_features) or None, default=None
        Rows to compare them with; None: the samples are shown alone.
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
    SamplesDisplay.from_estimator : Draw samples from a fitted estimator and show them.
    FiltersDisplay : The weights of hidden units as images.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from ebm import SamplesDisplay
    >>> samples = np.random.RandomState(0).randint(0, 2, size=(9, 16))
    >>> display = SamplesDisplay(samples=samples, image_shape=(2, 8))
    >>> display.plot()
    <...>
    >>> plt.show()
    """

    def __init__(self, *, samples: Any, data: Any = None, image_shape: Any = None) -> None:
        self.samples = samples
        self.data = data
        self.image_shape = image_shape

    def plot(self, ax: Any = None, *, n_columns: Any = None, **kwargs: Any) -> "SamplesDisplay":
        """Draw the images.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in; None: new ones in a new figure.
        n_columns : int or None, default=None
            Images per line, of the data and of the samples each; None: about as many as there are lines.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.imshow`, for example `cmap`, or `vmin` and `vmax`.

        Returns
        -------
        display : SamplesDisplay
            The display itself.
        """
        parts = {} if self.data is None else {"data": np.asarray(self.data)}
        parts["samples"] = np.asarray(self.samples)
        for name, rows in parts.items():
            if rows.ndim != 2 or len(rows) == 0 or rows.shape[1] != parts["samples"].shape[-1]:
                raise ValueError(
                    "samples and data must have the shape (rows, n_features), with the same features. "
                    f"Got {name} of shape {rows.shape}."
                )
        shape = height_and_width(self.image_shape, parts["samples"].shape[1])
        columns = columns_for(max(map(len, parts.values())), n_columns)
        blocks = [mosaic(rows, shape, columns) for rows in parts.values()]
        space = shape[1]
        width = columns * (shape[1] + GAP) - GAP
        whole = np.full(
            (max(len(b) for b in blocks), len(blocks) * (width + space) - space), np.nan
        )
        centres = []
        for number, block in enumerate(blocks):
            first = number * (width + space)
            whole[: len(block), first : first + block.shape[1]] = block
            centres.append(first + block.shape[1] / 2 - 0.5)
        self.ax_ = axes(ax, whole)
        self.figure_ = self.ax_.figure
        self.image_ = self.ax_.imshow(whole, **{"cmap": "gray_r", **kwargs})
        no_frame(self.ax_)
        self.ax_.set_xticks(centres, list(parts))
        self.ax_.tick_params(axis="x", length=0, labeltop=True, labelbottom=False)
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        *,
        n_samples: int = 25,
        n_steps: int = 1000,
        image_shape: Any = None,
        random_state: Any = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> "SamplesDisplay":
        """Draw samples from a fitted estimator and show them beside rows of data.

        Parameters
        ----------
        estimator : object
            A fitted estimator with the method `sample`: :class:`~ebm.BernoulliRBM` and all other restricted machines,
            :class:`~ebm.BoltzmannMachine`, :class:`~ebm.DBN`, :class:`~ebm.DBNClassifier`.
        X : {array-like, sparse matrix} of shape (n_rows, n_features), default=None
            Data of which as many rows as samples, picked at random, are shown; None: samples alone.
        n_samples : int, default=25
            Count of samples, each the end of an independent Gibbs chain.
        n_steps : int, default=1000
            Steps per chain.
        image_shape : tuple (height, width) or None, default=None
            How the features are folded into an image; None: into a square.
        random_state : int, RandomState instance or None, default=None
            Seed of the samples and of the choice of rows. None goes on in the model's own stream of draws.
        ax : matplotlib Axes, default=None
            Axes to draw in; None: new ones in a new figure.
        **kwargs : dict
            Passed to :meth:`plot` and on to :meth:`matplotlib.axes.Axes.imshow`.

        Returns
        -------
        display : SamplesDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If the estimator draws no samples, the image shape does not hold the features, or another argument is not
            what it should be.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklearn.datasets import load_digits
        >>> from ebm import BernoulliRBM, SamplesDisplay
        >>> X = (load_digits().data[:200] > 8).astype(float)
        >>> rbm = BernoulliRBM(n_components=16, n_iter=2, random_state=0).fit(X)
        >>> SamplesDisplay.from_estimator(rbm, X, n_samples=9, n_steps=50, random_state=0)
        <...>
        >>> plt.show()
        """
        draw = shown_of(estimator, "SamplesDisplay")
        n_samples = check_integer(n_samples, "n_samples")
        n_features = _n_features(estimator)
        shape = height_and_width(image_shape, n_features)
        data = None if X is None else _pick(X, n_features, n_samples, random_state)
        samples = draw(n_samples, n_steps=n_steps, random_state=random_state)
        return cls(samples=samples, data=data, image_shape=shape).plot(ax, **kwargs)


def _n_features(estimator: Any) -> int:
    """How many visible units there are, also of a machine whose parameters were set by hand."""
    if hasattr(estimator, "n_features_in_"):
        return int(estimator.n_features_in_)
    name = "components_" if hasattr(estimator, "components_") else "couplings_"
    return int(np.shape(getattr(estimator, name))[1]) - getattr(estimator, "n_hidden", 0)


def _pick(X: Any, n_features: int, n_rows: int, random_state: Any) -> Any:
    """At most `n_rows` rows of `X` at random, in their order."""
    X = check_array(X, accept_sparse="csr", input_name="X")
    if X.shape[1] != n_features:
        raise ValueError(
            f"X has {X.shape[1]} features, but the estimator was fitted on {n_features}."
        )
    n_rows = min(n_rows, X.shape[0])
    index = check_random_state(random_state).choice(X.shape[0], n_rows, replace=False)
    rows = X[np.sort(index)]
    return rows.toarray() if hasattr(rows, "toarray") else rows
