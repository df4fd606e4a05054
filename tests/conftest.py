"""Shared fixtures: one thread, a tiny config, real data and weights where the environment names them."""

import os
import signal
from pathlib import Path

import pytest
import torch

from sngan.config import TrialConfig
from sngan.results import RunOptions

torch.set_num_threads(1)
os.environ.pop("SNGAN_NOTIFY", None)  # nobody is to be told of tests
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job hands it on to all it starts
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache of prepared data for the whole session."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def options(cache_dir: Path, tmp_path: Path) -> RunOptions:
    return RunOptions(cache_dir=cache_dir, storage_dir=tmp_path)


@pytest.fixture
def tiny() -> TrialConfig:
    """Eight updates on digits with two evaluations: a second."""
    return TrialConfig(
        updates=8,
        evaluate_every=4,
        n_dis=2,
        batch_size=8,
        generator_batch_size=8,
        z_dim=8,
        protocols=("fid/gen600-test600-digits",),
    )


def required(variable: str, what: str) -> Path:
    """The path in an environment variable; without it the test is skipped and says what is missing."""
    value = os.environ.get(variable)
    if not value:
        pytest.skip(f"needs {what}: set {variable}")
    return Path(value)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first: begun last, one process would run them while the others have nothing left to do."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    if not os.environ.get("SNGAN_TEST_THOROUGH"):
        skipped = pytest.mark.skip(reason="takes most of a minute: set SNGAN_TEST_THOROUGH=1")
        for item in items:
            if item.get_closest_marker("thorough"):
                item.add_marker(skipped)
