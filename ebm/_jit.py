"""The one decorator through which everything compiled in this library passes.

Numba compiles a function at its first call and stores the machine code on disk (``cache=True``), so that only the
first run in a fresh environment waits. The disk is a convenience: where it can be neither read nor written the library
compiles without it, and warns once. ``error_model="numpy"`` lets divisions vectorise (Python's model branches on
zero in every lane), ``nogil=True`` lets threads of the caller run side by side. An interrupt waits until the function
that is being compiled is done, because Numba cannot be interrupted while it compiles.

The fast-math flags keep what honesty needs. NaN and infinity stay NaN and infinity, so that a diverging model is
noticed. A function also gives the same bits wherever it is called from. The compiler makes a copy of a function for
each caller, and which copy runs depends on what was loaded first. In a b + c d each copy might fuse another product
into the sum. So a product and a sum are one rounding only where ``fuse=True`` says so, in functions where there is one
way to do it.
"""

import contextlib
import functools
import hashlib
import inspect
import logging
import os
import pickle
import re
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, overload

import numba
import numpy as np
from numba.core import event
from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    IndexDataCacheFile,
    NullCache,
    UserWideCacheLocator,
)
from numba.core.compiler_lock import global_compiler_lock
from numba.core.sigutils import normalize_signature

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
    compensated arithmetic does not survive. Such a function is always inlined: the order of a sum would otherwise
    depend on whether the compiler inlines it, and that differs from one compilation to the next. With ``inline=True``
    every caller gets the body, whatever its length: a loop with a call inside does not vectorise. With ``fuse=True`` a
    product and the sum it goes into are one operation: for chains with one product per sum, where it is twice as fast.
    Under ``NUMBA_DISABLE_JIT=1`` the function runs as plain Python.
    """
    if function is None:
        return functools.partial(_compile, reorder=reorder, inline=inline, fuse=fuse)
    return _compile(function, reorder=reorder, inline=inline, fuse=fuse)


def _compile(function: F, *, reorder: bool, inline: bool, fuse: bool) -> F:
    if numba.config.DISABLE_JIT:
        return _interpreted(function)
    flags = FASTMATH | ({"reassoc"} if reorder else set()) | ({"contract"} if fuse else set())
    compiler = numba.njit(
        error_model="numpy", nogil=True, fastmath=flags, forceinline=inline or reorder
    )
    compiled = compiler(function)
    compiled._cache = _cache(function)  # where Numba's own cache=True keeps it
    compiled.compile = _uninterrupted(compiled.compile)
    return compiled  # type: ignore[no-any-return]


def _interpreted(function: F) -> F:
    # Unsigned integers wrap silently in compiled code and warn in NumPy, hence the muted error state.
    @functools.wraps(function)
    def run(*args: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*args)

    return run  # type: ignore[return-value]


# --- interrupts and forks -------------------------------------------------------------------------


class _Later:
    """A handler of signals that keeps one until it is asked for."""

    def __init__(self, handler: Callable[..., Any]) -> None:
        self._handler = handler
        self._heard: tuple[Any, ...] = ()

    def __call__(self, *happening: Any) -> None:
        self._heard = happening

    def deliver(self) -> None:
        """Handle the signal, if there was one."""
        heard, self._heard = self._heard, ()
        if heard:
            self._handler(*heard)


def _uninterrupted(compile_: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`compile_`, at whose end, and not before, an interrupt is heard.

    In its midst Numba would lose it, or registrations that later compilations need. A function that another one calls
    is compiled within the compilation of that one, and the outermost compilation hears the interrupt.
    """

    def run(sig: Any) -> Any:
        handler: Any = signal.getsignal(signal.SIGINT)
        if not callable(handler) or threading.current_thread() is not threading.main_thread():
            return compile_(sig)  # nobody interrupts here
        outermost = not isinstance(handler, _Later)
        later = _Later(handler) if outermost else handler
        signal.signal(signal.SIGINT, later)
        try:
            return compile_(sig)
        finally:
            if outermost:
                signal.signal(signal.SIGINT, handler)
                later.deliver()

    return run


# A child that is forked while another thread compiles would wait for ever for that thread, which it does not have.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=global_compiler_lock.release,
    )


# --- the compiled code on disk --------------------------------------------------------------------


IMPORT = re.compile(r"^from ([\w.]+) import (\([^)]*\)|.*)", re.MULTILINE)


@functools.cache
def _source_and_imports(module: str) -> tuple[str, frozenset[str]]:
    """The source of a module, and which modules of its own package and of this one it imports."""
    source = inspect.getsource(sys.modules[module])
    own = {__package__, module.partition(".")[0]}
    named = {
        name
        for origin, names in IMPORT.findall(source)
        for name in (origin, *(f"{origin}.{x}" for x in re.findall(r"\w+", names)))
    }
    return source, frozenset(x for x in named & sys.modules.keys() if x.partition(".")[0] in own)


