"""Corruption of the inputs of a network in training, of which the targets know nothing (Vincent et al. 2008).

With w a random word of the entry in row r and column c, between 0 and 1, and z a normal deviate:

=================  =======================================================
record             corrupted entry
=================  =======================================================
MaskingNoise       0 if w < rate, else x
GaussianNoise      x + scale z
SaltAndPepper      low or high, equally likely, if w < rate, else x
=================  =======================================================

The numbers are those of a keyed counter (:mod:`ebm._random`). They depend on the key of the step and on the place of an
entry in the batch, not on threads, nor on whether the rows are sparse.
"""

import abc
from dataclasses import dataclass
from typing import Any

import numpy as np

from ebm._checks import Array, Settings, check_real, resolve
from ebm._kernels import counter
from ebm._kernels.gaussian import GaussianParameters
from ebm._random import Key, fold, words
from ebm._sparse import dense, is_sparse, with_data
from ebm.units import Gaussian

WORDS = 2.0**32  # random words are as many


class Corruption(Settings, abc.ABC):
    """One way to corrupt rows (abstract)."""

    @property
    @abc.abstractmethod
    def is_active(self) -> bool:
        """Whether any entry may change."""

    @abc.abstractmethod
    def corrupted(self, x: Any, key: Key, first_row: int = 0) -> Any:
        """Corrupted rows in new arrays, the rows `x` (rows, n) being left alone.

        Parameters
        ----------
        x : {ndarray, CSR matrix} of shape (rows, n)
        key : Key
            Of the step.
        first_row : int
            Row r draws the numbers of row ``first_row + r``.

        Returns
        -------
        rows : {ndarray, CSR matrix} of shape (rows, n)
            Dense for dense rows.
        """


def _words(key: Key, shape: tuple[int, int], first_row: int) -> Array:
    """The 32-bit word of each entry of dense rows."""
    n = shape[1]
    even = n + n % 2
    out = np.empty(shape[0] * even, np.uint32)
    counter.fill_words(out, key.word0, key.word1, first_row * (even // 2))
    drawn: Array = out.reshape(shape[0], even)[:, :n]
    return drawn


def _sparse_words(key: Key, x: Any, first_row: int) -> Array:
    """The words of the stored entries of CSR rows, which are those of the same entries of dense rows."""
    row = np.repeat(np.arange(first_row, first_row + x.shape[0]), np.diff(x.indptr))
    pairs = row * ((x.shape[1] + 1) // 2) + x.indices // 2
    shift = 32 * (x.indices % 2)
    both = words(key, pairs.astype(np.uint64)) >> shift.astype(np.uint64)
    low: Array = both.astype(np.uint32)
    return low


def _below(drawn: Array, rate: float) -> Array:
    """Whether words, as fractions, are below the rate."""
    below: Array = drawn < rate * WORDS
    return below


@dataclass(frozen=True, repr=False)
class MaskingNoise(Corruption):
    """Entries set to zero at random.

    Parameters
    ----------
    rate : float in [0, 1], default=0.25
        Probability that an entry becomes zero.

    References
    ----------
    .. [1] Vincent, P., Larochelle, H., Bengio, Y. & Manzagol, P.-A. "Extracting and composing robust features with
       denoising autoencoders." ICML (2008).

    Examples
    --------
    >>> import numpy as np
    >>> from ebm._random import Key
    >>> from ebm.networks.corruption import MaskingNoise
    >>> MaskingNoise(rate=0.5).corrupted(np.ones((1, 4)), Key(0, 0))
    array([[0., 1., 0., 1.]])
    """

    rate: float = 0.25

    def __post_init__(self) -> None:
        check_real(self.rate, "rate", 0.0, 1.0)

    @property
    def is_active(self) -> bool:
        """Whether the rate is above zero."""
        return self.rate > 0

    def corrupted(self, x: Any, key: Key, first_row: int = 0) -> Any:
        """The rows with some entries zero; CSR rows stay CSR."""
        if is_sparse(x):
            hit = _below(_sparse_words(key, x, first_row), self.rate)
            return with_data(x, np.where(hit, x.dtype.type(0), x.data))
        hit = _below(_words(key, x.shape, first_row), self.rate)
        return np.where(hit, x.dtype.type(0), x)


@dataclass(frozen=True, repr=False)
class GaussianNoise(Corruption):
    """Normal deviates added to all entries.

    Parameters
    ----------
    scale : float >= 0, default=0.5
        Standard deviation, in the units of the data.

    References
    ----------
    .. [1] Vincent, P. et al. "Stacked denoising autoencoders." JMLR 11 (2010), section 3.3.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm._random import Key
    >>> from ebm.networks.corruption import GaussianNoise
    >>> GaussianNoise(scale=0.3).corrupted(np.ones((1, 4)), Key(0, 0)).round(2)
    array([[1.32, 1.23, 0.99, 1.46]])
    """

    scale: float = 0.5

    def __post_init__(self) -> None:
        check_real(self.scale, "scale")

    @property
    def is_active(self) -> bool:
        """Whether the scale is above zero."""
        return self.scale > 0

    def corrupted(self, x: Any, key: Key, first_row: int = 0) -> Any:
        """The rows with noise, dense."""
        x = dense(x)
        z = np.full(x.shape[1], 2 * np.log(self.scale), x.dtype)
        law = GaussianParameters(np.zeros_like(z), z)
        return Gaussian().sample(law, x, key, first_row=first_row)


@dataclass(frozen=True, repr=False)
class SaltAndPepper(Corruption):
    """Entries set to their lowest or highest value at random.

    Parameters
    ----------
    rate : float in [0, 1], default=0.25
        Probability that an entry changes.
    low, high : float, default=0.0, 1.0
        Both values; each is equally likely.

    References
    ----------
    .. [1] Vincent, P. et al. "Stacked denoising autoencoders." JMLR 11 (2010), section 3.3.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm._random import Key
    >>> from ebm.networks.corruption import SaltAndPepper
    >>> SaltAndPepper(rate=0.5).corrupted(np.ones((1, 4)), Key(0, 1))
    array([[1., 1., 0., 0.]])
    """

    rate: float = 0.25
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        check_real(self.rate, "rate", 0.0, 1.0)
        check_real(self.low, "low", -np.inf)
        check_real(self.high, "high", -np.inf)
        if self.low > self.high:
            raise ValueError(f"low must be at most high={self.high:g}. Got {self.low:g} instead.")

    @property
    def is_active(self) -> bool:
        """Whether the rate is above zero."""
        return self.rate > 0

    def corrupted(self, x: Any, key: Key, first_row: int = 0) -> Any:
        """The rows with salt and pepper, dense; words of another key tell one from the other."""
        x = dense(x)
        coin = _below(_words(fold(key, 1), x.shape, first_row), 0.5)
        grain = np.where(coin, self.low, self.high).astype(x.dtype)
        return np.where(_below(_words(key, x.shape, first_row), self.rate), grain, x)


CORRUPTIONS: dict[str, type[Corruption]] = {
    "masking": MaskingNoise,
    "gaussian": GaussianNoise,
    "salt_and_pepper": SaltAndPepper,
}


def corruption_record(value: object) -> Corruption:
    """The corruption that a name or a record stands for."""
    return resolve(value, CORRUPTIONS, Corruption, "corruption")  # type: ignore[type-abstract]
