"""Scores of a study as one array [methods, settings, seeds] under one protocol: what statistics and claims
work on.

A number never travels without its protocol, and numbers of two protocols, two data sets or two lengths of
training never meet in one table: each of these is an InputError.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd

from sngan.config import TrialConfig
from sngan.errors import InputError
from sngan.methods import METHODS, SETTINGS
from sngan.metrics.protocols import parse
from sweeps.configs import without_seed
from sweeps.statistics import BoolArray, FloatArray
from sweeps.study import PlannedTrial
from sweeps.transforms import Transform

Kind = Literal["final", "best"]

# The fields of a config in which the trials of one table may differ, beside those that method or setting override.
_AXES = frozenset({"alpha", "beta1", "beta2", "n_dis", "seed", "loss", "regularizers"})
_APART = "Such numbers cannot be compared; launch each in a folder (--out) of its own."


@dataclass(frozen=True, kw_only=True, eq=False)
class ScoreTable:
    """One protocol's numbers of a study.

    methods, settings, seeds : names and seeds of the axes. values : float64 [M, S, K] in the metric's own
    units, NaN where the run is missing or diverged. diverged : bool [M, S, K]. protocol : full name, with the
    extractor's hash (the short name while nothing was measured). kind : "final" at the last update or "best"
    over all evaluations. floor : the metric of real images under this protocol, where known. dataset : its
    name.
    """

    methods: tuple[str, ...]
    settings: tuple[str, ...]
    seeds: tuple[int, ...]
    values: FloatArray
    diverged: BoolArray
    protocol: str
    metric: str
    lower_is_better: bool
    kind: Kind
    floor: float | None
    dataset: str

    def __post_init__(self) -> None:
        """Hold the shapes, and that a diverged run has no value."""
        shape = (len(self.methods), len(self.settings), len(self.seeds))
        assert self.values.shape == self.diverged.shape == shape, (
            self.values.shape,
            self.diverged.shape,
            shape,
        )
        assert not (self.diverged & ~np.isnan(self.values)).any(), "a diverged run has no value"

    @property
    def missing(self) -> BoolArray:
        """Runs that are neither measured nor diverged, [M, S, K]: not run, unfinished, or failed."""
        return np.isnan(self.values) & ~self.diverged

    @property
    def transform(self) -> Transform:
        """How values become scores; figures state its `text`."""
        return Transform.of(self.metric, self.floor)

    @property
    def real_score(self) -> float:
        """The score of real images under this protocol, 1 where it is not known: what a perfect generator would get."""
        return 1.0 if self.floor is None else float(self.transform(np.asarray(self.floor, dtype=np.float64)))

    @property
    def title(self) -> str:
        """The metric as people write it."""
        return self.metric.upper()

    @cached_property
    def scores(self) -> FloatArray:
        """Bounded scores [M, S, K] in [0, 1], higher better, diverged = 0; NaN only where missing."""
        return np.where(self.diverged, 0.0, self.transform(self.values))

    @cached_property
    def ordered(self) -> FloatArray:
        """Values [M, S, K] with diverged runs at the worst end, +inf or -inf: for medians in the metric's
        units.
        """
        return np.where(self.diverged, np.inf if self.lower_is_better else -np.inf, self.values)

    def pick(self, method: str, settings: Sequence[str] | None = None) -> FloatArray:
        """Bounded scores [S, K] of one method at `settings` (default: all, in the table's order)."""
        return self._of(self.scores, method, settings)

    def pick_ordered(self, method: str, settings: Sequence[str] | None = None) -> FloatArray:
        """The same runs in the metric's units, diverged ones at the worst end."""
        return self._of(self.ordered, method, settings)

    def first_seeds(self, number: int) -> "ScoreTable":
        """The same table with the seeds from 0 to `number` - 1 alone."""
        return self.of_seeds(np.array(self.seeds) < number)

    def of_seeds(self, kept: BoolArray) -> "ScoreTable":
        """The same table with some of its seeds alone; `kept` [K] says which."""
        seeds = tuple(seed for seed, stays in zip(self.seeds, kept, strict=True) if stays)
        return replace(self, seeds=seeds, values=self.values[..., kept], diverged=self.diverged[..., kept])

    def of_settings(self, kept: BoolArray) -> "ScoreTable":
        """The same table with some of its settings alone; `kept` [S] says which."""
        settings = tuple(name for name, stays in zip(self.settings, kept, strict=True) if stays)
        return replace(self, settings=settings, values=self.values[:, kept], diverged=self.diverged[:, kept])

    def part(self, methods: Collection[str], settings: Collection[str], seeds: Collection[int]) -> "ScoreTable":
        """The same table with those of its methods, settings and seeds alone that are named."""
        axes = (self.methods, methods), (self.settings, settings), (self.seeds, seeds)
        kept = np.ix_(*([place for place, name in enumerate(own) if name in named] for own, named in axes))
        return replace(
            self,
            methods=tuple(name for name in self.methods if name in methods),
            settings=tuple(name for name in self.settings if name in settings),
            seeds=tuple(seed for seed in self.seeds if seed in seeds),
            values=self.values[kept],
            diverged=self.diverged[kept],
        )

    def _of(self, array: FloatArray, method: str, settings: Sequence[str] | None) -> FloatArray:
        rows = [self.settings.index(name) for name in (self.settings if settings is None else settings)]
        return np.asarray(array[self.methods.index(method)][rows])


def score_table(evaluations: pd.DataFrame, trials: pd.DataFrame, protocol: str, kind: Kind) -> ScoreTable:
    """The table of one protocol, from the store's frames of evaluations and trials.

    `protocol` is the short name; the full name of a table says the extractor's hash too. "final" is the value
    at the last update of the trial's config, "best" the best over its evaluations. In both kinds a run counts
    once it is complete: an unfinished one had fewer chances and a failed one is no result, so both are
    missing. A run that diverged is diverged in both kinds, however good it was before.

    Raises InputError when the numbers must not be compared: two extractors, two data sets, two trials for one
    cell, or trials whose configs differ in more than method, setting and seed.
    """
    described = parse(protocol)
    refuse_mixtures(trials)
    measured, full_name = _of_protocol(evaluations, protocol)
    methods, settings, seeds = axes(trials)
    values, diverged = laid_out(trials, _numbers(measured, trials, kind, described.lower_is_better))
    floors = measured["floor"].astype(float).dropna() if len(measured) else pd.Series(dtype=float)
    return ScoreTable(
        methods=methods,
        settings=settings,
        seeds=seeds,
        values=values,
        diverged=diverged,
        protocol=full_name,
        metric=described.metric,
        lower_is_better=described.lower_is_better,
        kind=kind,
        floor=float(floors.median()) if len(floors) else None,
        dataset=str(trials["dataset"].iloc[0]) if len(trials) else "",
    )


def axes(trials: pd.DataFrame) -> tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...]]:
    """Methods, settings and seeds of the store's frame of trials, in the order of a table."""
    methods = METHODS.ordered(trials["method"].unique())
    settings = SETTINGS.ordered(trials["setting"].unique())
    return methods, settings, tuple(sorted(map(int, trials["seed"].unique())))


