"""Which hyperparameters matter: functional ANOVA of the score over what was searched."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, final

import altair as alt
import pandas as pd

from dashboards.figures.base import Drawing, Figure, FigureData, register
from dashboards.figures.budget_curves import NO_SEARCH, searches_sentence
from dashboards.figures.charts import hover, in_panels, inline, layered, note
from dashboards.figures.frames import StudyFrames
from dashboards.figures.style import INK, method_colours, method_label, method_labels
from sweeps.searching import known_trials
from sweeps.spaces import Search, Tried, place_of, space_of

_WIDTH, _ROW, _COLUMNS = 240, 24, 3
_MOST = 240  # configurations per method: the forest's time grows faster than their number


@dataclass(frozen=True, kw_only=True)
class ImportanceData(FigureData):
    """shares : a row per method and hyperparameter with columns method, parameter, share, low, high (NaN where there
    are too few configurations for an interval) and num_tried.
    """

    methods: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    shares: pd.DataFrame = field(default_factory=pd.DataFrame)


@final
@dataclass(frozen=True, kw_only=True)
class ImportanceFigure(Figure[ImportanceData]):
    """A bar per hyperparameter, a panel per method."""

    def prepare(self, frames: StudyFrames) -> ImportanceData:
        """Shares of variance of every method's searched hyperparameters."""
        search, table = frames.preset.search, frames.headline
        if search is None:
            return ImportanceData(absent=NO_SEARCH)
        shares = pd.DataFrame(_shares(frames, search))
        if shares.empty:
            return ImportanceData(absent="No method has two configurations with different scores yet.")
        parameters = tuple(dict.fromkeys(shares["parameter"]))
        methods = tuple(dict.fromkeys(shares["method"]))
        return ImportanceData(
            seeds=searches_sentence(table),
            alt_text=f"Share of the score's variance that {', '.join(parameters)} explain, for "
            f"{', '.join(map(method_label, methods))}.",
            methods=methods,
            parameters=parameters,
            shares=shares,
        )

    def draw(self, data: ImportanceData) -> Drawing:
        """Bars from 0 to 100 % with intervals."""
        if data.absent:
            return note(data.absent)
        table = data.shares.assign(label=method_labels(data.shares["method"]))
        axis, unit = alt.Axis(title="share of the variance", format="%", tickCount=5), alt.Scale(domain=[0, 1])
        base = alt.Chart().encode(y=alt.Y("parameter:N", sort=list(data.parameters), axis=alt.Axis(title=None)))
        told = hover("label:N|method", "parameter:N|hyperparameter", "share:Q|explains|.0%", "low:Q|from|.0%",
                     "high:Q|to|.0%", "num_tried:Q|configurations")  # fmt: skip
        bars = base.mark_bar(height=12, opacity=0.85).encode(
            x=alt.X("share:Q", axis=axis, scale=unit),
            color=alt.Color("label:N", scale=method_colours(data.methods), legend=None),
            tooltip=told,
        )
        ends = base.mark_rule(color=INK, strokeWidth=1.5).encode(
            x=alt.X("low:Q", axis=axis, scale=unit), x2="high:Q", tooltip=told
        )
        panels = layered(bars, ends, data=inline(table)).properties(width=_WIDTH, height=_ROW * len(data.parameters))
        columns = 2 if len(data.methods) == 4 else _COLUMNS
        return in_panels(panels, "label", method_labels(data.methods), columns, spacing=28)


def _shares(frames: StudyFrames, search: Search) -> Iterator[dict[str, Any]]:
    from sweeps.search import importances  # importing Optuna takes half a second: only where something was searched

    known = known_trials(frames.trials, frames.headline)
    for method in frames.methods:
        space = space_of(search, method)
        found: dict[str, Tried] = {}  # samplers share their first round
        for (name, setting, seed), trial in known.items():
            place = place_of(setting)
            if name == method and place is not None and not place.best and trial.score is not None:
                tried = trial.tried(space)
                found.setdefault(repr((seed, tried.values)), tried)
        chosen = list(found.values())[:: max(1, -(-len(found) // _MOST))]
        for parameter, importance in importances(chosen, space).items():
            yield {
                "method": method, "parameter": parameter, "share": importance.share, "low": importance.low,
                "high": importance.high, "num_tried": len(chosen),
            }  # fmt: skip


register(
    ImportanceFigure(
        name="importance",
        title="Which hyperparameters matter",
        question="Which hyperparameters decide whether a method works, over all that was searched?",
        reading="A long bar says that the score depends on this hyperparameter whatever the others are. What the bars "
        "of a method lack to 100 % depends on combinations; a method of which every score is alike has little variance "
        "to explain, so compare bars within a panel.",
        marks="Bars: main effects of a functional ANOVA (Hutter et al. 2014) of the bounded score, all samplers and "
        "repetitions together; lines: 95 % jackknife intervals over configurations. The forest interpolates: with few "
        "configurations it is a rough guess, and noise between seeds is part of the variance.",
    )
)
