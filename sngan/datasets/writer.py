"""Writes a data set to disk split by split, piece by piece: a set may be far larger than the memory."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from sngan.datasets.manifest import Manifest, StoredArray, StoredSplit, content_digest
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


class SplitWriter:
    """Appends the images and labels of one split, in order. Made by `DatasetWriter.split`."""

    def __init__(self, images: "_ArrayWriter", labels: "_ArrayWriter | None", num_classes: int | None) -> None:
        self._images = images
        self._labels = labels
        self._num_classes = num_classes

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


class DatasetWriter:
    """What a data set's `prepare` writes to.

    channels, image_size, num_classes : the same for all splits; num_classes None means no labels.
    """

    def __init__(self, folder: Path, *, channels: int, image_size: int, num_classes: int | None) -> None:
        self.channels = channels
        self.image_size = image_size
        self.num_classes = num_classes
        self._folder = folder
        self._splits: dict[str, StoredSplit] = {}

    @contextmanager
    def split(self, name: str, num_images: int) -> Iterator[SplitWriter]:
        """A writer for the split `name`, to which exactly `num_images` images must be appended."""
        assert num_images > 0, "an empty split"
        assert name not in self._splits, f"split {name!r} is written twice"
        shape = (num_images, self.channels, self.image_size, self.image_size)
        with ExitStack() as stack:
            images = stack.enter_context(_ArrayWriter(self._folder / f"{name}-images.npy", "|u1", shape))
            labels = None
            if self.num_classes is not None:
                labels = stack.enter_context(_ArrayWriter(self._folder / f"{name}-labels.npy", "<i8", shape[:1]))
            yield SplitWriter(images, labels, self.num_classes)
            self._splits[name] = StoredSplit(images=images.finish(), labels=None if labels is None else labels.finish())

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


class _ArrayWriter:
    """Writes a .npy file of known shape row by row.

    Plain writes rather than a writable memory map: on a full disk a write fails with an error, whereas
    touching a mapped page kills the process.
    """

    def __init__(self, path: Path, dtype: str, shape: tuple[int, ...]) -> None:
        self._path = path
        self._dtype = dtype
        self._shape = shape
        self._num_rows = 0
        self._hash = hashlib.sha256()

    def __enter__(self) -> Self:
        header = {"descr": self._dtype, "fortran_order": False, "shape": self._shape}
        with writing_to(self._path.parent):
            self._file = self._path.open("wb")
            npy.write_array_header_1_0(self._file, header)
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # on a full disk, closing fails once more
            self._file.close()

    def append(self, rows: NDArray[Any]) -> None:
        assert rows.shape[1:] == self._shape[1:], f"rows are {rows.shape[1:]}, not {self._shape[1:]}"
        assert rows.dtype == np.dtype(self._dtype)
        data = np.ascontiguousarray(rows).reshape(-1).view(np.uint8).data
        self._hash.update(data)
        self._num_rows += len(rows)
        with writing_to(self._path.parent):
            self._file.write(data)

    def finish(self) -> StoredArray:
        assert self._num_rows == self._shape[0], f"{self._num_rows} rows written, {self._shape[0]} announced"
        with writing_to(self._path.parent):
            # The rename that publishes the folder must not reach the disk before the content does.
            self._file.flush()
            os.fsync(self._file.fileno())
            num_bytes = self._file.tell()
        return StoredArray(file=self._path.name, shape=self._shape, num_bytes=num_bytes, sha256=self._hash.hexdigest())
