"""Shared fixtures: one thread, a tiny config, real data and weights where the environment names them."""

import functools
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from sngan.config import TrialConfig
from sngan.results import RunOptions

torch.set_num_threads(1)
os.environ.pop("SNGAN_NOTIFY", None)  # nobody is to be told of tests
# Ray's workers give way to everything else (niceness 15): beside other tests they would get a thirtieth of a core.
os.environ.setdefault("RAY_worker_niceness", "0")
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


# Groups of tests. A process of pytest-xdist runs a group from beginning to end: a module, whose preparations are
# then made once, or all modules of a folder that start Ray, so that few do so at the same time.

_RAY_TIMEOUT_S = 300
_RAY, _SLURM = "pytest.mark.ray", "pytest.mark.slurm"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With --dist loadscope: hands out groups in the order of the collection."""
    if config.getoption("dist") != "loadscope":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class InGroups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return f"{Path(file).parent} on Ray" if _marked(config.rootpath / file, _RAY) else file

    config.option.loadscopereorder = False
    return InGroups(config, log)


@functools.cache
def _marked(file: Path, mark: str) -> bool:
    """Whether a module uses a mark. Read from its text: the process that hands out tests imports none."""
    return file.is_file() and mark in file.read_text(encoding="utf-8")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that take longest first: Ray, Slurm, where a process mostly waits, and modules with slow tests."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (not _marked(item.path, _RAY), not _marked(item.path, _SLURM), item.path not in slow))
    for item in items:
        starts_ray = item.get_closest_marker("ray") or "cluster" in getattr(item, "fixturenames", ())
        if starts_ray and not _marked(item.path, _RAY):
            raise pytest.UsageError(f"{item.nodeid} starts Ray: its module must say {_RAY}")
        if starts_ray and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(_RAY_TIMEOUT_S))
    if not os.environ.get("SNGAN_TEST_THOROUGH"):
        skipped = pytest.mark.skip(reason="takes most of a minute: set SNGAN_TEST_THOROUGH=1")
        for item in items:
            if item.get_closest_marker("thorough"):
                item.add_marker(skipped)
