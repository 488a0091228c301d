"""The one decorator through which everything compiled in this library passes.

Numba compiles a function at its first call and stores the machine code on disk (``cache=True``), so that only the
first run in a fresh environment waits. ``error_model="numpy"`` lets divisions vectorise (Python's model branches on
zero in every lane), ``nogil=True`` lets threads of the caller run side by side.

The fast-math flags keep what honesty needs. NaN and infinity stay NaN and infinity, so that a diverging model is
noticed. And a function gives the same bits wherever it is called from: the compiler makes a copy of it for each caller,
which copy runs depends on what was loaded first, and of a b + c d it may fuse either product into the sum. So a product
and a sum are one rounding only where ``fuse=True`` says so, in functions where there is one way to do it.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, overload

import numba
import numpy as np

F = TypeVar("F", bound=Callable[..., Any])

# No care for the sign of zero.
FASTMATH = {"nsz"}


@overload
def jit(function: F) -> F: ...
@overload
def jit(*, reorder: bool = ..., inline: bool = ..., fuse: bool = ...) -> Callable[[F], F]: ...
def jit(
    function: F | None = None, *, reorder: bool = False, inline: bool = False, fuse: bool = False
) -> F | Callable[[F], F]:
    """Compile `function` with the library's settings (see the module docstring).

    With ``reorder=True`` the compiler may also reorder sums, which a reduction needs in order to vectorise, and which
    compensated arithmetic does not survive. With ``inline=True`` every caller gets the body, whatever its length: a
    loop with a call inside does not vectorise. With ``fuse=True`` a product and the sum it goes into are one operation:
    for chains with one product per sum, where it is twice as fast. Under ``NUMBA_DISABLE_JIT=1`` the function runs as
    plain Python.
    """
    if function is None:
        return functools.partial(_compile, reorder=reorder, inline=inline, fuse=fuse)
    return _compile(function, reorder=reorder, inline=inline, fuse=fuse)


def _compile(function: F, *, reorder: bool, inline: bool, fuse: bool) -> F:
    if numba.config.DISABLE_JIT:
        return _interpreted(function)
    flags = FASTMATH | ({"reassoc"} if reorder else set()) | ({"contract"} if fuse else set())
    compiler = numba.njit(
        cache=True, error_model="numpy", nogil=True, fastmath=flags, forceinline=inline
    )
    return compiler(function)  # type: ignore[no-any-return]


def _interpreted(function: F) -> F:
    # Unsigned integers wrap silently in compiled code and warn in NumPy, hence the muted error state.
    @functools.wraps(function)
    def run(*args: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*args)

    return run  # type: ignore[return-value]
