"""How training went."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from ebm.displays._images import axes, shown_of

# Entries of every history; all others come from callbacks or verbose.
ALWAYS_RECORDED = ("epoch", "learning_rate", "time")


class TrainingCurveDisplay:
    """Numbers recorded while training, by epoch.

    It is recommended to use :func:`~ebm.TrainingCurveDisplay.from_estimator` to create a display. All parameters are
    stored as attributes.

    Parameters
    ----------
    epochs : array-like of shape (n_epochs,)
        Epochs, from 1.
    curves : dict of array-like of shape (n_epochs,)
        Numbers by name; NaN where none was recorded, over which the line goes on.
    name : str or None, default=None
        Name of the model, for the legend.

    Attributes
    ----------
    lines_ : list of matplotlib Line2D
        One line per curve.
    ax_ : matplotlib Axes
        Axes with the curves.
    figure_ : matplotlib Figure
        Figure with the axes.

    See Also
    --------
    TrainingCurveDisplay.from_estimator : Show what a fitted estimator recorded.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from ebm import TrainingCurveDisplay
    >>> curves = {"pseudo_likelihood": [-20.0, -17.5, -16.8]}
    >>> display = TrainingCurveDisplay(epochs=[1, 2, 3], curves=curves)
    >>> display.plot()
    <...>
    >>> plt.show()
    """

    def __init__(self, *, epochs: Any, curves: Mapping[str, Any], name: str | None = None) -> None:
        self.epochs = epochs
        self.curves = curves
        self.name = name

    def plot(
        self, ax: Any = None, *, name: str | None = None, **kwargs: Any
    ) -> "TrainingCurveDisplay":
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in, which may hold the curves of other models; None: new ones in a new figure.
        name : str or None, default=None
            Name of the model, for the legend; None: `name` as given to the constructor.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.plot`, for example `color`.

        Returns
        -------
        display : TrainingCurveDisplay
            The display itself.
        """
        for metric, values in self.curves.items():
            if np.shape(values) != np.shape(self.epochs):
                raise ValueError(
                    f"{metric!r} has {np.size(values)} entries for {np.size(self.epochs)} epochs. "
                    "There must be one for each; NaN stands for none."
                )
        name = self.name if name is None else name
        self.ax_ = axes(ax)
        self.figure_ = self.ax_.figure
        self.lines_ = []
        for metric, values in self.curves.items():
            known = np.isfinite(np.asarray(values, dtype=float))
            x, y = np.asarray(self.epochs)[known], np.asarray(values)[known]
            style = {"label": self._label(name, metric), "marker": "." if len(y) < 10 else None}
            self.lines_ += self.ax_.plot(x, y, **{**style, **kwargs})
        self.ax_.xaxis.set_major_locator(MaxNLocator(integer=True))
        self.ax_.set_xlabel("epoch")
        if len(self.curves) == 1:
            self.ax_.set_ylabel(self._label(None, *self.curves))
        if len(self.curves) > 1 or name is not None:
            self.ax_.legend()
        return self

    def _label(self, name: str | None, metric: str) -> str:
        words = metric.replace("_", " ")
        if name is None:
            return words
        return f"{name}: {words}" if len(self.curves) > 1 else name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        metric: Any = None,
        *,
        name: str | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> "TrainingCurveDisplay":
        """Show what a fitted estimator recorded.

        Parameters
        ----------
        estimator : object
            A fitted estimator with the attribute `history_`, such as :class:`~ebm.BernoulliRBM`.
        metric : str, list of str or None, default=None
            Which of the recorded numbers to show; None: all but the learning rate and the time.
        name : str or None, default=None
            Name of the estimator, for the legend.
        ax : matplotlib Axes, default=None
            Axes to draw in, which may hold the curves of other models; None: new ones in a new figure.
        **kwargs : dict
            Passed to :meth:`plot` and on to :meth:`matplotlib.axes.Axes.plot`.

        Returns
        -------
        display : TrainingCurveDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If nothing, or nothing of that name, was recorded.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from ebm import BernoulliRBM, TrainingCurveDisplay
        >>> X = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 0], [1, 1, 0]])
        >>> def largest_weight(report):
        ...     return {"largest_weight": abs(report.params.W).max()}
        >>> rbm = BernoulliRBM(n_components=2, callbacks=largest_weight, random_state=0).fit(X)
        >>> TrainingCurveDisplay.from_estimator(rbm)
        <...>
        >>> plt.show()
        """
        history = shown_of(estimator, "TrainingCurveDisplay")
        recorded = [key for key in history if key not in ALWAYS_RECORDED]
        if not len(history.get("epoch", ())):
            raise ValueError(
                f"There is no curve to draw: {type(estimator).__name__} was not trained for a full epoch. "
                "Fit with n_iter of at least 1."
            )
        if metric is None and not recorded:
            raise ValueError(
                "Only the learning rate and the time were recorded. Fit with verbose=1, which records "
                "the pseudo-likelihood, or with a callback that returns a dict of numbers."
            )
        chosen = (
            recorded if metric is None else [metric] if isinstance(metric, str) else list(metric)
        )
        if not chosen:
            raise ValueError("metric must name at least one recorded number. Got an empty list.")
        unknown = [key for key in chosen if key not in history]
        if unknown:
            raise ValueError(
                f"metric {unknown[0]!r} was not recorded; there is {sorted({*history} - {'epoch'})}. "
                "Fit with a callback that returns a dict with this number, or with verbose=1 for "
                "'pseudo_likelihood'."
            )
        curves = {key: history[key] for key in chosen}
        return cls(epochs=history["epoch"], curves=curves, name=name).plot(ax, **kwargs)
