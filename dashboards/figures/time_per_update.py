"""What a method costs: seconds per generator update (the paper's Fig. 10)."""

from dataclasses import dataclass, field
from typing import final

import altair as alt
import numpy as np
import pandas as pd

from dashboards.figures.base import Drawing, Figure, FigureData, register
from dashboards.figures.charts import hover, in_panels, inline, layered, note
from dashboards.figures.frames import StudyFrames, sample_sentence, shown_seeds
from dashboards.figures.style import INK, method_colours, method_labels, method_shapes, number

_WIDTH, _STEP = 400, 26  # pixels
_DIAGNOSTIC = "seconds_per_update"


@dataclass(frozen=True, kw_only=True)
class TimePerUpdateData(FigureData):
    """trials : a row per trial with columns method, setting, seed, n_dis, ms (its median over evaluations).
    medians : a row per method and n_dis with columns ms, longest and num_trials. Milliseconds per generator update.
    """

    methods: tuple[str, ...] = ()
    trials: pd.DataFrame = field(default_factory=pd.DataFrame)
    medians: pd.DataFrame = field(default_factory=pd.DataFrame)


@final
@dataclass(frozen=True, kw_only=True)
class TimePerUpdate(Figure[TimePerUpdateData]):
    """A panel per n_dis, a row per method, a point per trial."""

    def prepare(self, frames: StudyFrames) -> TimePerUpdateData:
        """Milliseconds per generator update of every trial that told them."""
        seconds = frames.diagnostics[frames.diagnostics["name"] == _DIAGNOSTIC]
        seconds = seconds[np.isfinite(seconds["value"].to_numpy(dtype=float))]
        if seconds.empty:
            return TimePerUpdateData(absent="No trial has told how long its updates take yet.")
        per_trial = seconds.groupby("digest")["value"].median().mul(1000).rename("ms")
        cells = frames.trials[["digest", "method", "setting", "seed", "n_dis"]].drop_duplicates(["digest", "method"])
        trials = cells.merge(per_trial, left_on="digest", right_index=True).drop(columns="digest")
        medians = (
            trials.groupby(["method", "n_dis"])["ms"].agg(ms="median", longest="max", num_trials="size").reset_index()
        )
        shown = shown_seeds(frames.headline)
        return TimePerUpdateData(
            seeds=f"{len(trials)} trials, timed while others may have run beside them."
            + sample_sentence(frames.headline, shown),
            alt_text="Milliseconds per generator update by method and number of discriminator updates.",
            methods=tuple(name for name in frames.methods if name in set(trials["method"])),
            trials=trials[trials["seed"].isin(frames.headline.seeds[:shown])],
            medians=medians,
        )

    def draw(self, data: TimePerUpdateData) -> Drawing:
        """Points for trials, ticks and numbers for medians."""
        if data.absent:
            return note(data.absent)
        table = pd.concat([data.trials.assign(kind="trial"), data.medians.assign(kind="median")], ignore_index=True)
        table["label"] = method_labels(table["method"])
        table["panel"] = [f"n_dis = {value}" for value in table["n_dis"]]
        table["text"] = [number(value) for value in table["ms"]]
        axis = alt.Axis(title="ms per generator update", tickCount=5)
        scale = alt.Scale(domain=[0, 1.18 * float(table["ms"].max())], nice=False)
        base = alt.Chart().encode(
            x=alt.X("ms:Q", axis=axis, scale=scale),
            y=alt.Y("label:N", sort=method_labels(data.methods), title=None, axis=alt.Axis(labelFontSize=12)),
            color=alt.Color("label:N", scale=method_colours(data.methods), legend=None),
        )
        told = ["label:N|method", "n_dis:N", "ms:Q|ms per update|.3~g"]
        trial, median = (base.transform_filter(f"datum.kind == '{kind}'") for kind in ("trial", "median"))
        layers = layered(
            trial.mark_point(filled=True, size=36, opacity=0.45).encode(
                shape=alt.Shape("label:N", scale=method_shapes(data.methods), legend=None),
                tooltip=hover(*told, "setting:N", "seed:N"),
            ),
            median.mark_tick(thickness=2.5, size=18, opacity=1).encode(tooltip=hover(*told, "num_trials:Q|trials")),
            median.mark_text(align="left", dx=10, fontSize=11).encode(
                x=alt.X("longest:Q", axis=axis, scale=scale), text="text:N", color=alt.value(INK)
            ),
            data=inline(table),
        )
        order = [f"n_dis = {value}" for value in sorted(data.medians["n_dis"].unique())]
        chart = layers.properties(width=_WIDTH, height=_STEP * len(data.methods))
        return in_panels(chart, "panel", order, 2)


register(
    TimePerUpdate(
        name="time-per-update",
        title="Time per update",
        question="What does a method cost per generator update?",
        reading="Further left is cheaper; compare methods within a panel, since more discriminator updates cost more. "
        "Times depend on the machine and on what else ran there, their ratios much less.",
        marks="Points: single trials, the median over their evaluations; ticks and numbers: median over trials.",
    )
)
