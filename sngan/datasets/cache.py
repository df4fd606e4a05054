"""The cache of prepared data sets: CACHE/datasets/NAME-VERSION/, prepared once, shared by all processes.

A data set is written into a hidden folder beside its place, under a lock, and moved into place by one rename.
A folder with a final name is therefore complete, whenever and however a process was killed. A hidden folder that
a preparation has left with a journal is where the next one goes on.
"""

import errno
import hashlib
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from sngan.datasets.array_file import writing_to
from sngan.datasets.base import Dataset, ImageSplit
from sngan.datasets.journal import forget_journal, read_journal
from sngan.datasets.manifest import Manifest, StoredArray, StoredSplit, content_digest, damaged

logger = logging.getLogger(__name__)


def datasets_dir(cache_dir: Path) -> Path:
    """The folder of all prepared data sets."""
    return cache_dir / "datasets"


def is_prepared(folder: Path) -> bool:
    """Whether the final folder of a data set is there, and so complete."""
    with writing_to(folder):
        return folder.exists()


@contextmanager
def preparing(cache_dir: Path, key: str) -> Iterator[None]:
    """Holds the lock on preparing `key`: one process at a time; the lock of a killed process is free."""
    folder = datasets_dir(cache_dir)
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f".{key}.lock")
        try:
            lock.acquire(timeout=1)
        except Timeout:
            logger.info("waiting for another process that prepares %s in %s", key, folder)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def build(cache_dir: Path, key: str, fill: Callable[[Path], Manifest]) -> Path:
    """The final folder of the data set that `fill` writes into an empty one, or one with a journal.

    The caller holds the lock on `key`. Where the same data set stands already, that one is kept. Raises
    InputError when the cache cannot be written; then, as after any error, nothing is left behind but what the
    journal vouches for.
    """
    folder = datasets_dir(cache_dir)
    partial = folder / f".{key}.partial"
    with writing_to(folder):
        if partial.exists() and read_journal(partial) is None:
            shutil.rmtree(partial)  # of a process that was killed: the lock is ours
        partial.mkdir(exist_ok=True)
    try:
        manifest = fill(partial)
        with writing_to(folder):
            manifest.write(partial)
            return _publish(partial, folder / manifest.folder_name)
    finally:
        if read_journal(partial) is None:
            shutil.rmtree(partial, ignore_errors=True)


def _publish(partial: Path, final: Path) -> Path:
    try:
        partial.rename(final)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        forget_journal(partial)  # the same data set stands already
    else:
        forget_journal(final)
    return final


def open_prepared(folder: Path) -> Dataset:
    """The data set in a prepared folder.

    Checks the manifest, the files' sizes and the arrays' headers, not the content: `measured_digest` does
    that. Raises InputError where something does not fit.
    """
    manifest = Manifest.read(folder)
    return Dataset(
        name=manifest.name,
        digest=manifest.digest,
        channels=manifest.channels,
        image_size=manifest.image_size,
        num_classes=manifest.num_classes,
        splits={name: _open_split(folder, stored) for name, stored in manifest.splits.items()},
    )


def _open_split(folder: Path, stored: StoredSplit) -> ImageSplit:
    images: NDArray[np.uint8] = _open_array(folder, stored.images, "|u1")
    labels = None if stored.labels is None else _open_array(folder, stored.labels, "<i8")
    return ImageSplit(images=images, labels=labels)


def _open_array(folder: Path, stored: StoredArray, dtype: str) -> NDArray[Any]:
    path = folder / stored.file
    try:
        num_bytes = path.stat().st_size
    except OSError as error:
        raise damaged(folder, f"{stored.file}: {error.strerror}") from None
    if num_bytes != stored.num_bytes:
        raise damaged(folder, f"{stored.file} has {num_bytes} bytes instead of {stored.num_bytes}")
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise damaged(folder, f"{stored.file} is no array ({error})") from None
    if array.shape != stored.shape or array.dtype != np.dtype(dtype):
        raise damaged(folder, f"{stored.file} is {array.dtype} {array.shape} instead of {dtype} {stored.shape}")
    return array


def measured_digest(dataset: Dataset) -> str:
    """The content digest computed anew from every byte: `dataset.digest` unless the cache was altered."""
    return content_digest({name: _measured_split(split) for name, split in dataset.splits.items()})


def _measured_split(split: ImageSplit) -> StoredSplit:
    labels = None if split.labels is None else _measured_array(split.labels)
    return StoredSplit(images=_measured_array(split.images), labels=labels)


def _measured_array(array: NDArray[Any]) -> StoredArray:
    digest = hashlib.sha256()
    for start in range(0, len(array), 4096):
        digest.update(np.ascontiguousarray(array[start : start + 4096]).tobytes())
    return StoredArray(file="", shape=array.shape, num_bytes=array.nbytes, sha256=digest.hexdigest())
