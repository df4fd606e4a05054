"""What tuning costs: the best score that a search finds, against the number of configurations that it tries."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, final

import altair as alt
import numpy as np
import pandas as pd

from dashboards.figures.base import Drawing, Figure, FigureData, register
from dashboards.figures.charts import ScoreAxis, choice, faded, hover, in_panels, inline, layered, note, score_axis
from dashboards.figures.frames import StudyFrames, metric_label
from dashboards.figures.style import (
    method_colours,
    method_dashes,
    method_label,
    method_labels,
    method_shapes,
)
from sngan.seeding import numpy_stream
from sweeps.budgets import best_so_far, best_weights
from sweeps.scores import ScoreTable
from sweeps.spaces import SAMPLERS, places_in
from sweeps.statistics import LEVEL, FloatArray

_WIDTH, _HEIGHT = 400, 320  # pixels
_NUM_REPLICATES = 1_000
_LOG_FROM = 40  # tries: the first few of many matter most
NO_SEARCH = "No setting of this study was found by a search."


@dataclass(frozen=True, kw_only=True)
class BudgetCurvesData(FigureData):
    """curves : a row per method, sampler and number of tries with columns score, low, high (bounded scores; the ends
    NaN where there is no band) and y, y_low, y_high, their places on the metric's axis.
    """

    metric: str = ""
    methods: tuple[str, ...] = ()
    samplers: tuple[str, ...] = ()
    transform: str = ""
    axis: ScoreAxis | None = None
    curves: pd.DataFrame = field(default_factory=pd.DataFrame)


@final
@dataclass(frozen=True, kw_only=True)
class BudgetCurves(Figure[BudgetCurvesData]):
    """A curve per method, a panel per sampler."""

    def prepare(self, frames: StudyFrames) -> BudgetCurvesData:
        """The mean best score after every number of tries, with a bootstrap band."""
        table = frames.headline
        samplers = tuple(name for name in SAMPLERS if places_in(table.settings, name))
        if not samplers:
            return BudgetCurvesData(absent=NO_SEARCH)
        curves = pd.DataFrame(_curves(table, samplers))
        if curves.empty:
            return BudgetCurvesData(absent="No searched trial has a result under the headline protocol yet.")
        axis = _axis(table, curves)
        # Where lower is better, the upper end of the score is the lower end on the axis.
        ends = ("y_high", "y_low") if table.lower_is_better else ("y_low", "y_high")
        for name, y in zip(("score", "low", "high"), ("y", *ends), strict=True):
            values = table.transform.value(curves[name].to_numpy())
            known = ~np.isnan(values)
            # Where every run so far diverged, the curve lies on the rail.
            curves[y] = [axis.place(v, diverged=bool(v == _worst(table))) if k else np.nan
                         for v, k in zip(values, known, strict=True)]  # fmt: skip
        label = metric_label(table.metric)
        return BudgetCurvesData(
            seeds=searches_sentence(table),
            alt_text=f"{label} of the best configuration against the number of configurations tried, for "
            f"{', '.join(map(method_label, table.methods))}.",
            metric=label,
            methods=tuple(curves["method"].unique()),
            samplers=samplers,
            transform=table.transform.text,
            axis=axis,
            curves=curves,
        )

    def draw(self, data: BudgetCurvesData) -> Drawing:
        """Curves with bands; choosing methods in the legend fades the others."""
        if data.absent or data.axis is None:
            return note(data.absent)
        chosen, axis = choice(), data.axis
        on_rail = bool((data.curves["y"] == axis.diverged).any())
        title = f"{data.metric} of the best configuration"
        scale, ticks = axis.domain(diverged=on_rail), axis.encode(title, diverged=on_rail)
        base = alt.Chart().encode(
            x=alt.X("tries:Q", axis=_tries_axis(data.curves["tries"]), scale=_tries_scale(data.curves["tries"])),
            color=alt.Color("label:N", scale=method_colours(data.methods), title="method"),
        )
        told = hover("label:N|method", "search:N", "tries:Q|configurations tried", f"y:Q|{data.metric}|.4~g",
                     "y_low:Q|from|.4~g", "y_high:Q|to|.4~g")  # fmt: skip
        band = base.mark_area().encode(
            y=alt.Y("y_low:Q", axis=ticks, scale=scale), y2="y_high:Q", opacity=faded(chosen, 0.1, 0.0)
        )
        y = alt.Y("y:Q", axis=ticks, scale=scale)
        line = base.mark_line(strokeWidth=2).encode(
            y=y,
            strokeDash=alt.StrokeDash("method:N", scale=method_dashes(data.methods), legend=None),
            opacity=faded(chosen, 0.95, 0.1),
        )
        points = base.mark_point(filled=True, size=55).encode(
            y=y,
            shape=alt.Shape("label:N", scale=method_shapes(data.methods), title="method"),
            opacity=faded(chosen, 1, 0.1),
            tooltip=told,
        )
        table = data.curves.assign(
            label=method_labels(data.curves["method"]), search=data.curves["sampler"].map(SAMPLERS)
        )
        if len(data.samplers) * data.curves["tries"].max() > _LOG_FROM:
            points = points.transform_filter("datum.marked")
        panels = layered(band, line, points.add_params(chosen), data=inline(table))
        panels = panels.properties(width=_WIDTH, height=_HEIGHT)
        return in_panels(panels, "search", [SAMPLERS[name] for name in data.samplers], 2)


def searches_sentence(table: ScoreTable) -> str:
    """How many searches, and how many of their configurations, stand behind a figure."""
    parts = []
    for sampler in SAMPLERS:
        places = places_in(table.settings, sampler)
        if places:
            known = [(~np.isnan(table.pick(method, places))).sum() for method in table.methods]
            least, most = int(min(known)), int(max(known))
            total = len(places) * len(table.seeds)
            found = str(most) if least == most else f"{least} to {most}"
            parts.append(f"{SAMPLERS[sampler]}: {found} of {total} configurations per method have a result")
    repetitions = "1 repetition" if len(table.seeds) == 1 else f"{len(table.seeds)} repetitions"
    return f"{repetitions} of every search; {'; '.join(parts)}."


def _curves(table: ScoreTable, samplers: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    for sampler in samplers:
        places = places_in(table.settings, sampler)
        for method in table.methods:
            scores = table.pick(method, places).T
            value, low, high = _random(scores) if sampler == "random" else _learning(scores)
            for number, score in enumerate(value):
                yield {
                    "method": method, "sampler": sampler, "tries": number + 1, "score": float(score),
                    "low": float(low[number]), "high": float(high[number]),
                    "marked": number + 1 in {*_powers(len(value)), len(value)},
                }  # fmt: skip


def _powers(last: int) -> list[int]:
    """1, 2, 5, 10, 20 ... up to `last`: where a long curve has symbols."""
    return [step * 10**power for power in range(5) for step in (1, 2, 5) if step * 10**power <= last]


def _random(scores: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Best score after 1, 2 ... tries at random, with a band over the configurations [K, N] that were drawn.

    All repetitions are draws from one distribution, so they are pooled; the mean over all orders is exact.
    """
    pooled = scores[~np.isnan(scores)]
    length = min(scores.shape[1], len(pooled))
    if not length:
        return (np.empty(0),) * 3
    weights = np.stack([best_weights(len(pooled), tries) for tries in range(1, length + 1)], axis=1)
    drawn = numpy_stream(0, "bootstrap").integers(len(pooled), size=(_NUM_REPLICATES, len(pooled)))
    low, high = _ends(np.sort(pooled[drawn], axis=1) @ weights)
    return np.sort(pooled) @ weights, low, high


