"""What listens to an engine: the writer of the store, what follows a whole launch, and several listeners as one."""

import contextlib
from collections.abc import Callable, Mapping, Sequence

from sngan.results import Evaluation, Outcome
from sweeps.claims import Verdict
from sweeps.costs import CostEstimate
from sweeps.engine_interface import Attempt, Listener
from sweeps.store import ResultStore
from sweeps.study import PlannedTrial


class StoreWriter:
    """The listener that writes the store: only the driver does."""

    def __init__(self, store: ResultStore) -> None:
        self._store = store

    def on_start(self, trial: PlannedTrial, attempt: Attempt) -> None:
        """Open an attempt."""
        self._store.start_attempt(trial.digest, host=attempt.host, device=attempt.device, versions=attempt.versions)

    def on_evaluation(self, trial: PlannedTrial, evaluation: Evaluation) -> None:
        """Record the scores."""
        self._store.record(trial.digest, evaluation)

    def on_finish(self, trial: PlannedTrial, outcome: Outcome) -> None:
        """Close the attempt with a result."""
        self._store.finish(trial.digest, outcome)

    def on_failure(self, trial: PlannedTrial, error: str, final: bool) -> None:
        """Close the attempt with its error; a trial that is tried again is queued."""
        self._store.fail(trial.digest, error, final=final)

    def on_elsewhere(self, states: Mapping[str, str]) -> None:
        """Nothing: it was read from the store."""


class Listeners:
    """Several listeners as one, told in their order."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = listeners

    def on_start(self, trial: PlannedTrial, attempt: Attempt) -> None:
        """See Listener."""
        for listener in self._listeners:
            listener.on_start(trial, attempt)

    def on_evaluation(self, trial: PlannedTrial, evaluation: Evaluation) -> None:
        """See Listener."""
        for listener in self._listeners:
            listener.on_evaluation(trial, evaluation)

    def on_finish(self, trial: PlannedTrial, outcome: Outcome) -> None:
        """See Listener."""
        for listener in self._listeners:
            listener.on_finish(trial, outcome)

    def on_failure(self, trial: PlannedTrial, error: str, final: bool) -> None:
        """See Listener."""
        for listener in self._listeners:
            listener.on_failure(trial, error, final)

    def on_elsewhere(self, states: Mapping[str, str]) -> None:
        """See Listener."""
        for listener in self._listeners:
            listener.on_elsewhere(states)


class Observer:
    """A listener that follows what a launch does around its engine, too. This one takes no notice of anything."""

    def on_start(self, trial: PlannedTrial, attempt: Attempt) -> None:
        """See Listener."""

    def on_evaluation(self, trial: PlannedTrial, evaluation: Evaluation) -> None:
        """See Listener."""

    def on_finish(self, trial: PlannedTrial, outcome: Outcome) -> None:
        """See Listener."""

    def on_failure(self, trial: PlannedTrial, error: str, final: bool) -> None:
        """See Listener."""

    def on_elsewhere(self, states: Mapping[str, str]) -> None:
        """See Listener."""

    def following(self, store: ResultStore) -> contextlib.AbstractContextManager[None]:
        """Around the launch: inside, the store is open, and may be read from any thread."""
        return contextlib.nullcontext()

    def running(
        self, trials: Sequence[PlannedTrial], expected: CostEstimate, page: Callable[[], str | None]
    ) -> contextlib.AbstractContextManager[None]:
        """Around the engine, which is asked to run `trials` first, of which so much is `expected`. `page` gives the
        address of the trials in MLflow's pages, once MLflow was reached.
        """
        return contextlib.nullcontext()

    def on_verdicts(self, before: Sequence[Verdict], now: Sequence[Verdict]) -> None:
        """The claims were judged, and their verdicts recorded in place of those before."""
