"""Inside: what was recorded in the discriminators while they were trained."""

from functools import partial

import streamlit as st

from dashboards.app import desk
from dashboards.app.snapshots import Snapshot

VIEWS = {
    "singular values": "spectra",
    "norms": "sigma-tracking",
    "gradients": "gradient-norms",
    "variances": "weight-variance",
}


def choose(snapshot: Snapshot) -> desk.Drawing:
    """Whose layers are shown, and in which of the figures of layers."""
    frames = desk.cut(snapshot, protocol=False)
    view = desk.one_of_few("View", "inside", list(VIEWS))
    if not frames.methods or not frames.settings:
        return partial(st.info, "These methods have no trials at these settings with these seeds.")
    return partial(desk.figure, VIEWS[view], frames)
