"""One row per method: how good, how sure, how robust. All statistics are those of sweeps.statistics."""

import csv
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from dashboards.figures.style import method_label, number
from sngan.seeding import numpy_stream
from sweeps.scores import ScoreTable
from sweeps.statistics import (
    Estimate,
    divergence_rate,
    estimate,
    estimate_pair,
    iqm,
    median,
    probability_of_improvement,
    setting_medians,
    spread_range,
)

_NUM_REPLICATES = 10_000


@dataclass(frozen=True, kw_only=True)
class MethodSummary:
    """What a study knows of one method under one protocol.

    median : of all its runs, in the metric's units; infinite when most diverged, NaN without a run.
    iqm, spread : interquartile mean, and best minus worst setting's median, of the bounded score (0 to 1).
    worst_setting, worst : the setting with the worst median, and that median in the metric's units; "" and NaN while
        a setting has no run.
    divergence : fraction of diverged runs. improvement : P(a run is better than one of the reference at the same
        setting); None for the reference itself.
    """

    method: str
    label: str
    median: float
    iqm: Estimate
    worst_setting: str
    worst: float
    spread: Estimate
    divergence: Estimate
    improvement: Estimate | None


@dataclass(frozen=True, kw_only=True)
class Summary:
    """All methods that have a run, best interquartile mean first; `reference` is the label of the first."""

    rows: tuple[MethodSummary, ...]
    reference: str


def summarize(table: ScoreTable) -> Summary:
    """The summary of a table's methods; no rows without results."""
    order = {
        method: float(iqm(table.pick(method))) for method in table.methods if not np.isnan(table.pick(method)).all()
    }
    ranked = sorted(order, key=lambda method: -order[method])
    rows = tuple(_row(table, method, ranked[0]) for method in ranked)
    return Summary(rows=rows, reference=rows[0].label if rows else "")


def _row(table: ScoreTable, method: str, reference: str) -> MethodSummary:
    scores, index = table.pick(method), table.methods.index(method)
    worst_setting, worst = _worst(table, method)
    improvement = None
    if method != reference:
        improvement = estimate_pair(
            scores,
            table.pick(reference),
            probability_of_improvement,
            stream=numpy_stream(0, "bootstrap"),
        )
    return MethodSummary(
        method=method,
        label=method_label(method),
        median=float(median(table.pick_ordered(method))),
        iqm=estimate(scores, iqm, stream=numpy_stream(0, "bootstrap"), num_replicates=_NUM_REPLICATES),
        worst_setting=worst_setting,
        worst=worst,
        spread=estimate(scores, spread_range, stream=numpy_stream(0, "bootstrap"), num_replicates=_NUM_REPLICATES),
        divergence=divergence_rate(table.diverged[index], table.missing[index]),
        improvement=improvement,
    )


def _worst(table: ScoreTable, method: str) -> tuple[str, float]:
    medians = setting_medians(table.pick_ordered(method))
    if np.isnan(medians).any():
        return "", math.nan
    position = int(np.argmax(medians) if table.lower_is_better else np.argmin(medians))
    return table.settings[position], float(medians[position])


def estimate_text(value: Estimate | None, *, percent: bool = False) -> str:
    """The estimate with its interval: "0.57 [0.50, 0.63]", "8 % [1, 35]"; "–" where there is none."""
    if value is None or math.isnan(value.value):
        return "–"
    scale, digits = (100, 0) if percent else (1, 2)
    middle = f"{value.value * scale:.{digits}f}" + (" %" if percent else "")
    if value.low is None or value.high is None:
        return middle
    return f"{middle} [{value.low * scale:.{digits}f}, {value.high * scale:.{digits}f}]"


def worst_text(row: MethodSummary) -> str:
    """The worst setting and its median: "F: 65.0"."""
    return f"{row.worst_setting}: {number(row.worst)}" if row.worst_setting else "–"


def summary_csv(summary: Summary, table: ScoreTable) -> str:
    """The summary as CSV, one row per method, with the protocol in every row; empty where there is no number."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = ("iqm", "spread", "divergence", "improvement")
    estimates = [f"{name}{end}" for name in names for end in ("", "_low", "_high")]
    writer.writerow(
        ["method", "label", "protocol", "transform", "median", "worst_setting", "worst_median", *estimates,
         "improvement_over", "num_seeds", "num_runs", "num_missing"]
    )  # fmt: skip
    for row in summary.rows:
        numbers = [cell for name in names for cell in _cells(getattr(row, name))]
        writer.writerow(
            [row.method, row.label, table.protocol, table.transform.text, _cell(row.median), row.worst_setting,
             _cell(row.worst), *numbers, summary.rows[0].method, row.iqm.num_seeds, row.iqm.num_runs,
             row.iqm.num_missing]
        )  # fmt: skip
    return buffer.getvalue()


def _cells(value: Estimate | None) -> list[str]:
    return ["", "", ""] if value is None else [_cell(value.value), _cell(value.low), _cell(value.high)]


def _cell(value: float | None) -> str:
    if value is None or math.isnan(value):
        return ""
    return "diverged" if math.isinf(value) else f"{value:.6g}"


def summary_markdown(summary: Summary, metric: str) -> str:
    """The summary as a table for papers and issue trackers."""
    header = ["method", f"median {metric}", "IQM score [95 %]", "worst setting", "spread [95 %]", "diverged [95 %]",
              f"P(better than {summary.reference})"]  # fmt: skip
    body = [
        [
            row.label, number(row.median), estimate_text(row.iqm), worst_text(row), estimate_text(row.spread),
            estimate_text(row.divergence, percent=True), estimate_text(row.improvement),
        ]
        for row in summary.rows
    ]  # fmt: skip
    lines = [header, ["---"] * len(header), *body]
    return "".join(f"| {' | '.join(_escaped(line))} |\n" for line in lines)


def _escaped(cells: Iterable[str]) -> list[str]:
    return [" ".join(cell.split()).replace("|", "\\|").replace("<", "&lt;") for cell in cells]
