"""Chromium for tests: nothing leaves the machine, and what the console complains of is an error."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def browsed(*, complaints: bool = True, **options: Any) -> Iterator[Any]:
    """A page in Chromium; at the end it is an error if a request went to another machine.

    complaints : whether errors in the console are errors, too. options : of playwright's Browser.new_page. Skips the
    test, and says so, where playwright or Chromium is missing.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        pytest.skip("needs Chromium")
    strangers: list[str] = []
    errors: list[str] = []
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=program, args=_ARGUMENTS)
        page = chromium.new_page(**options)
        page.set_default_timeout(60_000)
        page.on("request", lambda request: strangers.append(request.url) if is_elsewhere(request.url) else None)
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        chromium.close()
    assert strangers == []
    assert not complaints or errors == []


def is_elsewhere(url: str) -> bool:
    """Whether a request leaves the machine."""
    return urlsplit(url).scheme not in ("data", "blob") and urlsplit(url).hostname != "127.0.0.1"
