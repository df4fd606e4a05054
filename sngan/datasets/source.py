"""What images look like before they are decoded and prepared, wherever they come from."""

import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from sngan.errors import InputError, one_line

logger = logging.getLogger(__name__)

MAX_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class SourceSplit:
    """Images that are loaded one at a time, from any thread.

    names : what each image is called in messages. load : position -> image, any exception means that it is
        broken.
    labels : int64 [N] or None.
    """

    names: Sequence[str]
    load: Callable[[int], Image.Image]
    labels: NDArray[np.int64] | None


@dataclass(frozen=True, kw_only=True)
class Source:
    """Images in splits; channels 1 or 3; num_classes None without labels.

    fingerprint : differs where other images, or the same in another order, would be read, as far as can be told
        without opening every file: by place, names and sizes. A preparation that was killed goes on only with the
        source that it began with.
    """

    channels: int
    num_classes: int | None
    splits: Mapping[str, SourceSplit]
    fingerprint: str

    def __len__(self) -> int:
        return sum(len(split.names) for split in self.splits.values())


def broken(where: object, reasons: Mapping[str, str], num_images: int) -> InputError:
    """The error for images that cannot be used: how many, and the first few with the reason for each."""
    named = first_few([f"{name} ({reason})" for name, reason in reasons.items()])
    return InputError(
        f"{len(reasons)} of {num_images} images in {where} cannot be used; mend or remove them:\n{named}."
    )


def first_few(names: Sequence[str]) -> str:
    """The first names and how many more there are: "a, b, c, d, e and 7 more"."""
    rest = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + rest


def fingerprint(parts: Iterable[object]) -> str:
    """SHA-256 (hex) of the parts' texts, in order."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{part}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def file_sizes(folder: Path, suffix: str = "") -> dict[str, int]:
    """Name -> bytes of the files in a folder whose names end so, in any case; sorted by name. Raises OSError.

    A link that leads nowhere has 0 bytes: it is told with the broken images.
    """
    with os.scandir(folder) as entries:
        found = [(entry.name, _num_bytes(entry)) for entry in entries if entry.name.lower().endswith(suffix)]
    return dict(sorted(found))


def _num_bytes(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except FileNotFoundError:
        return 0


def reason(error: Exception) -> str:
    """Why an image cannot be used, without its path, which the message names already."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image of a known format"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return one_line(error, limit=80)


def warn_of_small(where: object, num_small: int, num_images: int, image_size: int) -> None:
    """Log a warning when images have to be enlarged: what is learnt from them is the blur."""
    if num_small:
        logger.warning(
            "%d of %d images in %s are smaller than %d pixels and get enlarged",
            *(num_small, num_images, where, image_size),
        )
