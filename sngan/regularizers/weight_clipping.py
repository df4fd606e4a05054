"""Weight clipping: Arjovsky et al. 2017, arXiv:1701.07875."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from sngan.fields import require
from sngan.regularizers.base import Projection, raw_weight, register, weighted_layers


@register("weight-clipping")
@dataclass(frozen=True)
class WeightClipping(Projection):
    """Clips weights to [-limit, limit] after every discriminator update; with 0.01 as in arXiv:1802.05957.

    layers : "convolutions", as that paper's section 4.1 words it, or "all", which adds the dense layer and every
        bias, as in the Wasserstein GAN.
    """

    limit: float = 0.01
    layers: Literal["convolutions", "all"] = "convolutions"

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        require(self.limit > 0, "regularizer weight-clipping.limit", self.limit, "above 0")

    def project_(self, discriminator: nn.Module) -> None:
        """Clip in place."""
        if self.layers == "all":
            clipped: list[Tensor] = list(discriminator.parameters())
        else:
            convolutions = (x for x in weighted_layers(discriminator) if isinstance(x, nn.Conv2d))
            clipped = [raw_weight(layer) for layer in convolutions]
        for weight in clipped:
            weight.clamp_(-self.limit, self.limit)
