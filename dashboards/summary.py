"""One row per method: how good, how sure, how robust. All statistics are those of sweeps.statistics."""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from dashboards.figures.style import method_label, number
from sngan.seeding import numpy_stream
from sweeps.bootstrap import estimate_pair, estimates
from sweeps.scores import ScoreTable
from sweeps.spaces import place_of
from sweeps.statistics import (
    Estimate,
    Statistic,
    divergence_rate,
    iqm,
    mean,
    median,
    median_of_means,
    optimality_gap,
    probability_of_improvement,
    setting_medians,
    spread_range,
)

_NUM_REPLICATES = 50_000


@dataclass(frozen=True, kw_only=True)
class MethodSummary:
    """What a study knows of one method under one protocol.

    median : of all its runs, in the metric's units; infinite when most diverged.
    iqm, mean, median_of_means, optimality_gap, spread : of the bounded score (0 to 1): interquartile mean, mean, median
        over settings of the mean, mean shortfall from the score of real images, best minus worst setting's median.
    worst_setting, worst : the setting with the worst median, and that median in the metric's units.
    divergence : fraction of diverged runs. improvement : P(a run is better than one of the reference at the same
        setting); None for the reference itself.

    While a setting has no run, all but `divergence` are NaN, "" or None: it might be the one that is hard. Where
    settings are places in a search, each another configuration for every method and seed, median_of_means,
    worst_setting, worst and spread are: they compare settings.
    """

    method: str
    label: str
    median: float
    iqm: Estimate
    mean: Estimate
    median_of_means: Estimate
    optimality_gap: Estimate
    worst_setting: str
    worst: float
    spread: Estimate
    divergence: Estimate
    improvement: Estimate | None


@dataclass(frozen=True, kw_only=True)
class Summary:
    """All methods that have a run, best interquartile mean first, those with an empty setting last.

    reference, reference_method : label and name of the first, chosen from these same runs; "" where no method has a
        run at every setting. target : the score that optimality gaps are measured from.
    """

    rows: tuple[MethodSummary, ...]
    reference: str
    reference_method: str
    target: float


def summarize(table: ScoreTable) -> Summary:
    """The summary of a table's methods; no rows without results."""
    present = [method for method in table.methods if not np.isnan(table.pick(method)).all()]
    covering = [method for method in present if _covers(table, method)]
    ranked = sorted(covering, key=lambda method: -float(iqm(table.pick(method))))
    reference = ranked[0] if ranked else None
    rows = tuple(
        _row(table, method, reference) for method in [*ranked, *(name for name in present if name not in ranked)]
    )
    return Summary(
        rows=rows,
        reference=method_label(reference) if reference else "",
        reference_method=reference or "",
        target=table.real_score,
    )


def _covers(table: ScoreTable, method: str) -> bool:
    """Whether the method has a run at every setting; without one it would be ranked by easier settings than others."""
    return not bool(np.isnan(table.pick(method)).all(axis=1).any())


def _row(table: ScoreTable, method: str, reference: str | None) -> MethodSummary:
    index, covers = table.methods.index(method), _covers(table, method)
    scores = table.pick(method)

    comparable = covers and not any(map(place_of, table.settings))
    statistics: dict[str, tuple[Statistic, bool]] = {
        "iqm": (iqm, covers),
        "mean": (mean, covers),
        "median_of_means": (median_of_means, comparable),
        "optimality_gap": (lambda replicates: optimality_gap(replicates, table.real_score), covers),
        "spread": (spread_range, comparable),
    }
    found = estimates(
        scores,
        [statistic for statistic, _ in statistics.values()],
        stream=numpy_stream(0, "bootstrap"),
        num_replicates=_NUM_REPLICATES,
    )
    estimated = {
        name: one if known else dataclasses.replace(one, value=math.nan, low=None, high=None)
        for (name, (_, known)), one in zip(statistics.items(), found, strict=True)
    }
    worst_setting, worst = _worst(table, method) if comparable else ("", math.nan)
    improvement = None
    if covers and reference is not None and method != reference:
        improvement = estimate_pair(
            scores,
            table.pick(reference),
            probability_of_improvement,
            stream=numpy_stream(0, "bootstrap"),
        )
    return MethodSummary(
        method=method,
        label=method_label(method),
        median=float(median(table.pick_ordered(method))) if covers else math.nan,
        **estimated,
        worst_setting=worst_setting,
        worst=worst,
        divergence=divergence_rate(table.diverged[index], table.missing[index]),
        improvement=improvement,
    )


def _worst(table: ScoreTable, method: str) -> tuple[str, float]:
    medians = setting_medians(table.pick_ordered(method))
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
