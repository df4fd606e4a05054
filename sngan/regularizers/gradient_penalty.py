"""The gradient penalty of WGAN-GP and GAN-GP: Gulrajani et al. 2017, arXiv:1704.00028."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sngan.fields import require
from sngan.regularizers.base import Penalty, PenaltyInputs, register


@register("gradient-penalty")
@dataclass(frozen=True)
class GradientPenalty(Penalty):
    """coefficient * E (|grad D(x)|_2 - target)^2 at x = e real + (1 - e) fake, e ~ U[0, 1] per image.

    Eq. 29-31 of arXiv:1802.05957 with coefficient 10 and target 1. A conditional discriminator is asked about x with
    the real image's class.

    norm_epsilon : added under the root of the norm. The root's derivative is infinite at 0, where a discriminator
        that ignores its input would turn everything into NaN; 1e-12 leaves any norm above 1e-5 untouched.
    """

    coefficient: float = 10.0
    target: float = 1.0
    norm_epsilon: float = 1e-12

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        require(self.coefficient > 0, "regularizer gradient-penalty.coefficient", self.coefficient, "above 0")
        require(self.target >= 0, "regularizer gradient-penalty.target", self.target, "0 or above")
        where = "regularizer gradient-penalty.norm_epsilon"
        require(0 <= self.norm_epsilon < 1, where, self.norm_epsilon, "from 0 to below 1")

    def __call__(self, inputs: PenaltyInputs) -> Tensor:
        """The penalty, a scalar."""
        shape = (inputs.real.shape[0], 1, 1, 1)
        mix = torch.rand(shape, generator=inputs.stream, device=inputs.stream.device).to(inputs.real)
        mixed = torch.lerp(inputs.fake, inputs.real, mix)
        squares = squared_gradient_norms(inputs.discriminator, mixed, inputs.real_labels)
        norms = (squares + self.norm_epsilon).sqrt()
        return self.coefficient * (norms - self.target).square().mean()


def squared_gradient_norms(discriminator: nn.Module, images: Tensor, labels: Tensor | None = None) -> Tensor:
    """|grad_x D(x)|^2 for each image [B, C, H, W]: a tensor [B] that can be differentiated again.

    labels : int64 [B], the classes of the images, for a conditional discriminator.
    """
    images = images.detach().requires_grad_()
    logits = discriminator(images) if labels is None else discriminator(images, labels)
    (gradients,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradients.flatten(1).square().sum(1)
