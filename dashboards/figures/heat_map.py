"""Method x setting at a glance: the median score of every cell as a number on a colour."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, final

import altair as alt
import numpy as np
import pandas as pd

from dashboards.figures.base import Drawing, Figure, FigureData, register
from dashboards.figures.cells import fill_of, ink_on
from dashboards.figures.charts import hover, inline, layered, note
from dashboards.figures.frames import StudyFrames, has_results, metric_label, records, seeds_sentence
from dashboards.figures.style import INK, method_label, method_labels, number, themed
from sweeps.scores import ScoreTable
from sweeps.statistics import setting_medians

_CELL_WIDTH, _CELL_HEIGHT = 118, 38  # pixels


@dataclass(frozen=True, kw_only=True)
class HeatMapData(FigureData):
    """cells : a row per method and setting with columns method, setting, median (infinite: most seeds diverged; NaN:
    no result), num_seeds, num_diverged, num_missing, text, detail, fill and ink.
    """

    metric: str = ""
    methods: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    cells: pd.DataFrame = field(default_factory=pd.DataFrame)


@final
@dataclass(frozen=True, kw_only=True)
class HeatMap(Figure[HeatMapData]):
    """Rows are methods, columns are settings."""

    def prepare(self, frames: StudyFrames) -> HeatMapData:
        """The median over seeds of every cell, a diverged seed counting as worst."""
        table = frames.headline
        if not has_results(table):
            return HeatMapData(absent="No trial has a result under the headline protocol yet.")
        label = metric_label(table.metric)
        cells = pd.DataFrame(_cells(table))
        shown = ", ".join(
            f"{method_label(method)} {setting}: {text}"
            for method, setting, text in records(cells, "method", "setting", "text")
        )
        return HeatMapData(
            seeds=seeds_sentence(table),
            alt_text=f"Median {label} by method and setting. {shown}.",
            metric=label,
            methods=table.methods,
            settings=table.settings,
            cells=cells,
        )

    def draw(self, data: HeatMapData) -> Drawing:
        """Coloured squares with the number, and how many seeds diverged or are missing, in them."""
        if data.absent:
            return note(data.absent)
        gap = alt.Scale(paddingInner=0.045, paddingOuter=0)
        across, down = (
            alt.Axis(title=None, orient=side, labelAngle=0, domain=False, ticks=False, labelFontSize=12, labelPadding=8)
            for side in ("top", "left")
        )
        base = alt.Chart().encode(
            x=alt.X("setting:N", sort=list(data.settings), axis=across, scale=gap),
            y=alt.Y("label:N", sort=method_labels(data.methods), axis=down, scale=gap),
            tooltip=hover("label:N|method", "setting:N", f"text:N|median {data.metric}",
                          "num_seeds:Q|seeds with a result", "num_diverged:Q|diverged", "num_missing:Q|missing"),
        )  # fmt: skip
        ink = alt.Color("ink:N", scale=None)
        squares = base.mark_rect(stroke=INK, strokeOpacity=0.12, cornerRadius=3)
        alone, detailed = (base.transform_filter(f"datum.detail {sign} ''") for sign in ("==", "!="))
        chart = layered(
            squares.encode(fill=alt.Fill("fill:N", scale=None)),
            alone.mark_text(fontSize=12.5).encode(text="text:N", color=ink),
            detailed.mark_text(fontSize=12.5, dy=-6).encode(text="text:N", color=ink),
            detailed.mark_text(fontSize=9.5, dy=8).encode(text="detail:N", color=ink),
            data=inline(data.cells.assign(label=method_labels(data.cells["method"]))),
        )
        chart = chart.properties(
            width=_CELL_WIDTH * len(data.settings),
            height=_CELL_HEIGHT * len(data.methods),
            view=alt.ViewBackground(stroke=None),
        )
        return themed(chart)


def _cells(table: ScoreTable) -> Iterator[dict[str, Any]]:
    medians = setting_medians(table.ordered)
    for (m, s), median in np.ndenumerate(medians):
        num_diverged, num_missing = int(table.diverged[m, s].sum()), int(table.missing[m, s].sum())
        num_seeds = len(table.seeds) - num_missing
        fill = fill_of(float(median), medians, lower_is_better=table.lower_is_better)
        yield {
            "method": table.methods[m], "setting": table.settings[s], "median": float(median),
            "num_seeds": num_seeds, "num_diverged": num_diverged, "num_missing": num_missing,
            "text": "missing" if np.isnan(median) else number(float(median)),
            "detail": _detail(len(table.seeds), num_seeds, num_diverged, float(median)),
            "fill": fill, "ink": ink_on(fill),
        }  # fmt: skip


def _detail(total: int, num_seeds: int, num_diverged: int, median: float) -> str:
    """The second line of a cell: what its median hides. Nothing where all seeds have a score, or all went one way."""
    parts = []
    if num_diverged and (num_diverged < num_seeds or np.isfinite(median)):
        parts.append(f"{num_diverged} of {num_seeds} " + ("diverged" if np.isfinite(median) else "seeds"))
    if 0 < num_seeds < total:
        parts.append(f"{total - num_seeds} missing")
    return ", ".join(parts)


register(
    HeatMap(
        name="heat-map",
        title="Median score by method and setting",
        question="Where does each method work, and where does it break?",
        reading="One row per method: a robust one keeps its colour from left to right. Darker is better.",
        marks="Numbers: median over seeds at the last update, a diverged seed counting as worst; small text: how many "
        "seeds diverged or are missing; grey: the median itself diverged. Colours follow the logarithm for FID.",
    )
)
