"""What MLflow is told of a trial: closed forms of its summary values, its time axis, and its texts."""

import dataclasses
import json
import math
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest

from sngan.results import Diagnosis
from sweeps.store import open_store
from sweeps.tracking.records import Point, RunRecord, fingerprint, flat, metric_key, run_records, text_value
from sweeps.tracking.view import CHARTS, TABLE, run_link, server_page, stored_views, view_link
from tests.sweeps.store.samples import FID, PRESET, STUDY, evaluation, outcome, planned

KID = "kid/gen600-test600-digits-1a2b3c4d"


def records(tmp_path: Path, fids: list[float | None], state: str = "completed") -> RunRecord:
    """The record of one trial with these FIDs at 250, 500 ..., KID 0.125 each time."""
    trial = planned(methods=["wgan-gp"], settings=["D"], seeds=1)[0]
    with open_store(f"sqlite:///{tmp_path / 'results.db'}") as store:
        store.register(STUDY, PRESET, {}, [trial])
        store.start_attempt(trial.digest, host="here", device="cpu", versions={})
        for number, fid in enumerate(fids, 1):
            store.record(trial.digest, evaluation(250 * number, fid))
        if state != "running":
            store.finish(trial.digest, outcome(state, update=250 * len(fids)))
        key = (STUDY, PRESET)
        frames = (store.trials(*key), store.evaluations(*key), store.diagnostics(*key), store.samples(*key))
    (record,) = run_records(*frames, headline=FID[:-9])
    return record


def series(record: RunRecord, key: str) -> list[tuple[int, float]]:
    return [(point.update, point.value) for point in record.points if point.key == key]


def test_best_is_the_running_minimum_and_final_the_last(tmp_path: Path) -> None:
    record = records(tmp_path, [9.0, 5.0, 7.0])
    assert series(record, FID) == [(250, 9.0), (500, 5.0), (750, 7.0)]
    assert series(record, "fid_best") == [(250, 9.0), (500, 5.0), (750, 5.0)]
    assert series(record, "fid_final") == [(750, 7.0)]
    assert series(record, "kid_final") == [(750, 0.125)]
    assert series(record, f"spread/{KID.replace('/', ' ')}") == [(250, 0.5), (500, 0.5), (750, 0.5)]


@pytest.mark.parametrize("state", ["running", "diverged"])
def test_only_a_completed_trial_has_a_final_value(tmp_path: Path, state: str) -> None:
    record = records(tmp_path, [9.0, None], state)
    assert series(record, "fid_final") == []
    assert series(record, "fid_best") == [(250, 9.0)], "an absent value is no point"
    assert all(math.isfinite(point.value) for point in record.points)


def test_more_results_only_append(tmp_path: Path) -> None:
    """What was sent stays a beginning of what is to be sent, also when the trial completes."""
    stages = [
        records(tmp_path / "1", [9.0], "running"),
        records(tmp_path / "2", [9.0, 5.0], "running"),
        records(tmp_path / "3", [9.0, 5.0], "completed"),
    ]
    for before, after in pairwise(stages):
        assert after.points[: len(before.points)] == before.points
        assert len(after.points) > len(before.points)
        assert fingerprint(after.points[: len(before.points)]) == fingerprint(before.points)


def test_the_time_axis_is_the_measured_cost(tmp_path: Path) -> None:
    """250 updates of 10 ms and two scores of 250 ms each are 3 s between evaluations."""
    record = records(tmp_path, [9.0, 5.0, 7.0])
    assert [point.elapsed_ms for point in record.points if point.key == FID] == [3000, 6000, 9000]
    assert record.spent_ms == 22_000


def test_diagnoses_show_a_few_numbers_at_their_own_times(tmp_path: Path) -> None:
    trial = planned(seeds=1)[0]
    key = (STUDY, PRESET)
    names = ("accuracy/real", "input-gradient/fake", "input-gradient/fake-max", "logits-mean/real", "layer12/sigma")
    diagnoses = tuple(Diagnosis(update=update, values=dict.fromkeys(names, 0.5)) for update in (0, 100, 250))
    with open_store(f"sqlite:///{tmp_path / 'results.db'}") as store:
        store.register(*key, {}, [trial])
        store.record(trial.digest, dataclasses.replace(evaluation(250), diagnoses=diagnoses))
        (record,) = run_records(
            store.trials(*key), store.evaluations(*key), store.diagnostics(*key), store.samples(*key), headline=FID[:-9]
        )
    found = [(point.update, point.elapsed_ms) for point in record.points if point.key == "accuracy/real"]
    assert found == [(0, 0), (100, 1000), (250, 3000)], "10 ms an update, two scores of 250 ms at the last"
    assert {point.key for point in record.points} & set(names) == {"accuracy/real", "input-gradient/fake"}


