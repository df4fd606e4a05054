"""Frobenius normalization: eq. 26 and Appendix E of Miyato et al. 2018, arXiv:1802.05957."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sngan.regularizers.base import Reparametrization, register


@register("frobenius-norm")
@dataclass(frozen=True)
class FrobeniusNorm(Reparametrization):
    """W / |W|_F: the squared singular values sum to 1, so that they all shrink as the rank grows."""

    def parametrization(self, layer: nn.Module, size: tuple[int, int], stream: torch.Generator) -> nn.Module:
        """The module W -> W / |W|_F."""
        return FrobeniusNormalized()


class FrobeniusNormalized(nn.Module):
    """W -> W / |W|_F."""

    def forward(self, weight: Tensor) -> Tensor:
        """The effective weight, of the shape of `weight`."""
        norm: Tensor = torch.linalg.vector_norm(weight)
        return weight / norm
