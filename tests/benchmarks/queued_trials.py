"""Ten thousand tiny trials in one study: trials per minute, memory of the launch, size of the database as it grows.

python -m tests.benchmarks.queued_trials [--trials 10000] [--slurm FOLDER --nodes 3]

A trial is two updates and one evaluation: what is measured is the queue. With --slurm the study is a job on as many
nodes, which must see FOLDER; those of an emulated cluster share the cores of one machine. Memory is the resident set
size of the launch alone, read with the number of trials that have ended.
"""

import contextlib
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from sweeps.clusters import slurm
from tests.benchmarks import options
from tests.benchmarks.machine import keep

NAME = "queued_trials"
STUDY = "cost"
_TINY = ["config.updates=2", "config.evaluate_every=2", "config.batch_size=2", "config.generator_batch_size=2",
         "config.protocols=fid/gen100-test100-digits"]  # fmt: skip
_LOOK_S = 10.0
_MOST_ROWS = 50  # of what is kept


def words(out: Path, num_trials: int) -> list[str]:
    """The study and its options."""
    changes = [word for change in _TINY for word in ("--set", change)]
    return [STUDY, "--methods", "none,sn", "--settings", "B", "--seeds", str(num_trials // 2), "--no-mlflow",
            "--out", str(out), *changes]  # fmt: skip


def num_ended(database: Path) -> int:
    """Trials with a result so far."""
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as it,
    ):
        return int(it.execute("SELECT count(*) FROM checksums").fetchone()[0])
    return 0


def drivers(out: Path) -> list[psutil.Process]:
    """The launches into a folder, on whichever node of this machine."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            line = process.cmdline()
            if "sweeps.launch" in line and str(out) in line:
                found.append(process)
    return found


def begun_here(out: Path, num_trials: int) -> Callable[[], bool]:
    """Launch on this machine; what is returned says whether it has ended."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sweeps.launch", *words(out, num_trials)], stdout=subprocess.DEVNULL
    )
    return lambda: process.poll() is not None


def begun_on_slurm(out: Path, num_trials: int, nodes: int) -> Callable[[], bool]:
    """Submit; what is returned says whether the job has ended."""
    line = [sys.executable, "-m", "sweeps.submit", "slurm", *words(out, num_trials), "--nodes", str(nodes),
            "--cpus-per-node", "2", "--time", "240"]  # fmt: skip
    told = subprocess.run(line, check=True, capture_output=True, text=True).stdout
    found = re.search(r"Submitted as job (\d+)", told)
    assert found, told
    job = int(found[1])
    return lambda: all(state.ended for state in slurm.states(job))


def measured(out: Path, num_trials: int, has_ended: Callable[[], bool]) -> dict[str, Any]:
    """The course until the end."""
    begun_s, course = time.monotonic(), []
    database = out / "results.db"
    while not has_ended():
        time.sleep(_LOOK_S)
        ended = num_ended(database)
        memory_mb = sum(process.memory_info().rss for process in drivers(out)) / 1e6
        size_mb = sum(file.stat().st_size for file in out.glob("results.db*")) / 1e6
        course.append([round(time.monotonic() - begun_s), ended, round(memory_mb), round(size_mb, 1)])
        print(f"{course[-1][0]} s: {ended} trials, {memory_mb:.0f} MB, database {size_mb:.1f} MB", flush=True)
    took_s = time.monotonic() - begun_s
    ended = num_ended(database)
    assert ended == num_trials, f"{ended} of {num_trials} trials have a result"
    busy = [row for row in course if 0 < row[1] < num_trials]
    halves = busy[: len(busy) // 2], busy[len(busy) // 2 :]
    return {
        "trials": num_trials,
        "seconds, all": round(took_s, 1),
        "trials per minute": round(60 * ended / took_s, 1),
        "trials per minute, first and second half": [_rate(half) for half in halves],
        "launch, MB, when trials ran, lowest and highest": [min(r[2] for r in busy), max(r[2] for r in busy)]
        if busy
        else [],
        "launch, MB, at most": max(row[2] for row in course),
        "database, MB": course[-1][3],
        "course: s, ended, MB, MB": course[:: -(-len(course) // _MOST_ROWS)],
    }


def _rate(rows: list[list[float]]) -> float | None:
    if len(rows) < 2:
        return None
    return round(60 * (rows[-1][1] - rows[0][1]) / (rows[-1][0] - rows[0][0]), 1)


def main() -> None:
    made = options.parser(__doc__)
    made.add_argument("--trials", type=int, default=10_000)
    made.add_argument("--slurm", type=Path, metavar="FOLDER", help="an empty folder that all nodes see")
    made.add_argument("--nodes", type=int, default=3)
    arguments = made.parse_args()
    num_trials = 4 if arguments.smoke else arguments.trials
    with tempfile.TemporaryDirectory(prefix="sngan-bench-", dir=arguments.slurm) as name:
        out = Path(name) / "runs"
        if arguments.slurm is None:
            has_ended = begun_here(out, num_trials)
        else:
            has_ended = begun_on_slurm(out, num_trials, arguments.nodes)
        results = measured(out, num_trials, has_ended)
    places = "this machine" if arguments.slurm is None else f"{arguments.nodes} nodes of a Slurm cluster"
    command = options.command().replace(str(arguments.slurm), "FOLDER")
    keep(NAME, command, {"places": places, **results}, smoke=arguments.smoke)


if __name__ == "__main__":
    main()
