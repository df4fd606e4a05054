"""Decodes many image files at once and writes them in order; stopped anywhere, it goes on from there."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from itertools import islice

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image

from sngan.datasets.source import Source, SourceSplit, broken, reason
from sngan.datasets.writer import DatasetWriter, SplitWriter

ToPixels = Callable[[Image.Image], NDArray[np.uint8]]

_MAX_THREADS = 16


def write_source(writer: DatasetWriter, source: Source, to_pixels: ToPixels, where: object) -> None:
    """Write every split of `source`, each image as `to_pixels` makes it: uint8 [C, S, S].

    What an earlier preparation of the same source has written is not decoded again. Raises InputError that names
    the broken images and `where` they are; what precedes the first of them is kept.
    """
    writer.keep(f"{source.fingerprint} Pillow {PIL.__version__}")
    # Pillow decodes and resizes without holding the interpreter's lock: threads are enough.
    with ThreadPoolExecutor(min(_MAX_THREADS, os.cpu_count() or 1)) as pool:
        for name, split in source.splits.items():
            with writer.split(name, len(split.names)) as split_writer:
                reasons = _copy_split(split, split_writer, to_pixels, pool, writer)
                if reasons:
                    raise broken(f"split {name} of {where}", reasons, len(split.names))


def _copy_split(
    split: SourceSplit, split_writer: SplitWriter, to_pixels: ToPixels, pool: Executor, writer: DatasetWriter
) -> dict[str, str]:
    """Write every image in order; the result says for each broken one why.

    After the first broken one nothing more is written, but all are decoded: the user learns of all at once.
    """

    def decode(position: int) -> NDArray[np.uint8] | str:
        try:
            return to_pixels(split.load(position))
        except Exception as error:  # Pillow raises many kinds for damaged files
            return reason(error)

    # How many images are held before they are written: enough for the threads, 64 MB at most.
    piece = max(1, min(256, 2**26 // (writer.channels * writer.image_size**2)))
    reasons: dict[str, str] = {}
    position = split_writer.num_done
    decoded = _in_order(pool, decode, range(position, len(split.names)), num_ahead=piece)
    while results := list(islice(decoded, piece)):
        stop = position + len(results)
        named = zip(split.names[position:stop], results, strict=True)
        reasons |= {name: result for name, result in named if isinstance(result, str)}
        if reasons:
            writer.advance(len(results))
        else:
            pixels = np.stack([result for result in results if not isinstance(result, str)])
            split_writer.append(pixels, None if split.labels is None else split.labels[position:stop])
        position = stop
    return reasons


def _in_order(
    pool: Executor, decode: Callable[[int], NDArray[np.uint8] | str], positions: Iterable[int], *, num_ahead: int
) -> Iterator[NDArray[np.uint8] | str]:
    """What `decode` makes of each position, in order. The pool works `num_ahead` images ahead of the reader, so that
    it has work while the reader writes.
    """
    waiting: deque[Future[NDArray[np.uint8] | str]] = deque()
    for position in positions:
        waiting.append(pool.submit(decode, position))
        if len(waiting) > num_ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
