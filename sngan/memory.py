"""The least memory that a training needs, from its config alone: nothing is computed, no device is touched."""

import torch
from torch import Tensor, nn

from sngan.config import TrialConfig
from sngan.state import TrainState

_COPIES = 4  # of every weight: itself, its gradient and Adam's two moments


def least_training_bytes(config: TrialConfig, *, channels: int, image_size: int, num_classes: int | None = None) -> int:
    """Bytes that no training of this config does without: weights, gradients, moments, and what a forward keeps for
    its backward.

    Libraries' workspaces, fragments, penalties and the device's own context come on top: what does not fit by this
    number cannot fit. The arguments and errors are those of `sngan.state.TrainState.start`.
    """
    state = TrainState.start(config, channels=channels, image_size=image_size, num_classes=num_classes)
    networks = state.generator, state.discriminator
    weights = sum(parameter.nbytes for network in networks for parameter in network.parameters())
    for network in networks:
        network.to("meta")

    def labels(num: int) -> Tensor | None:
        return None if state.num_classes is None else torch.zeros(num, dtype=torch.int64, device="meta")

    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if not isinstance(tensor, nn.Parameter) and not tensor._is_view():
            kept[id(tensor)] = tensor
        return tensor

    # The generator's update keeps what both networks need.
    num = config.generator_batch_size
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        z = torch.zeros(num, config.z_dim, device="meta")
        state.discriminator.judge(state.generator(z, labels(num)), labels(num))
    return _COPIES * weights + sum(tensor.nbytes for tensor in kept.values())
