"""Sweeps for the tests of the MLflow mirror, and what MLflow holds of them."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from sngan.seeding import numpy_stream
from sweeps.store import ResultStore
from sweeps.study import Claim, PlannedTrial, Preset, Study
from sweeps.tracking import SyncReport
from tests.sweeps.store.samples import FID, PRESET, STUDY, evaluation, outcome, planned

HEADLINE = FID[:-9]
STARTED = "2026-01-02T03:04:05+00:00"
NOTHING = SyncReport()


def another_uri(file: Path, empty_mlflow: Path) -> str:
    """A database that holds MLflow's tables: making them takes seconds, copying them does not."""
    shutil.copy(empty_mlflow, file)
    return f"sqlite:///{file}"


def a_study(name: str = STUDY, label: str = PRESET) -> Study:
    preset = Preset(
        name=label,
        description="for tests",
        config={"updates": 1000},
        methods=("sn",),
        settings=("A",),
        seeds=1,
        headline=HEADLINE,
        caveat="Digits are not CIFAR-10.",
    )
    claims = tuple(
        Claim(name=source[-1], source=source, sentence="", rule="robustness", contrast={})
        for source in ("A et al. 2018, arXiv:1802.05957, Fig. 1", "A et al. 2018, arXiv:1802.05957: 2", "A talk, 3")
    )
    return Study(name=name, question="Is it robust?", description="A test.", presets={label: preset}, claims=claims)


def launch(
    store: ResultStore, trials: list[PlannedTrial], started: str = STARTED, key: tuple[str, str] | None = None
) -> None:
    """What a launch writes before its first trial."""
    key = key or (STUDY, PRESET)
    store.register(*key, {"question": "Is it robust?"}, trials)
    inputs = {"dataset": "digits", "dataset_digest": "0123456789abcdef" * 4}
    where = "postgresql://me:secret@db/results"
    command = f"python -m sweeps.launch robustness --database {where}"
    told = {"started": started, "git_commit": "c" * 40, "inputs": inputs, "database": where, "command": command}
    store.set_provenance(*key, told)


def start(store: ResultStore, trial: PlannedTrial) -> None:
    store.start_attempt(trial.digest, host="here", device="cpu", versions={"torch": "2"})


def evaluate(
    store: ResultStore, trial: PlannedTrial, update: int, folder: Path | None = None, fid: float | None = None
) -> None:
    """Record an evaluation with a real grid of images below `folder`. Without `fid` every trial has its own numbers."""
    path = f"samples/{trial.digest}/u{update:06}.png"
    if folder is not None:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (16, 16), update % 256).save(folder / path)
    own = numpy_stream(int(trial.digest[:8], 16), "metric", update)
    value = float(own.uniform(1, 100)) if fid is None else fid
    store.record(trial.digest, evaluation(update, value, samples=path if folder else None, train_s=update / 100))


def finished_sweep(store: ResultStore, folder: Path, seeds: int = 1) -> list[PlannedTrial]:
    """Four trials per seed with two evaluations each; the last one diverged."""
    trials = planned(seeds=seeds)
    launch(store, trials)
    for trial in trials:
        start(store, trial)
        for update in (500, 1000):
            evaluate(store, trial, update, folder)
        diverged = trial is trials[-1]
        store.finish(trial.digest, outcome("diverged", reason="loss is not finite") if diverged else outcome())
    return trials


def client_of(uri: str) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


def runs_of(uri: str, kind: str = "trial", name: str = f"{STUDY}-{PRESET}") -> list[Any]:
    client = client_of(uri)
    experiment = client.get_experiment_by_name(name)
    return list(client.search_runs([experiment.experiment_id], f"tags.kind = '{kind}'", max_results=1000))


def run_of(uri: str, trial: PlannedTrial) -> Any:
    (run,) = [run for run in runs_of(uri) if run.data.tags["digest"] == trial.digest]
    return run


def history(uri: str, run: Any) -> dict[str, list[tuple[int, float]]]:
    client = client_of(uri)
    return {
        key: [(metric.step, metric.value) for metric in client.get_metric_history(run.info.run_id, key)]
        for key in run.data.metrics
    }


def contents(uri: str) -> dict[str, Any]:
    """Everything MLflow holds of the trials, without ids and times."""
    kept = {}
    for run in runs_of(uri):
        tags = {key: value for key, value in run.data.tags.items() if key != "mlflow.parentRunId"}
        files = sorted(name for name in files_of(uri, run) if name.startswith("samples/"))
        name = run.info.run_name
        assert name not in kept, "one run per trial"
        kept[name] = (run.info.status, run.data.params, tags, history(uri, run), files)
    return kept


def files_of(uri: str, run: Any) -> list[str]:
    client = client_of(uri)

    def below(path: str | None) -> Iterator[str]:
        for item in client.list_artifacts(run.info.run_id, path):
            yield from below(item.path) if item.is_dir else [item.path]

    return sorted(below(None))


def wait_for(condition: Any, seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except (ValueError, AttributeError):  # the run or the experiment is not there yet
            pass
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.05)
