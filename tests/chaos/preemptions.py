"""python -m tests.chaos.preemptions --times 20 [--seed 0]: jobs preempted at random moments, which end by themselves.

Nobody helps: Slurm starts a preempted job again (the two minutes for which it holds one are shortened). For each
preemption, the work that is done again is bounded by the age of the checkpoints of trials that ran when their workers
were last seen. What is done is kept after every study: the same command again goes on.
"""

import argparse
import json
import shutil
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from sngan.results import RunOptions
from tests.benchmarks import options
from tests.benchmarks.machine import describe_machine
from tests.chaos.surroundings import Slurm
from tests.chaos.table import PREEMPTIONS_FILE, write_page
from tests.chaos.unharmed import unharmed
from tests.chaos.victim import asked, finished_of, problems

PER_STUDY = 5
LONGEST_S = 1800.0
LATEST_S = 40.0
_LOOK_S = 0.5
_BEGUN = (
    "SELECT digest, max(start) FROM trials JOIN attempts ON trial = digest "
    "WHERE state NOT IN ('completed', 'diverged') GROUP BY digest"
)


class Watch:
    """When workers of a job were last seen, in a thread; `last_s` is a time of day."""

    def __init__(self, at: Slurm) -> None:
        self._at = at
        self.last_s = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_LOOK_S):
            if self._at.victim.workers():
                self.last_s = time.time()


def main() -> None:
    """Preempt until it was often enough."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--times", type=int, default=20)
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--folder", type=Path, default=Path("runs/chaos"), help="where studies run; nodes must see it")
    arguments = made.parse_args()
    if reason := Slurm.missing():
        raise SystemExit(f"left out: {reason}")
    folder = arguments.folder.absolute()
    results = json.loads(PREEMPTIONS_FILE.read_text()) if PREEMPTIONS_FILE.exists() else {"studies": []}
    expected = unharmed(folder)
    while (done := sum(len(each["preemptions"]) for each in results["studies"])) < arguments.times:
        number = len(results["studies"])
        place = folder / f"preempted-{number}"
        shutil.rmtree(place, ignore_errors=True)
        print(f"study {number + 1}: {done} of {arguments.times} preemptions so far", flush=True)
        with Slurm(place, folder / "cache") as at:
            times = min(PER_STUDY, arguments.times - done)
            results["studies"].append(_preempted(at, Random(f"{arguments.seed}-{number}"), times, expected))
        shutil.rmtree(place, ignore_errors=True)
        results |= {
            "command": options.command("tests.chaos.preemptions"),
            "machine": describe_machine(),
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "checkpoint_every_s": RunOptions(cache_dir=folder).checkpoint_every_s,
        }
        PREEMPTIONS_FILE.write_text(json.dumps(results, indent=1) + "\n")
    print(write_page())


def _preempted(at: Slurm, random: Random, times: int, expected: Path) -> dict[str, Any]:
    """One study, preempted so many times, unless it ends before."""
    begun_s = time.monotonic()
    happened: list[dict[str, Any]] = []
    ever_finished: dict[str, str] = {}
    at.victim.begin()
    reached, wait_until_s, run_begun_s = 0, 0.0, time.time()
    while not at.victim.has_ended():
        assert time.monotonic() - begun_s < LONGEST_S, "the study does not come to its end"
        time.sleep(_LOOK_S)
        ever_finished |= finished_of(at.victim.database)
        # At a random moment of a run that has come to something: trials that begin now have no checkpoint yet.
        if len(happened) == times or at.victim.num_evaluations() == reached:
            continue
        wait_until_s = wait_until_s or time.monotonic() + random.uniform(0, LATEST_S)
        if time.monotonic() < wait_until_s:
            continue
        with Watch(at) as watch:
            if not at.victim.preempt():
                continue
        repeated_s = _repeated_s(at, run_begun_s, watch.last_s)
        reached, wait_until_s, run_begun_s = at.victim.num_evaluations(), 0.0, time.time()
        happened.append({"after": reached, "repeated_s": repeated_s})
        print(f"  preempted after {reached} evaluations: at most {max(repeated_s, default=0)} s again", flush=True)
    found = problems(at.victim, expected, ever_finished)
    took_s = round(time.monotonic() - begun_s)
    print(f"  job ended with {at.victim.codes} after {took_s} s: {found}", flush=True)
    return {"preemptions": happened, "codes": at.victim.codes, "seconds": took_s, "problems": found}


def _repeated_s(at: Slurm, begun_s: float, ended_s: float) -> list[float]:
    """For each trial of a run without a result: s from its newest checkpoint, or its start, to the end of workers."""
    found = []
    for digest, start in asked(at.victim.database, _BEGUN):
        since_s = datetime.fromisoformat(start).replace(tzinfo=UTC).timestamp()
        if since_s < begun_s:  # it waited in this run
            continue
        file = at.victim.folder / "checkpoints" / digest / "state.pt"
        if file.exists():
            since_s = max(since_s, file.stat().st_mtime)
        found.append(round(max(0.0, ended_s - since_s), 1))
    return found


if __name__ == "__main__":
    main()
