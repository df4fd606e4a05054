"""Weight normalization without gain: Salimans and Kingma 2016, arXiv:1602.07868."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sngan.regularizers.base import Reparametrization, register


@register("weight-norm")
@dataclass(frozen=True)
class WeightNorm(Reparametrization):
    """Every row of W (one output filter) divided by its l2 norm, with the gain fixed to 1.

    Eq. 25 and footnote 8 of arXiv:1802.05957: without a learned gain the sum of squared singular values is d_out.
    """

    def parametrization(self, layer: nn.Module, size: tuple[int, int], stream: torch.Generator) -> "RowNormalized":
        """The module W -> rows of unit norm."""
        return RowNormalized()


class RowNormalized(nn.Module):
    """w_i -> w_i / |w_i| for each row w_i of the matrix d_out x (d_in h w)."""

    def forward(self, weight: Tensor) -> Tensor:
        """The effective weight, of the shape of `weight`."""
        norms = torch.linalg.vector_norm(weight.flatten(1), dim=1)
        rows: Tensor = norms.view(-1, *[1] * (weight.dim() - 1))
        return weight / rows
