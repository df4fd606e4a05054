"""Samples: grids of images, method by setting, at any update."""

from dataclasses import replace
from functools import partial

import streamlit as st

from dashboards import views
from dashboards.app import desk
from dashboards.app.snapshots import Snapshot
from dashboards.figures import FIGURES, StudyFrames
from dashboards.figures.sample_grids import SampleGrids


def choose(snapshot: Snapshot) -> desk.Drawing:
    """Methods and settings, the seed, the update."""
    frames = snapshot.frames
    if frames.samples.empty:
        return partial(st.info, "No trial has written a sample grid yet.")
    places = st.columns([5, 3, 2])
    with places[0]:
        methods = desk.chosen("Methods", "methods", frames.methods)
    with places[1]:
        settings = desk.chosen("Settings", "settings", frames.settings)
    with places[2]:
        seed = desk.one_of("Seed", "seed", sorted(map(int, frames.samples["seed"].unique())))
    chosen = desk.part(frames, methods, settings, [seed], frames.preset.headline)
    updates = sorted(map(int, chosen.samples["update"].unique()))
    if not updates:
        return partial(st.info, "These trials have written no sample grid yet.")
    until = updates[-1]
    if len(updates) > 1:
        until = desk.slid_to("Update", "update", updates, updates[-1], ",")
    return partial(_show, chosen, until)


def _show(frames: StudyFrames, until: int) -> None:
    figure = FIGURES["sample-grids"]
    assert isinstance(figure, SampleGrids)
    data = replace(figure, until=until).prepare(frames)
    desk.shown("grids.html", matrix=views.grid_matrix(data))
    st.caption(f"{figure.marks} {data.seeds}")
    columns = ["method", "setting", "seed", "update", "digest", "path"]
    desk.download(f"{frames.name}-samples", frames.samples[columns])
