"""Launches that keep checkpoints and grids in a bucket: the same numbers, nothing in OUT, and they go on from there."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sngan.checkpoints import load_any_checkpoint
from sweeps.commands.line import run
from sweeps.commands.options import database_url
from sweeps.compare import compare
from sweeps.signals import UNFINISHED
from sweeps.store import open_store
from sweeps.study import STUDIES
from sweeps.tracking.server import NOLOAD_WARNING
from sweeps.variation import parse_overrides, vary
from tests.sweeps.command_line import Line, line_of
from tests.sweeps.object_store import SECRET, Server, running

CHANGES = ["config.updates=4", "config.evaluate_every=2", "config.batch_size=8", "config.generator_batch_size=8",
           "config.z_dim=8", "config.protocols=fid/gen600-test600-digits"]  # fmt: skip
SET = [part for change in CHANGES for part in ("--set", change)]
SWEEP = ["robustness", *SET, "--methods", "sn,r1", "--settings", "C", "--seeds", "1"]
VARIED = vary(STUDIES["robustness"], "quick", parse_overrides(CHANGES))
LABEL = next(iter(VARIED.presets))
HERE = ["--engine", "in-process", "--no-mlflow"]

pytestmark = [
    pytest.mark.ray,
    pytest.mark.usefixtures("small_report"),
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings(f"ignore:{NOLOAD_WARNING}:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.fixture
def line(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, cache_dir: Path) -> Line:
    """Runs a launch: exit code and everything that this process and those it starts have written."""
    monkeypatch.setenv("SNGAN_CACHE", str(cache_dir))
    return line_of(run, capfd)


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
