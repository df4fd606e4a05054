"""Prepares a user's own images: a folder or an .npz file. The data set's name is derived from its content."""

import os
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sngan.datasets.base import Dataset
from sngan.datasets.cache import build, open_prepared, preparing
from sngan.datasets.folder_source import folder_source
from sngan.datasets.manifest import Manifest
from sngan.datasets.npz_source import npz_source
from sngan.datasets.pixels import square
from sngan.datasets.source import Source, SourceSplit, broken, reason
from sngan.datasets.writer import DatasetWriter, SplitWriter
from sngan.errors import InputError
from sngan.fields import coerce, require

Progress = Callable[[int, int], None]

VERSION = 1
# All of a user's own sets share one lock: what a set will be called is known only when it is done.
_LOCK = "images"


def prepare_images(source: Path, *, image_size: int, cache_dir: Path, progress: Progress | None = None) -> Dataset:
    """The user's images as a data set with a split "train" and, where given, "test".

    source : a folder (see `folder_source`) or an .npz file (see `npz_source`).
    image_size : height and width to which the central square of every image is resized (see `pixels.square`).
    progress : called with the numbers of images done and in all, from the calling thread.

    The name is "images-" and the first 12 hex digits of the content's digest; `open_dataset` knows it from
    then on. The same content is kept once, however often and from wherever it is prepared. Raises InputError
    for a source without usable images, and for a cache that cannot be written.
    """
    image_size = coerce(int, image_size, "image_size")
    require(8 <= image_size <= 1024, "image_size", image_size, "whole numbers from 8 to 1024")
    opened = _open_source(Path(source), image_size)
    with preparing(cache_dir, _LOCK):
        folder = build(cache_dir, _LOCK, lambda partial: _fill(partial, opened, Path(source), image_size, progress))
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
    writer = DatasetWriter(folder, channels=source.channels, image_size=image_size, num_classes=source.num_classes)
    num_images = sum(len(split.names) for split in source.splits.values())
    decode = _Decoder(image_size, source.channels)
    num_done = 0

    def advance(num: int) -> None:
        nonlocal num_done
        num_done += num
        if progress is not None:
            progress(num_done, num_images)

    # Pillow decodes and resizes without holding the interpreter's lock: threads are enough.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for name, split in source.splits.items():
            with writer.split(name, len(split.names)) as split_writer:
                reasons = _copy_split(split, split_writer, decode, pool, advance)
                if reasons:
                    raise broken(f"split {name} of {path}", reasons, len(split.names))
    return writer.manifest(f"images-{writer.digest[:12]}", VERSION)


@dataclass(frozen=True)
class _Decoder:
    image_size: int
    channels: int

    def __call__(self, split: SourceSplit, position: int) -> NDArray[np.uint8] | str:
        """The pixels [C, S, S] of an image, or why it cannot be used."""
        try:
            return square(split.load(position), image_size=self.image_size, channels=self.channels)
        except Exception as error:  # Pillow raises many kinds for damaged files
            return reason(error)

    @property
    def piece(self) -> int:
        """How many images are decoded before they are written: enough for the threads, 64 MB at most."""
        return max(1, min(256, 2**26 // (self.channels * self.image_size**2)))


def _copy_split(
    split: SourceSplit, writer: SplitWriter, decode: _Decoder, pool: Executor, advance: Callable[[int], None]
) -> dict[str, str]:
    """Write every image in order; the result says for each broken one why.

    After the first broken one nothing more is written, but all are decoded: the user learns of all at once.
    """
    reasons: dict[str, str] = {}
    for start in range(0, len(split.names), decode.piece):
        stop = min(start + decode.piece, len(split.names))
        results = list(pool.map(lambda position: decode(split, position), range(start, stop)))
        named = zip(split.names[start:stop], results, strict=True)
        reasons |= {name: result for name, result in named if isinstance(result, str)}
        if not reasons:
            pixels = np.stack([result for result in results if not isinstance(result, str)])
            writer.append(pixels, None if split.labels is None else split.labels[start:stop])
        advance(stop - start)
    return reasons
