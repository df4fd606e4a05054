"""Prepares a user's own images: a folder or an .npz file. The data set's name is derived from its content."""

from functools import partial
from pathlib import Path

from sngan.datasets.base import Dataset, Progress
from sngan.datasets.cache import build, open_prepared, preparing
from sngan.datasets.decoding import write_source
from sngan.datasets.folder_source import folder_source
from sngan.datasets.manifest import Manifest
from sngan.datasets.npz_source import npz_source
from sngan.datasets.pixels import square
from sngan.datasets.source import Source
from sngan.datasets.writer import DatasetWriter
from sngan.errors import InputError
from sngan.fields import coerce, require

VERSION = 1
# All of a user's own sets share one lock: what a set will be called is known only when it is done.
_LOCK = "images"


def prepare_images(source: Path, *, image_size: int, cache_dir: Path, progress: Progress | None = None) -> Dataset:
    """The user's images as a data set with a split "train" and, where given, "test".

    source : a folder (see `folder_source`) or an .npz file (see `npz_source`).
    image_size : height and width to which the central square of every image is resized (see `pixels.square`).
    progress : called with the numbers of images done and in all, from the calling thread.

    The name is "images-" and the first 12 hex digits of the content's digest; `open_dataset` knows it from
    then on. The same content is kept once, however often and from wherever it is prepared. A preparation that
    was stopped goes on where it was when the same source is prepared next. Raises InputError for a source
    without usable images, and for a cache that cannot be written.
    """
    image_size = coerce(int, image_size, "image_size")
    require(8 <= image_size <= 1024, "image_size", image_size, "whole numbers from 8 to 1024")
    opened = _open_source(Path(source), image_size)
    with preparing(cache_dir, _LOCK):
        folder = build(cache_dir, _LOCK, lambda hidden: _fill(hidden, opened, Path(source), image_size, progress))
    return open_prepared(folder)


def _open_source(path: Path, image_size: int) -> Source:
    if path.is_dir():
        return folder_source(path, image_size=image_size)
    if not path.exists():
        raise InputError(f"{path} does not exist; give a folder of images or an .npz file.")
    if path.suffix.lower() != ".npz":
        raise InputError(f"{path} is neither a folder of images nor an .npz file.")
    return npz_source(path, image_size=image_size)


def _fill(folder: Path, source: Source, path: Path, image_size: int, progress: Progress | None) -> Manifest:
    writer = DatasetWriter(
        folder,
        channels=source.channels,
        image_size=image_size,
        num_classes=source.num_classes,
        progress=None if progress is None else lambda done: progress(done, len(source)),
    )
    write_source(writer, source, partial(square, image_size=image_size, channels=source.channels), path)
    return writer.manifest(f"images-{writer.digest[:12]}", VERSION)
