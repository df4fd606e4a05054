"""The one door to Ray: every trial, or pack of trials that share a GPU, is a Ray Tune trial.

Tune places trials, gives each its CPUs and share of a GPU, starts lost ones again and stops on a signal. Its own
memory of an experiment is not used: the store knows what is finished, and our checkpoints how far a trial has
come.
"""

import contextlib
import io
import logging
import math
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import sweeps.ray_environment  # noqa: F401

# isort: split
import ray
from ray import tune

from sngan.errors import InputError, one_line
from sngan.results import Evaluation, Outcome
from sweeps.engine_interface import (
    Attempt,
    Claims,
    EngineOptions,
    EngineResult,
    Listener,
    RunTrial,
    gpus_where_there_are,
)
from sweeps.ray_cluster import Cluster, may_grow, tell_of_waiting
from sweeps.ray_queue import PackQueue
from sweeps.ray_worker import train_pack
from sweeps.signals import STOP_SIGNALS, interrupt, signals_handled
from sweeps.study import PlannedTrial

_ROUNDING = 1e-6  # a third of a GPU fits three times
_GO_ON = "Nothing is lost: start the same command again to go on."
_LOST = (
    "another launch may be running trials of this one: the database did not answer, or this process did not run, for "
    f"longer than a claim lasts.\n{_GO_ON}"
)


def run_ray(
    batches: Iterator[Sequence[PlannedTrial]],
    options: EngineOptions,
    listener: Listener,
    run_trial: RunTrial,
    cluster: Cluster,
    claims: Claims,
) -> EngineResult:
    """Run batches of distinct trials with Ray Tune; see sweeps.engine.run. Must be called in the main thread."""
    relay = _Relay(listener, claims)
    with (
        # Ray prints what becomes of its processes; the listener, which gets the real output, says what matters.
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.suppress(KeyboardInterrupt),
        signals_handled(relay.on_early_signal),
        contextlib.closing(cluster),
    ):
        _wait_for(cluster, relay)
        while not relay.ending and (trials := next(batches, None)) is not None:
            relay.expect(trials)
            _fit(trials, options, relay, run_trial, cluster.scratch)
    if relay.error is not None:
        raise relay.error
    return EngineResult(finished=frozenset(relay.finished), failed=dict(relay.failed), interrupted=relay.stopping)


def _wait_for(cluster: Cluster, relay: "_Relay") -> None:
    try:
        cluster.wait()
    except InputError as error:
        if relay.stopping:  # a stop may break the start; that is no mistake of the user
            raise KeyboardInterrupt from error
        raise
    relay.waiting = False