def laid_out(
    trials: pd.DataFrame, numbers: Mapping[str, float], *, diverged_is_worst: bool = True
) -> tuple[FloatArray, BoolArray]:
    """Numbers by digest as values and diverged [M, S, K] over the axes; only runs with a result have one.

    diverged_is_worst : a run that diverged has no value, and counts as the worst; else it keeps its number.
    """
    axis = [{name: place for place, name in enumerate(names)} for names in axes(trials)]
    cells = tuple(trials[name].map(place).to_numpy(dtype=np.intp)
                  for name, place in zip(("method", "setting", "seed"), axis, strict=True))  # fmt: skip
    values = np.full([len(place) for place in axis], np.nan)
    diverged = np.zeros(values.shape, dtype=np.bool_)
    states = trials["state"].to_numpy()
    broken = (states == "diverged") & diverged_is_worst
    found = trials["digest"].map(numbers).to_numpy(dtype=float, na_value=np.nan)
    diverged[cells] = broken
    values[cells] = np.where(((states == "completed") | (states == "diverged")) & ~broken, found, np.nan)
    return values, diverged


def _of_protocol(evaluations: pd.DataFrame, protocol: str) -> tuple[pd.DataFrame, str]:
    """The rows of a short name and its one full name."""
    name = re.compile(rf"{re.escape(protocol)}-[0-9a-f]{{8}}")
    full_names = sorted(full for full in map(str, evaluations["protocol"].unique()) if name.fullmatch(full))
    if len(full_names) > 1:
        raise InputError(f"{protocol} was measured with different extractors: {', '.join(full_names)}.\n{_APART}")
    full_name = full_names[0] if full_names else protocol
    measured = evaluations.loc[evaluations["protocol"] == full_name, ["digest", "update", "value", "floor"]]
    return measured, full_name


