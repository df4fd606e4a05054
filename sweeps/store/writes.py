"""Changes results: functions on a connection inside a writing transaction, used by ResultStore only.

Rows are locked and inserted in the order of their digests, so that two writers can never wait for each other.
"""

import dataclasses
import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from sngan.results import Diagnosis, Evaluation, Outcome
from sweeps.store import checksums
from sweeps.store.tables import (
    AttemptRow,
    Base,
    ChecksumRow,
    DiagnosticRow,
    EvaluationRow,
    LeaseRow,
    SampleRow,
    SpectrumRow,
    StudyRow,
    TrialRow,
    TrialState,
    VerdictRow,
    table_of,
)

logger = logging.getLogger(__name__)

# Rows per statement while registering; digests per IN (SQLite allows at least 999 parameters).
ROWS, DIGESTS = 5_000, 500
INTERRUPTED = "interrupted"
T = TypeVar("T")


def states_of(connection: Connection, digests: Iterable[str]) -> dict[str, TrialState]:
    """State of those of the given trials that are registered."""
    found: dict[str, TrialState] = {}
    query = select(TrialRow.digest, TrialRow.state)
    for part in chunks(sorted(set(digests)), DIGESTS):
        rows = connection.execute(query.where(TrialRow.digest.in_(part)))
        found.update((digest, TrialState(state)) for digest, state in rows)
    return found


def lock(connection: Connection, digests: Iterable[str]) -> dict[str, TrialState]:
    """State of the given trials, which no other writer can change before the transaction ends.

    Raises LookupError for a trial that was never registered.
    """
    wanted = sorted(set(digests))
    found: dict[str, TrialState] = {}
    for part in chunks(wanted, DIGESTS):
        query = select(TrialRow.digest, TrialRow.state).where(TrialRow.digest.in_(part))
        rows = connection.execute(query.order_by(TrialRow.digest).with_for_update())
        found.update((digest, TrialState(state)) for digest, state in rows)
    missing = [digest for digest in wanted if digest not in found]
    if missing:
        raise LookupError(f"trial {missing[0]} is not registered")
    return found


def requeue(connection: Connection, digests: Iterable[str]) -> None:
    """Running and failed trials become queued; their open attempts end as interrupted."""
    unfinished = (TrialState.RUNNING.value, TrialState.FAILED.value)
    for part in chunks(sorted(set(digests)), DIGESTS):
        chosen = update(TrialRow).where(TrialRow.digest.in_(part), TrialRow.state.in_(unfinished))
        connection.execute(chosen.values(state=TrialState.QUEUED.value, error=""))
        _close_attempts(connection, part, INTERRUPTED)


def start_attempts(
    connection: Connection, digests: Iterable[str], host: str, device: str, versions: Mapping[str, str]
) -> None:
    """Begin an attempt at each of the trials, which are then running unless they are finished."""
    states = lock(connection, digests)
    row = {"host": host, "device": device, "versions": dict(versions), "start": _now(), "error": ""}
    for part in chunks(states, DIGESTS):
        _close_attempts(connection, part, INTERRUPTED)
        unfinished = [{"state": TrialState.RUNNING.value, "error": "", "_digest": digest}
                      for digest in part if not states[digest].finished]  # fmt: skip
        _set_trials(connection, unfinished)
        connection.execute(insert(AttemptRow), [{**row, "trial": digest} for digest in part])


def record(connection: Connection, items: Iterable[tuple[str, Evaluation]]) -> None:
    """Insert or renew the rows of evaluations of unfinished trials; costs only move forward."""
    given = sorted(items, key=lambda item: (item[0], item[1].update))
    states = lock(connection, [digest for digest, _ in given])
    for part in chunks([(digest, e) for digest, e in given if not states[digest].finished], ROWS):
        upsert(connection, EvaluationRow, [row for digest, e in part for row in _score_rows(digest, e)])
        upsert(
            connection,
            DiagnosticRow,
            [row for digest, e in part for row in _diagnostic_rows(digest, e.update, e.diagnostics)],
        )
        upsert(connection, SampleRow, [_sample_row(digest, e) for digest, e in part if e.samples is not None])
        _record_diagnoses(connection, [(digest, diagnosis) for digest, e in part for diagnosis in e.diagnoses])
        _move_costs(connection, part)


