"""The same short trial on two platforms: this one, and Ray Tune with its stock MLflow callback. For sweep_overhead.

Workers import this module. A trial works for a fixed number of steps on one core, reports three times, and writes down
when it began and ended; the seconds of an evaluation and the number of what is reported are the same on both.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

REPORTS = 3
SIZE = 300  # of the matrices; a product is under a millisecond


def work(report: Callable[[int], object], folder: Path, number: int, steps: int) -> None:
    """`steps` matrix products with a report after every third of them."""
    start = time.time()
    matrix = np.full((SIZE, SIZE), 1.0 / SIZE)
    with threadpool_limits(1):
        for part in range(REPORTS):
            for _ in range(steps // REPORTS):
                matrix = matrix @ matrix
            report(part + 1)
    (folder / f"{number}.json").write_text(json.dumps([start, time.time()]))


def ours(folder: str, num_trials: int, steps: int) -> None:
    """The engine with store and mirror, as a launch has them."""
    from sngan.config import TrialConfig
    from sngan.results import RunOptions
    from sweeps import engine
    from sweeps.listeners import Listeners, StoreWriter
    from sweeps.store import open_store
    from sweeps.study import STUDIES, PlannedTrial
    from sweeps.tracking import Mirrored, default_uri

    out = Path(folder)
    study, preset = STUDIES["robustness"], "quick"
    config = TrialConfig(updates=steps)
    trials = [
        PlannedTrial(method="sn", setting="A", seed=seed, config=config.replace(seed=seed))
        for seed in range(num_trials)
    ]
    options = engine.EngineOptions(
        run=RunOptions(cache_dir=out / "cache", storage_dir=out, device="cpu"), gpus_per_trial=0.0
    )
    with open_store(f"sqlite:///{out / 'results.db'}") as store:
        store.register(study.name, preset, {"question": study.question}, trials)
        store.set_provenance(study.name, preset, {"inputs": {}})
        with (
            engine.starting(options) as started,
            Mirrored(default_uri(out), store, study, preset, out) as mirror,
        ):
            listeners = Listeners(StoreWriter(store), mirror)
            result = engine.run(trials, options, listeners, _our_trial, started=started)
    assert len(result.finished) == num_trials


def _our_trial(config: Any, options: Any, report: Callable[[Any], None]) -> Any:
    """What runs in a worker of ours."""
    from sngan.results import Evaluation, Outcome

    def tell(part: int) -> None:
        diagnostics = {"loss/generator": float(part)}
        report(
            Evaluation(update=part, scores=(), diagnostics=diagnostics, train_s=1.0, evaluate_s=0.0, samples=None)
        )  # fmt: skip

    work(tell, options.storage_dir, config.seed, config.updates)
    return Outcome(state="completed", update=REPORTS, reason="", train_s=1.0, evaluate_s=0.0)


def tune_and_mlflow(folder: str, num_trials: int, steps: int) -> None:
    """Ray Tune and its MLflowLoggerCallback with their defaults, into a database of MLflow's as ours."""
    from ray import tune
    from ray.air.integrations.mlflow import MLflowLoggerCallback

    def train(config: dict[str, Any]) -> None:
        work(lambda part: tune.report({"loss": float(part), "update": part}), Path(folder), config["seed"], steps)

    callback = MLflowLoggerCallback(tracking_uri=f"sqlite:///{folder}/mlflow.db", experiment_name="sweep")
    results = tune.Tuner(
        train,
        param_space={"seed": tune.grid_search(list(range(num_trials)))},
        run_config=tune.RunConfig(name="sweep", storage_path=f"{folder}/tune", callbacks=[callback]),
    ).fit()
    assert len(results) == num_trials
    assert results.num_errors == 0
