"""A store in every database that there is, empty or with a plan."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sweeps.store import ResultStore, open_store
from tests.sweeps.store.samples import (
    DATABASES,
    PRESET,
    STUDY,
    fresh_database,
    planned,
)


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with fresh_database(request.param, tmp_path) as place:
        yield place


@pytest.fixture
def store(url: str) -> Iterator[ResultStore]:
    with open_store(url) as opened:
        yield opened


@pytest.fixture
def trial(store: ResultStore) -> str:
    """Digest of the first of a study's registered trials."""
    trials = planned()
    store.register(STUDY, PRESET, {"question": "Why?"}, trials)
    return trials[0].digest
