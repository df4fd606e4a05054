"""Bidirectional spectral normalization: Lin et al. 2021, arXiv:2009.02773."""

from dataclasses import dataclass

from torch import nn

from sngan.regularizers.base import register
from sngan.regularizers.power_iteration import Maps, SigmaNormalization, matrix_map


@register("bidirectional-spectral-norm")
@dataclass(frozen=True)
class BidirectionalSpectralNorm(SigmaNormalization):
    """W / ((sigma(W_1) + sigma(W_2)) / 2), each sigma with singular vectors of its own.

    W_1 is a kernel [d_out, d_in, h, w] as the matrix d_out x (d_in h w), W_2 the same kernel as d_in x (d_out h w):
    its first two axes are exchanged before it is reshaped. The two stand for fan in and fan out, as the two terms of
    Xavier's initial variance do. Dense layers, whose two directions coincide, get plain spectral normalization.
    """

    def maps(self, layer: nn.Module, size: tuple[int, int]) -> Maps:
        """Both matrices of a convolution, the one of a dense layer."""
        if isinstance(layer, nn.Linear):
            return lambda weight: [matrix_map(weight)]
        return lambda weight: [matrix_map(weight.flatten(1)), matrix_map(weight.transpose(0, 1).flatten(1))]
