"""Samples: grids of images, method by setting, at any update."""

from dataclasses import replace

import streamlit as st

from dashboards import views
from dashboards.app import desk
from dashboards.app.snapshots import Snapshot
from dashboards.figures import FIGURES
from dashboards.figures.sample_grids import SampleGrids


def show(snapshot: Snapshot) -> None:
    """The seed, the update, and the grids of all methods at all settings."""
    frames = snapshot.frames
    if frames.samples.empty:
        st.info("No trial has written a sample grid yet.")
        return
    places = st.columns([3, 3, 2])
    with places[0]:
        methods = desk.chosen("Methods", "methods", frames.methods)
    with places[1]:
        settings = desk.chosen("Settings", "settings", frames.settings)
    with places[2]:
        seed = desk.one_of("Seed", "seed", sorted(map(int, frames.samples["seed"].unique())))
    chosen = desk.part(frames, methods, settings, [seed], frames.preset.headline)
    updates = sorted(map(int, chosen.samples["update"].unique()))
    if not updates:
        st.info("These trials have written no sample grid yet.")
        return
    until = updates[-1]
    if len(updates) > 1:
        until = st.select_slider("Update", updates, updates[-1], key="update", bind="query-params",
                                 format_func=lambda update: f"{update:,}")  # fmt: skip
    figure = FIGURES["sample-grids"]
    assert isinstance(figure, SampleGrids)
    data = replace(figure, until=until).prepare(chosen)
    desk.shown("grids.html", matrix=views.grid_matrix(data))
    st.caption(f"{figure.marks} {data.seeds}")
    columns = ["method", "setting", "seed", "update", "digest", "path"]
    desk.download(f"{frames.name}-samples", chosen.samples[columns])
