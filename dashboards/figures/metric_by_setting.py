"""Fig. 1 and 2 of Miyato et al. 2018 (arXiv:1802.05957) redrawn: every method at every setting, every seed shown."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, final

import altair as alt
import numpy as np
import pandas as pd

from dashboards.figures.base import Drawing, Figure, FigureData, register
from dashboards.figures.charts import ScoreAxis, inline, note, score_axis
from dashboards.figures.frames import StudyFrames, has_results, metric_label, seeds_sentence
from dashboards.figures.style import (
    INK,
    method_colours,
    method_label,
    method_labels,
    method_shapes,
    scientific,
    themed,
)
from sweeps.scores import ScoreTable
from sweeps.statistics import setting_medians

_PANEL, _HEIGHT = 80, 290  # pixels


@dataclass(frozen=True, kw_only=True)
class MetricBySettingData(FigureData):
    """runs : a row per trial with columns method, setting, seed, state ("scored", "diverged" or "missing"), value and
    the place y on the axis. medians : a row per cell with any result: median (infinite when most seeds diverged), y.
    floor : what the protocol gives for real images, or None.
    """

    metric: str = ""
    methods: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    axis: ScoreAxis | None = None
    floor: float | None = None
    runs: pd.DataFrame = field(default_factory=pd.DataFrame)
    medians: pd.DataFrame = field(default_factory=pd.DataFrame)


@final
@dataclass(frozen=True, kw_only=True)
class MetricBySetting(Figure[MetricBySettingData]):
    """One panel per method, one column per setting. metric : "" for the preset's headline, else the metric's name."""

    metric: str = ""

    def prepare(self, frames: StudyFrames) -> MetricBySettingData:
        """The final score of every trial, and the cells' medians with diverged seeds counted as worst."""
        table = frames.scores_of(self.metric)
        if table is None or not has_results(table):
            return MetricBySettingData(absent=_absence(self.metric))
        label = metric_label(table.metric)
        values = [*table.values.ravel(), *([] if table.floor is None else [table.floor])]
        axis = score_axis(values, lower_is_better=table.lower_is_better)
        runs = pd.DataFrame(_runs(table, axis))
        return MetricBySettingData(
            seeds=seeds_sentence(len(table.seeds)),
            alt_text=f"Final {label} of {len(table.methods)} methods at settings {', '.join(table.settings)}; "
            f"{(runs['state'] == 'diverged').sum()} of {len(runs)} trials diverged, "
            f"{(runs['state'] == 'missing').sum()} are missing.",
            metric=label,
            methods=table.methods,
            settings=table.settings,
            axis=axis,
            floor=table.floor,
            runs=runs.merge(_details(frames), on=["method", "setting", "seed"], how="left"),
            medians=pd.DataFrame(_medians(table, axis), columns=["method", "setting", "median", "y"]),
        )

    def draw(self, data: MetricBySettingData) -> Drawing:
        """Panels side by side on one axis, with rails for diverged and missing trials outside the values."""
        if data.absent or data.axis is None:
            return note(data.absent)
        missing = bool((data.runs["state"] == "missing").any())
        axis = data.axis.encode(data.metric, diverged=True, missing=missing)
        scale = data.axis.domain(diverged=True, missing=missing)
        x = alt.X("setting:N", sort=list(data.settings), scale=alt.Scale(domain=list(data.settings)))
        x = x.axis(title=None, labelAngle=0 if max(map(len, data.settings)) <= 2 else -45, grid=False)
        y = alt.Y("y:Q", axis=axis, scale=scale)
        chart = alt.Chart()
        rails = [
            chart.transform_filter("datum.kind == 'frame'")
            .mark_rect(color=INK, opacity=0.055)
            .encode(y=alt.Y(f"{rail}_low:Q", axis=axis, scale=scale), y2=f"{rail}_high:Q")
            for rail in ("diverged", "missing")[: 1 + missing]
        ]
        layers = [*rails, *_floor(data, axis, scale), *_trial_marks(chart, data, x, y)]
        faceted = (
            alt.layer(*layers, data=inline(_table(data)))
            .properties(width=max(_PANEL, 14 * len(data.settings)), height=_HEIGHT)
            .facet(
                alt.Column("label:N", title=None, sort=method_labels(data.methods), header=alt.Header(labelPadding=6, labelFontSize=11)),
                spacing=5,
            )
        )
        return themed(faceted)


def _absence(metric: str) -> str:
    if not metric:
        return "No trial has a result under the headline protocol yet."
    return f"No {metric_label(metric)} was measured: its feature network or its weights were not there."


