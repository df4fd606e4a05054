"""Compare: any methods, settings, seeds and protocol, as curves, profiles, differences and tables."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import pandas as pd
import streamlit as st

from dashboards.app import desk
from dashboards.app.markup import plain
from dashboards.app.snapshots import Snapshot
from dashboards.figures import FIGURES, StudyFrames
from dashboards.figures.frames import has_results
from dashboards.figures.metric_by_setting import MetricBySetting
from dashboards.summary import summarize
from dashboards.tables import FORMATS, Table
from dashboards.tables.differences import differences_table
from dashboards.tables.scores import scores_table
from dashboards.tables.summary import summary_table

# A choice shall show at once what it does, and a browser takes a second for a thousand points. Three seeds of ten
# methods at six settings are drawn in full.
_MOST_RUNS = 180
_NAMES = {"md": "Markdown", "tex": "LaTeX", "csv": "CSV"}


def choose(snapshot: Snapshot) -> desk.Drawing:
    """What is compared, and in which view."""
    frames = desk.cut(snapshot)
    views = _VIEWS if frames.preset.search is None else _VIEWS_OF_SEARCHES
    view = desk.one_of_few("View", "view", list(views))
    if not frames.methods or not frames.settings:
        return partial(st.info, "These methods have no trials at these settings with these seeds.")
    if views[view] is _differences:
        return partial(_differences, frames, desk.one_of("Reference", "reference", list(frames.methods)))
    return partial(views[view], frames)


def _search(frames: StudyFrames) -> None:
    for name in ("budget-curves", "best-share", "importance"):
        desk.figure(name, frames)


def _scores(frames: StudyFrames) -> None:
    figure = FIGURES["metric-by-setting"]
    assert isinstance(figure, MetricBySetting)
    st.header(figure.title, anchor=figure.name)
    drawn = replace(figure, most_runs=_MOST_RUNS)
    desk.draw(drawn, drawn.prepare(frames), name=f"{frames.name}-{figure.name}")


def _curves(frames: StudyFrames) -> None:
    desk.figure("learning-curves", frames)


def _profiles(frames: StudyFrames) -> None:
    desk.figure("performance-profile", frames)


def _differences(frames: StudyFrames, reference: str) -> None:
    if len(frames.methods) < 2:
        st.info("A difference takes two methods: choose another one beside it, or none for all.")
        return
    table(differences_table(frames, reference))


def _tables(frames: StudyFrames) -> None:
    if not has_results(frames.headline):
        st.info("No trial has a result under this protocol yet.")
        return
    table(scores_table(frames))
    table(summary_table(summarize(frames.each_once), frames))


def table(made: Table) -> None:
    """A table to read, and to copy."""
    st.header(plain(made.title), anchor=made.name)
    if not made.rows:
        st.info("No two of these methods have results at the same settings and seeds.")
        return
    desk.shown("table.html", table=made)
    ending = st.segmented_control("Copy as", list(FORMATS), key=f"copy-{made.name}", format_func=_NAMES.__getitem__)
    if ending is not None:
        st.code(FORMATS[ending](made), language=None, wrap_lines=True)
    desk.download(f"{made.study}-{made.name}", pd.DataFrame(made.records, columns=list(made.fields)))


_VIEWS: Mapping[str, Callable[..., None]] = {
    "scores": _scores,
    "curves": _curves,
    "profiles": _profiles,
    "differences": _differences,
    "tables": _tables,
}
# A search has hundreds of settings, each of them tried once.
_VIEWS_OF_SEARCHES: Mapping[str, Callable[..., None]] = {
    "search": _search,
    **{name: view for name, view in _VIEWS.items() if name not in ("scores", "curves")},
}
