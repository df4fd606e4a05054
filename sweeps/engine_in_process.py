"""The engine without Ray: one trial after another in this process, for debugging and for machines without Ray."""

import itertools
from collections.abc import Iterator, Sequence

from sngan.results import Evaluation, Report
from sweeps.engine_interface import (
    Attempt,
    EngineOptions,
    EngineResult,
    Listener,
    RunTrial,
    error_text,
    gpus_of_a_trial,
    machine_gpus,
)
from sweeps.provenance import host_name, versions
from sweeps.signals import interrupt, signals_handled
from sweeps.study import PlannedTrial


def run_in_process(
    batches: Iterator[Sequence[PlannedTrial]], options: EngineOptions, listener: Listener, run_trial: RunTrial
) -> EngineResult:
    """One trial after another, without retries: an error is shown once, where it happened."""
    gpus = gpus_of_a_trial(options, machine_gpus(options))
    run_options = options.run_options(gpus)
    attempt = Attempt(host=host_name(), device=run_options.device, versions=versions())
    finished: set[str] = set()
    failed: dict[str, str] = {}
    with signals_handled(interrupt):
        try:
            for trial in itertools.chain.from_iterable(batches):
                listener.on_start(trial, attempt)
                try:
                    outcome = run_trial(trial.config, run_options, _forward(trial, listener))
                except _ListenerError as error:
                    raise error.reason from None
                except Exception as error:
                    failed[trial.digest] = error_text(error)
                    listener.on_failure(trial, failed[trial.digest], final=True)
                else:
                    finished.add(trial.digest)
                    listener.on_finish(trial, outcome)
        except KeyboardInterrupt:
            return EngineResult(finished=frozenset(finished), failed=failed, interrupted=True)
    return EngineResult(finished=frozenset(finished), failed=failed, interrupted=False)


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
