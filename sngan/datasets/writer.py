"""Writes a data set to disk split by split, piece by piece: a set may be far larger than the memory."""

import hashlib
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from sngan.datasets.journal import Beginning, Journal, read_journal
from sngan.datasets.manifest import Manifest, StoredArray, StoredSplit, content_digest
from sngan.errors import InputError

logger = logging.getLogger(__name__)

# A killed preparation loses at most this much work and one piece. Not less, because recording waits for the disk.
_RECORD_EVERY_S = 1.0


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


class SplitWriter:
    """Appends the images and labels of one split, in order. Made by `DatasetWriter.split`.

    num_done : images that an earlier preparation has written; the next to append is number `num_done`, from 0.
    """

    def __init__(
        self,
        images: "_ArrayWriter",
        labels: "_ArrayWriter | None",
        num_classes: int | None,
        appended: Callable[[int], None],
    ) -> None:
        self.num_done = images.num_rows
        self._images = images
        self._labels = labels
        self._num_classes = num_classes
        self._appended = appended

    def append(self, images: NDArray[np.uint8], labels: NDArray[Any] | None = None) -> None:
        """Write images [n, C, H, W] and, in a set with classes, their labels [n] from 0 to num_classes - 1.

        Raises InputError when the disk is full.
        """
        assert images.dtype == np.uint8, f"images are {images.dtype}, not uint8"
        assert (labels is None) == (self._labels is None), "labels go with num_classes"
        self._images.append(images)
        if labels is not None and self._labels is not None and self._num_classes is not None:
            assert labels.shape == images.shape[:1], f"{labels.shape} labels for {len(images)} images"
            assert labels.min() >= 0
            assert labels.max() < self._num_classes
            self._labels.append(labels.astype("<i8", copy=False))
        self._appended(len(images))


