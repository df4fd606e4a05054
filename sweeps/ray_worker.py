"""What a Ray worker does with a trial, or with several that share its GPU, and what it tells the driver: plain values
only, each message with the digest of the trial that it is about.
"""

import gc
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ray import tune

from sngan.config import TrialConfig
from sngan.errors import InputError
from sngan.packing import run_pack
from sngan.results import Evaluation, Outcome, RunOptions
from sweeps.engine_interface import Attempt, RunTrial, error_text
from sweeps.filesystems import private_folder
from sweeps.object_storage import LocalFolder
from sweeps.plugins import use_sources
from sweeps.provenance import host_name, versions


def train_pack(
    config: Mapping[str, Any],
    *,
    configs: Mapping[str, Any],
    options: RunOptions,
    plugins: Mapping[str, bytes],
    storage: str | None,
    run_trial: RunTrial,
) -> None:
    """Run the trials whose digests are config["pack"], one or several: Tune calls this in a worker, once per attempt.

    Where one of several fails the others go on; then the pack is tried again, in which those that have ended say so
    from their checkpoints.
    """
    pack: Sequence[str] = config["pack"]
    attempt = asdict(Attempt(host=host_name(), device=options.device, versions=versions()))
    for digest in pack:
        tune.report({"digest": digest, "attempt": attempt})
    with private_folder(_session_folder() / "sngan-private") as private:
        files = LocalFolder(storage, private)
        reporter = _Reporter(files.told)
        try:
            use_sources(plugins, private / "plugins")  # a config may name what they define
            chosen = [TrialConfig.from_dict(configs[digest]) for digest in pack]
            with files.options(options, pack) as here:
                if len(chosen) > 1:
                    run_pack(chosen, here, reporter)
                else:
                    _run_one(chosen[0], here, reporter, run_trial)
        except Exception as error:  # of all of them, such as a GPU that is too small
            for digest in pack:
                reporter.on_failure(digest, error)
        finally:
            if options.device != "cpu":
                gc.collect()  # trials that share the GPU need what cycles of garbage still hold
    if reporter.error is not None:
        raise reporter.error  # for Tune to count the failure and start again


def _session_folder() -> Path:
    """Ray's own folder on this machine, below which Tune has its trials work, and which goes when Ray does."""
    folders = (folder for folder in Path.cwd().parents if folder.name.startswith("session_"))
    return next(folders, Path(tempfile.gettempdir(), f"sngan-{os.getuid()}"))


def _run_one(config: TrialConfig, options: RunOptions, reporter: "_Reporter", run_trial: RunTrial) -> None:
    try:
        outcome = run_trial(config, options, lambda evaluation: reporter.on_evaluation(config, evaluation))
    except Exception as error:
        reporter.on_error(config, error)
    else:
        reporter.on_outcome(config, outcome)


class _Reporter:
    """Tells the driver. told : a text as users read it. error : the last one that may be gone when tried again."""

    def __init__(self, told: Callable[[str], str]) -> None:
        self._told = told
        self.error: Exception | None = None

    def on_evaluation(self, config: TrialConfig, evaluation: Evaluation) -> None:
        """Send it."""
        tune.report({"digest": config.digest, "evaluation": evaluation.to_dict()})

    def on_outcome(self, config: TrialConfig, outcome: Outcome) -> None:
        """Send it."""
        tune.report({"digest": config.digest, "outcome": asdict(outcome)})

    def on_error(self, config: TrialConfig, error: Exception) -> None:
        """Send it."""
        self.on_failure(config.digest, error)

    def on_failure(self, digest: str, error: Exception) -> None:
        """Send it; a mistake of the user's would be found again."""
        final = isinstance(error, InputError)
        tune.report({"digest": digest, "input_error" if final else "error": self._told(error_text(error))})
        if not final:
            self.error = error
