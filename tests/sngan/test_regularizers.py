"""Closed forms of every regularizer."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from sngan.config import TrialConfig
from sngan.models import build_networks
from sngan.regularizers.base import PenaltyInputs, raw_weight, weighted_layers
from sngan.regularizers.gradient_penalty import GradientPenalty
from sngan.regularizers.orthonormal import Orthonormal, distance_from_orthonormal
from sngan.regularizers.power_iteration import PowerIteration, SigmaNormalized, advance_power_iterations
from sngan.regularizers.r1 import R1
from sngan.regularizers.spectral_norm import SpectralNorm
from sngan.regularizers.weight_clipping import WeightClipping
from sngan.regularizers.weight_norm import WeightNorm
from sngan.seeding import torch_stream


def stream() -> torch.Generator:
    return torch_stream(0, "penalty")


class LinearDiscriminator(nn.Module):
    """D(x) = <w, x>: its gradient is w everywhere."""

    def __init__(self, num_pixels: int) -> None:
        super().__init__()
        self.dense = nn.Linear(num_pixels, 1)
        nn.init.normal_(self.dense.weight, generator=torch_stream(1, "init-discriminator"))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.dense(x.flatten(1))
        return logits.squeeze(1)


def linear_inputs() -> tuple[PenaltyInputs, Tensor]:
    discriminator = LinearDiscriminator(2 * 3 * 3)
    real, fake = torch.randn(2, 5, 2, 3, 3, generator=stream())
    return PenaltyInputs(discriminator, real, fake, stream()), discriminator.dense.weight


@pytest.mark.parametrize("target", [0.0, 1.0])
def test_gradient_penalty_of_a_linear_discriminator(target: float) -> None:
    inputs, weight = linear_inputs()
    expected = 7.0 * (weight.norm() - target) ** 2
    torch.testing.assert_close(GradientPenalty(coefficient=7.0, target=target)(inputs), expected)


def test_r1_of_a_linear_discriminator() -> None:
    inputs, weight = linear_inputs()
    torch.testing.assert_close(R1(gamma=6.0)(inputs), 3.0 * weight.square().sum())


def test_gradient_penalty_where_the_gradient_vanishes_has_a_finite_gradient() -> None:
    inputs, weight = linear_inputs()
    with torch.no_grad():
        weight.zero_()
    penalty = GradientPenalty()(inputs)
    penalty.backward()
    torch.testing.assert_close(penalty.item(), 10.0, rtol=1e-4, atol=0)
    assert weight.grad is not None
    assert weight.grad.isfinite().all()


def test_gradient_penalty_mixes_once_per_image_between_real_and_fake() -> None:
    seen: list[Tensor] = []

    class Spy(LinearDiscriminator):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(x.detach())
            return super().forward(x)

    real, fake = torch.ones(64, 1, 2, 2), torch.zeros(64, 1, 2, 2)
    GradientPenalty()(PenaltyInputs(Spy(4), real, fake, stream()))
    mix = seen[0].flatten(1)
    assert (mix == mix[:, :1]).all()
    assert mix.min() >= 0
    assert mix.max() <= 1
    assert mix[:, 0].unique().numel() == 64


@pytest.mark.parametrize("shape", [(4, 9), (9, 4), (5, 5), (8, 2, 3, 3)])
def test_orthonormal_uses_the_smaller_gram_matrix(shape: tuple[int, ...]) -> None:
    weight = torch.randn(shape, generator=stream(), dtype=torch.float64)
    matrix = weight.flatten(1)
    small = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.t()
    gram = small.t() @ small
    expected = (gram - torch.eye(gram.shape[0], dtype=torch.float64)).square().sum()
    torch.testing.assert_close(distance_from_orthonormal(weight), expected)
    orthonormal = nn.init.orthogonal_(torch.empty_like(weight), generator=stream())
    torch.testing.assert_close(distance_from_orthonormal(orthonormal).item(), 0.0, atol=1e-10, rtol=0)


def test_orthonormal_method_starts_orthonormal() -> None:
    config = TrialConfig(regularizers=(Orthonormal(),), discriminator_init="orthonormal")
    _, discriminator = build_networks(config, channels=1, image_size=8)
    inputs = PenaltyInputs(discriminator, torch.zeros(1), torch.zeros(1), stream())
    torch.testing.assert_close(Orthonormal()(inputs).item(), 0.0, atol=1e-6, rtol=0)


@pytest.mark.parametrize("layers", ["convolutions", "all"])
def test_weight_clipping_clips_what_it_says(layers: str) -> None:
    config = TrialConfig(discriminator_init="lecun")
    _, discriminator = build_networks(config, channels=1, image_size=8)
    dense = [layer for layer in weighted_layers(discriminator) if isinstance(layer, nn.Linear)]
    before = dense[0].weight.detach().clone()
    with torch.no_grad():
        WeightClipping(limit=0.01, layers=layers).project_(discriminator)  # type: ignore[arg-type]
    convolutions = [layer for layer in weighted_layers(discriminator) if isinstance(layer, nn.Conv2d)]
    assert max(layer.weight.abs().max().item() for layer in convolutions) == pytest.approx(0.01)
    assert torch.equal(dense[0].weight, before) == (layers == "convolutions")


def test_weight_clipping_reaches_the_raw_weight_behind_a_reparametrization() -> None:
    config = TrialConfig(regularizers=(SpectralNorm(), WeightClipping()), discriminator_init="lecun")
    _, discriminator = build_networks(config, channels=1, image_size=8)
    with torch.no_grad():
        WeightClipping().project_(discriminator)
    assert raw_weight(weighted_layers(discriminator)[0]).abs().max() <= 0.01


def test_weight_norm_rows_have_unit_norm_and_squared_singular_values_sum_to_rows() -> None:
    _, discriminator = build_networks(TrialConfig(regularizers=(WeightNorm(),)), channels=1, image_size=8)
    for layer in weighted_layers(discriminator):
        matrix = layer.weight.flatten(1)
        torch.testing.assert_close(matrix.norm(dim=1), torch.ones(len(matrix)))
        squares = torch.linalg.svdvals(matrix).square().sum()
        torch.testing.assert_close(squares.item(), float(len(matrix)), rtol=1e-5, atol=0)


def spectral(
    weight: Tensor, regularizer: SpectralNorm | None = None, seed: int = 0
) -> tuple[nn.Linear, SigmaNormalized]:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    with torch.no_grad():
        layer.weight.copy_(weight)
    module = (regularizer or SpectralNorm()).parametrization(layer, (1, 1), torch_stream(seed, "init-discriminator"))
    parametrize.register_parametrization(layer, "weight", module, unsafe=True)
    assert isinstance(module, SigmaNormalized)
    return layer, module


def test_sigma_converges_to_the_largest_singular_value() -> None:
    weight = torch.randn(12, 30, generator=stream())
    layer, module = spectral(weight)
    for _ in range(300):
        module.advance_(raw_weight(layer))
    exact = torch.linalg.matrix_norm(weight, 2)
    torch.testing.assert_close(layer.weight, weight / exact, rtol=1e-5, atol=1e-6)


def test_one_advance_is_algorithm_1() -> None:
    weight = torch.randn(6, 10, generator=stream())
    layer, module = spectral(weight)
    u = module.iterations[0].u.clone()
    module.advance_(raw_weight(layer))
    v = F.normalize(weight.t() @ u, dim=0)
    u = F.normalize(weight @ v, dim=0)
    torch.testing.assert_close(layer.weight, weight / (u @ weight @ v))


def test_gradient_is_equation_9_to_12() -> None:
    """dV/dW = (1/sigma) (dV/dW_SN - lambda u v^T) with lambda = <dV/dW_SN, W_SN>, in double precision."""
    weight = torch.randn(5, 8, generator=stream(), dtype=torch.float64)
    layer = nn.Linear(8, 5, bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(weight)
    module = SpectralNorm().parametrization(layer, (1, 1), stream())
    module.double()
    parametrize.register_parametrization(layer, "weight", module, unsafe=True)
    module.advance_(raw_weight(layer))
    x = torch.randn(7, 8, generator=stream(), dtype=torch.float64)

    def value(effective: Tensor) -> Tensor:
        return torch.tanh(x @ effective.t()).square().sum()

    value(layer.weight).backward()
    sigma = module.iterations[0].u @ weight @ module.iterations[0].v
    effective = (weight / sigma).requires_grad_()
    (outer,) = torch.autograd.grad(value(effective), effective)
    multiplier = (outer * effective.detach()).sum()
    expected = (outer - multiplier * torch.outer(module.iterations[0].u, module.iterations[0].v)) / sigma
    torch.testing.assert_close(raw_weight(layer).grad, expected, rtol=1e-10, atol=1e-12)


def test_same_as_torch_spectral_norm() -> None:
    """torch.nn.utils.spectral_norm, started from the same u, gives the same weights step after step."""
    weight = torch.randn(4, 3, 3, 3, generator=stream())
    layer = nn.Conv2d(3, 4, 3, bias=False)
    with torch.no_grad():
        layer.weight.copy_(weight)
    module = SpectralNorm(advance="per-forward").parametrization(layer, (1, 1), stream())
    parametrize.register_parametrization(layer, "weight", module, unsafe=True)
    theirs = torch.nn.utils.spectral_norm(nn.Conv2d(3, 4, 3, bias=False))
    with torch.no_grad():
        theirs.weight_orig.copy_(weight)
        theirs.weight_u.copy_(module.iterations[0].u)
    x = torch.randn(2, 3, 5, 5, generator=stream())
    for _ in range(4):
        ours, other = layer(x), theirs(x)
        torch.testing.assert_close(ours, other)
    ours.square().sum().backward()
    other.square().sum().backward()
    torch.testing.assert_close(raw_weight(layer).grad, theirs.weight_orig.grad)


def test_flowing_gradient_differs_from_stopped_and_matches_finite_differences() -> None:
    weight = torch.randn(4, 6, generator=stream(), dtype=torch.float64)
    gradients = {}
    for gradient in ("stopped", "flows"):
        layer = nn.Linear(6, 4, bias=False).double()
        with torch.no_grad():
            layer.weight.copy_(weight)
        module = SpectralNorm(gradient=gradient).parametrization(layer, (1, 1), stream()).double()  # type: ignore[arg-type]
        parametrize.register_parametrization(layer, "weight", module, unsafe=True)
        module.advance_(raw_weight(layer))
        layer.weight.square().sum().backward()
        gradients[gradient] = raw_weight(layer).grad
        if gradient == "flows":
            assert torch.autograd.gradcheck(module, weight.clone().requires_grad_())
    assert not torch.allclose(gradients["stopped"], gradients["flows"])


@pytest.mark.parametrize("advance", ["per-update", "per-forward"])
def test_when_u_moves(advance: str) -> None:
    config = TrialConfig(regularizers=(SpectralNorm(advance=advance),))  # type: ignore[arg-type]
    _, discriminator = build_networks(config, channels=1, image_size=8)
    buffer = next(m for m in discriminator.modules() if isinstance(m, PowerIteration))
    before = buffer.u.clone()
    discriminator(torch.zeros(2, 1, 8, 8))
    assert torch.equal(buffer.u, before) == (advance == "per-update")
    before = buffer.u.clone()
    advance_power_iterations(discriminator)
    assert torch.equal(buffer.u, before) == (advance == "per-forward")


def test_spectral_norm_bounds_the_slope_of_a_dense_network() -> None:
    """For dense layers sigma is the operator norm: |D(x) - D(y)| <= |x - y|."""
    layers = []
    for index in range(3):
        layer, module = spectral(torch.randn(16, 16, generator=torch_stream(index, "penalty")), seed=index)
        for _ in range(200):
            module.advance_(raw_weight(layer))
        layers += [layer, nn.LeakyReLU(0.1)]
    network = nn.Sequential(*layers)
    x, y = torch.randn(2, 256, 16, generator=stream())
    with torch.no_grad():
        slope = (network(x) - network(y)).norm(dim=1) / (x - y).norm(dim=1)
    assert slope.max() <= 1 + 1e-4
