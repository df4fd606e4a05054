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


_RAY_TIMEOUT_S = 300


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Groups that a process of pytest-xdist runs from beginning to end, those that take longest first.

    A module is a group: what it prepares is prepared once. All that start Ray are one: a Ray has as many processes as
    the machine has CPUs, and two at a time take many times as long as one after the other.
    """
    groups: dict[str, list[pytest.Item]] = {}
    for item in items:
        groups.setdefault(_group(item), []).append(item)
    for name, members in groups.items():
        for item in members:
            item.add_marker(pytest.mark.xdist_group(name))
            if name == "ray" and not item.get_closest_marker("timeout"):
                item.add_marker(pytest.mark.timeout(_RAY_TIMEOUT_S))
    items[:] = [item for name in sorted(groups, key=lambda name: _rank(name, groups[name])) for item in groups[name]]
    if not os.environ.get("SNGAN_TEST_THOROUGH"):
        skipped = pytest.mark.skip(reason="takes most of a minute: set SNGAN_TEST_THOROUGH=1")
        for item in items:
            if item.get_closest_marker("thorough"):
                item.add_marker(skipped)


def _group(item: pytest.Item) -> str:
    if item.get_closest_marker("ray") or "cluster" in getattr(item, "fixturenames", ()):
        return "ray"
    return str(item.path.relative_to(Path(__file__).parent).with_suffix(""))


def _rank(name: str, members: list[pytest.Item]) -> int:
    """0 for Ray; 1 for Slurm, where a process does little but wait; then modules with slow tests, then the others."""
    if name == "ray":
        return 0
    if any(item.get_closest_marker("slurm") for item in members):
        return 1
    return 2 if any(item.get_closest_marker("slow") for item in members) else 3
