"""The standard CNN of Table 3, arXiv:1802.05957, the wider plan of published codes, and a small network of the same
shape.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from sngan.models.base import ARCHITECTURES, Architecture, Discriminator, InsertLayer, multiplied
from sngan.models.conditioning import BatchNorm, Condition, Head, label_concatenation

_SLOPE = 0.1  # of the discriminator's leaky ReLU, Table 3; the code with the wider plan has 0.2, its ports 0.1


class CNNGenerator(nn.Module):
    """dense -> [c0, M, M], then one 4x4 stride-2 transposed convolution per further width, then 3x3 and tanh.

    Batch norm, conditional where there are classes, and ReLU follow every layer but the last; Table 3 prints no batch
    norm behind the dense layer, all released codes have it. Its epsilon is 1e-5.
    """

    def __init__(
        self, z_dim: int, widths: tuple[int, ...], channels: int, image_size: int, num_classes: int | None
    ) -> None:
        super().__init__()
        self.bottom = image_size // 2 ** (len(widths) - 1)
        self.dense = nn.Linear(z_dim, widths[0] * self.bottom**2)
        self.dense_norm = BatchNorm(widths[0], num_classes)
        pairs = list(pairwise(widths))
        self.deconvolutions = nn.ModuleList(nn.ConvTranspose2d(a, b, 4, 2, 1) for a, b in pairs)
        self.norms = nn.ModuleList(BatchNorm(b, num_classes) for _, b in pairs)
        self.last = nn.Conv2d(widths[-1], channels, 3, 1, 1)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images [B, channels, size, size] in [-1, 1] from z [B, z_dim] and, where there are classes, labels [B]."""
        x = self.dense(z).view(z.shape[0], -1, self.bottom, self.bottom)
        x = F.relu(self.dense_norm(x, labels))
        for deconvolution, norm in zip(self.deconvolutions, self.norms, strict=True):
            x = F.relu(norm(deconvolution(x), labels))
        images: Tensor = self.last(x)
        return images.tanh()


class CNNDiscriminator(Discriminator):
    """3x3 stride-1 and 4x4 stride-2 convolutions by turns, a last 3x3 one, then dense -> 1; leaky ReLU 0.1.

    widths : output channels of every convolution. A label that is concatenated stands before the last convolution, at
    an eighth of the image's size as in Table 6c (a quarter in the small network).
    """

    def __init__(
        self, widths: tuple[int, ...], channels: int, image_size: int, insert: InsertLayer, condition: Condition | None
    ) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList()
        self.inserted = nn.ModuleList()
        size, before = image_size, channels
        for index, width in enumerate(widths[:-1]):
            halving = index % 2 == 1
            size //= 2 if halving else 1
            self._append(insert, nn.Conv2d(before, width, *((4, 2, 1) if halving else (3, 1, 1))), size)
            before = width
        self.concatenation = label_concatenation(condition, before)
        before = before if self.concatenation is None else self.concatenation.num_channels
        self._append(insert, nn.Conv2d(before, widths[-1], 3, 1, 1), size)
        self.head = Head(widths[-1] * size**2, condition)

    def _append(self, insert: InsertLayer, convolution: nn.Conv2d, size: int) -> None:
        layer = insert(len(self.convolutions), convolution.out_channels, size, size)
        self.convolutions.append(convolution)
        self.inserted.append(layer or nn.Identity())

    def features(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """The last convolution's activations, flattened."""
        x = images
        last = len(self.convolutions) - 1
        for index, (convolution, inserted) in enumerate(zip(self.convolutions, self.inserted, strict=True)):
            if index == last and self.concatenation is not None:
                x = self.concatenation(x, labels)
            x = F.leaky_relu(inserted(convolution(x)), _SLOPE)
        return x.flatten(1)


@dataclass(frozen=True, kw_only=True)
class StandardCNN(Architecture):
    """generator_widths : channels from the dense layer on. discriminator_widths : of every convolution, an odd number
    of them; the last two are those that width_factor multiplies.
    """

    generator_widths: tuple[int, ...]
    discriminator_widths: tuple[int, ...]

    def generator(self, *, z_dim: int, channels: int, image_size: int, num_classes: int | None) -> nn.Module:
        """The generator of Table 3."""
        return CNNGenerator(z_dim, self.generator_widths, channels, image_size, num_classes)

    def discriminator(
        self,
        *,
        channels: int,
        image_size: int,
        insert: InsertLayer,
        condition: Condition | None,
        width_factor: float,
    ) -> Discriminator:
        """The discriminator of Table 3."""
        return CNNDiscriminator(self.widths(width_factor), channels, image_size, insert, condition)

    def widths(self, width_factor: float) -> tuple[int, ...]:
        """Input and output of the last convolution widened: Fig. 4 and footnote 6 of arXiv:1802.05957."""
        return (*self.discriminator_widths[:-2], *multiplied(self.discriminator_widths[-2:], width_factor))


for _architecture in (
    StandardCNN(
        name="standard-cnn",
        description="Table 3 of arXiv:1802.05957: 3.81 M and 2.94 M parameters at 32 pixels",
        image_sizes=(32, 48, 64),
        initialization="normal-0.02",
        generator_widths=(512, 256, 128, 64),
        discriminator_widths=(64, 64, 128, 128, 256, 256, 512),
    ),
    StandardCNN(
        name="standard-cnn-wide",
        description="the same with the wider discriminator of chainer-gan-lib and its ports: 5.86 M parameters",
        image_sizes=(32, 48, 64),
        initialization="normal-0.02",
        generator_widths=(512, 256, 128, 64),
        discriminator_widths=(64, 128, 128, 256, 256, 512, 512),
    ),
    StandardCNN(
        name="small-cnn",
        description="the same shape with one resolution less and 16, 32, 64 channels, for small images",
        image_sizes=(8, 12, 16, 32, 48, 64),
        # N(0, 0.02) belongs to wide layers.
        initialization="glorot",
        generator_widths=(64, 32, 16),
        discriminator_widths=(16, 16, 32, 32, 64),
    ),
):
    ARCHITECTURES.add(_architecture.name, _architecture)
