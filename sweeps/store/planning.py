"""Plans studies: functions on a connection inside a writing transaction, used by ResultStore only.

Rows are inserted in the order of their digests, so that two writers can never wait for each other.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select, update

from sweeps.looks import Looks
from sweeps.store.tables import LooksRow, StudyRow, StudyTrialRow, TrialRow, TrialState
from sweeps.store.writes import ROWS, chunks, states_of, upsert
from sweeps.study import PlannedTrial


def register(
    connection: Connection,
    study: str,
    preset: str,
    description: Mapping[str, Any],
    trials: Sequence[PlannedTrial],
) -> None:
    """Insert or renew the study's row, its trials (known ones stay as they are) and its cells."""
    key = {"study": study, "preset": preset}
    row = {**key, "description": dict(description), "provenance": {}, "launches": []}
    upsert(connection, StudyRow, [row], keep=("provenance", "launches"))
    planned = {trial.digest: trial for trial in trials}
    new = sorted(planned.keys() - states_of(connection, planned).keys())
    for part in chunks(new, ROWS):
        rows = [_trial_row(digest, planned[digest]) for digest in part]
        upsert(connection, TrialRow, rows, keep=list(rows[0]))
    known = _cells(connection, study, preset)
    changed = [(*trial.cell, trial.digest) for trial in trials if known.get(trial.cell) != trial.digest]
    for batch in chunks(sorted(changed, key=lambda row: row[-1]), ROWS):
        named = [dict(zip(("method", "setting", "seed", "trial"), row, strict=True)) for row in batch]
        upsert(connection, StudyTrialRow, [{**key, **cell} for cell in named])


def _cells(connection: Connection, study: str, preset: str) -> dict[tuple[str, str, int], str]:
    """The trial that every cell of a study means."""
    query = select(StudyTrialRow.method, StudyTrialRow.setting, StudyTrialRow.seed, StudyTrialRow.trial)
    rows = connection.execute(query.where(StudyTrialRow.study == study, StudyTrialRow.preset == preset))
    return {(method, setting, seed): trial for method, setting, seed, trial in rows}


def _trial_row(digest: str, trial: PlannedTrial) -> dict[str, Any]:
    config = trial.config
    copied = ("alpha", "beta1", "beta2", "n_dis", "dataset", "architecture", "updates")
    return {
        "digest": digest,
        "config": config.to_dict(),
        **{name: getattr(config, name) for name in copied},
        "state": TrialState.QUEUED.value,
        "last_update": 0,
        "train_s": 0.0,
        "evaluate_s": 0.0,
        "reason": "",
        "error": "",
    }


def set_provenance(connection: Connection, study: str, preset: str, provenance: Mapping[str, Any]) -> None:
    """Replace the study's provenance and note one more launch."""
    key = (StudyRow.study == study, StudyRow.preset == preset)
    query = select(StudyRow.launches).where(*key).with_for_update()
    launches = connection.execute(query).scalar_one_or_none()
    if launches is None:
        raise LookupError(f"study {study!r} with preset {preset!r} is not registered")
    started = str(provenance.get("started") or datetime.now(UTC).isoformat(timespec="seconds"))
    changed = {"provenance": dict(provenance), "launches": [*launches, started]}
    connection.execute(update(StudyRow).where(*key).values(**changed))


def plan_looks(connection: Connection, study: str, preset: str, looks: Looks) -> Looks:
    """Remember the study's looks unless there are some; return those that hold."""
    row = {"study": study, "preset": preset, "first": looks.first, "last": looks.last}
    upsert(connection, LooksRow, [row], keep=("first", "last"))
    found = looks_of(connection, study, preset)
    assert found is not None
    return found


def looks_of(connection: Connection, study: str, preset: str) -> Looks | None:
    """The study's looks, None where none were planned."""
    query = select(LooksRow.first, LooksRow.last).where(LooksRow.study == study, LooksRow.preset == preset)
    row = connection.execute(query).one_or_none()
    return None if row is None else Looks(first=row.first, last=row.last)
