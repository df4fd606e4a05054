"""Fig. 1 and 2 of Miyato et al. 2018 (arXiv:1802.05957) redrawn: every method at every setting, every seed shown."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import altair as alt
import numpy as np
import pandas as pd

from dashboards.figures.base import Drawing, Figure, FigureData, register
from dashboards.figures.charts import ScoreAxis, hover, inline, layered, note, score_axis
from dashboards.figures.frames import (
    StudyFrames,
    has_results,
    metric_label,
    sample_sentence,
    seeds_sentence,
    shown_seeds,
)
from dashboards.figures.style import (
    INK,
    method_colours,
    method_labels,
    method_shapes,
    scientific,
    themed,
)
from sweeps.scores import ScoreTable
from sweeps.statistics import setting_medians

_WIDTH, _HEIGHT = 930, 290  # pixels, all panels together
_NARROWEST, _WIDEST, _GAP = 80, 170, 5


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
    """One panel per method, one column per setting.

    metric : "" for the preset's headline, else the metric's name. most_runs : of more, the first seeds alone are drawn;
    None for as many as other figures draw.
    """

    metric: str = ""
    most_runs: int | None = None

    def prepare(self, frames: StudyFrames) -> MetricBySettingData:
        """The final score of every trial, and the cells' medians with diverged seeds counted as worst."""
        table = frames.scores_of(self.metric)
        if table is None or not has_results(table):
            return MetricBySettingData(absent=_absence(self.metric))
        label = metric_label(table.metric)
        values = [*table.values.ravel(), *([] if table.floor is None else [table.floor])]
        axis = score_axis(values, lower_is_better=table.lower_is_better)
        shown = shown_seeds(table) if self.most_runs is None else shown_seeds(table, self.most_runs)
        runs = pd.DataFrame(_runs(table.of_seeds(np.arange(len(table.seeds)) < shown), axis))
        return MetricBySettingData(
            seeds=seeds_sentence(table) + sample_sentence(table, shown),
            alt_text=f"Final {label} of {len(table.methods)} methods at settings {', '.join(table.settings)}; "
            f"{table.diverged.sum()} of {table.values.size} trials diverged, {table.missing.sum()} are missing.",
            metric=label,
            methods=table.methods,
            settings=table.settings,
            axis=axis,
            floor=table.floor,
            runs=runs.merge(_details(frames.trials, table.seeds[:shown]), on=["method", "setting", "seed"], how="left"),
            medians=pd.DataFrame(_medians(table, axis), columns=["method", "setting", "median", "y"]),
        )

    def draw(self, data: MetricBySettingData) -> Drawing:
        """Panels side by side on one axis, with rails for diverged and missing trials outside the values."""
        if data.absent or data.axis is None:
            return note(data.absent)
        missing = bool((data.runs["state"] == "missing").any())
        axis = data.axis.encode(data.metric, diverged=True, missing=missing)
        scale = data.axis.domain(diverged=True, missing=missing)
        layers = [
            *_rails(axis, scale, missing=missing),
            *_floor(data, axis, scale),
            *_trials(data, alt.Y("y:Q", axis=axis, scale=scale)),
        ]
        header = alt.Header(labelPadding=6, labelFontSize=11)
        panels = (
            layered(*layers, data=inline(_table(data, data.axis)))
            .properties(width=_panel_width(data), height=_HEIGHT)
            .facet(
                column=alt.Column("label:N", title=None, sort=method_labels(data.methods), header=header),
                spacing=_GAP,
            )
        )
        return themed(panels)


def _panel_width(data: MetricBySettingData) -> int:
    share = _WIDTH // len(data.methods) - _GAP
    return max(min(share, _WIDEST), _NARROWEST, 13 * len(data.settings))


def _absence(metric: str) -> str:
    if not metric:
        return "No trial has a result under the headline protocol yet."
    return f"No {metric_label(metric)} was measured. Without the network's last layer it is left out."


def _rails(axis: alt.Axis, scale: alt.Scale, *, missing: bool) -> list[alt.Chart]:
    """Grey strips behind the diverged and, where there are any, the missing trials."""
    frame = alt.Chart().transform_filter("datum.kind == 'frame'").mark_rect(color=INK, opacity=0.055)
    names = ("diverged", "missing") if missing else ("diverged",)
    return [frame.encode(y=alt.Y(f"{name}_low:Q", axis=axis, scale=scale), y2=f"{name}_high:Q") for name in names]


