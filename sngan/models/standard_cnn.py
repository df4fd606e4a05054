"""The standard CNN of Table 3, arXiv:1802.05957, and a small network of the same shape."""

from dataclasses import dataclass
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from sngan.models.base import ARCHITECTURES, Architecture, InsertLayer

_SLOPE = 0.1  # of the discriminator's leaky ReLU, Table 3


class Generator(nn.Module):
    """dense -> [c0, M, M], then one 4x4 stride-2 transposed convolution per further width, then 3x3 and tanh.

    Batch norm and ReLU follow every layer but the last; Table 3 prints no batch norm behind the dense layer, all
    released codes have it. Running averages, used when sampling, move by 0.1 (decay 0.9), with epsilon 1e-5.
    """

    def __init__(self, z_dim: int, widths: tuple[int, ...], channels: int, image_size: int) -> None:
        super().__init__()
        self.bottom = image_size // 2 ** (len(widths) - 1)
        self.dense = nn.Linear(z_dim, widths[0] * self.bottom**2)
        self.dense_norm = nn.BatchNorm2d(widths[0])
        pairs = list(pairwise(widths))
        self.deconvolutions = nn.ModuleList(nn.ConvTranspose2d(a, b, 4, 2, 1) for a, b in pairs)
        self.norms = nn.ModuleList(nn.BatchNorm2d(b) for _, b in pairs)
        self.last = nn.Conv2d(widths[-1], channels, 3, 1, 1)

    def forward(self, z: Tensor) -> Tensor:
        """Images [B, channels, size, size] in [-1, 1] from z [B, z_dim]."""
        x = self.dense(z).view(z.shape[0], -1, self.bottom, self.bottom)
        x = F.relu(self.dense_norm(x))
        for deconvolution, norm in zip(self.deconvolutions, self.norms, strict=True):
            x = F.relu(norm(deconvolution(x)))
        images: Tensor = self.last(x)
        return images.tanh()


class Discriminator(nn.Module):
    """Per width a 3x3 stride-1 and a 4x4 stride-2 convolution, a last 3x3 one, then dense -> 1; leaky ReLU 0.1."""

    def __init__(self, widths: tuple[int, ...], channels: int, image_size: int, insert: InsertLayer) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList()
        self.inserted = nn.ModuleList()
        size, before = image_size, channels
        for width in widths[:-1]:
            self._append(insert, nn.Conv2d(before, width, 3, 1, 1), size)
            size //= 2
            self._append(insert, nn.Conv2d(width, width, 4, 2, 1), size)
            before = width
        self._append(insert, nn.Conv2d(before, widths[-1], 3, 1, 1), size)
        self.dense = nn.Linear(widths[-1] * size**2, 1)

    def _append(self, insert: InsertLayer, convolution: nn.Conv2d, size: int) -> None:
        layer = insert(len(self.convolutions), convolution.out_channels, size, size)
        self.convolutions.append(convolution)
        self.inserted.append(layer or nn.Identity())

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B] of images [B, channels, size, size]."""
        for convolution, inserted in zip(self.convolutions, self.inserted, strict=True):
            x = F.leaky_relu(inserted(convolution(x)), _SLOPE)
        logits: Tensor = self.dense(x.flatten(1))
        return logits.squeeze(1)


@dataclass(frozen=True, kw_only=True)
class StandardCNN(Architecture):
    """widths : the discriminator's channels per resolution, from the image down; the generator mirrors them."""

    widths: tuple[int, ...]

    def generator(self, *, z_dim: int, channels: int, image_size: int) -> nn.Module:
        """The generator of Table 3, with its dense layer as wide as the discriminator's last convolution."""
        return Generator(z_dim, self.widths[::-1], channels, image_size)

    def discriminator(self, *, channels: int, image_size: int, insert: InsertLayer) -> nn.Module:
        """The discriminator of Table 3."""
        return Discriminator(self.widths, channels, image_size, insert)


for _architecture in (
    StandardCNN(
        name="standard-cnn",
        description="Table 3 of arXiv:1802.05957: 3.81 M and 2.94 M parameters at 32 pixels",
        image_sizes=(32, 48),
        widths=(64, 128, 256, 512),
    ),
    StandardCNN(
        name="small-cnn",
        description="the same shape with one resolution less and 16, 32, 64 channels, for small images",
        image_sizes=(8, 12, 16),
        widths=(16, 32, 64),
    ),
):
    ARCHITECTURES.add(_architecture.name, _architecture)
