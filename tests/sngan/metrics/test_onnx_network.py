"""A network by ONNX Runtime: the same numbers for any number of images, written down once, left to torch otherwise."""

import logging
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from sngan.metrics import onnx_network
from sngan.metrics.array_cache import ArrayCache
from sngan.metrics.onnx_network import by_onnx_runtime

for _package in onnx_network._PACKAGES:
    pytest.importorskip(_package, reason="needs the extra onnx")

EXAMPLE = torch.linspace(-1, 1, 2 * 3 * 8 * 8).view(2, 3, 8, 8)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """Three layers with made-up weights."""
    made = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1)).eval().requires_grad_(False)
    stream = torch.Generator().manual_seed(0)
    for parameter in made.parameters():
        parameter.normal_(generator=stream)
    return made.to(memory_format=torch.channels_last)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> ArrayCache:
    return ArrayCache(tmp_path_factory.mktemp("networks"))


def run_by(network: nn.Module, files: ArrayCache, key: str = "ours") -> object:
    return by_onnx_runtime(network, EXAMPLE, key=key, files=files, num_threads=1)


@torch.inference_mode()
def test_numbers_are_torchs_for_any_number_of_images(network: nn.Module, files: ArrayCache) -> None:
    run = by_onnx_runtime(network, EXAMPLE, key="ours", files=files, num_threads=1)
    assert run is not None
    for num in (1, 2, 7):
        inputs = torch.randn(num, 3, 8, 8, generator=torch.Generator().manual_seed(num))
        torch.testing.assert_close(run(inputs), network(inputs), rtol=1e-5, atol=1e-5)


def test_the_network_is_written_down_once(
    network: nn.Module, files: ArrayCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_by(network, files) is not None
    monkeypatch.setattr(onnx_network, "_written_down", lambda *_: pytest.fail("again"))
    assert run_by(network, files) is not None


def test_without_the_packages_torch_runs_it_without_a_word(
    network: nn.Module, files: ArrayCache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(onnx_network, "_PACKAGES", ("onnxruntime", "not_installed"))
    assert run_by(network, files) is None
    assert not caplog.records


class Unheard(nn.Module):
    """What no exporter takes over."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs if inputs.sum().item() > 0 else -inputs


@pytest.mark.parametrize("wrong", ["weights", "operator"])
def test_what_cannot_be_taken_over_is_said_once_and_left_to_torch(
    wrong: str, network: nn.Module, files: ArrayCache, caplog: pytest.LogCaptureFixture
) -> None:
    """Another network under the same key is one that computes something else."""
    onnx_network._warn_once.cache_clear()
    other = nn.Sequential(network, nn.ReLU(), nn.Conv2d(5, 5, 1)).eval().requires_grad_(False)
    run_by(network, files)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            found = run_by(other, files) if wrong == "weights" else run_by(Unheard().eval(), files, key="unheard")
            assert found is None
    (record,) = (record for record in caplog.records if record.name == onnx_network.__name__)
    assert "torch runs it instead" in record.getMessage()


def test_a_damaged_file_is_written_again(network: nn.Module, tmp_path: Path) -> None:
    files = ArrayCache(tmp_path)
    assert run_by(network, files) is not None
    (written,) = tmp_path.glob("*.npz")
    written.write_bytes(written.read_bytes()[:-100])
    assert run_by(network, files) is not None
