"""Fixtures that several modules share: Ray, a database for MLflow's mirror, and reports that are written quickly."""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sweeps.study import STUDIES
from tests.sweeps.command_line import Line, line_of
from tests.sweeps.tracking_samples import another_uri

if TYPE_CHECKING:
    from tests.sweeps.search_samples import Played


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """One Ray with two CPUs and a GPU that is only a number."""
    import ray  # here: a test that Ray is not imported reads this file

    os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # no token in the home folder
    ray.init(
        address="local", num_cpus=2, num_gpus=1, object_store_memory=100 * 2**20, include_dashboard=False,
        log_to_driver=False, logging_level="ERROR",
    )  # fmt: skip
    yield
    ray.shutdown()


@pytest.fixture
def line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, cache_dir: Path) -> Iterator[Line]:
    """Types a line of `sweeps.launch`, like a new process without the plugins of the one before."""
    from sngan.plugins.loading import use_plugins
    from sweeps.commands.line import run

    monkeypatch.setenv("SNGAN_CACHE", str(cache_dir))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)

    def without_plugins(arguments: Sequence[str]) -> int:
        use_plugins([])
        return run(arguments)

    yield line_of(without_plugins, capsys)
    use_plugins([])


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Callable[..., "Played"]]:
    """Makes studies of searches, each in a folder called by its name."""
    from tests.sweeps.search_samples import played

    with contextlib.ExitStack() as stack:
        yield lambda name, *arguments, **changes: stack.enter_context(played(tmp_path / name, *arguments, **changes))


@pytest.fixture(scope="session")
def empty_mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with MLflow's tables and nothing else: making one takes seconds, copying it does not."""
    from sweeps.tracking.server import create_database, load

    file = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    create_database(load(), f"sqlite:///{file}")
    return file


@pytest.fixture
def mlflow_uri(tmp_path: Path, empty_mlflow: Path) -> str:
    return another_uri(tmp_path / "mlflow.db", empty_mlflow)


def shorten_reports() -> None:
    """Leave the study robustness one of its figures: each takes seconds, and other tests draw them all."""
    STUDIES._entries["robustness"] = dataclasses.replace(STUDIES["robustness"], figures=("divergence",))


@pytest.fixture(scope="module")
def small_report() -> Iterator[None]:
    """Reports with one figure while the tests of a module run."""
    long = STUDIES["robustness"]
    shorten_reports()
    yield
    STUDIES._entries["robustness"] = long
