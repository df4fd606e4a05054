"""A factor behind a normalized weight: SSN and BSSN of Lin et al. 2021, arXiv:2009.02773; gamma of eq. 32 in Miyato et
al. 2018, arXiv:1802.05957.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from sngan.fields import require
from sngan.regularizers.base import PlacedLayer, Reparametrization, register


@register("scale")
@dataclass(frozen=True)
class Scale(Reparametrization):
    """factor * W for every convolution and the dense layer, behind whatever else is done to W.

    With zero biases the output of a chain of L layers, as in the CNNs, scales as factor^L and its gradient by a layer's
    effective weight as factor^(L-1). Where shortcuts pass layers by, as in the ResNets, it is a sum of lower powers.

    factor : the constant, or where a learned one starts. SSN(c) is spectral normalization and factor c, BSSN(c) the
        bidirectional one and factor c.
    learned : "no"; "per-layer", one trained factor for each layer (eq. 32); "shared", one for all.
    biases : the biases are multiplied too, as the BSSN code does with learned factors.
    """

    stage: ClassVar[int] = 1

    factor: float = 1.0
    learned: Literal["no", "per-layer", "shared"] = "no"
    biases: bool = False

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        require(0 < self.factor <= 1000, "regularizer scale.factor", self.factor, "above 0, up to 1000")

    @property
    def tensors(self) -> tuple[str, ...]:
        """The weight, and the bias where that is asked for."""
        return ("weight", "bias") if self.biases else ("weight",)

    def parametrization(self, layer: nn.Module, size: tuple[int, int], stream: torch.Generator) -> nn.Module:
        """The module W -> factor * W with a factor of its own."""
        return Scaled(self._factor())

    def parametrizations(self, layers: Sequence[PlacedLayer], stream: torch.Generator) -> list[nn.Module]:
        """One module per layer; all with the same trained factor where that is shared."""
        shared = self._factor()
        return [Scaled(shared if self.learned == "shared" else self._factor()) for _ in layers]

    def _factor(self) -> Tensor:
        factor = torch.tensor(float(self.factor))
        return factor if self.learned == "no" else nn.Parameter(factor)


class Scaled(nn.Module):
    """W -> factor * W; the factor is a parameter where it is learned, else a buffer."""

    factor: Tensor

    def __init__(self, factor: Tensor) -> None:
        super().__init__()
        if isinstance(factor, nn.Parameter):
            self.factor = factor
        else:
            self.register_buffer("factor", factor)

    def forward(self, weight: Tensor) -> Tensor:
        """The scaled weight or bias."""
        return self.factor * weight
