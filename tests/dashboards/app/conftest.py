"""Stores for the app, each told once per session, and the app's script on them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dashboards.app.snapshots import Source
from tests.dashboards.app.stores import STORES

Sources = Callable[[str], Source]


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    made: dict[str, Source] = {}

    def find(name: str) -> Source:
        if name not in made:
            folder: Path = tmp_path_factory.mktemp("app")
            made[name] = STORES[name](folder)
        return made[name]

    return find
