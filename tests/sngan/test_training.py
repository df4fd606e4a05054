"""The training loop: bit-exact resume for every method, and what each field of the config does."""

import io

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sngan.config import TrialConfig
from sngan.datasets.batches import batch_indices
from sngan.methods import METHODS
from sngan.regularizers.base import weighted_layers
from sngan.state import TrainState
from sngan.training import train


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (40, 1, 8, 8), dtype=np.uint8)


def start(config: TrialConfig) -> TrainState:
    return TrainState.start(config, channels=1, image_size=8)


def weights(state: TrainState) -> dict[str, torch.Tensor]:
    flat = {f"g.{k}": v for k, v in state.generator.state_dict().items()}
    return {**flat, **{f"d.{k}": v for k, v in state.discriminator.state_dict().items()}}


def assert_same_state(one: TrainState, other: TrainState) -> None:
    assert one.update == other.update
    theirs = weights(other)
    assert all(torch.equal(value, theirs[key]) for key, value in weights(one).items())
    assert torch.equal(one.sums, other.sums)
    for name, stream in one.streams.items():
        assert torch.equal(stream.get_state(), other.streams[name].get_state())


@pytest.mark.parametrize("dequantization", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_resume_is_bit_exact(method: str, dequantization: bool, tiny: TrialConfig, images: NDArray[np.uint8]) -> None:
    config = METHODS[method].apply(tiny).replace(learning_rate_schedule="linear", dequantization=dequantization)
    whole = start(config)
    train(whole, images, 7)

    first = start(config)
    train(first, images, 3)
    buffer = io.BytesIO()
    torch.save(first.state_dict(), buffer)
    buffer.seek(0)
    second = start(config)
    second.load_state_dict(torch.load(buffer, weights_only=True))
    train(second, images, 7)
    assert_same_state(whole, second)


@pytest.mark.parametrize("method", METHODS)
def test_training_moves_both_networks_and_stays_finite(
    method: str, tiny: TrialConfig, images: NDArray[np.uint8]
) -> None:
    state = start(METHODS[method].apply(tiny))
    before = {key: value.clone() for key, value in weights(state).items()}
    train(state, images, 4)
    moved = {key[0] for key, value in weights(state).items() if not torch.equal(value, before[key])}
    assert moved == {"g", "d"}
    assert state.networks_are_finite()
    assert state.num_summed == 4
    assert all(np.isfinite(value) for value in state.means().values())


@pytest.mark.parametrize(
    "change",
    [
        {"update_order": "generator-first"},
        {"real_batches": "shared"},
        {"generator_latents": "reused"},
        {"dequantization": True},
        {"learning_rate_schedule": "linear"},
        {"generator_batch_size": 16},
        {"generator_init": "glorot"},
        {"adam_epsilon": 1e-3},
        {"seed": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_conflicting_choice_is_live(
    change: dict[str, object], tiny: TrialConfig, images: NDArray[np.uint8]
) -> None:
    states = [start(tiny), start(tiny.replace(**change))]
    for state in states:
        train(state, images, 3)
    assert not torch.equal(weights(states[0])["g.dense.weight"], weights(states[1])["g.dense.weight"])


def test_separate_forwards_matter_for_batch_norm_only(tiny: TrialConfig, images: NDArray[np.uint8]) -> None:
    differences = {}
    for method in ("batch-norm", "sn"):
        outcome = []
        for forward in ("joint", "separate"):
            state = start(METHODS[method].apply(tiny).replace(discriminator_forward=forward))
            train(state, images, 1)
            outcome.append(state.means()["logits/real"])
        differences[method] = abs(outcome[0] - outcome[1])
    assert differences["sn"] < 1e-6
    assert differences["batch-norm"] > 1e-4


def test_real_batches_follow_the_position_alone(tiny: TrialConfig, images: NDArray[np.uint8], monkeypatch) -> None:
    asked: list[int] = []

    def spy(seed: int, index: int, batch_size: int, num_images: int) -> NDArray[np.int64]:
        asked.append(index)
        return batch_indices(seed, index, batch_size, num_images)

    monkeypatch.setattr("sngan.training.batch_indices", spy)
    train(start(tiny.replace(n_dis=3)), images, 2)
    assert asked == [0, 1, 2, 3, 4, 5]
    asked.clear()
    train(start(tiny.replace(n_dis=3, real_batches="shared")), images, 2)
    assert asked == [0, 0, 0, 1, 1, 1]


def test_power_iterations_advance_once_per_discriminator_update(
    tiny: TrialConfig, images: NDArray[np.uint8], monkeypatch
) -> None:
    calls = []
    module = "sngan.regularizers.power_iteration.SigmaNormalized.advance_"
    monkeypatch.setattr(module, lambda self, weight: calls.append(1))
    state = start(METHODS["sn"].apply(tiny).replace(n_dis=3))
    train(state, images, 2)
    assert len(calls) == 2 * 3 * len(weighted_layers(state.discriminator))


def test_a_late_linear_schedule_begins_to_fall_after_eight_ninths(tiny: TrialConfig, images: NDArray[np.uint8]) -> None:
    state = start(tiny.replace(alpha=3e-4, learning_rate_schedule="late-linear", updates=27))
    rates = []
    for until in range(1, 28):
        train(state, images, until)
        rates.append(state.discriminator_optimizer.learning_rate)
    assert rates == pytest.approx([3e-4] * 25 + [2e-4, 1e-4])


def test_a_linear_schedule_matches_the_table(tiny: TrialConfig, images: NDArray[np.uint8]) -> None:
    config = tiny.replace(alpha=2e-4, beta1=0.3, beta2=0.7, learning_rate_schedule="linear", updates=4)
    state = start(config)
    assert state.discriminator_optimizer.learning_rate == 2e-4
    rates = []
    for until in range(1, 5):
        train(state, images, until)
        rates.append(state.generator_optimizer.learning_rate)
    assert rates == pytest.approx([2e-4, 1.5e-4, 1e-4, 0.5e-4])


def test_a_non_finite_loss_shows_in_the_means(tiny: TrialConfig, images: NDArray[np.uint8]) -> None:
    state = start(tiny)
    train(state, images, 2)
    with torch.no_grad():
        weighted_layers(state.discriminator)[0].weight[0, 0, 0, 0] = torch.nan
    train(state, images, 4)
    assert not np.isfinite(state.means()["loss/discriminator"])
    assert not state.networks_are_finite()


@pytest.mark.parametrize("penalty", ["none", "gradient-penalty", "r1", "orthonormal"])
@pytest.mark.parametrize("forward", ["joint", "separate"])
@pytest.mark.parametrize("gradient", ["stopped", "flows"])
@pytest.mark.parametrize("advance", ["per-update", "per-forward"])
def test_spectral_norm_trains_in_every_form(
    advance: str, gradient: str, forward: str, penalty: str, tiny: TrialConfig, images: NDArray[np.uint8]
) -> None:
    regularizers = [{"name": "spectral-norm", "advance": advance, "gradient": gradient}]
    if penalty != "none":
        regularizers.append({"name": penalty})
    config = TrialConfig.from_dict({**tiny.to_dict(), "regularizers": regularizers, "discriminator_forward": forward})
    state = start(config)
    train(state, images, 2)
    assert state.networks_are_finite()
