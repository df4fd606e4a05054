"""Largest singular values by power iteration with persistent vectors: what all kinds of spectral normalization share.

Miyato et al. 2018, arXiv:1802.05957, Algorithm 1 and eq. 8-12.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from sngan.fields import require
from sngan.regularizers.base import Reparametrization, in_fp32, raw_weight, weighted_layers

_EPSILON = 1e-12  # under the norms of u and v, as in the official code


@dataclass(frozen=True)
class LinearMap:
    """v -> W v and its adjoint u -> W^T u, on tensors of any shapes; `image_shape` is that of W v."""

    apply: Callable[[Tensor], Tensor]
    adjoint: Callable[[Tensor], Tensor]
    image_shape: tuple[int, ...]


def matrix_map(matrix: Tensor) -> LinearMap:
    """The map of a matrix [m, n]."""
    return LinearMap(lambda v: torch.mv(matrix, v), lambda u: torch.mv(matrix.t(), u), (matrix.shape[0],))


Maps = Callable[[Tensor], Sequence[LinearMap]]


@dataclass(frozen=True)
class SigmaNormalization(Reparametrization):
    """W divided by a mean of largest singular values. What differs is which linear maps are made of W.

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
        where = f"regularizer {self.name}.num_iterations"
        require(1 <= self.num_iterations <= 1000, where, self.num_iterations, "whole numbers from 1 to 1000")

    @abstractmethod
    def maps(self, layer: nn.Module, size: tuple[int, int]) -> Maps:
        """Weight -> the linear maps whose largest singular values are averaged, for a layer and its input's size."""

    def parametrization(self, layer: nn.Module, size: tuple[int, int], stream: torch.Generator) -> "SigmaNormalized":
        """The module W -> W / sigma(W)."""
        weight = layer.weight
        assert isinstance(weight, Tensor)
        return SigmaNormalized(self, self.maps(layer, size), weight.detach(), stream)


class SigmaNormalized(nn.Module):
    """W -> W / mean of sigma over its linear maps."""

    def __init__(self, regularizer: SigmaNormalization, maps: Maps, weight: Tensor, stream: torch.Generator) -> None:
        super().__init__()
        self.regularizer = regularizer
        self._maps = maps
        self.iterations = nn.ModuleList(
            PowerIteration(regularizer, linear_map, weight, stream) for linear_map in maps(weight)
        )

    def forward(self, weight: Tensor) -> Tensor:
        """The effective weight, of the shape of `weight`."""
        with in_fp32(weight):
            if self.training and self.regularizer.advance == "per-forward":
                self.advance_(weight)
            return weight / self.sigma(weight)

    def sigma(self, weight: Tensor) -> Tensor:
        """What the weight is divided by, a scalar."""
        pairs = zip(self.iterations, self._maps(weight), strict=True)
        sigmas = [iteration.sigma(linear_map) for iteration, linear_map in pairs]  # type: ignore[operator]
        return sigmas[0] if len(sigmas) == 1 else torch.stack(sigmas).mean()

    @torch.no_grad()
    def advance_(self, weight: Tensor) -> None:
        """Move every u and v on with the present raw weight."""
        for iteration, linear_map in zip(self.iterations, self._maps(weight), strict=True):
            iteration.advance_(linear_map)  # type: ignore[operator]


class PowerIteration(nn.Module):
    """The singular vectors u and v of a linear map, kept as buffers.

    `previous_u` is the vector that the last advance started from: "flows" repeats that advance with gradient.
    """

    u: Tensor
    v: Tensor
    previous_u: Tensor

    def __init__(
        self, regularizer: SigmaNormalization, linear_map: LinearMap, weight: Tensor, stream: torch.Generator
    ) -> None:
        super().__init__()
        self.regularizer = regularizer
        # A direction that is uniform on the sphere (footnote to Algorithm 1), and the v that answers it, so that
        # the network can be used before the first advance.
        u = _unit(torch.randn(linear_map.image_shape, generator=stream).to(weight))
        self.register_buffer("u", u)
        self.register_buffer("v", _unit(linear_map.adjoint(u)))
        self.register_buffer("previous_u", u.clone())

    def sigma(self, linear_map: LinearMap) -> Tensor:
        """<u, W v>, a scalar: the largest singular value as far as u and v have come."""
        u, v = self.u, self.v
        if self.regularizer.gradient == "flows":
            # A copy, as below: the next forward may move the buffer that this one's graph needs.
            u, v = self._iterate(linear_map, self.previous_u.clone())
        elif self.regularizer.advance == "per-forward":
            # The next forward moves the buffers; this forward's graph needs the values of now.
            u, v = u.clone(), v.clone()
        return torch.dot(u.flatten(), linear_map.apply(v).flatten())

    @torch.no_grad()
    def advance_(self, linear_map: LinearMap) -> None:
        """Move u and v on by `num_iterations` rounds."""
        self.previous_u.copy_(self.u)
        u, v = self._iterate(linear_map, self.u)
        self.u.copy_(u)
        self.v.copy_(v)

    def _iterate(self, linear_map: LinearMap, u: Tensor) -> tuple[Tensor, Tensor]:
        v = self.v
        for _ in range(self.regularizer.num_iterations):
            v = _unit(linear_map.adjoint(u))
            u = _unit(linear_map.apply(v))
        return u, v


def _unit(x: Tensor) -> Tensor:
    return F.normalize(x.flatten(), dim=0, eps=_EPSILON).view_as(x)


def advance_power_iterations(network: nn.Module) -> None:
    """Advance all vectors that move once per update; called before each discriminator update."""
    for layer in weighted_layers(network):
        if parametrize.is_parametrized(layer, "weight"):
            for module in layer.parametrizations["weight"]:  # type: ignore[index]
                if isinstance(module, SigmaNormalized) and module.regularizer.advance == "per-update":
                    module.advance_(raw_weight(layer))
