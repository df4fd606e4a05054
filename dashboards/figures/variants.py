"""A score against the hyperparameter in which variants of a method differ, such as BSSN's scale c."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, final

import altair as alt
import numpy as np
import pandas as pd

from dashboards.figures.base import Drawing, Figure, FigureData, register
from dashboards.figures.charts import ScoreAxis, hover, inline, note, score_axis
from dashboards.figures.frames import StudyFrames, has_results, metric_label, seeds_sentence
from dashboards.figures.style import INK, method_colours, method_label, method_labels, method_shapes, themed
from sngan.methods import METHODS
from sngan.variants import varied_number
from sweeps.scores import ScoreTable
from sweeps.statistics import setting_medians

_WIDTH, _HEIGHT, _COLUMNS = 430, 280, 2


@dataclass(frozen=True, kw_only=True)
class VariantsData(FigureData):
    """runs : a row per trial of a varied method with columns method (the one that is varied), field, value, setting,
    seed, state ("scored", "diverged" or "missing"), score and y, its place on the axis. medians : a row per method,
    value and setting with median (infinite when most seeds diverged) and y.
    """

    metric: str = ""
    methods: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    axis: ScoreAxis | None = None
    floor: float | None = None
    runs: pd.DataFrame = field(default_factory=pd.DataFrame)
    medians: pd.DataFrame = field(default_factory=pd.DataFrame)


@final
@dataclass(frozen=True, kw_only=True)
class Variants(Figure[VariantsData]):
    """A line per varied method, a panel per setting."""

    def prepare(self, frames: StudyFrames) -> VariantsData:
        """The final scores of all methods that are varied in one number."""
        table = frames.headline
        known = [name for name in table.methods if name in METHODS]
        places = {name: place for name in known if (place := varied_number(name))}
        if not places:
            return VariantsData(absent="No method is varied in a number, as in orthonormal(coefficient=0.1).")
        if not has_results(table):
            return VariantsData(absent="No trial has a result under the headline protocol yet.")
        values = [table.values[table.methods.index(name)].ravel() for name in places]
        floor = [] if table.floor is None else [table.floor]
        axis = score_axis([*np.concatenate(values), *floor], lower_is_better=table.lower_is_better)
        methods = tuple(dict.fromkeys(method for method, _, _ in places.values()))
        fields = tuple(dict.fromkeys(key for _, key, _ in places.values()))
        label = metric_label(table.metric)
        return VariantsData(
            seeds=seeds_sentence(table),
            alt_text=f"Final {label} of {', '.join(map(method_label, methods))} against {' and '.join(fields)}.",
            metric=label,
            methods=methods,
            settings=table.settings,
            fields=fields,
            axis=axis,
            floor=table.floor,
            runs=pd.DataFrame(_runs(table, places, axis)),
            medians=pd.DataFrame(_medians(table, places, axis)),
        )

    def draw(self, data: VariantsData) -> Drawing:
        """Lines through the medians, seeds as points, real images as a dashed line."""
        if data.absent or data.axis is None:
            return note(data.absent)
        scale, ticks = data.axis.domain(diverged=True), data.axis.encode(data.metric, diverged=True)
        y = alt.Y("y:Q", axis=ticks, scale=scale)
        chart = alt.Chart().encode(
            x=alt.X("value:Q", scale=_scale(data.runs["value"]), axis=_axis(data)),
            y=y,
            color=alt.Color("label:N", scale=method_colours(data.methods), title="method"),
        )
        told = hover(
            "label:N|method", "field:N", "value:Q", "setting:N", "seed:N", "state:N", f"score:Q|{data.metric}|.4~g"
        )
        medians = chart.transform_filter("datum.kind == 'median'")
        runs = chart.transform_filter("datum.kind == 'run'")
        shape = alt.Shape("label:N", scale=method_shapes(data.methods), title="method")
        layers = [
            *_floor(data, ticks, scale),
            medians.mark_line(strokeWidth=2),
            runs.transform_filter("datum.state == 'scored'")
            .mark_point(filled=True, size=75, opacity=0.7)
            .encode(shape=shape, tooltip=told),
            runs.transform_filter("datum.state == 'diverged'")
            .mark_text(text="✕", fontSize=12, fontWeight="bold")
            .encode(tooltip=told),
        ]
        panels = alt.layer(*layers, data=inline(_table(data))).properties(width=_WIDTH, height=_HEIGHT)
        return themed(panels.facet(alt.Facet("setting:N", title=None, sort=list(data.settings)), columns=_COLUMNS))


def _scale(values: pd.Series) -> alt.Scale:
    """Logarithmic for factors: twice as much is as far everywhere."""
    low, high = float(values.min()), float(values.max())
    if low > 0:
        return alt.Scale(type="log", domain=[low / 1.08, high * 1.08], nice=False)
    return alt.Scale(type="linear", nice=True)


def _axis(data: VariantsData) -> alt.Axis:
    values = sorted(set(data.runs["value"]))
    ticks = {"values": values} if len(values) <= 10 else {"tickCount": 8}
    title = " or ".join(name.replace("_", " ") for name in data.fields)
    return alt.Axis(title=title, format="~g", grid=False, labelOverlap=True, **ticks)


def _floor(data: VariantsData, axis: alt.Axis, scale: alt.Scale) -> list[alt.Chart]:
    if data.floor is None:
        return []
    rule = alt.Chart().transform_filter("datum.kind == 'floor'").mark_rule(strokeDash=[4, 3], color=INK, opacity=0.6)
    return [rule.encode(y=alt.Y("y:Q", axis=axis, scale=scale))]


def _table(data: VariantsData) -> pd.DataFrame:
    """Runs, medians and the floor of every panel as one table."""
    floor = pd.DataFrame({"setting": list(data.settings)}).assign(kind="floor", y=data.floor, method=data.methods[0])
    parts = [data.runs.assign(kind="run"), data.medians.assign(kind="median"), floor]
    table = pd.concat([part for part in parts if len(part)], ignore_index=True)
    return table.assign(label=method_labels(table["method"]))


def _runs(table: ScoreTable, places: dict[str, tuple[str, str, float]], axis: ScoreAxis) -> Iterator[dict[str, Any]]:
    for name, (method, key, value) in places.items():
        m = table.methods.index(name)
        for (s, k), score in np.ndenumerate(table.values[m]):
            diverged = bool(table.diverged[m, s, k])
            state = "diverged" if diverged else "scored" if np.isfinite(score) else "missing"
            yield {
                "method": method, "field": key, "value": value, "setting": table.settings[s], "seed": table.seeds[k],
                "state": state, "score": float(score), "y": axis.place(float(score), diverged=diverged),
            }  # fmt: skip


def _medians(table: ScoreTable, places: dict[str, tuple[str, str, float]], axis: ScoreAxis) -> Iterator[dict[str, Any]]:
    for name, (method, _, value) in places.items():
        for s, median in enumerate(setting_medians(table.ordered[table.methods.index(name)])):
            if not np.isnan(median):
                yield {
                    "method": method, "value": value, "setting": table.settings[s], "median": float(median),
                    "y": float(median) if np.isfinite(median) else axis.diverged_median,
                }  # fmt: skip


register(
    Variants(
        name="variants",
        title="Score against the hyperparameter",
        question="How does the score depend on the method's own hyperparameter, and how narrow is the good region?",
        reading="One line per method, one panel per setting; lower is better for FID. A flat valley forgives a wrong "
        "value, a narrow one asks for tuning.",
        marks="Points: single seeds at the last update; lines: their medians, a diverged seed counting as worst; ✕ on "
        "the rail: diverged; dashed line: real images. A missing run has no point.",
    )
)
