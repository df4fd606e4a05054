"""Training as it is done against the plainest way to do the same, and in bfloat16 against fp32, for every method.

Plain: memory in the order of the indices and torch's own Adam, going through the weights one by one. Losses and
weights are compared after 20 updates; weights by the way that Adam can have moved them, the learning rate times the
number of its steps.
"""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sngan.config import TrialConfig
from sngan.methods import METHODS
from sngan.state import TrainState
from sngan.training import train

UPDATES = 20
# Adam divides by the root of a gradient's square: where a gradient is all but 0, rounding decides its sign. Hence a
# mean over all weights. Most methods agree to 1e-7 of a loss and of the way; seen at most: fp32 2e-3 (batch norm) and
# 0.03 (no regularizer), bf16 0.008 and 0.32.
LOSS, WEIGHTS = {"fp32": 5e-3, "bf16": 0.02}, {"fp32": 0.05, "bf16": 0.5}


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (40, 1, 8, 8), dtype=np.uint8)


def start(config: TrialConfig) -> TrainState:
    return TrainState.start(config, channels=1, image_size=8)


def plain(config: TrialConfig) -> TrainState:
    """The same state, to be trained the plain way."""
    state = start(config)
    for network in (state.generator, state.discriminator):
        network.to(memory_format=torch.contiguous_format)
    names = {"generator_optimizer": state.generator, "discriminator_optimizer": state.discriminator}
    for name, network in names.items():
        betas = config.beta1, config.beta2
        adam = torch.optim.Adam(
            network.parameters(), config.alpha, betas, config.adam_epsilon, fused=False, foreach=False
        )
        setattr(state, name, adam)
    return state


# One method of every kind in bf16, and all of them where time is no matter: processors without bf16 are slow at it.
IN_BF16 = ("sn", "wgan-gp", "bssn", "batch-norm", "weight-clipping")
IN_PRECISIONS = [
    pytest.param(method, precision, marks=[pytest.mark.thorough] * (precision == "bf16" and method not in IN_BF16))
    for method in METHODS
    for precision in ("fp32", "bf16")
]


@pytest.mark.parametrize(("method", "precision"), IN_PRECISIONS)
def test_fast_equals_plain(method: str, precision: str, tiny: TrialConfig, images: NDArray[np.uint8]) -> None:
    config = METHODS[method].apply(tiny.replace(updates=UPDATES, n_dis=2))
    slow, fast = plain(config), start(config.replace(precision=precision))
    before = {name: value.clone() for name, value in slow.discriminator.named_parameters()}
    for state in (slow, fast):
        train(state, images, UPDATES)
    expected, found = slow.means(), fast.means()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=LOSS[precision], abs=LOSS[precision]), name
    theirs = dict(fast.discriminator.named_parameters())
    pairs = [(theirs[name], value) for name, value in slow.discriminator.named_parameters()]
    way = 2 * UPDATES * config.alpha
    assert torch.cat([(one - other).abs().flatten() for one, other in pairs]).mean() < WEIGHTS[precision] * way
    assert any(not torch.equal(value, before[name]) for name, value in slow.discriminator.named_parameters())


@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
def test_products_are_rounded_as_asked_and_only_in_training(
    precision: str, tiny: TrialConfig, images: NDArray[np.uint8]
) -> None:
    """What TF32 does to the numbers shows on a GPU only; that it is allowed, everywhere."""
    backends = torch.backends.cudnn, torch.backends.cuda.matmul
    before = [backend.allow_tf32 for backend in backends]
    seen = []
    state = start(tiny.replace(precision=precision))
    train(state, images, 1, perform=lambda: seen.extend(backend.allow_tf32 for backend in backends))
    assert seen == [precision == "tf32"] * 2
    assert [backend.allow_tf32 for backend in backends] == before
