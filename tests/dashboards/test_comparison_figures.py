"""Ranks, quality against cost and failure rates, looked at as data."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from dashboards.best_setting import best_setting_of
from dashboards.figures import FIGURES, StudyFrames
from dashboards.figures.critical_difference import CriticalDifferenceData
from dashboards.figures.failure_rate import FailureRateData
from dashboards.figures.pareto import ParetoData
from sweeps.rank_tests import compare_ranks
from sweeps.statistics import performance_profile
from tests.dashboards.synthetic import Story, Sweep, changed, make_preset, open_sweep


@pytest.fixture(scope="module")
def five_seeds(tmp_path_factory: pytest.TempPathFactory) -> StudyFrames:
    folder = tmp_path_factory.mktemp("five")
    return open_sweep(folder, make_preset(seeds=5), Story(grids=False)).frames()


# --- Critical difference ---


def test_ranks_and_groups_are_those_of_the_tests(five_seeds: StudyFrames) -> None:
    data = FIGURES["critical-difference"].prepare(five_seeds)
    found = compare_ranks(five_seeds.headline)
    assert isinstance(data, CriticalDifferenceData)
    assert found is not None
    assert tuple(data.ranks["method"]) == data.methods == found.methods
    assert data.ranks["rank"].is_monotonic_increasing
    drawn = tuple(tuple(group["method"]) for _, group in data.groups.groupby("group"))
    assert drawn == found.groups
    assert len(drawn) > 1
    different = {frozenset((pair.first, pair.second)) for pair in found.pairs if pair.adjusted < 0.05}
    for group in drawn:
        assert not any(pair <= set(group) for pair in different)
    assert "30 blocks" in data.seeds


def test_two_seeds_draw_ranks_and_no_groups(frames: StudyFrames) -> None:
    data = FIGURES["critical-difference"].prepare(frames)
    assert isinstance(data, CriticalDifferenceData)
    assert len(data.ranks) == 11
    assert data.groups.empty
    assert "too few seeds" in data.seeds


# --- Pareto ---


def test_points_are_best_settings_with_the_time_that_they_took(frames: StudyFrames) -> None:
    data = FIGURES["pareto"].prepare(frames)
    assert isinstance(data, ParetoData)
    assert len(data.points) == 11
    for point in data.points.itertuples():
        best = best_setting_of(frames.headline, str(point.method))
        assert (point.setting, point.score) == (best.setting, pytest.approx(best.median))
        rows = frames.trials.query("method == @point.method and setting == @point.setting and state == 'completed'")
        assert point.train_s == pytest.approx(rows["train_s"].median())
        assert point.train_s_low <= point.train_s <= point.train_s_high


@pytest.mark.parametrize(
    ("train_s", "unit", "drawn"),
    [
        (119.0, "seconds", 119.0),
        (120.0, "minutes", 2.0),
        (7199.0, "minutes", 7199 / 60),
        (7200.0, "hours", 2.0),
    ],
)
def test_times_are_drawn_in_a_unit_that_is_read_easily(
    frames: StudyFrames, train_s: float, unit: str, drawn: float
) -> None:
    data = FIGURES["pareto"].prepare(frames)
    assert isinstance(data, ParetoData)
    columns = dict.fromkeys(("train_s", "train_s_low", "train_s_high"), train_s)
    spec = FIGURES["pareto"].draw(dataclasses.replace(data, points=data.points.assign(**columns))).to_dict()
    assert f"{unit} of training" in str(spec)
    (rows,) = spec["datasets"].values()
    for row in rows:
        assert [row["time"], row["time_low"], row["time_high"]] == pytest.approx([drawn] * 3)


def test_nothing_beats_the_front_and_everything_else_is_beaten(frames: StudyFrames) -> None:
    data = FIGURES["pareto"].prepare(frames)
    assert isinstance(data, ParetoData)
    points = data.points
    assert 0 < points["front"].sum() < len(points)
    for point in points.itertuples():
        beaten = ((points["score"] < point.score) & (points["train_s"] < point.train_s)).any()
        assert not (point.front and beaten)
        front = points[points["front"]]
        assert ((front["score"] <= point.score) & (front["train_s"] <= point.train_s)).any()


def test_a_front_of_scores_that_are_better_when_higher(frames: StudyFrames) -> None:
    preset = dataclasses.replace(frames.preset, headline="is/gen600x1-digits")
    data = FIGURES["pareto"].prepare(changed(frames, preset))
    assert isinstance(data, ParetoData)
    assert bool(data.points.loc[data.points["score"].idxmax(), "front"])


def test_a_method_that_only_diverged_is_no_choice(tmp_path: Path) -> None:
    sweep = open_sweep(tmp_path, make_preset(methods=("sn", "r1"), settings=("A",)), Story(diverge="all", grids=False))
    assert FIGURES["pareto"].prepare(sweep.frames()).absent


# --- Failure rate ---


def test_rates_are_what_performance_profiles_leave(five_seeds: StudyFrames) -> None:
    data = FIGURES["failure-rate"].prepare(five_seeds)
    assert isinstance(data, FailureRateData)
    table = five_seeds.headline
    assert data.panels == ("α = 1e-4 (A, B)", "α = 2e-4 (C)", "α = 1e-3 (D, E, F)")
    assert data.rates.groupby("panel")["num_runs"].first()[list(data.panels)].tolist() == [10, 5, 15]
    for method in ("sn", "wgan-gp"):
        shown = data.rates.query("panel == @data.panels[2] and method == @method")
        scores = table.pick(method, ("D", "E", "F"))
        reached = performance_profile(scores, table.transform(shown["level"].to_numpy()))
        np.testing.assert_allclose(shown["rate"], 1 - reached, atol=1e-12)
        assert (shown["low"] <= shown["rate"]).all()
        assert (shown["rate"] <= shown["high"] + 1e-12).all()


def test_curves_fall_from_all_runs_to_those_that_diverged(five_seeds: StudyFrames) -> None:
    data = FIGURES["failure-rate"].prepare(five_seeds)
    assert isinstance(data, FailureRateData)
    table = five_seeds.headline
    for _, curve in data.rates.groupby(["panel", "method"]):
        assert curve["rate"].is_monotonic_decreasing
        assert curve["rate"].iloc[0] == 1
        assert curve["head"].sum() == 1
    last = data.rates[data.rates["level"] == data.rates["level"].max()]
    diverged = last.groupby("method")["num_failed"].sum()
    assert diverged.to_dict() == {name: int(table.diverged[table.methods.index(name)].sum()) for name in table.methods}
    assert diverged.sum() > 0


def test_a_missing_run_is_no_failure(unfinished: Sweep) -> None:
    frames = unfinished.frames()
    data = FIGURES["failure-rate"].prepare(frames)
    assert isinstance(data, FailureRateData)
    counted = data.rates.drop_duplicates(["panel", "method"])["num_runs"].sum()
    assert counted == (~frames.headline.missing).sum()