def _trials(data: MetricBySettingData, y: alt.Y) -> list[alt.Chart]:
    """Ticks for medians, points for seeds, crosses and rings on the rails."""
    angle = 0 if max(map(len, data.settings)) <= 2 else -45
    axis = alt.Axis(title=None, labelAngle=angle, grid=False)
    x = alt.X("setting:N", scale=alt.Scale(domain=list(data.settings)), axis=axis)
    seeds = sorted(int(seed) for seed in data.runs["seed"].unique())
    beside = alt.XOffset("seed:N", scale=alt.Scale(domain=seeds, paddingOuter=0.6))
    colour = alt.Color("label:N", scale=method_colours(data.methods), legend=None)
    shape = alt.Shape("label:N", scale=method_shapes(data.methods), legend=None)
    told = hover("label:N|method", "setting:N", "alpha:N", "betas:N|beta1, beta2", "n_dis:N", "seed:N", "state:N",
                 f"value:Q|{data.metric}|.4~g", "last_update:Q|update|,")  # fmt: skip
    chart = alt.Chart().encode(x=x, y=y)
    medians = chart.transform_filter("datum.kind == 'median'").mark_tick(
        orient="horizontal", thickness=2.5, size=11, opacity=1
    )
    points = chart.transform_filter("datum.state == 'scored'").mark_point(filled=True, size=40, opacity=0.55)
    crosses = chart.transform_filter("datum.state == 'diverged'").mark_text(text="✕", fontSize=11, fontWeight="bold")
    rings = chart.transform_filter("datum.state == 'missing'").mark_point(
        filled=False, size=18, color=INK, opacity=0.5, shape="circle", strokeWidth=1
    )
    of_median = hover("label:N|method", "setting:N", f"median:Q|median {data.metric}|.4~g")
    runs = {
        "scored": points.encode(xOffset=beside, color=colour, shape=shape, tooltip=told),
        "diverged": crosses.encode(xOffset=beside, color=colour, tooltip=told),
        "missing": rings.encode(xOffset=beside, tooltip=told),
    }
    states = set(data.runs["state"])  # a layer takes a browser's time even where it has no marks
    return [medians.encode(color=colour, tooltip=of_median), *(runs[state] for state in runs if state in states)]


def _floor(data: MetricBySettingData, axis: alt.Axis, scale: alt.Scale) -> list[alt.Chart]:
    """A dashed line at what real images score, with its name in the first panel."""
    if data.floor is None or data.axis is None:
        return []
    above = data.axis.diverged > data.axis.high  # the name stands on the side where the trials are
    y = alt.Y("floor:Q", axis=axis, scale=scale)
    frame = alt.Chart().transform_filter("datum.kind == 'frame'")
    line = frame.mark_rule(strokeDash=[4, 3], color=INK, opacity=0.6)
    name = frame.transform_filter("datum.first").mark_text(
        text="real images", align="left", baseline="bottom" if above else "top", dy=-2 if above else 4, dx=3,
        fontSize=10, color=INK, opacity=0.8,
    )  # fmt: skip
    return [
        line.encode(y=y, tooltip=hover(f"floor:Q|{data.metric} of real images|.4~g")),
        name.encode(y=y, x=alt.value(0)),
    ]


def _table(data: MetricBySettingData, axis: ScoreAxis) -> pd.DataFrame:
    """Everything that the panels show as one long table, told apart by the column "kind"."""
    rails = [(axis.high, axis.top), (axis.bottom, axis.low)]
    diverged, missing = rails if axis.diverged > axis.high else rails[::-1]
    frame = pd.DataFrame({"method": list(data.methods)}).assign(
        kind="frame", floor=np.nan if data.floor is None else data.floor,
        diverged_low=diverged[0], diverged_high=diverged[1], missing_low=missing[0], missing_high=missing[1],
    )  # fmt: skip
    frame["first"] = frame["method"] == data.methods[0]
    runs, medians = data.runs.assign(kind="run"), data.medians.assign(kind="median")
    table = pd.concat([part for part in (frame, medians, runs) if len(part)], ignore_index=True)
    return table.assign(label=method_labels(table["method"]))


def _runs(table: ScoreTable, axis: ScoreAxis) -> Iterator[dict[str, Any]]:
    for (m, s, k), value in np.ndenumerate(table.values):
        diverged = bool(table.diverged[m, s, k])
        state = "diverged" if diverged else "scored" if np.isfinite(value) else "missing"
        yield {
            "method": table.methods[m], "setting": table.settings[s], "seed": table.seeds[k], "state": state,
            "value": float(value), "y": axis.place(float(value), diverged=diverged),
        }  # fmt: skip


def _details(trials: pd.DataFrame, seeds: Sequence[int]) -> pd.DataFrame:
    """What tooltips tell of a trial with one of these seeds beside its score."""
    trials = trials[trials["seed"].isin(seeds)]
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
