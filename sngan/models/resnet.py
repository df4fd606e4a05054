"""The ResNets of Tables 4 to 6, arXiv:1802.05957, the narrower one of arXiv:1704.00028, and a small one of their shape.

What the tables leave open is as in the official code: convolutions come after their activations, up-sampling repeats
pixels, down-sampling averages 2x2 pixels, a shortcut is a 1x1 convolution where width or size change, and a
discriminator's block is as wide inside as its input. The discriminator has no batch norm of its own.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from sngan.models.base import ARCHITECTURES, Architecture, Discriminator, InsertLayer, multiplied
from sngan.models.conditioning import BatchNorm, Condition, Head, label_concatenation
from sngan.models.initialization import BlockConv2d

_EPSILON = 2e-5  # of batch norm, as in Chainer
_CONCATENATED_AFTER = 3  # blocks of the discriminator, Table 6c


class UpBlock(nn.Module):
    """BN, ReLU, up, 3x3, BN, ReLU, 3x3, plus the shortcut (Fig. 8)."""

    def __init__(self, before: int, width: int, num_classes: int | None) -> None:
        super().__init__()
        self.first_norm = BatchNorm(before, num_classes, eps=_EPSILON)
        self.first = BlockConv2d(before, width, 3, 1, 1)
        self.second_norm = BatchNorm(width, num_classes, eps=_EPSILON)
        self.second = BlockConv2d(width, width, 3, 1, 1)
        self.shortcut = nn.Conv2d(before, width, 1)

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """[B, before, H, W] -> [B, width, 2 H, 2 W]."""
        h: Tensor = self.first(_doubled(F.relu(self.first_norm(x, labels))))
        h = self.second(F.relu(self.second_norm(h, labels)))
        # A 1x1 convolution sees one pixel: before the pixels are repeated it is a quarter of the work.
        shortcut: Tensor = self.shortcut(x)
        return h + _doubled(shortcut)


class ResNetGenerator(nn.Module):
    """dense -> [c0, M, M], then one up-sampling block per further width, then BN, ReLU, 3x3 and tanh.

    With classes the blocks' batch norms are conditional; the last one is not, in the official code.
    """

    def __init__(
        self, z_dim: int, widths: tuple[int, ...], channels: int, image_size: int, num_classes: int | None
    ) -> None:
        super().__init__()
        self.bottom = image_size // 2 ** (len(widths) - 1)
        self.dense = nn.Linear(z_dim, widths[0] * self.bottom**2)
        self.blocks = nn.ModuleList(UpBlock(a, b, num_classes) for a, b in pairwise(widths))
        self.last_norm = BatchNorm(widths[-1], eps=_EPSILON)
        self.last = nn.Conv2d(widths[-1], channels, 3, 1, 1)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images [B, channels, size, size] in [-1, 1] from z [B, z_dim] and, where there are classes, labels [B]."""
        x = self.dense(z).view(z.shape[0], -1, self.bottom, self.bottom)
        for block in self.blocks:
            x = block(x, labels)
        images: Tensor = self.last(F.relu(self.last_norm(x)))
        return images.tanh()


class DownBlock(nn.Module):
    """ReLU, 3x3, ReLU, 3x3, halved where `down`, plus the shortcut.

    The block that sees the image, number 0, starts without an activation and is as wide inside as its output. What a
    method inserts behind a convolution stands before the next activation, and so not on the shortcut.
    """

    def __init__(self, number: int, before: int, width: int, size: int, *, down: bool, insert: InsertLayer) -> None:
        super().__init__()
        hidden = before if number > 0 else width
        self.down = down
        self.activated = number > 0
        # Two convolutions per block: number 2 * number is the first one of this block.
        below = insert(2 * number - 1, before, size, size) if self.activated else None
        self.first_inserted = below or nn.Identity()
        self.first = BlockConv2d(before, hidden, 3, 1, 1)
        self.second_inserted = insert(2 * number, hidden, size, size) or nn.Identity()
        self.second = BlockConv2d(hidden, width, 3, 1, 1)
        self.shortcut = nn.Conv2d(before, width, 1) if down or before != width else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """[B, before, H, W] -> [B, width, H, W], or [B, width, H / 2, W / 2]."""
        h = F.relu(self.first_inserted(x)) if self.activated else x
        h = self.second(F.relu(self.second_inserted(self.first(h))))
        if self.down:
            # The official code averages before the 1x1 convolution in the first block and behind it in the others:
            # the order does not matter, and this one is a quarter of the work.
            h, x = F.avg_pool2d(h, 2), F.avg_pool2d(x, 2)
        shortcut: Tensor = self.shortcut(x)
        return h + shortcut


