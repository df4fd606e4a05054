"""Fixtures of the MLflow mirror's tests."""

from pathlib import Path

import pytest

from tests.sweeps.tracking_samples import another_uri


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
