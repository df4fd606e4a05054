"""Writing files so that a reader sees the old one or the new one, never half of either."""

import os
import tempfile
from pathlib import Path

from sngan.errors import InputError


def write_atomically(path: Path, content: bytes | str) -> Path:
    """Write `content` (text as UTF-8) and return `path`. Raises InputError when the disk refuses."""
    data = content.encode() if isinstance(content, str) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}.") from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).chmod(0o644)  # mkstemp makes files that only their owner can read
        Path(temporary).replace(path)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise InputError(f"cannot write {path}: {error.strerror or error}.") from error
    return path
