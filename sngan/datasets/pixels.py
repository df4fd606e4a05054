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


def square(image: Image.Image, *, image_size: int, channels: int) -> NDArray[np.uint8]:
    """uint8 [channels, image_size, image_size]: turned upright, cropped to its central square, resized.

    Resizing is Pillow's bicubic, which widens its kernel when it shrinks an image and so does not alias
    (Parmar et al. 2022, arXiv:2104.11222). Orientation is read from EXIF; transparent parts become white; of
    an animation, the first frame counts.
    """
    is_grey(image.mode)
    image = _opaque(ImageOps.exif_transpose(image)).convert("L" if channels == 1 else "RGB")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    image = image.crop((left, top, left + side, top + side))
    pixels = np.asarray(image.resize((image_size, image_size), Image.Resampling.BICUBIC))
    return pixels[np.newaxis] if channels == 1 else pixels.transpose(2, 0, 1)


def _opaque(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    background = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(background, image.convert("RGBA"))
