"""What pages and figures do with more trials than anybody can look at one by one."""

import numpy as np
import pandas as pd
import pytest

from dashboards import provenance
from dashboards.figures import FIGURES, StudyFrames, performance_profile
from dashboards.figures import frames as figure_frames
from tests.dashboards.synthetic import Sweep, changed

FIGURES_OF_RUNS = ("metric-by-setting", "learning-curves", "time-per-update")


@pytest.fixture
def frames(full: Sweep) -> StudyFrames:
    return full.frames()


def test_a_figure_of_few_runs_draws_all_of_them(frames: StudyFrames) -> None:
    table = frames.headline
    assert figure_frames.shown_seeds(table) == len(table.seeds)
    assert figure_frames.sample_sentence(table, len(table.seeds)) == ""


@pytest.mark.parametrize("name", FIGURES_OF_RUNS)
def test_a_figure_of_many_runs_draws_those_of_the_first_seeds_and_says_so(
    frames: StudyFrames, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = FIGURES[name].prepare(frames)
    monkeypatch.setattr(figure_frames.shown_seeds, "__defaults__", (1,))
    part = FIGURES[name].prepare(frames)
    assert f"drawn for the first 1 seeds; medians are over all {frames.num_seeds}" in part.seeds
    assert "drawn for" not in whole.seeds
    runs = {"metric-by-setting": "runs", "learning-curves": "ends", "time-per-update": "trials"}[name]
    rest = {"metric-by-setting": "medians", "learning-curves": "curves", "time-per-update": "medians"}[name]
    of_all = getattr(whole, runs)
    first = of_all[of_all["seed"] == 0].reset_index(drop=True)
    assert len(first) > 0
    pd.testing.assert_frame_equal(getattr(part, runs).reset_index(drop=True), first)
    pd.testing.assert_frame_equal(getattr(part, rest), getattr(whole, rest))


def test_a_profile_of_many_runs_steps_at_some_of_their_scores(
    frames: StudyFrames, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = FIGURES["performance-profile"].prepare(frames).profiles
    monkeypatch.setattr(performance_profile, "_MOST_STEPS", 3)
    part = FIGURES["performance-profile"].prepare(frames).profiles
    assert len(part) < len(whole)
    joined = part.merge(whole, on=["method", "threshold"], suffixes=("", "_whole"))
    assert len(joined) == len(part)
    np.testing.assert_array_equal(joined["fraction"], joined["fraction_whole"])


def test_a_page_lists_failed_trials_before_others(frames: StudyFrames, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = provenance.config_table(frames.trials)
    assert len(whole.rows) == whole.num_trials == len(frames.trials)
    trials = frames.trials.copy()
    trials.loc[trials.index[-2:], "state"] = "failed"
    monkeypatch.setattr(provenance, "_MOST_LISTED", 5)
    part = provenance.config_table(changed(frames, trials=trials).trials)
    assert (part.fields, part.common, part.num_trials) == (whole.fields, whole.common, whole.num_trials)
    assert [row["digest"] for row in part.rows] == trials["digest"].iloc[[0, 1, 2, -2, -1]].tolist()
