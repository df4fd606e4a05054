"""What trials will cost, from what comparable ones did cost."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import nnls

from sngan.config import TrialConfig
from sweeps.study import PlannedTrial


@dataclass(frozen=True, slots=True, kw_only=True)
class CostEstimate:
    """Expected cost of planned trials.

    seconds : by digest, training and measuring together; None without a comparable measurement.
    unmeasured : what was never measured, sorted, e.g. "wgan-gp on cifar10 with standard-cnn".
    """

    seconds: Mapping[str, float | None]
    unmeasured: tuple[str, ...]

    @property
    def known_s(self) -> float:
        """Seconds of all trials whose cost is known, one after another."""
        return sum(value for value in self.seconds.values() if value is not None)

    def of(self, trials: Iterable[PlannedTrial]) -> "CostEstimate":
        """The part of the estimate that is about some of the trials."""
        return CostEstimate(seconds={t.digest: self.seconds[t.digest] for t in trials}, unmeasured=self.unmeasured)

    def wall_s(self, slots: int) -> float | None:
        """Seconds with so many trials at a time; None where no cost is known. Those of unknown cost count nothing."""
        known = [value for value in self.seconds.values() if value is not None]
        return max(self.known_s / slots, max(known)) if known else None

    @property
    def num_unknown(self) -> int:
        """How many trials have no comparable measurement."""
        return sum(value is None for value in self.seconds.values())

    @property
    def explanation(self) -> str:
        """A sentence on what the estimate does not cover, "" where it covers everything."""
        if not self.num_unknown:
            return ""
        return (
            f"{self.num_unknown} of {len(self.seconds)} trials have no comparable measurement yet: "
            f"{', '.join(self.unmeasured)}."
        )


@dataclass(frozen=True, slots=True)
class _TrainingCost:
    """Seconds per image in a discriminator update and in a generator update."""

    discriminator: float
    generator: float

    def of(self, config: TrialConfig) -> float:
        discriminator, generator = _images(config.updates, config.n_dis, config.batch_size, config.generator_batch_size)
        return float(self.discriminator * discriminator + self.generator * generator)


def work(config: TrialConfig) -> float:
    """Updates of both networks: what a trial costs, in units of its own, as long as nothing like it was measured."""
    return float(config.updates * (1 + config.n_dis))


def estimate(trials: Sequence[PlannedTrial], measured: pd.DataFrame, *, device: str | None = None) -> CostEstimate:
    """Expected seconds of every trial, from ResultStore.expected_costs().

    Training: completed trials of the same data set, networks, loss and regularizers are comparable, whatever the
    regularizers' numbers: a penalty's weight costs no time. Their train_s is explained as a cost per image of all
    discriminator updates (updates x n_dis x batch_size) plus a cost per image of all generator updates (updates x
    generator_batch_size), both not negative, with the least sum of squared relative errors. Where all comparable
    trials have the same proportion of the two, which then cannot be told apart, every image costs the same.

    Measuring: seconds per evaluation are the mean over completed trials of the same data set, networks and
    protocols, whatever the method; a trial has ceil(updates / evaluate_every) evaluations.

    Diverged trials are left out: they ended early. A trial that will diverge costs less than estimated. Machines
    are not told apart, but `device` leaves out what was measured on any other kind of device ("cpu", "cuda").
    """
    rows = measured[(measured["state"] == "completed") & (measured["train_s"] > 0)]
    if device is not None:
        rows = rows[rows["device"] == device]
    kinds = {text: _kinds(json.loads(text)) for text in rows["regularizers"].unique()}
    rows = rows.assign(kinds=rows["regularizers"].map(kinds))
    training = {key: _fit(group) for key, group in _groups(rows, [*_NETWORKS, "loss", "kinds"])}
    measuring = {
        key: float((group["evaluate_s"] / group["num_evaluations"]).mean())
        for key, group in _groups(rows[rows["num_evaluations"] > 0], [*_NETWORKS, "protocols"])
    }
    seconds: dict[str, float | None] = {}
    unmeasured: set[str] = set()
    known: dict[TrialConfig, tuple[float | None, bool]] = {}
    for trial in trials:
        config = trial.config.with_seed(0)
        if config not in known:
            train = training.get((*_networks(config), *_treatment(config)))
            measure = _measuring_cost(measuring, config)
            told = None if train is None or measure is None else train.of(config) + measure
            known[config] = told, train is None
        seconds[trial.digest], untrained = known[config]
        if seconds[trial.digest] is None:
            what = trial.method if untrained else ", ".join(config.protocols)
            unmeasured.add(f"{what} on {config.dataset} with {config.architecture}")
    return CostEstimate(seconds=seconds, unmeasured=tuple(sorted(unmeasured)))


# What decides how much there is to compute for one image.
_NETWORKS = ("dataset", "architecture", "width_factor", "conditioning", "precision")


def in_order(trials: Sequence[PlannedTrial], estimated: CostEstimate) -> list[PlannedTrial]:
    """Seed by seed, so that a stopped sweep holds whole replications; in a seed the longest first.

    The last trials to start are then short ones, and slots end at about the same time. Where the cost of one trial is
    not known, the number of discriminator and generator updates stands for that of all.
    """
    seconds = [estimated.seconds.get(trial.digest) for trial in trials]
    known = all(value is not None for value in seconds)

    def cost(trial: PlannedTrial) -> float:
        return (estimated.seconds[trial.digest] or 0.0) if known else work(trial.config)

    return sorted(trials, key=lambda trial: (trial.seed, -cost(trial)))


def _networks(config: TrialConfig) -> tuple[Any, ...]:
    return tuple(getattr(config, name) for name in _NETWORKS)


def _treatment(config: TrialConfig) -> tuple[str, str]:
    """What makes an update of one method cost more than one of another."""
    return config.loss, _kinds([regularizer.to_dict() for regularizer in config.regularizers])


def _kinds(regularizers: Sequence[Mapping[str, Any]]) -> str:
    """The regularizers without their continuous numbers, as text."""
    kinds = [{key: value for key, value in each.items() if not isinstance(value, float)} for each in regularizers]
    return json.dumps(kinds, sort_keys=True)


def _measuring_cost(measuring: Mapping[tuple[str, ...], float], config: TrialConfig) -> float | None:
    if not config.protocols:
        return 0.0
    per_evaluation = measuring.get((*_networks(config), ",".join(config.protocols)))
    return None if per_evaluation is None else per_evaluation * math.ceil(config.updates / config.evaluate_every)


def _groups(rows: pd.DataFrame, columns: list[str]) -> Iterable[tuple[tuple[str, ...], pd.DataFrame]]:
    return ((key, group) for key, group in rows.groupby(columns, sort=False))  # type: ignore[misc]


def _images(updates: Any, n_dis: Any, batch_size: Any, generator_batch_size: Any) -> tuple[Any, Any]:
    """Images that pass through discriminator updates and through generator updates (numbers or columns)."""
    return updates * n_dis * batch_size, updates * generator_batch_size


def _fit(group: pd.DataFrame) -> _TrainingCost:
    columns = [group[name] for name in ("updates", "n_dis", "batch_size", "generator_batch_size")]
    images: NDArray[np.float64] = np.stack(_images(*columns), axis=1).astype(np.float64)
    seconds = group["train_s"].to_numpy(dtype=np.float64)
    proportion = images[:, 0] / images[:, 1]
    if np.allclose(proportion, proportion[0]):
        per_image = float(np.mean(seconds / images.sum(axis=1)))
        return _TrainingCost(per_image, per_image)
    costs, _ = nnls(images / seconds[:, None], np.ones(len(seconds)))
    return _TrainingCost(float(costs[0]), float(costs[1]))
