"""What the figures show, looked at as data: the numbers of the store, diverged as worst, missing as missing."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dashboards.figures import FIGURES, StudyFrames
from dashboards.figures.best_share import BestShareData
from dashboards.figures.budget_curves import BudgetCurvesData
from dashboards.figures.cells import ramp
from dashboards.figures.curves import CurvesData
from dashboards.figures.divergence import DivergenceData
from dashboards.figures.heat_map import HeatMapData
from dashboards.figures.importance import ImportanceData
from dashboards.figures.landscape import LandscapeData
from dashboards.figures.learning_curves import LearningCurvesData
from dashboards.figures.metric_by_setting import MetricBySettingData
from dashboards.figures.performance_profile import PerformanceProfileData
from dashboards.figures.sample_grids import SampleGridsData, cell_words
from dashboards.figures.style import contrast
from dashboards.figures.time_per_update import TimePerUpdateData
from dashboards.summary import summarize
from dashboards.views import progress_view
from sweeps.budgets import expected_best
from sweeps.rules.larger_region import working_share
from sweeps.spaces import places_in
from sweeps.statistics import divergence_rate, performance_profile
from tests.dashboards.synthetic import INCEPTION, Story, Sweep, changed, make_preset, make_searched_preset, open_sweep


def cell(table: pd.DataFrame, method: str, setting: str) -> pd.DataFrame:
    return table[(table["method"] == method) & (table["setting"] == setting)]


def test_every_seed_of_every_cell_is_shown_once(frames: StudyFrames) -> None:
    data = FIGURES["metric-by-setting"].prepare(frames)
    assert isinstance(data, MetricBySettingData)
    assert len(data.runs) == len(frames.trials) == 132
    assert not data.runs.duplicated(["method", "setting", "seed"]).any()
    final = frames.headline_evaluations.query("update == 800")
    stored = final.set_index("digest")["value"]
    trial = frames.trials.iloc[7]
    shown = cell(data.runs, trial["method"], trial["setting"]).query(f"seed == {trial['seed']}")
    assert shown["value"].item() == pytest.approx(stored[trial["digest"]])


def test_diverged_runs_stand_on_their_rail_beyond_every_score(frames: StudyFrames) -> None:
    data = FIGURES["metric-by-setting"].prepare(frames)
    assert isinstance(data, MetricBySettingData)
    assert data.axis is not None
    scored, diverged = (data.runs[data.runs["state"] == state] for state in ("scored", "diverged"))
    assert len(diverged) == (frames.trials["state"] == "diverged").sum() == 4
    assert diverged["value"].isna().all()
    assert (diverged["y"] > data.axis.high).all()
    assert (scored["y"] < data.axis.high).all()
    # One of two seeds diverged: the median is no number, and stands on the rail as well.
    median = cell(data.medians, "wgan-gp", "F")
    assert median["median"].item() == np.inf
    assert data.axis.high < median["y"].item() < data.axis.top
    # The cross of a run and the tick of a median do not cover each other.
    assert median["y"].item() != pytest.approx(data.axis.diverged, rel=0.01)


def test_only_states_that_runs_have_make_layers(frames: StudyFrames) -> None:
    figure = FIGURES["metric-by-setting"]
    data = figure.prepare(frames)
    assert isinstance(data, MetricBySettingData)
    for states in ({"scored", "diverged"}, {"scored"}):
        part = dataclasses.replace(data, runs=data.runs[data.runs["state"].isin(states)])
        layers = str(figure.draw(part).to_dict()["spec"]["layer"])
        assert {state for state in ("scored", "diverged", "missing") if f"datum.state == '{state}'" in layers} == states


def test_a_median_is_the_median_of_the_shown_seeds(frames: StudyFrames) -> None:
    data = FIGURES["metric-by-setting"].prepare(frames)
    assert isinstance(data, MetricBySettingData)
    seeds = cell(data.runs, "sn", "C")["value"]
    assert len(seeds) == 2
    assert cell(data.medians, "sn", "C")["median"].item() == pytest.approx(seeds.mean())


def test_inception_score_has_its_rails_the_other_way_round(frames: StudyFrames) -> None:
    data = FIGURES["inception-score-by-setting"].prepare(frames)
    assert isinstance(data, MetricBySettingData)
    assert data.axis is not None
    assert data.axis.scale == "linear"
    assert data.axis.diverged < data.axis.low < data.axis.high < data.axis.missing
    assert data.floor == pytest.approx(9.6)


def test_missing_is_not_diverged(unfinished: Sweep) -> None:
    data = FIGURES["metric-by-setting"].prepare(unfinished.frames())
    assert isinstance(data, MetricBySettingData)
    assert data.axis is not None
    missing = data.runs[data.runs["state"] == "missing"]
    states = unfinished.frames().trials["state"]
    assert len(missing) == states.isin(["queued", "failed"]).sum() > 0
    assert (missing["y"] < data.axis.low).all()


def test_heat_map_says_what_its_medians_hide(frames: StudyFrames, unfinished: Sweep) -> None:
    data = FIGURES["heat-map"].prepare(frames)
    assert isinstance(data, HeatMapData)
    broken = cell(data.cells, "wgan-gp", "F")
    assert broken["text"].item() == "diverged"
    assert broken["detail"].item() == "1 of 2 seeds"
    assert cell(data.cells, "sn", "A")["detail"].item() == ""
    partly = FIGURES["heat-map"].prepare(unfinished.frames())
    assert isinstance(partly, HeatMapData)
    assert partly.cells.query("num_missing == 1")["detail"].str.contains("1 missing").all()


def test_heat_map_is_darkest_at_the_best_and_readable_everywhere(frames: StudyFrames) -> None:
    data = FIGURES["heat-map"].prepare(frames)
    assert isinstance(data, HeatMapData)
    finite = data.cells[np.isfinite(data.cells["median"])]
    assert finite.loc[finite["median"].idxmin(), "fill"] == ramp(0)
    assert finite.loc[finite["median"].idxmax(), "fill"] == ramp(1)
    assert min(contrast(fill, ink) for fill, ink in zip(data.cells["fill"], data.cells["ink"], strict=True)) >= 4.0


def inception(sweep: Sweep) -> StudyFrames:
    """The same trials, looked at under the Inception Score: higher is better."""
    return changed(sweep.frames(), dataclasses.replace(sweep.preset, headline=INCEPTION))


@pytest.mark.parametrize("diverge", ["none", "some"])
def test_cells_are_darkest_at_the_best_inception_score_whether_or_not_runs_diverge(
    tmp_path: Path, diverge: str
) -> None:
    settings = ("A", "A(alpha=0.001)", "A(alpha=0.01)", "F")
    preset = make_preset(methods=("wgan-gp", "sn"), settings=settings)
    frames = inception(open_sweep(tmp_path, preset, Story(diverge=diverge, grids=False)))
    heat_map, landscape = (FIGURES[name].prepare(frames) for name in ("heat-map", "landscape"))
    assert isinstance(heat_map, HeatMapData)
    assert isinstance(landscape, LandscapeData)
    assert np.isneginf(heat_map.cells["median"]).any() == (diverge == "some")
    fills = heat_map.cells.set_index(["method", "setting"])["fill"]
    finite = heat_map.cells[np.isfinite(heat_map.cells["median"])]
    assert finite.loc[finite["median"].idxmax(), "fill"] == ramp(0)
    assert finite.loc[finite["median"].idxmin(), "fill"] == ramp(1)
    for method, alpha, fill in zip(*(landscape.cells[name] for name in ("method", "alpha", "fill")), strict=True):
        assert fill == fills[method, {0.0001: "A", 0.001: settings[1], 0.01: settings[2]}[alpha]]


def test_profiles_fall_and_start_at_what_did_not_diverge(frames: StudyFrames) -> None:
    data = FIGURES["performance-profile"].prepare(frames)
    assert isinstance(data, PerformanceProfileData)
    assert set(data.methods) == set(frames.methods)
    for method, profile in data.profiles.groupby("method"):
        fractions = profile["fraction"].to_numpy()
        assert (np.diff(fractions) <= 0).all()
        diverged = ((frames.trials["method"] == method) & (frames.trials["state"] == "diverged")).sum()
        assert fractions[0] == pytest.approx(1 - diverged / 12)
        assert (profile["low"] <= profile["high"]).all()
        scores = frames.headline.pick(str(method))
        expected = performance_profile(scores, profile["threshold"].to_numpy())
        np.testing.assert_allclose(fractions, expected)
        # As drawn, in steps after each threshold, the curve is exact everywhere.
        anywhere = np.linspace(0, data.longest, 1_000)
        steps = np.searchsorted(profile["threshold"].to_numpy(), anywhere, side="right") - 1
        np.testing.assert_allclose(fractions[steps], performance_profile(scores, anywhere))


def test_profile_axis_is_labelled_in_the_metric(frames: StudyFrames) -> None:
    data = FIGURES["performance-profile"].prepare(frames)
    assert isinstance(data, PerformanceProfileData)
    table = frames.headline
    places = {name: place for place, name in data.ticks}
    assert places["diverged"] == 0
    assert places["10"] == pytest.approx(float(table.transform(np.array([10.0]))[0]))
    assert places["50"] < places["10"] < places["5"]


def test_learning_curves_count_a_diverged_seed_as_worst(frames: StudyFrames) -> None:
    data = FIGURES["learning-curves"].prepare(frames)
    assert isinstance(data, LearningCurvesData)
    curve = cell(data.curves, "wgan-gp", "F").set_index("update")
    assert curve.loc[200, "num_diverged"] == 0
    assert np.isfinite(curve["median"][200])
    # The seed that diverged at 400 has no score from there on; of two seeds the median is then infinite.
    assert (curve.loc[[400, 600, 800], "num_diverged"] == 1).all()
    assert np.isinf(curve.loc[[400, 600, 800], "median"]).all()
    assert np.isfinite(curve["low"]).all()
    assert set(data.ends["update"]) == {200}
    assert len(data.ends) == 4


def test_learning_curves_show_unfinished_trials(unfinished: Sweep) -> None:
    data = FIGURES["learning-curves"].prepare(unfinished.frames())
    assert isinstance(data, LearningCurvesData)
    early, late = (data.curves.query(f"update == {update}")["num_seeds"].sum() for update in (200, 800))
    assert early > late > 0


def test_divergence_rates_are_those_of_the_statistics(frames: StudyFrames) -> None:
    data = FIGURES["divergence"].prepare(frames)
    assert isinstance(data, DivergenceData)
    row = data.rates.set_index("method").loc["none"]
    table = frames.headline
    index = table.methods.index("none")
    expected = divergence_rate(table.diverged[index], table.missing[index])
    assert (row["rate"], row["low"], row["high"]) == (expected.value, expected.low, expected.high)
    assert (row["num_diverged"], row["num_runs"], row["settings"]) == (2, 12, "E, F")


def test_times_are_milliseconds_and_grow_with_n_dis(frames: StudyFrames) -> None:
    data = FIGURES["time-per-update"].prepare(frames)
    assert isinstance(data, TimePerUpdateData)
    medians = data.medians.set_index(["method", "n_dis"])["ms"]
    assert medians["none", 1] == pytest.approx(7.2, rel=0.1)
    assert (medians.xs(5, level="n_dis") > medians.xs(1, level="n_dis")).all()
    assert len(data.trials) == 132


def test_sample_grids_show_the_newest_of_the_first_seed(frames: StudyFrames) -> None:
    data = FIGURES["sample-grids"].prepare(frames)
    assert isinstance(data, SampleGridsData)
    assert data.seed == 0
    assert data.cells["sn", "A"].update == 800
    diverged = data.cells["wgan-gp", "F"]
    assert (diverged.state, diverged.update) == ("diverged", 400)
    assert "diverged" in cell_words(diverged, shown=True)
    assert all(cell.path is not None and cell.path.is_file() for cell in data.cells.values())
    with pytest.raises(TypeError):
        data.cells["sn", "A"] = diverged  # type: ignore[index]


def test_a_lost_grid_file_is_a_hole_and_no_failure(
    frames: StudyFrames, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    moved = dataclasses.replace(frames, storage_dir=tmp_path)
    figure = FIGURES["sample-grids"]
    assert figure.draw(figure.prepare(moved)).width > 500
    assert "left out the sample grid" in caplog.text


# --- What methods and settings vary in their names ---

GRID = ("A", "A(alpha=0.0003)", "A(alpha=0.003)", "D(n_dis=1)", "D(n_dis=10)", "C(z_dim=16)")


@pytest.fixture(scope="module")
def varied(tmp_path_factory: pytest.TempPathFactory) -> StudyFrames:
    preset = make_preset(("wgan-gp", "sn"), GRID, seeds=3)
    return open_sweep(tmp_path_factory.mktemp("varied"), preset, Story(unfinished=7)).frames()


def test_curves_show_every_seed_at_the_number_of_its_setting(varied: StudyFrames) -> None:
    data = FIGURES["setting-curves"].prepare(varied)
    assert isinstance(data, CurvesData)
    assert data.fields == ("alpha", "z_dim", "n_dis")
    assert data.panels == ("A, alpha varied", "C, z_dim varied", "D, n_dis varied")
    assert len(data.runs) == 2 * 5 * 3
    table = varied.headline
    shown = data.runs.query("method == 'sn' and panel == 'D, n_dis varied' and value == 10").set_index("seed")["score"]
    stored = table.pick_ordered("sn", ["D(n_dis=10)"])[0]
    assert shown.loc[list(table.seeds)].to_numpy() == pytest.approx(stored, nan_ok=True)
    assert set(data.runs["state"]) == {"scored", "missing"}


def test_a_landscape_counts_the_settings_of_its_grid_where_a_method_works(varied: StudyFrames) -> None:
    data = FIGURES["landscape"].prepare(varied)
    assert isinstance(data, LandscapeData)
    assert set(data.cells["alpha"]) == {0.0001, 0.0003, 0.003}, "D and C are no part of a row of learning rates"
    assert len(data.cells) == 2 * 3
    table = varied.headline
    for method, share in zip(data.shares["method"], data.shares["share"], strict=True):
        expected = working_share(table.pick(method, GRID[:3]), 0.5)
        assert share == pytest.approx(float(np.nanmean(expected)), nan_ok=True)
    half = 10 * 0.55
    assert data.cells["works"].tolist() == (data.cells["median"] < half).tolist()


# --- What a search found ---


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    preset = make_searched_preset(("none", "wgan-gp", "sn"), budget=8, seeds=3)
    return open_sweep(tmp_path_factory.mktemp("searched"), preset, Story(grids=False))


def test_runs_that_searches_share_count_once(searched: Sweep) -> None:
    frames = searched.frames()
    table = frames.each_once
    # The first rounds, and here what both found best.
    assert set(frames.headline.settings) - set(table.settings) == {"tpe-000", "tpe-001", "tpe-best-0"}
    assert table.values.size == frames.trials["digest"].nunique() == progress_view(frames.trials).total
    (row, *_) = summarize(table).rows
    assert row.iqm.num_runs == len(table.settings) * 3


def test_budget_curves_are_exact_for_random_search_and_in_order_for_tpe(searched: Sweep) -> None:
    data = FIGURES["budget-curves"].prepare(searched.frames())
    assert isinstance(data, BudgetCurvesData)
    table = searched.frames().headline
    for method in table.methods:
        rows = data.curves[data.curves["method"] == method].set_index(["sampler", "tries"])
        random, tpe = (table.pick(method, places_in(table.settings, name)) for name in ("random", "tpe"))
        for tries in (1, 3, 8):
            here = rows.loc[("random", tries)]
            assert here["score"] == pytest.approx(float(expected_best(random.ravel(), tries)))
            assert rows.loc[("tpe", tries)]["score"] == pytest.approx(float(tpe[:tries].max(axis=0).mean()))
            assert here["low"] <= here["score"] <= here["high"]
            # Lower FID is better: the upper end of the score is the lower end on the axis.
            assert here["y_low"] <= here["y"] <= here["y_high"]
            assert here["y"] == pytest.approx(float(table.transform.value(np.asarray(here["score"]))))
    assert "random search: 24 of 24 configurations per method" in data.seeds


def test_the_lower_end_of_a_budget_curve_is_the_lower_inception_score(searched: Sweep) -> None:
    data = FIGURES["budget-curves"].prepare(inception(searched))
    assert isinstance(data, BudgetCurvesData)
    banded = data.curves.dropna(subset=["low"])
    assert (banded["y_low"] <= banded["y_high"]).all()
    assert (banded["y_low"] < banded["y_high"]).any()


def test_one_repetition_of_tpe_has_no_band_and_an_unfinished_search_ends_early(tmp_path: Path) -> None:
    preset = make_searched_preset(("sn",), budget=8, seeds=1)
    data = FIGURES["budget-curves"].prepare(open_sweep(tmp_path, preset, Story(grids=False, unfinished=5)).frames())
    assert isinstance(data, BudgetCurvesData)
    tpe = data.curves.query("sampler == 'tpe'")
    assert tpe[["low", "high"]].isna().all(axis=None)
    assert len(tpe) < 8
    assert tpe["score"].is_monotonic_increasing


def test_the_best_share_holds_the_best_of_each_search_and_what_was_trained_again(searched: Sweep) -> None:
    data = FIGURES["best-share"].prepare(searched.frames())
    assert isinstance(data, BestShareData)
    table = searched.frames().headline
    assert len(data.runs) == 3 * 2 * 3 * (8 + 1)
    for (method, sampler), runs in data.runs.groupby(["method", "sampler"]):
        best, tried = (runs.query(f"kind == '{kind}'")["score"] for kind in ("best", "tried"))
        # 5 % of 24 runs are two of them.
        assert len(best) == 2
        assert best.max() <= tried.min()
        assert (runs["kind"] == "again").sum() == 3
        median = data.medians.query(f"method == '{method}' and sampler == '{sampler}'")["x"].item()
        two = table.transform(best.to_numpy())
        assert median == pytest.approx(float(table.transform.value(np.asarray(two.mean()))))


def test_importance_finds_what_the_made_up_scores_depend_on(searched: Sweep) -> None:
    data = FIGURES["importance"].prepare(searched.frames())
    assert isinstance(data, ImportanceData)
    assert set(data.parameters) == {"alpha", "beta1", "beta2", "n_dis", "coefficient"}
    shares = data.shares.set_index(["method", "parameter"])["share"]
    assert {method for method, parameter in shares.index if parameter == "coefficient"} == {"wgan-gp"}
    for method in ("none", "wgan-gp"):
        assert shares.loc[method].idxmax() == "alpha"
        assert shares.loc[method].sum() <= 1 + 1e-9
