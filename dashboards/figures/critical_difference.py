"""Mean ranks of the methods on one line, and bars over those that no test tells apart (Demsar 2006)."""

from dataclasses import dataclass, field
from typing import final

import altair as alt
import pandas as pd

from dashboards.figures.base import Drawing, Figure, FigureData, register
from dashboards.figures.charts import hover, inline, layered, note
from dashboards.figures.frames import StudyFrames, has_results
from dashboards.figures.style import INK, Chart, method_colours, method_label, method_labels, method_shapes, themed
from sweeps.rank_tests import RankComparison, compare_ranks

_WIDTH, _STEP, _GROUP_STEP = 560, 26, 15  # pixels
_MAX_GROUPS = 12


@dataclass(frozen=True, kw_only=True)
class CriticalDifferenceData(FigureData):
    """ranks : a row per method with columns method and rank (mean over blocks, 1 best), best first. groups : a row per
    group and member with columns group (from 0), method, rank, low and high (the group's ends), those with the best
    methods first.
    """

    methods: tuple[str, ...] = ()
    ranks: pd.DataFrame = field(default_factory=pd.DataFrame)
    groups: pd.DataFrame = field(default_factory=pd.DataFrame)


@final
@dataclass(frozen=True, kw_only=True)
class CriticalDifference(Figure[CriticalDifferenceData]):
    """Groups as bars above, methods as points below, on one axis of ranks."""

    def prepare(self, frames: StudyFrames) -> CriticalDifferenceData:
        """Ranks and tests of sweeps.rank_tests over the blocks in which every method has a result."""
        if not has_results(frames.headline):
            return CriticalDifferenceData(absent="No trial has a result under the headline protocol yet.")
        found = compare_ranks(frames.headline)
        if found is None:
            return CriticalDifferenceData(absent="Ranks need three methods with a common setting and seed.")
        listed = ", ".join(
            f"{method_label(name)} {rank:.2f}" for name, rank in zip(found.methods, found.mean_ranks, strict=True)
        )
        return CriticalDifferenceData(
            seeds=_sentence(found),
            alt_text=f"Mean ranks, 1 is best: {listed}.",
            methods=found.methods,
            ranks=pd.DataFrame({"method": found.methods, "rank": found.mean_ranks}),
            groups=_groups(found),
        )

    def draw(self, data: CriticalDifferenceData) -> Drawing:
        """Points with their ranks; above them a bar per group, with a dot at every member."""
        if data.absent:
            return note(data.absent)
        scale = alt.Scale(domain=[0.7, len(data.methods) + 0.3], nice=False)
        axis = alt.Axis(title="mean rank   (← better)", values=list(range(1, len(data.methods) + 1)), format="d")
        ranks = data.ranks.assign(label=method_labels(data.ranks["method"]))
        base = alt.Chart(inline(ranks)).encode(
            x=alt.X("rank:Q", scale=scale, axis=axis),
            y=alt.Y("label:N", sort=method_labels(data.methods), title=None, axis=alt.Axis(labelFontSize=12)),
            color=alt.Color("label:N", scale=method_colours(data.methods), legend=None),
            tooltip=hover("label:N|method", "rank:Q|mean rank|.2f"),
        )
        points = base.mark_point(filled=True, size=85, opacity=1).encode(
            shape=alt.Shape("label:N", scale=method_shapes(data.methods), legend=None)
        )
        words = base.mark_text(align="left", dx=9, fontSize=11).encode(
            text=alt.Text("rank:Q", format=".2f"), color=alt.value(INK)
        )
        below = layered(points, words).properties(width=_WIDTH, height=_STEP * len(data.methods))
        if data.groups.empty:
            return themed(below)
        return themed(alt.vconcat(_bars(data, scale), below, spacing=6))


def _bars(data: CriticalDifferenceData, scale: alt.Scale) -> Chart:
    """The groups, one per line, on the same axis of ranks."""
    groups = data.groups.assign(label=method_labels(data.groups["method"]))
    num_groups = int(groups["group"].max()) + 1
    base = alt.Chart(inline(groups)).encode(x=alt.X("low:Q", scale=scale, axis=None), y=alt.Y("group:O", axis=None))
    bars = base.mark_rule(strokeWidth=3, color=INK, opacity=0.55, strokeCap="round").encode(x2="high:Q")
    members = base.mark_point(filled=True, size=50, opacity=1, color=INK).encode(
        x=alt.X("rank:Q", scale=scale, axis=None), tooltip=hover("label:N|not told apart from the others on this bar")
    )
    title = alt.TitleParams("not told apart", anchor="start", fontSize=11, fontWeight="normal", offset=4, color=INK)
    return layered(bars, members).properties(width=_WIDTH, height=_GROUP_STEP * num_groups, title=title)


def _groups(found: RankComparison) -> pd.DataFrame:
    rank = dict(zip(found.methods, found.mean_ranks, strict=True))
    rows = [
        {"group": number, "method": name, "rank": rank[name], "low": rank[group[0]], "high": rank[group[-1]]}
        for number, group in enumerate(found.groups[:_MAX_GROUPS])
        for name in group
    ]
    return pd.DataFrame(rows, columns=["group", "method", "rank", "low", "high"])


def _sentence(found: RankComparison) -> str:
    blocks = f"{found.num_blocks} blocks (a setting with a seed) from {found.num_seeds} seed"
    blocks += "s" * (found.num_seeds != 1)
    if not found.pairs:
        return f"{blocks}: too few seeds to say which methods differ; three are the least. The ranks are drawn alone."
    chance = "less than 0.001" if found.p_value < 0.001 else f"{found.p_value:.3f}"
    friedman = f"Friedman's test over {blocks}: the chance of such ranks among equal methods is {chance}."
    left_out = len(found.groups) - _MAX_GROUPS
    return friedman + (f" {left_out} more groups of lower ranks are not drawn." if left_out > 0 else "")


register(
    CriticalDifference(
        name="critical-difference",
        title="Ranks, and which of them differ",
        question="Which methods are better than which, over all settings and seeds?",
        reading="Further left is better. Methods with dots on a common bar are not told apart; where no bar has dots "
        "for two methods, they differ. Runs at different settings count as independent here, and only the settings of "
        "this study are spoken of: the verdicts assume less, and decide.",
        marks="Points: mean rank over blocks, diverged runs sharing the last ranks; bars: groups in which no pair "
        "differs by Wilcoxon's signed-rank test on scores at 5 %, with Holm's correction for all pairs; dots: their "
        "members.",
    )
)
