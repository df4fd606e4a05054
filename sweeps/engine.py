"""Runs planned trials: on Ray Tune, or one after another in this process.

The engine owns resources, retries and stopping. It remembers nothing: what is finished is the store's business,
and how far a trial has come is in its checkpoint, from which `sngan.trial.run_trial` goes on by itself.
"""

import importlib
from collections.abc import Sequence

from sweeps.engine_in_process import run_in_process
from sweeps.engine_interface import ENGINES as ENGINES
from sweeps.engine_interface import Attempt as Attempt
from sweeps.engine_interface import EngineOptions as EngineOptions
from sweeps.engine_interface import EngineResult as EngineResult
from sweeps.engine_interface import Listener as Listener
from sweeps.engine_interface import RunTrial
from sweeps.engine_interface import last_line as last_line
from sweeps.engine_interface import num_slots as num_slots
from sweeps.study import PlannedTrial


def run(
    trials: Sequence[PlannedTrial],
    options: EngineOptions,
    listener: Listener,
    run_trial: RunTrial | None = None,
) -> EngineResult:
    """Run `trials` in the order given, each digest once, and say how that ended.

    `run_trial` is sngan.trial.run_trial unless given; Ray's workers must be able to import it.
    SIGINT, SIGTERM and SIGUSR1 stop the run within seconds. Raises InputError before anything starts where a
    trial asks for more than any machine has.
    """
    unique = list({trial.digest: trial for trial in trials}.values())
    if not unique:
        return EngineResult(finished=frozenset(), failed={}, interrupted=False)
    function = run_trial or default_run_trial()
    if options.engine == "in-process":
        return run_in_process(unique, options, listener, function)
    from sweeps.engine_ray import run_ray  # importing Ray takes over a second: only when trials are to run

    return run_ray(unique, options, listener, function)


def default_run_trial() -> RunTrial:
    """sngan.trial.run_trial, imported when first needed."""
    function: RunTrial = importlib.import_module("sngan.trial").run_trial
    return function
