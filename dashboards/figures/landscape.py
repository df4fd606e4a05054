"""The region of learning rate, momenta and n_dis in which each method works."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, final

import altair as alt
import numpy as np
import pandas as pd

from dashboards.figures.base import Drawing, Figure, FigureData, register
from dashboards.figures.cells import fill_of, ink_on
from dashboards.figures.charts import hover, in_panels, inline, layered, note
from dashboards.figures.frames import StudyFrames, has_results, metric_label, records, seeds_sentence
from dashboards.figures.style import INK, method_label, number
from sngan.methods import SETTINGS, Setting
from sweeps.rules.larger_region import working_share
from sweeps.scores import ScoreTable
from sweeps.statistics import setting_medians
from sweeps.wording import counted

_CELL_WIDTH, _CELL_HEIGHT, _COLUMNS = 46, 30, 3  # pixels, and panels beside each other
_SHARES = ("method", "share", "low", "high")


@dataclass(frozen=True, kw_only=True)
class LandscapeData(FigureData):
    """cells : a row per method and setting with columns method, panel, alpha, momenta and n_dis, row, median, works
    (its median's score is above 1/2), text, fill and ink. shares : a row per method with columns method, share (mean
    over seeds of the part of the settings where it works), low and high (over seeds).
    """

    metric: str = ""
    methods: tuple[str, ...] = ()
    cells: pd.DataFrame = field(default_factory=pd.DataFrame)
    shares: pd.DataFrame = field(default_factory=pd.DataFrame)


@final
@dataclass(frozen=True, kw_only=True)
class Landscape(Figure[LandscapeData]):
    """A panel per method: learning rates from left to right, a row per pair of momenta and n_dis.

    level : score above which a run works, as in the rule "larger-region". least_rates : number of learning rates that
    make a row.
    """

    level: float = 0.5
    least_rates: int = 3

    def prepare(self, frames: StudyFrames) -> LandscapeData:
        """The median over seeds at every point of the grid, and the part of the grid where each method works."""
        table = frames.headline
        grid = _grid(table.settings, self.least_rates)
        if not grid:
            rates = counted(self.least_rates, "learning rate")
            return LandscapeData(absent=f"A landscape needs momenta and n_dis with {rates} or more; here are none.")
        if not has_results(table):
            return LandscapeData(absent="No trial has a result under the headline protocol yet.")
        shares = pd.DataFrame(_shares(table, tuple(grid), self.level))
        told = [f"{method_label(name)} {_part(*part) or 'not known yet'}" for name, *part in records(shares, *_SHARES)]
        label = metric_label(table.metric)
        return LandscapeData(
            seeds=f"{seeds_sentence(table)} A method works where its score ({table.transform.text}) is above "
            f"{'1/2' if self.level == 0.5 else f'{self.level:g}'}.",
            alt_text=f"Median {label} over a grid of {len(grid)} settings. Part of it where a method works: "
            f"{', '.join(told)}.",
            metric=label,
            methods=table.methods,
            cells=pd.DataFrame(_cells(table, grid, shares, self.level)),
            shares=shares,
        )

    def draw(self, data: LandscapeData) -> Drawing:
        """Coloured squares, framed where the method works."""
        if data.absent:
            return note(data.absent)
        rows = list(dict.fromkeys(data.cells.sort_values(["n_dis", "beta1", "beta2"])["row"]))
        gap = alt.Scale(paddingInner=0.06, paddingOuter=0)
        base = alt.Chart().encode(
            x=alt.X("alpha:O", axis=alt.Axis(title="learning rate", format="~g", labelAngle=0), scale=gap),
            y=alt.Y("row:N", sort=rows, axis=alt.Axis(title=None, domain=False, ticks=False), scale=gap),
            tooltip=hover("label:N|method", "alpha:O|learning rate", "row:N|momenta and n_dis",
                          f"text:N|median {data.metric}", "works:N"),
        )  # fmt: skip
        layers = layered(
            base.mark_rect(cornerRadius=2).encode(fill=alt.Fill("fill:N", scale=None)),
            base.transform_filter("datum.works").mark_rect(filled=False, stroke=INK, strokeWidth=1.5, cornerRadius=2),
            base.mark_text(fontSize=10).encode(text="text:N", color=alt.Color("ink:N", scale=None)),
            data=inline(data.cells.assign(label=[method_label(name) for name in data.cells["method"]])),
        ).properties(
            width=_CELL_WIDTH * data.cells["alpha"].nunique(),
            height=_CELL_HEIGHT * len(rows),
            view=alt.ViewBackground(stroke=None),
        )
        panels = list(dict.fromkeys(data.cells["panel"]))
        return in_panels(layers, "panel", panels, _COLUMNS)


def _grid(names: Iterable[str], least_rates: int) -> dict[str, Setting]:
    """The settings that are tried with several learning rates, and differ from others in the optimizer alone."""
    known = {name: SETTINGS[name] for name in names if name in SETTINGS}
    plain = {name: setting for name, setting in known.items() if not setting.overrides}
    rates = Counter(_row(setting) for setting in plain.values())
    return {name: setting for name, setting in plain.items() if rates[_row(setting)] >= least_rates}


def _row(setting: Setting) -> str:
    return f"β {setting.beta1:g}, {setting.beta2:g}; n_dis {setting.n_dis}"


def _cells(
    table: ScoreTable, settings: dict[str, Setting], shares: pd.DataFrame, level: float
) -> Iterator[dict[str, Any]]:
    medians = setting_medians(table.ordered)
    scores = np.where(np.isnan(medians), np.nan, _scores(table, medians))
    for method, *part in records(shares, *_SHARES):
        m = table.methods.index(method)
        for name, setting in settings.items():
            s = table.settings.index(name)
            median = float(medians[m, s])
            fill = fill_of(median, medians, lower_is_better=table.lower_is_better)
            yield {
                "method": method, "panel": f"{method_label(method)}: {_headline(*part)}",
                "alpha": setting.alpha, "beta1": setting.beta1, "beta2": setting.beta2, "n_dis": setting.n_dis,
                "row": _row(setting),
                "median": median, "works": bool(scores[m, s] > level),
                "text": "" if np.isnan(median) else "✕" if np.isinf(median) else number(median),
                "fill": fill, "ink": ink_on(fill),
            }  # fmt: skip


def _scores(table: ScoreTable, medians: np.ndarray) -> np.ndarray:
    """Bounded scores of medians in the metric's units; the worst end is 0."""
    finite = np.isfinite(medians)
    return np.where(finite, table.transform(np.where(finite, medians, 1.0)), 0.0)