def _move_costs(connection: Connection, items: Sequence[tuple[str, Evaluation]]) -> None:
    newest = dict(items)  # sorted by update: the last one stays
    rows = [
        {
            "_digest": digest,
            "last_update": e.update,
            "train_s": seconds(e.train_s),
            "evaluate_s": seconds(e.evaluate_s),
        }
        for digest, e in newest.items()
    ]
    # A resumed trial tells of earlier updates again: their costs are older than what is stored.
    _set_trials(connection, rows, TrialRow.last_update <= bindparam("last_update"))


def _score_rows(digest: str, evaluation: Evaluation) -> list[dict[str, Any]]:
    numbers = ("value", "spread", "floor", "seconds")
    rows = []
    for score in evaluation.scores:
        row = {field.name: getattr(score, field.name) for field in dataclasses.fields(score)}
        row.update({name: finite(row[name]) for name in numbers})
        rows.append({"trial": digest, "update": evaluation.update, **row})
    return rows


def _diagnostic_rows(digest: str, update: int, values: Mapping[str, float]) -> list[dict[str, Any]]:
    key = {"trial": digest, "update": update}
    return [{**key, "name": name, "value": finite(value)} for name, value in values.items()]


def _record_diagnoses(connection: Connection, items: Sequence[tuple[str, Diagnosis]]) -> None:
    rows = [row for digest, d in items for row in _diagnostic_rows(digest, d.update, d.values)]
    for part in chunks(rows, ROWS):
        upsert(connection, DiagnosticRow, part)
    upsert(connection, SpectrumRow, [row for digest, diagnosis in items for row in _spectrum_rows(digest, diagnosis)])


def _spectrum_rows(digest: str, diagnosis: Diagnosis) -> list[dict[str, Any]]:
    key = {"trial": digest, "update": diagnosis.update}
    return [
        {**key, "layer": spectrum.layer, "weight": spectrum.weight, "singular_values": list(spectrum.values)}
        for spectrum in diagnosis.spectra
    ]


def _sample_row(digest: str, evaluation: Evaluation) -> dict[str, Any]:
    assert evaluation.samples is not None
    return {"trial": digest, "update": evaluation.update, "path": clean(evaluation.samples.as_posix())}


def finish(connection: Connection, outcomes: Iterable[tuple[str, Outcome]]) -> None:
    """Give trials their results, once and for all, and end their attempts. Of two outcomes the first stays."""
    first: dict[str, Outcome] = {}
    for digest, outcome in outcomes:
        first.setdefault(digest, outcome)
    states = lock(connection, first)
    for part in chunks(states, DIGESTS):
        _close_attempts(connection, part, "")
        for digest in part:
            if states[digest].finished and states[digest] != first[digest].state:
                told = digest, states[digest].value, first[digest].state
                logger.warning("trial %s is %s; a later %r is ignored", *told)
        _end(connection, {digest: first[digest] for digest in part if not states[digest].finished})


def _end(connection: Connection, outcomes: Mapping[str, Outcome]) -> None:
    if not outcomes:
        return
    # An earlier attempt whose checkpoint was lost may have come further than the one that counts.
    ends = [{"_digest": digest, "_update": outcome.update} for digest, outcome in outcomes.items()]
    connection.execute(delete(LeaseRow).where(LeaseRow.trial.in_(list(outcomes))))
    for row in (EvaluationRow, DiagnosticRow, SpectrumRow, SampleRow):
        beyond = (row.trial == bindparam("_digest"), row.update > bindparam("_update"))
        connection.execute(delete(table_of(row)).where(*beyond), ends)
    _record_diagnoses(connection, [(digest, d) for digest, outcome in outcomes.items() for d in outcome.diagnoses])
    sums = checksums.of_trials(connection, TrialRow.digest.in_(list(outcomes)))
    stored = [{"trial": digest, "checksum": checksums.hexadecimal(sums.get(digest, 0))} for digest in outcomes]
    upsert(connection, ChecksumRow, stored)
    rows = [
        {
            "_digest": digest,
            "state": TrialState(outcome.state).value,
            "last_update": outcome.update,
            "train_s": seconds(outcome.train_s),
            "evaluate_s": seconds(outcome.evaluate_s),
            "reason": clean(outcome.reason),
            "error": "",
        }
        for digest, outcome in outcomes.items()
    ]
    _set_trials(connection, rows)


