"""Spectral normalization: Miyato et al. 2018, arXiv:1802.05957, Algorithm 1 and eq. 8-12."""

from dataclasses import dataclass

from torch import nn

from sngan.regularizers.base import register
from sngan.regularizers.power_iteration import Maps, SigmaNormalization, matrix_map


@register("spectral-norm")
@dataclass(frozen=True)
class SpectralNorm(SigmaNormalization):
    """W_SN = W / sigma(W), sigma by power iteration with a persistent vector (eq. 8, Algorithm 1).

    A convolution's kernel [d_out, d_in, h, w] is seen as a d_out x (d_in h w) matrix (section 4); biases are left.
    This is not the norm of the convolution itself, which is larger by a factor of up to ceil(kernel / stride).
    """

    def maps(self, layer: nn.Module, size: tuple[int, int]) -> Maps:
        """The one matrix d_out x (d_in h w)."""
        return lambda weight: [matrix_map(weight.flatten(1))]
