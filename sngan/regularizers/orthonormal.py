"""Orthonormal regularization: Brock et al. 2016, arXiv:1609.07093, as compared in arXiv:1802.05957."""

from dataclasses import dataclass

import torch
from torch import Tensor

from sngan.fields import require
from sngan.regularizers.base import Penalty, PenaltyInputs, in_fp32, register, weighted_layers


@register("orthonormal")
@dataclass(frozen=True)
class Orthonormal(Penalty):
    """coefficient * sum over layers |W^T W - I|_F^2 (eq. 14 of arXiv:1802.05957).

    W is the d_out x (d_in h w) matrix of a convolution or dense layer. W^T W = I cannot hold when W has fewer rows
    than columns, which the paper does not discuss, so the smaller of the two Gram matrices is used: W W^T then.
    The paper prints no multiplier and its code was not released; `coefficient` is 1, as printed, and an axis worth
    sweeping. The initial weights are orthonormal (TrialConfig.discriminator_init).
    """

    coefficient: float = 1.0

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        require(self.coefficient > 0, "regularizer orthonormal.coefficient", self.coefficient, "above 0")

    def __call__(self, inputs: PenaltyInputs) -> Tensor:
        """The penalty, a scalar."""
        terms = [distance_from_orthonormal(layer.weight) for layer in weighted_layers(inputs.discriminator)]
        return self.coefficient * torch.stack(terms).sum()


def distance_from_orthonormal(weight: Tensor) -> Tensor:
    """|G - I|_F^2 with G the smaller Gram matrix of the d_out x (d_in h w) matrix: a scalar."""
    matrix = weight.flatten(1)
    with in_fp32(matrix):
        gram = matrix @ matrix.t() if matrix.shape[0] <= matrix.shape[1] else matrix.t() @ matrix
    return (gram - torch.eye(len(gram), device=gram.device, dtype=gram.dtype)).square().sum()
