"""The best twentieth of all that a search tried, as in Kurach et al. 2019 (arXiv:1807.04720), and what it is worth."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, final

import altair as alt
import numpy as np
import pandas as pd

from dashboards.figures.base import Drawing, Figure, FigureData, register
from dashboards.figures.budget_curves import NO_SEARCH, searches_sentence
from dashboards.figures.charts import ScoreAxis, hover, in_panels, inline, layered, note, score_axis
from dashboards.figures.frames import StudyFrames, has_results, metric_label, records
from dashboards.figures.style import INK, method_colours, method_label, method_labels
from sweeps.budgets import best_share
from sweeps.scores import ScoreTable
from sweeps.spaces import SAMPLERS, place_of, places_in
from sweeps.statistics import FloatArray

_SHARE = 0.05
_WIDTH, _ROW = 400, 34  # pixels
# kind -> how it is written
_KINDS = {"tried": "tried", "best": "best 5 %", "again": "best one, trained again"}


@dataclass(frozen=True, kw_only=True)
class BestShareData(FigureData):
    """runs : a row per searched trial with a result: method, sampler, setting, seed, kind ("tried", "best" for the best
    share of what its sampler tried for its method, "again" for the best one with another seed), state, score, x, its
    place on the axis, and the names under which it can be run. medians : of the best share, per method and sampler.
    """

    metric: str = ""
    methods: tuple[str, ...] = ()
    samplers: tuple[str, ...] = ()
    axis: ScoreAxis | None = None
    floor: float | None = None
    runs: pd.DataFrame = field(default_factory=pd.DataFrame)
    medians: pd.DataFrame = field(default_factory=pd.DataFrame)


@final
@dataclass(frozen=True, kw_only=True)
class BestShare(Figure[BestShareData]):
    """A row of points per method, a panel per sampler."""

    def prepare(self, frames: StudyFrames) -> BestShareData:
        """Every searched trial, and which of them are among the best."""
        table = frames.headline
        samplers = tuple(name for name in SAMPLERS if places_in(table.settings, name))
        if not samplers:
            return BestShareData(absent=NO_SEARCH)
        if not has_results(table):
            return BestShareData(absent="No searched trial has a result under the headline protocol yet.")
        floor = [] if table.floor is None else [table.floor]
        axis = score_axis([*table.values.ravel(), *floor], lower_is_better=table.lower_is_better)
        label = metric_label(table.metric)
        return BestShareData(
            seeds=searches_sentence(table),
            alt_text=f"{label} of all configurations tried, the best 5 % marked, for "
            f"{', '.join(map(method_label, table.methods))}.",
            metric=label,
            methods=table.methods,
            samplers=samplers,
            axis=axis,
            floor=table.floor,
            runs=pd.DataFrame(_runs(table, samplers, axis, _optimizers(frames))),
            medians=pd.DataFrame(_medians(table, samplers, axis)),
        )

    def draw(self, data: BestShareData) -> Drawing:
        """What was tried as pale ticks, the best as points, what was trained again as diamonds."""
        if data.absent or data.axis is None:
            return note(data.absent)
        x = alt.X("x:Q", axis=data.axis.encode(data.metric, diverged=True), scale=data.axis.domain(diverged=True))
        rows = alt.Y("label:N", sort=method_labels(data.methods), axis=alt.Axis(title=None, grid=False))
        base = alt.Chart().encode(x=x, y=rows)
        colour = alt.Color("label:N", scale=method_colours(data.methods), legend=None)
        told = hover("label:N|method", "setting:N|place", "seed:N|repetition", "values:N|at", "told:N|is",
                     f"score:Q|{data.metric}|.4~g")  # fmt: skip
        layers = [
            _of(base, "tried").mark_tick(thickness=2, size=14, opacity=0.3).encode(color=colour, tooltip=told),
            _of(base, "median").mark_tick(thickness=3, size=24, color=INK),
            _of(base, "best").mark_point(filled=True, size=60, opacity=0.9).encode(color=colour, tooltip=told),
            _of(base, "again")
            .mark_point(shape="diamond", size=95, strokeWidth=2, opacity=1)
            .encode(color=colour, tooltip=told),
        ]
        if data.floor is not None:
            layers.append(_of(base, "floor").mark_tick(thickness=1.5, size=_ROW, color=INK, opacity=0.6))
        panels = layered(*layers, data=inline(_table(data)))
        panels = panels.properties(width=_WIDTH, height=_ROW * len(data.methods))
        return in_panels(panels, "search", [SAMPLERS[name] for name in data.samplers], 2)


def _of(base: alt.Chart, kind: str) -> alt.Chart:
    return base.transform_filter(f"datum.kind == '{kind}'")


def _table(data: BestShareData) -> pd.DataFrame:
    """Runs, medians and real images as one table, best runs last so that nothing hides them."""
    floor = pd.DataFrame(
        [{"method": m, "sampler": s, "kind": "floor", "x": data.floor} for m in data.methods for s in data.samplers]
    )
    runs = data.runs.assign(told=data.runs["kind"].map(_KINDS))
    table = pd.concat([part for part in (runs, data.medians, floor) if len(part)], ignore_index=True)
    return table.assign(label=method_labels(table["method"]), search=table["sampler"].map(SAMPLERS))


def _optimizers(frames: StudyFrames) -> dict[tuple[str, str, int], str]:
    """The optimizer of every cell, as readers write it."""
    columns = ("method", "setting", "seed", "alpha", "beta1", "beta2", "n_dis")
    return {
        (method, setting, int(seed)): f"alpha {alpha:.2g}, beta1 {beta1:.2g}, beta2 {beta2:.2g}, n_dis {n_dis}"
        for method, setting, seed, alpha, beta1, beta2, n_dis in records(frames.trials, *columns)
    }


def _runs(
    table: ScoreTable, samplers: tuple[str, ...], axis: ScoreAxis, optimizers: dict[tuple[str, str, int], str]
) -> Iterator[dict[str, Any]]:
    for m, method in enumerate(table.methods):
        limits = {sampler: _limit(table, method, sampler) for sampler in samplers}
        for (s, k), score in np.ndenumerate(table.scores[m]):
            setting, seed = table.settings[s], table.seeds[k]
            place = place_of(setting)
            if place is None or np.isnan(score):
                continue
            diverged = bool(table.diverged[m, s, k])
            value = float(table.values[m, s, k])
            kind = "again" if place.best else "best" if score >= limits[place.sampler] and not diverged else "tried"
            yield {
                "method": method, "sampler": place.sampler, "setting": setting, "seed": seed, "kind": kind,
                "state": "diverged" if diverged else "scored", "score": value,
                "x": axis.place(value, diverged=diverged), "values": optimizers.get((method, setting, seed), ""),
            }  # fmt: skip


def _share(table: ScoreTable, method: str, sampler: str) -> FloatArray:
    return best_share(table.pick(method, places_in(table.settings, sampler)).ravel(), _SHARE)


def _limit(table: ScoreTable, method: str, sampler: str) -> float:
    share = _share(table, method, sampler)
    return float(share[-1]) if len(share) else np.inf


def _medians(table: ScoreTable, samplers: tuple[str, ...], axis: ScoreAxis) -> Iterator[dict[str, Any]]:
    for method in table.methods:
        for sampler in samplers:
            share = _share(table, method, sampler)
            if len(share) and np.median(share) > 0:
                median = float(table.transform.value(np.asarray(np.median(share))))
                yield {"method": method, "sampler": sampler, "kind": "median", "x": axis.place(median, diverged=False)}


register(
    BestShare(
        name="best-share",
        title="The best of what was tried",
        question="How good are a method's best configurations, how rare are they, and do they hold with other seeds?",
        reading="Points far to the side of the better scores are what tuning can reach; pale ticks show how much of "
        "the space is bad. Diamonds that lie worse than the points say that the best runs were lucky.",
        marks="Pale ticks: configurations tried, by all repetitions of the search; points: the best 5 % of them, at "
        "least one, and the dark tick their median; diamonds: each search's best configuration, trained again with "
        "another seed; thin line: real images. Diverged runs stand on the rail.",
    )
)
