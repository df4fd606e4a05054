"""What spectral normalization and its variants do to a discriminator: identities, bounds, and values at initialization.

Theory and reference values: Miyato et al. 2018, arXiv:1802.05957, and Lin et al. 2021, arXiv:2009.02773.
"""

import math
from collections.abc import Sequence

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from sngan.config import TrialConfig
from sngan.models import build_networks
from sngan.regularizers import Regularizer
from sngan.regularizers.base import raw_weight, weighted_layers
from sngan.regularizers.bidirectional_spectral_norm import BidirectionalSpectralNorm
from sngan.regularizers.operator_spectral_norm import OperatorSpectralNorm
from sngan.regularizers.power_iteration import SigmaNormalization, SigmaNormalized, advance_power_iterations
from sngan.regularizers.scale import Scale
from sngan.regularizers.spectral_norm import SpectralNorm
from sngan.seeding import torch_stream

LAYERS = 8  # of the standard CNN's discriminator
# Many rounds at once, so that one advance is exact.
EXACT = {"num_iterations": 100}


def discriminator_with(
    *regularizers: Regularizer, architecture: str = "small-cnn", channels: int = 1, image_size: int = 8, seed: int = 0
) -> nn.Module:
    config = TrialConfig(architecture=architecture, regularizers=regularizers, seed=seed)
    _, discriminator = build_networks(config, channels=channels, image_size=image_size)
    advance_power_iterations(discriminator)
    return discriminator


def standard(*regularizers: Regularizer, seed: int = 0) -> nn.Module:
    return discriminator_with(*regularizers, architecture="standard-cnn", channels=3, image_size=32, seed=seed)


def images(num: int, channels: int, size: int, seed: int = 0) -> Tensor:
    return torch.rand(num, channels, size, size, generator=torch_stream(seed, "penalty")) * 2 - 1


def sigma(matrix: Tensor) -> Tensor:
    return torch.linalg.matrix_norm(matrix, 2)


def operator_matrix(layer: nn.Conv2d, weight: Tensor, size: int) -> Tensor:
    """The convolution as a matrix, one column per pixel of the input."""
    basis = torch.eye(layer.in_channels * size * size).view(-1, layer.in_channels, size, size)
    return F.conv2d(basis, weight, stride=layer.stride, padding=layer.padding).flatten(1).t()


def normalized(regularizer: SigmaNormalization, layer: nn.Conv2d | nn.Linear, size: tuple[int, int]) -> nn.Module:
    module = regularizer.parametrization(layer, size, torch_stream(0, "init-discriminator"))
    parametrize.register_parametrization(layer, "weight", module, unsafe=True)
    assert isinstance(module, SigmaNormalized)
    module.advance_(raw_weight(layer))
    return layer


def raw_bias(layer: nn.Module) -> Tensor:
    scaled = parametrize.is_parametrized(layer, "bias")
    bias = layer.parametrizations["bias"].original if scaled else layer.bias  # type: ignore[union-attr, index]
    assert isinstance(bias, Tensor)
    return bias


# --- What each normalization divides by ---


def test_bidirectional_divides_by_the_mean_of_two_norms_with_axes_exchanged() -> None:
    layer = nn.Conv2d(3, 6, 3)
    # A fixed start: how fast a power iteration converges depends on the matrix.
    nn.init.normal_(layer.weight, generator=torch_stream(0, "penalty"))
    weight = layer.weight.detach().clone()
    normalized(BidirectionalSpectralNorm(**EXACT), layer, (8, 8))
    first, second = sigma(weight.flatten(1)), sigma(weight.permute(1, 0, 2, 3).reshape(3, -1))
    assert not torch.isclose(second, sigma(weight.reshape(3, -1))), "reshaping alone is another matrix"
    torch.testing.assert_close(layer.weight, weight / ((first + second) / 2), rtol=1e-4, atol=1e-6)


def test_a_dense_layer_has_one_direction() -> None:
    layer = nn.Linear(7, 4)
    weight = layer.weight.detach().clone()
    normalized(BidirectionalSpectralNorm(**EXACT), layer, (1, 1))
    torch.testing.assert_close(layer.weight, weight / sigma(weight), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("size", [6, 7])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (4, 2)])
def test_strict_normalization_makes_the_convolution_itself_1_lipschitz(kernel: int, stride: int, size: int) -> None:
    layer = nn.Conv2d(2, 3, kernel, stride, 1)
    normalized(OperatorSpectralNorm(num_iterations=1000), layer, (size, size))
    norm = sigma(operator_matrix(layer, layer.weight.detach(), size))
    assert norm.item() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("size", [6, 7])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (4, 2)])