def _shares(table: ScoreTable, settings: tuple[str, ...], level: float) -> Iterator[dict[str, Any]]:
    for method in table.methods:
        shares = working_share(table.pick(method, settings), level)
        known = shares[~np.isnan(shares)]
        if len(known):
            yield {
                "method": method,
                "share": float(known.mean()),
                "low": float(known.min()),
                "high": float(known.max()),
            }
        else:
            yield {"method": method, "share": np.nan, "low": np.nan, "high": np.nan}


def _headline(share: float, low: float, high: float) -> str:
    part = _part(share, low, high)
    return f"works at {part}" if part else "settings are missing"


def _part(share: float, low: float, high: float) -> str:
    """A part of the grid in words, with the range over seeds where they differ; "" while no seed has all settings."""
    if np.isnan(share):
        return ""
    return f"{100 * share:.0f} %" + (f" ({100 * low:.0f} to {100 * high:.0f} %)" if low < high else "")


register(
    Landscape(
        name="landscape",
        title="Where each method works",
        question="In which region of learning rate, momenta and n_dis does each method work, and how large is it?",
        reading="One panel per method, learning rates from left to right. The larger the framed region, the less luck "
        "tuning takes; its part of the grid stands above.",
        marks="Numbers and colours: median over seeds at the last update, darker is better; framed: it works (a "
        "score of 1/2 is an FID of ten times that of real images); ✕: the median diverged. The part is the "
        "mean over seeds.",
    )
)
