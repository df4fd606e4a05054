"""Landscape: learning rate, momenta and n_dis, and where in them each method works."""

from dataclasses import replace

import numpy as np
import streamlit as st

from dashboards.app import desk
from dashboards.app.snapshots import Snapshot
from dashboards.figures import FIGURES
from dashboards.figures.frames import metric_label
from dashboards.figures.landscape import Landscape
from dashboards.figures.style import number


def show(snapshot: Snapshot) -> None:
    """The threshold, then a panel per method."""
    frames = desk.cut(snapshot)
    level = st.slider("Threshold: a method works above this score", 0.05, 0.95, 0.5, 0.05, key="threshold",
                      bind="query-params", persist_state="session")  # fmt: skip
    table = frames.headline
    figure = FIGURES["landscape"]
    assert isinstance(figure, Landscape)
    value = number(float(table.transform.value(np.asarray(level))))
    better = "below" if table.lower_is_better else "above"
    st.caption(f"A score of {level:g} is {metric_label(table.metric)} {value} here; {better} that a method works.")
    drawn = replace(figure, level=level, least_rates=1)
    desk.draw(drawn, drawn.prepare(frames), name=f"{frames.name}-landscape")
