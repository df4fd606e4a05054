"""Writes the .npy files of a data set row by row, from the start or from where an earlier process was stopped."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from sngan.datasets.manifest import StoredArray
from sngan.errors import InputError


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Turns an OSError inside the block (full disk, no permission, not a folder) into an InputError."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"cannot use the cache {folder}: {reason}.\nFree some space there or choose another cache folder."
        ) from None


@dataclass(frozen=True)
class Start:
    """The rows of an array that stand already, and the SHA-256 over them, to go on with."""

    num_rows: int = 0
    hash: Any = field(default_factory=hashlib.sha256)


@dataclass(frozen=True)
class ArrayFile:
    """A .npy file of known shape that is there, in parts, or not yet."""

    path: Path
    dtype: str
    shape: tuple[int, ...]

    @property
    def header(self) -> dict[str, Any]:
        """What stands at the file's beginning."""
        return {"descr": self.dtype, "fortran_order": False, "shape": self.shape}

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return int(np.prod(self.shape[1:], dtype=np.int64)) * np.dtype(self.dtype).itemsize

    def skip_header(self, file: IO[bytes]) -> bool:
        """Read the header of the open file; whether it is this array's. Raises ValueError where there is none."""
        npy.read_magic(file)
        return bool(npy.read_array_header_1_0(file) == (self.shape, False, np.dtype(self.dtype)))

    def start_after(self, num_rows: int, sha256: str) -> Start | None:
        """A start after the first `num_rows` rows, or None unless the file holds them and they have this hash."""
        state = hashlib.sha256()
        try:
            with self.path.open("rb") as file:
                if not self.skip_header(file):
                    return None
                num_left = num_rows * self.row_bytes
                while data := file.read(min(2**24, num_left)):
                    state.update(data)
                    num_left -= len(data)
        except (OSError, ValueError):
            return None
        return Start(num_rows, state) if not num_left and state.hexdigest() == sha256 else None


class ArrayWriter:
    """Writes a .npy file of known shape row by row, from its start on.

    Plain writes rather than a writable memory map: on a full disk a write fails with an error, whereas
    touching a mapped page kills the process.
    """

    def __init__(self, array: ArrayFile, start: Start) -> None:
        self.num_rows = start.num_rows
        self._array = array
        self._hash = start.hash

    def __enter__(self) -> Self:
        self._file: IO[bytes]
        with writing_to(self._array.path.parent):
            if not self.num_rows:
                self._file = self._array.path.open("wb")
                npy.write_array_header_1_0(self._file, self._array.header)
                return self
            self._file = self._array.path.open("r+b")
            self._array.skip_header(self._file)
            self._file.seek(self.num_rows * self._array.row_bytes, os.SEEK_CUR)
            self._file.truncate()  # rows after these may not have reached the disk whole
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # on a full disk, closing fails once more
            self._file.close()

    def append(self, rows: NDArray[Any]) -> None:
        """Write the next rows, of the array's type and shape. Raises InputError when the disk is full."""
        shape = self._array.shape
        assert rows.shape[1:] == shape[1:], f"rows are {rows.shape[1:]}, not {shape[1:]}"
        assert rows.dtype == np.dtype(self._array.dtype)
        data = np.ascontiguousarray(rows).reshape(-1).view(np.uint8).data
        self._hash.update(data)
        self.num_rows += len(rows)
        with writing_to(self._array.path.parent):
            self._file.write(data)

    def sync(self) -> str:
        """Wait until the disk has all rows so far; return their SHA-256."""
        with writing_to(self._array.path.parent):
            self._file.flush()
            os.fsync(self._file.fileno())
        return str(self._hash.hexdigest())

    def finish(self) -> StoredArray:
        """What was written, which must be all rows, once the disk has it."""
        shape = self._array.shape
        assert self.num_rows == shape[0], f"{self.num_rows} rows written, {shape[0]} announced"
        # The rename that publishes the folder must not reach the disk before the content does.
        sha256 = self.sync()
        return StoredArray(file=self._array.path.name, shape=shape, num_bytes=self._file.tell(), sha256=sha256)