class ResNetDiscriminator(Discriminator):
    """One block per width, the first ones halving the image, then ReLU, a pooling over all places, dense -> 1.

    A label is concatenated behind the third block, as in Table 6c.
    """

    def __init__(
        self, plan: "ResNet", widths: tuple[int, ...], channels: int, image_size: int, insert: InsertLayer,
        condition: Condition | None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.pooling = plan.pooling
        inputs = [channels, *widths[:-1]]
        self.concatenation = label_concatenation(condition, inputs[_CONCATENATED_AFTER])
        if self.concatenation is not None:
            inputs[_CONCATENATED_AFTER] = self.concatenation.num_channels
        self.blocks = nn.ModuleList()
        size = image_size
        for number, (before, width) in enumerate(zip(inputs, widths, strict=True)):
            down = number < plan.num_down
            self.blocks.append(DownBlock(number, before, width, size, down=down, insert=insert))
            size //= 2 if down else 1
        self.last_inserted = insert(2 * len(widths) - 1, widths[-1], size, size) or nn.Identity()
        self.head = Head(widths[-1], condition, bias=plan.dense_bias)

    def features(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """The last block's activations, summed or averaged over all places."""
        x = images
        for number, block in enumerate(self.blocks):
            if number == _CONCATENATED_AFTER and self.concatenation is not None:
                x = self.concatenation(x, labels)
            x = block(x)
        x = F.relu(self.last_inserted(x))
        return x.sum((2, 3)) if self.pooling == "sum" else x.mean((2, 3))


def _doubled(x: Tensor) -> Tensor:
    """Every pixel four times: [B, C, H, W] -> [B, C, 2 H, 2 W]."""
    return F.interpolate(x, scale_factor=2, mode="nearest")


@dataclass(frozen=True, kw_only=True)
class ResNet(Architecture):
    """generator_widths : channels of the dense layer's output and of every up-sampling block.
    discriminator_widths : of every block; the first num_down halve the image. width_factor multiplies all of them.
    pooling : of the discriminator's last activations. dense_bias : whether its last layer has one.
    """

    initialization: str = "glorot-residual"
    generator_widths: tuple[int, ...]
    discriminator_widths: tuple[int, ...]
    num_down: int
    pooling: Literal["sum", "mean"] = "sum"
    dense_bias: bool = False

    def generator(self, *, z_dim: int, channels: int, image_size: int, num_classes: int | None) -> nn.Module:
        """The generator of Tables 4 to 6."""
        return ResNetGenerator(z_dim, self.generator_widths, channels, image_size, num_classes)

    def discriminator(
        self,
        *,
        channels: int,
        image_size: int,
        insert: InsertLayer,
        condition: Condition | None,
        width_factor: float,
    ) -> Discriminator:
        """The discriminator of Tables 4 to 6."""
        return ResNetDiscriminator(self, self.widths(width_factor), channels, image_size, insert, condition)

    def widths(self, width_factor: float) -> tuple[int, ...]:
        """All feature maps of D times the factor: the rows "D 1.5x" of Tables 7 and 8, arXiv:1802.05957."""
        return multiplied(self.discriminator_widths, width_factor)


for _architecture in (
    ResNet(
        name="resnet-32",
        description="Table 4 of arXiv:1802.05957: 4.28 M and 1.05 M parameters",
        image_sizes=(32,),
        generator_widths=(256, 256, 256, 256),
        discriminator_widths=(128, 128, 128, 128),
        num_down=2,
    ),
    ResNet(
        name="resnet-48",
        description="Table 5 of arXiv:1802.05957, for STL-10",
        image_sizes=(48,),
        generator_widths=(512, 256, 128, 64),
        discriminator_widths=(64, 128, 256, 512, 1024),
        num_down=4,
    ),
    ResNet(
        name="resnet-128",
        description="Table 6 of arXiv:1802.05957, for ImageNet",
        image_sizes=(128,),
        generator_widths=(1024, 1024, 512, 256, 128, 64),
        discriminator_widths=(64, 128, 256, 512, 1024, 1024),
        num_down=5,
        # The official code leaves the bias out at 32 pixels and has it at 128.
        dense_bias=True,
    ),
    ResNet(
        name="resnet-32-wgan-gp",
        description="Tables 7 and 8 of arXiv:1802.05957, as in arXiv:1704.00028: G half as wide, mean pooling",
        image_sizes=(32,),
        generator_widths=(128, 128, 128, 128),
        discriminator_widths=(128, 128, 128, 128),
        num_down=2,
        pooling="mean",
        dense_bias=True,
    ),
    ResNet(
        name="small-resnet",
        description="Table 4's shape with one up-sampling block less and 64 and 32 channels, for small images",
        image_sizes=(8, 12, 16),
        generator_widths=(64, 64, 64),
        discriminator_widths=(32, 32, 32, 32),
        num_down=2,
    ),
):
    ARCHITECTURES.add(_architecture.name, _architecture)
