"""What a user's own images look like before they are prepared, wherever they come from."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

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
    """A user's data: splits "train" and maybe "test"; channels 1 or 3; num_classes None without labels."""

    channels: int
    num_classes: int | None
    splits: Mapping[str, SourceSplit]


def broken(where: object, reasons: Mapping[str, str], num_images: int) -> InputError:
    """The error for images that cannot be used: how many, and the first few with the reason for each."""
    first = [f"{name} ({reason})" for name, reason in list(reasons.items())[:MAX_NAMED]]
    rest = f" and {len(reasons) - MAX_NAMED} more" if len(reasons) > MAX_NAMED else ""
    return InputError(
        f"{len(reasons)} of {num_images} images in {where} cannot be used; mend or remove them:\n"
        f"{', '.join(first)}{rest}."
    )


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
