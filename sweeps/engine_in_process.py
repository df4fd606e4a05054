"""The engine without Ray: one trial after another in this process, for debugging and for machines without Ray."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from sngan.results import Evaluation, Report
from sweeps.engine_interface import (
    Attempt,
    Claims,
    EngineOptions,
    EngineResult,
    Listener,
    RunTrial,
    error_text,
    gpus_of_a_trial,
    machine_gpus,
)
from sweeps.object_storage import LocalFolder
from sweeps.provenance import host_name, versions
from sweeps.signals import interrupt, signals_handled
from sweeps.study import PlannedTrial

_ASK_AGAIN_S = 2.0


def run_in_process(
    batches: Iterator[Sequence[PlannedTrial]],
    options: EngineOptions,
    listener: Listener,
    run_trial: RunTrial,
    claims: Claims,
) -> EngineResult:
    """One trial after another, without retries: an error is shown once, where it happened."""
    gpus = gpus_of_a_trial(options, machine_gpus(options))
    run_options = options.run_options(gpus)
    attempt = Attempt(host=host_name(), device=run_options.device, versions=versions())
    finished: set[str] = set()
    failed: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="sngan-") as private, signals_handled(interrupt):
        files = LocalFolder(options.storage, Path(private))
        try:
            for trial in _claimed(batches, claims, listener):
                listener.on_start(trial, attempt)
                try:
                    with files.options(run_options, [trial.digest]) as here:
                        outcome = run_trial(trial.config, here, _forward(trial, listener))
                except _ListenerError as error:
                    raise error.reason from None
                except Exception as error:
                    failed[trial.digest] = files.told(error_text(error))
                    listener.on_failure(trial, failed[trial.digest], final=True)
                else:
                    finished.add(trial.digest)
                    listener.on_finish(trial, outcome)
        except KeyboardInterrupt:
            return EngineResult(finished=frozenset(finished), failed=failed, interrupted=True)
    return EngineResult(finished=frozenset(finished), failed=failed, interrupted=False)


def _claimed(batches: Iterator[Sequence[PlannedTrial]], claims: Claims, listener: Listener) -> Iterator[PlannedTrial]:
    """The trials that are ours, one by one; each batch ends when all its trials have."""
    for batch in batches:
        left = {trial.digest: trial for trial in batch}
        while left:
            if taken := claims.take(list(left), 1):
                yield left.pop(taken[0])
                continue
            if ended := claims.ended(list(left)):
                listener.on_elsewhere(ended)
                left = {digest: trial for digest, trial in left.items() if digest not in ended}
            elif left:
                time.sleep(_ASK_AGAIN_S)


class _ListenerError(Exception):
    """The listener failed while a trial was reporting: the sweep's error, not the trial's."""

    def __init__(self, reason: Exception) -> None:
        self.reason = reason


def _forward(trial: PlannedTrial, listener: Listener) -> Report:
    def report(evaluation: Evaluation) -> None:
        try:
            listener.on_evaluation(trial, evaluation)
        except Exception as error:
            raise _ListenerError(error) from error

    return report
