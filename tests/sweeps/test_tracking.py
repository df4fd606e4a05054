"""The MLflow mirror, on a real MLflow: agreement, increments, outages, rebuilds, deaths in the middle."""

import dataclasses
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from filelock import FileLock
from PIL import Image

from sngan.errors import InputError
from sngan.seeding import numpy_stream
from sweeps.claims import Verdict
from sweeps.store import ResultStore, open_store
from sweeps.study import PlannedTrial, Preset, Study
from sweeps.tracking import Mirror, SyncReport, default_uri, ui_command
from sweeps.tracking.server import NOLOAD_WARNING
from tests.sweeps.store_samples import FID, PRESET, STUDY, evaluation, outcome, planned

pytestmark = pytest.mark.filterwarnings(f"ignore:{NOLOAD_WARNING}:DeprecationWarning")
HEADLINE = FID[:-9]
STARTED = "2026-01-02T03:04:05+00:00"
NOTHING = SyncReport()


def a_study(name: str = STUDY, label: str = PRESET) -> Study:
    preset = Preset(
        name=label,
        description="for tests",
        config={"updates": 1000},
        methods=("sn",),
        settings=("A",),
        seeds=1,
        headline=HEADLINE,
        caveat="Digits are not CIFAR-10.",
    )
    return Study(name=name, question="Is it robust?", description="A test.", presets={label: preset}, claims=())


@pytest.fixture(scope="module")
def empty_mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with MLflow's tables and nothing else: making one takes seconds, copying it does not."""
    from mlflow import MlflowClient

    file = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def uri(tmp_path: Path, empty_mlflow: Path) -> str:
    return another_uri(tmp_path / "mlflow.db", empty_mlflow)


def another_uri(file: Path, empty_mlflow: Path) -> str:
    shutil.copy(empty_mlflow, file)
    return f"sqlite:///{file}"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ResultStore]:
    with open_store(f"sqlite:///{tmp_path / 'results.db'}") as opened:
        yield opened


def launch(
    store: ResultStore, trials: list[PlannedTrial], started: str = STARTED, key: tuple[str, str] | None = None
) -> None:
    """What a launch writes before its first trial."""
    key = key or (STUDY, PRESET)
    store.register(*key, {"question": "Is it robust?"}, trials)
    inputs = {"dataset": "digits", "dataset_digest": "0123456789abcdef" * 4}
    where = "postgresql://me:secret@db/results"
    store.set_provenance(*key, {"started": started, "git_commit": "c" * 40, "inputs": inputs, "database": where})


def start(store: ResultStore, trial: PlannedTrial) -> None:
    store.start_attempt(trial.digest, host="here", device="cpu", versions={"torch": "2"})


def evaluate(
    store: ResultStore, trial: PlannedTrial, update: int, folder: Path | None = None, fid: float | None = None
) -> None:
    """Record an evaluation with a real grid of images below `folder`."""
    path = f"samples/{trial.digest}/u{update:06}.png"
    if folder is not None:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (16, 16), update % 256).save(folder / path)
    value = float(numpy_stream(trial.config.seed, "metric", update).uniform(1, 100)) if fid is None else fid
    store.record(trial.digest, evaluation(update, value, samples=path if folder else None, train_s=update / 100))


def finished_sweep(store: ResultStore, folder: Path, seeds: int = 1) -> list[PlannedTrial]:
    """Four trials per seed with two evaluations each; the last one diverged."""
    trials = planned(seeds=seeds)
    launch(store, trials)
    for trial in trials:
        start(store, trial)
        for update in (500, 1000):
            evaluate(store, trial, update, folder)
        diverged = trial is trials[-1]
        store.finish(trial.digest, outcome("diverged", reason="loss is not finite") if diverged else outcome())
    return trials


def client_of(uri: str) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


