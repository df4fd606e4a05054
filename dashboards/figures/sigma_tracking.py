"""How well one power iteration per update follows the largest singular value (Fig. 9 of arXiv:1802.05957)."""

from dataclasses import dataclass
from typing import final

import altair as alt
import pandas as pd

from dashboards.figures.base import Drawing, Figure, register
from dashboards.figures.charts import linear_ticks, note
from dashboards.figures.frames import StudyFrames
from dashboards.figures.layers import LayersData, layer_curves, layers_figure, seeds_of
from sngan.methods import METHODS
from sngan.regularizers.scale import Scale
from sngan.regularizers.spectral_norm import SpectralNorm


@final
@dataclass(frozen=True, kw_only=True)
class SigmaTracking(Figure[LayersData]):
    """A column per layer, a row per setting, a line per method that normalizes this singular value to 1."""

    def prepare(self, frames: StudyFrames) -> LayersData:
        """The largest singular value of the normalized weights at every diagnosed update."""
        methods = tuple(name for name in frames.methods if _normalizes_to_1(name))
        if not methods:
            return LayersData(absent="No method divides weights by their largest singular value.")
        curves = layer_curves(frames, "sigma", methods)
        if curves.empty:
            return LayersData(absent="No trial has told its singular values yet.")
        layers = sorted(curves["layer"].unique())
        return LayersData(
            seeds=seeds_of(curves),
            alt_text="Largest singular value of each layer's normalized weight against generator updates.",
            methods=tuple(name for name in methods if name in set(curves["method"])),
            settings=tuple(name for name in frames.settings if name in set(curves["setting"])),
            curves=curves,
            targets=pd.DataFrame({"layer": layers, "target": "", "value": 1.0}),
        )

    def draw(self, data: LayersData) -> Drawing:
        """A linear axis that holds the paper's, 0.95 to 1.20, and more where that is needed."""
        if data.absent:
            return note(data.absent)
        low, high = min(0.95, data.curves["low"].min()), max(1.2, data.curves["high"].max())
        axis = alt.Axis(title="largest singular value", values=list(linear_ticks(low, high)), format="~g")
        return layers_figure(data, axis, alt.Scale(domain=[low, high], nice=False), (low, high))


def _normalizes_to_1(name: str) -> bool:
    kinds = {type(regularizer) for regularizer in METHODS[name].regularizers} if name in METHODS else set()
    return SpectralNorm in kinds and Scale not in kinds


register(
    SigmaTracking(
        name="sigma-tracking",
        title="Does the power iteration keep up?",
        question="How far from 1 is the largest singular value of a spectrally normalized weight?",
        reading="Spectral normalization divides by an estimate that is never too large, so the true value lies at 1 or "
        "above. The further above, the further the one power iteration per update lags behind the weights.",
        marks="Lines and points: median over seeds; bands: lowest to highest seed; rule: 1, what is aimed at. "
        "At update 0 the iteration has begun with vectors drawn at random.",
    )
)
