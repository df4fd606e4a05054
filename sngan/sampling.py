"""Images from a generator: streamed for metrics, and as the grid that people look at."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from sngan.datasets.batches import to_uint8
from sngan.errors import InputError
from sngan.seeding import torch_stream
from sngan.training import TrainState

GRID = 8  # the sample grid is GRID x GRID images
_BATCH = 200
_LINE = 128  # grey between the images of a grid
_LEAST_SIZE = 24  # pixels that an image of a grid has at least, where a whole factor gets it there


def generate(state: TrainState, num_images: int, batch_size: int = _BATCH) -> Iterator[Tensor]:
    """Yield `num_images` images as uint8 batches [B, C, H, W]; a batch that is not finite stays as it is, float32.

    The latents belong to (seed, update): evaluating once more, or in another place, gives the same images. Batch
    norm uses its running averages, so that an image does not depend on its batch.
    """
    stream = torch_stream(state.config.seed, "evaluation", state.update)
    for start in range(0, num_images, batch_size):
        num = min(batch_size, num_images - start)
        yield _images(state, torch.randn(num, state.config.z_dim, generator=stream))


def save_grid(state: TrainState, path: Path) -> bool:
    """Write a PNG of GRID x GRID samples, of the same latents at every update and in every method.

    False, and nothing is written, when an image is not finite. Raises InputError when the disk refuses.
    """
    latents = torch.randn(GRID**2, state.config.z_dim, generator=torch_stream(state.config.seed, "samples"))
    images = _images(state, latents)
    if images.is_floating_point():
        return False
    picture = _tiled(images.cpu().numpy())
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(temporary, format="PNG")
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"cannot write the samples {path}: {error.strerror or error}.") from error
    return True


def _tiled(images: NDArray[np.uint8]) -> Image.Image:
    """GRID x GRID images [N, C, S, S] with a grey line around each; small ones enlarged, pixel by pixel."""
    _, channels, size, _ = images.shape
    framed = np.pad(images, ((0, 0), (0, 0), (1, 0), (1, 0)), constant_values=_LINE)
    rows = framed.reshape(GRID, GRID, channels, size + 1, size + 1).transpose(0, 3, 1, 4, 2)
    pixels = rows.reshape(GRID * (size + 1), GRID * (size + 1), channels)
    pixels = np.pad(pixels, ((0, 1), (0, 1), (0, 0)), constant_values=_LINE)
    factor = max(1, _LEAST_SIZE // size)
    pixels = pixels.repeat(factor, 0).repeat(factor, 1)
    return Image.fromarray(pixels[..., 0] if channels == 1 else pixels)


@torch.inference_mode()
def _images(state: TrainState, latents: Tensor) -> Tensor:
    state.generator.eval()
    try:
        images: Tensor = state.generator(latents.to(state.device))
        # As bytes, NaN would be some number or other: leave it to be seen.
        return to_uint8(images) if bool(images.isfinite().all()) else images
    finally:
        state.generator.train()
