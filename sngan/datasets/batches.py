"""Which real images a batch holds, and the change between bytes and the networks' range [-1, 1]."""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sngan.seeding import numpy_stream


def batch_indices(seed: int, index: int, batch_size: int, num_images: int) -> NDArray[np.int64]:
    """int64 [batch_size]: positions in the data set of the images of batch number `index` (from 0).

    All batches together are an endless sequence of permutations of the data set, one per epoch, from the
    streams (seed, "data", epoch): within an epoch no image comes twice, and a batch may straddle epochs. The
    result is a function of the arguments only, so a resumed run needs no state to go on.
    """
    assert index >= 0
    assert batch_size >= 1
    assert num_images >= 1
    start, stop = index * batch_size, (index + 1) * batch_size
    pieces = [
        _permutation(seed, epoch, num_images)[
            max(start - epoch * num_images, 0) : min(stop - epoch * num_images, num_images)
        ]
        for epoch in range(start // num_images, (stop - 1) // num_images + 1)
    ]
    return np.concatenate(pieces)  # a copy even of a single piece: the permutations are shared


@lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, num_images: int) -> NDArray[np.int64]:
    """Drawing a permutation takes far longer than a batch; consecutive batches share it."""
    return numpy_stream(seed, "data", epoch).permutation(num_images)


def to_unit_range(images: Tensor, noise: torch.Generator | None = None) -> Tensor:
    """float32 images for the networks from uint8 ones of any shape, on the same device.

    Without noise x / 127.5 - 1: 0 and 255 become -1 and 1, the ends of tanh's range. With noise
    x / 128 - 1 + u, where u is drawn from U[0, 1/128): the dequantization of Miyato et al.'s published code.
    Both are in [-1, 1].
    """
    values = images.to(torch.float32)
    if noise is None:
        return values / 127.5 - 1
    uniform = torch.rand(images.shape, generator=noise, device=noise.device).to(images.device)
    return (values + uniform) / 128 - 1


def to_uint8(images: Tensor) -> Tensor:
    """uint8 images from finite float ones in [-1, 1]: (x + 1) * 127.5, rounded and clamped to 0..255.

    The inverse of `to_unit_range` without noise.
    """
    return ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