def runs_of(uri: str, kind: str = "trial", name: str = f"{STUDY}-{PRESET}") -> list[Any]:
    client = client_of(uri)
    experiment = client.get_experiment_by_name(name)
    return list(client.search_runs([experiment.experiment_id], f"tags.kind = '{kind}'", max_results=1000))


def run_of(uri: str, trial: PlannedTrial) -> Any:
    (run,) = [run for run in runs_of(uri) if run.data.tags["digest"] == trial.digest]
    return run


def history(uri: str, run: Any) -> dict[str, list[tuple[int, float]]]:
    client = client_of(uri)
    return {
        key: [(metric.step, metric.value) for metric in client.get_metric_history(run.info.run_id, key)]
        for key in run.data.metrics
    }


def contents(uri: str) -> dict[str, Any]:
    """Everything MLflow holds of the trials, without ids and times."""
    kept = {}
    for run in runs_of(uri):
        tags = {key: value for key, value in run.data.tags.items() if key != "mlflow.parentRunId"}
        files = sorted(name for name in files_of(uri, run) if name.startswith("samples/"))
        name = run.info.run_name
        assert name not in kept, "one run per trial"
        kept[name] = (run.info.status, run.data.params, tags, history(uri, run), files)
    return kept


def files_of(uri: str, run: Any) -> list[str]:
    client = client_of(uri)

    def below(path: str | None) -> Iterator[str]:
        for item in client.list_artifacts(run.info.run_id, path):
            yield from below(item.path) if item.is_dir else [item.path]

    return sorted(below(None))


def test_a_finished_sweep_stands_in_mlflow_with_everything(store: ResultStore, tmp_path: Path, uri: str) -> None:
    trials = finished_sweep(store, tmp_path)
    mirror = Mirror(uri, store, a_study(), PRESET, tmp_path)
    report = mirror.sync()
    assert report.created == 5, "a run for the launch, one for each trial"

    experiment = client_of(uri).get_experiment_by_name("robustness-quick")
    assert "Is it robust?" in experiment.tags["mlflow.note.content"]
    assert "Digits are not CIFAR-10." in experiment.tags["mlflow.note.content"]
    assert mirror.link is not None
    assert f"/#/experiments/{experiment.experiment_id}/runs?" in mirror.link

    (parent,) = runs_of(uri, "launch")
    assert parent.info.run_name == "launch 1, 2026-01-02 03:04"
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["trials"] == "3 completed, 1 diverged"
    assert parent.data.tags["mlflow.source.git.commit"] == "c" * 40

    trial = trials[0]
    run = run_of(uri, trial)
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
    assert {"samples/u000500.png", "samples/u001000.png"} < set(files_of(uri, run))


def test_values_are_those_of_the_store_at_the_updates(store: ResultStore, tmp_path: Path, uri: str) -> None:
    trials = finished_sweep(store, tmp_path)
    Mirror(uri, store, a_study(), PRESET, tmp_path).sync()
    stored = store.evaluations(STUDY, PRESET)
    for trial in trials:
        rows = stored[(stored["digest"] == trial.digest) & (stored["protocol"] == FID)]
        expected = list(zip(rows["update"], rows["value"], strict=True))
        values = history(uri, run_of(uri, trial))
        assert values[FID] == expected
        assert values["fid_best"] == [(500, expected[0][1]), (1000, min(value for _, value in expected))]
        assert values["loss/generator"] == [(500, 0.75), (1000, 0.75)]
        if trial is trials[-1]:
            assert "fid_final" not in values, "a diverged trial has no final score"
        else:
            assert values["fid_final"] == expected[-1:]


def test_a_diverged_trial_is_finished_and_says_why(store: ResultStore, tmp_path: Path, uri: str) -> None:
    trials = finished_sweep(store, tmp_path)
    Mirror(uri, store, a_study(), PRESET, tmp_path).sync()
    run = run_of(uri, trials[-1])
    assert run.info.status == "FINISHED"
    assert (run.data.tags["state"], run.data.tags["reason"]) == ("diverged", "loss is not finite")


