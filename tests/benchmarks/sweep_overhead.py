"""What a sweep costs beside its trials: ours with store and MLflow mirror, and Ray Tune with its stock MLflow callback.

python -m tests.benchmarks.sweep_overhead [--trials N] [--seconds S] [--turns N]

The same short trial (tests.benchmarks.fixed_trials), one per core at a time, on both in turns; a run is a process of
its own, from its command to its end. Trials write down when they began and ended, so that both are measured in one way.
The trials of a real sweep are longer: what counts is the seconds at the start and between two trials in a slot.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks import options
from tests.benchmarks.fixed_trials import work
from tests.benchmarks.machine import keep
from tests.benchmarks.slots import Run, packing
from tests.benchmarks.turns import COMPARISON, Turns, comparison_rows, show, spread

NAME = "sweep_overhead"
SIDES = {"ours": "ours", "Ray Tune + MLflow callback": "tune_and_mlflow"}
TARGETS = {"first_trial_after_s": 6.0, "gap_s": 0.15}
_CODE = """
import sys
from tests.benchmarks import fixed_trials
getattr(fixed_trials, sys.argv[1])(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
"""


def steps_of(seconds: float) -> int:
    """Steps of a trial that takes about so long here, with one thread."""
    with tempfile.TemporaryDirectory() as folder:
        trial_s = []
        for _ in range(2):  # the first one warms up
            start = time.perf_counter()
            work(lambda part: None, Path(folder), 0, 60)
            trial_s.append(time.perf_counter() - start)
    return max(3, round(60 * seconds / trial_s[-1]))


def swept(side: str, num_trials: int, steps: int, num_slots: int) -> dict[str, Any]:
    """One sweep, as `packing` tells of it. Raises CalledProcessError where it does not end well."""
    with tempfile.TemporaryDirectory(prefix="sngan-") as folder:
        command = [sys.executable, "-c", _CODE, SIDES[side], folder, str(num_trials), str(steps)]
        began = time.time()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=Path.cwd())
        ended = time.time()
        runs = [Run(*json.loads((Path(folder) / f"{number}.json").read_text())) for number in range(num_trials)]
    return packing(runs, began, ended, num_slots)


def main() -> None:
    made = options.parser(__doc__)
    made.add_argument("--trials", type=int, default=24)
    made.add_argument("--seconds", type=float, default=1.0, help="of a trial, about")
    made.add_argument("--turns", type=int, default=3)
    arguments = options.parsed(made)
    num_trials, turns, seconds = arguments.trials, arguments.turns, arguments.seconds
    if arguments.smoke:
        num_trials, turns, seconds = 4, 1, 0.2
    num_slots = len(os.sched_getaffinity(0))
    steps = steps_of(seconds)
    found: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    for _ in range(turns):
        for side, sweeps in found.items():
            sweeps.append(swept(side, num_trials, steps, num_slots))
    results: dict[str, Any] = {"trials": num_trials, "steps of a trial": steps, "slots": num_slots, "sweeps": found}
    lines = []
    for case in ("wall_s", "first_trial_after_s", "gap_s", "end_after_last_trial_s", "overhead_per_trial_s"):
        taken = Turns({side: [_median_of(sweep[case]) for sweep in sweeps] for side, sweeps in found.items()})
        results[case] = taken.compared("ours")
        if case in TARGETS:
            results[case]["target of ours, s"] = TARGETS[case]
        rows = comparison_rows(case, taken, "ours")
        lines += [[*row[:4], f"ours <= {TARGETS[case]:g} s" if case in TARGETS else ""] for row in rows]
    for side, sweeps in found.items():
        packed = spread([sweep["wall / (sum of trials / slots)"] for sweep in sweeps])
        lines.append(["wall / (sum of trials / slots)", side, str(packed), "", ""])
    show(f"{num_trials} trials, {num_slots} at a time", COMPARISON, lines)
    keep(NAME, options.command(), results, smoke=arguments.smoke, shown=True)


def _median_of(value: Any) -> float:
    return float(value["median"] if isinstance(value, dict) else value)


if __name__ == "__main__":
    main()
