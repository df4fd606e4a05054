"""Stores for the app, each told once per session, and the app's script on them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import dashboards.app
from dashboards.app.place import show
from dashboards.app.snapshots import Source
from tests.dashboards.app.stores import STORES

Sources = Callable[[str], Source]
_MAIN = Path(str(dashboards.app.__file__)).with_name("main.py")


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    made: dict[str, Source] = {}

    def find(name: str) -> Source:
        if name not in made:
            folder: Path = tmp_path_factory.mktemp("app")
            made[name] = STORES[name](folder)
        return made[name]

    return find


def opened(source: Source, title: str, **parameters: Any) -> AppTest:
    """A page with an address's parameters."""
    show(source)
    app = AppTest.from_file(str(_MAIN), default_timeout=60)
    app.query_params["page"] = title
    for key, value in parameters.items():
        app.query_params[key] = value
    return app.run()