def test_nothing_is_sent_twice(store: ResultStore, tmp_path: Path, uri: str) -> None:
    finished_sweep(store, tmp_path)
    mirror = Mirror(uri, store, a_study(), PRESET, tmp_path)
    first = mirror.sync()
    assert first.values > 0
    before = contents(uri)
    assert mirror.sync() == NOTHING
    assert Mirror(uri, store, a_study(), PRESET, tmp_path).sync() == NOTHING, "nor by another process"
    assert contents(uri) == before
    assert str(NOTHING) == "nothing was missing"


def test_only_news_is_sent(store: ResultStore, tmp_path: Path, uri: str) -> None:
    trials = planned()
    launch(store, trials)
    start(store, trials[0])
    evaluate(store, trials[0], 500, tmp_path)
    mirror = Mirror(uri, store, a_study(), PRESET, tmp_path)
    first = mirror.sync()
    assert (first.created, len(runs_of(uri))) == (2, 1), "queued trials have no run"
    evaluate(store, trials[0], 1000, tmp_path)
    second = mirror.sync()
    assert (second.created, second.changed, second.values) == (0, 1, first.values)
    store.finish(trials[0].digest, outcome())
    third = mirror.sync()
    assert third.values == 2, "fid_final and kid_final"
    assert history(uri, run_of(uri, trials[0]))["fid_best"][0][0] == 500


def test_a_rebuild_into_an_empty_mlflow_equals(
    store: ResultStore, tmp_path: Path, uri: str, empty_mlflow: Path
) -> None:
    trials = planned(seeds=1)
    launch(store, trials)
    mirror = Mirror(uri, store, a_study(), PRESET, tmp_path)
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
    assert contents(rebuilt) == contents(uri)
    assert len(contents(uri)) == len(trials)


def test_states_of_a_live_launch_and_of_its_end(store: ResultStore, tmp_path: Path, uri: str) -> None:
    running, failing, *_ = trials = planned(seeds=1)
    launch(store, trials)
    for trial in (running, failing):
        start(store, trial)
        evaluate(store, trial, 500, tmp_path)
    mirror = Mirror(uri, store, a_study(), PRESET, tmp_path)
    mirror.start(interval_s=0.05)
    wait_for(lambda: run_of(uri, failing).info.status == "RUNNING")
    store.fail(failing.digest, "Traceback ...\nConnectionError: postgresql://me:secret@db/results")
    wait_for(lambda: run_of(uri, failing).info.status == "FAILED")
    tag = run_of(uri, failing).data.tags["error"]
    assert tag.endswith("ConnectionError: postgresql://***@db/results")
    assert (run_of(uri, running).info.status, runs_of(uri, "launch")[0].info.status) == ("RUNNING", "RUNNING")
    store.requeue([failing.digest])
    wait_for(lambda: run_of(uri, failing).info.status == "SCHEDULED")
    assert mirror.stop()
    assert {run.info.status for run in (*runs_of(uri), *runs_of(uri, "launch"))} == {"KILLED"}, "nothing runs any more"

    launch(store, trials, "2026-01-03T00:00:00+00:00")
    for trial in (running, failing):
        start(store, trial)
        evaluate(store, trial, 1000, tmp_path)
        store.finish(trial.digest, outcome())
    mirror.sync()
    assert {run.info.status for run in runs_of(uri)} == {"FINISHED"}
    assert run_of(uri, failing).data.tags["error"] == ""
    assert [run.info.run_name[:8] for run in runs_of(uri, "launch")] == ["launch 2", "launch 1"]
    assert len(runs_of(uri)) == 2, "a trial stays below the launch that started it"


def wait_for(condition: Any, seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except (ValueError, AttributeError):  # the run or the experiment is not there yet
            pass
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.05)


