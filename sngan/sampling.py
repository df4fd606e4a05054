"""Images from a generator: streamed for metrics, and as the grid that people look at."""

import math
import secrets
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
from sngan.state import TrainState
from sngan.training import Draw

GRID = 8  # the sample grid is GRID x GRID images, more where a class more or less gets a column each
_MOST_COLUMNS = 16
_BATCH = 200
_LINE = 128  # grey between the images of a grid
_LEAST_SIZE = 24  # pixels that an image of a grid has at least, where a whole factor gets it there


def generate(
    state: TrainState, num_images: int, batch_size: int = _BATCH, label: int | None = None
) -> Iterator[Tensor]:
    """Yield `num_images` images as uint8 batches [B, C, H, W]; a batch that is not finite stays as it is, float32.

    The latents belong to (seed, update), and so do the classes of a conditional generator, all equally likely:
    evaluating once more, or in another place, gives the same images. Batch norm uses its running averages, so that an
    image does not depend on its batch.

    label : the one class of all images, which have latents of their own. Raises InputError for a class that the
        generator does not have.
    """
    seed, num_classes = state.config.seed, state.num_classes
    if label is not None and not 0 <= label < (num_classes or 0):
        known = "none, it is unconditional" if num_classes is None else f"0 to {num_classes - 1}"
        raise InputError(f"the generator has no class {label}; its classes: {known}.")
    latents = torch_stream(seed, "evaluation", state.update, *(() if label is None else (label,)))
    classes = torch_stream(seed, "evaluation-labels", state.update)
    for start in range(0, num_images, batch_size):
        num = min(batch_size, num_images - start)
        z = torch.randn(num, state.config.z_dim, generator=latents)
        if num_classes is None:
            yield _images(state, Draw(z, None))
        elif label is None:
            yield _images(state, Draw(z, torch.randint(num_classes, (num,), generator=classes)))
        else:
            yield _images(state, Draw(z, torch.full((num,), label)))


def save_grid(state: TrainState, path: Path) -> bool:
    """Write a PNG of GRID x GRID samples, of the same latents at every update and in every method.

    A conditional generator's grid has one class per column and one latent per row, and more columns and rows where that
    many classes fit; of too many classes it shows some, evenly spaced. False, and nothing is written, when an image is
    not finite. Raises InputError when the disk refuses.
    """
    images = _images(state, _grid_draw(state))
    if images.is_floating_point():
        return False
    picture = _tiled(images.cpu().numpy())
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(temporary, format="PNG")
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"cannot write the samples {path}: {error.strerror or error}.") from error
    return True


def _grid_draw(state: TrainState) -> Draw:
    """Latents and classes of a square grid, row by row."""
    stream = torch_stream(state.config.seed, "samples")
    if state.num_classes is None:
        return Draw(torch.randn(GRID**2, state.config.z_dim, generator=stream), None)
    side = max(GRID, state.num_classes) if state.num_classes <= _MOST_COLUMNS else GRID
    latents = torch.randn(side, state.config.z_dim, generator=stream).repeat_interleave(side, 0)
    if state.num_classes <= side:
        columns = torch.arange(side) % state.num_classes
        return Draw(latents, columns.repeat(side))
    return Draw(latents, torch.arange(side**2) * state.num_classes // side**2)


def _tiled(images: NDArray[np.uint8]) -> Image.Image:
    """A square grid of images [N, C, S, S] with a grey line around each; small ones enlarged, pixel by pixel."""
    num, channels, size, _ = images.shape
    side = math.isqrt(num)
    framed = np.pad(images, ((0, 0), (0, 0), (1, 0), (1, 0)), constant_values=_LINE)
    rows = framed.reshape(side, side, channels, size + 1, size + 1).transpose(0, 3, 1, 4, 2)
    pixels = rows.reshape(side * (size + 1), side * (size + 1), channels)
    pixels = np.pad(pixels, ((0, 1), (0, 1), (0, 0)), constant_values=_LINE)
    factor = max(1, _LEAST_SIZE // size)
    pixels = pixels.repeat(factor, 0).repeat(factor, 1)
    return Image.fromarray(pixels[..., 0] if channels == 1 else pixels)


@torch.inference_mode()
def _images(state: TrainState, drawn: Draw) -> Tensor:
    state.generator.eval()
    try:
        labels = None if drawn.labels is None else drawn.labels.to(state.device)
        images: Tensor = state.generator(drawn.latents.to(state.device), labels)
        # As bytes, NaN would be some number or other: leave it to be seen.
        return to_uint8(images) if bool(images.isfinite().all()) else images
    finally:
        state.generator.train()
