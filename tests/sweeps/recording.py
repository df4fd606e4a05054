"""A listener that writes down what it is told, and trials that go wrong in their own ways.

Ray's workers import this module: a trial function is found by its name.
"""

import json
import os
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from sngan.config import TrialConfig
from sngan.errors import InputError
from sngan.results import Evaluation, Outcome, Report, RunOptions
from sweeps.engine import Attempt, EngineOptions, run
from sweeps.study import PlannedTrial


class Recorder:
    """Everything that a listener was told: (event, seed, details), in order."""

    def __init__(self) -> None:
        self.events: list[tuple[str, int, Any]] = []

    def on_start(self, trial: PlannedTrial, attempt: Attempt) -> None:
        self.events.append(("start", trial.seed, attempt))

    def on_evaluation(self, trial: PlannedTrial, evaluation: Evaluation) -> None:
        self.events.append(("evaluation", trial.seed, evaluation))

    def on_finish(self, trial: PlannedTrial, outcome: Outcome) -> None:
        self.events.append(("finish", trial.seed, outcome))

    def on_failure(self, trial: PlannedTrial, error: str, final: bool) -> None:
        self.events.append(("failure", trial.seed, (error, final)))

    def on_elsewhere(self, states: Mapping[str, str]) -> None:
        self.events.append(("elsewhere", len(states), dict(states)))

    def told(self, seed: int) -> list[str]:
        """Names of the events of one trial, in order."""
        return [name for name, of, _ in self.events if of == seed]

    def details(self, name: str, seed: int) -> list[Any]:
        """What came with the events of one kind of one trial."""
        return [details for event, of, details in self.events if (event, of) == (name, seed)]

    def scores(self) -> dict[tuple[int, int, str], float | None]:
        """(seed, update, protocol) -> value."""
        return {
            (seed, details.update, score.protocol): score.value
            for name, seed, details in self.events
            if name == "evaluation"
            for score in details.scores
        }


class Full(Recorder):
    """A listener whose disk is full."""

    def on_evaluation(self, trial: Any, evaluation: Evaluation) -> None:
        super().on_evaluation(trial, evaluation)
        raise InputError("database or disk is full")


def planned(config: TrialConfig, num_seeds: int) -> list[PlannedTrial]:
    """The same trial with seeds 0, 1, ..."""
    return [
        PlannedTrial(method="sn", setting="A", seed=seed, config=config.replace(seed=seed)) for seed in range(num_seeds)
    ]


def engine_options(folder: Path, *, cache_dir: Path | None = None, **changes: Any) -> EngineOptions:
    """Options that keep everything below `folder` and use no GPU, unless changed."""
    run = RunOptions(cache_dir=cache_dir or folder / "cache", storage_dir=folder, device="auto")
    return EngineOptions(**{"run": run, "gpus_per_trial": 0.0, **changes})


def evaluation(update: int) -> Evaluation:
    """An evaluation that measured nothing."""
    return Evaluation(update=update, scores=(), diagnostics={}, train_s=0.5, evaluate_s=0.25, samples=None)


def outcome(state: Any, update: int, reason: str = "") -> Outcome:
    return Outcome(state=state, update=update, reason=reason, train_s=0.5, evaluate_s=0.25)


def troubled(config: TrialConfig, options: RunOptions, report: Report) -> Outcome:
    """Seed 0 loses its process once, 1 raises always, 2 is a user's mistake, 3 diverges, others complete."""
    assert options.storage_dir is not None
    marker = options.storage_dir / f"attempted-{config.seed}"
    first = not marker.exists()
    marker.touch()
    report(evaluation(1))
    if config.seed == 0 and first:
        os.kill(os.getpid(), signal.SIGKILL)
    if config.seed == 1:
        raise RuntimeError("this always\nhappens")
    if config.seed == 2:
        raise InputError("the checkpoint is damaged.\nMove it away.")
    if config.seed == 3:
        return outcome("diverged", 1, "loss not finite")
    report(evaluation(2))
    return outcome("completed", 2)


def observed(config: TrialConfig, options: RunOptions, report: Report) -> Outcome:
    """Write down when, where and with what the trial ran."""
    assert options.storage_dir is not None
    torch.set_num_threads(options.num_threads)
    start = time.time()
    time.sleep(1.0)
    seen = {
        "seed": config.seed,
        "start": start,
        "end": time.time(),
        "pid": os.getpid(),
        "torch_threads": torch.get_num_threads(),
        "omp_threads": os.environ.get("OMP_NUM_THREADS"),
        "gpus": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "device": options.device,
    }
    (options.storage_dir / f"seen-{config.seed}.json").write_text(json.dumps(seen))
    return outcome("completed", config.updates)


def observed_together(config: TrialConfig, options: RunOptions, report: Report) -> Outcome:
    """`observed`, once a second trial has begun: on a busy machine the next process may take long to start."""
    assert options.storage_dir is not None
    (options.storage_dir / f"begun-{config.seed}").touch()
    deadline = time.time() + 60
    while len(list(options.storage_dir.glob("begun-*"))) < 2 and time.time() < deadline:
        time.sleep(0.05)
    return observed(config, options, report)


def seen(folder: Path) -> list[dict[str, Any]]:
    """What `observed` wrote, by seed."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("seen-*.json"))]


def endless(config: TrialConfig, options: RunOptions, report: Report) -> Outcome:
    """A trial whose next evaluation is far away."""
    report(evaluation(1))
    time.sleep(3600)
    return outcome("completed", config.updates)


class Later:
    """Two further batches, and what was known to have ended when each was asked for."""

    def __init__(self, trials: list[PlannedTrial], recorder: Recorder) -> None:
        self.trials, self.recorder = trials, recorder
        self.ended: list[set[int]] = []

    def __iter__(self) -> Iterator[list[PlannedTrial]]:
        for batch in (self.trials[2:3], [], self.trials[3:]):
            self.ended.append({seed for name, seed, _ in self.recorder.events if name == "finish"})
            yield batch


def assert_in_batches(folder: Path, **changes: Any) -> None:
    """An engine asks for further batches when the one before has ended. changes : of its options."""
    trials, recorder = planned(TrialConfig(updates=2), 9)[4:], Recorder()
    later = Later(trials, recorder)
    result = run(trials[:2], engine_options(folder, **changes), recorder, troubled, then=later)
    assert result.finished == {trial.digest for trial in trials}
    assert later.ended == [{4, 5}, {4, 5, 6}, {4, 5, 6}]
