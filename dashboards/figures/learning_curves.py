"""The headline metric against updates: how each method gets where it ends."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, final

import altair as alt
import numpy as np
import pandas as pd

from dashboards.figures.base import Drawing, Figure, FigureData, register
from dashboards.figures.charts import ScoreAxis, choice, faded, hover, in_panels, inline, layered, note, score_axis
from dashboards.figures.frames import StudyFrames, metric_label, sample_sentence, seeds_sentence, shown_seeds
from dashboards.figures.style import (
    method_colours,
    method_dashes,
    method_labels,
    method_shapes,
)
from sweeps.statistics import setting_medians

_MAX_UPDATES = 120  # points along a line; more cannot be seen
_COLUMNS, _WIDTH, _HEIGHT = 3, 270, 210


@dataclass(frozen=True, kw_only=True)
class LearningCurvesData(FigureData):
    """curves : one row per method, setting and update with columns median, low and high over seeds, where a diverged
    seed counts as worst (infinite). ends : the last finite score of every diverged trial, of
    the first seeds alone where runs are many.
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
            reason = "No trial has been evaluated yet." if rows.empty else "No evaluation gave a finite score."
            return LearningCurvesData(absent=reason)
        shown = shown_seeds(table)
        worst = np.inf if table.lower_is_better else -np.inf
        curves = pd.DataFrame(_curves(rows, frames.trials, worst))
        label = metric_label(table.metric)
        finite = curves[["median", "low", "high"]].to_numpy(dtype=float).ravel().tolist()
        return LearningCurvesData(
            seeds=seeds_sentence(table) + sample_sentence(table, shown),
            alt_text=f"{label} against generator updates, one panel per setting, one line per method "
            f"({', '.join(method_labels(frames.methods))}).",
            metric=label,
            methods=frames.methods,
            settings=frames.settings,
            axis=score_axis(finite, lower_is_better=table.lower_is_better),
            curves=curves,
            ends=_ends(rows[rows["seed"].isin(table.seeds[:shown])], frames.trials),
        )

    def draw(self, data: LearningCurvesData) -> Drawing:
        """Panels over settings with one axis; choosing methods in the legend fades the others."""
        if data.absent or data.axis is None:
            return note(data.absent)
        axis = alt.Axis(title="generator updates", tickCount=4, format="~s", grid=False)
        ends = [int(data.curves["update"].min()), int(data.curves["update"].max())]
        ends = ends if ends[0] < ends[1] else [ends[0] - 1, ends[1] + 1]
        x = alt.X("update:Q", axis=axis, scale=alt.Scale(domain=ends, nice=False))
        colour = alt.Color("label:N", scale=method_colours(data.methods), title="method")
        base = alt.Chart().encode(x=x, color=colour)
        layers = layered(*_marks(base, data, data.axis), data=inline(_table(data, data.axis)))
        return in_panels(layers.properties(width=_WIDTH, height=_HEIGHT), "setting", data.settings, _COLUMNS)


def _marks(base: alt.Chart, data: LearningCurvesData, axis: ScoreAxis) -> list[alt.Chart]:
    """Bands, lines, dots at the evaluations, a symbol at the end of every line, crosses where a seed diverged."""
    chosen = choice()
    ticks, scale = axis.encode(data.metric), axis.domain()
    median = alt.Y("median:Q", axis=ticks, scale=scale)
    told = hover("label:N|method", "setting:N", "update:Q||,", f"median:Q|median {data.metric}|.4~g",
                 "low:Q|lowest seed|.4~g", "high:Q|highest seed|.4~g", "num_seeds:Q|seeds",
                 "num_diverged:Q|diverged")  # fmt: skip
    curve = base.transform_filter("datum.kind == 'curve'")
    band = curve.mark_area(clip=True).encode(
        y=alt.Y("band_low:Q", axis=ticks, scale=scale), y2="band_high:Q", opacity=faded(chosen, 0.11, 0.02)
    )
    line = curve.mark_line(clip=True, strokeWidth=1.8).encode(
        y=median,
        strokeDash=alt.StrokeDash("method:N", scale=method_dashes(data.methods), legend=None),
        opacity=faded(chosen, 0.95, 0.08),
    )
    dots = curve.mark_point(filled=True, size=22, clip=True)
    heads = curve.transform_filter("datum.last").mark_point(filled=True, size=75)
    crosses = base.transform_filter("datum.kind == 'end'").mark_text(text="✕", fontSize=13, fontWeight="bold")
    return [
        band,
        line,
        dots.encode(y=median, tooltip=told, opacity=faded(chosen, 0.9, 0.08)),
        heads.encode(
            y=median,
            tooltip=told,
            opacity=faded(chosen, 1, 0.08),
            shape=alt.Shape("label:N", scale=method_shapes(data.methods), title="method"),
        ).add_params(chosen),
        crosses.encode(
            y=alt.Y("value:Q", axis=ticks, scale=scale),
            opacity=faded(chosen, 1, 0.08),
            tooltip=hover("label:N|method", "setting:N", "seed:N", "update:Q|diverged after|,"),
        ),
    ]


def _table(data: LearningCurvesData, axis: ScoreAxis) -> pd.DataFrame:
    """Curves and ends as one table; bands are cut at the ends of the axis, `last` is where a line ends."""
    curves = data.curves
    last = curves["update"].where(np.isfinite(curves["median"]))
    last = last.groupby([curves["method"], curves["setting"]]).transform("max")
    curves = curves.assign(
        kind="curve",
        band_low=curves["low"].clip(axis.low, axis.high),
        band_high=curves["high"].clip(axis.low, axis.high),
        last=curves["update"] == last,
    )
    table = pd.concat([curves, data.ends.assign(kind="end", last=False)], ignore_index=True)
    return table.assign(label=method_labels(table["method"]))


def _curves(rows: pd.DataFrame, trials: pd.DataFrame, worst: float) -> Iterator[dict[str, Any]]:
    """Median, lowest and highest value over seeds per method, setting and update; diverged seeds are `worst`."""
    every = np.unique(rows["update"].to_numpy())
    shown = np.unique(np.append(every[:: len(every) // _MAX_UPDATES + 1], every[-1]))
    updates, seeds, values = (rows[name].to_numpy() for name in ("update", "seed", "value"))
    place = np.minimum(np.searchsorted(shown, updates), len(shown) - 1)
    drawn = shown[place] == updates
    of_cell = rows.groupby(["method", "setting"], sort=False).indices
    for (method, setting), cell in trials.sort_values("seed", kind="stable").groupby(["method", "setting"], sort=False):
        found = of_cell.get((method, setting), np.zeros(0, dtype=np.intp))
        found = found[drawn[found]]
        numbers = np.full((len(shown), len(cell)), np.nan)
        # Seeds rather than digests: a cell has a seed once, and numbers are compared faster than texts.
        numbers[place[found], np.searchsorted(cell["seed"].to_numpy(), seeds[found])] = values[found]
        broken = np.isnan(numbers) & (cell["state"] == "diverged").to_numpy()
        ordered = np.where(broken, worst, numbers)
        for update, runs, median in zip(shown, ordered, setting_medians(ordered), strict=True):
            known = runs[~np.isnan(runs)]
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
    last: pd.DataFrame = finite.drop_duplicates("digest", keep="last")[columns]
    return last.reset_index(drop=True)


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
