"""Score tables and store-like frames made of plain arrays, for the tests of scores, statistics, claims and studies."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sweeps.measures import MEASURES, MeasureTable
from sweeps.scores import ScoreTable
from sweeps.statistics import BoolArray, FloatArray
from sweeps.study import Preset, plan

PROTOCOLS = {
    "fid": "fid/gen5000-test10000-inception",
    "kid": "kid/gen5000-test10000-inception",
    "is": "is/gen5000x10-inception",
}
SETTING_NAMES = tuple("ABCDEF")
# FIDs at A to F as a fragile method might have them.
BASE = np.array([40.0, 50.0, 45.0, 120.0, 150.0, 200.0])


def table_of(
    values: FloatArray,
    methods: Sequence[str],
    *,
    settings: Sequence[str] = SETTING_NAMES,
    diverged: BoolArray | None = None,
    metric: str = "fid",
    floor: float | None = 7.8,
    dataset: str = "cifar10",
) -> ScoreTable:
    """A table of `values` [M, S, K]; diverged runs lose their value. 100 stands for a measure's middle value."""
    broken = np.zeros(values.shape, dtype=np.bool_) if diverged is None else diverged
    if metric in MEASURES:
        measure = MEASURES[metric]
        return MeasureTable(
            methods=tuple(methods),
            settings=tuple(settings),
            seeds=tuple(range(values.shape[2])),
            values=np.where(broken, np.nan, values * measure.half / 100),
            diverged=broken,
            protocol=metric,
            metric=metric,
            lower_is_better=measure.lower_is_better,
            kind="final",
            floor=None,
            dataset=dataset,
            measure=measure,
        )
    return ScoreTable(
        methods=tuple(methods),
        settings=tuple(settings),
        seeds=tuple(range(values.shape[2])),
        values=np.where(broken, np.nan, values),
        diverged=broken,
        protocol=f"{PROTOCOLS[metric]}-1a2b3c4d",
        metric=metric,
        lower_is_better=metric != "is",
        kind="final",
        floor=floor,
        dataset=dataset,
    )


def equal_methods(
    methods: Sequence[str],
    num_seeds: int,
    stream: np.random.Generator,
    *,
    noise: float = 0.2,
    num_settings: int = len(BASE),
) -> FloatArray:
    """FIDs [M, S, K] of methods that differ in nothing but noise: log-normal about BASE, again and again."""
    base = np.resize(BASE, num_settings)
    shape = (len(methods), num_settings, num_seeds)
    return np.asarray(base[None, :, None] * np.exp(noise * stream.standard_normal(shape)))


def small_preset(**changes: Any) -> Preset:
    """Two methods, two settings, two seeds, with the paper's FID."""
    known: dict[str, Any] = {
        "name": "tiny",
        "description": "for tests",
        "config": {"protocols": (PROTOCOLS["fid"],), "updates": 20, "evaluate_every": 10},
        "methods": ("sn", "batch-norm"),
        "settings": ("A", "D"),
        "seeds": 2,
        "headline": PROTOCOLS["fid"],
    }
    return Preset(**{**known, **changes})


def trials_frame(preset: Preset, states: Mapping[tuple[str, str, int], str] | None = None) -> pd.DataFrame:
    """The store's frame of trials, with the columns that scores need; every trial is complete unless `states` says."""
    chosen = states or {}
    return pd.DataFrame(
        [
            {
                "digest": trial.digest,
                "method": trial.method,
                "setting": trial.setting,
                "seed": trial.seed,
                "state": chosen.get((trial.method, trial.setting, trial.seed), "completed"),
                "dataset": trial.config.dataset,
                "updates": trial.config.updates,
                "config": json.dumps(trial.config.to_dict(), sort_keys=True),
            }
            for trial in plan(preset)
        ]
    )


def evaluations_frame(
    trials: pd.DataFrame, values: Mapping[tuple[str, str, int, int], float | None], protocol: str, *, floor: float = 7.8
) -> pd.DataFrame:
    """The store's frame of evaluations: `values` by (method, setting, seed, update), all under one full name."""
    digests = {(row.method, row.setting, row.seed): row.digest for row in trials.itertuples(index=False)}
    rows = [
        {"digest": digests[cell[:3]], "update": cell[3], "protocol": protocol, "value": value, "floor": floor}
        for cell, value in values.items()
    ]
    return pd.DataFrame(rows, columns=["digest", "update", "protocol", "value", "floor"])
