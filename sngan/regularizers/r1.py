"""R1: Mescheder et al. 2018, arXiv:1801.04406."""

from dataclasses import dataclass

from torch import Tensor

from sngan.fields import require
from sngan.regularizers.base import Penalty, PenaltyInputs, register
from sngan.regularizers.gradient_penalty import squared_gradient_norms


@register("r1")
@dataclass(frozen=True)
class R1(Penalty):
    """(gamma / 2) E |grad D(x)|^2 over real images, of the logit.

    The official code multiplies by its `reg_param` 10 without the half, which is gamma = 20 here; gamma = 10 is the
    value most often quoted from the paper. Both are one field away.
    """

    gamma: float = 10.0

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        require(self.gamma > 0, "regularizer r1.gamma", self.gamma, "above 0")

    def __call__(self, inputs: PenaltyInputs) -> Tensor:
        """The penalty, a scalar."""
        squares = squared_gradient_norms(inputs.discriminator, inputs.real, inputs.real_labels)
        return 0.5 * self.gamma * squares.mean()
