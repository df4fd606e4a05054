"""Strict spectral normalization, by the norm of the convolution: SN_conv of Lin et al. 2021, arXiv:2009.02773."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from sngan.regularizers.base import register
from sngan.regularizers.power_iteration import LinearMap, Maps, SigmaNormalization, matrix_map


@register("operator-spectral-norm")
@dataclass(frozen=True)
class OperatorSpectralNorm(SigmaNormalization):
    """W / norm of the linear map x -> W * x at the layer's true input size, stride and padding.

    The power iteration runs with the convolution and its adjoint, the transposed convolution. Unlike spectral
    normalization of the reshaped kernel this makes every layer 1-Lipschitz as far as the iteration has come, and with
    it the whole discriminator where layers stand in a chain, as in the CNNs: a ResNet's shortcuts and its sum over all
    places add up to more. The code of the paper that compares it has no such mode.
    """

    def maps(self, layer: nn.Module, size: tuple[int, int]) -> Maps:
        """The one operator of the layer."""
        if not isinstance(layer, nn.Conv2d):
            return lambda weight: [matrix_map(weight)]
        convolution = layer
        return lambda weight: [convolution_map(convolution, weight, size)]


def convolution_map(layer: nn.Conv2d, weight: Tensor, size: tuple[int, int]) -> LinearMap:
    """The map [1, d_in, H, W] -> [1, d_out, H', W'] of a convolution with zero padding."""
    stride, kernel = layer.stride, layer.kernel_size
    assert not isinstance(layer.padding, str)
    padding = layer.padding
    bottom = [(n + 2 * p - k) // s + 1 for n, p, k, s in zip(size, padding, kernel, stride, strict=True)]
    # Rows and columns of the input that no window reaches: the adjoint gives them back as zeros.
    spare = [n + 2 * p - k - s * (m - 1) for n, p, k, s, m in zip(size, padding, kernel, stride, bottom, strict=True)]

    def apply(v: Tensor) -> Tensor:
        return F.conv2d(v, weight, stride=stride, padding=padding)

    def adjoint(u: Tensor) -> Tensor:
        return F.conv_transpose2d(u, weight, stride=stride, padding=padding, output_padding=(spare[0], spare[1]))

    return LinearMap(apply, adjoint, (1, weight.shape[0], bottom[0], bottom[1]))
