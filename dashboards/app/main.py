"""What Streamlit runs for every reader: the menu, the choice of a study, and the page, whose own choices draw it alone.

Started by `python -m dashboards.app`.
"""

import contextlib
import itertools
import logging
import shlex
from collections.abc import Iterator, Sequence

import streamlit as st
from PIL import Image, ImageDraw

from dashboards.app import address, desk
from dashboards.app.markup import plain, rendered
from dashboards.app.menu import PAGES, Page
from dashboards.app.place import library
from dashboards.app.snapshots import Key, Library, Listed
from dashboards.figures.rendering import data_uri, encode_png
from sngan.errors import InputError, one_line
from sweeps.provenance import hide_credentials

_log = logging.getLogger(__name__)

_REFRESH_S = 2.0


def main() -> None:
    """Draw the page that the address names."""
    address.begin()
    titles = [page.title for page in PAGES]
    address.settle("page", titles, titles[0])
    with st.sidebar:
        title = st.radio("Page", titles, key="page")
    address.show("page", title)
    page = next(page for page in PAGES if page.title == title)
    st.set_page_config(page_title=f"{page.title} · GAN robustness", page_icon=_icon(), layout="wide")
    st.html(rendered("style.css.html"))
    desk.head(page.title, page.explanation)
    # Whatever is told here, the body keeps its place: a choice that is on its way is still for it.
    key = None
    with st.container(), _problems_told(page):
        key = _study(library())
    if key is None:
        address.leave(whole=False)
    else:
        _body(page, library(), key)


@st.fragment
def _body(page: Page, shelf: Library, key: Key) -> None:
    """What a reader's choice draws anew: head and menu stay as they are."""
    with _problems_told(page):
        snapshot, _ = shelf.snapshot(key)
        address.begin_body()
        draw = page.choose(snapshot)
        # Before the drawing, which can take seconds: who goes back meanwhile leaves an address that is whole.
        address.leave()
        draw()


@contextlib.contextmanager
def _problems_told(page: Page) -> Iterator[None]:
    """Whatever goes wrong is told on the page, without a traceback."""
    try:
        yield
    except InputError as error:
        st.error(plain(error))
    except Exception as error:  # a mistake of ours: the other pages still work
        _log.exception("page %s cannot be shown", page.title)
        st.error(f"This page cannot be shown: {plain(one_line(error))}. The terminal of the app says more.")


def _icon() -> str:
    """Three bars, as an address that holds them: Streamlit fetches named icons from the internet, and forgets files."""
    icon = Image.new("RGBA", (32, 32))
    pen = ImageDraw.Draw(icon)
    for left, top in ((3, 18), (13, 10), (23, 4)):
        pen.rectangle((left, top, left + 6, 29), fill="#1f6fb2")
    return data_uri(encode_png(icon), "image/png")


def _study(shelf: Library) -> Key | None:
    """The study that the reader chose, and what must be said of it; None, and why, where there is nothing to show."""
    try:
        listed, problem = shelf.studies()
    except InputError as error:
        st.error(plain(error))
        _later()
        return None
    if not listed:
        place = plain(hide_credentials(shelf.source.database))
        st.info(f"No study was launched into {place} yet. This page looks again by itself.")
        line = ["python", "-m", "sweeps.launch", "robustness", *shelf.source.options]
        st.code(shlex.join(line), language=None, wrap_lines=True)
        _later()
        return None
    key = _chosen_study(listed)
    try:
        snapshot, newer = shelf.snapshot(key)
    except InputError as error:
        st.error(plain(error))
        _later()
        return None
    if told := problem or newer:
        st.warning(f"{plain(told)}\n\nThis page shows what was read at {snapshot.read_at:%H:%M:%S} UTC.")
    if snapshot.frames.preset.caveat:
        st.caption(f"⚠ {plain(snapshot.frames.preset.caveat)}")
    with st.sidebar:
        _follow(shelf, key, snapshot.version + newer, [each.name for each in listed])
    return key


def _chosen_study(listed: Sequence[Listed]) -> Key:
    """The study that the reader chose; at first one that runs, else the newest."""
    names = {each.name: each for each in listed}
    read = st.session_state.get("study")
    # Who reads one goes on with it when another is launched.
    address.settle("study", list(names), read if read in names else list(names)[newest(listed)])
    with st.sidebar:
        name = st.selectbox("Study", list(names), key="study")
        st.caption(plain(names[name].question))
    address.show("study", name)
    return names[name].key


def newest(listed: Sequence[Listed]) -> int:
    """Which study is shown first: one that runs, else the one that was launched last."""
    order = [(each.counts.get("running", 0) > 0, each.launched) for each in listed]
    return order.index(max(order))


def _later() -> None:
    """Look again, until there is something to show."""
    looks = itertools.count()

    @st.fragment(run_every=_REFRESH_S)
    def again() -> None:
        if next(looks):  # the first one is part of the page
            st.rerun()

    again()


def _follow(shelf: Library, key: Key, drawn: str, names: Sequence[str]) -> None:
    """Draw the page again when there is news, or a new study; meanwhile it stays as it is, and where its reader is."""

    @st.fragment(run_every=_REFRESH_S)
    def follow() -> None:
        if shelf.state(key) not in ("", drawn) or shelf.names() != names:
            address.draw_again()

    follow()


main()
