"""One row per method: aggregates over all settings and seeds, with intervals."""

from collections.abc import Iterator

from dashboards.figures import StudyFrames
from dashboards.figures.frames import metric_label
from dashboards.figures.style import number
from dashboards.summary import MethodSummary, Summary, estimate_text, worst_text
from dashboards.tables.base import Cell, Column, Table
from sweeps.statistics import Estimate

_ESTIMATES = ("iqm", "mean", "median_of_means", "optimality_gap", "spread", "divergence", "improvement")
_SEARCHED = "A search tries other configurations for every method and seed: no worst setting, and no spread over them."
_FIELDS = (
    "method", "label", "protocol", "transform", "median", "worst_setting", "worst_median",
    *(f"{name}{end}" for name in _ESTIMATES for end in ("", "_low", "_high")),
    "target", "improvement_over", "num_seeds", "num_runs", "num_missing",
)  # fmt: skip


def summary_table(summary: Summary, frames: StudyFrames) -> Table:
    """The summary of a study's methods, best interquartile mean first."""
    table, metric = frames.headline, metric_label(frames.headline.metric)
    searched = frames.preset.search is not None
    over = "all configurations that were tried or trained again" if searched else "all settings and seeds"
    return Table(
        name="summary",
        study=frames.name,
        title="All settings together",
        caption=f"Methods over {over}, by {metric} at the last update under {table.protocol}. "
        f"Score = {table.transform.text}, higher is better; 95 % intervals over seeds in brackets.",
        notes=(
            "IQM: mean of the middle half of all runs. Optimality gap: by how much runs fall short of the score of "
            f"real images, {number(summary.target)}, on average. Spread: best minus worst setting's median score.",
            "Diverged runs count as the worst, missing ones nowhere. Intervals: bootstrap over seeds within settings, "
            "too narrow for fewer than five seeds; Wilson's for divergence.",
            *[_SEARCHED] * searched,
            *filter(None, [frames.preset.caveat]),
        ),
        columns=(
            Column("Method", "name"),
            *map(Column, (f"Median {metric}", "IQM", "Optimality gap", "Worst setting", "Spread", "Diverged",
                          f"P(better than {summary.reference or 'the best'})")),
        ),
        rows=tuple(tuple(map(Cell, _texts(row))) for row in summary.rows),
        fields=_FIELDS,
        records=tuple(tuple(_record(row, summary, frames)) for row in summary.rows),
    )  # fmt: skip


def _texts(row: MethodSummary) -> tuple[str, ...]:
    return (
        row.label, number(row.median), estimate_text(row.iqm), estimate_text(row.optimality_gap), worst_text(row),
        estimate_text(row.spread), estimate_text(row.divergence, percent=True), estimate_text(row.improvement),
    )  # fmt: skip


def _record(row: MethodSummary, summary: Summary, frames: StudyFrames) -> Iterator[object]:
    table = frames.headline
    yield from (row.method, row.label, table.protocol, table.transform.text)
    yield from (row.median, row.worst_setting, row.worst)
    for name in _ESTIMATES:
        value: Estimate | None = getattr(row, name)
        yield from (None, None, None) if value is None else (value.value, value.low, value.high)
    yield from (summary.target, summary.reference_method, row.iqm.num_seeds, row.iqm.num_runs, row.iqm.num_missing)
