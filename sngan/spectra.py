"""Singular values of a layer, and what is read off them."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sngan.metrics.statistics import float64_device
from sngan.regularizers.base import PlacedLayer
from sngan.regularizers.operator_spectral_norm import convolution_map
from sngan.regularizers.power_iteration import LinearMap, matrix_map

# Enough for the norm less 3 % at worst, at random weights; a test holds it against dense matrices.
_LANCZOS_STEPS = 10


def singular_values(matrix: Tensor) -> Tensor:
    """All singular values of a matrix [m, n], float64 [min(m, n)] on the CPU, largest first; NaN if it is not finite.

    Square roots of the eigenvalues of the smaller Gram matrix in float64: several times as fast as a decomposition
    of the matrix in float32, and nowhere less exact. Products of two float32 numbers are exact in float64, so what
    is lost is about 1e-8 of the largest value, where float32 would lose 1e-7. Smaller values than that are noise.
    """
    matrix = matrix.detach().to(float64_device(str(matrix.device))).double()
    short = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.t()
    gram = (short @ short.t()).cpu()
    if not bool(gram.isfinite().all()):
        return torch.full((len(gram),), torch.nan, dtype=torch.float64)
    eigenvalues: Tensor = torch.linalg.eigvalsh(gram)
    return eigenvalues.clamp(min=0).sqrt().flip(0)


def stable_rank(values: Tensor) -> Tensor:
    """||W||_F^2 / sigma(W)^2 of singular values, a scalar from 1 to their number; NaN for a matrix of zeros."""
    return values.square().sum() / values[0].square()


def entropy_rank(values: Tensor) -> Tensor:
    """Exponential of the entropy of sigma_t^2 / sum of sigma^2, from 1 to their number; NaN for a matrix of zeros.

    The effective rank of Roy and Vetterli 2007 with squared singular values, those of Fig. 3 in arXiv:1802.05957.
    """
    shares = values.square() / values.square().sum()
    entropy: Tensor = torch.special.entr(shares).sum()
    return entropy.exp()


def operator_norm(placed: PlacedLayer, weight: Tensor, stream: torch.Generator) -> Tensor:
    """Norm of the layer as a linear map at its true input size, stride and padding, a scalar: from below, within 3 %.

    weight : what the layer computes with. For a convolution up to ceil(kernel / stride) times sigma of the
    d_out x (d_in h w) matrix, for a dense layer sigma itself. `stream` draws the start of the iteration.
    """
    layer = placed.layer
    if isinstance(layer, nn.Conv2d):
        return _largest_singular_value(convolution_map(layer, weight, placed.size), weight, stream)
    return _largest_singular_value(matrix_map(weight), weight, stream)


def _largest_singular_value(linear_map: LinearMap, weight: Tensor, stream: torch.Generator) -> Tensor:
    """By Golub-Kahan bidiagonalization, which needs far fewer steps than power iteration from a random start."""
    u = _unit(torch.randn(linear_map.image_shape, generator=stream).to(weight))
    v, beta = torch.zeros_like(linear_map.adjoint(u)), torch.zeros((), device=weight.device)
    alphas, betas = [], []
    for _ in range(_LANCZOS_STEPS):
        v = linear_map.adjoint(u) - beta * v
        alpha, v = v.norm(), _unit(v)
        u = linear_map.apply(v) - alpha * u
        beta, u = u.norm(), _unit(u)
        alphas.append(alpha)
        betas.append(beta)
    bidiagonal = torch.zeros(_LANCZOS_STEPS + 1, _LANCZOS_STEPS, dtype=torch.float64)
    bidiagonal.diagonal().copy_(torch.stack(alphas).cpu())
    bidiagonal.diagonal(-1).copy_(torch.stack(betas).cpu())
    return singular_values(bidiagonal)[0]


def _unit(x: Tensor) -> Tensor:
    return F.normalize(x.flatten(), dim=0).view_as(x)
