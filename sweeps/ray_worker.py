"""What a Ray worker does with a trial, and what it tells the driver: plain values only."""

import gc
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ray import tune

from sngan.config import TrialConfig
from sngan.errors import InputError
from sngan.results import Evaluation, RunOptions, Score
from sweeps.engine_interface import Attempt, RunTrial, error_text
from sweeps.provenance import host_name, versions


def train_trial(
    config: Mapping[str, Any], *, configs: Mapping[str, Any], options: RunOptions, run_trial: RunTrial
) -> None:
    """Run the trial config["digest"]: Tune calls this in a worker, once per attempt."""
    tune.report({"attempt": asdict(Attempt(host=host_name(), device=options.device, versions=versions()))})

    def report(evaluation: Evaluation) -> None:
        tune.report({"evaluation": encode_evaluation(evaluation)})

    try:
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


def encode_evaluation(evaluation: Evaluation) -> dict[str, Any]:
    """`evaluation` as plain values; `decode_evaluation` is the inverse."""
    samples = None if evaluation.samples is None else evaluation.samples.as_posix()
    return {**asdict(evaluation), "samples": samples}


def decode_evaluation(data: Mapping[str, Any]) -> Evaluation:
    """The Evaluation that `encode_evaluation` made `data` of."""
    scores = tuple(Score(**score) for score in data["scores"])
    samples = None if data["samples"] is None else Path(data["samples"])
    return Evaluation(**{**data, "scores": scores, "samples": samples})
