"""Files of named arrays with a header: never half written, never executed when read."""

import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ebm._checks import Array

FORMAT = 1
HEADER = "header"


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
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(str(arrays.pop(HEADER)))
    except (zipfile.BadZipFile, ValueError, KeyError, EOFError, AttributeError, TypeError) as error:
        raise ValueError(f"checkpoint {Path(path).name!r} cannot be read: {error}") from None
    if header.get("format") != FORMAT:
        raise ValueError(
            f"checkpoint {Path(path).name!r} has the format {header.get('format')}, and this version of ebm "
            f"reads {FORMAT}. Go on with the version that wrote it."
        )
    return header, arrays
