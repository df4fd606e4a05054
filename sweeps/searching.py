"""Which trials the searches of a launch want, from what the store knows of them."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sngan.config import TrialConfig
from sngan.errors import InputError
from sngan.methods import METHODS
from sweeps.scores import ScoreTable, score_table
from sweeps.spaces import Axis, Place, Search, Tried, Value, configured, space_of, values_of
from sweeps.store import ResultStore, TrialState
from sweeps.study import PlannedTrial, Preset

Cell = tuple[str, str, int]


@dataclass(frozen=True, kw_only=True)
class Searches:
    """One search for each method, sampler and seed (repetition) of a study.

    study, preset : names in the store, and what is searched. base : config of all trials. seeds : repetitions.
    memory : Optuna's file; None keeps nothing of what is only looked at.
    """

    study: str
    preset: Preset
    search: Search
    base: TrialConfig
    methods: tuple[str, ...]
    seeds: int
    memory: Path | None

    @property
    def num_trials(self) -> int:
        """Trials in all, once every search has its budget and its best one is trained again."""
        return len(self.methods) * len(self.search.settings) * self.seeds

    @property
    def examples(self) -> list[TrialConfig]:
        """A config of every method, for what can be checked before anything is proposed."""
        return [METHODS[method].apply(self.base) for method in self.methods]

    def plan(self, store: ResultStore | None) -> list[PlannedTrial]:
        """All that was proposed so far, and the next round of every search whose trials all have a result.

        A search waits for a trial that failed, which is no result; the others go on. The same results give the same
        plan, whoever asks. Seeds are outermost. Raises InputError for results that must not be compared.
        """
        from sweeps.search import open_memory, propose  # importing Optuna takes half a second: only for a search

        known = {} if store is None else self._known(store)
        with open_memory(self.memory) as memory:
            return [
                trial
                for seed in range(self.seeds)
                for method in self.methods
                for sampler in self.search.samplers
                for trial in self._wanted(known, method, sampler, seed, partial(propose, memory=memory))
            ]

    def _known(self, store: ResultStore) -> dict[Cell, "KnownTrial"]:
        trials = store.trials(self.study, self.preset.name)
        evaluations = store.evaluations(self.study, self.preset.name)
        return known_trials(trials, score_table(evaluations, trials, self.preset.headline, "final"))

    def _wanted(
        self, known: Mapping[Cell, "KnownTrial"], method: str, sampler: str, seed: int, ask: Callable[..., Any]
    ) -> list[PlannedTrial]:
        """The trials of one search, in the order of their places."""
        space = space_of(self.search, method)
        places = [Place(sampler=sampler, number=number) for number in range(self.search.budget)]
        found = [known.get((method, str(place), seed)) for place in places]
        count = next((number for number, one in enumerate(found) if one is None), len(found))
        tried = [one.tried(space) for one in found[:count] if one is not None]
        complete = all(one.ended for one in tried)
        proposed: list[dict[str, Value]] = ask(
            tried,
            min(self.search.round_size, self.search.budget - count) if complete else 0,
            name=" ".join((self.study, self.preset.name, method, sampler, f"seed {seed}")),
            space=space,
            sampler=sampler,
            seed=seed,
            round_size=self.search.round_size,
            objective=f"score of {self.preset.headline}, 0 to 1",
        )
        values = [*(one.values for one in tried), *proposed]
        best = values[_best(tried)] if complete and len(tried) == self.search.budget else None
        if best is not None:
            again = [Place(sampler=sampler, number=number, best=True) for number in range(self.search.retrain)]
            places, values = [*places, *again], [*values, *[best] * len(again)]
        return [
            PlannedTrial(
                method=METHODS[method].name,
                setting=str(place),
                seed=seed,
                config=configured(method, chosen, self.base).replace(seed=place.seed(seed)),
            )
            for place, chosen in zip(places, values, strict=False)
        ]


@dataclass(frozen=True, kw_only=True)
class KnownTrial:
    """What the store knows of a cell. score : bounded, None without a number."""

    config: TrialConfig
    ended: bool
    score: float | None

    def tried(self, space: Mapping[str, Axis]) -> Tried:
        """The same as a search sees it."""
        return Tried(values=values_of(self.config, space), score=self.score, ended=self.ended)


def known_trials(trials: pd.DataFrame, table: ScoreTable) -> dict[Cell, KnownTrial]:
    """Every cell of the store's frame of trials, with its score in `table`."""
    places = [
        {name: position for position, name in enumerate(axis)}
        for axis in (table.methods, table.settings, map(str, table.seeds))
    ]
    found = {}
    for row in trials.to_dict("records"):
        cell = (str(row["method"]), str(row["setting"]), int(row["seed"]))
        score = table.scores[tuple(place[str(name)] for place, name in zip(places, cell, strict=True))]
        found[cell] = KnownTrial(
            config=TrialConfig.from_dict(json.loads(str(row["config"]))),
            ended=TrialState(str(row["state"])).finished,
            score=None if np.isnan(score) else float(score),
        )
    return found


def _best(tried: Sequence[Tried]) -> int:
    """The number of the best configuration, the first of equal ones."""
    return int(np.argmax([-1.0 if one.score is None else one.score for one in tried]))


def searches_of(
    study: str,
    preset: Preset,
    *,
    methods: Sequence[str] | None,
    settings: Sequence[str] | None,
    seeds: int | None,
    memory: Path | None,
) -> Searches | None:
    """The searches of a preset as a user varied them; None for a preset without a search.

    Raises InputError for chosen settings, which a search finds by itself.
    """
    if preset.search is None:
        return None
    if settings is not None:
        raise InputError(
            f"preset {preset.name} searches its settings; they cannot be chosen.\nAllowed: --methods and --seeds."
        )
    return Searches(
        study=study,
        preset=preset,
        search=preset.search,
        base=TrialConfig.from_dict(dict(preset.config)),
        methods=tuple(METHODS[name].name for name in methods or preset.methods),
        seeds=preset.seeds if seeds is None else seeds,
        memory=memory,
    )
