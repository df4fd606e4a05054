"""Launches that keep checkpoints and grids in a bucket: the same numbers, nothing in OUT, and they go on from there."""

import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray

from sngan.checkpoints import load_any_checkpoint
from sngan.config import TrialConfig
from sweeps import engine
from sweeps.commands.line import run
from sweeps.commands.options import database_url
from sweeps.compare import compare
from sweeps.signals import UNFINISHED
from sweeps.store import open_store
from sweeps.study import STUDIES
from sweeps.tracking.server import NOLOAD_WARNING
from sweeps.variation import parse_overrides, vary
from tests.sweeps.object_store import SECRET, Server, running
from tests.sweeps.recording import Recorder, engine_options, planned

CHANGES = ["config.updates=4", "config.evaluate_every=2", "config.batch_size=8", "config.generator_batch_size=8",
           "config.z_dim=8", "config.protocols=fid/gen600-test600-digits"]  # fmt: skip
SET = [part for change in CHANGES for part in ("--set", change)]
SWEEP = ["robustness", *SET, "--methods", "sn,r1", "--settings", "C", "--seeds", "1"]
VARIED = vary(STUDIES["robustness"], "quick", parse_overrides(CHANGES))
LABEL = next(iter(VARIED.presets))
HERE = ["--engine", "in-process", "--no-mlflow"]

