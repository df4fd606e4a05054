"""Networks: sizes as published, ranges, refusals, independence of images."""

import pytest
import torch

from sngan.config import TrialConfig
from sngan.errors import InputError
from sngan.methods import METHODS
from sngan.models import ARCHITECTURES, build_networks
from sngan.models.initialization import INITIALIZERS
from sngan.regularizers.base import weighted_layers
from sngan.seeding import torch_stream


def num_parameters(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(("size", "generator_m", "discriminator_m"), [(32, 3.81, 2.94), (48, 5.13, 2.95)])
def test_standard_cnn_has_the_size_of_table_3(size: int, generator_m: float, discriminator_m: float) -> None:
    config = TrialConfig(architecture="standard-cnn")
    generator, discriminator = build_networks(config, channels=3, image_size=size)
    assert round(num_parameters(generator) / 1e6, 2) == pytest.approx(generator_m, abs=0.011)
    assert round(num_parameters(discriminator) / 1e6, 2) == pytest.approx(discriminator_m, abs=0.011)


def test_standard_cnn_discriminator_has_the_channels_of_table_3() -> None:
    _, discriminator = build_networks(TrialConfig(architecture="standard-cnn"), channels=3, image_size=32)
    shapes = [tuple(layer.weight.shape) for layer in weighted_layers(discriminator)]
    assert [shape[0] for shape in shapes] == [64, 64, 128, 128, 256, 256, 512, 1]
    assert [shape[2] for shape in shapes[:-1]] == [3, 4, 3, 4, 3, 4, 3]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_shapes_and_ranges_at_every_size(name: str) -> None:
    for size in ARCHITECTURES[name].image_sizes:
        config = TrialConfig(architecture=name, z_dim=10)
        generator, discriminator = build_networks(config, channels=2, image_size=size)
        images = generator(torch.randn(3, 10, generator=torch_stream(0, "latent")))
        assert images.shape == (3, 2, size, size)
        assert images.abs().max() <= 1
        assert discriminator(images).shape == (3,)


def test_another_image_size_is_refused_with_the_allowed_ones() -> None:
    with pytest.raises(InputError, match="32, 48 pixels, not 8"):
        build_networks(TrialConfig(architecture="standard-cnn"), channels=3, image_size=8)


@pytest.mark.parametrize("method", [name for name in METHODS if name != "batch-norm"])
def test_logits_do_not_depend_on_the_batch(method: str) -> None:
    """One joint forward of real and fake images is the same arithmetic as two; only batch norm is different."""
    _, discriminator = build_networks(METHODS[method].apply(TrialConfig()), channels=1, image_size=8)
    images = torch.randn(6, 1, 8, 8, generator=torch_stream(0, "latent"))
    torch.testing.assert_close(discriminator(images)[:3], discriminator(images[:3]))


def test_all_methods_start_from_the_same_weights_at_the_same_seed() -> None:
    raw = {}
    for name in ("none", "wgan-gp", "layer-norm", "weight-clipping"):
        generator, discriminator = build_networks(METHODS[name].apply(TrialConfig()), channels=1, image_size=8)
        raw[name] = [*generator.parameters(), *(layer.weight for layer in weighted_layers(discriminator))]
    for weights in raw.values():
        assert all(torch.equal(a, b) for a, b in zip(weights, raw["none"], strict=True))


@pytest.mark.parametrize("name", INITIALIZERS)
def test_initial_weights_have_the_variance_they_promise(name: str) -> None:
    weight = torch.empty(64, 32, 3, 3)
    INITIALIZERS[name](weight, torch_stream(0, "init-generator"))
    fan_in, fan_out = 32 * 9, 64 * 9
    promised = {
        "normal-0.02": 0.02**2,
        "lecun": 1 / fan_in,
        "glorot": 2 / (fan_in + fan_out),
        "orthonormal": 1 / fan_in,  # 64 orthonormal rows of length fan_in
    }
    assert weight.var().item() == pytest.approx(promised[name], rel=0.05)
