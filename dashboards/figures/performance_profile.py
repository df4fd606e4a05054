"""Performance profiles (Agarwal et al. 2021, arXiv:2108.13264): the part of its runs that a method brings above a
score.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, final

import altair as alt
import numpy as np
import pandas as pd

from dashboards.figures.base import Drawing, Figure, FigureData, register
from dashboards.figures.charts import choice, faded, hover, inline, layered, linear_ticks, log_ticks, note
from dashboards.figures.frames import StudyFrames, has_results, metric_label, seeds_sentence
from dashboards.figures.style import (
    method_colours,
    method_dashes,
    method_labels,
    method_shapes,
    themed,
)
from sngan.seeding import numpy_stream
from sweeps.bootstrap import affordable_replicates, stratified_bootstrap
from sweeps.scores import ScoreTable
from sweeps.statistics import FloatArray, performance_profile

_NUM_REPLICATES = 1_000
_MOST_STEPS = 200  # more cannot be seen
_WIDTH, _HEIGHT = 760, 360  # pixels


@dataclass(frozen=True, kw_only=True)
class PerformanceProfileData(FigureData):
    """profiles : a row per method and threshold with columns method, threshold, fraction, low, high (NaN where no
    interval can be given). ticks : scores on the axis and what they are in the metric's units. transform : how
    values become scores. longest : where the axis ends, a little beyond the best run.
    """

    metric: str = ""
    methods: tuple[str, ...] = ()
    ticks: tuple[tuple[float, str], ...] = ()
    transform: str = ""
    longest: float = 1.0
    profiles: pd.DataFrame = field(default_factory=pd.DataFrame)


@final
@dataclass(frozen=True, kw_only=True)
class PerformanceProfile(Figure[PerformanceProfileData]):
    """One falling curve per method over all its runs, settings and seeds together."""

    def prepare(self, frames: StudyFrames) -> PerformanceProfileData:
        """The fraction of runs above every threshold, with a stratified bootstrap band over seeds."""
        table = frames.each_once
        if not has_results(table):
            return PerformanceProfileData(absent="No trial has a result under the headline protocol yet.")
        profiles = pd.DataFrame(_profiles(table))
        bands = profiles["low"].notna().any()
        return PerformanceProfileData(
            seeds=seeds_sentence(table) + ("" if bands else " No bands: some setting has fewer than two seeds."),
            alt_text=f"Fraction of runs that are better than a {metric_label(table.metric)}, one curve per method.",
            metric=metric_label(table.metric),
            methods=tuple(profiles["method"].unique()),
            ticks=_ticks(table),
            transform=table.transform.text,
            longest=_longest(table),
            profiles=profiles,
        )

    def draw(self, data: PerformanceProfileData) -> Drawing:
        """Curves with bands; choosing methods in the legend fades the others."""
        if data.absent:
            return note(data.absent)
        chosen = choice()
        table = data.profiles.assign(label=method_labels(data.profiles["method"]))
        base = alt.Chart(inline(table)).encode(
            x=alt.X("threshold:Q", axis=_score_axis(data), scale=alt.Scale(domain=[0, data.longest], nice=False)),
            color=alt.Color("label:N", scale=method_colours(data.methods), title="method"),
        )
        axis, unit = alt.Axis(title="fraction of runs", format="%", tickCount=5), alt.Scale(domain=[0, 1])
        fraction = alt.Y("fraction:Q", axis=axis, scale=unit)
        told = hover("label:N|method", "threshold:Q|score|.2f", "fraction:Q|runs above it|.0%", "low:Q|from|.0%",
                     "high:Q|to|.0%")  # fmt: skip
        band = base.mark_area(interpolate="step-after").encode(
            y=alt.Y("low:Q", axis=axis, scale=unit), y2="high:Q", opacity=faded(chosen, 0.09, 0.0)
        )
        line = base.mark_line(interpolate="step-after", strokeWidth=2).encode(
            y=fraction,
            strokeDash=alt.StrokeDash("method:N", scale=method_dashes(data.methods), legend=None),
            opacity=faded(chosen, 0.95, 0.1),
            tooltip=told,
        )
        heads = base.transform_filter("datum.head").mark_point(filled=True, size=70)
        symbols = heads.encode(
            y=fraction,
            shape=alt.Shape("label:N", scale=method_shapes(data.methods), title="method"),
            opacity=faded(chosen, 1, 0.1),
            tooltip=told,
        )
        return themed(layered(band, line, symbols.add_params(chosen)).properties(width=_WIDTH, height=_HEIGHT))


def _score_axis(data: PerformanceProfileData) -> alt.Axis:
    """Scores, labelled in the metric's units, which people know."""
    names = " : ".join(f"abs(datum.value - {position!r}) < 1e-9 ? '{name}'" for position, name in data.ticks)
    return alt.Axis(
        title=[f"score better than this {data.metric}   (better →)", f"score = {data.transform}"],
        values=[position for position, _ in data.ticks],
        labelExpr=f"{names} : ''",
        grid=False,
    )


def _longest(table: ScoreTable) -> float:
    return min(1.0, float(np.nanmax(table.scores)) + 0.05)


def _profiles(table: ScoreTable) -> Iterator[dict[str, Any]]:
    for position, method in enumerate(table.methods):
        scores = table.pick(method)
        if np.isnan(scores).all():
            continue
        thresholds = _thresholds(scores, _longest(table))
        profile = partial(performance_profile, thresholds=thresholds)
        # The same stream for every method: all of them see the same resampled seeds.
        stream = numpy_stream(0, "bootstrap")
        number = affordable_replicates(_NUM_REPLICATES, scores.size)
        band = stratified_bootstrap(scores, profile, num_replicates=number, stream=stream)
        nothing = np.full(len(thresholds), np.nan)
        fractions = profile(scores)
        low, high = (nothing, nothing) if band is None else (band.low, band.high)
        # A symbol where the curve stands at one of a few heights, another one for every method, so that they part.
        head = int(np.argmax(fractions <= 0.75 - 0.05 * (position % 6)))
        for index, threshold in enumerate(thresholds):
            yield {
                "method": method, "threshold": float(threshold), "fraction": float(fractions[index]),
                "low": float(low[index]), "high": float(high[index]), "head": index == head,
            }  # fmt: skip


def _thresholds(scores: FloatArray, longest: float) -> FloatArray:
    """Where fraction and band step, which is at the runs' own scores alone; of very many, every so many-th one."""
    distinct = np.unique(scores[~np.isnan(scores)])
    kept = np.linspace(0, len(distinct) - 1, min(len(distinct), _MOST_STEPS)).round().astype(np.intp)
    return np.unique(np.append(distinct[kept], (0.0, longest)))


def _ticks(table: ScoreTable) -> tuple[tuple[float, str], ...]:
    """Where round values of the metric lie among the scores, and their names; diverged is the score 0."""
    half = table.transform.half
    values = log_ticks(half / 12, half * 12) if table.lower_is_better else linear_ticks(1.5, 12)
    scores = table.transform(np.asarray(values, dtype=np.float64))
    return ((0.0, "diverged"), *((float(s), f"{v:g}") for s, v in zip(scores, values, strict=True)))


register(
    PerformanceProfile(
        name="performance-profile",
        title="Performance profiles",
        question="Which part of its runs does a method bring to a given quality, whatever the setting?",
        reading="At any quality on the horizontal axis, the higher curve has more runs that reach it. A curve that "
        "stays high far to the right is good; one that starts low has runs that diverged.",
        marks="Curves pool all settings and seeds of a method; bands: 95 % percentile bootstrap over seeds within "
        "settings, too narrow for fewer than five seeds.",
    )
)
