"""Axes: round ticks, places for diverged and missing trials that no score can reach, none below nothing. Layers."""

import math
from pathlib import Path

import altair as alt
import pandas as pd
import pytest

import dashboards.figures
from dashboards.figures.charts import in_panels, inline, layered, linear_ticks, log_ticks, score_axis

FIGURES = Path(dashboards.figures.__file__).parent
VALUES = {
    "fids": [3.1, 12.0, 250.0],
    "one": [7.0],
    "equal": [5.0, 5.0],
    "tiny": [1e-6, 2e-6],
    "huge": [1e3, 1e9],
    "with-gaps": [math.nan, 4.0, math.inf, 90.0],
    "negative": [-0.01, 0.3],
    "none": [],
    "zero": [0.0, 0.0],
}


@pytest.mark.parametrize("lower_is_better", [True, False])
@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_scores_lie_inside_and_rails_outside(values: list[float], lower_is_better: bool) -> None:
    axis = score_axis(values, lower_is_better=lower_is_better)
    finite = [value for value in values if math.isfinite(value)]
    assert all(axis.low < value < axis.high for value in finite)
    assert axis.bottom < axis.low < axis.high < axis.top
    worse, other = (axis.diverged, axis.missing) if lower_is_better else (axis.missing, axis.diverged)
    assert axis.high < worse < axis.top
    assert axis.bottom < other < axis.low
    assert 1 <= len(axis.ticks) <= 8
    assert all(axis.low <= tick <= axis.high for tick in axis.ticks)
    assert axis.scale == ("log" if lower_is_better and all(value > 0 for value in finite) else "linear")
    rail = sorted([axis.diverged, axis.high if lower_is_better else axis.low])
    assert rail[0] < axis.diverged_median < rail[1]


def test_a_trial_is_placed_by_what_became_of_it() -> None:
    axis = score_axis([1, 10], lower_is_better=True)
    assert axis.place(5.0, diverged=False) == 5.0
    assert axis.place(math.nan, diverged=True) == axis.diverged
    assert axis.place(math.nan, diverged=False) == axis.missing


def test_ticks_are_round() -> None:
    assert log_ticks(0.9, 110) == (1, 2, 5, 10, 20, 50, 100)
    assert log_ticks(1e-3, 1e12) == tuple(10.0**e for e in range(-3, 13, 2))
    assert linear_ticks(0, 9.6) == (0, 2, 4, 6, 8)


def test_inline_data_has_plain_finite_values() -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": [math.inf, math.nan], "c": ["x", None]})
    assert inline(frame).to_dict() == {"values": [{"a": 1, "b": None, "c": "x"}, {"a": 2, "b": None, "c": None}]}


@pytest.mark.parametrize(("number", "columns", "own"), [(5, 3, True), (6, 3, False), (2, 3, False), (3, 2, True)])
def test_no_axis_stands_below_an_empty_place(number: int, columns: int, own: bool) -> None:
    names = [f"panel {place}" for place in range(number)]
    chart = alt.Chart(inline(pd.DataFrame({"panel": names, "x": range(number)}))).mark_point().encode(x="x:Q")
    spec = in_panels(chart, "panel", names, columns).to_dict()
    assert (spec["columns"], spec["facet"]["sort"]) == (columns, names)
    assert (spec.get("resolve", {}).get("axis", {}).get("x") == "independent") == own


def test_layers_are_altairs_own_and_their_copies_share_what_takes_long_to_copy() -> None:
    base = alt.Chart().encode(x=alt.X("x:Q", scale=alt.Scale(domain=[0, 1])), tooltip=["x:Q", "name:N"])
    layers = [base.mark_point(), base.mark_rule().encode(y="y:Q"), alt.Chart().mark_text(text="plain")]
    data = inline(pd.DataFrame({"x": [0.5], "y": [1.0], "name": ["a"]}))
    ours, altairs = layered(*layers, data=data, width=90), alt.layer(*layers, data=data, width=90)
    assert ours.to_dict() == altairs.to_dict()
    assert ours.copy().layer[0].encoding is ours.layer[0].encoding
    assert ours.copy().data is data
    changed = ours.layer[0].encode(y="y:Q")
    assert changed.to_dict()["encoding"].keys() - ours.to_dict()["layer"][0]["encoding"].keys() == {"y"}


def test_every_figure_makes_its_layers_that_way() -> None:
    found = [path.name for path in FIGURES.glob("*.py") if "alt.layer(" in path.read_text()]
    assert found == []
