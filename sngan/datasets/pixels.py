"""One image of any size and mode -> uint8 [C, S, S]."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

_GREY = frozenset({"1", "L", "LA", "La"})


def is_grey(mode: str) -> bool:
    """Whether images of this Pillow mode have one channel of 8 bits at most.

    Raises ValueError for modes of 16 or 32 bits, which Pillow would clip instead of scaling.
    """
    if mode[0] in "IF":
        raise ValueError(f"an image of mode {mode}; allowed: 8 bits per channel")
    return mode in _GREY


def square(
    image: Image.Image,
    *,
    image_size: int,
    channels: int,
    resampling: Image.Resampling = Image.Resampling.BICUBIC,
    upright: bool = True,
) -> NDArray[np.uint8]:
    """uint8 [channels, image_size, image_size]: turned upright, cropped to its central square, resized.

    Resizing is Pillow's, which widens its kernel when it shrinks an image and so does not alias (Parmar et al.
    2022, arXiv:2104.11222). Orientation is read from EXIF, unless `upright` is False: then the pixels stay as
    they are stored. Transparent parts become white; of an animation, the first frame counts.
    """
    is_grey(image.mode)
    image = _opaque(ImageOps.exif_transpose(image) if upright else image).convert("L" if channels == 1 else "RGB")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    image = image.crop((left, top, left + side, top + side))
    pixels = np.asarray(image.resize((image_size, image_size), resampling))
    return pixels[np.newaxis] if channels == 1 else pixels.transpose(2, 0, 1)


def halve(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 [..., H/2, W/2] from [..., H, W]: the mean of every 2 x 2 pixels, halves rounded up.

    OpenCV's bilinear resizing by exactly one half, and Pillow's `reduce(2)`, are this mean too.
    """
    wide = images.astype(np.uint16)
    sums = wide[..., ::2, ::2] + wide[..., 1::2, ::2] + wide[..., ::2, 1::2] + wide[..., 1::2, 1::2]
    return ((sums + 2) // 4).astype(np.uint8)


def _opaque(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    background = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(background, image.convert("RGBA"))
