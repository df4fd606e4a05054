"""How often training ends in non-finite values, per method."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, final

import altair as alt
import pandas as pd

from dashboards.figures.base import Drawing, Figure, FigureData, register
from dashboards.figures.charts import hover, inline, layered, note
from dashboards.figures.frames import StudyFrames, has_results, records, seeds_sentence
from dashboards.figures.style import INK, method_colours, method_label, method_labels, method_shapes, themed
from sweeps.scores import ScoreTable
from sweeps.statistics import divergence_rate

_WIDTH, _STEP = 700, 26  # pixels


@dataclass(frozen=True, kw_only=True)
class DivergenceData(FigureData):
    """rates : a row per method with columns method, rate, low, high (NaN without an interval), num_diverged, num_runs,
    num_missing and settings (those at which a run diverged, as text).
    """

    methods: tuple[str, ...] = ()
    rates: pd.DataFrame = field(default_factory=pd.DataFrame)


@final
@dataclass(frozen=True, kw_only=True)
class Divergence(Figure[DivergenceData]):
    """A point with its interval per method."""

    def prepare(self, frames: StudyFrames) -> DivergenceData:
        """Rates over all finished runs of a method, with Wilson's interval."""
        table = frames.headline
        if not has_results(table):
            return DivergenceData(absent="No trial has a result yet.")
        rates = pd.DataFrame(_rates(table))
        counts = ", ".join(
            f"{method_label(method)} {count} of {total}"
            for method, count, total in records(rates, "method", "num_diverged", "num_runs")
        )
        return DivergenceData(
            seeds=seeds_sentence(table),
            alt_text=f"Diverged runs: {counts}.",
            methods=table.methods,
            rates=rates,
        )

    def draw(self, data: DivergenceData) -> Drawing:
        """Points on a line from 0 to 100 %, intervals as bars, counts beside them."""
        if data.absent:
            return note(data.absent)
        counts = [f"{count} of {total}" for count, total in records(data.rates, "num_diverged", "num_runs")]
        rates = data.rates.assign(label=method_labels(data.rates["method"]), count=counts)
        base = alt.Chart(inline(rates)).encode(
            y=alt.Y("label:N", sort=method_labels(data.methods), title=None, axis=alt.Axis(labelFontSize=12)),
            color=alt.Color("label:N", scale=method_colours(data.methods), legend=None),
            tooltip=hover("label:N|method", "count:N|diverged", "rate:Q||.0%", "low:Q|from|.0%", "high:Q|to|.0%",
                          "settings:N|at settings"),
        )  # fmt: skip
        axis, unit = alt.Axis(title="diverged runs", format="%", tickCount=5), alt.Scale(domain=[0, 1])
        bars = base.mark_rule(strokeWidth=4, opacity=0.35, strokeCap="round")
        points = base.mark_point(filled=True, size=80, opacity=1)
        words = base.mark_text(align="left", fontSize=11)
        chart = layered(
            bars.encode(x=alt.X("low:Q", axis=axis, scale=unit), x2="high:Q"),
            points.encode(
                x=alt.X("rate:Q", axis=axis, scale=unit),
                shape=alt.Shape("label:N", scale=method_shapes(data.methods), legend=None),
            ),
            words.encode(x=alt.value(_WIDTH + 12), text="count:N", color=alt.value(INK)),
        )
        return themed(chart.properties(width=_WIDTH, height=_STEP * len(data.methods)))


def _rates(table: ScoreTable) -> Iterator[dict[str, Any]]:
    for m, method in enumerate(table.methods):
        rate = divergence_rate(table.diverged[m], table.missing[m])
        where = [name for name, row in zip(table.settings, table.diverged[m], strict=True) if row.any()]
        yield {
            "method": method, "rate": rate.value, "low": rate.low, "high": rate.high,
            "num_diverged": int(table.diverged[m].sum()), "num_runs": rate.num_runs, "num_missing": rate.num_missing,
            "settings": ", ".join(where) or "none",
        }  # fmt: skip


register(
    Divergence(
        name="divergence",
        title="Divergence",
        question="How often does training break down completely?",
        reading="Further left is better. Wide bars mean that there are too few runs to know the rate.",
        marks="Points: diverged runs among those with a result; bars: Wilson's 95 % interval, for which runs count as "
        "independent. Failed and missing runs are no results and do not enter.",
    )
)
