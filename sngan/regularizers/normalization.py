"""Batch and layer normalization in the discriminator, without gain (section 4.1 of arXiv:1802.05957).

The gain is left out so that the normalization does not openly break a Lipschitz bound. The paper does not say whether
the additive shift stays, nor which layers are normalized. Here the shift is a field (on), and the convolution that
sees the image is left alone unless `first_layer` is set, as in DCGAN (Radford et al. 2016, arXiv:1511.06434).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sngan.regularizers.base import Normalization, register

_EPSILON = 1e-5


class Shift(nn.Module):
    """Adds one learned number to every channel of [B, C, H, W]; starts at 0."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return x + bias, of the shape of x."""
        return x + self.bias.view(1, -1, 1, 1)


def _with_shift(layer: nn.Module, channels: int, shift: bool) -> nn.Module:
    return nn.Sequential(layer, Shift(channels)) if shift else layer


@register("batch-norm")
@dataclass(frozen=True)
class BatchNorm(Normalization):
    """Batch normalization (Ioffe and Szegedy 2015, arXiv:1502.03167) of hidden convolutions, without gain."""

    shift: bool = True
    first_layer: bool = False

    def layer(self, index: int, channels: int, height: int, width: int) -> nn.Module | None:
        """Normalizes each channel over batch and space."""
        if index == 0 and not self.first_layer:
            return None
        return _with_shift(nn.BatchNorm2d(channels, eps=_EPSILON, affine=False), channels, self.shift)


@register("layer-norm")
@dataclass(frozen=True)
class LayerNorm(Normalization):
    """Layer normalization (Ba et al. 2016, arXiv:1607.06450) of hidden convolutions, without gain."""

    shift: bool = True
    first_layer: bool = False

    def layer(self, index: int, channels: int, height: int, width: int) -> nn.Module | None:
        """Normalizes each image over channels and space."""
        if index == 0 and not self.first_layer:
            return None
        shape = (channels, height, width)
        return _with_shift(nn.LayerNorm(shape, eps=_EPSILON, elementwise_affine=False), channels, self.shift)
