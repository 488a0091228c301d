"""How much memory there is, and what would take more."""

import os
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np

# Files in which Linux says how much memory a container may take.
LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


@cache
def whole_memory() -> float:
    """The bytes of the machine's memory, or fewer where a container has a limit; infinite where that is unknown."""
    known = [np.inf]
    with suppress(AttributeError, OSError, ValueError):  # not on Windows
        known.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for file in LIMITS:
        with suppress(OSError, ValueError):  # no such file, or the word "max"
            known.append(int(file.read_text()))
    return float(min(x for x in known if x > 0))


def is_too_much(needed: int) -> bool:
    """Whether there is no memory for so many bytes: an allocation may succeed, and the process end as it is filled."""
    if needed > whole_memory():
        return True
    try:
        np.empty(needed, np.uint8)
    except (MemoryError, OverflowError, ValueError):
        return True
    return False


def ask(needed: int) -> None:
    """MemoryError if there is no memory for so many bytes."""
    if is_too_much(needed):
        raise MemoryError(f"{needed / 1e9:.3g} GB are needed")


def check_room(needed: int, of: str, cure: str) -> None:
    """ValueError if there is no memory for `needed` bytes, which are those `of` something in the plural."""
    if is_too_much(needed):
        raise ValueError(f"{of} take {needed / 1e9:.3g} GB, more than there is memory. {cure}")