def fail(connection: Connection, digest: str, error: str, *, final: bool) -> None:
    """End the attempts at an unfinished trial with `error`: it is failed and nobody's, or queued again."""
    state = lock(connection, [digest])[digest]
    text = clean(error) or "unknown error"
    _close_attempts(connection, [digest], text)
    if final:
        connection.execute(delete(LeaseRow).where(LeaseRow.trial == digest))
    if not state.finished:
        after = TrialState.FAILED if final else TrialState.QUEUED
        _set_trials(connection, [{"_digest": digest, "state": after.value, "error": text if final else ""}])


def replace_verdicts(connection: Connection, study: str, preset: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Replace all verdicts of a study by `rows` (the fields of Verdict), in their order."""
    # Two launches that judge at the same time would both delete, and then both insert.
    connection.execute(
        select(StudyRow.study).where(StudyRow.study == study, StudyRow.preset == preset).with_for_update()
    )
    connection.execute(delete(VerdictRow).where(VerdictRow.study == study, VerdictRow.preset == preset))
    numbers = ("effect", "low", "high", "level", "p_value")
    for position, row in enumerate(rows):
        values = {**row, **{name: finite(row[name]) for name in numbers}}
        connection.execute(insert(VerdictRow).values(study=study, preset=preset, position=position, **values))


def upsert(
    connection: Connection, table: type[Base], rows: Sequence[Mapping[str, Any]], keep: Sequence[str] = ()
) -> None:
    """Insert `rows`; where the primary key exists, overwrite all other columns except `keep`."""
    if not rows:
        return
    key = table_of(table).primary_key.columns.keys()
    statement: sqlite.Insert | postgresql.Insert
    if connection.dialect.name == "sqlite":
        statement = sqlite.insert(table_of(table))
    else:
        statement = postgresql.insert(table_of(table))
    changed = {name: statement.excluded[name] for name in rows[0] if name not in key and name not in keep}
    if changed:
        statement = statement.on_conflict_do_update(index_elements=key, set_=changed)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=key)
    connection.execute(statement, list(rows))


def finite(value: float | None) -> float | None:
    """`value` as a float, None unless finite. -0.0 becomes 0.0, for SQLite does not keep the sign of zero."""
    return float(value) + 0.0 if value is not None and math.isfinite(value) else None


def seconds(value: float) -> float:
    """`value`, 0 unless finite: what a trial cost is always known."""
    return finite(value) or 0.0


def clean(text: str) -> str:
    """`text` without what a database cannot hold: NUL, and halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\N{REPLACEMENT CHARACTER}")


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of at most `size` items each, in order."""
    iterator = iter(items)
    while part := list(islice(iterator, size)):
        yield part


def _set_trials(connection: Connection, rows: Sequence[Mapping[str, Any]], *only: ColumnElement[bool]) -> None:
    """Set the named columns of the trials "_digest" of `rows`, which all name the same, where `only` holds."""
    if rows:
        values: dict[str, Any] = {name: bindparam(name) for name in rows[0] if name != "_digest"}
        statement = update(table_of(TrialRow)).where(TrialRow.digest == bindparam("_digest"), *only).values(**values)
        connection.execute(statement, list(rows))


def _close_attempts(connection: Connection, digests: Sequence[str], error: str) -> None:
    opened = update(AttemptRow).where(AttemptRow.trial.in_(digests), AttemptRow.end.is_(None))
    connection.execute(opened.values(end=_now(), error=error))


def _now() -> datetime:
    return datetime.now(UTC)
