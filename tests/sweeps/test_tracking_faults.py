"""The MLflow mirror when something breaks: lost answers, black holes, kill -9; and once over a real server."""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from sngan.errors import InputError
from sweeps.store import ResultStore, open_store
from sweeps.tracking import Mirror, default_uri
from sweeps.tracking.server import NOLOAD_WARNING
from tests.sweeps.store.samples import DATABASES, FID, PRESET, fresh_database, outcome, planned
from tests.sweeps.tracking_samples import (
    NOTHING,
    a_study,
    another_uri,
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


def test_values_that_arrived_without_their_tags_are_not_doubled(
    store: ResultStore, tmp_path: Path, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server writes values before tags, and may die in between."""
    from mlflow import MlflowClient

    trials = finished_sweep(store, tmp_path)
    mirror = Mirror(mlflow_uri, store, a_study(), PRESET, tmp_path)
    original = MlflowClient.log_batch

    def half(self: Any, run_id: str, metrics: Any = (), **_: Any) -> None:
        original(self, run_id, metrics=metrics)
        if metrics:
            raise ConnectionError("died")

    with monkeypatch.context() as broken:
        broken.setattr(MlflowClient, "log_batch", half)
        with pytest.raises(InputError, match="died"):
            mirror.sync()
    mirror.sync()
    for trial in trials:
        assert [update for update, _ in history(mlflow_uri, run_of(mlflow_uri, trial))[FID]] == [500, 1000]
    assert run_of(mlflow_uri, trials[0]).data.params["method"] == "sn"


def test_values_do_not_wait_for_files(
    store: ResultStore, tmp_path: Path, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    trials = finished_sweep(store, tmp_path)
    mirror = Mirror(mlflow_uri, store, a_study(), PRESET, tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr(MlflowClient, "log_artifacts", raising(PermissionError("the bucket is closed")))
        with pytest.raises(InputError, match="the bucket is closed"):
            mirror.sync()
        assert len(history(mlflow_uri, run_of(mlflow_uri, trials[0]))[FID]) == 2
    mirror.sync()
    assert "samples/u001000.png" in files_of(mlflow_uri, run_of(mlflow_uri, trials[0]))


def raising(error: Exception) -> Any:
    def function(*_: Any, **__: Any) -> None:
        raise error

    return function


def test_one_process_at_a_time(store: ResultStore, tmp_path: Path, mlflow_uri: str) -> None:
    finished_sweep(store, tmp_path)
    mirror = Mirror(mlflow_uri, store, a_study(), PRESET, tmp_path)
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
    store: ResultStore, tmp_path: Path, mlflow_uri: str, black_hole: str, caplog: pytest.LogCaptureFixture
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
    assert message.count("\n") == 1  # what is wrong, and the command that sends the rest
    report = Mirror(mlflow_uri, store, a_study(), PRESET, tmp_path).sync()
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


def test_a_database_that_was_never_finished_is_made_anew(store: ResultStore, tmp_path: Path) -> None:
    """MLflow needs seconds for its tables; a process killed meanwhile leaves nothing in the database's place."""
    finished_sweep(store, tmp_path)
    folder = tmp_path / "folder that is missing"
    folder.mkdir()
    (folder / "mlflow.db.new").write_bytes(b"SQLite format 3\0 and half a table")
    assert Mirror(default_uri(folder), store, a_study(), PRESET, tmp_path).sync().created == 5
    assert sorted(path.name for path in folder.iterdir() if path.suffix != ".lock") == ["mlflow.db"]


@pytest.mark.thorough
@pytest.mark.slow
def test_a_killed_process_leaves_no_duplicates_and_no_zombies(
    store: ResultStore, tmp_path: Path, mlflow_uri: str
) -> None:
    trials = planned(seeds=12)
    launch(store, trials)
    for trial in trials:
        start(store, trial)
        evaluate(store, trial, 500, tmp_path)
    code = (
        "import sys, time; from pathlib import Path;"
        "from sweeps.store import open_store; from sweeps.tracking import Mirror;"
        "from tests.sweeps.tracking_samples import a_study; folder = Path(sys.argv[1]);"
        "mirror = Mirror(sys.argv[2], open_store(f'sqlite:///{folder}/results.db'), a_study(), 'quick', folder);"
        "mirror.start(0.1); time.sleep(600)"
    )
    for enough in (5, 20):
        process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path), mlflow_uri])
        wait_for(lambda enough=enough: len(runs_of(mlflow_uri)) >= enough, seconds=60)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(runs_of(mlflow_uri)) < len(trials), "killed in the middle"
    for trial in trials:
        evaluate(store, trial, 1000, tmp_path)
        store.finish(trial.digest, outcome())
    Mirror(mlflow_uri, store, a_study(), PRESET, tmp_path).sync()
    held = contents(mlflow_uri)
    assert len(held) == len(trials)
    assert {status for status, *_ in held.values()} == {"FINISHED"}
    assert all([step for step, _ in values[FID]] == [500, 1000] for _, _, _, values, _ in held.values())


@pytest.fixture(params=DATABASES)
def behind(request: pytest.FixtureRequest, tmp_path: Path, empty_mlflow: Path) -> Iterator[str]:
    """The database behind a server."""
    if request.param == "sqlite":
        yield another_uri(tmp_path / "server.db", empty_mlflow)
        return
    with fresh_database(request.param, tmp_path) as url:
        yield url.replace("postgresql://", "postgresql+psycopg://", 1)


@pytest.mark.thorough
@pytest.mark.slow
def test_a_real_server(store: ResultStore, tmp_path: Path, mlflow_uri: str, behind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
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
        assert mirror.shown is not None
        assert mirror.shown.startswith(f"{served}/#/experiments/")
        Mirror(mlflow_uri, store, a_study(), PRESET, tmp_path).sync()
        assert contents(served) == contents(mlflow_uri)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(20)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
