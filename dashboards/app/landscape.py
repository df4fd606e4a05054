"""Landscape: learning rate, momenta and n_dis, and where in them each method works."""

from dataclasses import replace
from functools import partial

import numpy as np
import streamlit as st

from dashboards.app import desk
from dashboards.app.snapshots import Snapshot
from dashboards.figures import FIGURES, StudyFrames
from dashboards.figures.frames import metric_label
from dashboards.figures.landscape import Landscape
from dashboards.figures.style import number

_LEVELS = [each / 20 for each in range(1, 20)]


def choose(snapshot: Snapshot) -> desk.Drawing:
    """The methods, and the threshold above which they work."""
    frames = desk.cut(snapshot)
    level = desk.slid_to("Threshold: a method works above this score", "threshold", _LEVELS, 0.5, ".2f")
    return partial(_show, frames, level)


def _show(frames: StudyFrames, level: float) -> None:
    table = frames.headline
    figure = FIGURES["landscape"]
    assert isinstance(figure, Landscape)
    value = number(float(table.transform.value(np.asarray(level))))
    better = "below" if table.lower_is_better else "above"
    st.caption(f"A score of {level:g} is {metric_label(table.metric)} {value} here; {better} that a method works.")
    drawn = replace(figure, level=level, least_rates=1)
    desk.draw(drawn, drawn.prepare(frames), name=f"{frames.name}-landscape")
