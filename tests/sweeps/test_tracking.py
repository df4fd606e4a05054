"""The MLflow mirror, on a real MLflow: agreement, increments, states, rebuilds, names."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from sngan.errors import InputError
from sweeps.claims import Verdict
from sweeps.store import ResultStore, open_store
from sweeps.tracking import Mirror, default_uri
from sweeps.tracking.server import NOLOAD_WARNING
from tests.sweeps.store.samples import FID, PRESET, STUDY, evaluation, outcome, planned
from tests.sweeps.tracking_samples import (
    NOTHING,
    a_study,
    another_uri,
    client_of,
    contents,
    evaluate,
    files_of,
    finished_sweep,
    history,
    launch,
    run_of,
    runs_of,
    start,
    wait_for,
)

pytestmark = pytest.mark.filterwarnings(f"ignore:{NOLOAD_WARNING}:DeprecationWarning")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ResultStore]:
    with open_store(f"sqlite:///{tmp_path / 'results.db'}") as opened:
        yield opened


def test_a_finished_sweep_stands_in_mlflow_with_everything(store: ResultStore, tmp_path: Path, mlflow_uri: str) -> None:
    trials = finished_sweep(store, tmp_path)
    mirror = Mirror(mlflow_uri, store, a_study(), PRESET, tmp_path)
    report = mirror.sync()
    assert report.created == 5, "a run for the launch, one for each trial"

    experiment = client_of(mlflow_uri).get_experiment_by_name("robustness-quick")
    assert (experiment.tags["study"], experiment.tags["preset"]) == (STUDY, PRESET)
    told = experiment.tags["mlflow.note.content"].split("\n\n")
    assert told == [
        "**Is it robust?**",
        "A test.",
        "for tests",
        "**Digits are not CIFAR-10.**",
        "Claims from A et al. 2018, arXiv:1802.05957; A talk, 3.",
        f"Measured as `{FID[:-9]}`.",
        "Report: `report.html` with the newest launch, and `OUT/reports/robustness-quick/index.html`.",
        "Newest launch: `python -m sweeps.launch robustness --database postgresql://***@db/results`",
    ]
    assert mirror.shown == f"python -m sweeps.launch ui robustness --out {tmp_path}"

    (parent,) = runs_of(mlflow_uri, "launch")
    assert parent.info.run_name == "launch 1, 2026-01-02 03:04"
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["trials"] == "3 completed, 1 diverged"
    assert parent.data.tags["mlflow.source.git.commit"] == "c" * 40

    trial = trials[0]
    run = run_of(mlflow_uri, trial)
    assert run.info.run_name == "sn A s0"
    assert run.info.status == "FINISHED"
    assert run.info.end_time - run.info.start_time == 22_000, "the trial's measured cost"
    assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert run.data.tags["state"] == "completed"
    shown = {key: run.data.params[key] for key in ("method", "setting", "seed", "alpha", "beta1", "beta2", "n_dis")}
    assert shown == {
        "method": "sn",
        "setting": "A",
        "seed": "0",
        "alpha": "0.0001",
        "beta1": "0.5",
        "beta2": "0.9",
        "n_dis": "5",
    }
    assert run.data.params["regularizers"].startswith("spectral-norm(")
    (data,) = run.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("digits", ("0123456789abcdef" * 4)[:36])
    assert [(tag.key, tag.value) for tag in data.tags] == [("mlflow.data.context", "training")]
    assert {"samples/u000500.png", "samples/u001000.png"} < set(files_of(mlflow_uri, run))


def test_values_are_those_of_the_store_at_the_updates(store: ResultStore, tmp_path: Path, mlflow_uri: str) -> None:
    trials = finished_sweep(store, tmp_path)
    Mirror(mlflow_uri, store, a_study(), PRESET, tmp_path).sync()
    stored = store.evaluations(STUDY, PRESET)
    for trial in trials:
        rows = stored[(stored["digest"] == trial.digest) & (stored["protocol"] == FID)]
        expected = list(zip(rows["update"], rows["value"], strict=True))
        values = history(mlflow_uri, run_of(mlflow_uri, trial))
        assert values[FID] == expected
        assert values["fid_best"] == [(500, expected[0][1]), (1000, min(value for _, value in expected))]
        assert values["loss/generator"] == [(500, 0.75), (1000, 0.75)]
        assert values["system/seconds_per_update"] == [(500, 0.01), (1000, 0.01)]
        assert (values["system/train_s"], values["system/evaluate_s"]) == ([(1000, 20.0)], [(1000, 2.0)])
        if trial is trials[-1]:
            assert "fid_final" not in values, "a diverged trial has no final score"
        else:
            assert values["fid_final"] == expected[-1:]


def test_a_diverged_trial_is_finished_and_says_why(store: ResultStore, tmp_path: Path, mlflow_uri: str) -> None:
    trials = finished_sweep(store, tmp_path)
    Mirror(mlflow_uri, store, a_study(), PRESET, tmp_path).sync()
    run = run_of(mlflow_uri, trials[-1])
    assert run.info.status == "FINISHED"
    assert (run.data.tags["state"], run.data.tags["reason"]) == ("diverged", "loss is not finite")


def test_nothing_is_sent_twice(store: ResultStore, tmp_path: Path, mlflow_uri: str) -> None:
    finished_sweep(store, tmp_path)
    mirror = Mirror(mlflow_uri, store, a_study(), PRESET, tmp_path)
    first = mirror.sync()
    assert first.values > 0
    before = contents(mlflow_uri)
    assert mirror.sync() == NOTHING
    assert Mirror(mlflow_uri, store, a_study(), PRESET, tmp_path).sync() == NOTHING, "nor by another process"
    assert contents(mlflow_uri) == before
    assert str(NOTHING) == "nothing was missing"


def test_only_news_is_sent(store: ResultStore, tmp_path: Path, mlflow_uri: str) -> None:
    trials = planned()
    launch(store, trials)
    start(store, trials[0])
    evaluate(store, trials[0], 500, tmp_path)
    mirror = Mirror(mlflow_uri, store, a_study(), PRESET, tmp_path)
    first = mirror.sync()
    assert (first.created, len(runs_of(mlflow_uri))) == (2, 1), "queued trials have no run"
    evaluate(store, trials[0], 1000, tmp_path)
    second = mirror.sync()
    assert (second.created, second.changed, second.values) == (0, 1, first.values)
    store.finish(trials[0].digest, outcome())
    third = mirror.sync()
    assert third.values == 4, "fid_final and kid_final, system/train_s and system/evaluate_s"
    assert history(mlflow_uri, run_of(mlflow_uri, trials[0]))["fid_best"][0][0] == 500


def test_a_rebuild_into_an_empty_mlflow_equals(
    store: ResultStore, tmp_path: Path, mlflow_uri: str, empty_mlflow: Path
) -> None:
    trials = planned(seeds=1)
    launch(store, trials)
    mirror = Mirror(mlflow_uri, store, a_study(), PRESET, tmp_path)
    mirror.sync()
    for trial in trials:
        start(store, trial)
        for update in (500, 1000):
            evaluate(store, trial, update, tmp_path)
            mirror.sync()
        store.finish(trial.digest, outcome())
    mirror.sync()
    rebuilt = another_uri(tmp_path / "rebuilt.db", empty_mlflow)
    Mirror(rebuilt, store, a_study(), PRESET, tmp_path).sync()
    assert contents(rebuilt) == contents(mlflow_uri)
    assert len(contents(mlflow_uri)) == len(trials)


def test_states_of_a_live_launch_and_of_its_end(store: ResultStore, tmp_path: Path, mlflow_uri: str) -> None:
    running, failing, *_ = trials = planned(seeds=1)
    launch(store, trials)
    for trial in (running, failing):
        start(store, trial)
        evaluate(store, trial, 500, tmp_path)
    mirror = Mirror(mlflow_uri, store, a_study(), PRESET, tmp_path)
    mirror.start(interval_s=0.05)
    wait_for(lambda: run_of(mlflow_uri, failing).info.status == "RUNNING")
    store.fail(failing.digest, "Traceback ...\nConnectionError: postgresql://me:secret@db/results")
    wait_for(lambda: run_of(mlflow_uri, failing).info.status == "FAILED")
    tag = run_of(mlflow_uri, failing).data.tags["error"]
    assert tag.endswith("ConnectionError: postgresql://***@db/results")
    assert (run_of(mlflow_uri, running).info.status, runs_of(mlflow_uri, "launch")[0].info.status) == (
        "RUNNING",
        "RUNNING",
    )
    store.requeue([failing.digest])
    wait_for(lambda: run_of(mlflow_uri, failing).info.status == "SCHEDULED")
    assert mirror.stop()
    assert {run.info.status for run in (*runs_of(mlflow_uri), *runs_of(mlflow_uri, "launch"))} == {"KILLED"}, (
        "nothing runs any more"
    )

    launch(store, trials, "2026-01-03T00:00:00+00:00")
    for trial in (running, failing):
        start(store, trial)
        evaluate(store, trial, 1000, tmp_path)
        store.finish(trial.digest, outcome())
    mirror.sync()
    assert {run.info.status for run in runs_of(mlflow_uri)} == {"FINISHED"}
    assert run_of(mlflow_uri, failing).data.tags["error"] == ""
    assert [run.info.run_name[:8] for run in runs_of(mlflow_uri, "launch")] == ["launch 2", "launch 1"]
    assert len(runs_of(mlflow_uri)) == 2, "a trial stays below the launch that started it"


def test_a_trial_that_began_anew_replaces_what_was_sent(store: ResultStore, tmp_path: Path, mlflow_uri: str) -> None:
    trial = planned()[0]
    launch(store, [trial])
    start(store, trial)
    evaluate(store, trial, 500, fid=50.0)
    mirror = Mirror(mlflow_uri, store, a_study(), PRESET, tmp_path)
    mirror.sync()
    start(store, trial)  # its checkpoint was lost; another device gives other digits
    evaluate(store, trial, 500, fid=49.0)
    evaluate(store, trial, 1000, fid=40.0)
    assert mirror.sync().created == 1
    assert history(mlflow_uri, run_of(mlflow_uri, trial))[FID] == [(500, 49.0), (1000, 40.0)]


def test_runs_that_somebody_deleted_or_doubled_are_mended(store: ResultStore, tmp_path: Path, mlflow_uri: str) -> None:
    trials = finished_sweep(store, tmp_path)
    mirror = Mirror(mlflow_uri, store, a_study(), PRESET, tmp_path)
    mirror.sync()
    before, client = contents(mlflow_uri), client_of(mlflow_uri)
    doubled = run_of(mlflow_uri, trials[0])
    client.create_run(doubled.info.experiment_id, tags={**doubled.data.tags, "synced_values": "0"})
    client.delete_run(run_of(mlflow_uri, trials[1]).info.run_id)
    assert mirror.sync().created == 1
    assert contents(mlflow_uri) == before
    client.delete_experiment(doubled.info.experiment_id)
    mirror.sync()
    assert contents(mlflow_uri) == before


def test_two_stores_share_an_experiment_and_leave_each_other_alone(
    store: ResultStore, tmp_path: Path, mlflow_uri: str
) -> None:
    finished_sweep(store, tmp_path)
    Mirror(mlflow_uri, store, a_study(), PRESET, tmp_path).sync()
    other_dir = tmp_path / "other"
    with open_store(f"sqlite:///{other_dir / 'results.db'}") as other:
        trial = planned()[0]
        launch(other, [trial], "2026-02-02T02:02:02+00:00")
        start(other, trial)
        evaluate(other, trial, 500, fid=3.0)
        Mirror(mlflow_uri, other, a_study(), PRESET, other_dir).sync()
    assert Mirror(mlflow_uri, store, a_study(), PRESET, tmp_path).sync() == NOTHING
    found = [run for run in runs_of(mlflow_uri) if run.data.tags["digest"] == trial.digest]
    assert sorted(run.info.status for run in found) == ["FINISHED", "KILLED"]


def test_report_figures_and_verdicts_hang_on_the_launch(store: ResultStore, tmp_path: Path, mlflow_uri: str) -> None:
    finished_sweep(store, tmp_path)
    verdict = Verdict(
        claim="sn-wins", verdict="undecided", effect=0.5, low=-1.0, high=2.0, effect_label="log FID", num_seeds=2,
        seeds_needed=9, protocol=FID, explanation="Two seeds are few.",
    )  # fmt: skip
    store.record_verdicts(STUDY, PRESET, [verdict])
    folder = tmp_path / "reports" / "robustness-quick"
    (folder / "figures").mkdir(parents=True)
    (folder / "index.html").write_text("<p>report</p>")
    for name in ("a.png", "a.svg", "a.pdf"):
        (folder / "figures" / name).write_text(name)
    mirror = Mirror(mlflow_uri, store, a_study(), PRESET, tmp_path)
    mirror.sync()
    (run,) = runs_of(mlflow_uri, "launch")
    assert files_of(mlflow_uri, run) == [
        "figures/a.png", "figures/a.svg", "provenance.json", "report.html", "summary.json", "verdicts.json",
    ]  # fmt: skip
    assert "**sn-wins**: undecided, 0.5 [-1, 2]. Two seeds are few." in run.data.tags["mlflow.note.content"]
    table = pd.read_json(client_of(mlflow_uri).download_artifacts(run.info.run_id, "summary.json"), orient="split")
    assert len(table) == 4, "methods x settings"
    assert set(table["completed"] + table["diverged"]) == {1}
    assert {"path": "summary.json", "type": "table"} in json.loads(run.data.tags["mlflow.loggedArtifacts"])
    old = time.time() - 10**9
    os.utime(folder / "index.html", (old, old))
    launch(store, planned(), "2026-03-03T00:00:00+00:00")
    mirror.sync()
    newest = runs_of(mlflow_uri, "launch")[0]
    assert "report.html" not in files_of(mlflow_uri, newest), "an old report is no result of a new launch"


def test_no_credentials_leave_the_machine(store: ResultStore, tmp_path: Path, mlflow_uri: str) -> None:
    finished_sweep(store, tmp_path)
    Mirror(mlflow_uri, store, a_study(), PRESET, tmp_path).sync()
    (run,) = runs_of(mlflow_uri, "launch")
    assert run.data.tags["database"] == "postgresql://***@db/results"
    text = Path(client_of(mlflow_uri).download_artifacts(run.info.run_id, "provenance.json", str(tmp_path))).read_text()
    assert "secret" not in text
    assert json.loads(text)["git_commit"] == "c" * 40


def test_hostile_names(tmp_path: Path, empty_mlflow: Path) -> None:
    """Names that no server takes as they are, in study, preset, folder and diagnostics."""
    folder = tmp_path / "out 100% #1 ü"
    name, label = "a/b (c)=d", "quick+config.updates=300+%25"
    with open_store(f"sqlite:///{folder / 'results.db'}") as store:
        trial = planned()[0]
        launch(store, [trial], key=(name, label))
        start(store, trial)
        path = f"samples/{trial.digest}/u000500.png"
        (folder / path).parent.mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(folder / path)
        strange = {"../up (a)=b": 1.0, "norm σ/layer.1": 2.0, "/": 3.0}
        measured = dataclasses.replace(evaluation(500, samples=path), diagnostics=strange)
        store.record(trial.digest, measured)
        shutil.copy(empty_mlflow, folder / "mlflow.db")
        uri = default_uri(folder)
        Mirror(uri, store, a_study(name, label), label, folder).sync()
    (run,) = runs_of(uri, name=f"{name}-{label}")
    assert {"up _a__b", "norm _/layer.1", "unnamed"} < set(run.data.metrics)
    assert "samples/u000500.png" in files_of(uri, run)


def test_a_study_that_was_never_launched(store: ResultStore, tmp_path: Path, mlflow_uri: str) -> None:
    with pytest.raises(InputError, match="never launched"):
        Mirror(mlflow_uri, store, a_study(), PRESET, tmp_path).sync()


def test_the_database_stands_in_the_folder_of_results() -> None:
    assert default_uri(Path("/some where/runs")) == "sqlite:////some where/runs/mlflow.db"


def test_importing_the_mirror_does_not_import_mlflow() -> None:
    code = "import sys, sweeps.tracking; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
