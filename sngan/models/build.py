"""From a TrialConfig to its two networks."""

import torch
from torch import nn
from torch.nn.utils import parametrize

from sngan.config import TrialConfig
from sngan.errors import InputError
from sngan.models.base import ARCHITECTURES, Discriminator, InsertLayer
from sngan.models.conditioning import Condition
from sngan.models.initialization import initialize
from sngan.regularizers.base import Normalization, PlacedLayer, Reparametrization, weighted_layers
from sngan.seeding import torch_stream


def build_networks(
    config: TrialConfig, *, channels: int, image_size: int, num_classes: int | None = None
) -> tuple[nn.Module, Discriminator]:
    """Generator and discriminator on the CPU, initialized, with normalizations and reparametrizations in place.

    num_classes : of the data set, None where it has no labels; not looked at in an unconditional trial.

    Raises InputError when the architecture is not made for the image size or the width factor, and when a conditional
    trial has no labels.
    """
    architecture = ARCHITECTURES[config.architecture]
    architecture.check(image_size)
    condition = condition_of(config, num_classes)
    generator = architecture.generator(
        z_dim=config.z_dim,
        channels=channels,
        image_size=image_size,
        num_classes=None if condition is None else condition.num_classes,
    )
    initialize(generator, config.generator_init, torch_stream(config.seed, "init-generator"))

    discriminator = architecture.discriminator(
        channels=channels,
        image_size=image_size,
        insert=_inserted_layer(config),
        condition=condition,
        width_factor=config.width_factor,
    )
    stream = torch_stream(config.seed, "init-discriminator")
    initialize(discriminator, config.discriminator_init, stream)
    # After initialization: a parametrized weight can no longer be initialized in place.
    reparametrizations = [r for r in config.regularizers if isinstance(r, Reparametrization)]
    layers = placed_layers(discriminator, channels, image_size) if reparametrizations else []
    # In the order of definition: what they draw from the stream goes by it.
    defined = weighted_layers(discriminator)
    layers.sort(key=lambda placed: defined.index(placed.layer))
    for regularizer in sorted(reparametrizations, key=lambda r: r.stage):
        for placed, module in zip(layers, regularizer.parametrizations(layers, stream), strict=True):
            # A layer without a bias has none to act on.
            for name in (name for name in regularizer.tensors if getattr(placed.layer, name) is not None):
                parametrize.register_parametrization(placed.layer, name, module, unsafe=True)
    return generator, discriminator


def condition_of(config: TrialConfig, num_classes: int | None) -> Condition | None:
    """How the discriminator of a trial is conditional; None where it is not.

    Raises InputError for a conditional trial on images without labels (num_classes None).
    """
    if config.conditioning == "none":
        return None
    if num_classes is None:
        raise InputError(
            f"config.conditioning is {config.conditioning!r}, but the training images of data set {config.dataset!r} "
            "have no labels.\nAllowed: 'none', or a data set with labels."
        )
    return Condition(config.conditioning, num_classes)


def placed_layers(discriminator: Discriminator, channels: int, image_size: int) -> list[PlacedLayer]:
    """The layers of a discriminator in training, with the sizes of their inputs, in the order in which one empty image
    comes to them.
    """
    sizes: dict[nn.Conv2d | nn.Linear, tuple[int, int]] = {}

    def note(layer: nn.Conv2d | nn.Linear, inputs: tuple[torch.Tensor]) -> None:
        height, width = inputs[0].shape[2:] if isinstance(layer, nn.Conv2d) else (1, 1)
        sizes[layer] = (height, width)

    layers = weighted_layers(discriminator)
    hooks = [layer.register_forward_pre_hook(note) for layer in layers]
    discriminator.eval()
    with torch.no_grad():
        device = layers[0].weight.device
        image = torch.zeros(1, channels, image_size, image_size, device=device)
        discriminator(image, torch.zeros(1, dtype=torch.int64, device=device))
    discriminator.train()
    for hook in hooks:
        hook.remove()
    assert len(sizes) == len(layers), "every layer takes part"
    return [PlacedLayer(layer, size) for layer, size in sizes.items()]


def _inserted_layer(config: TrialConfig) -> InsertLayer:
    normalizations = [r for r in config.regularizers if isinstance(r, Normalization)]

    def insert(index: int, channels: int, height: int, width: int) -> nn.Module | None:
        layers = [n.layer(index, channels, height, width) for n in normalizations]
        present = [layer for layer in layers if layer is not None]
        return nn.Sequential(*present) if present else None

    return insert
