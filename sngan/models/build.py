"""From a TrialConfig to its two networks."""

import torch
from torch import nn
from torch.nn.utils import parametrize

from sngan.config import TrialConfig
from sngan.models.base import ARCHITECTURES, InsertLayer
from sngan.models.initialization import initialize
from sngan.regularizers.base import Normalization, PlacedLayer, Reparametrization, weighted_layers
from sngan.seeding import torch_stream


def build_networks(config: TrialConfig, *, channels: int, image_size: int) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator on the CPU, initialized, with normalizations and reparametrizations in place.

    Raises InputError when the architecture is not made for the image size.
    """
    architecture = ARCHITECTURES[config.architecture]
    architecture.check(image_size)
    generator = architecture.generator(z_dim=config.z_dim, channels=channels, image_size=image_size)
    initialize(generator, config.generator_init, torch_stream(config.seed, "init-generator"))

    discriminator = architecture.discriminator(channels=channels, image_size=image_size, insert=_inserted_layer(config))
    stream = torch_stream(config.seed, "init-discriminator")
    initialize(discriminator, config.discriminator_init, stream)
    # After initialization: a parametrized weight can no longer be initialized in place.
    reparametrizations = [r for r in config.regularizers if isinstance(r, Reparametrization)]
    layers = placed_layers(discriminator, channels, image_size) if reparametrizations else []
    for regularizer in sorted(reparametrizations, key=lambda r: r.stage):
        for placed, module in zip(layers, regularizer.parametrizations(layers, stream), strict=True):
            for name in regularizer.tensors:
                parametrize.register_parametrization(placed.layer, name, module, unsafe=True)
    return generator, discriminator


def placed_layers(discriminator: nn.Module, channels: int, image_size: int) -> list[PlacedLayer]:
    """The layers of a discriminator in training, with the sizes of their inputs, as one empty image sees them."""
    sizes: dict[nn.Module, tuple[int, int]] = {}

    def note(layer: nn.Module, inputs: tuple[torch.Tensor]) -> None:
        height, width = inputs[0].shape[2:] if isinstance(layer, nn.Conv2d) else (1, 1)
        sizes[layer] = (height, width)

    layers = weighted_layers(discriminator)
    hooks = [layer.register_forward_pre_hook(note) for layer in layers]
    discriminator.eval()
    with torch.no_grad():
        discriminator(torch.zeros(1, channels, image_size, image_size, device=layers[0].weight.device))
    discriminator.train()
    for hook in hooks:
        hook.remove()
    return [PlacedLayer(layer, sizes[layer]) for layer in layers]


def _inserted_layer(config: TrialConfig) -> InsertLayer:
    normalizations = [r for r in config.regularizers if isinstance(r, Normalization)]

    def insert(index: int, channels: int, height: int, width: int) -> nn.Module | None:
        layers = [n.layer(index, channels, height, width) for n in normalizations]
        present = [layer for layer in layers if layer is not None]
        return nn.Sequential(*present) if present else None

    return insert
