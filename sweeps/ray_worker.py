"""What a Ray worker does with a trial, and what it tells the driver: plain values only."""

import gc
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ray import tune

from sngan.config import TrialConfig
from sngan.errors import InputError
from sngan.plugins.loading import use_plugins
from sngan.results import Evaluation, RunOptions
from sweeps.engine_interface import Attempt, RunTrial, error_text
from sweeps.provenance import host_name, versions


def train_trial(
    config: Mapping[str, Any],
    *,
    configs: Mapping[str, Any],
    options: RunOptions,
    plugins: Sequence[Path],
    run_trial: RunTrial,
) -> None:
    """Run the trial config["digest"]: Tune calls this in a worker, once per attempt."""
    tune.report({"attempt": asdict(Attempt(host=host_name(), device=options.device, versions=versions()))})

    def report(evaluation: Evaluation) -> None:
        tune.report({"evaluation": evaluation.to_dict()})

    try:
        use_plugins(plugins)  # a config may name what they define
        outcome = run_trial(TrialConfig.from_dict(configs[config["digest"]]), options, report)
    except InputError as error:
        tune.report({"input_error": error_text(error)})  # trying again would find the same mistake
    except Exception as error:
        tune.report({"error": error_text(error)})
        raise  # for Tune to count the failure and start again
    else:
        tune.report({"outcome": asdict(outcome)})
    finally:
        if options.device != "cpu":
            gc.collect()  # trials that share the GPU need what cycles of garbage still hold
