"""Writes a data set to disk split by split, piece by piece: a set may be far larger than the memory."""

import hashlib
import logging
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sngan.datasets.array_file import ArrayFile, ArrayWriter, Start, writing_to
from sngan.datasets.journal import Beginning, Journal, read_journal
from sngan.datasets.manifest import Manifest, StoredSplit, content_digest
from sngan.errors import InputError

logger = logging.getLogger(__name__)

# A killed preparation loses at most this much work and one piece. Not less, because recording waits for the disk.
_RECORD_EVERY_S = 1.0


class SplitWriter:
    """Appends the images and labels of one split, in order. Made by `DatasetWriter.split`.

    num_done : images that an earlier preparation has written; the next to append is number `num_done`, from 0.
    """

    def __init__(
        self,
        images: ArrayWriter,
        labels: ArrayWriter | None,
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
        """A writer for the split `name`, to which `num_images` images must be appended, less those `num_done`.

        Raises InputError when the disk has no room for them.
        """
        assert num_images > 0, "an empty split"
        assert name not in self._splits, f"split {name!r} is written twice"
        image_file = ArrayFile(
            self._folder / f"{name}-images.npy", "|u1", (num_images, self.channels, self.image_size, self.image_size)
        )
        label_file = ArrayFile(self._folder / f"{name}-labels.npy", "<i8", (num_images,))
        image_start, label_start = self._starts(name, image_file, label_file)
        self._check_room(name, (num_images - image_start.num_rows) * image_file.row_bytes)
        with ExitStack() as stack:
            images = stack.enter_context(ArrayWriter(image_file, image_start))
            labels = None
            if self.num_classes is not None:
                labels = stack.enter_context(ArrayWriter(label_file, label_start))

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

    def _starts(self, name: str, images: ArrayFile, labels: ArrayFile) -> tuple[Start, Start]:
        """Where the writing of a split's images and labels begins: at the end of what the journal vouches for."""
        beginning = self._journal.splits.get(name) if self._journal else None
        if beginning is None:
            return Start(), Start()
        image_start = images.start_after(beginning.num_images, beginning.images)
        label_start = (
            Start() if beginning.labels is None else labels.start_after(beginning.num_images, beginning.labels)
        )
        if image_start is None or label_start is None:
            logger.warning("split %s in %s was damaged since it was written and is written anew", name, self._folder)
            return Start(), Start()
        return image_start, label_start

    def _check_room(self, name: str, num_bytes: int) -> None:
        """Raise InputError now rather than hours later when the disk is too small for what remains of a split."""
        with writing_to(self._folder):
            num_free = shutil.disk_usage(self._folder).free
        if num_free < num_bytes:
            raise InputError(
                f"split {name} takes {num_bytes / 1e9:.1f} GB more, and the cache {self._folder.parent} has "
                f"{num_free / 1e9:.1f} GB left.\nFree some space there or choose another cache folder."
            )

    def _record(self, name: str, images: ArrayWriter, labels: ArrayWriter | None) -> None:
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
