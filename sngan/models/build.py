"""From a TrialConfig to its two networks."""

from torch import nn
from torch.nn.utils import parametrize

from sngan.config import TrialConfig
from sngan.models.base import ARCHITECTURES, InsertLayer
from sngan.models.initialization import initialize
from sngan.regularizers.base import Normalization, Reparametrization, weighted_layers
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
    for regularizer in config.regularizers:
        if isinstance(regularizer, Reparametrization):
            for layer in weighted_layers(discriminator):
                module = regularizer.parametrization(layer, stream)
                parametrize.register_parametrization(layer, "weight", module, unsafe=True)
    return generator, discriminator


def _inserted_layer(config: TrialConfig) -> InsertLayer:
    normalizations = [r for r in config.regularizers if isinstance(r, Normalization)]

    def insert(index: int, channels: int, height: int, width: int) -> nn.Module | None:
        layers = [n.layer(index, channels, height, width) for n in normalizations]
        present = [layer for layer in layers if layer is not None]
        return nn.Sequential(*present) if present else None

    return insert
