"""The one door to Optuna: what a search proposes next, and which hyperparameters mattered.

Every search (one method, one sampler, one repetition) is an Optuna study of its own, kept in a file below the folder of
results, where other tools can look at it. The store owns the truth: before anything is asked, the study is brought into
agreement with what the store knows, and made anew from it where it says anything else. A proposal depends on the seed,
its number and the results of earlier rounds, and on nothing else: a search that was killed, or whose file was lost,
goes on with the proposals that it would have made.

Optuna is told the bounded score (sweeps.scores.Transform): higher is better, and a diverged trial has 0, the worst.
Told as failed, as Optuna does with NaN, a diverged trial would not exist for TPE, which would then propose its
neighbours again and again; an infinite value would be taken as it is and break whatever averages. TPE looks at ranks
only, which are those of the FID.
"""

import contextlib
import dataclasses
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import optuna
from filelock import FileLock
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.importance import FanovaImportanceEvaluator
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState
from scipy.special import stdtrit

from sngan.errors import InputError, one_line
from sngan.seeding import numpy_stream, stream_seed
from sweeps.spaces import Axis, Range, Tried, Value
from sweeps.statistics import LEVEL, FloatArray

optuna.logging.set_verbosity(optuna.logging.WARNING)

Storage = optuna.storages.BaseStorage
# What proposes after a search's first, random round. Made anew for every proposal, it carries no state along.
SAMPLERS: Mapping[str, Callable[[int], BaseSampler]] = {
    "random": lambda seed: RandomSampler(seed=seed),
    "tpe": lambda seed: TPESampler(seed=seed, n_startup_trials=0),
}
_BUSY_TIMEOUT_S = 60  # of SQLite; a viewer may hold the file for a moment
_NUM_TREES = 16
_NUM_GROUPS = 5


@contextlib.contextmanager
def open_memory(file: Path | None) -> Iterator[Storage]:
    """Optuna's storage in an SQLite file, made where it is missing; None keeps nothing.

    Raises InputError for a file that is none of Optuna's.
    """
    if file is None:
        yield optuna.storages.InMemoryStorage()
        return
    with FileLock(file.with_name(f".{file.name}.lock")):  # launches that share a study tell it the same
        yield from _memory_in(file)


def _memory_in(file: Path) -> Iterator[Storage]:
    try:
        storage = optuna.storages.RDBStorage(
            f"sqlite:///{file}", engine_kwargs={"connect_args": {"timeout": _BUSY_TIMEOUT_S}}
        )
    except Exception as error:  # whatever its database says
        raise InputError(
            f"cannot use {file}: {one_line(error)}.\nDelete it: it is made again from the results."
        ) from error
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


def propose(
    tried: Sequence[Tried], count: int, *, name: str, space: Mapping[str, Axis], sampler: str, seed: int,
    round_size: int, memory: Storage, objective: str = "score",
) -> list[dict[str, Value]]:  # fmt: skip
    """The next `count` configurations of the search `name`, in their order.

    tried : all that were proposed before. objective : what viewers of the file call the score. The first `round_size`
    of a search are random and the same for every sampler; the random values of the optimizer, which comes first in
    every space, are the same for every method.
    """
    study = agreed(tried, name=name, space=space, memory=memory, objective=objective)
    proposed = []
    for number in range(len(tried), len(tried) + count):
        make = SAMPLERS["random" if number < round_size else sampler]
        study.sampler = make(stream_seed(seed, "search", number) % 2**32)
        proposed.append(dict(study.ask(_distributions(space)).params))
    return proposed


def agreed(
    tried: Sequence[Tried], *, name: str, space: Mapping[str, Axis], memory: Storage, objective: str = "score"
) -> optuna.study.Study:
    """The Optuna study `name`, holding exactly what was tried: what is new is told, and what differs made anew.

    Raises InputError for values that lie outside the space.
    """
    study = optuna.create_study(storage=memory, study_name=name, direction="maximize", load_if_exists=True)
    kept = study.get_trials(deepcopy=False)
    distributions = _distributions(space)
    if len(kept) <= len(tried) and all(map(_continues, kept, tried, [distributions] * len(kept))):
        for trial, known in zip(kept, tried, strict=False):
            if trial.state is not _state(known):
                study.tell(trial.number, known.score, state=_state(known))
    else:
        optuna.delete_study(study_name=name, storage=memory)
        study = optuna.create_study(storage=memory, study_name=name, direction="maximize")
        kept = []
    for known in tried[len(kept) :]:
        study.add_trial(_as_trial(known, distributions))
    _name_objective(study, objective)
    return study


def _name_objective(study: optuna.study.Study, name: str) -> None:
    """Without a name, viewers call it "Objective 0"."""
    if study.metric_names != [name]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.set_metric_names([name])


