"""Scores against a number: what figures share whose horizontal axis is a hyperparameter."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from dashboards.figures.base import Drawing, FigureData
from dashboards.figures.charts import ScoreAxis, hover, in_panels, inline, layered, note, score_axis
from dashboards.figures.frames import metric_label, sample_sentence, seeds_sentence, shown_seeds
from dashboards.figures.style import INK, method_colours, method_labels, method_shapes
from sweeps.scores import ScoreTable
from sweeps.statistics import setting_medians

_WIDTH, _HEIGHT, _COLUMNS = 430, 280, 2


@dataclass(frozen=True)
class Place:
    """Where a cell of the score table is drawn: on the line of a method, at a number, in a panel."""

    method: str
    panel: str
    field: str
    value: float


# (method, setting) of the score table -> where it is drawn
Places = Mapping[tuple[str, str], Place]


@dataclass(frozen=True, kw_only=True)
class CurvesData(FigureData):
    """runs : a row per trial with columns method, panel, field, value, seed, state ("scored", "diverged" or
    "missing"), score and y, its place on the axis. medians : a row per method, panel and value with median (infinite
    when most seeds diverged) and y.
    """

    metric: str = ""
    methods: tuple[str, ...] = ()
    panels: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    axis: ScoreAxis | None = None
    floor: float | None = None
    runs: pd.DataFrame = field(default_factory=pd.DataFrame)
    medians: pd.DataFrame = field(default_factory=pd.DataFrame)


def curves(table: ScoreTable, places: Places, alt_text: str) -> CurvesData:
    """The cells of `places` (at least one), with an axis that holds them and the real images' score."""
    cells = [(table.methods.index(method), table.settings.index(setting), place)
             for (method, setting), place in places.items()]  # fmt: skip
    floor = [] if table.floor is None else [table.floor]
    values = np.concatenate([table.values[m, s] for m, s, _ in cells])
    axis = score_axis([*values, *floor], lower_is_better=table.lower_is_better)
    shown = shown_seeds(table)
    return CurvesData(
        seeds=seeds_sentence(table) + sample_sentence(table, shown),
        alt_text=alt_text,
        metric=metric_label(table.metric),
        methods=_distinct(place.method for place in places.values()),
        panels=_distinct(place.panel for place in places.values()),
        fields=_distinct(place.field for place in places.values()),
        axis=axis,
        floor=table.floor,
        runs=pd.DataFrame(row for cell in cells for row in _runs(table, *cell, axis, shown)),
        medians=pd.DataFrame(row for cell in cells for row in _median(table, *cell, axis)),
    )


def draw_curves(data: CurvesData) -> Drawing:
    """Lines through the medians, seeds as points, real images as a dashed line; a panel beside a panel."""
    if data.absent or data.axis is None:
        return note(data.absent)
    scale, ticks = data.axis.domain(diverged=True), data.axis.encode(data.metric, diverged=True)
    chart = alt.Chart().encode(
        x=alt.X("value:Q", scale=_scale(data.runs["value"]), axis=_axis(data)),
        y=alt.Y("y:Q", axis=ticks, scale=scale),
        color=alt.Color("label:N", scale=method_colours(data.methods), title="method"),
    )
    told = hover(
        "label:N|method", "field:N", "value:Q", "panel:N|setting", "seed:N", "state:N", f"score:Q|{data.metric}|.4~g"
    )
    runs = chart.transform_filter("datum.kind == 'run'")
    shape = alt.Shape("label:N", scale=method_shapes(data.methods), title="method")
    layers = [
        *_floor(data, ticks, scale),
        chart.transform_filter("datum.kind == 'median'").mark_line(strokeWidth=2),
        runs.transform_filter("datum.state == 'scored'")
        .mark_point(filled=True, size=75, opacity=0.7)
        .encode(shape=shape, tooltip=told),
        runs.transform_filter("datum.state == 'diverged'")
        .mark_text(text="✕", fontSize=12, fontWeight="bold")
        .encode(tooltip=told),
    ]
    panels = layered(*layers, data=inline(_table(data))).properties(width=_WIDTH, height=_HEIGHT)
    return in_panels(panels, "panel", data.panels, _COLUMNS)


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _scale(values: pd.Series) -> alt.Scale:
    """Logarithmic for factors: twice as much is as far everywhere."""
    low, high = float(values.min()), float(values.max())
    if low > 0:
        return alt.Scale(type="log", domain=[low / 1.08, high * 1.08], nice=False)
    return alt.Scale(type="linear", nice=True)


def _axis(data: CurvesData) -> alt.Axis:
    values = sorted(set(data.runs["value"]))
    ticks = {"values": values} if len(values) <= 10 else {"tickCount": 8}
    return alt.Axis(title=" or ".join(data.fields), format="~g", grid=False, labelOverlap=True, **ticks)


def _floor(data: CurvesData, axis: alt.Axis, scale: alt.Scale) -> list[alt.Chart]:
    if data.floor is None:
        return []
    rule = alt.Chart().transform_filter("datum.kind == 'floor'").mark_rule(strokeDash=[4, 3], color=INK, opacity=0.6)
    return [rule.encode(y=alt.Y("y:Q", axis=axis, scale=scale))]


def _table(data: CurvesData) -> pd.DataFrame:
    """Runs, medians and the floor of every panel as one table."""
    floor = pd.DataFrame({"panel": list(data.panels)}).assign(kind="floor", y=data.floor, method=data.methods[0])
    parts = [data.runs.assign(kind="run"), data.medians.assign(kind="median"), floor]
    table = pd.concat([part for part in parts if len(part)], ignore_index=True)
    return table.assign(label=method_labels(table["method"]))


def _runs(table: ScoreTable, m: int, s: int, place: Place, axis: ScoreAxis, shown: int) -> Iterator[dict[str, Any]]:
    for k, score in enumerate(table.values[m, s, :shown]):
        diverged = bool(table.diverged[m, s, k])
        state = "diverged" if diverged else "scored" if np.isfinite(score) else "missing"
        yield {
            "method": place.method, "panel": place.panel, "field": place.field, "value": place.value,
            "seed": table.seeds[k], "state": state, "score": float(score),
            "y": axis.place(float(score), diverged=diverged),
        }  # fmt: skip


def _median(table: ScoreTable, m: int, s: int, place: Place, axis: ScoreAxis) -> Iterator[dict[str, Any]]:
    (median,) = setting_medians(table.ordered[m, s : s + 1])
    if not np.isnan(median):
        y = float(median) if np.isfinite(median) else axis.diverged_median
        yield {"method": place.method, "panel": place.panel, "value": place.value, "median": float(median), "y": y}
