"""Below which score a row is an outlier."""

import numpy as np

from ebm._checks import Array

# Tukey's fence: so many interquartile ranges below the lower quartile.
FENCE = 1.5


def outlier_threshold(scores: Array, contamination: float | None) -> float:
    """The score below which rows are outliers.

    Parameters
    ----------
    scores : ndarray of shape (rows,)
        Log-probabilities of the training rows, up to a constant.
    contamination : float or None
        Share of the training rows below the threshold, in (0, 0.5]. None takes the lower fence of Tukey: 1.5
        interquartile ranges below the lower quartile. Of normal scores, 0.35 % are below it.

    Returns
    -------
    threshold : float

    References
    ----------
    .. [1] Tukey, J. W. Exploratory Data Analysis. Addison-Wesley (1977), section 2D.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm.likelihood.outliers import outlier_threshold
    >>> (
    ...     outlier_threshold(np.array([0.0, 1, 2, 3, 4]), None),
    ...     outlier_threshold(np.arange(11.0), 0.2),
    ... )
    (-2.0, 2.0)
    """
    if contamination is not None:
        return float(np.quantile(scores, contamination))
    low, high = np.quantile(scores, (0.25, 0.75))
    return float(low - FENCE * (high - low))


def is_inlier(distances: Array) -> Array:
    """+1 for scores at the threshold or above, whose `distances` (rows,) are not negative; -1 for outliers."""
    return np.where(distances < 0, -1, 1)
