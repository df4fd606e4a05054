"""What every method promises when it is trained: small networks, few updates, the real training loop."""

import io
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from sngan.config import TrialConfig
from sngan.contract.base import BrokenPromiseError, changed, check, demand, global_generators_kept
from sngan.errors import one_line
from sngan.methods import Method
from sngan.regularizers.base import raw_weight, weighted_layers
from sngan.seeding import numpy_stream
from sngan.state import TrainState
from sngan.training import train

_SMALL = TrialConfig(
    batch_size=4,
    generator_batch_size=4,
    z_dim=8,
    n_dis=2,
    # N(0, 0.02) belongs to wide layers, as in the presets of studies.
    generator_init="glorot",
    discriminator_init="glorot",
)
_CONDITIONAL = _SMALL.replace(conditioning="projection")
_STANDARD = TrialConfig(
    architecture="standard-cnn", batch_size=2, generator_batch_size=2, z_dim=8, n_dis=1, discriminator_init="glorot"
)
_RESNET = _SMALL.replace(architecture="small-resnet")
_SIZES = {"small-cnn": (1, 8), "small-resnet": (1, 8), "standard-cnn": (3, 32)}  # channels, pixels
_NUM_CLASSES = 3
_LABELS = np.arange(12) % _NUM_CLASSES  # of the images; an unconditional trial does not look at them


def _start(config: TrialConfig) -> tuple[TrainState, NDArray[np.uint8]]:
    """The state before the first update, and 12 images of noise [12, C, H, W]."""
    channels, size = _SIZES[config.architecture]
    images = numpy_stream(0, "data").integers(0, 256, (12, channels, size, size), dtype=np.uint8)
    return TrainState.start(config, channels=channels, image_size=size, num_classes=_NUM_CLASSES), images


def _tensors(state: TrainState) -> dict[str, object]:
    """Weights and buffers of both networks, and the sums of losses."""
    networks = {"generator": state.generator, "discriminator": state.discriminator}
    found = {f"{name}.{key}": value for name, net in networks.items() for key, value in net.state_dict().items()}
    return {**found, "the sums of losses": state.sums}


def _forwards(method: Method) -> Iterator[TrialConfig]:
    """Configs of CNNs, a conditional one and a ResNet, with both forwards unless the method fixes them."""
    for base in (_SMALL, _CONDITIONAL, _RESNET, _STANDARD):
        for forward in ("joint", "separate"):
            config = method.apply(base.replace(discriminator_forward=forward))
            if config.discriminator_forward == forward:
                yield config


@check(
    Method,
    "trains small-cnn, also a conditional one, small-resnet and standard-cnn, with joint and with separate forwards",
)
def method_trains(method: Method) -> None:
    """Every layer of the discriminator learns, so does the generator, and all stays finite."""
    for config in _forwards(method):
        conditional = "" if config.conditioning == "none" else "conditional "
        where = f"{conditional}{config.architecture}, {config.discriminator_forward} forward"
        state, images = _start(config)
        layers = weighted_layers(state.discriminator)
        before = [raw_weight(layer).detach().clone() for layer in layers]
        generator = [parameter.detach().clone() for parameter in state.generator.parameters()]
        try:
            train(state, images, 1 if config.architecture == "standard-cnn" else 2, _LABELS)
        except Exception as error:
            raise BrokenPromiseError(f"{where}: {one_line(error)}").with_traceback(error.__traceback__) from None
        demand(state.networks_are_finite(), f"{where}: weights are not finite after the first updates")
        means = [name for name, value in state.means().items() if not np.isfinite(value)]
        demand(not means, f"{where}: {', '.join(means)} not finite")
        still = [str(layer) for layer, then in zip(layers, before, strict=True) if torch.equal(then, raw_weight(layer))]
        demand(not still, f"{where}: {len(still)} of the discriminator's layers did not learn, {''.join(still[:1])}")
        moved = any(not torch.equal(a, b) for a, b in zip(generator, state.generator.parameters(), strict=True))
        demand(moved, f"{where}: the generator did not learn; do gradients reach the discriminator's input?")


def _some(names: list[str]) -> str:
    """The first of the names that differ, and how many more do."""
    more = f" and {len(names) - 1} more differ" if len(names) > 1 else " differs"
    return f"{names[0]}{more}" if names else ""


@check(Method, "ends in the same bits when it is trained again")
def method_repeats(method: Method) -> None:
    """The same config is the same experiment."""
    ends = []
    for _ in range(2):
        state, images = _start(method.apply(_SMALL))
        train(state, images, 3)
        ends.append(_tensors(state))
    touched = changed(*ends)
    demand(not touched, f"{_some(touched)}; what depends on more than the seed?")


@check(Method, "goes on from a checkpoint bit for bit")
def method_resumes(method: Method) -> None:
    """Four updates at once, and two, saved, loaded into new networks, and two more."""
    whole, images = _start(method.apply(_SMALL))
    train(whole, images, 4)
    first, _ = _start(method.apply(_SMALL))
    train(first, images, 2)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second, _ = _start(method.apply(_SMALL))
    second.load_state_dict(torch.load(file, weights_only=True))
    train(second, images, 4)
    touched = changed(_tensors(whole), _tensors(second))
    demand(not touched, f"{_some(touched)}; keep what changes from update to update in buffers")


@check(Method, "leaves the global random generators alone while it trains")
def method_draws_from_streams(method: Method) -> None:
    """Trials share processes, and a resumed trial begins in another one."""
    state, images = _start(method.apply(_SMALL))
    with global_generators_kept():
        train(state, images, 1)