@functools.cache
def _stamp(module: str) -> str:
    """Hash of all sources that the compiled code of a module may be made of: its own, and those of its imports."""
    sources: dict[str, str] = {}
    waiting = {module}
    while waiting:
        name = waiting.pop()
        sources[name], imports = _source_and_imports(name)
        waiting |= imports - sources.keys()
    return hashlib.sha256(repr(sorted(sources.items())).encode()).hexdigest()


class _Files(IndexDataCacheFile):  # type: ignore[misc]
    """Numba's files, in which code is taken for what was written only if it is, and from the same sources."""

    def _save_data(self, name: str, data: Any) -> None:
        body = self._dump(data)
        super()._save_data(name, (self._digest(body), body))

    def _load_data(self, name: str) -> Any:
        digest, body = super()._load_data(name)
        if digest != self._digest(body):
            raise ValueError("not what was written, or of other sources")
        return pickle.loads(body)

    def _digest(self, body: bytes) -> bytes:
        return hashlib.sha256(self._source_stamp.encode() + body).digest()


class _Home(UserWideCacheLocator):  # type: ignore[misc]
    """The user's cache folder, if there is a home: else Numba makes a folder of the name "~" in the current one."""

    def ensure_cache_path(self) -> None:
        if not Path(self.get_cache_path()).is_absolute():
            raise FileNotFoundError("no home")
        super().ensure_cache_path()


class _Place(CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes = [
        _Home if place is UserWideCacheLocator else place
        for place in CompileResultCacheImpl._locator_classes
    ]


class _Disk(FunctionCache):  # type: ignore[misc]
    """Numba's files of compiled code: what cannot be read is compiled anew, what cannot be written is not kept."""

    _impl_class = _Place

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        stamp = _stamp(function.__module__)
        self._cache_file = _Files(self.cache_path, self._impl.filename_base, stamp)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            found = super().load_overload(sig, target_context)
        except Exception:  # a damaged file raises whatever its bytes happen to mean
            return None
        # Processes that compile at the same time may have given one file's name to code for other types.
        if found is None or found.signature.args != normalize_signature(sig)[0]:
            return None
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        for _ in range(2):  # the second time without the files that may be damaged
            try:
                super().save_overload(sig, data)
                return
            except Exception as error:
                self._remove()
                reason = f"{type(error).__name__}: {error}"
        self.disable()
        _warn_that_nothing_is_kept(reason)

    def _remove(self) -> None:
        """Remove this function's files: an index must not outlive a failure, or it names code of other types."""
        with contextlib.suppress(OSError):
            for path in Path(self.cache_path).glob(f"{self._impl.filename_base}.*"):
                path.unlink()


class _Nowhere(NullCache):  # type: ignore[misc]
    """No place for compiled code, as in a read-only installation without a writable home."""

    def save_overload(self, sig: Any, data: Any) -> None:
        _warn_that_nothing_is_kept(
            "no folder beside the library, or in the home, can be written to"
        )


def _cache(function: Callable[..., Any]) -> Any:
    try:
        return _Disk(function)
    except (
        RuntimeError,
        OSError,
        KeyError,
    ):  # "no locator available"; a source that cannot be read
        return _Nowhere()


_reported = False


def _warn_that_nothing_is_kept(reason: str) -> None:
    global _reported
    if _reported:
        return
    _reported = True
    warnings.warn(
        f"Compiled code cannot be kept on disk ({reason}). Every new process compiles anew, which makes a first fit "
        "some ten seconds longer. To avoid it set the environment variable NUMBA_CACHE_DIR to a writable folder before "
        "Python starts.",
        RuntimeWarning,
        stacklevel=2,
    )


# --- a first call that takes long -----------------------------------------------------------------

PATIENCE = 2.0  # seconds


class _Stopwatch(event.Listener):  # type: ignore[misc]
    """Time that this process has spent compiling our functions; beyond `PATIENCE` one line of the log says so."""

    def __init__(self) -> None:
        self._spent, self._begun, self._depth = 0.0, 0.0, 0

    def on_start(self, happening: Any) -> None:
        """One function more is being compiled, perhaps for the sake of another one."""
        if self._depth or _is_ours(happening):
            self._depth += 1
        if self._depth == 1:
            self._begun = time.perf_counter()

    def on_end(self, happening: Any) -> None:
        """A function was compiled: a chance to say something while the others wait."""
        if not self._depth:
            return
        self._depth -= 1
        spent = self._spent + time.perf_counter() - self._begun
        if not self._depth:
            self._spent = spent
        if spent > PATIENCE:
            self._depth = 0
            event.unregister("numba:compile", self)
            logging.getLogger("ebm").warning(
                "Compiling for the first use with data of this kind: about ten seconds, once. Later runs load the "
                "compiled code from disk."
            )


def _is_ours(happening: Any) -> bool:
    function = getattr(happening.data["dispatcher"], "py_func", None)
    return str(getattr(function, "__module__", "")).startswith("ebm.")


event.register("numba:compile", _Stopwatch())
