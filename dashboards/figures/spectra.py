"""The singular values of every layer's weight after training (Fig. 3 of arXiv:1802.05957)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, final

import altair as alt
import numpy as np
import pandas as pd

from dashboards.figures.base import Drawing, Figure, FigureData, register
from dashboards.figures.charts import choice, faded, hover, inline, layered, log_ticks, note
from dashboards.figures.frames import StudyFrames
from dashboards.figures.layers import layer_name, panels, seeds_of
from dashboards.figures.style import method_colours, method_dashes, method_labels

_LOWEST = 1e-4  # of the largest squared singular value; what lies below adds nothing to the picture
_MOST = 96  # points along a line


@dataclass(frozen=True, kw_only=True)
class SpectraData(FigureData):
    """curves : a row per method, setting, layer (a number from 1) and number of the singular value, from 1, with
    columns median, low and high over seeds of its square divided by the largest one's, and num_seeds.
    """

    methods: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    curves: pd.DataFrame = field(default_factory=pd.DataFrame)


@final
@dataclass(frozen=True, kw_only=True)
class Spectra(Figure[SpectraData]):
    """A column per layer, a row per setting, a line per method."""

    def prepare(self, frames: StudyFrames) -> SpectraData:
        """The effective weights' spectra at the last update of the trials that have one."""
        ends = frames.trials.drop_duplicates("digest").set_index("digest")["updates"]
        rows = frames.spectra[frames.spectra["weight"] == "effective"]
        rows = rows[rows["update"] == rows["digest"].map(ends)]
        curves = pd.DataFrame(_curves(rows))
        if curves.empty:
            return SpectraData(absent="No trial has told the singular values of its weights after training yet.")
        return SpectraData(
            seeds=seeds_of(curves),
            alt_text="Squared singular values of each layer's weight after training, the largest set to 1.",
            methods=tuple(name for name in frames.methods if name in set(curves["method"])),
            settings=tuple(name for name in frames.settings if name in set(curves["setting"])),
            curves=curves,
        )

    def draw(self, data: SpectraData) -> Drawing:
        """A logarithmic axis from 1 down; every layer has as many singular values as it has."""
        if data.absent:
            return note(data.absent)
        chosen = choice()
        low = min(0.1, max(_LOWEST, float(data.curves["low"].min())))
        axis = alt.Axis(title="squared, largest = 1", values=list(log_ticks(low, 1.0)), format="~g")
        scale = alt.Scale(type="log", domain=[low, 1], nice=False)
        base = alt.Chart().encode(
            x=alt.X(
                "number:Q", axis=alt.Axis(title="singular value", tickCount=3, grid=False), scale=alt.Scale(nice=False)
            ),
            color=alt.Color("label:N", scale=method_colours(data.methods), title="method"),
        )
        told = hover("label:N|method", "setting:N", "layer:N", "number:Q", "median:Q||.3~g", "num_seeds:Q|seeds")
        layers = layered(
            base.mark_area(clip=True).encode(
                y=alt.Y("y_low:Q", axis=axis, scale=scale), y2="y_high:Q", opacity=faded(chosen, 0.14, 0.02)
            ),
            base.mark_line(clip=True, strokeWidth=1.8)
            .encode(
                y=alt.Y("y:Q", axis=axis, scale=scale),
                strokeDash=alt.StrokeDash("method:N", scale=method_dashes(data.methods), legend=None),
                opacity=faded(chosen, 0.95, 0.08),
                tooltip=told,
            )
            .add_params(chosen),
            data=inline(_table(data.curves)),
        )
        return panels(layers, data.curves, data.settings, own_x=True)


def _curves(rows: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Layers with one singular value, dense ones, have no spectrum to show."""
    for (method, setting, layer), cell in rows.groupby(["method", "setting", "layer"], sort=False):
        values = [np.square(np.array(seed) / seed[0]) for seed in cell["singular_values"] if len(seed) > 1 and seed[0]]
        if not values:
            continue
        table = np.stack(values)
        for place in np.unique(np.linspace(0, table.shape[1] - 1, _MOST).round().astype(int)):
            column = table[:, place]
            yield {
                "method": method, "setting": setting, "layer": int(str(layer).removeprefix("layer")),
                "number": int(place) + 1, "median": float(np.median(column)), "low": float(column.min()),
                "high": float(column.max()), "num_seeds": len(table),
            }  # fmt: skip


def _table(curves: pd.DataFrame) -> pd.DataFrame:
    return curves.assign(
        y=curves["median"].clip(lower=_LOWEST),
        y_low=curves["low"].clip(lower=_LOWEST),
        y_high=curves["high"].clip(lower=_LOWEST),
        label=method_labels(curves["method"]),
        layer=[layer_name(number) for number in curves["layer"]],
    )


register(
    Spectra(
        name="spectra",
        title="Singular values of the weights",
        question="How many directions do the discriminator's layers use after training?",
        reading="A line that falls at once belongs to a layer that looks at few directions of its input; a flat one "
        "uses all of them. Layers are compared by shape only: the largest value is 1 everywhere.",
        marks="Lines: median over seeds of the squared singular values of the weight that the layer computes with, "
        "from the largest on; bands: lowest to highest seed; what is below 0.0001 lies on the lower edge.",
    )
)
