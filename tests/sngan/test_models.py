"""Networks: sizes as published, ranges, refusals, independence of images."""

from pathlib import Path

import pytest
import torch

from sngan.config import TrialConfig
from sngan.errors import InputError
from sngan.inputs import check_names
from sngan.methods import METHODS
from sngan.models import build_networks
from sngan.models.initialization import INITIALIZERS, BlockConv2d
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


def test_the_wide_plan_has_the_channels_and_the_size_of_the_published_codes() -> None:
    _, discriminator = build_networks(TrialConfig(architecture="standard-cnn-wide"), channels=3, image_size=32)
    shapes = [tuple(layer.weight.shape) for layer in weighted_layers(discriminator)]
    assert [shape[0] for shape in shapes] == [64, 128, 128, 256, 256, 512, 512, 1]
    assert [shape[2] for shape in shapes[:-1]] == [3, 4, 3, 4, 3, 4, 3]
    assert num_parameters(discriminator) / 1e6 == pytest.approx(5.86, abs=0.005)


@pytest.mark.parametrize("factor", [0.5, 1, 2, 4, 6, 8])
def test_width_factor_multiplies_input_and_output_of_the_seventh_convolution(factor: float) -> None:
    """Fig. 4 and footnote 6 of arXiv:1802.05957, with its six factors."""
    config = TrialConfig(architecture="standard-cnn", width_factor=factor)
    _, discriminator = build_networks(config, channels=3, image_size=48)
    widths = [tuple(layer.weight.shape[:2]) for layer in weighted_layers(discriminator)]
    wide_in, wide_out = int(256 * factor), int(512 * factor)
    assert widths[:5] == [(64, 3), (64, 64), (128, 64), (128, 128), (256, 128)]
    assert widths[5:] == [(wide_in, 256), (wide_out, wide_in), (1, wide_out * 36)]


@pytest.mark.parametrize(
    ("factor", "expected"), [(0, "above 0, up to 16"), (16.5, "above 0, up to 16"), (0.3, "256 and 512 channels whole")]
)
def test_a_width_factor_that_cannot_be_is_refused(factor: float, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        check_names(TrialConfig(architecture="standard-cnn", width_factor=factor), "cpu", Path("none"))


def test_a_data_set_of_another_size_is_refused_before_anything_is_opened() -> None:
    with pytest.raises(InputError, match="32, 48, 64 pixels, not 8"):
        check_names(TrialConfig(architecture="standard-cnn"), "cpu", Path("none"))


def test_another_image_size_is_refused_with_the_allowed_ones() -> None:
    with pytest.raises(InputError, match="32, 48, 64 pixels, not 8"):
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
    layer = BlockConv2d(32, 64, 3) if name == "glorot-residual" else torch.nn.Conv2d(32, 64, 3)
    INITIALIZERS[name](layer, torch_stream(0, "init-generator"))
    fan_in, fan_out = 32 * 9, 64 * 9
    promised = {
        "normal-0.02": 0.02**2,
        "lecun": 1 / fan_in,
        "glorot": 2 / (fan_in + fan_out),
        "glorot-residual": 4 / (fan_in + fan_out),  # gain sqrt(2) on the residual path
        "orthonormal": 1 / fan_in,  # 64 orthonormal rows of length fan_in
    }
    assert layer.weight.var().item() == pytest.approx(promised[name], rel=0.05)
