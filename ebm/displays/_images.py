"""Shared by the displays: checks of arguments, and mosaics of small images."""

import math
from typing import Any, NamedTuple

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from sklearn.utils.validation import check_is_fitted

from ebm._checks import Array, check_integer

# Pixels between the images of a mosaic: transparent, in the colour of the figure.
GAP = 1


class Shown(NamedTuple):
    """An attribute or a method of a fitted estimator that a display shows, and the estimators that have it."""

    name: str
    owners: str


DISPLAYS = {
    "FiltersDisplay": Shown(
        "components_",
        "restricted Boltzmann machines, and for one of a stack, for example dbn.rbms_[0]",
    ),
    "CouplingsDisplay": Shown("couplings_", "BoltzmannMachine and HopfieldNetwork"),
    "PatternsDisplay": Shown(
        "patterns_", "HopfieldNetwork, DenseAssociativeMemory and ModernHopfieldNetwork"
    ),
    "SamplesDisplay": Shown(
        "sample", "all that draw samples: RBMs, BoltzmannMachine, DBN and DBNClassifier"
    ),
    "TrainingCurveDisplay": Shown("history_", "all that are trained epoch by epoch"),
}


def shown_of(estimator: Any, display: str) -> Any:
    """The attribute or method of a single fitted `estimator` that the `display` of this name shows."""
    if hasattr(estimator, "steps"):
        raise ValueError(
            f"A display takes one estimator, and {type(estimator).__name__} is a chain of several. "
            "Pass the step that is to be shown, for example pipeline[0]."
        )
    check_is_fitted(estimator)
    name, owners = DISPLAYS[display]
    if not hasattr(estimator, name):
        others = [other for other, shown in DISPLAYS.items() if hasattr(estimator, shown.name)]
        instead = f" It can be given to {' and '.join(others)}." if others else ""
        raise ValueError(
            f"{display} shows {name!r}, and {type(estimator).__name__} has none: the display is for {owners}.{instead}"
        )
    return getattr(estimator, name)


def axes(ax: Any, image: Array | None = None) -> Axes:
    """`ax` itself, or new ones for None, in a new figure of the proportions of the `image` it is to hold."""
    if ax is None:
        width, height = pyplot.rcParams["figure.figsize"]
        if image is not None:
            height = min(max(width * image.shape[0] / image.shape[1], 0.2 * height), 1.5 * width)
        return pyplot.subplots(figsize=(width, height), layout="constrained")[1]
    if not isinstance(ax, Axes):
        raise ValueError(
            "ax must be None or the Axes of matplotlib to draw in, for example the second value of "
            f"matplotlib.pyplot.subplots(). Got {type(ax).__name__} instead."
        )
    return ax


def height_and_width(image_shape: Any, n_features: int) -> tuple[int, int]:
    """The shape of an image of `n_features` pixels: as given, or square for None."""
    if image_shape is None:
        side = math.isqrt(n_features)
        if side * side != n_features:
            raise ValueError(
                f"{n_features} features are not a square image. Give image_shape=(height, width), "
                f"for example image_shape=(1, {n_features})."
            )
        return side, side
    shape = tuple(image_shape) if np.iterable(image_shape) else ()
    whole = len(shape) == 2 and all(isinstance(n, int | np.integer) and n > 0 for n in shape)
    if not whole or shape[0] * shape[1] != n_features:
        raise ValueError(
            f"image_shape must be (height, width) with height * width = {n_features}, the number of "
            f"features. Got {image_shape!r} instead."
        )
    return int(shape[0]), int(shape[1])


def columns_for(n_images: int, n_columns: Any) -> int:
    """The count of columns of a mosaic: as given, or so that it is about square for None."""
    if n_columns is None:
        return math.isqrt(max(n_images - 1, 0)) + 1
    n_columns = check_integer(n_columns, "n_columns")
    return min(int(n_columns), n_images)


def mosaic(rows: Array, shape: tuple[int, int], n_columns: int) -> Array:
    """Images (n_images, height * width) side by side, line after line; NaN between them."""
    height, width = shape
    n_lines = -(-len(rows) // n_columns)
    tiles = np.full((n_lines * n_columns, height + GAP, width + GAP), np.nan)
    tiles[: len(rows), :height, :width] = np.reshape(rows, (-1, height, width))
    lines = tiles.reshape(n_lines, n_columns, height + GAP, width + GAP).swapaxes(1, 2)
    whole: Array = lines.reshape(n_lines * (height + GAP), n_columns * (width + GAP))
    return whole[:-GAP, :-GAP]


def no_frame(ax: Axes) -> None:
    """Leave the images alone on the page."""
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
