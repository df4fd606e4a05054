"""The app in a real browser: what its users see, and that nothing leaves the machine."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dashboards.app.menu import PAGES
from sngan.results import Outcome
from sweeps.store import open_store
from tests.browser import chromium, tab
from tests.dashboards.app.conftest import Sources
from tests.dashboards.app.server import served
from tests.dashboards.app.stores import IMAGE, SCRIPT, STORES, start

pytestmark = [pytest.mark.thorough, pytest.mark.slow, pytest.mark.timeout(300)]
# What a page is made of once it is there.
CONTENTS = {
    "Now": "table.matrix", "Verdicts": ".verdict", "Compare": "svg.marks", "Landscape": "svg.marks",
    "Inside": "svg.marks", "Samples": "table.grids img", "Trial": "dl.facts",
}  # fmt: skip


Browsed = Callable[..., AbstractContextManager[Any]]


@pytest.fixture(scope="module")
def browsed() -> Iterator[Browsed]:
    """Opens tabs of one browser."""
    with chromium() as browser:
        yield partial(tab, browser)


@pytest.fixture(scope="module")
def address(sources: Sources) -> Iterator[str]:
    with served(sources("running").out) as place:
        yield place


def test_every_page_has_a_content() -> None:
    assert set(CONTENTS) == {page.title for page in PAGES}


@pytest.mark.parametrize("title", CONTENTS)
def test_a_page_is_drawn_and_everybody_can_use_it(browsed: Browsed, address: str, title: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python").Axe()
    with browsed(viewport={"width": 1400, "height": 1000}) as page:
        page.goto(f"{address}?page={title}")
        page.locator(CONTENTS[title]).first.wait_for()
        assert page.locator("h1").inner_text() == title
        found = axe.run(page, context=".stMain").response["violations"]
        grave = [(each["id"], each["nodes"][0]["html"][:200]) for each in found if each["impact"] in _GRAVE]
        assert grave == []
        assert scrolled_px(page) <= 0
        page.emulate_media(color_scheme="dark")
        page.set_viewport_size({"width": 390, "height": 800})
        page.goto(page.url)  # a phone
        page.locator(CONTENTS[title]).first.wait_for()
        page.wait_for_function(f"{_DARK} < 60", timeout=10_000)  # as the system asks
        assert scrolled_px(page) <= 0, "pictures scroll, the page does not"


_GRAVE = ("serious", "critical")
_DARK = "Math.max(...getComputedStyle(document.querySelector('.stApp')).backgroundColor.match(/\\d+/g).slice(0, 3))"


def scrolled_px(page: Any) -> int:
    """How far the page itself scrolls sideways."""
    return int(page.evaluate("document.querySelector('.stMain').scrollWidth - document.documentElement.clientWidth"))


def test_a_choice_changes_the_address_and_the_address_makes_the_choice(browsed: Browsed, address: str) -> None:
    with browsed() as page:
        page.goto(f"{address}?page=Compare")
        page.get_by_text("curves", exact=True).click()
        page.wait_for_url("**view=curves**")
        page.get_by_role("heading", name="Learning curves").wait_for()
        sent = page.url
        page.get_by_text("Now", exact=True).click()
        page.locator("table.matrix").wait_for()
    with browsed() as colleague:
        colleague.goto(sent)
        colleague.get_by_role("heading", name="Learning curves").wait_for()


def test_back_and_forward_go_through_pages_and_choices(browsed: Browsed, address: str) -> None:
    with browsed() as page:
        page.goto(address)
        page.locator(CONTENTS["Now"]).first.wait_for()
        visited = [page.evaluate("location.search")]
        for choice, heading in (
            ("Compare", "Score at every setting"),
            ("curves", "Learning curves"),
            ("Trial", "Config"),
        ):
            page.get_by_text(choice, exact=True).click()
            page.get_by_role("heading", name=heading).wait_for()
            visited.append(page.evaluate("location.search"))
        assert len(set(visited)) == len(visited)
        page.evaluate("history.back()")  # fast: nothing was drawn between the two
        page.evaluate("history.back()")
        page.get_by_role("heading", name="Score at every").wait_for()
        assert page.evaluate("location.search") == visited[1]
        page.go_back()
        page.locator(CONTENTS["Now"]).first.wait_for()
        assert page.evaluate("location.search") == visited[0]
        page.go_forward()
        page.get_by_role("heading", name="Score at every").wait_for()
        page.go_forward()
        page.get_by_role("heading", name="Learning curves").wait_for()
        assert page.evaluate("location.search") == visited[2]
        page.wait_for_timeout(1500)  # whoever comes back chooses what was left
        page.get_by_text("scores", exact=True).click()
        page.get_by_role("heading", name="Score at every").wait_for()
        page.get_by_text("Trial", exact=True).click()
        page.get_by_role("heading", name="Config").wait_for()
        assert page.evaluate("location.search") == visited[3]


def test_of_choices_made_fast_the_last_counts_and_the_page_lives(browsed: Browsed, address: str) -> None:
    with browsed() as page:
        page.goto(f"{address}?page=Compare")
        page.get_by_role("heading", name="Score at every setting").wait_for()
        for turn in range(24):
            for choice in ("curves", "profiles", "scores")[turn % 3 :]:
                page.get_by_text(choice, exact=True).click()
                page.wait_for_timeout(5 * turn)
        page.get_by_text("curves", exact=True).click()
        page.get_by_role("heading", name="Learning curves").wait_for()
        page.wait_for_url("**view=curves**")
        assert page.get_by_role("dialog").count() == 0


def test_data_asked_for_while_the_page_is_drawn_is_given(browsed: Browsed, address: str) -> None:
    with browsed() as page:
        page.goto(f"{address}?page=Landscape")
        page.locator(".stDownloadButton").first.wait_for()
        for choice in ("Compare", "Now", "Landscape"):
            page.get_by_role("radiogroup", name="Page").get_by_text(choice, exact=True).click()
            with page.expect_download() as found:
                page.locator(".stDownloadButton button").first.click()
            assert found.value.suggested_filename.endswith(".csv")


def test_a_cell_of_the_matrix_leads_to_its_trial(browsed: Browsed, address: str) -> None:
    with browsed() as page:
        page.goto(address)
        page.locator("table.matrix a").last.click()
        page.get_by_role("heading", name="Config").wait_for()
        assert "page=Trial" in page.url


def test_the_keyboard_reaches_pages(browsed: Browsed, address: str) -> None:
    with browsed() as page:
        page.goto(address)
        page.locator("table.matrix").wait_for()
        page.get_by_role("radio", name="Now").focus()
        page.keyboard.press("ArrowDown")
        page.locator(".verdict").first.wait_for()


def test_data_can_be_taken_home(browsed: Browsed, address: str, tmp_path: Path) -> None:
    with browsed() as page:
        page.goto(address)
        with page.expect_download() as found:
            # By its key: a button is there before its words are.
            page.locator(".st-key-download-now button").click()
        found.value.save_as(tmp_path / "now.csv")
    header, *rows = (tmp_path / "now.csv").read_text().splitlines()
    assert header.startswith("method,setting,seed,digest,state")
    assert len(rows) == 4 * 4 * 2  # methods, settings, seeds


def test_the_page_follows_a_sweep_without_losing_the_readers_place(browsed: Browsed, tmp_path: Path) -> None:
    source = STORES["planned"](tmp_path)
    with served(tmp_path) as address, browsed(viewport={"width": 900, "height": 300}) as page:
        page.goto(address)
        page.locator("table.matrix").wait_for()
        page.evaluate("document.querySelector('.stMain').scrollTo(0, 200)")
        with open_store(source.database) as store:
            digest = start(store)
            page.locator("table.matrix .states .running").first.wait_for(state="attached")
            store.finish(digest, Outcome(state="diverged", update=200, reason="loss", train_s=1.0, evaluate_s=0.0))
            page.locator("table.matrix .states .diverged").first.wait_for(state="attached")
        assert page.evaluate("document.querySelector('.stMain').scrollTop") == pytest.approx(200, abs=2)


def test_a_page_waits_for_the_first_launch(browsed: Browsed, tmp_path: Path) -> None:
    with served(tmp_path) as address, browsed() as page:
        page.goto(address)
        page.get_by_text("No study was launched").wait_for()
        STORES["planned"](tmp_path)
        page.locator("table.matrix").wait_for()


def test_hostile_names_stay_text_in_a_second_app_beside_the_first(
    browsed: Browsed, address: str, sources: Sources
) -> None:
    with served(sources("hostile").out) as other, browsed() as page:
        page.goto(address)
        page.locator("table.matrix").wait_for()
        page.on("dialog", lambda _: pytest.fail("a script of the store's ran"))
        page.goto(other)
        page.get_by_text(f"{SCRIPT} {IMAGE}").first.wait_for()
        time.sleep(1)  # for an image to be asked for
