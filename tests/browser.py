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
def chromium() -> Iterator[Any]:
    """Debian's Chromium, driven by playwright. Skips the test, and says so, where one of them is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        pytest.skip("needs Chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=_ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def tab(browser: Any, *, complaints: bool = True, **options: Any) -> Iterator[Any]:
    """A page that shares nothing with others; at the end it is an error if a request went to another machine.

    complaints : whether errors in the console are errors, too. options : of playwright's Browser.new_page.
    """
    strangers: list[str] = []
    errors: list[str] = []
    page = browser.new_page(**options)
    page.set_default_timeout(60_000)
    page.on("request", lambda request: strangers.append(request.url) if is_elsewhere(request.url) else None)
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    try:
        yield page
    finally:
        page.close()
    assert strangers == []
    assert not complaints or errors == []


@contextmanager
def browsed(*, complaints: bool = True, **options: Any) -> Iterator[Any]:
    """The `tab` of a browser of its own."""
    with chromium() as browser, tab(browser, complaints=complaints, **options) as page:
        yield page


def is_elsewhere(url: str) -> bool:
    """Whether a request leaves the machine."""
    return urlsplit(url).scheme not in ("data", "blob") and urlsplit(url).hostname != "127.0.0.1"
