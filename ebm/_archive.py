"""Files of named arrays with a header: never half written, never executed when read."""

import json
import lzma
import os
import struct
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ebm._checks import Array

FORMAT = 1
HEADER = "header"
# What reading bytes that are something else, or damaged, ends in. OSError is the caller's: no file, no permission.
FAILURES = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    lzma.LZMAError,
    ValueError,
    KeyError,
    EOFError,
    AttributeError,
    TypeError,
    RuntimeError,
    MemoryError,
    OverflowError,
)


def write(path: str | os.PathLike[str], header: dict[str, Any], arrays: dict[str, Array]) -> None:
    """Write `arrays` and the JSON-able `header` to `path`.

    They go to a temporary file beside it, which is then renamed: whatever happens, there is the old file or the new.
    """
    path = Path(path)
    text = json.dumps({"format": FORMAT, **header})
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name + ".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **{HEADER: np.array(text)}, **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Array]]:
    """Header and arrays of the file at `path`; ValueError if it is none of this format."""
    try:
        # np.load leaves a file that it has opened open when it fails.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        header = dict(json.loads(str(arrays.pop(HEADER))))
    except FAILURES as error:
        raise ValueError(f"checkpoint {Path(path).name!r} cannot be read: {error}") from None
    if header.get("format") != FORMAT:
        raise ValueError(
            f"checkpoint {Path(path).name!r} has the format {header.get('format')}, and this version of ebm "
            f"reads {FORMAT}. Go on with the version that wrote it."
        )
    return header, arrays