def _continues(trial: FrozenTrial, known: Tried, distributions: Mapping[str, BaseDistribution]) -> bool:
    """Whether what Optuna holds is what is known, or an earlier state of it."""
    same = trial.params == dict(known.values) and trial.distributions == distributions
    return same and (trial.state is TrialState.RUNNING or (trial.state, trial.value) == (_state(known), known.score))


def _state(known: Tried) -> TrialState:
    """In Optuna's words. A result without a number is its failure, which samplers leave out."""
    if not known.ended:
        return TrialState.RUNNING
    return TrialState.FAIL if known.score is None else TrialState.COMPLETE


def _as_trial(known: Tried, distributions: Mapping[str, BaseDistribution]) -> FrozenTrial:
    try:
        return optuna.trial.create_trial(
            state=_state(known), value=known.score, params=dict(known.values), distributions=dict(distributions)
        )
    except ValueError as error:
        raise InputError(
            f"a trial of this search lies outside what is searched: {one_line(error)}.\n"
            "The ranges have changed; launch into another folder with --out."
        ) from error


def _distributions(space: Mapping[str, Axis]) -> dict[str, BaseDistribution]:
    return {
        key: FloatDistribution(axis.low, axis.high, log=axis.log)
        if isinstance(axis, Range)
        else CategoricalDistribution(axis.options)
        for key, axis in space.items()
    }


@dataclass(frozen=True, kw_only=True)
class Importance:
    """Share of the variance of the score over the space, 0 to 1, that one hyperparameter explains by itself.

    low, high : 95 % interval over the configurations that happened to be tried, None where there are too few.
    """

    share: float
    low: float | None
    high: float | None


def importances(tried: Sequence[Tried], space: Mapping[str, Axis]) -> dict[str, Importance]:
    """Functional ANOVA (Hutter et al. 2014, proceedings.mlr.press/v32/hutter14.html) by Optuna's evaluator.

    The space is weighted as random search draws from it: uniformly, for a logarithmic range in the logarithm. A random
    forest is fitted to the scores, and its variance over the whole space is split: main effects only, so that
    the shares add up to 1 less what interactions explain. The interval is a jackknife that leaves out a fifth of the
    configurations at a time. Empty where fewer than two distinct scores are known.
    """
    known = [one for one in tried if one.ended and one.score is not None]
    if len({one.score for one in known}) < 2:
        return {}
    whole = _shares(known, space)
    order = numpy_stream(0, "search").permutation(len(known))
    groups = [set(order[start::_NUM_GROUPS].tolist()) for start in range(_NUM_GROUPS)]
    parts = [[one for place, one in enumerate(known) if place not in group] for group in groups]
    enough = all(len({one.score for one in part}) >= 2 for part in parts) and len(known) >= 2 * _NUM_GROUPS
    rest = np.array([list(_shares(part, space).values()) for part in parts]) if enough else None
    found = {}
    for position, (key, share) in enumerate(whole.items()):
        half = None if rest is None else _jackknife_half(rest[:, position])
        found[key] = Importance(
            share=share,
            low=None if half is None else max(0.0, share - half),
            high=None if half is None else min(1.0, share + half),
        )
    return found


def _jackknife_half(values: FloatArray) -> float:
    """Half of the 95 % interval from estimates that each leave out one of the groups."""
    groups = len(values)
    deviation = math.sqrt((groups - 1) / groups * float(((values - values.mean()) ** 2).sum()))
    return float(stdtrit(groups - 1, 0.5 + LEVEL / 2)) * deviation


def _shares(known: Sequence[Tried], space: Mapping[str, Axis]) -> dict[str, float]:
    study = optuna.create_study(direction="maximize")
    distributions = _distributions({key: _flat(axis) for key, axis in space.items()})
    study.add_trials([_as_trial(_flattened(one, space), distributions) for one in known])
    evaluator = FanovaImportanceEvaluator(n_trees=_NUM_TREES, seed=stream_seed(0, "search") % 2**32)
    found: dict[str, Any] = evaluator.evaluate(study)
    return {key: float(found.get(key, 0.0)) for key in space}


def _flat(axis: Axis) -> Axis:
    """The axis in which draws are uniform; Optuna's evaluator takes a logarithmic one as uniform in its values."""
    return Range(low=math.log(axis.low), high=math.log(axis.high)) if _is_log(axis) else axis


def _flattened(tried: Tried, space: Mapping[str, Axis]) -> Tried:
    """The same configuration in the axes of `_flat`."""
    values = {key: math.log(float(value)) if _is_log(space[key]) else value for key, value in tried.values.items()}
    return dataclasses.replace(tried, values=values)


def _is_log(axis: Axis) -> TypeGuard[Range]:
    return isinstance(axis, Range) and axis.log
