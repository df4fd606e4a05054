"""Quality against cost: every method at its best setting, and the front of those that no other method beats in both."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, final

import altair as alt
import numpy as np
import pandas as pd

from dashboards.best_setting import BestSetting, best_setting_of
from dashboards.figures.base import Drawing, Figure, FigureData, register
from dashboards.figures.charts import hover, inline, layered, log_ticks, note
from dashboards.figures.frames import StudyFrames, metric_label, seeds_sentence
from dashboards.figures.style import INK, method_colours, method_label, method_labels, method_shapes, themed
from sweeps.statistics import pareto_front, setting_medians, setting_quartiles

_WIDTH, _HEIGHT = 620, 380  # pixels
_UNITS = (("hours", 3600), ("minutes", 60), ("seconds", 1))


@dataclass(frozen=True, kw_only=True)
class ParetoData(FigureData):
    """points : a row per method with columns method, setting (its best), score, score_low, score_high (the metric's
    units), train_s, train_s_low, train_s_high (training alone, without measuring) and front (whether it is on it).
    """

    metric: str = ""
    lower_is_better: bool = True
    methods: tuple[str, ...] = ()
    points: pd.DataFrame = field(default_factory=pd.DataFrame)


@final
@dataclass(frozen=True, kw_only=True)
class Pareto(Figure[ParetoData]):
    """A point per method, with bars over seeds in both directions."""

    def prepare(self, frames: StudyFrames) -> ParetoData:
        """Medians over seeds of the final score and of the training time at each method's best setting."""
        table = frames.headline
        points = pd.DataFrame(_points(frames))
        if points.empty:
            return ParetoData(absent="No method has a finished run with a known training time yet.")
        values = points["score"].to_numpy() * (1 if table.lower_is_better else -1)
        points = points.assign(front=pareto_front(points["train_s"].to_numpy(), values))
        label = metric_label(table.metric)
        listed = ", ".join(method_label(name) for name in points.loc[points["front"], "method"])
        return ParetoData(
            seeds=f"{seeds_sentence(table)} Times were taken while others may have run beside them.",
            alt_text=f"{label} against training time. No method beats these in both: {listed}.",
            metric=label,
            lower_is_better=table.lower_is_better,
            methods=tuple(points["method"]),
            points=points,
        )

    def draw(self, data: ParetoData) -> Drawing:
        """Points with bars and their settings; the front as steps."""
        if data.absent:
            return note(data.absent)
        unit, points = _in_unit(data.points.assign(label=method_labels(data.points["method"])))
        x = _axis(points, "time", f"{unit} of training   (← cheaper)")
        better = "(better ↓)" if data.lower_is_better else "(better ↑)"
        y = _axis(points, "score", f"{data.metric} at the best setting   {better}")
        colour = alt.Color("label:N", scale=method_colours(data.methods), title="method")
        told = hover("label:N|method", "setting:N", f"score:Q|{data.metric}|.4~g", "score_low:Q|from|.4~g",
                     "score_high:Q|to|.4~g", f"time:Q|{unit}|.3~g", "time_low:Q|from|.3~g",
                     "time_high:Q|to|.3~g")  # fmt: skip
        base = alt.Chart(inline(points))
        front = base.transform_filter("datum.front")
        bars = base.mark_rule(strokeWidth=2.5, opacity=0.35, strokeCap="round")
        chart = layered(
            front.mark_line(interpolate="step-after", strokeDash=[4, 3], color=INK, opacity=0.55).encode(
                x=alt.X("time:Q", **x), y=alt.Y("score:Q", **y)
            ),
            bars.encode(x=alt.X("time_low:Q", **x), x2="time_high:Q", y=alt.Y("score:Q", **y), color=colour),
            bars.encode(x=alt.X("time:Q", **x), y=alt.Y("score_low:Q", **y), y2="score_high:Q", color=colour),
            base.mark_point(filled=True, size=95, opacity=1).encode(
                x=alt.X("time:Q", **x), y=alt.Y("score:Q", **y), color=colour, tooltip=told,
                shape=alt.Shape("label:N", scale=method_shapes(data.methods), title="method"),
            ),
            base.mark_text(align="left", dx=8, dy=-9, fontSize=11).encode(
                x=alt.X("time:Q", **x), y=alt.Y("score:Q", **y), text="setting:N", color=alt.value(INK)
            ),
        )  # fmt: skip
        return themed(chart.properties(width=_WIDTH, height=_HEIGHT))


def _in_unit(points: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """The unit in which the longest times are read best, and the points with time, time_low and time_high in it."""
    longest_s = float(points["train_s"].max())
    unit, seconds = next(((u, s) for u, s in _UNITS if longest_s >= 2 * s), _UNITS[-1])
    return unit, points.assign(**{f"time{end}": points[f"train_s{end}"] / seconds for end in ("", "_low", "_high")})


def _axis(points: pd.DataFrame, name: str, title: str) -> dict[str, Any]:
    """Axis and scale of a column: logarithmic, for what matters are factors, where all values are positive."""
    values = points[[name, f"{name}_low", f"{name}_high"]].to_numpy(dtype=float)
    finite = values[np.isfinite(values)]
    low, high = float(finite.min()), float(finite.max())
    if low <= 0:
        return {"axis": alt.Axis(title=title), "scale": alt.Scale(zero=False)}
    low, high = low / 1.12, high * 1.12
    ticks = alt.Axis(title=title, values=list(log_ticks(low, high)), format="~g")
    return {"axis": ticks, "scale": alt.Scale(type="log", domain=[low, high], nice=False)}


def _points(frames: StudyFrames) -> Iterator[dict[str, Any]]:
    """Methods with a score at their best setting; one whose best median diverged is no choice at any cost."""
    table = frames.headline
    for method in table.methods:
        best = best_setting_of(table, method)
        train_s = _train_s(frames, best)
        if np.isfinite(best.median) and np.isfinite(train_s).any():
            low, high = setting_quartiles(train_s)
            yield {
                "method": method, "setting": best.setting, "score": best.median, "score_low": best.low,
                "score_high": best.high, "train_s": float(setting_medians(train_s)), "train_s_low": float(low),
                "train_s_high": float(high),
            }  # fmt: skip


def _train_s(frames: StudyFrames, best: BestSetting) -> np.ndarray:
    """Seconds of training [K] of the method's complete runs at its best setting."""
    trials = frames.trials
    of_method = (trials["method"] == best.method) & (trials["setting"] == best.setting)
    return trials.loc[of_method & (trials["state"] == "completed"), "train_s"].to_numpy(dtype=float)


register(
    Pareto(
        name="pareto",
        title="Quality against cost",
        question="What does a better score cost, when every method has its best setting?",
        reading="Further left is cheaper, and the best corner is where the axes say so. Methods on the dashed line are "
        "worth a choice: any other one is beaten by one of them. The best setting is chosen on these very runs.",
        marks="Points: median over seeds of the final score and of the time spent in training, at the setting with the "
        "best median (the letter); bars: quartiles over seeds, with up to four seeds the lowest and the highest.",
    )
)
