"""Studies on a real Slurm: on several nodes, preempted, by several jobs at once; the numbers are those of one machine.

SNGAN_TEST_SLURM names an empty folder that this machine and all nodes see. Partition "main" must preempt "spot".
"""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from sweeps.clusters import slurm
from sweeps.commands.options import database_url
from sweeps.compare import compare
from sweeps.store import open_store
from sweeps.study import STUDIES
from sweeps.variation import parse_overrides, vary
from tests.conftest import required
from tests.plugin_samples import SOUND

STUDY = "cost"
CHANGES = ["config.updates=60", "config.evaluate_every=10", "config.batch_size=16",
           "config.generator_batch_size=16", "config.protocols=fid/gen600-test600-digits"]  # fmt: skip
SWEEP = ["--methods", "sn,r1,none", "--settings", "B,C", "--seeds", "1", "--no-mlflow",
         *(part for change in CHANGES for part in ("--set", change))]  # fmt: skip
LABEL = next(iter(vary(STUDIES[STUDY], "quick", parse_overrides(CHANGES)).presets))
NUM_TRIALS, NUM_EVALUATIONS, NUM_NODES = 6, 6 * 6, 3
LONGEST_S = 400

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.timeout(900)]
Submit = Callable[..., int]


@pytest.fixture(scope="module")
def shared() -> Iterator[Path]:
    """A new folder that all nodes see, for one test process at a time: jobs would wait for those of another."""
    folder = required("SNGAN_TEST_SLURM", "a Slurm cluster and a folder that all its nodes see")
    seen = ["srun", "--immediate=30", "test", "-x", sys.executable, "-a", "-d", str(folder)]
    if shutil.which("srun") is None or subprocess.run(seen, capture_output=True, check=False).returncode:
        pytest.skip(f"the nodes of this Slurm cluster do not see {sys.executable} or {folder}")
    with FileLock(folder / "one-at-a-time.lock"):
        yield folder