pytestmark = [
    pytest.mark.usefixtures("small_report"),
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings(f"ignore:{NOLOAD_WARNING}:DeprecationWarning"),
]
Line = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.fixture
def line(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, cache_dir: Path) -> Line:
    """Runs a launch: exit code and everything that this process and those it starts have written."""
    monkeypatch.setenv("SNGAN_CACHE", str(cache_dir))

    def run_line(*arguments: object) -> tuple[int, str, str]:
        code = run([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run_line


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path, small_report: None) -> Path:
    """The same sweep without a storage."""
    out = tmp_path_factory.mktemp("plain")
    assert run([*SWEEP, *HERE, "--out", str(out), "--cache-dir", str(cache_dir)]) == 0
    return out


def differences(one: Path, other: Path, study: str = "robustness", label: str = LABEL) -> list[str]:
    with open_store(database_url(one), create=False) as left, open_store(database_url(other), create=False) as right:
        assert not left.evaluations(study, label).empty
        return compare(left, right, study, label, left_dir=one, right_dir=other)


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def assert_no_secret(folder: Path, *texts: str) -> None:
    assert all(SECRET not in text for text in texts)
    for path in folder.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path


@pytest.mark.thorough
@pytest.mark.slow
def test_ray_keeps_files_in_the_bucket_and_gives_the_same_scores(
    server: Server, request: pytest.FixtureRequest, tmp_path: Path, cache_dir: Path
) -> None:
    """Its workers inherit the environment that leads to the bucket, hence the order."""
    request.getfixturevalue("cluster")
    trials = planned(TrialConfig.from_dict(VARIED.presets[LABEL].config), 2)
    heard, expected = Recorder(), Recorder()
    options = engine_options(
        tmp_path / "out", cache_dir=cache_dir, storage=f"s3://{server.bucket}/scores", max_concurrent=1
    )
    result = engine.run(trials, options, heard)
    assert result.finished == {trial.digest for trial in trials}
    engine.run(trials, engine_options(tmp_path / "plain", cache_dir=cache_dir, engine="in-process"), expected)
    assert heard.scores() == expected.scores()
    assert len(heard.scores()) == 4
    assert files(tmp_path / "out") == set()
    assert {name.removeprefix("scores/") for name in server.objects("scores/")} == files(tmp_path / "plain")
    session = Path(ray.get_runtime_context().get_temp_dir()) / ray.get_runtime_context().get_session_name()
    assert not list((session / "sngan-private").iterdir())


@pytest.mark.thorough
@pytest.mark.slow
def test_a_sweep_on_ray_equals_one_without_a_storage_and_keeps_no_secret(
    line: Line, tmp_path: Path, server: Server, plain: Path, empty_mlflow: Path
) -> None:
    out = tmp_path / "runs"
    out.mkdir()
    shutil.copy(empty_mlflow, out / "mlflow.db")
    code, told, err = line(*SWEEP, "--gpus-per-trial", 0, "--out", out, "--storage", f"s3://{server.bucket}/ray")
    assert (code, err) == (0, "")
    assert differences(plain, out) == []
    assert not (out / "checkpoints").exists()
    grids = {name for name in files(plain) if name.startswith("samples/")}
    assert len(grids) == 4
    assert {name for name in files(out) if name.startswith("samples/")} == grids
    checkpoints = {name for name in files(plain) if name.startswith("checkpoints/")}
    assert {name.removeprefix("ray/") for name in server.objects("ray/")} == grids | checkpoints
    assert_no_secret(out, told, err)


def test_a_launch_goes_on_from_the_bucket_in_another_folder(
    line: Line, tmp_path: Path, server: Server, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is stopped at its first evaluation; the second finds nothing on this machine but the bucket."""
    storage = ["--storage", f"s3://{server.bucket}/on"]

    def stop(*_: Any) -> None:
        signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr("sweeps.listeners.StoreWriter.on_evaluation", stop)
        code, _, err = line(*SWEEP, *HERE, "--out", tmp_path / "first", *storage)
    assert code == UNFINISHED, err
    ((name, content),) = ((name, data) for name, data in server.objects("on/").items() if name.endswith("state.pt"))
    (tmp_path / "state.pt").write_bytes(content)
    (before,) = load_any_checkpoint(tmp_path / "state.pt")["evaluations"]

    code, _, err = line(*SWEEP, *HERE, "--out", tmp_path / "second", *storage)
    assert (code, err) == (0, "")
    assert differences(plain, tmp_path / "second") == []
    (tmp_path / "state.pt").write_bytes(server.objects("on/")[name])
    first, _ = load_any_checkpoint(tmp_path / "state.pt")["evaluations"]
    assert first == before, "seconds of training and all: it was read, not made again"
    assert not (tmp_path / "second" / "checkpoints").exists()
    assert_no_secret(tmp_path, err)

    # A third machine joins when all is done: it fetches what the report shows.
    shutil.rmtree(tmp_path / "second" / "samples")
    shutil.rmtree(tmp_path / "second" / "reports")
    code, _, err = line(*SWEEP, *HERE, "--out", tmp_path / "second", *storage)
    assert (code, err) == (0, "")
    assert differences(plain, tmp_path / "second") == []


def test_a_storage_that_cannot_be_used_ends_a_launch_at_once(line: Line, tmp_path: Path, server: Server) -> None:
    code, out, err = line(*SWEEP, "--no-mlflow", "--out", tmp_path, "--storage", "s3://another/x")
    assert code == 2
    assert "Traceback" not in out + err
    assert "storage s3://another/x: " in err
    assert "NO_SUCH_BUCKET" in err
    assert_no_secret(tmp_path, out, err)
    with open_store(database_url(tmp_path), create=False) as store:
        assert store.studies().empty


@pytest.mark.thorough
@pytest.mark.slow
def test_a_launch_on_ray_that_was_killed_goes_on_from_the_bucket(
    tmp_path: Path, server: Server, cache_dir: Path
) -> None:
    """All that the killed one left on its machine, but for the database, is removed before the second begins."""
    long = [change.replace("updates=4", "updates=240").replace("every=2", "every=40") for change in CHANGES]
    label = next(iter(vary(STUDIES["cost"], "quick", parse_overrides(long)).presets))
    sweep = ["cost", "--methods", "sn,r1", "--settings", "C", "--seeds", "1", "--no-mlflow",
             *(part for change in long for part in ("--set", change))]  # fmt: skip

    def start(out: Path, *more: str) -> "subprocess.Popen[str]":
        words = [sys.executable, "-m", "sweeps.launch", *sweep, "--out", str(out), "--cache-dir", str(cache_dir), *more]
        return subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    alone = start(tmp_path / "plain", "--engine", "in-process")
    alone.communicate()
    assert alone.returncode == 0
    out, storage = tmp_path / "runs", ["--storage", f"s3://{server.bucket}/killed"]
    killed = start(out, *storage)
    deadline_s = time.monotonic() + 100
    while len([name for name in server.objects("killed/") if name.endswith(".png")]) < 4:
        assert killed.poll() is None, killed.communicate()
        assert time.monotonic() < deadline_s
        time.sleep(0.1)
    for process in [psutil.Process(killed.pid), *psutil.Process(killed.pid).children(recursive=True)]:
        process.kill()
    killed.communicate()
    before = evaluations(server, tmp_path)
    assert before
    for folder in ("samples", "reports"):
        shutil.rmtree(out / folder, ignore_errors=True)
    again = start(out, *storage)
    told, err = again.communicate(timeout=200)
    assert again.returncode == 0, err
    after = evaluations(server, tmp_path)
    for name, made in before.items():
        assert len(after[name]) == 6
        assert after[name][: len(made)] == made, "read from the bucket, not made again"
    assert differences(tmp_path / "plain", out, "cost", label) == []
    with sqlite3.connect(out / "results.db") as database:
        assert database.execute("SELECT count(*) FROM attempts").fetchone()[0] > 2
    assert_no_secret(out, told, err)


def evaluations(server: Server, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Checkpoint in the bucket -> its evaluations, with the seconds that they took."""
    found = {}
    for name, content in server.objects("killed/").items():
        if name.endswith("state.pt"):
            (folder / "state.pt").write_bytes(content)
            found[name] = load_any_checkpoint(folder / "state.pt")["evaluations"]
    return found
