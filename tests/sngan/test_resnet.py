"""The ResNets against the paper's tables, counted by hand, and against the official code's order of operations."""

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sngan.config import TrialConfig
from sngan.models import ARCHITECTURES, Discriminator, build_networks
from sngan.models.conditioning import BatchNorm, Condition
from sngan.models.resnet import DownBlock, UpBlock
from sngan.seeding import torch_stream

# Output widths as the paper's tables print them: the generator's dense layer and blocks, the discriminator's blocks and
# how many of those halve the image.
TABLES = {
    "resnet-32": ((256, 256, 256, 256), (128, 128, 128, 128), 2, 32),
    "resnet-48": ((512, 256, 128, 64), (64, 128, 256, 512, 1024), 4, 48),
    "resnet-128": ((1024, 1024, 512, 256, 128, 64), (64, 128, 256, 512, 1024, 1024), 5, 128),
    "resnet-32-wgan-gp": ((128, 128, 128, 128), (128, 128, 128, 128), 2, 32),
}


def published(name: str, condition: Condition | None = None) -> tuple[nn.Module, Discriminator]:
    """The networks at full width, without memory for their weights."""
    entry = ARCHITECTURES[name]
    (size,) = entry.image_sizes
    with torch.device("meta"):
        generator = entry.generator(
            z_dim=128, channels=3, image_size=size, num_classes=condition and condition.num_classes
        )
        discriminator = entry.discriminator(
            channels=3, image_size=size, insert=lambda *place: None, condition=condition, width_factor=1.0
        )
    return generator, discriminator


def num_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def convolution(before: int, width: int, kernel: int) -> int:
    return before * width * kernel**2 + width


def counted_generator(widths: tuple[int, ...], bottom: int, num_gains: int = 1) -> int:
    """Dense, then per block two batch norms, two 3x3 and a 1x1 convolution, then batch norm and a 3x3 one."""
    total = (128 + 1) * widths[0] * bottom**2
    for before, width in pairwise(widths):
        norms = 2 * num_gains * (before + width)
        total += norms + convolution(before, width, 3) + convolution(width, width, 3) + convolution(before, width, 1)
    return total + 2 * widths[-1] + convolution(widths[-1], 3, 3)


def counted_discriminator(widths: tuple[int, ...], num_down: int, bias: bool) -> int:
    """The first block is as wide inside as its output, the others as their input; a 1x1 where width or size change."""
    total, before = 0, 3
    for number, width in enumerate(widths):
        hidden = width if number == 0 else before
        total += convolution(before, hidden, 3) + convolution(hidden, width, 3)
        total += convolution(before, width, 1) if number < num_down or before != width else 0
        before = width
    return total + before + bias


