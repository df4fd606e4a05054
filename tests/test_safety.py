"""A real launch, looked at as an attacker would: who can reach it, what it leaves behind, what its names can do."""

import ipaddress
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from sweeps.launch import main
from tests.sweeps.store.samples import POSTGRESQL, fresh_database

SECRET = "s3cret-of-this-test"
# Shell, SQL, HTML, paths and Ray's own names, in one folder's name.
HOSTILE = "runs \"; touch stolen; $(touch stolen) `touch stolen` '); DROP TABLE trials; -- <script>alert(1)<"
# Without the environment's secrets, as a user has them.
SECRETS = ("AWS_SECRET_ACCESS_KEY", "MLFLOW_TRACKING_PASSWORD", "WANDB_API_KEY", "GITHUB_TOKEN")
CHANGES = ["config.updates=20", "config.evaluate_every=10", "config.batch_size=8",
           "config.generator_batch_size=8", "config.protocols=fid/gen100-test100-digits"]  # fmt: skip
SWEEP = ["cost", "--methods", "sn,r1", "--settings", "B", "--seeds", "1",
         *(part for change in CHANGES for part in ("--set", change))]  # fmt: skip
LONGEST_S = 150


def marked(test: Any) -> Any:
    """Decorator: a real launch takes its time."""
    return pytest.mark.slow(pytest.mark.thorough(pytest.mark.timeout(300)(test)))


@pytest.fixture
def launch(tmp_path: Path, cache_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """A launch with secrets in its environment, in the URLs of an MLflow server and a webhook, in a hostile folder."""
    out = tmp_path / HOSTILE.replace("/", "")
    # Tests of the engine in this process may have left Ray's variables.
    kept = "RAY_worker_niceness"
    without_ray = {name: value for name, value in os.environ.items() if not name.startswith("RAY_") or name == kept}
    mlflow, webhook = f"http://someone:{SECRET}@127.0.0.1:9/", f"http://127.0.0.1:9/{SECRET}"  # nobody answers there
    process = subprocess.Popen(
        [sys.executable, "-m", "sweeps.launch", *SWEEP, "--out", str(out), "--mlflow", mlflow, "--notify", webhook],
        env={**without_ray, **dict.fromkeys(SECRETS, SECRET), "SNGAN_CACHE": str(cache_dir), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, start_new_session=True,
    )  # fmt: skip
    yield process
    for member in (process.pid, *(child.pid for child in _members(process))):
        if psutil.pid_exists(member):
            psutil.Process(member).kill()
    process.communicate()


def _members(process: subprocess.Popen[str]) -> list[psutil.Process]:
    try:
        driver = psutil.Process(process.pid)
        return [driver, *driver.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def mode_of(process: psutil.Process) -> str:
    """How Ray asks callers who they are; "" once the process has ended."""
    try:
        return process.environ().get("RAY_AUTH_MODE", "none")
    except psutil.Error:
        return ""


def listening(members: list[psutil.Process]) -> set[tuple[str, str]]:
    """(program, address) of every TCP port on which one of the processes waits for callers."""
    found = set()
    for member in members:
        try:
            ports = [each for each in member.net_connections(kind="tcp") if each.status == psutil.CONN_LISTEN]
            found |= {(member.name(), each.laddr.ip.removeprefix("::ffff:")) for each in ports}
        except psutil.Error:
            continue
    return found


@pytest.mark.ray
@marked
def test_a_launch_on_this_machine_listens_on_loopback_keeps_secrets_and_obeys_no_name(
    launch: subprocess.Popen[str], tmp_path: Path
) -> None:
    heard: set[tuple[str, str]] = set()
    modes: set[str] = set()
    deadline = time.monotonic() + LONGEST_S
    while launch.poll() is None:
        assert time.monotonic() < deadline, "the launch does not end"
        heard |= listening(_members(launch))
        modes |= {mode_of(member) for member in _members(launch) if "raylet" in str(member)}
        time.sleep(0.5)
    out, err = launch.communicate()
    assert launch.returncode == 0, err
    assert any(name == "raylet" for name, _ in heard), heard
    reachable = {(name, address) for name, address in heard if not ipaddress.ip_address(address).is_loopback}
    assert not reachable
    assert modes - {""} == {"token"}  # other users of this machine reach loopback, too
    assert SECRET not in out + err
    assert "--notify does not take notifications" in out + err
    assert not leaks(tmp_path, SECRET)
    assert {path.name for path in tmp_path.iterdir()} == {HOSTILE.replace("/", "")}
    page = next(tmp_path.rglob("index.html")).read_text()
    assert "<script>alert(1)" not in page


def leaks(folder: Path, secret: str) -> list[Path]:
    """Files that hold it, whatever they are."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.name == "results.db" for path in files)
    return [path for path in files if secret.encode() in path.read_bytes()]


@marked
@pytest.mark.skipif(POSTGRESQL not in os.environ, reason=f"needs a PostgreSQL server: set {POSTGRESQL}")
def test_the_password_of_the_database_is_kept(tmp_path: Path, cache_dir: Path) -> None:
    with fresh_database("postgresql", tmp_path) as url:
        # A server that trusts this machine takes any password.
        credentials, _, rest = url.partition("://")[2].partition("@")
        password = credentials.partition(":")[2] or SECRET
        told = f"postgresql://{credentials.partition(':')[0]}:{password}@{rest}"
        line = [sys.executable, "-m", "sweeps.launch", *SWEEP, "--engine", "in-process", "--database", told,
                "--out", str(tmp_path / "runs")]  # fmt: skip
        environment = {**os.environ, "SNGAN_CACHE": str(cache_dir), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=LONGEST_S, check=False)
        assert done.returncode == 0, done.stderr
        assert password not in done.stdout + done.stderr
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert len(files) > 10
        assert not [path for path in files if password.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    "option",
    [["--methods", "../../etc"], ["--settings", "<script>alert(1)</script>"], ["--preset", "x'; DROP TABLE trials; --"],
     ["--set", "config.dataset=$(touch stolen)"], ["--set", "config.protocols=../../x"], ["--mlflow", "`touch stolen`"],
     ["--database", "sqlite:///:memory:?x=;rm -rf"], ["--address", "; touch stolen"], ["--device", "$(touch stolen)"],
     ["--plugin", "../../\n.py"], ["--notify", "file:///etc/passwd"], ["--notify", "http://x/`touch stolen`"]],
)  # fmt: skip
def test_no_name_passes_as_anything_else(
    option: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code = main(["cost", *option, "--seeds", "1", "--out", str(tmp_path / "runs")])
    said = capsys.readouterr().err
    assert code == 2
    assert "Traceback" not in said
    assert 1 <= len(said.strip().splitlines()) <= 3, said
    assert not (tmp_path / "stolen").exists()
