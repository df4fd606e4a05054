"""Whether results can be written, tried before anything is computed."""

import os
import tempfile
from pathlib import Path

from sngan.errors import InputError


def check_writable(folder: Path) -> None:
    """Create the folder of results and try it. Raises InputError where nothing can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(os.urandom(4096))
    except OSError as error:
        reason = "it is a file, not a folder" if folder.is_file() else error.strerror or error
        raise InputError(f"cannot write results to {folder}: {reason}.\nChoose another folder with --out.") from error
