"""How the platform bears many trials: 1,000, 10,000 and 100,000 of them, with 20 evaluations each, in one study.

python -m tests.benchmarks.growth [--trials 1000,10000,100000] [--out FOLDER]

The study is robustness, preset quick (10 methods x 6 settings) with as many seeds as give at least so many trials, and
20 evaluations per trial under one protocol: 2 million rows in `evaluations` at the largest size. The scores are made
up, with 2 % of the trials diverged; there are no diagnostics, spectra or image grids. Results go in through
ResultStore.register, start_attempts and record_many, in batches of 500 trials; what makes them up is not timed.
Commands run in a process of their own, start of Python and imports (torch) included.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sngan.results import Evaluation, Outcome, Score
from sngan.seeding import numpy_stream
from sweeps.store import ResultStore, open_store
from sweeps.study import STUDIES, PlannedTrial, Preset, Study, plan
from sweeps.variation import describe, vary
from tests.benchmarks import options
from tests.benchmarks.machine import keep

STUDY, PROTOCOL = "robustness", "fid/gen600-test600-digits"
CHANGES = {"updates": "100", "evaluate_every": "5", "protocols": PROTOCOL}
UPDATES = tuple(range(5, 101, 5))
BATCH = 500  # trials per transaction
DIVERGED = 0.02


def scores_of(trials: int) -> np.ndarray:
    """FIDs [trials, 20] that fall along a run; the level differs between cells, which take turns in a plan."""
    stream = numpy_stream(0, "metric")
    level = np.resize(np.linspace(1.0, 3.0, 60), trials)[:, None]
    course = 1 + 4 * np.exp(-np.arange(len(UPDATES)) / 5)
    return 10 * level * course * stream.lognormal(0.0, 0.2, (trials, len(UPDATES)))


def evaluations_of(trial: PlannedTrial, values: Sequence[float]) -> Iterator[tuple[str, Evaluation]]:
    """The evaluations of a trial with these scores."""
    for update, value in zip(UPDATES, values, strict=True):
        score = Score(
            protocol=f"{PROTOCOL}-1a2b3c4d", metric="fid", value=value, spread=None, num_generated=600, num_real=600,
            split="test", extractor="digits-1a2b3c4d", floor=1.25, seconds=0.25,
        )  # fmt: skip
        yield (
            trial.digest,
            Evaluation(
                update=update, scores=(score,), diagnostics={}, train_s=0.1 * update, evaluate_s=0.25, samples=None
            ),
        )


def fill(
    store: ResultStore,
    study: Study,
    preset: Preset,
    trials: Sequence[PlannedTrial],
    evaluations: Callable[[PlannedTrial, Sequence[float]], Iterator[tuple[str, Evaluation]]] = evaluations_of,
) -> dict[str, float]:
    """Register the trials and give all of them results; seconds of each kind of writing."""
    spent = {"register_s": 0.0, "attempts_s": 0.0, "results_s": 0.0}
    begin = time.perf_counter()
    store.register(STUDY, preset.name, describe(study, preset), trials)
    spent["register_s"] = time.perf_counter() - begin
    values, broken = scores_of(len(trials)), numpy_stream(1, "metric").random(len(trials)) < DIVERGED
    for start in range(0, len(trials), BATCH):
        rows, outcomes = [], []
        for number, trial in enumerate(trials[start : start + BATCH], start):
            rows += evaluations(trial, values[number].tolist())
            state, reason = ("diverged", "loss not finite") if broken[number] else ("completed", "")
            outcome = Outcome(state=state, update=100, reason=reason, train_s=10.0, evaluate_s=5.0)  # type: ignore[arg-type]
            outcomes.append((trial.digest, outcome))
        begin = time.perf_counter()
        digests = [digest for digest, _ in outcomes]
        store.start_attempts(digests, host="made-up", device="cpu", versions={})
        spent["attempts_s"] += time.perf_counter() - begin
        begin = time.perf_counter()
        store.record_many(rows, outcomes)
        spent["results_s"] += time.perf_counter() - begin
    return spent


def timed(arguments: Sequence[str]) -> tuple[float, float]:
    """Wall-clock seconds and peak resident memory in GB of a launch command, which must succeed."""
    begin = time.perf_counter()
    command = [sys.executable, "-m", "sweeps.launch", *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        said: list[bytes] = []
        reader = threading.Thread(target=lambda: said.append(process.stderr.read()))  # type: ignore[union-attr]
        reader.start()
        _, status, usage = os.wait4(process.pid, 0)
        reader.join()
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {said[0].decode()}")
    return time.perf_counter() - begin, usage.ru_maxrss / 1e6


def a_study() -> tuple[Study, Preset]:
    """The study, and its preset with 20 evaluations."""
    study = vary(STUDIES[STUDY], "quick", CHANGES)
    return study, next(iter(study.presets.values()))


def num_seeds(preset: Preset, num_trials: int) -> int:
    """How many seeds give at least so many trials."""
    return -(-num_trials // (len(preset.methods) * len(preset.settings)))


def measure(num_trials: int, out: Path) -> dict[str, Any]:
    """Everything at one size."""
    study, preset = a_study()
    seeds = num_seeds(preset, num_trials)
    begin = time.perf_counter()
    trials = plan(preset, seeds=seeds)
    digests = {trial.digest for trial in trials}
    row: dict[str, Any] = {"trials": len(digests), "plan_s": time.perf_counter() - begin}
    with open_store(f"sqlite:///{out / 'results.db'}") as store:
        row |= fill(store, study, preset, trials)
    num_rows = len(trials) * len(UPDATES)
    written_s = row["attempts_s"] + row["results_s"]
    row |= {"evaluations": num_rows, "rows_per_s": round(num_rows / written_s)}
    row["database_mb"] = (out / "results.db").stat().st_size / 1e6
    changes = [part for key, value in CHANGES.items() for part in ("--set", f"config.{key}={value}")]
    where = [STUDY, *changes, "--out", str(out)]
    for name, arguments in {
        "status": ["status", *where],
        "dry_run": [*where, "--seeds", str(seeds), "--dry-run"],
        "export": ["export", *where],
        "report": ["report", *where],
        "report_again": ["report", *where],
        "launch_done": [*where, "--seeds", str(seeds), "--no-mlflow"],
    }.items():
        row[f"{name}_s"], row[f"{name}_gb"] = timed(arguments)
    row["page_mb"] = next(out.glob("reports/*/index.html")).stat().st_size / 1e6
    return {key: round(value, 2) if isinstance(value, float) else value for key, value in row.items()}


def main() -> None:
    made = options.parser(__doc__)
    made.add_argument("--trials", default="1000,10000,100000", help="sizes, with commas  [default: %(default)s]")
    made.add_argument("--out", type=Path, help="new folder for the stores  [default: a temporary one]")
    arguments = options.parsed(made)
    sizes = [120] if arguments.smoke else [int(size) for size in arguments.trials.split(",")]
    with tempfile.TemporaryDirectory(prefix="sngan-bench-") as temporary:
        rows = {}
        for size in sizes:
            folder = (arguments.out or Path(temporary)) / str(size)
            rows[f"{size} trials"] = measure(size, folder)
    keep("growth", options.command(), rows, smoke=arguments.smoke)


if __name__ == "__main__":
    main()
