"""The headline metric against updates: how each method gets where it ends."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, final

import altair as alt
import numpy as np
import pandas as pd

from dashboards.figures.base import Drawing, Figure, FigureData, register
from dashboards.figures.charts import ScoreAxis, inline, note, score_axis
from dashboards.figures.frames import StudyFrames, metric_label, seeds_sentence
from dashboards.figures.style import (
    method_colours,
    method_dashes,
    method_labels,
    method_shapes,
    themed,
)
from sweeps.statistics import setting_medians

_MAX_UPDATES = 120  # points along a line; more cannot be seen
_COLUMNS, _WIDTH, _HEIGHT = 3, 270, 210


@dataclass(frozen=True, kw_only=True)
class LearningCurvesData(FigureData):
    """curves : one row per method, setting and update with columns median, low and high over seeds, where a diverged
    seed counts as worst (infinite). ends : the last finite score of every diverged trial.
    """

    metric: str = ""
    methods: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    axis: ScoreAxis | None = None
    curves: pd.DataFrame = field(default_factory=pd.DataFrame)
    ends: pd.DataFrame = field(default_factory=pd.DataFrame)


@final
@dataclass(frozen=True, kw_only=True)
class LearningCurves(Figure[LearningCurvesData]):
    """A line per method, a small picture per setting."""

    def prepare(self, frames: StudyFrames) -> LearningCurvesData:
        """Median and range over seeds at every evaluated update, under the headline protocol."""
        rows, table = frames.headline_evaluations, frames.headline
        if not np.isfinite(rows["value"].to_numpy(dtype=float)).any():
            return LearningCurvesData(absent="No trial has been evaluated yet.")
        worst = np.inf if table.lower_is_better else -np.inf
        curves = pd.DataFrame(_curves(rows, frames.trials, worst))
        label = metric_label(table.metric)
        finite = curves[["median", "low", "high"]].to_numpy(dtype=float).ravel()
        return LearningCurvesData(
            seeds=seeds_sentence(frames.num_seeds),
            alt_text=f"{label} against generator updates, one panel per setting, one line per method "
            f"({', '.join(method_labels(frames.methods))}).",
            metric=label,
            methods=frames.methods,
            settings=frames.settings,
            axis=score_axis(finite, lower_is_better=table.lower_is_better),
            curves=curves,
            ends=_ends(rows, frames.trials),
        )

    def draw(self, data: LearningCurvesData) -> Drawing:
        """Panels over settings with one axis; choosing methods in the legend fades the others."""
        if data.absent or data.axis is None:
            return note(data.absent)
        axis = data.axis
        table = pd.concat([_clipped(data.curves, axis).assign(kind="curve"), data.ends.assign(kind="end")])
        table["label"] = method_labels(table["method"])
        last = data.curves[np.isfinite(data.curves["median"])].groupby(["method", "setting"])["update"].max()
        table["last"] = [last.get((row.method, row.setting)) == row.update for row in table.itertuples()]
        chosen = alt.selection_point(fields=["label"], bind="legend", name="chosen")
        base = alt.Chart().encode(
            x=alt.X("update:Q", axis=alt.Axis(title="generator updates", tickCount=4, format="~s", grid=False)),
            color=alt.Color("label:N", scale=method_colours(data.methods), title="method"),
        )
        y_axis, y_scale = axis.encode(data.metric), axis.domain()
        curve = base.transform_filter("datum.kind == 'curve'")
        seen = lambda high, low: alt.condition(chosen, alt.value(high), alt.value(low))  # noqa: E731
        tooltip = [
            alt.Tooltip("label:N", title="method"),
            alt.Tooltip("setting:N"),
            alt.Tooltip("update:Q", format=","),
            alt.Tooltip("median:Q", format=".4~g"),
            alt.Tooltip("low:Q", title="lowest seed", format=".4~g"),
            alt.Tooltip("high:Q", title="highest seed", format=".4~g"),
            alt.Tooltip("num_seeds:Q", title="seeds"),
            alt.Tooltip("num_diverged:Q", title="diverged"),
        ]
        band = curve.mark_area(clip=True).encode(
            y=alt.Y("band_low:Q", axis=y_axis, scale=y_scale), y2="band_high:Q", opacity=seen(0.11, 0.02)
        )
        line = curve.mark_line(clip=True, strokeWidth=1.8).encode(
            y=alt.Y("median:Q", axis=y_axis, scale=y_scale),
            strokeDash=alt.StrokeDash("method:N", scale=method_dashes(data.methods), legend=None),
            opacity=seen(0.95, 0.08),
        )
        dots = curve.mark_point(filled=True, size=22, clip=True).encode(
            y=alt.Y("median:Q", axis=y_axis, scale=y_scale), tooltip=tooltip, opacity=seen(0.9, 0.08)
        )
        heads = curve.transform_filter("datum.last").mark_point(filled=True, size=75).encode(
            y=alt.Y("median:Q", axis=y_axis, scale=y_scale),
            shape=alt.Shape("label:N", scale=method_shapes(data.methods), title="method"),
            opacity=seen(1, 0.08),
            tooltip=tooltip,
        )
        crosses = base.transform_filter("datum.kind == 'end'").mark_text(text="✕", fontSize=13, fontWeight="bold").encode(
            y=alt.Y("value:Q", axis=y_axis, scale=y_scale),
            opacity=seen(1, 0.08),
            tooltip=[alt.Tooltip("label:N", title="method"), "setting:N", "seed:N", alt.Tooltip("update:Q", title="diverged after")],
        )
        layers = alt.layer(band, line, dots, heads.add_params(chosen), crosses, data=inline(table))
        chart = layers.properties(width=_WIDTH, height=_HEIGHT).facet(
            alt.Facet("setting:N", title=None, sort=list(data.settings)), columns=_COLUMNS
        )
        return themed(chart)


def _curves(rows: pd.DataFrame, trials: pd.DataFrame, worst: float) -> Iterator[dict[str, Any]]:
    """Median, lowest and highest value over seeds per method, setting and update; diverged seeds are `worst`."""
    every = sorted(rows["update"].unique())
    shown = sorted({*every[:: len(every) // _MAX_UPDATES + 1], every[-1]})
    values = rows.pivot_table(index="update", columns="digest", values="value", dropna=False)
    for (method, setting), cell in trials.groupby(["method", "setting"], sort=False):
        numbers = values.reindex(index=shown, columns=cell["digest"]).to_numpy(dtype=float)
        broken = np.isnan(numbers) & (cell["state"] == "diverged").to_numpy()
        ordered = np.where(broken, worst, numbers)
        for update, seeds, median in zip(shown, ordered, setting_medians(ordered), strict=True):
            known = seeds[~np.isnan(seeds)]
            if len(known):
                yield {
                    "method": method, "setting": setting, "update": int(update), "median": float(median),
                    "low": float(known.min()), "high": float(known.max()), "num_seeds": len(known),
                    "num_diverged": int(np.isinf(known).sum()),
                }  # fmt: skip


def _ends(rows: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """The last finite score of every diverged trial, with columns method, setting, seed, update, value."""
    columns = ["method", "setting", "seed", "update", "value"]
    diverged = trials.loc[trials["state"] == "diverged", "digest"]
    finite = rows[rows["digest"].isin(diverged) & np.isfinite(rows["value"])].sort_values("update")
    return finite.groupby("digest", sort=False).last().reset_index()[columns]


def _clipped(curves: pd.DataFrame, axis: ScoreAxis) -> pd.DataFrame:
    """With the columns band_low and band_high: the range, cut at the ends of the axis."""
    return curves.assign(
        band_low=curves["low"].clip(axis.low, axis.high), band_high=curves["high"].clip(axis.low, axis.high)
    )


register(
    LearningCurves(
        name="learning-curves",
        title="Learning curves",
        question="How does the score develop, and is the ranking at the end one of the whole way?",
        reading="One panel per setting, one line per method, lower is better for FID. A line that rises again "
        "belongs to a training that loses what it had.",
        marks="Lines: median over seeds, a diverged seed counting as worst; bands: lowest to highest seed; ✕: the last "
        "score before a seed diverged.",
    )
)