class DatasetWriter:
    """What a data set's `prepare` writes to.

    channels, image_size, num_classes : the same for all splits; num_classes None means no labels.
    progress : called with the number of images done so far, in all splits together.
    """

    def __init__(
        self,
        folder: Path,
        *,
        channels: int,
        image_size: int,
        num_classes: int | None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self.channels = channels
        self.image_size = image_size
        self.num_classes = num_classes
        self._folder = folder
        self._splits: dict[str, StoredSplit] = {}
        self._journal: Journal | None = None
        self._recorded_at = 0.0
        self._progress = progress
        self._num_advanced = 0

    def keep(self, source: str) -> None:
        """Keep what is written when this preparation ends early, and take over what an earlier one has kept.

        source : all that decides what the images and their order are; what was made from another source is
            thrown away. Whoever calls this asks every split's writer for its `num_done`.
        """
        assert not self._splits, "what to keep is decided before anything is written"
        how = f"{source} {self.channels} {self.image_size} {self.num_classes}"
        identity = hashlib.sha256(how.encode()).hexdigest()
        self._recorded_at = time.monotonic()
        self._journal = read_journal(self._folder)
        if self._journal is None or self._journal.source != identity:
            self._journal = Journal(source=identity, splits={})
            with writing_to(self._folder):
                shutil.rmtree(self._folder)
                self._folder.mkdir()

    def advance(self, num: int) -> None:
        """Count `num` images as done, for the progress: `SplitWriter.append` does so for those that it writes."""
        self._num_advanced += num
        if self._progress is not None:
            self._progress(self._num_advanced)

    @contextmanager
    def split(self, name: str, num_images: int) -> Iterator[SplitWriter]:
        """A writer for the split `name`, to which `num_images` images must be appended, less those `num_done`."""
        assert num_images > 0, "an empty split"
        assert name not in self._splits, f"split {name!r} is written twice"
        image_file = _ArrayFile(
            self._folder / f"{name}-images.npy", "|u1", (num_images, self.channels, self.image_size, self.image_size)
        )
        label_file = _ArrayFile(self._folder / f"{name}-labels.npy", "<i8", (num_images,))
        image_start, label_start = self._starts(name, image_file, label_file)
        with ExitStack() as stack:
            images = stack.enter_context(_ArrayWriter(image_file, image_start))
            labels = None
            if self.num_classes is not None:
                labels = stack.enter_context(_ArrayWriter(label_file, label_start))

            def appended(num: int) -> None:
                if self._journal is not None and time.monotonic() - self._recorded_at > _RECORD_EVERY_S:
                    self._record(name, images, labels)
                self.advance(num)

            if images.num_rows:
                logger.info("going on with split %s after %d of %d images", name, images.num_rows, num_images)
                self.advance(images.num_rows)
            yield SplitWriter(images, labels, self.num_classes, appended)
            self._splits[name] = StoredSplit(images=images.finish(), labels=None if labels is None else labels.finish())
            if self._journal is not None:
                self._record(name, images, labels)

    def _starts(self, name: str, images: "_ArrayFile", labels: "_ArrayFile") -> tuple["_Start", "_Start"]:
        """Where the writing of a split's images and labels begins: at the end of what the journal vouches for."""
        beginning = self._journal.splits.get(name) if self._journal else None
        if beginning is None:
            return _Start(), _Start()
        image_start = images.start_after(beginning.num_images, beginning.images)
        label_start = _Start() if beginning.labels is None else labels.start_after(beginning.num_images, beginning.labels)
        if image_start is None or label_start is None:
            logger.warning("split %s in %s was damaged since it was written and is written anew", name, self._folder)
            return _Start(), _Start()
        return image_start, label_start

    def _record(self, name: str, images: "_ArrayWriter", labels: "_ArrayWriter | None") -> None:
        assert self._journal is not None
        beginning = Beginning(
            num_images=images.num_rows, images=images.sync(), labels=None if labels is None else labels.sync()
        )
        self._journal = replace(self._journal, splits={**self._journal.splits, name: beginning})
        with writing_to(self._folder):
            self._journal.write(self._folder)
        self._recorded_at = time.monotonic()

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder on the cache's disk for downloads and the like; it is removed afterwards."""
        folder = self._folder / "scratch"
        with writing_to(self._folder):
            folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def digest(self) -> str:
        """The content digest of what was written so far."""
        return content_digest(self._splits)

    def manifest(self, name: str, version: int) -> Manifest:
        """The manifest of what was written."""
        return Manifest(
            name=name,
            version=version,
            digest=self.digest,
            channels=self.channels,
            image_size=self.image_size,
            num_classes=self.num_classes,
            splits=dict(self._splits),
        )


@dataclass(frozen=True)
class _Start:
    """The rows of an array that stand already, and the SHA-256 over them, to go on with."""

    num_rows: int = 0
    hash: Any = field(default_factory=hashlib.sha256)


@dataclass(frozen=True)
class _ArrayFile:
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

    def start_after(self, num_rows: int, sha256: str) -> _Start | None:
        """A start after the first `num_rows` rows, or None unless the file holds them and they have this hash."""
        state = hashlib.sha256()
        try:
            with self.path.open("rb") as file:
                npy.read_magic(file)
                if npy.read_array_header_1_0(file) != (self.shape, False, np.dtype(self.dtype)):
                    return None
                num_left = num_rows * self.row_bytes
                while data := file.read(min(2**24, num_left)):
                    state.update(data)
                    num_left -= len(data)
        except (OSError, ValueError):
            return None
        return _Start(num_rows, state) if not num_left and state.hexdigest() == sha256 else None


class _ArrayWriter:
    """Writes a .npy file of known shape row by row, from its start on.

    Plain writes rather than a writable memory map: on a full disk a write fails with an error, whereas
    touching a mapped page kills the process.
    """

    def __init__(self, array: _ArrayFile, start: _Start) -> None:
        self.num_rows = start.num_rows
        self._array = array
        self._hash = start.hash

    def __enter__(self) -> Self:
        with writing_to(self._array.path.parent):
            self._file = self._array.path.open("r+b" if self.num_rows else "wb")
            try:
                npy.write_array_header_1_0(self._file, self._array.header)
                self._file.seek(self.num_rows * self._array.row_bytes, os.SEEK_CUR)
                self._file.truncate()  # rows after these may not have reached the disk whole
            except OSError:
                self.__exit__()
                raise
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # on a full disk, closing fails once more
            self._file.close()

    def append(self, rows: NDArray[Any]) -> None:
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
        shape = self._array.shape
        assert self.num_rows == shape[0], f"{self.num_rows} rows written, {shape[0]} announced"
        # The rename that publishes the folder must not reach the disk before the content does.
        sha256 = self.sync()
        return StoredArray(file=self._array.path.name, shape=shape, num_bytes=self._file.tell(), sha256=sha256)
