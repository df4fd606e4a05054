"""Updates as CUDA graphs: what an update takes from the CPU, recorded and made anew, gives the same bits; what cannot
be captured is done plainly. The graph itself needs a GPU.
"""

import logging
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sngan.config import TrialConfig
from sngan.devices import own_stream
from sngan.graphs import GraphedUpdate, HostTape
from sngan.methods import METHODS
from sngan.state import TrainState
from sngan.training import train, update

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (40, 1, 8, 8), dtype=np.uint8)


def start(config: TrialConfig, device: str = "cpu") -> TrainState:
    return TrainState.start(config, channels=1, image_size=8, device=device)


def tensors(state: TrainState) -> dict[str, torch.Tensor]:
    networks = {"g": state.generator, "d": state.discriminator}
    weights = {f"{name}.{k}": v for name, network in networks.items() for k, v in network.state_dict().items()}
    return {**weights, "sums": state.sums, "generator_sum": state.generator_sum}


def assert_same(one: TrainState, other: TrainState) -> None:
    theirs = tensors(other)
    assert all(torch.equal(value, theirs[name]) for name, value in tensors(one).items())


def replayed(state: TrainState, images: NDArray[np.uint8], labels: NDArray[np.int64] | None) -> Callable[[], None]:
    """What `GraphedUpdate` does, with the update itself in the graph's place: all but the capture."""
    tape, recorded = HostTape(state), False

    def perform() -> None:
        nonlocal recorded
        if recorded:
            tape.refill()
        with tape.taking():
            update(state, images, labels)
        if not recorded:
            tape.end_recording()
            recorded = True

    return perform


CHANGES: list[dict[str, Any]] = [
    {"dequantization": True},
    {"real_batches": "shared"},
    {"update_order": "generator-first", "generator_batch_size": 12},
    {"generator_latents": "reused"},
    {"learning_rate_schedule": "linear"},
]


@pytest.mark.parametrize("method", METHODS)
def test_tape_gives_the_same_bits(method: str, tiny: TrialConfig, images: NDArray[np.uint8]) -> None:
    config = METHODS[method].apply(tiny.replace(n_dis=2))
    plain, taped = start(config), start(config)
    train(plain, images, 6)
    train(taped, images, 6, perform=replayed(taped, images, None))
    assert_same(plain, taped)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_tape_follows_every_choice(change: dict[str, Any], tiny: TrialConfig, images: NDArray[np.uint8]) -> None:
    config = METHODS["wgan-gp"].apply(tiny).replace(**{"n_dis": 3, **change})
    plain, taped = start(config), start(config)
    train(plain, images, 7)
    train(taped, images, 7, perform=replayed(taped, images, None))
    assert_same(plain, taped)


def test_tape_has_labels(tiny: TrialConfig, images: NDArray[np.uint8]) -> None:
    labels = np.arange(len(images), dtype=np.int64) % 4
    config = tiny.replace(conditioning="projection")
    states = [TrainState.start(config, channels=1, image_size=8, num_classes=4) for _ in range(2)]
    train(states[0], images, 5, labels)
    train(states[1], images, 5, labels, perform=replayed(states[1], images, labels))
    assert_same(*states)


def test_streams_end_where_they_would(tiny: TrialConfig, images: NDArray[np.uint8]) -> None:
    """So that a checkpoint of replayed updates is one of plain updates."""
    config = METHODS["gan-gp"].apply(tiny).replace(dequantization=True)
    plain, taped = start(config), start(config)
    train(plain, images, 5)
    train(taped, images, 5, perform=replayed(taped, images, None))
    for name, stream in plain.streams.items():
        assert torch.equal(stream.get_state(), taped.streams[name].get_state()), name


class GraphOnCpu:
    """Stands for a CUDA graph where there is no device: one that is made, and never captured."""


@pytest.mark.parametrize("error", [RuntimeError("no .item() in a capture"), torch.OutOfMemoryError("full")], ids=type)
def test_what_cannot_be_captured(
    error: Exception,
    tiny: TrialConfig,
    images: NDArray[np.uint8],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Is done plainly with one warning; out of memory is an error."""

    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("torch.cuda.CUDAGraph", GraphOnCpu)
    monkeypatch.setattr("torch.cuda.graph", refuse)
    monkeypatch.setattr("torch.cuda.current_stream", lambda device: None)
    monkeypatch.setattr("sngan.graphs._warned_of", set())
    plain, graphed = start(tiny), start(tiny)
    train(plain, images, 6)
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(type(error)) if isinstance(error, torch.OutOfMemoryError) else nullcontext(),
    ):
        train(graphed, images, 6, perform=GraphedUpdate(graphed, images))
    if isinstance(error, torch.OutOfMemoryError):
        assert graphed.update < 6
    else:
        assert_same(plain, graphed)
        assert len(caplog.records) == 1
        assert "no .item() in a capture" in caplog.text


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
@pytest.mark.parametrize("method", METHODS)
def test_graph_equals_plain_updates(
    method: str, precision: str, tiny: TrialConfig, images: NDArray[np.uint8], caplog: pytest.LogCaptureFixture
) -> None:
    """Up to the order of additions in the kernels that a library chooses: 1e-4 after 20 updates, 1e-2 where factors
    are rounded.
    """
    config = METHODS[method].apply(tiny.replace(precision=precision))
    with own_stream(torch.device("cuda")):
        plain, graphed = start(config, "cuda"), start(config, "cuda")
        train(plain, images, 20)
        train(graphed, images, 20, perform=GraphedUpdate(graphed, images))
        torch.cuda.synchronize()
    assert not caplog.records, "captured"
    tolerance = 1e-4 if precision == "fp32" else 1e-2
    theirs = tensors(graphed)
    for name, value in tensors(plain).items():
        torch.testing.assert_close(value, theirs[name], rtol=tolerance, atol=tolerance, msg=name)
