"""Runs planned trials: on Ray Tune, or one after another in this process.

The engine owns resources, retries and stopping. It remembers nothing: what is finished is the store's business,
and how far a trial has come is in its checkpoint, from which `sngan.trial.run_trial` goes on by itself.
"""

import contextlib
import importlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from sweeps.engine_in_process import run_in_process
from sweeps.engine_interface import ENGINES as ENGINES
from sweeps.engine_interface import Attempt as Attempt
from sweeps.engine_interface import Claims as Claims
from sweeps.engine_interface import EngineOptions as EngineOptions
from sweeps.engine_interface import EngineResult as EngineResult
from sweeps.engine_interface import Listener as Listener
from sweeps.engine_interface import RunTrial, Unshared
from sweeps.engine_interface import check_here as check_here
from sweeps.engine_interface import device_kind as device_kind
from sweeps.engine_interface import last_line as last_line
from sweeps.engine_interface import machine_gpus as machine_gpus
from sweeps.engine_interface import num_slots as num_slots
from sweeps.study import PlannedTrial

if TYPE_CHECKING:
    from sweeps.ray_cluster import Cluster

    Started = Cluster | None


def run(
    trials: Sequence[PlannedTrial],
    options: EngineOptions,
    listener: Listener,
    run_trial: RunTrial | None = None,
    *,
    then: Iterable[Sequence[PlannedTrial]] = (),
    started: "Started" = None,
    claims: Claims | None = None,
) -> EngineResult:
    """Run `trials` in the order given, each digest once, and say how that ended.

    `then` gives further batches for as long as it has any. Each is asked for when every trial of the one before has
    ended, in the driver's main thread, so that it may depend on their results; none is after a stop.
    `run_trial` is sngan.trial.run_trial unless given; Ray's workers must be able to import it. `started` is what
    `starting` gave, where it was called; it is ended here. `claims` are asked for every trial, where other launches may
    run some of them; a batch has then ended when all its trials have, here or elsewhere.
    SIGINT, SIGTERM and SIGUSR1 stop the run within seconds. Raises InputError before anything starts where a
    trial asks for more than any machine has.
    """
    batches = (batch for batch in map(_distinct, itertools.chain([trials], then)) if batch)
    first = next(batches, None)
    if first is None:
        return EngineResult(finished=frozenset(), failed={}, interrupted=False)
    function = run_trial or default_run_trial()
    rest: Iterator[Sequence[PlannedTrial]] = itertools.chain([first], batches)
    if options.engine == "in-process":
        return run_in_process(rest, options, listener, function, claims or Unshared())
    with contextlib.ExitStack() as stack:
        cluster = started or stack.enter_context(starting(options))
        from sweeps.engine_ray import run_ray

        assert cluster is not None, "only the engine in this process needs nothing"
        return run_ray(rest, options, listener, function, cluster, claims or Unshared())


def starting(options: EngineOptions) -> contextlib.AbstractContextManager["Started"]:
    """Inside, what takes seconds before the first trial, and needs no trial, begins in the background; `run` waits for
    it. A stop waits until it has begun.
    """
    if options.engine == "in-process":
        return contextlib.nullcontext()
    from sweeps.ray_environment import keep_to_this_machine

    if options.address == "none":
        keep_to_this_machine()
    from sweeps.ray_cluster import starting as ray_starting  # importing Ray takes a second: only when trials are to run

    return ray_starting(options)


def _distinct(trials: Sequence[PlannedTrial]) -> list[PlannedTrial]:
    return list({trial.digest: trial for trial in trials}.values())


def default_run_trial() -> RunTrial:
    """sngan.trial.run_trial, imported when first needed."""
    function: RunTrial = importlib.import_module("sngan.trial").run_trial
    return function
