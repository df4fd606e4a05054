"""Made-up sweeps in real stores, each told once per session."""

from pathlib import Path

import pytest

from dashboards.figures import StudyFrames
from tests.dashboards.synthetic import Story, Sweep, make_preset, open_sweep


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """Eleven methods, six settings, two seeds; four trials diverge, none is missing."""
    return open_sweep(tmp_path_factory.mktemp("full"), make_preset(), Story())


@pytest.fixture(scope="session")
def frames(full: Sweep) -> StudyFrames:
    return full.frames()


@pytest.fixture
def empty(tmp_path: Path) -> Sweep:
    """A store in which this study was never launched."""
    return open_sweep(tmp_path / "empty", make_preset(), None)


@pytest.fixture
def unfinished(tmp_path: Path) -> Sweep:
    """Every fourth trial never started, the one after it failed half-way."""
    preset = make_preset(methods=("none", "wgan-gp", "sn"), settings=("A", "D", "F"))
    return open_sweep(tmp_path / "unfinished", preset, Story(unfinished=4))
