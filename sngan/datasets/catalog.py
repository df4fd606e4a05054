"""Opens data sets by name: those of the catalog, prepared at the first use, and those a user prepared."""

import logging
import re
from pathlib import Path

from sngan.datasets.base import DATASETS, Dataset, DatasetEntry, Progress
from sngan.datasets.cache import build, datasets_dir, is_prepared, open_prepared, preparing
from sngan.datasets.manifest import Manifest
from sngan.datasets.user import VERSION as USER_VERSION
from sngan.datasets.writer import DatasetWriter
from sngan.errors import InputError

logger = logging.getLogger(__name__)

_USER_NAME = re.compile(r"images-[0-9a-f]{12}")


def is_user_set(name: str) -> bool:
    """Whether this is the content name of a set that a user prepares, "images-" and 12 hex digits."""
    return _USER_NAME.fullmatch(name) is not None


def is_made_at_first_use(name: str, cache_dir: Path) -> bool:
    """Whether a data set is not prepared in `cache_dir`, and can be with nothing to fetch."""
    if name not in DATASETS or DATASETS[name].download_mb != 0:
        return False
    return not is_prepared(_folder(DATASETS[name], cache_dir))


def _folder(entry: DatasetEntry, cache_dir: Path) -> Path:
    """Where a data set of the catalog is prepared."""
    return datasets_dir(cache_dir) / f"{entry.name}-{entry.version}"


def open_dataset(
    name: str, *, cache_dir: Path, data_dir: Path | None = None, progress: Progress | None = None
) -> Dataset:
    """The data set called `name`, prepared in `cache_dir` if it is not there yet.

    name : of the catalog ("digits"), or the content name of a prepared set of the user's
        ("images-1a2b3c4d5e6f").
    data_dir : folder with the data set's official files, for machines without internet. Not looked at when
        the set is bundled or already prepared.
    progress : not called when the set is already prepared.

    Raises InputError for an unknown name, wrong or missing files, and a cache that cannot be written.
    """
    if is_user_set(name):
        return _open_user_set(name, cache_dir)
    return open_entry(DATASETS[name], cache_dir=cache_dir, data_dir=data_dir, progress=progress)


def find_dataset(name: str, cache_dir: Path) -> Dataset:
    """The data set called `name`, as it is prepared in `cache_dir`. Raises InputError where it is not."""
    if is_user_set(name):
        return _open_user_set(name, cache_dir)
    entry = DATASETS[name]
    folder = _folder(entry, cache_dir)
    if not is_prepared(folder):
        raise InputError(f"data set {name} is not prepared in {cache_dir}.")
    return open_prepared(folder)


def open_entry(
    entry: DatasetEntry, *, cache_dir: Path, data_dir: Path | None = None, progress: Progress | None = None
) -> Dataset:
    """The data set of an entry, as `open_dataset` opens those of the catalog."""
    folder = _folder(entry, cache_dir)
    if not is_prepared(folder):
        with preparing(cache_dir, folder.name):
            if not is_prepared(folder):  # else another process has prepared it while this one waited
                logger.info("preparing data set %s in %s", entry.name, folder)
                build(cache_dir, folder.name, lambda partial: _fill(entry, partial, data_dir, progress))
    return open_prepared(folder)


def _fill(entry: DatasetEntry, folder: Path, data_dir: Path | None, progress: Progress | None) -> Manifest:
    writer = DatasetWriter(
        folder,
        channels=entry.channels,
        image_size=entry.image_size,
        num_classes=entry.num_classes,
        progress=None if progress is None else lambda done: progress(done, entry.total_images),
    )
    entry.prepare(writer, data_dir)
    manifest = writer.manifest(entry.name, entry.version)
    written = {name: split.images.shape[0] for name, split in manifest.splits.items()}
    assert written == dict(entry.num_images), f"{entry.name} wrote {written}, declared {entry.num_images}"
    return manifest


def _open_user_set(name: str, cache_dir: Path) -> Dataset:
    folder = datasets_dir(cache_dir) / f"{name}-{USER_VERSION}"
    if not is_prepared(folder):
        raise InputError(
            f"data set {name!r} is not in the cache {cache_dir}.\n"
            "Prepare it there with `python -m sngan prepare SOURCE --image-size N`, which prints its name."
        )
    return open_prepared(folder)