def _fit(
    trials: Sequence[PlannedTrial],
    options: EngineOptions,
    relay: "_Relay",
    run_trial: RunTrial,
    scratch: Path,
) -> None:
    resources = _resources(options)
    digests = [trial.digest for trial in trials]
    relay.queue = PackQueue(
        digests,
        _pack_size(len(digests), options),
        relay.claims,
        num_places=lambda: _num_places(resources),
        most=None if options.max_concurrent is None else max(1, options.max_concurrent // options.trials_per_gpu),
        grows=may_grow(options),
        ended_elsewhere=relay.on_elsewhere,
    )
    train = tune.with_parameters(
        train_pack,
        configs={trial.digest: trial.config.to_dict() for trial in trials},
        options=options.run_options(resources["GPU"]),
        plugins=options.plugins,
        storage=options.storage,
        run_trial=run_trial,
    )
    for name in ("ray.tune", "ray.train", "ray.air"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    tuner = tune.Tuner(
        tune.with_resources(train, lambda config: _resources_at(config["place"], resources)),
        tune_config=tune.TuneConfig(
            search_alg=relay.queue,
            num_samples=-1,
            reuse_actors=not options.fresh_process,
            trial_dirname_creator=_trial_folder,
        ),
        run_config=tune.RunConfig(
            name=f"tune-{trials[0].digest}",
            storage_path=str(scratch),
            verbose=0,
            callbacks=[relay],
            failure_config=tune.FailureConfig(max_failures=options.max_failures),
        ),
    )
    try:
        tuner.fit()
    except (ray.exceptions.RayError, ConnectionError, RuntimeError) as error:
        if relay.stopping:  # whoever told us to stop has ended Ray, too
            raise KeyboardInterrupt from error
        if relay.error is None and not _answers():
            raise InputError(f"Ray went away: {one_line(error)}.\n{_GO_ON}") from error
        raise


def _answers() -> bool:
    """Whether the cluster is still there."""
    try:
        return bool(ray.nodes())
    except Exception:
        return False


def _pack_size(num_trials: int, options: EngineOptions) -> int:
    """Trials of a pack: as many as asked for, or fewer where that leaves no GPU idle, or fewer may run at a time."""
    gpus = max(1, int(sum(node.get("GPU", 0.0) for node in _nodes())))
    return min(options.trials_per_gpu, math.ceil(num_trials / gpus), options.max_concurrent or num_trials)


def _num_places(resources: Mapping[str, float]) -> int:
    """Packs that run at the same time on the machines that are there now."""
    asked = {name: amount for name, amount in resources.items() if amount}
    fits = (min(int(node.get(name, 0.0) / amount + _ROUNDING) for name, amount in asked.items()) for node in _nodes())
    return sum(fits)


def _trial_folder(trial: Any) -> str:
    return str(trial.trial_id)


def _resources(options: EngineOptions) -> dict[str, float]:
    """{"CPU": ..., "GPU": ...} of a trial. InputError where no machine has as much: Tune would wait for ever."""
    gpus = gpus_where_there_are(options, [(node.get("CPU", 0.0), node.get("GPU", 0.0)) for node in _nodes()])
    return {"CPU": options.cpus_per_trial, "GPU": gpus}


def _resources_at(place: int, resources: Mapping[str, float]) -> tune.PlacementGroupFactory:
    """What a pack at a place of the queue asks for: a few bytes of memory tell it from the others'."""
    told_apart = {"memory": place + 1.0} if all("memory" in node for node in _nodes()) else {}
    return tune.PlacementGroupFactory([{**resources, **told_apart}])


def _nodes() -> list[Mapping[str, float]]:
    """What each machine of the cluster offers in all."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


class _Relay(tune.Callback):  # type: ignore[misc]  # Ray has no types
    """Hands on to the listener what Tune tells the driver, and keeps the account of how trials ended."""

    def __init__(self, listener: Listener, claims: Claims) -> None:
        self._trials: dict[str, PlannedTrial] = {}
        self._listener = listener
        self.claims = claims
        self.queue: PackQueue | None = None
        self._stdout = sys.stdout
        self._tune_stop: Any = None
        self._errors: dict[str, str] = {}
        self.finished: set[str] = set()
        self.failed: dict[str, str] = {}
        self.error: Exception | None = None
        self.stopping = False
        self.waiting = True  # for Ray

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune saves callbacks with its experiment, and this one holds the store and the terminal."""
        return {}

    def expect(self, trials: Sequence[PlannedTrial]) -> None:
        """These are run next."""
        self._trials.update((trial.digest, trial) for trial in trials)

    @property
    def ending(self) -> bool:
        """Whether nothing more is to be started."""
        if self.error is None and self.queue is not None:
            self.error = self.queue.error
        return self.stopping or self.error is not None

    def on_elsewhere(self, states: Mapping[str, str]) -> None:
        """Other launches have brought these trials to their ends."""
        self._tell(self._listener.on_elsewhere, states)

    def setup(self, **_info: Any) -> None:
        """Take over the signals: Tune has installed its handlers by now, and is told by its own."""
        self._tune_stop = signal.getsignal(signal.SIGUSR1)
        for number in STOP_SIGNALS:
            signal.signal(number, self._on_signal)

    def on_early_signal(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal that comes while Ray starts, which takes seconds and is not broken off: a process with half a
        Ray in it ends in a segmentation fault. A second Ctrl-C does not wait.
        """
        if self.stopping and number == signal.SIGINT:
            interrupt(number, frame)
        if not self.stopping and self.waiting:
            tell_of_waiting()
        self.stopping = True

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.stopping and number == signal.SIGINT:
            interrupt(number, frame)  # a second Ctrl-C does not wait
        self.stopping = True
        self._tune_stop(number, frame)

    def on_step_end(self, trials: list[Any], **_info: Any) -> None:
        """Kill the trials of a stopped sweep: their checkpoints stand, their next evaluation may be far."""
        # What has ended here may be begun again by another launch: a trial that was given up.
        lost = self.claims.lost() - self.finished - self.failed.keys()
        if lost and not self.ending:
            self.error = InputError(_LOST)
        if not self.ending:
            return
        self._tune_stop(signal.SIGUSR1, None)
        for trial in trials:
            actor = trial.temporary_state.ray_actor
            if actor is not None and trial.status == "RUNNING":
                ray.kill(actor)

    def on_trial_result(self, trial: Any, result: dict[str, Any], **_info: Any) -> None:
        """A message from a worker: see `sweeps.ray_worker`."""
        planned = self._trials.get(result.get("digest", ""))
        if planned is None or planned.digest in self.failed:  # Tune's own last word, or a pack's that is tried again
            return
        failed = result.keys() & {"input_error", "error"}
        if failed and planned.digest in self.finished:  # the pack was tried again, in vain
            return
        if "attempt" in result:
            if self.queue is not None:
                self.queue.on_begin(trial.trial_id)
            self._tell(self._listener.on_start, planned, Attempt(**result["attempt"]))
        elif "evaluation" in result:
            self._tell(self._listener.on_evaluation, planned, Evaluation.from_dict(result["evaluation"]))
        elif "outcome" in result:
            self.finished.add(planned.digest)
            self._tell(self._listener.on_finish, planned, Outcome.from_dict(result["outcome"]))
        elif "input_error" in result:
            self._fail(planned, result["input_error"], final=True)
        elif "error" in result:
            self._errors[planned.digest] = result["error"]

    def on_trial_recover(self, trial: Any, **_info: Any) -> None:
        """The attempt is lost; Tune has queued the trial again."""
        if self.queue is not None:
            self.queue.on_loss(trial.trial_id)
        self._on_error(trial, final=False)

    def on_trial_error(self, trial: Any, **_info: Any) -> None:
        """The trial has failed too often."""
        self._on_error(trial, final=True)

    def _on_error(self, trial: Any, final: bool) -> None:
        for digest in trial.config["pack"]:
            # A worker that a stop has killed, or that was lost after its trial had ended, is no failure.
            if not self.stopping and digest not in self.finished | self.failed.keys():
                error = self._errors.pop(digest, None) or _lost_text(trial)
                self._fail(self._trials[digest], error, final=final)

    def _fail(self, planned: PlannedTrial, error: str, final: bool) -> None:
        if final:
            self.failed[planned.digest] = error
        self._tell(self._listener.on_failure, planned, error, final)

    def _tell(self, call: Callable[..., None], *arguments: Any) -> None:
        """An exception of the listener ends the sweep; Tune would take it for a failure of the trial."""
        if self.error is None:
            try:
                with contextlib.redirect_stdout(self._stdout):
                    call(*arguments)
            except Exception as error:
                self.error = error  # on_step_end sees it


def _lost_text(trial: Any) -> str:
    """What Ray says of a trial that could not say it itself; the last line says it in short."""
    try:
        told = Path(trial.error_file).read_text(errors="replace").strip()
    except (OSError, TypeError):
        told = ""
    newest = told.rpartition("Failure # ")[2].partition("\n")[2].strip()
    if newest and "ActorDied" not in newest and "actor died" not in newest:
        return newest
    return f"{newest}\nthe worker process was lost (killed, out of memory, or its machine went away)".strip()
