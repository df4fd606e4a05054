"""The whole quick robustness sweep: wall clock, start, gaps and packing, memory, launching again, the report.

python -m tests.benchmarks.quick_sweep [--out FOLDER] [any option of python -m sweeps.launch robustness]

The folder must be new: a sweep that is already there would be skipped. Trials begin and end as the store has it. Memory
is the proportional set size of all processes that the launch started, read every five seconds.
"""

import contextlib
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from sweeps.store import open_store
from tests.benchmarks import options
from tests.benchmarks.machine import keep
from tests.benchmarks.slots import Run, packing

LAUNCH = [sys.executable, "-m", "sweeps.launch"]


def memory_gb(process: psutil.Popen) -> float:
    """Proportional set size of a process and all that it started, GB."""
    total = 0
    for member in [process, *process.children(recursive=True)]:
        try:
            total += member.memory_full_info().pss
        except psutil.Error:
            continue
    return total / 1e9


def timed(command: list[str]) -> tuple[float, float]:
    """Wall-clock seconds and peak memory in GB of a command that must succeed."""
    start, peak = time.perf_counter(), 0.0
    process = psutil.Popen(command)
    while process.poll() is None:
        peak = max(peak, memory_gb(process))
        try:
            process.wait(timeout=5)
        except psutil.TimeoutExpired:
            continue
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command)
    return time.perf_counter() - start, peak


def trial_runs(database: Path) -> list[Run]:
    """Beginning and end of every attempt that ended with a result, seconds since 1970."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT start, end FROM attempts WHERE end IS NOT NULL AND error = ''").fetchall()
    return [Run(*(datetime.fromisoformat(when).replace(tzinfo=UTC).timestamp() for when in row)) for row in rows]


def main() -> None:
    parser = options.parser(__doc__)
    parser.add_argument("--out", type=Path, help="kept; else the folder is removed at the end")
    known, rest = parser.parse_known_args()
    if known.smoke:
        rest = ["--methods", "none", "--settings", "B,C,D"]
    with tempfile.TemporaryDirectory(prefix="sngan-bench-") as folder:
        results = measured(known.out or Path(folder) / "runs", rest)
    keep("quick_sweep", options.command(), results, smoke=known.smoke)


def measured(out: Path, rest: list[str]) -> dict[str, Any]:
    """Launch the sweep into a new folder, launch it again, write its report again; what each of them took."""
    launch = [*LAUNCH, "robustness", "--out", str(out), *rest]
    slots, began = len(os.sched_getaffinity(0)), time.time()
    sweep_s, peak_gb = timed(launch)
    packed = packing(trial_runs(out / "results.db"), began, time.time(), slots)
    again_s, _ = timed(launch)
    report_s, _ = timed([*LAUNCH, "report", "robustness", "--out", str(out), "--force"])
    store = open_store(f"sqlite:///{out / 'results.db'}")
    trials = store.trials("robustness", "quick")
    trial_s = float((trials["train_s"] + trials["evaluate_s"]).sum())
    best = store.evaluations("robustness", "quick")
    best = best[best["metric"] == "fid"]
    final = best[best["update"] == best["update"].max()]
    return {
        "trials": len(trials),
        "states": trials["state"].value_counts().to_dict(),
        "sweep_s": round(sweep_s, 1),
        "sum_of_trial_s": round(trial_s, 1),
        "sweep_s / (sum_of_trial_s / slots)": round(sweep_s / (trial_s / slots), 3),
        "slots": slots,
        "by_attempts": packed,
        "targets": {"wall / (sum of trials / slots)": 1.08, "first_trial_after_s": 6.0, "gap_s": 0.15},
        "peak_memory_gb": round(peak_gb, 2),
        "launch_again_s": round(again_s, 1),
        "report_s": round(report_s, 1),
        "best_final_fid": round(float(final["value"].min()), 2),
        "floor_fid": round(float(final["floor"].iloc[0]), 2),
    }


if __name__ == "__main__":
    main()