def _numbers(measured: pd.DataFrame, trials: pd.DataFrame, kind: Kind, lower_is_better: bool) -> dict[str, float]:
    """The final or best value by digest; trials without one are absent."""
    measured = measured.assign(value=measured["value"].astype(float)).dropna(subset=["value"])
    if kind == "final":
        last = trials.drop_duplicates("digest").set_index("digest")["updates"]
        measured = measured[measured["update"] == measured["digest"].map(last)]
    groups = measured.groupby("digest")["value"]
    best = groups.min() if lower_is_better else groups.max()
    return dict(zip(best.index, best.tolist(), strict=True))


def refuse_mixtures(trials: pd.DataFrame, planned: Iterable[PlannedTrial] = ()) -> None:
    """Raise InputError unless all trials of the store's frame differ in method, setting and seed alone.

    `planned` : a plan that is about to join them; its cells take the places of theirs.
    """
    trials = _joined(trials, planned)
    twice = trials[trials.duplicated(["method", "setting", "seed"], keep=False)]
    if len(twice):
        method, setting, seed = (twice[name].iloc[0] for name in ("method", "setting", "seed"))
        raise InputError(f"{method} at {setting} with seed {seed} has several trials, of different configs.\n{_APART}")
    seen: dict[tuple[str, str], Any] = {}
    cells = zip(trials["method"].tolist(), trials["setting"].tolist(), map(without_seed, trials["config"]), strict=True)
    for method, setting, text in dict.fromkeys(cells):
        config = json.loads(text)
        for name, code in _codes(config):
            if seen.setdefault(("code of", name), code) != code:
                raise InputError(
                    f"trials of this study have regularizer {name!r} from two versions of its plugin.\n{_APART}"
                )
        # What an unknown method overrides (its plugin is not loaded) is not known: its trials agree among themselves.
        scope = "" if method in METHODS else method
        own = {
            *(METHODS[method].overrides if method in METHODS else ()),
            *(SETTINGS[setting].overrides if setting in SETTINGS else ()),
        }
        for key in sorted(config.keys() - _AXES - own):
            if seen.setdefault((scope, key), config[key]) != config[key]:
                raise InputError(
                    f"trials of this study differ in config.{key}: {seen[scope, key]!r}, {config[key]!r}.\n{_APART}"
                )


def _codes(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and code of a config's regularizers; "" in the package."""
    return [(item["name"], item.get("code", "")) for item in config["regularizers"]]


def _joined(trials: pd.DataFrame, planned: Iterable[PlannedTrial]) -> pd.DataFrame:
    names = ["method", "setting", "seed"]
    text: dict[TrialConfig, str] = {}
    cells: dict[tuple[Any, ...], str] = {}
    for trial in planned:
        config = trial.config.with_seed(0)
        if config not in text:
            text[config] = json.dumps(config.to_dict())
        cells[trial.cell] = text[config]
    if not cells:
        return trials
    new = pd.DataFrame([(*cell, config) for cell, config in cells.items()], columns=[*names, "config"])
    stays = [cell not in cells for cell in _columns(trials, *names)]
    return pd.concat([new, trials.loc[stays, [*names, "config"]]], ignore_index=True)


def _columns(frame: pd.DataFrame, *names: str) -> Iterable[tuple[Any, ...]]:
    return zip(*(frame[name].tolist() for name in names), strict=True)