def test_whatever_call_fails_the_next_sync_mends(
    store: ResultStore, tmp_path: Path, empty_mlflow: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    trials = finished_sweep(store, tmp_path)
    clean = another_uri(tmp_path / "clean.db", empty_mlflow)
    Mirror(clean, store, a_study(), PRESET, tmp_path).sync()
    for name in ("create_run", "log_batch", "log_inputs", "log_artifacts", "set_terminated", "log_text"):
        uri = another_uri(tmp_path / f"{name}.db", empty_mlflow)
        original = getattr(MlflowClient, name)
        calls = iter(range(1000))

        def lost(self: Any, *args: Any, _original: Any = original, _calls: Iterator[int] = calls, **kwargs: Any) -> Any:
            result = _original(self, *args, **kwargs)
            if next(_calls) == 1:  # done by the server, but its answer is lost
                raise ConnectionError("lost")
            return result

        monkeypatch.setattr(MlflowClient, name, lost)
        mirror = Mirror(uri, store, a_study(), PRESET, tmp_path)
        with pytest.raises(InputError, match="lost"):
            mirror.sync()
        monkeypatch.setattr(MlflowClient, name, original)
        mirror.sync()
        assert contents(uri) == contents(clean), name
        assert len(runs_of(uri, "launch")) == 1, name
        assert mirror.sync() == NOTHING
    assert len(contents(clean)) == len(trials)


def test_values_do_not_wait_for_files(
    store: ResultStore, tmp_path: Path, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    trials = finished_sweep(store, tmp_path)
    mirror = Mirror(uri, store, a_study(), PRESET, tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr(MlflowClient, "log_artifacts", raising(PermissionError("the bucket is closed")))
        with pytest.raises(InputError, match="the bucket is closed"):
            mirror.sync()
        assert len(history(uri, run_of(uri, trials[0]))[FID]) == 2
    mirror.sync()
    assert "samples/u001000.png" in files_of(uri, run_of(uri, trials[0]))


def raising(error: Exception) -> Any:
    def function(*_: Any, **__: Any) -> None:
        raise error

    return function


def test_a_trial_that_began_anew_replaces_what_was_sent(store: ResultStore, tmp_path: Path, uri: str) -> None:
    trial = planned()[0]
    launch(store, [trial])
    start(store, trial)
    evaluate(store, trial, 500, fid=50.0)
    mirror = Mirror(uri, store, a_study(), PRESET, tmp_path)
    mirror.sync()
    start(store, trial)  # its checkpoint was lost; another device gives other digits
    evaluate(store, trial, 500, fid=49.0)
    evaluate(store, trial, 1000, fid=40.0)
    assert mirror.sync().created == 1
    assert history(uri, run_of(uri, trial))[FID] == [(500, 49.0), (1000, 40.0)]


def test_runs_that_somebody_deleted_or_doubled_are_mended(store: ResultStore, tmp_path: Path, uri: str) -> None:
    trials = finished_sweep(store, tmp_path)
    mirror = Mirror(uri, store, a_study(), PRESET, tmp_path)
    mirror.sync()
    before, client = contents(uri), client_of(uri)
    doubled = run_of(uri, trials[0])
    client.create_run(doubled.info.experiment_id, tags={**doubled.data.tags, "synced_values": "0"})
    client.delete_run(run_of(uri, trials[1]).info.run_id)
    assert mirror.sync().created == 1
    assert contents(uri) == before
    client.delete_experiment(doubled.info.experiment_id)
    mirror.sync()
    assert contents(uri) == before


def test_two_stores_share_an_experiment_and_leave_each_other_alone(
    store: ResultStore, tmp_path: Path, uri: str
) -> None:
    finished_sweep(store, tmp_path)
    Mirror(uri, store, a_study(), PRESET, tmp_path).sync()
    other_dir = tmp_path / "other"
    with open_store(f"sqlite:///{other_dir / 'results.db'}") as other:
        trial = planned()[0]
        launch(other, [trial], "2026-02-02T02:02:02+00:00")
        start(other, trial)
        evaluate(other, trial, 500, fid=3.0)
        Mirror(uri, other, a_study(), PRESET, other_dir).sync()
    assert Mirror(uri, store, a_study(), PRESET, tmp_path).sync() == NOTHING
    found = [run for run in runs_of(uri) if run.data.tags["digest"] == trial.digest]
    assert sorted(run.info.status for run in found) == ["FINISHED", "KILLED"]


def test_report_figures_and_verdicts_hang_on_the_launch(store: ResultStore, tmp_path: Path, uri: str) -> None:
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
    mirror = Mirror(uri, store, a_study(), PRESET, tmp_path)
    mirror.sync()
    (run,) = runs_of(uri, "launch")
    assert files_of(uri, run) == [
        "figures/a.png", "figures/a.svg", "provenance.json", "report.html", "summary.json", "verdicts.json",
    ]  # fmt: skip
    assert "**sn-wins**: undecided, 0.5 [-1, 2]. Two seeds are few." in run.data.tags["mlflow.note.content"]
    table = pd.read_json(client_of(uri).download_artifacts(run.info.run_id, "summary.json"), orient="split")
    assert len(table) == 4, "methods x settings"
    assert set(table["completed"] + table["diverged"]) == {1}
    assert {"path": "summary.json", "type": "table"} in json.loads(run.data.tags["mlflow.loggedArtifacts"])
    old = time.time() - 10**9
    os.utime(folder / "index.html", (old, old))
    launch(store, planned(), "2026-03-03T00:00:00+00:00")
    mirror.sync()
    newest = runs_of(uri, "launch")[0]
    assert "report.html" not in files_of(uri, newest), "an old report is no result of a new launch"


def test_no_credentials_leave_the_machine(store: ResultStore, tmp_path: Path, uri: str) -> None:
    finished_sweep(store, tmp_path)
    Mirror(uri, store, a_study(), PRESET, tmp_path).sync()
    (run,) = runs_of(uri, "launch")
    assert run.data.tags["database"] == "postgresql://***@db/results"
    text = Path(client_of(uri).download_artifacts(run.info.run_id, "provenance.json", str(tmp_path))).read_text()
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
    (run,) = runs_of(uri, name="a-b _c__d-quick_config.updates_300__25")
    assert {"up _a__b", "norm _/layer.1", "unnamed"} < set(run.data.metrics)
    assert "samples/u000500.png" in files_of(uri, run)


def test_a_study_that_was_never_launched(store: ResultStore, tmp_path: Path, uri: str) -> None:
    with pytest.raises(InputError, match="never launched"):
        Mirror(uri, store, a_study(), PRESET, tmp_path).sync()


def test_one_process_at_a_time(store: ResultStore, tmp_path: Path, uri: str) -> None:
    finished_sweep(store, tmp_path)
    mirror = Mirror(uri, store, a_study(), PRESET, tmp_path)
    with (
        FileLock(tmp_path / ".mlflow-robustness-quick.lock"),
        pytest.raises(InputError, match="another process is sending robustness-quick"),
    ):
        mirror.sync()
    assert mirror.sync().created == 5


@pytest.fixture
def black_hole(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://me:secret@127.0.0.1:{server.getsockname()[1]}"


def test_a_server_that_never_answers_is_one_warning_and_later_nothing_is_missing(
    store: ResultStore, tmp_path: Path, uri: str, black_hole: str, caplog: pytest.LogCaptureFixture
) -> None:
    trials = planned(seeds=1)
    launch(store, trials)
    mirror = Mirror(black_hole, store, a_study(), PRESET, tmp_path)
    with caplog.at_level(logging.WARNING):
        began = time.monotonic()
        mirror.start(interval_s=0.01)
        for trial in trials:
            start(store, trial)
            evaluate(store, trial, 1000, tmp_path)
            store.finish(trial.digest, outcome())
        assert time.monotonic() - began < 5, "a sweep does not wait for MLflow"
        wait_for(lambda: mirror._failures >= 2)
        began = time.monotonic()
        assert not mirror.stop(timeout_s=4)
        assert time.monotonic() - began < 5
    (record,) = [record for record in caplog.records if record.name.startswith("sweeps")]
    message = record.getMessage()
    assert "does not get the results" in message
    assert "sweeps.launch sync robustness" in message
    assert "secret" not in caplog.text
    assert "\n" not in message
    report = Mirror(uri, store, a_study(), PRESET, tmp_path).sync()
    assert report.created == 1 + len(trials)


def test_an_unreachable_server_is_an_error_in_words(
    store: ResultStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    finished_sweep(store, tmp_path)
    with pytest.raises(InputError) as caught:
        Mirror(f"http://me:secret@127.0.0.1:{port}", store, a_study(), PRESET, tmp_path).sync()
    assert str(caught.value).startswith(f"MLflow at http://***@127.0.0.1:{port} cannot be used")
    assert "secret" not in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 2


def test_commands_and_places() -> None:
    folder = Path("/some where/runs")
    assert default_uri(folder) == "sqlite:////some where/runs/mlflow.db"
    command = ui_command(default_uri(folder))
    assert command is not None
    assert "--workers 1" in command
    assert "'sqlite:////some where/runs/mlflow.db'" in command, "it can be typed"
    assert ui_command("http://server:5000") is None


def test_importing_the_mirror_does_not_import_mlflow() -> None:
    code = "import sys, sweeps.tracking; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
def test_a_killed_process_leaves_no_duplicates_and_no_zombies(store: ResultStore, tmp_path: Path, uri: str) -> None:
    trials = planned(seeds=12)
    launch(store, trials)
    for trial in trials:
        start(store, trial)
        evaluate(store, trial, 500, tmp_path)
    code = (
        "import sys, time; from pathlib import Path;"
        "from sweeps.store import open_store; from sweeps.tracking import Mirror;"
        "from tests.sweeps.test_tracking import a_study; folder = Path(sys.argv[1]);"
        "mirror = Mirror(sys.argv[2], open_store(f'sqlite:///{folder}/results.db'), a_study(), 'quick', folder);"
        "mirror.start(0.1); time.sleep(600)"
    )
    for enough in (5, 20):
        process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path), uri])
        wait_for(lambda enough=enough: len(runs_of(uri)) >= enough, seconds=60)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(runs_of(uri)) < len(trials), "killed in the middle"
    for trial in trials:
        evaluate(store, trial, 1000, tmp_path)
        store.finish(trial.digest, outcome())
    Mirror(uri, store, a_study(), PRESET, tmp_path).sync()
    held = contents(uri)
    assert len(held) == len(trials)
    assert {status for status, *_ in held.values()} == {"FINISHED"}
    assert all([step for step, _ in values[FID]] == [500, 1000] for _, _, _, values, _ in held.values())


@pytest.mark.slow
def test_a_real_server(store: ResultStore, tmp_path: Path, uri: str, empty_mlflow: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    behind = another_uri(tmp_path / "server.db", empty_mlflow)
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", behind, "--artifacts-destination", str(tmp_path / "served")]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (tmp_path / "server.log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=tmp_path, stdout=log, stderr=log, env=environment, start_new_session=True
        )
    try:
        wait_for(lambda: answers(port), seconds=90)
        finished_sweep(store, tmp_path)
        served = f"http://127.0.0.1:{port}"
        mirror = Mirror(served, store, a_study(), PRESET, tmp_path)
        assert mirror.sync().created == 5
        assert mirror.sync() == NOTHING
        assert mirror.link is not None
        assert mirror.link.startswith(f"{served}/#/experiments/")
        Mirror(uri, store, a_study(), PRESET, tmp_path).sync()
        assert contents(served) == contents(uri)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(20)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
