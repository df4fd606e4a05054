"""How full the slots of a sweep were: when its first trial began, and how long a slot was idle between two trials."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from tests.benchmarks.turns import spread


class Run(NamedTuple):
    """Beginning and end of a trial, in seconds of one clock."""

    start: float
    end: float


def gaps(runs: Sequence[Run], num_slots: int) -> list[float]:
    """Seconds between the end of a trial and the start of the next one in its slot.

    Which slot a trial had is not known: it is taken to have had the one that was free for the longest time. A trial
    that begins before any slot is free, by rounding, follows the one that ends first.
    """
    found: list[float] = []
    free: list[float] = []  # when each slot in use became, or becomes, free
    for run in sorted(runs):
        if len(free) == num_slots:
            ended = min(free)
            free.remove(ended)
            found.append(max(0.0, run.start - ended))
        free.append(run.end)
    return found


def packing(runs: Sequence[Run], began: float, ended: float, num_slots: int) -> dict[str, Any]:
    """What is told of a command that ran from `began` to `ended` with `num_slots` trials at a time."""
    busy = sum(run.end - run.start for run in runs)
    wall = ended - began
    idle = gaps(runs, num_slots)
    return {
        "wall_s": round(wall, 2),
        "first_trial_after_s": round(min(run.start for run in runs) - began, 2),
        "end_after_last_trial_s": round(ended - max(run.end for run in runs), 2),
        "gap_s": {name: round(value, 3) for name, value in spread(idle)._asdict().items()} if idle else None,
        "longest_gap_s": round(max(idle, default=0.0), 3),
        "sum_of_trial_s": round(busy, 2),
        "overhead_per_trial_s": round((wall - busy / num_slots) * num_slots / len(runs), 3),
        "wall / (sum of trials / slots)": round(wall / (busy / num_slots), 3),
    }
