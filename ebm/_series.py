"""Numbers that come one after the other, and the arrays of them: what a history is made of."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from ebm._checks import Array

# Entries for which there is room at first; when they are used up, there is room for twice as many.
FIRST_ROOM = 16


class Series(list[Any]):
    """A list that only grows, with its entries in an array as well.

    Appending and reading take constant time on average, however many entries there are. Arrays are views of the entries
    so far, and stay as they are when more are appended.
    """

    def __init__(self, entries: Iterable[Any] = ()) -> None:
        super().__init__(entries)
        self._room, self._n_written = np.empty(0), 0

    def __reduce__(self) -> tuple[Any, ...]:
        return Series, (list(self),)

    @property
    def array(self) -> Array:
        """The entries (n,), of the type that an array of the list has."""
        fresh = np.asarray(self[self._n_written :])
        if self._n_written and len(fresh):
            dtype = np.promote_types(self._room.dtype, fresh.dtype)
        else:
            dtype = self._room.dtype if self._n_written else fresh.dtype
        if len(self) > len(self._room) or dtype != self._room.dtype:
            room = np.empty(max(FIRST_ROOM, 2 * len(self)), dtype)
            room[: self._n_written] = self._room[: self._n_written]
            self._room = room
        self._room[self._n_written : len(self)] = fresh
        self._n_written = len(self)
        return self._room[: len(self)]

    def is_of(self, entries: Any) -> bool:
        """Whether that is the array of all that has been appended so far, so that more may follow."""
        return getattr(entries, "base", None) is self._room and len(entries) == len(self)