def test_the_adjoint_is_that_of_the_convolution(kernel: int, stride: int, size: int) -> None:
    layer = nn.Conv2d(2, 3, kernel, stride, 1)
    (linear_map,) = OperatorSpectralNorm().maps(layer, (size, size))(layer.weight)
    v = torch.randn(1, 2, size, size)
    u = torch.randn(linear_map.image_shape)
    assert linear_map.adjoint(u).shape == v.shape
    torch.testing.assert_close((linear_map.apply(v) * u).sum(), (v * linear_map.adjoint(u)).sum(), rtol=1e-4, atol=1e-5)


# --- Scales ---


@pytest.mark.parametrize("name", [SpectralNorm, BidirectionalSpectralNorm])
def test_the_output_scales_with_the_power_of_the_number_of_layers(name: type[SigmaNormalization]) -> None:
    x = images(4, 3, 32)
    plain = standard(name())(x)
    for c in (0.7, 1.4):
        torch.testing.assert_close(standard(name(), Scale(factor=c))(x), plain * c**LAYERS, rtol=1e-4, atol=1e-9)


def test_a_scale_acts_behind_the_normalization_whatever_the_order_of_their_names() -> None:
    discriminator = discriminator_with(SpectralNorm(**EXACT), Scale(factor=1.5))
    for layer in weighted_layers(discriminator):
        assert sigma(layer.weight.flatten(1)).item() == pytest.approx(1.5, rel=5e-3)


@pytest.mark.parametrize(("learned", "more"), [("no", 0), ("per-layer", 6), ("shared", 1)])
@pytest.mark.parametrize("biases", [False, True])
def test_learned_scales_are_parameters(learned: str, more: int, biases: bool) -> None:
    plain = discriminator_with(SpectralNorm())
    scaled = discriminator_with(SpectralNorm(), Scale(factor=2, learned=learned, biases=biases))  # type: ignore[arg-type]
    assert len(list(scaled.parameters())) == len(list(plain.parameters())) + more
    for network in (plain, scaled):
        for layer in weighted_layers(network):
            with torch.no_grad():
                raw_bias(layer).fill_(1.0)
    biases_found = {float(layer.bias[0].detach()) for layer in weighted_layers(scaled)}
    assert biases_found == {2.0 if biases else 1.0}
    scaled(images(2, 1, 8)).sum().backward()
    factors = [p for name, p in scaled.named_parameters() if name.endswith("factor")]
    assert len(factors) == more
    assert all(p.grad is not None and p.grad.abs() > 0 for p in factors)


# --- Theorems ---


@pytest.mark.parametrize("seed", range(3))
def test_a_mean_square_entry_never_exceeds_that_of_lecun_for_the_longer_side(seed: int) -> None:
    """|W / sigma|_F^2 = stable rank <= min(m, n), so the mean square is at most 1 / max(m, n)."""
    for layer in weighted_layers(standard(SpectralNorm(**EXACT), seed=seed)):
        matrix = layer.weight.detach().flatten(1)
        assert matrix.square().mean() <= (1 / max(matrix.shape)) * 1.001


def test_eulers_identity_holds_in_every_layer() -> None:
    """Without biases D is homogeneous of degree 1 in each weight: <dD/dw, w> = D(x)."""
    discriminator = discriminator_with().double()
    x = images(1, 1, 8).double()
    value = discriminator(x).sum()
    weights = [layer.weight for layer in weighted_layers(discriminator)]
    for weight, gradient in zip(weights, torch.autograd.grad(value, weights), strict=True):
        torch.testing.assert_close((weight * gradient).sum(), value, rtol=1e-9, atol=1e-18)


def test_the_guaranteed_bound_of_the_standard_discriminator_is_648() -> None:
    """A reshaped kernel of norm 1 leaves a convolution of norm up to ceil(kernel / stride)."""
    layers = weighted_layers(standard(SpectralNorm()))
    factors = [math.ceil(layer.kernel_size[0] / layer.stride[0]) for layer in layers if isinstance(layer, nn.Conv2d)]
    assert math.prod(factors) == 648
    # Nearly attained by equal weights.
    for kernel, stride, expected in ((3, 1, 2.98), (4, 2, 1.98)):
        layer = nn.Conv2d(1, 1, kernel, stride, 1)
        weight = torch.ones_like(layer.weight) / sigma(torch.ones_like(layer.weight).flatten(1))
        (linear_map,) = OperatorSpectralNorm().maps(layer, (32, 32))(weight)
        assert _norm(linear_map) == pytest.approx(expected, abs=0.01)


