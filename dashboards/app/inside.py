"""Inside: what was recorded in the discriminators while they were trained."""

import streamlit as st

from dashboards.app import desk
from dashboards.app.snapshots import Snapshot

VIEWS = {
    "singular values": "spectra",
    "norms": "sigma-tracking",
    "gradients": "gradient-norms",
    "variances": "weight-variance",
}


def show(snapshot: Snapshot) -> None:
    """Choices, then one of the figures of layers."""
    frames = desk.cut(snapshot, protocol=False)
    view = desk.one_of_few("View", "inside", list(VIEWS))
    if not frames.methods or not frames.settings:
        st.info("These methods have no trials at these settings with these seeds.")
        return
    desk.figure(VIEWS[view], frames)
