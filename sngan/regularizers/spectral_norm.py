"""Spectral normalization: Miyato et al. 2018, arXiv:1802.05957, Algorithm 1 and eq. 8-12."""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from sngan.fields import require
from sngan.regularizers.base import Reparametrization, raw_weight, register, weighted_layers

_EPSILON = 1e-12  # under the norms of u and v, as in the official code


@register("spectral-norm")
@dataclass(frozen=True)
class SpectralNorm(Reparametrization):
    """W_SN = W / sigma(W), sigma by power iteration with a persistent vector (eq. 8, Algorithm 1).

    A convolution's kernel [d_out, d_in, h, w] is seen as a d_out x (d_in h w) matrix (section 4); biases are left.

    num_iterations : power iterations per advance; the paper uses 1.
    advance : when u and v move on. "per-update": once before every discriminator update, so that real images, fake
        images and penalties see one and the same W_SN (Algorithm 1); the generator's update sees the new W, divided
        by u^T W v with the same u and v. "per-forward": at every forward pass in training mode, as the official
        Chainer code and torch do.
    gradient : "stopped" treats u and v as constants, which gives eq. 9-12 exactly; "flows" repeats the last advance
        in every forward and differentiates through it as well, as the BSSN code differentiates.
    """

    num_iterations: int = 1
    advance: Literal["per-update", "per-forward"] = "per-update"
    gradient: Literal["stopped", "flows"] = "stopped"

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        where = "regularizer spectral-norm.num_iterations"
        require(1 <= self.num_iterations <= 1000, where, self.num_iterations, "whole numbers from 1 to 1000")

    def parametrization(self, layer: nn.Module, stream: torch.Generator) -> "SpectralNormalized":
        """The module W -> W / sigma(W)."""
        weight = layer.weight
        assert isinstance(weight, Tensor)
        return SpectralNormalized(self, weight.detach(), stream)


class SpectralNormalized(nn.Module):
    """W -> W / (u^T W v), with the singular vectors u [d_out] and v [d_in h w] kept as buffers.

    `previous_u` is the vector that the last advance started from: "flows" repeats that advance with gradient.
    """

    u: Tensor
    v: Tensor
    previous_u: Tensor

    def __init__(self, regularizer: SpectralNorm, weight: Tensor, stream: torch.Generator) -> None:
        super().__init__()
        self.regularizer = regularizer
        # A direction that is uniform on the sphere (footnote to Algorithm 1), and the v that answers it, so that
        # the network can be used before the first advance.
        u = F.normalize(torch.randn(weight.shape[0], generator=stream).to(weight), dim=0, eps=_EPSILON)
        v = F.normalize(torch.mv(weight.flatten(1).t(), u), dim=0, eps=_EPSILON)
        self.register_buffer("u", u)
        self.register_buffer("v", v)
        self.register_buffer("previous_u", u.clone())

    def forward(self, weight: Tensor) -> Tensor:
        """The effective weight, of the shape of `weight`."""
        if self.training and self.regularizer.advance == "per-forward":
            self.advance_(weight)
        matrix = weight.flatten(1)
        u, v = self.u, self.v
        if self.regularizer.gradient == "flows":
            # A copy, as below: the next forward may move the buffer that this one's graph needs.
            u, v = self._iterate(matrix, self.previous_u.clone())
        elif self.regularizer.advance == "per-forward":
            # The next forward moves the buffers; this forward's graph needs the values of now.
            u, v = u.clone(), v.clone()
        return weight / torch.dot(u, torch.mv(matrix, v))

    @torch.no_grad()
    def advance_(self, weight: Tensor) -> None:
        """Move u and v on by `num_iterations` rounds with the present raw weight."""
        self.previous_u.copy_(self.u)
        u, v = self._iterate(weight.flatten(1), self.u)
        self.u.copy_(u)
        self.v.copy_(v)

    def _iterate(self, matrix: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        v = self.v
        for _ in range(self.regularizer.num_iterations):
            v = F.normalize(torch.mv(matrix.t(), u), dim=0, eps=_EPSILON)
            u = F.normalize(torch.mv(matrix, v), dim=0, eps=_EPSILON)
        return u, v


def advance_power_iterations(network: nn.Module) -> None:
    """Advance every vector pair that moves once per update; called before each discriminator update."""
    for layer in weighted_layers(network):
        if parametrize.is_parametrized(layer, "weight"):
            for module in layer.parametrizations["weight"]:  # type: ignore[index]
                if isinstance(module, SpectralNormalized) and module.regularizer.advance == "per-update":
                    module.advance_(raw_weight(layer))