def _learning(scores: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Best score so far in the order of the search, mean over repetitions [K, N], with a band over repetitions."""
    best = best_so_far(scores)
    started = best[~np.isnan(best[:, 0])]
    if not len(started):
        return (np.empty(0),) * 3
    best = started[:, : int((~np.isnan(started)).all(axis=0).sum())]
    if len(best) < 2:
        return best[0], np.full(best.shape[1], np.nan), np.full(best.shape[1], np.nan)
    drawn = numpy_stream(0, "bootstrap").integers(len(best), size=(_NUM_REPLICATES, len(best)))
    low, high = _ends(best[drawn].mean(axis=1))
    return best.mean(axis=0), low, high


def _ends(replicates: FloatArray) -> tuple[FloatArray, FloatArray]:
    low, high = np.quantile(replicates, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return low, high


def _worst(table: ScoreTable) -> float:
    """What a score of 0 is in the metric's units."""
    return float(table.transform.value(np.zeros(1))[0])


def _axis(table: ScoreTable, curves: pd.DataFrame) -> ScoreAxis:
    scores = curves[["score", "low", "high"]].to_numpy().ravel()
    values = table.transform.value(scores[scores > 0])
    return score_axis([*values], lower_is_better=table.lower_is_better)


def _tries_scale(tries: pd.Series) -> alt.Scale:
    last = int(tries.max())
    return alt.Scale(type="log" if last > _LOG_FROM else "linear", domain=[1, max(2, last)], nice=False)


def _tries_axis(tries: pd.Series) -> alt.Axis:
    last = int(tries.max())
    values = [*_powers(last)] if last > _LOG_FROM else [*range(1, last + 1, max(1, last // 10))]
    return alt.Axis(title="configurations tried", values=values, format="d", grid=False)


register(
    BudgetCurves(
        name="budget-curves",
        title="What tuning costs",
        question="How good is the best configuration after a given number of tries?",
        reading="A method whose curve starts low and stays flat needs no tuning; one that falls for long needs much. "
        "Where curves cross, the better method depends on the budget.",
        marks="Means of the bounded score, shown in the metric's units, in which a diverged run is the worst. Random "
        "search: the exact mean over all orders of its configurations, all repetitions pooled. TPE learns, so that its "
        "order counts: the mean over repetitions of the best so far. Bands: 95 % percentile bootstrap over "
        "configurations; for TPE over repetitions, and too narrow for fewer than five. The best of several noisy runs "
        "is flattered: the same configurations trained again stand in the next figure.",
    )
)
