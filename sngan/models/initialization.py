"""Distributions of initial weights, each drawn from a given stream; biases start at 0.

lecun and orthonormal are those of layers y = W x with W [d_out, d_in h w]: of discriminators.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from sngan.registry import Registry

Initializer = Callable[[Tensor, torch.Generator], object]

INITIALIZERS: Registry[Initializer] = Registry("initialization")


def _lecun(weight: Tensor, stream: torch.Generator) -> None:
    nn.init.normal_(weight, std=weight[0].numel() ** -0.5, generator=stream)


INITIALIZERS.add("normal-0.02", lambda weight, stream: nn.init.normal_(weight, std=0.02, generator=stream))
INITIALIZERS.add("lecun", _lecun)
INITIALIZERS.add("glorot", lambda weight, stream: nn.init.xavier_uniform_(weight, generator=stream))
# The d_out x (d_in h w) matrix gets orthonormal rows, or columns where it has more rows than columns.
INITIALIZERS.add("orthonormal", lambda weight, stream: nn.init.orthogonal_(weight, generator=stream))


def initialize(network: nn.Module, name: str, stream: torch.Generator) -> None:
    """Draw every convolution's and dense layer's weight by the initializer `name`; set their biases to 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            INITIALIZERS[name](module.weight, stream)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
