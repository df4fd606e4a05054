"""Real launches, killed, stopped and obstructed: what is finished later is bit for bit the same."""

import os
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from sweeps.commands.options import database_url
from sweeps.compare import compare
from sweeps.store import open_store
from sweeps.store.schema import VERSION_TABLE
from sweeps.store.writes import INTERRUPTED
from sweeps.study import STUDIES
from sweeps.variation import parse_overrides, vary

# Four trials of two methods with eight evaluations each: enough to be caught in the middle.
CHANGES = ["config.updates=80", "config.evaluate_every=10", "config.batch_size=16",
           "config.generator_batch_size=16", "config.protocols=fid/gen600-test600-digits"]  # fmt: skip
STUDY = "cost"  # its report has the fewest figures
SWEEP = [STUDY, "--methods", "sn,r1", "--settings", "B,C", "--seeds", "1", "--no-mlflow",
         *(part for change in CHANGES for part in ("--set", change))]  # fmt: skip
LABEL = next(iter(vary(STUDIES[STUDY], "quick", parse_overrides(CHANGES)).presets))
LONGEST_S = 100

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(300)]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(cache_dir: Path) -> Iterator[Start]:
    """Starts a launch as a process group of its own, as a terminal does; whatever is left is killed afterwards."""
    started: list[subprocess.Popen[str]] = []

    def start_launch(*arguments: object, out: Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command(*arguments, out=out),
            env={**os.environ, "SNGAN_CACHE": str(cache_dir), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        started.append(process)
        return process

    yield start_launch
    for process in started:
        kill_all(process.pid)
        process.communicate()


def command(*arguments: object, out: Path) -> list[str]:
    return [sys.executable, "-m", "sweeps.launch", *map(str, arguments), "--out", str(out)]


def kill_all(pid: int) -> None:
    """SIGKILL a process and everything that it started, the driver first, as a dying machine would."""
    try:
        process = psutil.Process(pid)
        members = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for member in members:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(members, timeout=10)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=LONGEST_S)
    return process.returncode, out, err


def num_evaluations(out: Path) -> int:
    """Stored evaluations, read beside the driver."""
    try:
        with sqlite3.connect(f"file:{out / 'results.db'}?mode=ro", uri=True, timeout=10) as database:
            return int(database.execute("SELECT count(*) FROM evaluations").fetchone()[0])
    except sqlite3.OperationalError:
        return 0  # no database, or no table, yet


def wait_for_evaluations(process: subprocess.Popen[str], out: Path, number: int) -> None:
    """Wait until that many evaluations are stored."""
    deadline = time.monotonic() + LONGEST_S
    while num_evaluations(out) < number:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "the sweep does not come to its evaluations"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Path:
    """The same sweep without any trouble, one trial after another, without Ray."""
    out = tmp_path_factory.mktemp("uninterrupted")
    environment = {**os.environ, "SNGAN_CACHE": str(cache_dir), "OMP_NUM_THREADS": "1"}
    subprocess.run(command(*SWEEP, "--engine", "in-process", out=out), env=environment, check=True, timeout=LONGEST_S)
    return out


def differences(one: Path, other: Path) -> list[str]:
    with open_store(database_url(one), create=False) as left, open_store(database_url(other), create=False) as right:
        assert len(left.evaluations(STUDY, LABEL)) == 4 * 8
        return compare(left, right, STUDY, LABEL, left_dir=one, right_dir=other)


@pytest.mark.thorough
@pytest.mark.timeout(600)  # three launches
def test_a_sweep_that_was_stopped_then_killed_then_lost_a_worker_ends_as_if_nothing_had_been(
    start: Start, tmp_path: Path, uninterrupted: Path
) -> None:
    stopped = start(*SWEEP, out=tmp_path)
    wait_for_evaluations(stopped, tmp_path, 3)
    asked = time.monotonic()
    os.killpg(stopped.pid, signal.SIGINT)  # as a terminal sends it: to Ray's processes too
    code, _, err = ended(stopped)
    assert time.monotonic() - asked < 10
    assert code == 75
    again = shlex.join(["python", "-m", "sweeps.launch", *SWEEP, "--out", str(tmp_path)])
    assert "Go on with:" in err
    assert again in err
    with open_store(database_url(tmp_path), create=False) as store:
        assert set(store.states(STUDY, LABEL).values()) <= {"completed", "queued"}

    done = num_evaluations(tmp_path)
    killed = start(*shlex.split(again)[3:-2], out=tmp_path)
    wait_for_evaluations(killed, tmp_path, done + 3)
    kill_all(killed.pid)
    ended(killed)
    done = num_evaluations(tmp_path)
    assert done < 4 * 8, "it was killed before its end"
    with open_store(database_url(tmp_path), create=False) as store:
        before = store.trials(STUDY, LABEL).set_index("digest")

    last = start(*SWEEP, out=tmp_path)
    wait_for_evaluations(last, tmp_path, done + 2)
    workers = [child for child in psutil.Process(last.pid).children(recursive=True) if "train" in title(child)]
    assert workers
    workers[0].kill()
    code, out, err = ended(last)
    assert code == 0, err
    assert "trials to run" in out
    assert "lost an attempt and is tried again" in out
    assert differences(uninterrupted, tmp_path) == []
    with open_store(database_url(tmp_path), create=False) as store:
        more = store.trials(STUDY, LABEL).set_index("digest")["num_attempts"] - before["num_attempts"]
    left = before["state"] != "completed"
    assert set(more[~left]) <= {0}
    assert sorted(more[left]) == [1] * (left.sum() - 1) + [2], "the one that lost its process, and no other"
    with sqlite3.connect(tmp_path / "results.db") as database:
        errors = [row[0] for row in database.execute("SELECT error FROM attempts WHERE error != ''")]
    (lost,) = [error for error in errors if error != INTERRUPTED]
    assert "the worker process was lost" in lost


def title(process: psutil.Process) -> str:
    """A process's title, in which Ray's workers say what they do: "ray::ImplicitFunc.train"."""
    try:
        words = process.cmdline()
    except psutil.Error:
        return ""
    return words[0] if words and words[0].startswith("ray::") else ""


@pytest.mark.thorough
def test_ctrl_c_while_ray_starts_is_a_clean_stop(start: Start, tmp_path: Path) -> None:
    process = start(*SWEEP, out=tmp_path)
    deadline = time.monotonic() + LONGEST_S
    while not any("raylet" in program(child) for child in psutil.Process(process.pid).children(recursive=True)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "Ray does not start"
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    code, _, err = ended(process)
    assert code == 75
    assert "Go on with:" in err
    assert "Traceback" not in err


def program(process: psutil.Process) -> str:
    """The name of a process's program; "" once it has ended."""
    try:
        return process.name()
    except psutil.Error:
        return ""


def attempts(out: Path) -> list[int]:
    """How often each trial was begun."""
    with sqlite3.connect(out / "results.db") as database:
        return [number for (number,) in database.execute("SELECT count(*) FROM attempts GROUP BY trial")]


@pytest.mark.thorough
def test_two_launches_share_a_study(start: Start, tmp_path: Path, uninterrupted: Path) -> None:
    launches = [start(*SWEEP, "--engine", "in-process", out=tmp_path) for _ in range(2)]
    for process in launches:
        code, out, err = ended(process)
        assert (code, err) == (0, "")
        assert "Report: " in out
    assert attempts(tmp_path) == [1, 1, 1, 1]
    assert not differences(uninterrupted, tmp_path)
    assert not list(tmp_path.glob(".launch-*"))


def wait_for_launches(out: Path, number: int) -> None:
    """Wait until so many of them have trials of their own."""
    deadline = time.monotonic() + LONGEST_S
    while True:
        with sqlite3.connect(out / "results.db", timeout=10) as database:
            if database.execute("SELECT count(DISTINCT holder) FROM leases").fetchone()[0] == number:
                return
        assert time.monotonic() < deadline, "the other launch does not begin"
        time.sleep(0.05)


@pytest.mark.thorough
@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_a_launch_takes_over_from_another(start: Start, tmp_path: Path, uninterrupted: Path, how: str) -> None:
    first = start(*SWEEP, "--engine", "in-process", out=tmp_path)
    wait_for_evaluations(first, tmp_path, 2)
    second = start(*SWEEP, "--engine", "in-process", out=tmp_path)
    wait_for_launches(tmp_path, 2)
    if how == "killed":
        kill_all(first.pid)
    else:
        first.send_signal(signal.SIGINT)
        code, _, err = ended(first)
        assert code == 75
        assert f"goes on meanwhile in another launch: {STUDY}-{LABEL}, process {second.pid} on " in err
    code, _, err = ended(second)
    assert (code, err) == (0, "")
    assert not differences(uninterrupted, tmp_path)


@pytest.mark.thorough
def test_sigterm_while_everything_is_still_being_imported_is_a_clean_stop(start: Start, tmp_path: Path) -> None:
    process = start(*SWEEP, out=tmp_path)
    time.sleep(0.7)
    process.send_signal(signal.SIGTERM)
    code, _, err = ended(process)
    assert code == 75
    assert "Go on with:" in err
    assert "Traceback" not in err


@pytest.mark.thorough
def test_a_database_of_another_version_is_refused(start: Start, tmp_path: Path, uninterrupted: Path) -> None:
    with sqlite3.connect(uninterrupted / "results.db") as source, sqlite3.connect(tmp_path / "results.db") as copy:
        source.backup(copy)
        copy.execute(f"UPDATE {VERSION_TABLE} SET version_num = 'f00f00f00'")
    code, _, err = ended(start(*SWEEP, out=tmp_path))
    assert code == 2
    assert "Traceback" not in err
    assert str(tmp_path / "results.db") in err
    assert len(err.strip().splitlines()) <= 3
