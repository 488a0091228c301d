"""Which units are connected when they stand on a lattice: masks and couplings of Ising models."""

import math
from collections.abc import Sequence

import numpy as np

from ebm._checks import Array, check_flag, check_integer, sequence
from ebm._memory import check_room


def lattice(shape: int | Sequence[int], *, periodic: bool = True) -> Array:
    """Number of bonds between every two units of a rectangular lattice of any dimension.

    Unit number i stands where ``numpy.unravel_index(i, shape)`` says, and is connected to its nearest neighbours.

    Parameters
    ----------
    shape : int or tuple of int
        Units along each axis, each at least 1; a number stands for a chain.
    periodic : bool, default=True
        Whether the last unit along an axis is connected to the first: a ring, a torus.

    Returns
    -------
    bonds : ndarray of shape (n_units, n_units)
        Symmetric. 1 for neighbours, 0 elsewhere; 2 for the two units of a periodic axis of length two, which are
        connected both ways round. ``J * bonds`` are the couplings of an Ising model, ``bonds > 0`` is a mask.

    Raises
    ------
    ValueError
        If a length is not a positive integer, or there is no memory for so many units.

    Examples
    --------
    >>> from ebm import lattice
    >>> lattice(4)
    array([[0., 1., 0., 1.],
           [1., 0., 1., 0.],
           [0., 1., 0., 1.],
           [1., 0., 1., 0.]])
    >>> int(lattice((8, 8)).sum()) // 2
    128
    """
    alone = not isinstance(shape, list | tuple) and np.ndim(shape) == 0
    lengths = (shape,) if alone else tuple(sequence(shape, "shape", "lengths"))
    lengths = tuple(check_integer(length, "shape") for length in lengths)
    periodic = check_flag(periodic, "periodic")
    n = math.prod(lengths)
    check_room(8 * n**2, f"The bonds of the {n} units of shape={shape}", "Use smaller lengths.")
    numbers = np.arange(n).reshape(lengths)
    bonds = np.zeros((n, n))
    for axis, length in enumerate(lengths):
        here = numbers if periodic else np.take(numbers, range(length - 1), axis)
        there = np.roll(numbers, -1, axis) if periodic else np.take(numbers, range(1, length), axis)
        np.add.at(bonds, (here.ravel(), there.ravel()), 1)
    bonds += bonds.T
    np.fill_diagonal(bonds, 0)
    return bonds
