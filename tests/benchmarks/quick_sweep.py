"""The whole quick robustness sweep: wall clock, packing, memory, launching again, the report.

python -m tests.benchmarks.quick_sweep [--out FOLDER] [any option of python -m sweeps.launch robustness]

The folder must be new: a sweep that is already there would be skipped. Memory is the proportional set size of all
processes that the launch started, read every five seconds.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from sweeps.store import open_store
from tests.benchmarks.machine import keep

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(tempfile.mkdtemp(prefix="sngan-bench-")) / "runs")
    known, rest = parser.parse_known_args()
    launch = [*LAUNCH, "robustness", "--out", str(known.out), *rest]
    sweep_s, peak_gb = timed(launch)
    again_s, _ = timed(launch)
    report_s, _ = timed([*LAUNCH, "report", "robustness", "--out", str(known.out), "--force"])
    store = open_store(f"sqlite:///{known.out / 'results.db'}")
    trials = store.trials("robustness", "quick")
    trial_s = float((trials["train_s"] + trials["evaluate_s"]).sum())
    best = store.evaluations("robustness", "quick")
    best = best[best["metric"] == "fid"]
    final = best[best["update"] == best["update"].max()]
    keep(
        "quick_sweep",
        "python -m tests.benchmarks.quick_sweep",
        {
            "trials": len(trials),
            "states": trials["state"].value_counts().to_dict(),
            "sweep_s": round(sweep_s, 1),
            "sum_of_trial_s": round(trial_s, 1),
            "sweep_s / (sum_of_trial_s / 2)": round(sweep_s / (trial_s / 2), 3),
            "peak_memory_gb": round(peak_gb, 2),
            "launch_again_s": round(again_s, 1),
            "report_s": round(report_s, 1),
            "best_final_fid": round(float(final["value"].min()), 2),
            "floor_fid": round(float(final["floor"].iloc[0]), 2),
        },
    )


if __name__ == "__main__":
    main()
