"""Every architecture of the registry keeps the contract: its shapes, with every method, under every condition.

Networks are built as published on the meta device, which has shapes and no numbers, and trained with an eighth of their
channels.
"""

import dataclasses
from typing import get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils import parametrize

from sngan.config import Conditioning, TrialConfig
from sngan.errors import InputError
from sngan.methods import METHODS
from sngan.models import ARCHITECTURES, Architecture, build_networks
from sngan.models.conditioning import Condition
from sngan.models.initialization import INITIALIZERS
from sngan.regularizers.base import weighted_layers
from sngan.regularizers.power_iteration import advance_power_iterations
from sngan.regularizers.spectral_norm import SpectralNorm
from sngan.seeding import torch_stream
from sngan.state import TrainState
from sngan.training import train

CONDITIONINGS = get_args(Conditioning)
NUM_CLASSES = 3


def thin(architecture: Architecture) -> Architecture:
    """The same plan with an eighth of the channels, and no fewer than 4."""
    changes = {
        field: tuple(max(4, width // 8) for width in getattr(architecture, field))
        for field in ("generator_widths", "discriminator_widths")
    }
    return dataclasses.replace(architecture, **changes)


@pytest.fixture(params=list(ARCHITECTURES))
def name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """An architecture's name; while the test runs its networks are thin."""
    monkeypatch.setitem(ARCHITECTURES._entries, request.param, thin(ARCHITECTURES[request.param]))
    return request.param


def thin_config(name: str, **changes: object) -> TrialConfig:
    weights = ARCHITECTURES[name].initialization
    return TrialConfig(
        architecture=name, generator_init=weights, discriminator_init=weights, z_dim=5, n_dis=1, batch_size=2,
        generator_batch_size=2, **changes,
    )  # fmt: skip


def data(size: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    random = np.random.default_rng(0)
    return random.integers(0, 256, (12, 2, size, size), dtype=np.uint8), random.integers(0, NUM_CLASSES, 12)


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=lambda architecture: architecture.name)
def test_says_what_it_is_and_starts_as_its_source_does(architecture: Architecture) -> None:
    assert ARCHITECTURES[architecture.name] is architecture
    assert architecture.description
    assert architecture.initialization in INITIALIZERS
    TrialConfig(generator_init=architecture.initialization, discriminator_init=architecture.initialization)


@pytest.mark.parametrize("conditioning", CONDITIONINGS)
@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=lambda architecture: architecture.name)
def test_shapes_as_published(architecture: Architecture, conditioning: str) -> None:
    condition = None if conditioning == "none" else Condition(conditioning, 10)
    for size in architecture.image_sizes:
        with torch.device("meta"):
            generator = architecture.generator(
                z_dim=128, channels=3, image_size=size, num_classes=None if condition is None else 10
            )
            discriminator = architecture.discriminator(
                channels=3, image_size=size, insert=lambda *place: None, condition=condition, width_factor=1.0
            )
            labels = torch.zeros(4, dtype=torch.int64)
            images = generator(torch.zeros(4, 128), labels)
            judgement = discriminator.judge(images, labels)
        assert images.shape == (4, 3, size, size)
        assert judgement.logits.shape == (4,)
        classified = conditioning == "auxiliary-classifier"
        assert (judgement.class_logits.shape == (4, 10)) if classified else judgement.class_logits is None


def test_images_are_in_range_and_every_layer_takes_part(name: str) -> None:
    size = ARCHITECTURES[name].image_sizes[0]
    generator, discriminator = build_networks(thin_config(name), channels=2, image_size=size)
    images = generator(torch.randn(3, 5, generator=torch_stream(0, "latent")))
    assert 0 < images.abs().max() <= 1
    discriminator(images).square().sum().backward()
    for network in (generator, discriminator):
        assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("method", METHODS)
def test_trains_with_every_method(name: str, method: str) -> None:
    size = ARCHITECTURES[name].image_sizes[0]
    state = TrainState.start(METHODS[method].apply(thin_config(name)), channels=2, image_size=size)
    before = [parameter.detach().clone() for parameter in state.discriminator.parameters()]
    train(state, data(size)[0], 2)
    assert state.networks_are_finite()
    assert all(np.isfinite(value) for value in state.means().values())
    assert any(not torch.equal(a, b) for a, b in zip(before, state.discriminator.parameters(), strict=True))


@pytest.mark.parametrize("method", ["sn", "batch-norm", "wgan-gp", "layer-norm", "wgan-gp-sn-shared", "r1", "sn-conv"])
@pytest.mark.parametrize("conditioning", CONDITIONINGS[1:])
def test_trains_under_every_condition(name: str, conditioning: str, method: str) -> None:
    size = ARCHITECTURES[name].image_sizes[0]
    config = METHODS[method].apply(thin_config(name, conditioning=conditioning))
    images, labels = data(size)
    state = TrainState.start(config, channels=2, image_size=size, num_classes=NUM_CLASSES)
    train(state, images, 2, labels)
    assert state.networks_are_finite()
    assert all(np.isfinite(value) for value in state.means().values())


@pytest.mark.parametrize("conditioning", CONDITIONINGS)
def test_spectral_norm_is_on_every_weight(name: str, conditioning: str) -> None:
    """Convolutions, shortcuts, the dense layer, embeddings and the classifier all have spectral norm 1."""
    config = thin_config(name, conditioning=conditioning, regularizers=(SpectralNorm(num_iterations=1000),))
    size = ARCHITECTURES[name].image_sizes[0]
    _, discriminator = build_networks(config, channels=2, image_size=size, num_classes=NUM_CLASSES)
    advance_power_iterations(discriminator)
    matrices = {key for key, parameter in discriminator.named_parameters() if parameter.dim() > 1}
    assert matrices
    assert all(key.endswith("parametrizations.weight.original") for key in matrices)
    for layer in weighted_layers(discriminator):
        assert parametrize.is_parametrized(layer, "weight")
        sigma = torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item()
        assert sigma == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("method", ["batch-norm", "layer-norm"])
def test_a_layer_is_inserted_behind_every_convolution_but_shortcuts_and_the_first(name: str, method: str) -> None:
    size = ARCHITECTURES[name].image_sizes[0]
    config = METHODS[method].apply(thin_config(name))
    _, discriminator = build_networks(config, channels=2, image_size=size)
    inserted = [m for m in discriminator.modules() if isinstance(m, nn.BatchNorm2d | nn.LayerNorm)]
    main = [
        key
        for key, module in discriminator.named_modules()
        if isinstance(module, nn.Conv2d) and not key.endswith("shortcut")
    ]
    assert len(inserted) == len(main) - 1


def test_width_factor_widens_the_discriminator_alone(name: str) -> None:
    size = ARCHITECTURES[name].image_sizes[0]
    numbers = {}
    for factor in (1.0, 2.0):
        networks = build_networks(thin_config(name, width_factor=factor), channels=2, image_size=size)
        numbers[factor] = [sum(parameter.numel() for parameter in network.parameters()) for network in networks]
    assert numbers[1.0][0] == numbers[2.0][0]
    assert numbers[1.0][1] < numbers[2.0][1]
    with pytest.raises(InputError, match=r"width_factor is 1\.01; allowed: factors that make .* whole numbers"):
        build_networks(thin_config(name, width_factor=1.01), channels=2, image_size=size)
