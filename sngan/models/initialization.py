"""Distributions of initial weights, each drawn from a given stream; biases start at 0.

lecun and orthonormal are those of layers y = W x with W [d_out, d_in h w]: of discriminators.
"""

import math
from collections.abc import Callable

import torch
from torch import nn

from sngan.registry import Registry

Layer = nn.Conv2d | nn.ConvTranspose2d | nn.Linear
Initializer = Callable[[Layer, torch.Generator], object]

INITIALIZERS: Registry[Initializer] = Registry("initialization")


class BlockConv2d(nn.Conv2d):
    """A convolution on the residual path of a block: an initialization may treat it unlike a shortcut or last layer."""


def _lecun(layer: Layer, stream: torch.Generator) -> None:
    nn.init.normal_(layer.weight, std=layer.weight[0].numel() ** -0.5, generator=stream)


def _glorot_residual(layer: Layer, stream: torch.Generator) -> None:
    gain = math.sqrt(2) if isinstance(layer, BlockConv2d) else 1.0
    nn.init.xavier_uniform_(layer.weight, gain=gain, generator=stream)


INITIALIZERS.add("normal-0.02", lambda layer, stream: nn.init.normal_(layer.weight, std=0.02, generator=stream))
INITIALIZERS.add("lecun", _lecun)
INITIALIZERS.add("glorot", lambda layer, stream: nn.init.xavier_uniform_(layer.weight, generator=stream))
# That of the official ResNets of arXiv:1802.05957 and arXiv:1704.00028: gain sqrt(2) on the residual paths.
INITIALIZERS.add("glorot-residual", _glorot_residual)
# The d_out x (d_in h w) matrix gets orthonormal rows, or columns where it has more rows than columns.
INITIALIZERS.add("orthonormal", lambda layer, stream: nn.init.orthogonal_(layer.weight, generator=stream))


def initialize(network: nn.Module, name: str, stream: torch.Generator) -> None:
    """Draw every convolution's and dense layer's weight by the initializer `name`; set their biases to 0."""
    for module in network.modules():
        if isinstance(module, Layer):
            INITIALIZERS[name](module, stream)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
