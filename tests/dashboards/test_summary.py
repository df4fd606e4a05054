"""The summary table: numbers of sweeps.statistics, best first, and files that say the same."""

import dataclasses

import numpy as np
import pytest

from dashboards.figures import StudyFrames
from dashboards.summary import estimate_text, summarize, worst_text
from sweeps.statistics import Estimate, divergence_rate, iqm
from tests.dashboards.synthetic import Sweep


def estimate(value: float, low: float | None = None, high: float | None = None) -> Estimate:
    return Estimate(value=value, low=low, high=high, num_seeds=2, num_runs=4, num_missing=0)


def test_methods_stand_in_the_order_of_their_iqm(frames: StudyFrames) -> None:
    summary = summarize(frames.headline)
    values = [row.iqm.value for row in summary.rows]
    assert values == sorted(values, reverse=True)
    assert {row.method for row in summary.rows} == set(frames.methods)
    assert summary.reference == summary.rows[0].label == "SN (hinge)"
    assert summary.rows[0].improvement is None
    for row in summary.rows[1:]:
        assert row.iqm.value == pytest.approx(float(iqm(frames.headline.pick(row.method))))
        assert row.improvement is not None
        assert 0 <= row.improvement.value <= 0.5, "the best method is rarely beaten"


def test_divergence_reaches_every_column(frames: StudyFrames) -> None:
    table = frames.headline
    row = next(row for row in summarize(table).rows if row.method == "wgan-gp")
    index = table.methods.index("wgan-gp")
    assert row.divergence == divergence_rate(table.diverged[index], table.missing[index])
    assert worst_text(row) == "F: diverged"
    assert np.isfinite(row.median)


def test_missing_runs_are_counted(unfinished: Sweep) -> None:
    rows = summarize(unfinished.frames().headline).rows
    assert sum(row.iqm.num_runs for row in rows) == 8
    assert sum(row.iqm.num_missing for row in rows) == 10


def test_a_method_without_a_setting_is_not_ranked_by_the_others(frames: StudyFrames) -> None:
    """With only its easy settings measured, the best of them would lead the table."""
    table = frames.headline
    values, diverged = table.values.copy(), table.diverged.copy()
    index = table.methods.index("sn-hinge")
    values[index, -1], diverged[index, -1] = np.nan, False
    summary = summarize(dataclasses.replace(table, values=values, diverged=diverged))
    last = summary.rows[-1]
    assert (last.method, last.worst_setting, last.improvement) == ("sn-hinge", "", None)
    assert np.isnan([last.median, last.iqm.value, last.spread.value]).all()
    assert last.iqm.num_runs == table.pick("sn-hinge").size - values.shape[-1]
    assert summary.reference != last.label
    assert summary.reference_method != "sn-hinge"


def test_nothing_gives_no_rows(empty: Sweep) -> None:
    assert summarize(empty.frames().headline).rows == ()


@pytest.mark.parametrize(
    ("value", "percent", "text"),
    [
        (estimate(0.571, 0.5, 0.634), False, "0.57 [0.50, 0.63]"),
        (estimate(0.083, 0.01, 0.35), True, "8 % [1, 35]"),
        (estimate(0.5), False, "0.50"),
        (estimate(float("nan")), False, "–"),
        (None, True, "–"),
    ],
)
def test_estimates_in_words(value: Estimate | None, percent: bool, text: str) -> None:
    assert estimate_text(value, percent=percent) == text