@pytest.fixture
def out(shared: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    place = shared / f"{request.node.name}-{os.getpid()}"
    yield place
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def submit(out: Path, shared: Path) -> Iterator[Submit]:
    """Submits the study; whatever is left is cancelled afterwards."""
    jobs: list[int] = []

    def submit_study(*options: object) -> int:
        told = by_line("slurm", STUDY, *SWEEP, "--out", out, "--cache-dir", shared / "cache", *options)
        found = re.search(r"Submitted as job (\d+)", told)
        assert found, told
        jobs.append(int(found[1]))
        return jobs[-1]

    yield submit_study
    for job in jobs:
        slurm.cancel(str(job))
        wait_for(lambda job=job: all(state.ended for state in slurm.states(job)), "the end of a job")  # type: ignore[misc]


def by_line(*arguments: object) -> str:
    """What python -m sweeps.submit says."""
    line = [sys.executable, "-m", "sweeps.submit", *map(str, arguments)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=LONGEST_S, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def wait_for(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + LONGEST_S
    while not condition():
        assert time.monotonic() < deadline, f"{what} does not come"
        time.sleep(0.5)


def rows(out: Path, query: str) -> list[tuple[object, ...]]:
    if not (out / "results.db").exists():
        return []
    with sqlite3.connect(f"file:{out / 'results.db'}?mode=ro", uri=True, timeout=20) as database:
        try:
            return database.execute(query).fetchall()
        except sqlite3.OperationalError:  # no table yet
            return []


def end_of(job: int, out: Path) -> str:
    """The state in which a job ended; Slurm holds one that was requeued for two minutes, of which a few seconds do."""

    hurried: set[str] = set()

    def ended() -> bool:
        for state in slurm.states(job):
            if state.state == "PENDING" and state.reason.startswith("BeginTime") and state.task not in hurried:
                hurried.add(state.task)
                subprocess.run(["scontrol", "update", f"JobId={state.task}", "StartTime=now+15"], check=False)
        return all(state.ended for state in slurm.states(job))

    wait_for(ended, "the end of the job")
    return " ".join(sorted({state.state for state in slurm.states(job)}))


@pytest.fixture(scope="module")
def alone(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same study on this machine, one trial after another, without Ray."""
    folder = tmp_path_factory.mktemp("alone")
    line = [sys.executable, "-m", "sweeps.launch", STUDY, *SWEEP, "--engine", "in-process", "--out", str(folder),
            "--cache-dir", str(shared / "cache")]  # fmt: skip
    subprocess.run(line, check=True, timeout=LONGEST_S, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return folder


def differences(one: Path, other: Path) -> list[str]:
    with open_store(database_url(one), create=False) as left, open_store(database_url(other), create=False) as right:
        assert len(left.evaluations(STUDY, LABEL)) == NUM_EVALUATIONS
        return compare(left, right, STUDY, LABEL, left_dir=one, right_dir=other)


def log_of(out: Path, job: int) -> str:
    return "".join(file.read_text() for file in (out / "slurm").glob(f"{STUDY}-*-{job}*.log"))


# Loaded by every worker before its first trial: these short trials would end on the nodes that are ready first.
MEETING = """
import os, pathlib, time
if "RAY_RAYLET_PID" in os.environ:  # in a worker
    place = pathlib.Path(os.environ["MEETING_PLACE"])
    (place / f"{os.uname().nodename}-{os.getpid()}").touch()
    deadline = time.monotonic() + 90
    while len(list(place.iterdir())) < int(os.environ["MEETING_OF"]) and time.monotonic() < deadline:
        time.sleep(0.2)
"""


@pytest.fixture
def meeting(out: Path) -> Iterator[list[str]]:
    """Options of a study whose trials begin once there is a worker on every node."""
    place, plugin = out.with_suffix(".meeting"), out.with_suffix(".py")
    place.mkdir(parents=True)
    plugin.write_text(MEETING + SOUND["penalty"])
    variables = f"export MEETING_PLACE={place} MEETING_OF={NUM_NODES}"
    yield ["--setup", variables, "--plugin", str(plugin)]
    shutil.rmtree(place)
    plugin.unlink()


def test_a_study_on_three_nodes_is_preempted_goes_on_and_ends_with_the_same_numbers(
    submit: Submit, out: Path, alone: Path, meeting: list[str]
) -> None:
    begun = time.monotonic()
    job = submit(
        "--partition", "spot", "--nodes", NUM_NODES, "--cpus-per-node", 1, "--gpus-per-node", 1, "--gpus-per-trial", 0,
        "--time", 20, *meeting,
    )  # fmt: skip
    wait_for(lambda: rows(out, "SELECT 1 FROM attempts"), "the first trial")
    after_s = time.monotonic() - begun
    wait_for(lambda: len(rows(out, "SELECT 1 FROM evaluations")) >= 4, "the fourth evaluation")
    subprocess.run(
        ["srun", "--partition=main", f"--nodes={NUM_NODES}", "--ntasks-per-node=1", "--cpus-per-task=2", "true"],
        check=True, timeout=120, capture_output=True,
    )  # fmt: skip
    assert "unfinished" in log_of(out, job) or slurm.states(job)[0].state != "RUNNING"
    assert end_of(job, out) == "COMPLETED", log_of(out, job)
    hosts = {host for (host,) in rows(out, "SELECT DISTINCT host FROM attempts")}
    assert len(hosts) == NUM_NODES or not Path("/run/netns").exists(), hosts  # nodes that share one host share its name
    assert not differences(alone, out)
    told = by_line("status", "--out", out)
    assert str(job) in told
    assert "COMPLETED" in told
    assert f"{NUM_TRIALS} completed" in told
    assert "Report: " in by_line("logs", job, "--out", out)
    print(f"first trial {after_s:.0f} s after the submission")


def test_array_tasks_share_a_study(submit: Submit, out: Path, alone: Path) -> None:
    job = submit("--array", 2, "--cpus-per-node", 1, "--time", 10)
    assert end_of(job, out) == "COMPLETED", log_of(out, job)
    assert sorted(rows(out, "SELECT count(*) FROM attempts GROUP BY trial")) == [(1,)] * NUM_TRIALS
    assert not differences(alone, out)


def running(job: int) -> list[slurm.JobState]:
    return [state for state in slurm.states(job) if state.state == "RUNNING"]


def test_a_task_is_cancelled_alone_and_a_job_whole_and_neither_starts_again(submit: Submit, out: Path) -> None:
    """The last task's number as a job is that of the whole array."""
    before = scratch_folders()
    job = submit("--array", 2, "--cpus-per-node", 1, "--time", 10, "--seeds", 8)  # minutes: no task ends by itself
    wait_for(lambda: "preparing" in log_of(out, job) and len(running(job)) == 2, "both tasks")
    by_line("cancel", f"{job}_1", "--out", out)
    first, last = (state.state.split()[0] for state in slurm.states(job))
    assert (first, last) == ("RUNNING", "CANCELLED")

    by_line("cancel", job, "--out", out)
    time.sleep(3)
    assert [state.state.split()[0] for state in slurm.states(job)] == ["CANCELLED", "CANCELLED"]
    assert "cancelled after" in log_of(out, job)
    assert not rows(out, "SELECT 1 FROM leases"), "others can run its trials at once"
    assert scratch_folders() <= before


def scratch_folders() -> set[str]:
    """Ray's folders on the nodes."""
    look = ["srun", f"--nodes={NUM_NODES}", "--ntasks-per-node=1", "--label",
            "sh", "-c", "ls -d /tmp/sngan-ray-* 2> /dev/null || true"]  # fmt: skip
    return set(subprocess.run(look, check=True, timeout=60, capture_output=True, text=True).stdout.splitlines())