@pytest.mark.parametrize("name", TABLES)
def test_number_of_parameters_is_that_of_the_table(name: str) -> None:
    generator_widths, discriminator_widths, num_down, size = TABLES[name]
    generator, discriminator = published(name)
    assert num_parameters(generator) == counted_generator(generator_widths, size // 2 ** (len(generator_widths) - 1))
    bias = name in ("resnet-128", "resnet-32-wgan-gp")
    assert num_parameters(discriminator) == counted_discriminator(discriminator_widths, num_down, bias)
    assert (discriminator.head.dense.bias is not None) == bias


def test_the_cifar_networks_have_4_28_and_1_05_million_parameters() -> None:
    generator, discriminator = published("resnet-32")
    assert num_parameters(generator) / 1e6 == pytest.approx(4.28, abs=0.005)
    assert num_parameters(discriminator) / 1e6 == pytest.approx(1.05, abs=0.005)


def test_conditions_add_what_table_6_says() -> None:
    """Projection: a vector per class beside the dense layer. Concatenation: 128 channels more into the fourth block."""
    plain = num_parameters(published("resnet-128")[1])
    projection, concat = (published("resnet-128", Condition(kind, 1000)) for kind in ("projection", "concat"))
    assert num_parameters(projection[1]) - plain == 1000 * 1024
    fourth = {key: value for key, value in concat[1].blocks[3].named_parameters() if key.endswith("weight")}
    assert fourth["first.weight"].shape == (384, 384, 3, 3)
    assert fourth["second.weight"].shape == (512, 384, 3, 3)
    assert concat[1].concatenation.embedding.weight.shape == (128, 1000)
    widths, _, _, _ = TABLES["resnet-128"]
    # Gains and shifts of every class in the blocks; the last batch norm has one pair for all.
    assert num_parameters(projection[0]) == counted_generator(widths, 4, num_gains=1000)


def random(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch_stream(0, "latent"))


@pytest.mark.parametrize(("number", "down"), [(0, True), (1, True), (2, False)])
def test_down_block_is_the_official_one(number: int, down: bool) -> None:
    """Theirs averages behind the 1x1 convolution, except in the first block; block 2 here has no such convolution."""
    before, width = (3, 8) if number == 0 else (6, 6)
    block = DownBlock(number, before, width, 8, down=down, insert=lambda *place: None)
    _draw_weights(block)
    x = random(2, before, 8, 8)
    h = x if number == 0 else F.relu(x)
    h = block.second(F.relu(block.first(h)))
    shortcut = x if number == 2 else block.shortcut(x)
    expected = F.avg_pool2d(h, 2) + F.avg_pool2d(shortcut, 2) if down else h + shortcut
    torch.testing.assert_close(block(x), expected)


def test_up_block_is_the_official_one() -> None:
    """Theirs repeats the pixels before both convolutions."""
    block = UpBlock(6, 4, None)
    _draw_weights(block)
    x = random(3, 6, 5, 5)

    def repeated(y: Tensor) -> Tensor:
        return y.repeat_interleave(2, 2).repeat_interleave(2, 3)

    h = block.first(repeated(F.relu(F.batch_norm(x, None, None, training=True, eps=2e-5))))
    h = block.second(F.relu(F.batch_norm(h, None, None, training=True, eps=2e-5)))
    torch.testing.assert_close(block(x, None), h + block.shortcut(repeated(x)))


def _draw_weights(network: nn.Module) -> None:
    stream = torch_stream(1, "init-discriminator")
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                for parameter in module.parameters():
                    parameter.normal_(generator=stream)


def test_batch_norm_has_chainers_epsilon_and_decay() -> None:
    generator, _ = published("resnet-32")
    norms = [module for module in generator.modules() if isinstance(module, BatchNorm)]
    assert len(norms) == 7
    assert {(norm.eps, norm.momentum) for norm in norms} == {(2e-5, 0.1)}


@pytest.mark.parametrize(("name", "expected"), [("resnet-32", 64.0), ("resnet-32-wgan-gp", 1.0)])
def test_features_are_summed_over_places_or_averaged(name: str, expected: float) -> None:
    """A last block that answers 1 everywhere: on 8 x 8 places the sum is 64, the mean 1."""
    _, discriminator = build_networks(TrialConfig(architecture=name), channels=3, image_size=32)
    with torch.no_grad():
        for parameter in discriminator.blocks.parameters():
            parameter.zero_()
        discriminator.blocks[-1].second.bias.fill_(1)
    features = discriminator.features(random(2, 3, 32, 32), None)
    torch.testing.assert_close(features, torch.full((2, 128), expected))


def test_initial_weights_have_gain_sqrt_2_on_residual_paths_alone() -> None:
    config = TrialConfig(
        architecture="resnet-32", generator_init="glorot-residual", discriminator_init="glorot-residual"
    )
    generator, discriminator = build_networks(config, channels=3, image_size=32)
    expected = {
        generator.blocks[0].first: 4 / (256 * 9 * 2),
        generator.blocks[0].second: 4 / (256 * 9 * 2),
        generator.blocks[0].shortcut: 2 / (256 * 2),
        generator.dense: 2 / (128 + 4096),
        generator.last: 2 / (256 * 9 + 3 * 9),
        discriminator.blocks[1].first: 4 / (128 * 9 * 2),
        discriminator.blocks[1].shortcut: 2 / (128 * 2),
    }
    for layer, variance in expected.items():
        assert layer.weight.var().item() == pytest.approx(variance, rel=0.05)
        # Uniform, not normal: nothing beyond sqrt(3) standard deviations.
        assert layer.weight.abs().max().item() <= (3 * variance) ** 0.5
