"""What every page is made of: its head, choices that stand in its address, figures, tables, downloads."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st
from PIL import Image

from dashboards.app import address
from dashboards.app.markup import rendered
from dashboards.app.snapshots import Snapshot
from dashboards.figures import FIGURES, Figure, FigureData, StudyFrames
from dashboards.figures.rendering import data_uri, encode_png, page_spec, trusted
from sngan.metrics.protocols import short_name
from sweeps.records import StudyRecords

# What is left to do once a page's choices are made.
Drawing = Callable[[], object]
# Drawn as SVG, whose ink is the page's, in light and in dark.
_EMBEDDING = {"embedOptions": {"renderer": "svg", "actions": False}}
# Above: at the right of many panels nobody would see it.
_LEGEND = {"orient": "top", "columns": 6, "columnPadding": 18, "offset": 12}


def head(title: str, explanation: str) -> None:
    """The page's title, and what it shows in two sentences."""
    st.title(title, anchor=False)
    st.markdown(explanation)


def shown(template: str, **values: Any) -> None:
    """A template of ours on the page, everything from outside escaped."""
    st.html(rendered(template, **values))


def chosen(label: str, key: str, options: Sequence[Any]) -> list[Any]:
    """Some of the options, all of them while none is chosen; like every choice it stands in the address, and on other
    pages that have it.
    """
    address.settle(key, options, [])
    picked = st.multiselect(label, options, key=key, placeholder=f"all {len(options)}", persist_state="session")
    address.show(key, picked)
    return list(picked) or list(options)


def one_of(label: str, key: str, options: Sequence[Any]) -> Any:
    """One of the options, at first the first."""
    address.settle(key, options, options[0])
    picked = st.selectbox(label, options, key=key, persist_state="session")
    address.show(key, picked)
    return picked


def one_of_few(label: str, key: str, options: Sequence[str]) -> str:
    """One of a few options, all of which are seen; at first the first."""
    address.settle(key, options, options[0])
    picked = str(st.segmented_control(label, options, required=True, key=key, persist_state="session"))
    address.show(key, picked)
    return picked


def slid_to(label: str, key: str, options: Sequence[Any], default: Any, spelling: str) -> Any:
    """One of many options in their order. spelling : how a number is shown, as for `format`."""
    address.settle(key, options, default)
    picked = st.select_slider(label, options, key=key, persist_state="session", format_func=lambda n: f"{n:{spelling}}")
    address.show(key, picked)
    return picked


def switched_on(label: str, key: str) -> bool:
    """Whether the reader wants it; not at first."""
    address.settle(key, (False, True), False)
    picked = st.toggle(label, key=key, persist_state="session")
    address.show(key, picked)
    return picked


def cut(snapshot: Snapshot, *, protocol: bool = True) -> StudyFrames:
    """The part of a study that the reader chose: methods, settings, seeds and, where asked for, protocol."""
    frames = snapshot.frames
    places = st.columns([5, 3, 2, 4] if protocol else [5, 3, 2])
    with places[0]:
        methods = chosen("Methods", "methods", frames.methods)
    with places[1]:
        settings = chosen("Settings", "settings", frames.settings)
    with places[2]:
        seeds = chosen("Seeds", "seeds", sorted(map(int, frames.trials["seed"].unique())))
    name = frames.preset.headline
    if protocol:
        with places[3]:
            name = protocol_of(snapshot)
    return part(frames, methods, settings, seeds, name)


def protocol_of(snapshot: Snapshot) -> str:
    """The protocol that the reader chose, by its short name; the preset's own at first."""
    frames = snapshot.frames
    headline = frames.preset.headline
    measured = {short_name(str(name)) for name in frames.evaluations["protocol"].unique()}
    names = [headline, *sorted(measured - {headline})]
    return str(one_of("Protocol", "protocol", names))


def part(
    frames: StudyFrames, methods: Sequence[str], settings: Sequence[str], seeds: Sequence[int], protocol: str
) -> StudyFrames:
    """Frames of some methods, settings and seeds alone, with a protocol in place of the preset's headline."""
    records: StudyRecords = frames.records.part(methods, settings, seeds)
    preset = replace(frames.preset, headline=protocol)
    return StudyFrames(records=replace(records, preset=preset), storage_dir=frames.storage_dir)


def figure(name: str, frames: StudyFrames, *, heading: bool = True, key: str = "") -> None:
    """A figure of the report, with its question, how to read it, and its data. key : where a page has it twice."""
    drawn: Figure[FigureData] = FIGURES[name]
    if heading:
        st.header(drawn.title, anchor=name)
    draw(drawn, drawn.prepare(frames), name="-".join(filter(None, [frames.name, key, name])))


def draw(drawn: Figure[Any], data: FigureData, *, name: str) -> None:
    """A figure's picture, or why there is none."""
    if data.absent:
        st.info(data.absent)
        return
    st.markdown(f"**{drawn.question}** {drawn.reading}")
    with trusted():
        picture = drawn.draw(data)
    if isinstance(picture, Image.Image):
        shown("picture.html", source=data_uri(encode_png(picture), "image/png"), alt=data.alt_text)
    else:
        # Altair's check against its schema takes longer than all else; the figures' own tests do it.
        spec = page_spec(picture.to_dict(validate=False))
        # The text stands for the picture; a reader of the screen need not go through thousands of marks.
        silent = {**spec["config"].get("mark", {}), "aria": False}
        legend = {**spec["config"].get("legend", {}), **_LEGEND}
        spec |= {"usermeta": _EMBEDDING, "config": {**spec["config"], "mark": silent, "legend": legend}}
        with st.container(key=f"chart-{name}"):
            st.vega_lite_chart(spec, theme=None, width="content", alt=data.alt_text)
    st.caption(f"{drawn.marks} {data.seeds}")
    tables = {key: value for key, value in vars(data).items() if isinstance(value, pd.DataFrame) and len(value)}
    with st.container(horizontal=True):
        for key, frame in tables.items():
            download(f"{name}-{key}", frame, label="Data (CSV)" if len(tables) == 1 else f"{key.capitalize()} (CSV)")


def download(name: str, frame: pd.DataFrame, *, label: str = "Data (CSV)") -> None:
    """A button that gives the frame as a CSV file, made when it is pressed."""
    st.download_button(
        label, lambda: frame.to_csv(index=False), f"{name}.csv", "text/csv",
        key=f"download-{name}", on_click="ignore", type="tertiary", icon=":material/download:",
    )  # fmt: skip
