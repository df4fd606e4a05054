"""Small pictures of the discriminator's layers: what figures of a diagnostic of every layer over updates share."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from dashboards.figures.base import FigureData
from dashboards.figures.charts import choice, faded, hover, inline, layered, log_ticks
from dashboards.figures.frames import StudyFrames
from dashboards.figures.style import INK, Chart, method_colours, method_dashes, method_labels, themed

_SIDE = 150  # pixels of a small picture
# How targets are drawn, and at which share of the picture's width their names stand.
_DASHES: tuple[list[int], ...] = ([1, 0], [6, 3], [2, 2])
_NAMES_AT = (0.83, 0.17, 0.5)


@dataclass(frozen=True, kw_only=True)
class LayersData(FigureData):
    """curves : a row per method, setting, layer (a number from 1) and update with columns median, low and high over
    the seeds that have a finite value there, and num_seeds. targets : a row per layer and target with columns target
    (its name) and value.
    """

    methods: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    curves: pd.DataFrame = field(default_factory=pd.DataFrame)
    targets: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["layer", "target", "value"]))


def layer_curves(frames: StudyFrames, quantity: str, methods: tuple[str, ...]) -> pd.DataFrame:
    """The curves of LayersData for the diagnostic "layerN/QUANTITY" of some methods; empty where there is none."""
    rows = of_layers(frames, quantity)
    rows = rows[rows["method"].isin(methods) & np.isfinite(rows["value"].to_numpy(dtype=float))]
    cells = rows.groupby(["method", "setting", "layer", "update"])["value"]
    curves: pd.DataFrame = cells.agg(median="median", low="min", high="max", num_seeds="size").reset_index()
    return curves


def of_layers(frames: StudyFrames, quantity: str) -> pd.DataFrame:
    """The diagnostics called "layerN/QUANTITY", with the column layer for N."""
    layer = frames.diagnostics["name"].str.extract(rf"^layer(\d+)/{quantity}$")[0]
    found = frames.diagnostics[layer.notna()]
    return found.assign(layer=layer.dropna().astype(int))


def seeds_of(curves: pd.DataFrame) -> str:
    """How many seeds stand behind the curves, as a sentence."""
    most = int(curves["num_seeds"].max())
    return "One seed: no band." if most == 1 else f"Up to {most} seeds per method and setting."


def layers_figure(data: LayersData, axis: alt.Axis, scale: alt.Scale, limits: tuple[float, float]) -> Chart:
    """Lines through medians, bands over seeds, targets as horizontal rules; a row per setting, a column per layer.

    limits : ends of the axis; what lies outside is drawn at its edge.
    """
    chosen = choice()
    x = alt.X(
        "update:Q",
        axis=alt.Axis(title="generator updates", tickCount=3, format="~s", grid=False),
        scale=alt.Scale(nice=False),
    )
    base = alt.Chart().encode(x=x, color=alt.Color("label:N", scale=method_colours(data.methods), title="method"))
    curve = base.transform_filter("datum.kind == 'curve'")
    told = hover("label:N|method", "setting:N", "layer:N", "update:Q||,", "median:Q||.4~g", "low:Q|lowest seed|.4~g",
                 "high:Q|highest seed|.4~g", "num_seeds:Q|seeds")  # fmt: skip
    y = alt.Y("y:Q", axis=axis, scale=scale)
    layers = [
        *_targets(data, axis, scale),
        curve.mark_area(clip=True).encode(
            y=alt.Y("y_low:Q", axis=axis, scale=scale), y2="y_high:Q", opacity=faded(chosen, 0.14, 0.02)
        ),
        curve.mark_line(clip=True, strokeWidth=1.7).encode(
            y=y,
            strokeDash=alt.StrokeDash("method:N", scale=method_dashes(data.methods), legend=None),
            opacity=faded(chosen, 0.95, 0.08),
        ),
        curve.mark_point(filled=True, size=16, clip=True)
        .encode(y=y, tooltip=told, opacity=faded(chosen, 0.9, 0.08))
        .add_params(chosen),
    ]
    return panels(layered(*layers, data=inline(_table(data, limits))), data.curves, data.settings)


def panels(chart: Chart, curves: pd.DataFrame, settings: tuple[str, ...], *, own_x: bool = False) -> Chart:
    """A row per setting and a column per layer."""
    layers = [layer_name(number) for number in sorted(curves["layer"].unique())]
    small = chart.properties(width=_SIDE, height=_SIDE * 4 // 5)
    column = alt.Column("layer:N", title=None, sort=layers)
    faceted = small.facet(row=alt.Row("setting:N", title=None, sort=list(settings)), column=column)
    return themed(faceted.resolve_scale(x="independent") if own_x else faceted)


def layer_name(number: int) -> str:
    """How figures write a layer."""
    return f"layer {number}"


def log_axis(curves: pd.DataFrame, title: str) -> tuple[alt.Axis, alt.Scale, tuple[float, float]]:
    """A logarithmic axis from the lowest positive to the highest value, its scale and its ends."""
    values = curves[["low", "high"]].to_numpy(dtype=float).ravel()
    positive = values[values > 0]
    low, high = (float(positive.min()), float(positive.max())) if len(positive) else (0.5, 2.0)
    low, high = low / 1.3, high * 1.6  # room above for a name
    scale = alt.Scale(type="log", domain=[low, high], nice=False)
    return alt.Axis(title=title, values=list(log_ticks(low, high)), format="~g", labelOverlap=True), scale, (low, high)


def _targets(data: LayersData, axis: alt.Axis, scale: alt.Scale) -> list[alt.Chart]:
    """A rule per target with its name above it, each name at a place of its own: targets may lie close together."""
    y = alt.Y("y:Q", axis=axis, scale=scale)
    found: list[alt.Chart] = []
    for name, dash, at in zip(dict.fromkeys(data.targets["target"]), _DASHES, _NAMES_AT, strict=False):
        target = alt.Chart().transform_filter(f"datum.kind == 'target' && datum.target == '{name}'").encode(y=y)
        found.append(target.mark_rule(color=INK, opacity=0.6, strokeDash=dash))
        words = target.mark_text(text=name, dy=-5, fontSize=8.5, color=INK, opacity=0.75)
        found.append(words.encode(x=alt.value(at * _SIDE)))
    return found


def _table(data: LayersData, limits: tuple[float, float]) -> pd.DataFrame:
    """Curves, and the targets of every panel, as one table."""
    low, high = limits
    curves = data.curves.assign(
        kind="curve",
        y=data.curves["median"].clip(low, high),
        y_low=data.curves["low"].clip(low, high),
        y_high=data.curves["high"].clip(low, high),
    )
    curves["label"] = method_labels(curves["method"])
    targets = pd.DataFrame(list(_target_rows(data)), columns=["setting", "layer", "target", "y"]).assign(kind="target")
    table = pd.concat([part for part in (curves, targets) if len(part)], ignore_index=True)
    return table.assign(layer=[layer_name(number) for number in table["layer"]])


def _target_rows(data: LayersData) -> Iterator[dict[str, Any]]:
    for setting in data.settings:
        for layer, target, value in data.targets[["layer", "target", "value"]].itertuples(index=False, name=None):
            yield {"setting": setting, "layer": layer, "target": target, "y": value}
