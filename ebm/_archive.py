"""Files of named arrays with a header: never half written, never executed when read, and not believed.

An entry is read when its size has been compared with the file's, and when the reader has accepted what the header and
the entries say of themselves. So reading takes no more memory than the file is long, however it came about. A digest of
the content says whether it was changed since.
"""

import json
import math
import os
import struct
import tokenize
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from typing import IO, Any, NamedTuple

import numpy as np

from ebm import __version__
from ebm._checks import Array
from ebm._files import as_path, readable, replacing

FORMAT = 2
HEADER = "header"
MAX_HEADER = 1 << 22  # bytes
REMEDY = "Continue from another file, or train anew"
# Errors of reading bytes that are something else, or damaged. OSError is the caller's: no permission.
FAILURES = (
    zipfile.BadZipFile,
    struct.error,
    ValueError,
    KeyError,
    EOFError,
    AttributeError,
    TypeError,
    RuntimeError,
    NotImplementedError,
    SyntaxError,
    tokenize.TokenError,
    MemoryError,
    OverflowError,
)


class Described(NamedTuple):
    """An entry's own words on its array, before that is read."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    by_columns: bool


class ContentError(ValueError):
    """A file holds other things than it should; the text says why, without the name of the file."""


def write(path: Any, header: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    """Write `arrays` and the JSON-able `header` to `path`, of which there is the old file or the new at any time.

    ValueError where an array holds objects: these cannot be written without code that runs when they are read.
    """
    known = {name: np.asarray(x) for name, x in arrays.items()}
    for name, x in known.items():
        if x.dtype.hasobject:
            raise ValueError(f"{name!r} holds objects, and only numbers and texts can be written")
    header = {"format": FORMAT, "version": __version__, **header}
    text = json.dumps({**header, "digest": _digest(header, known)})
    with replacing(as_path(path, "path")) as file:
        np.savez(file, **{HEADER: np.array(text)}, **known)  # type: ignore[arg-type]


def read(path: Any) -> tuple[dict[str, Any], dict[str, Array]]:
    """Header and arrays of the file at `path`; ValueError if it is none of this format, or was changed."""
    with opened(path) as stored:
        arrays = stored.arrays()
        stored.confirm(arrays)
    return stored.header, arrays


@contextmanager
def opened(path: Any) -> Iterator["Stored"]:
    """The file at `path`; whatever is wrong with it becomes a ValueError with its name."""
    path = readable(path, "checkpoint")
    try:
        with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
            yield Stored(archive, os.fstat(file.fileno()).st_size)
    except ContentError as refusal:
        raise ValueError(f"checkpoint {path.name!r} {refusal}. (File: {path})") from None
    except FAILURES as error:
        reason = f"cannot be read: {str(error) or type(error).__name__:.300}".rstrip(".")
        raise ValueError(f"checkpoint {path.name!r} {reason}. {REMEDY}. (File: {path})") from None


class Stored:
    """An open file: its header, what its entries say of their arrays, and these once they are asked for."""

    def __init__(self, archive: zipfile.ZipFile, size: int) -> None:
        self._archive = archive
        self.described = {name: _described(archive, name) for name in _entries(archive, size)}
        self.header = _header(archive, self.described.pop(HEADER, None))
        self._written = self.header.pop("digest", None)

    def arrays(self) -> dict[str, Array]:
        """All arrays."""
        return {name: _array(self._archive, name) for name in self.described}

    def confirm(self, arrays: Mapping[str, Array]) -> None:
        """Refuse a file whose header or `arrays` are not those that were written."""
        if self._written != _digest(self.header, arrays):
            raise ContentError(f"was changed after it had been written. {REMEDY}")


def _entries(archive: zipfile.ZipFile, size: int) -> list[str]:
    """Names of the entries, all stored as they are, and together no longer than the file of `size` bytes."""
    names = [info.filename.removesuffix(".npy") for info in archive.infolist()]
    if len(set(names)) != len(names):
        raise ValueError("it has two entries of one name")
    if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
        raise ValueError("it has compressed entries, which a Checkpoint does not write")
    if sum(info.file_size for info in archive.infolist()) > size:
        raise ValueError("it has entries that are longer than the file")
    return names


def _described(archive: zipfile.ZipFile, name: str) -> Described:
    with archive.open(f"{name}.npy") as entry:
        described = _head(entry)
        rest = archive.getinfo(f"{name}.npy").file_size - entry.tell()
    if described.dtype.hasobject:
        raise ValueError(f"it holds objects in the entry {name!r:.60}, and objects are not read")
    if min(described.shape, default=0) < 0 or described.dtype.itemsize == 0:
        raise ValueError(f"it has an entry {name!r:.60} of an impossible shape")
    if math.prod(described.shape) * described.dtype.itemsize != rest:
        raise ValueError(f"its entry {name!r:.60} is not as long as it says")
    return described


def _head(entry: IO[bytes]) -> Described:
    version = np.lib.format.read_magic(entry)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"arrays of the format {version} are unknown")
    first = version == (1, 0)
    head = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
    shape, by_columns, dtype = head(entry)
    return Described(dtype, shape, by_columns)


def _array(archive: zipfile.ZipFile, name: str) -> Array:
    with archive.open(f"{name}.npy") as entry:
        x: Array = np.lib.format.read_array(entry, allow_pickle=False)
    return x


def _header(archive: zipfile.ZipFile, described: Described | None) -> dict[str, Any]:
    """The header, of this format."""
    if described is None or described.shape or described.dtype.kind != "U":
        raise ValueError("it has no header")
    if described.dtype.itemsize > MAX_HEADER:
        raise ValueError(f"its header has {described.dtype.itemsize} bytes")
    header = json.loads(str(_array(archive, HEADER)))
    if not isinstance(header, dict):
        raise ValueError("its header is no table")
    if header.get("format") != FORMAT:
        raise ContentError(
            f"has the format {header.get('format')!s:.40}, and this version of ebm reads {FORMAT}. Continue with the "
            "version that wrote it"
        )
    return header


def _digest(header: Mapping[str, Any], arrays: Mapping[str, Array]) -> str:
    digest = sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(arrays):
        x = arrays[name]
        by_columns = x.flags.f_contiguous and not x.flags.c_contiguous
        kind = np.lib.format.dtype_to_descr(x.dtype)
        digest.update(f"{name} {kind} {x.shape} {by_columns}".encode())
        digest.update(np.ascontiguousarray(x).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
