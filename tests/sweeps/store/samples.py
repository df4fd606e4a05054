"""Databases, plans and results for the tests of the store and of what reads it."""

import contextlib
import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import select

from sngan.config import TrialConfig
from sngan.results import Diagnosis, Evaluation, Outcome, Score, Spectrum
from sngan.seeding import numpy_stream
from sweeps.store import ResultStore, TrialState
from sweeps.store.connect import transaction
from sweeps.store.tables import AttemptRow
from sweeps.study import PlannedTrial, Preset, plan

STUDY, PRESET = "robustness", "quick"
FID = "fid/gen600-test600-digits-1a2b3c4d"
KID = "kid/gen600-test600-digits-1a2b3c4d"
DATABASES = ("sqlite", "postgresql")
POSTGRESQL = "SNGAN_TEST_POSTGRESQL"


def postgresql_url() -> str:
    """URL of the PostgreSQL database for tests; without one the test is skipped."""
    url = os.environ.get(POSTGRESQL)
    if not url:
        pytest.skip(f"needs a PostgreSQL server: set {POSTGRESQL} to postgresql://user:password@host:port/database")
    return url


@contextlib.contextmanager
def fresh_database(kind: str, folder: Path) -> Iterator[str]:
    """URL of a database without tables: a file below `folder`, or a schema of its own on the server."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / uuid.uuid4().hex / 'results.db'}"
        return
    import psycopg

    server = postgresql_url()
    schema = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")  # type: ignore[call-overload]
        try:
            yield f"{server}{'&' if '?' in server else '?'}options=-csearch_path%3D{schema}"
        finally:
            connection.execute(f"DROP SCHEMA {schema} CASCADE")  # type: ignore[call-overload]


def planned(
    methods: Sequence[str] = ("sn", "wgan-gp"),
    settings: Sequence[str] = ("A", "B"),
    seeds: int = 2,
    updates: int = 1000,
) -> list[PlannedTrial]:
    """A plan with two evaluations per trial."""
    preset = Preset(
        name=PRESET,
        description="for tests",
        config={"updates": updates, "evaluate_every": 500, "protocols": [FID[:-9], KID[:-9]]},
        methods=tuple(methods),
        settings=tuple(settings),
        seeds=seeds,
        headline=FID[:-9],
    )
    return plan(preset)


def many_trials(number: int) -> list[PlannedTrial]:
    """Trials of one method and setting with seeds 0 to number-1, without the cost of checking so many configs."""
    config = TrialConfig()
    return [
        PlannedTrial(method="sn", setting="A", seed=seed, config=config.replace(seed=seed)) for seed in range(number)
    ]


def score(value: float | None, protocol: str = FID, spread: float | None = None, floor: float | None = 1.25) -> Score:
    """A score whose seconds differ from run to run, as real ones do."""
    return Score(
        protocol=protocol,
        metric=protocol.split("/")[0],
        value=value,
        spread=spread,
        num_generated=600,
        num_real=600,
        split="test",
        extractor="digits-1a2b3c4d",
        floor=floor,
        seconds=0.25,
    )


def evaluation(
    update: int,
    value: float | None = 12.5,
    *,
    kid: float | None = 0.125,
    samples: str | None = "samples/x/u000500.png",
    train_s: float = 10.0,
) -> Evaluation:
    """Both scores, two diagnostics, a spectrum, a grid."""
    spectrum = Spectrum(layer="layer2", weight="effective", values=(1.0, 0.5))
    return Evaluation(
        update=update,
        scores=(score(value), score(kid, KID, spread=0.5)),
        diagnostics={"loss/generator": 0.75, "seconds_per_update": 0.01},
        train_s=train_s,
        evaluate_s=train_s / 10,
        samples=None if samples is None else Path(samples),
        diagnoses=(Diagnosis(update=update, values={}, spectra=(spectrum,)),),
    )


def outcome(state: str = "completed", update: int = 1000, reason: str = "") -> Outcome:
    assert state in ("completed", "diverged")
    return Outcome(state=state, update=update, reason=reason, train_s=20.0, evaluate_s=2.0)  # type: ignore[arg-type]


def filled(store: ResultStore, study: str = STUDY) -> list[PlannedTrial]:
    """Register a plan and give all its trials results: the last one diverged, all others completed."""
    trials = planned()
    store.register(study, PRESET, {"question": "Is it robust?"}, trials)
    values = numpy_stream(0, "metric").uniform(1, 100, size=(len(trials), 2, 2))
    for trial, numbers in zip(trials, values, strict=True):
        store.start_attempt(trial.digest, host="here", device="cpu", versions={"torch": "2"})
        for update, (fid, kid) in zip((500, 1000), numbers, strict=True):
            path = f"samples/{trial.digest}/u{update:06d}.png"
            store.record(trial.digest, evaluation(update, float(fid), kid=float(kid), samples=path))
        store.finish(trial.digest, outcome("diverged" if trial is trials[-1] else "completed"))
    return trials


def state_of(store: ResultStore, digest: str) -> TrialState:
    return store.states(STUDY, PRESET)[digest]


def row_of(store: ResultStore, digest: str) -> pd.Series:
    trials = store.trials(STUDY, PRESET)
    return trials[trials["digest"] == digest].iloc[0]


def attempts_of(store: ResultStore, digest: str) -> list[AttemptRow]:
    with transaction(store._engine, write=False) as connection:
        rows = connection.execute(select(AttemptRow).where(AttemptRow.trial == digest).order_by(AttemptRow.id))
        return list(rows)