def test_rows_that_came_after_the_trials_were_read_wait(tmp_path: Path) -> None:
    trial = planned(seeds=1)[0]
    key = (STUDY, PRESET)
    with open_store(f"sqlite:///{tmp_path / 'results.db'}") as store:
        store.register(*key, {}, [trial])
        store.start_attempt(trial.digest, host="here", device="cpu", versions={})
        store.record(trial.digest, evaluation(250))
        trials = store.trials(*key)
        store.record(trial.digest, evaluation(500))
        (record,) = run_records(
            trials, store.evaluations(*key), store.diagnostics(*key), store.samples(*key), headline=FID[:-9]
        )
    assert {point.update for point in record.points} == {250}
    assert [update for update, _ in record.samples] == [250]


def test_parameters_are_the_cell_and_the_whole_config(tmp_path: Path) -> None:
    record = records(tmp_path, [9.0])
    config = planned(methods=["wgan-gp"], settings=["D"], seeds=1)[0].config.to_dict()
    assert set(record.params) == {"method", "setting", *config}
    assert len(record.params) <= 100, "what a server takes in one call"
    assert record.params["loss"] == "wasserstein"
    assert record.params["regularizers"].startswith("gradient-penalty(")
    assert record.params["protocols"] == f"{FID[:-9]}, {KID[:-9]}"
    assert record.name == "wgan-gp D s0"


def test_the_fingerprint_sees_every_part_of_a_point() -> None:
    point = Point(500, "fid", 1.5, 10)
    others = [Point(501, "fid", 1.5, 10), Point(500, "kid", 1.5, 10), Point(500, "fid", 1.5000000000000002, 10)]
    assert len({fingerprint([point]), *(fingerprint([other]) for other in others), fingerprint([])}) == 5
    assert fingerprint([Point(500, "fid", 1.5, 99)]) == fingerprint([point]), "times may be measured anew"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (FID, FID),
        ("loss/discriminator", "loss/discriminator"),
        ("a=b(c)%d", "a_b_c__d"),
        ("/absolute//path/", "absolute/path"),
        ("../up/./here", "up/here"),
        ("sigma σ", "sigma _"),
        ("", "unnamed"),
        ("..", "unnamed"),
        ("x" * 300, "x" * 250),
    ],
)
def test_metric_keys_are_names_that_mlflow_takes(name: str, key: str) -> None:
    from mlflow.utils.validation import _validate_metric_name

    assert metric_key(name) == key
    _validate_metric_name(metric_key(name))


def test_texts_are_short_and_without_passwords() -> None:
    assert text_value("see postgresql://me:secret@host/db") == "see postgresql://***@host/db"
    assert text_value({"b": 1, "a": None}) == '{"a": null, "b": 1}'
    assert text_value("x" * 5000 + "the end") == "…" + "x" * 992 + "the end"
    assert flat({"a": {"b": {"c": 1}}, "d": [1]}) == {"a.b.c": 1, "d": [1]}


def test_links_lead_to_the_stored_views_and_hide_passwords() -> None:
    page = server_page("https://me:secret@mlflow.example:8080/base/")
    assert page == "https://mlflow.example:8080/base"
    table, charts = (view_link(page, "7", view) for view in (TABLE, CHARTS))
    assert table == f"{page}/#/experiments/7/runs?workflowType=machine_learning&viewStateShareKey=trials"
    assert parse_qs(urlsplit(charts).fragment.partition("?")[2]) == {
        "workflowType": ["machine_learning"], "viewStateShareKey": ["charts"], "compareRunsMode": ["CHART"],
    }  # fmt: skip
    assert run_link(page, "1", "ab") == f"{page}/#/experiments/1/runs/ab?workflowType=machine_learning"


def test_stored_views_fit_an_experiments_tags_and_sort_the_best_first() -> None:
    for metric, ascending in (("fid", True), ("is", False)):
        tags = stored_views(metric, 800, 1)
        assert set(tags) == {"mlflow.sharedViewState.trials", "mlflow.sharedViewState.charts"}
        assert max(map(len, tags.values())) < 5000, "the shortest limit of MLflow's versions"
        table, charts = (json.loads(json.loads(text)["state"]) for text in tags.values())
        assert (table["orderByKey"], table["orderByAsc"]) == (f"metrics.`{metric}_final`", ascending)
        assert f"metrics.`{metric}_final`" in table["selectedColumns"]
        sections = {section["uuid"] for section in charts["compareRunSections"]}
        assert {chart["metricSectionId"] for chart in charts["compareRunCharts"]} == sections
        kinds = {chart["type"]: chart for chart in charts["compareRunCharts"]}
        assert (kinds["PARALLEL"]["selectedMetrics"], kinds["IMAGE"]["step"]) == ([f"{metric}_final"], 800)


def test_empty_frames_give_no_records() -> None:
    empty = pd.DataFrame()
    assert run_records(empty, empty, empty, empty, headline=FID[:-9]) == []