def _norm(linear_map) -> float:  # type: ignore[no-untyped-def]
    u = torch.randn(linear_map.image_shape, generator=torch_stream(0, "penalty"))
    for _ in range(300):
        v = F.normalize(linear_map.adjoint(u).flatten(), dim=0).view_as(linear_map.adjoint(u))
        u = linear_map.apply(v)
        norm = float(u.norm())
        u = u / norm
    return norm


# --- At initialization: Var * fan, gradients ---

# Var(W / sigma) * fan_in with spectral normalization, and Var * (fan_in + fan_out) / 2 with the bidirectional one.
VARIANCES = [(0.18, 0.84), (0.64, 0.64), (0.46, 0.59), (0.65, 0.65), (0.47, 0.59), (0.63, 0.64), (0.47, 0.58)]


@pytest.mark.parametrize("bidirectional", [False, True])
def test_variances_at_initialization(bidirectional: bool) -> None:
    """Means over three initializations; the first layer has 1,728 entries only."""
    regularizer = BidirectionalSpectralNorm(**EXACT) if bidirectional else SpectralNorm(**EXACT)
    found = torch.tensor([_variances(standard(regularizer, seed=seed), bidirectional) for seed in range(3)]).mean(dim=0)
    assert found.tolist() == pytest.approx([row[bidirectional] for row in VARIANCES], rel=0.1)


def _variances(discriminator: nn.Module, bidirectional: bool) -> list[float]:
    """Var(W) of every convolution, in units of LeCun's or of Xavier's."""
    found = []
    for layer in weighted_layers(discriminator):
        if isinstance(layer, nn.Conv2d):
            receptive = layer.kernel_size[0] * layer.kernel_size[1]
            fan_in, fan_out = layer.in_channels * receptive, layer.out_channels * receptive
            fan = (fan_in + fan_out) / 2 if bidirectional else fan_in
            found.append(float(layer.weight.detach().var()) * fan)
    return found


def gradient_norms(discriminator: nn.Module, x: Tensor) -> tuple[float, float, list[float]]:
    """Mean |D(x)|, mean |dD/dx| and the norms of dD/dw by effective weight, averaged over the images."""
    layers = weighted_layers(discriminator)
    x = x.requires_grad_()
    with parametrize.cached():
        weights = [layer.weight for layer in layers]
        values = discriminator(x)
        (by_image,) = torch.autograd.grad(values.sum(), x, retain_graph=True)
        by_weight = [
            [float(g.norm()) for g in torch.autograd.grad(value, weights, retain_graph=True)] for value in values
        ]
    means = torch.tensor(by_weight).mean(dim=0).tolist()
    return float(values.detach().abs().mean()), float(by_image.flatten(1).norm(dim=1).mean()), means


REFERENCE: Sequence[tuple[tuple[Regularizer, ...], float, float, float]] = [
    # regularizers, mean |D(x)|, mean |dD/dx|, |dD/dw| of the last convolution
    ((), 0.0015, 0.0026, float("nan")),
    ((SpectralNorm(**EXACT),), 0.0023, 0.0041, 0.158),
    ((SpectralNorm(**EXACT), Scale(factor=1.4)), 0.034, 0.061, float("nan")),
    ((SpectralNorm(**EXACT), Scale(factor=2.0)), 0.60, 1.06, float("nan")),
    ((BidirectionalSpectralNorm(**EXACT),), 0.0012, 0.0021, float("nan")),
    ((OperatorSpectralNorm(num_iterations=20),), 0.00012, 0.00027, 0.0154),
]


@pytest.mark.parametrize(("regularizers", "output", "slope", "last"), REFERENCE)
def test_outputs_and_gradients_at_initialization(
    regularizers: tuple[Regularizer, ...], output: float, slope: float, last: float
) -> None:
    """Reference values are means over three initializations; three others scatter by a third of them."""
    found = [gradient_norms(standard(*regularizers, seed=seed), images(4, 3, 32, seed)) for seed in range(3)]
    assert sum(f[1] for f in found) / 3 == pytest.approx(slope, rel=0.35)
    assert sum(f[0] for f in found) / 3 == pytest.approx(output, rel=0.6)
    if not math.isnan(last):
        assert sum(f[2][-2] for f in found) / 3 == pytest.approx(last, rel=0.35)


def test_strict_normalization_lets_gradients_vanish() -> None:
    """The input's gradient is about 15 times smaller than with the reshaped kernel, before any training."""
    x = images(4, 3, 32)
    loose = gradient_norms(standard(SpectralNorm(**EXACT)), x)[1]
    strict = gradient_norms(standard(OperatorSpectralNorm(num_iterations=20)), x)[1]
    assert 8 < loose / strict < 30
