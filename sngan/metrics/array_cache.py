"""Arrays on disk that are computed once per machine: atomic, locked between processes, recomputed when damaged."""

import hashlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from sngan.datasets.array_file import writing_to
from sngan.errors import one_line

logger = logging.getLogger(__name__)

Arrays = Mapping[str, NDArray[Any]]


class ArrayCache:
    """A folder of .npz files, one per key. A key is a text that names everything the arrays depend on.

    The file's name holds the key's hash, so that a changed input is another file; the file itself holds the key.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, label: str, key: str) -> Path:
        """Where the arrays of `key` lie; `label` makes the name readable."""
        return self.folder / f"{label}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"

    def peek(self, label: str, key: str) -> Arrays | None:
        """The arrays of `key` if they are there and whole, else None; a damaged file is reported."""
        path = self.path(label, key)
        try:
            return _read(path, key)
        except _DamagedError as error:
            logger.warning("the cache file %s is damaged (%s) and will be computed again", path, error)
            return None

    def get(self, label: str, key: str, compute: Callable[[], Arrays]) -> Arrays:
        """The arrays of `key`, computed if they are missing or damaged.

        One process computes, the others wait for it. Raises InputError when the folder cannot be written.
        """
        found = self.peek(label, key)
        if found is not None:
            return found
        path = self.path(label, key)
        with self._locked(path):
            try:
                found = _read(path, key)  # another process may have computed it while this one waited
            except _DamagedError:
                found = None  # reported above
            if found is None:
                found = compute()
                self._write(path, {**found, "key": np.array(key)})
        return found

    @contextmanager
    def _locked(self, path: Path) -> Iterator[None]:
        with writing_to(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path.with_suffix(".lock"))
            try:
                lock.acquire(timeout=1)
            except Timeout:
                logger.info("waiting for another process that computes %s", path)
                lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _write(self, path: Path, arrays: Arrays) -> None:
        partial = path.with_suffix(".partial")  # one writer: the lock is held
        with writing_to(self.folder):
            with partial.open("wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)


class _DamagedError(Exception):
    """A cache file that cannot be used, and why."""


def _read(path: Path, key: str) -> Arrays | None:
    """The arrays in a file, None where there is none. Raises _DamagedError for a file that is not as written."""
    try:
        # Opened here, since numpy.load leaves a file that is no archive open. Reading an array checks its CRC.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise _DamagedError(one_line(error, 120)) from None
    if str(arrays.pop("key", "")) != key:
        raise _DamagedError("it belongs to something else")
    return arrays