def _trial_marks(chart: alt.Chart, data: MetricBySettingData, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Ticks for medians, points for seeds, crosses and rings on the rails."""
    jitter = alt.XOffset("seed:N", scale=alt.Scale(paddingOuter=0.6))
    colour = alt.Color("label:N", scale=method_colours(data.methods), legend=None)
    tooltip = [
        alt.Tooltip("label:N", title="method"),
        alt.Tooltip("setting:N"),
        alt.Tooltip("alpha:N"),
        alt.Tooltip("betas:N", title="beta1, beta2"),
        alt.Tooltip("n_dis:N"),
        alt.Tooltip("seed:N"),
        alt.Tooltip("state:N"),
        alt.Tooltip("value:Q", title=data.metric, format=".4~g"),
        alt.Tooltip("last_update:Q", title="update", format=","),
    ]
    medians = (
        chart.transform_filter("datum.kind == 'median'")
        .mark_tick(orient="horizontal", thickness=2.5, size=11, opacity=1)
        .encode(x=x, y=y, color=colour, tooltip=[
            alt.Tooltip("label:N", title="method"), alt.Tooltip("setting:N"),
            alt.Tooltip("median:Q", title=f"median {data.metric}", format=".4~g"),
        ])  # fmt: skip
    )
    seeds = (
        chart.transform_filter("datum.state == 'scored'")
        .mark_point(filled=True, size=34, opacity=0.55)
        .encode(x=x, xOffset=jitter, y=y, color=colour, tooltip=tooltip,
                shape=alt.Shape("label:N", scale=method_shapes(data.methods), legend=None))  # fmt: skip
    )
    diverged = (
        chart.transform_filter("datum.state == 'diverged'")
        .mark_text(text="✕", fontSize=11, fontWeight="bold")
        .encode(x=x, xOffset=jitter, y=y, color=colour, tooltip=tooltip)
    )
    missing = (
        chart.transform_filter("datum.state == 'missing'")
        .mark_point(filled=False, size=18, color=INK, opacity=0.5, shape="circle", strokeWidth=1)
        .encode(x=x, xOffset=jitter, y=y, tooltip=tooltip)
    )
    return [medians, seeds, diverged, missing]


def _floor(data: MetricBySettingData, axis: alt.Axis, scale: alt.Scale) -> list[alt.Chart]:
    """A dashed line at what real images score, with its name in the first panel."""
    if data.floor is None:
        return []
    y = alt.Y("floor:Q", axis=axis, scale=scale)
    chart = alt.Chart().transform_filter("datum.kind == 'frame'")
    line = chart.mark_rule(strokeDash=[4, 3], color=INK, opacity=0.6).encode(
        y=y, tooltip=[alt.Tooltip("floor:Q", title=f"{data.metric} of real images", format=".4~g")]
    )
    text = (
        chart.transform_filter(f"datum.label == {method_label(data.methods[0])!r}")
        .mark_text(text="real images", align="left", baseline="bottom", dy=-2, dx=3, fontSize=10, color=INK, opacity=0.8)
        .encode(y=y, x=alt.value(0))
    )
    return [line, text]


def _table(data: MetricBySettingData) -> pd.DataFrame:
    """Everything the panels show as one long table, told apart by the column "kind"."""
    assert data.axis is not None
    axis = data.axis
    rails = [(axis.high, axis.top), (axis.bottom, axis.low)]
    diverged, missing = rails if axis.diverged > axis.high else rails[::-1]
    frame = pd.DataFrame({"method": list(data.methods)}).assign(
        kind="frame", floor=data.floor, diverged_low=diverged[0], diverged_high=diverged[1],
        missing_low=missing[0], missing_high=missing[1],
    )  # fmt: skip
    table = pd.concat([frame, data.medians.assign(kind="median"), data.runs.assign(kind="run")], ignore_index=True)
    return table.assign(label=method_labels(table["method"]))


def _runs(table: ScoreTable, axis: ScoreAxis) -> Iterator[dict[str, Any]]:
    for (m, s, k), value in np.ndenumerate(table.values):
        diverged = bool(table.diverged[m, s, k])
        state = "diverged" if diverged else "scored" if np.isfinite(value) else "missing"
        yield {
            "method": table.methods[m], "setting": table.settings[s], "seed": table.seeds[k], "state": state,
            "value": float(value), "y": axis.place(float(value), diverged=diverged),
        }  # fmt: skip


def _details(frames: StudyFrames) -> pd.DataFrame:
    """What tooltips tell of a trial beside its score."""
    trials = frames.trials
    return pd.DataFrame(
        {
            "method": trials["method"],
            "setting": trials["setting"],
            "seed": trials["seed"],
            "alpha": [scientific(value) for value in trials["alpha"]],
            "betas": [f"{b1:g}, {b2:g}" for b1, b2 in zip(trials["beta1"], trials["beta2"], strict=True)],
            "n_dis": trials["n_dis"],
            "last_update": trials["last_update"],
        }
    )


def _medians(table: ScoreTable, axis: ScoreAxis) -> Iterator[dict[str, Any]]:
    for (m, s), value in np.ndenumerate(setting_medians(table.ordered)):
        if not np.isnan(value):
            yield {
                "method": table.methods[m], "setting": table.settings[s], "median": float(value),
                "y": float(value) if np.isfinite(value) else axis.diverged_median,
            }  # fmt: skip


register(
    MetricBySetting(
        name="metric-by-setting",
        title="Score at every setting",
        question="Which methods keep their score when learning rate, momentum and n_dis change?",
        reading="A robust method is a flat and low row of points across its panel, a fragile one climbs or reaches the "
        "diverged rail. Compare the heights of panels at the same setting, and the slope within a panel.",
        marks="Points: single seeds at the last update; horizontal ticks: their median, a diverged seed counting as "
        "worst; ✕ on the upper rail: diverged; rings on the lower rail: no result yet; dashed line: real images.",
    )
)
register(
    MetricBySetting(
        name="inception-score-by-setting",
        metric="is",
        title="Inception Score at every setting",
        question="Does the Inception Score tell the same story as the headline metric?",
        reading="As above, but higher is better: a robust method is a flat and high row of points. "
        "The Inception Score looks at generated images only and does not notice what is missing among them.",
        marks="Points: single seeds at the last update; horizontal ticks: their median; ✕ on the lower rail: diverged; "
        "rings on the upper rail: no result yet; dashed line: real images.",
    )
)
