"""How many runs fail, for every idea of what failing means, at gentle and at aggressive learning rates."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, final

import altair as alt
import numpy as np
import pandas as pd

from dashboards.figures.base import Drawing, Figure, FigureData, register
from dashboards.figures.charts import choice, faded, hover, in_panels, inline, layered, log_ticks, note
from dashboards.figures.frames import StudyFrames, has_results, metric_label, seeds_sentence
from dashboards.figures.style import (
    method_colours,
    method_dashes,
    method_labels,
    method_shapes,
    scientific,
)
from sweeps.scores import ScoreTable
from sweeps.statistics import wilson_interval

_WIDTH, _HEIGHT = 250, 250  # pixels
_NUM_LEVELS = 81


@dataclass(frozen=True, kw_only=True)
class FailureRateData(FigureData):
    """rates : a row per panel, method and level with columns panel, method, level (in the metric's units), rate (of
    runs that diverged or are above it), low, high (Wilson's interval), num_failed, num_runs and head (where its symbol
    is). panels : their names, from the gentlest learning rate on.
    """

    metric: str = ""
    methods: tuple[str, ...] = ()
    panels: tuple[str, ...] = ()
    rates: pd.DataFrame = field(default_factory=pd.DataFrame)


@final
@dataclass(frozen=True, kw_only=True)
class FailureRate(Figure[FailureRateData]):
    """A falling curve per method, a panel per learning rate."""

    def prepare(self, frames: StudyFrames) -> FailureRateData:
        """The share of runs that failed at every level, pooled over the settings with one learning rate."""
        table = frames.headline
        if not has_results(table):
            return FailureRateData(absent="No trial has a result under the headline protocol yet.")
        if not table.lower_is_better:
            return FailureRateData(absent="Levels of failure are for distances; the headline metric is a score.")
        panels = _panels(frames)
        rates = pd.DataFrame(
            row for panel, settings in panels.items() for row in _rates(table, panel, settings, _levels(table))
        )
        label = metric_label(table.metric)
        return FailureRateData(
            seeds=seeds_sentence(table),
            alt_text=f"Share of runs that diverged or have a {label} above a level, by learning rate: "
            f"{'; '.join(panels)}.",
            metric=label,
            methods=tuple(name for name in table.methods if name in set(rates["method"])),
            panels=tuple(panels),
            rates=rates,
        )

    def draw(self, data: FailureRateData) -> Drawing:
        """Curves; choosing methods in the legend fades the others."""
        if data.absent:
            return note(data.absent)
        chosen = choice()
        ends = float(data.rates["level"].min()), float(data.rates["level"].max())
        x = alt.X(
            "level:Q",
            scale=alt.Scale(type="log", domain=ends, nice=False),
            axis=alt.Axis(title=f"failed: {data.metric} above this level", values=list(log_ticks(*ends)), format="~g"),
        )
        y = alt.Y("rate:Q", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(title="failed runs", format="%", tickCount=5))
        base = alt.Chart().encode(
            x=x, y=y, color=alt.Color("label:N", scale=method_colours(data.methods), title="method")
        )
        told = hover("label:N|method", "panel:N|at", f"level:Q|{data.metric} above|.3~g", "rate:Q|failed|.0%",
                     "low:Q|from|.0%", "high:Q|to|.0%", "num_runs:Q|runs")  # fmt: skip
        lines = base.mark_line(interpolate="step-after", strokeWidth=2).encode(
            strokeDash=alt.StrokeDash("method:N", scale=method_dashes(data.methods), legend=None),
            opacity=faded(chosen, 0.95, 0.1),
            tooltip=told,
        )
        symbols = (
            base.transform_filter("datum.head")
            .mark_point(filled=True, size=70)
            .encode(
                shape=alt.Shape("label:N", scale=method_shapes(data.methods), title="method"),
                opacity=faded(chosen, 1, 0.1),
                tooltip=told,
            )
        )
        table = data.rates.assign(label=method_labels(data.rates["method"]))
        panels = layered(lines, symbols.add_params(chosen), data=inline(table)).properties(width=_WIDTH, height=_HEIGHT)
        return in_panels(panels, "panel", data.panels, 3)


def _panels(frames: StudyFrames) -> dict[str, tuple[str, ...]]:
    """Settings by their learning rate, the gentlest first: {"α = 1e-3 (D, E, F)": ("D", "E", "F")}."""
    rates = frames.trials.drop_duplicates("setting").set_index("setting")["alpha"]
    alphas = sorted({float(rates[setting]) for setting in frames.settings})
    groups = [(alpha, tuple(s for s in frames.settings if float(rates[s]) == alpha)) for alpha in alphas]
    return {f"α = {scientific(alpha)} ({', '.join(settings)})": settings for alpha, settings in groups}


def _levels(table: ScoreTable) -> np.ndarray:
    """Levels from a little below the best run to a little above the worst, evenly in logarithm."""
    finite = table.values[np.isfinite(table.values)]
    # Unbiased distances may be negative by chance; all that diverged leave no level to begin at.
    known = np.maximum(finite, 1e-6) if len(finite) else np.array([1.0, 100.0])
    return np.geomspace(known.min() / 1.1, known.max() * 1.1, _NUM_LEVELS)


def _rates(table: ScoreTable, panel: str, settings: tuple[str, ...], levels: np.ndarray) -> Iterator[dict[str, Any]]:
    for position, method in enumerate(table.methods):
        runs = table.pick_ordered(method, settings)
        runs = runs[~np.isnan(runs)]
        if not len(runs):
            continue
        failed = [int((runs > level).sum()) for level in levels]
        # A symbol at one of a few heights, another one for every method, so that they part.
        head = int(np.argmax(np.array(failed) <= (0.75 - 0.05 * (position % 6)) * len(runs)))
        for index, (level, count) in enumerate(zip(levels, failed, strict=True)):
            low, high = wilson_interval(count, len(runs))
            yield {
                "panel": panel, "method": method, "level": float(level), "rate": count / len(runs), "low": low,
                "high": high, "num_failed": count, "num_runs": len(runs), "head": index == head,
            }  # fmt: skip


register(
    FailureRate(
        name="failure-rate",
        title="Failure rate",
        question="How many runs fail at gentle and at aggressive learning rates, whatever one calls a failure?",
        reading="Read upwards from the level that you call a failure: lower is better. A robust method has about the "
        "same curve in every panel; a curve that does not come down to zero at the right has runs that diverged.",
        marks="Curves: share of a method's runs at the settings with this learning rate that diverged or end above the "
        "level; symbols only tell the methods apart; pointing at a curve shows Wilson's 95 % interval.",
    )
)
