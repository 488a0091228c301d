"""The gate for paths, and files that are replaced as a whole: there is the old one or the new one, whatever happens."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

LONGEST_SHOWN = 120  # characters of a path in a message


def as_path(path: Any, argument: str) -> Path:
    """`path`, a str or path-like object, as a Path; TypeError or ValueError with the argument's name."""
    if isinstance(path, bytes | bytearray):
        raise TypeError(
            f"{argument} must be a path, as a str or pathlib.Path. Got bytes: decode them with os.fsdecode."
        )
    if not isinstance(path, str | os.PathLike):
        raise TypeError(
            f"{argument} must be a path, as a str or pathlib.Path, such as 'training.npz'. Got {type(path).__name__} "
            f"{shown(path)}."
        )
    text = os.fsdecode(path)
    if not text:
        raise ValueError(f"{argument} must be a path, such as 'training.npz'. Got an empty string.")
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        text += "\0"  # no name of a file either
    if "\0" in text:
        raise ValueError(
            f"{argument} holds a character that no name of a file has. Got {shown(path)}: use letters, digits, '-', "
            "'_' and '.'."
        )
    return Path(text)


def shown(value: Any) -> str:
    """A value as messages show it, abbreviated."""
    text = repr(str(value) if isinstance(value, os.PathLike) else value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def readable(path: Any, argument: str) -> Path:
    """The `path` of a file that there is and that is no folder, pipe or device; else an error with the cure."""
    file = as_path(path, argument)
    try:
        mode = file.stat().st_mode
    except OSError as error:
        reason = f"{argument} must be a file that a Checkpoint has written. {error.strerror}{_tilde(file)}"
        raise OSError(error.errno, reason, str(file)) from None
    except RuntimeError as error:  # Python 3.11 and 3.12: links in a circle
        raise OSError(f"{argument} must be a file that a Checkpoint has written. {error}") from None
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise ValueError(
            f"{argument} must be a file that a Checkpoint has written. Got {shown(file)}: that is {kind}."
        )
    return file


def writable(path: Any, argument: str) -> Path:
    """The `path` of a file that can be written, by all that is known before; else a ValueError with the cure."""
    file = as_path(path, argument)
    try:
        problem = _obstacle(file)
    except (OSError, RuntimeError) as error:
        problem = f"{getattr(error, 'strerror', error)}. Choose another name or folder"
    if problem:
        raise ValueError(
            f"{argument} must be the name of a file in an existing folder. Got {shown(file)}: {problem}."
        )
    return file


def _obstacle(path: Path) -> str:
    """Why a file cannot be written at `path`, or ''; OSError is a reason, too."""
    target = Path(os.path.realpath(path))
    if target.is_dir():
        return f"that is a folder. Name a file in it, such as {shown(path / 'training.npz')}"
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(path.stat().st_mode):
            return "that is no regular file. Choose another name"
    with suppress(FileNotFoundError):
        _part(target).lstat()  # it has the longest name that is needed
    if not target.parent.is_dir():
        cure = _tilde(path) or ". Make the folder first"
        return f"there is no {shown(target.parent)}{cure}"
    if not os.access(target.parent, os.W_OK | os.X_OK):
        return f"there is no permission to write to {shown(target.parent)}. Choose another folder"
    return ""


def _tilde(path: Path) -> str:
    is_short = str(path).startswith("~")
    return ". Python does not expand '~': use Path.expanduser()" if is_short else ""


def _part(target: Path) -> Path:
    """Where a new file in place of `target` waits: a fixed name, so that what a crash leaves is used up."""
    return target.with_name(f".{target.name}.part")


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A new file that takes the place of the one at `path`, with its mode, when it is complete and on the disk.

    Links to files are followed, and stay. Until it is complete, the file has no name where the system knows such files.
    """
    target = Path(os.path.realpath(path))
    part = _part(target)
    nameless = _nameless(target.parent)
    file = os.fdopen(nameless if nameless >= 0 else _named(part), "wb")
    try:
        with file:
            yield file
            file.flush()
            with suppress(FileNotFoundError):
                os.chmod(file.fileno(), stat.S_IMODE(target.stat().st_mode))
            os.fsync(file.fileno())
            if nameless >= 0:
                _give_name(nameless, part)
            elif not os.path.samestat(os.fstat(file.fileno()), part.stat()):
                raise FileExistsError("another process writes to the same file")
        _put(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _settle(target.parent)


def _nameless(folder: Path) -> int:
    """A descriptor of a new file in `folder` that vanishes with the process; -1 where there are none."""
    if not (hasattr(os, "O_TMPFILE") and os.path.isdir("/proc/self/fd")):
        return -1
    try:
        return os.open(folder, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o666)
    except OSError:
        return -1


def _named(part: Path) -> int:
    part.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    return os.open(part, flags, 0o666)


def _give_name(descriptor: int, part: Path) -> None:
    """Name the complete file; only with a folder does Python follow the link that stands for the descriptor."""
    folder, source = os.open(part.parent, os.O_RDONLY), f"/proc/self/fd/{descriptor}"
    try:
        while True:
            try:
                return os.link(source, part.name, src_dir_fd=folder, dst_dir_fd=folder)
            except FileExistsError:  # of a crash, or of another that writes to the same file
                part.unlink(missing_ok=True)
    finally:
        os.close(folder)


def _put(part: Path, target: Path) -> None:
    try:
        os.replace(part, target)
    except FileNotFoundError:
        if not target.exists():
            raise
        # Another that writes to the same file has put a complete one there, this one or its own.


def _settle(folder: Path) -> None:
    """Bring the change of a name to the disk, where folders can be opened."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
