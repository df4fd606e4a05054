"""Which launch runs which trial: functions on a connection inside a writing transaction, used by ResultStore only.

A lease is a promise with an end: its holder renews it while it lives, and a launch that died, or lost the database,
loses its trials by doing nothing. The clock is the database's: those of a cluster's machines differ. SQLite has none of
its own; the clock of the machine on which its file lies has to do.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, func, select, update

from sweeps.store import writes
from sweeps.store.tables import LeaseRow, StudyTrialRow, TrialState
from sweeps.store.writes import DIGESTS, chunks

# A trial that another launch has given up is not tried again by one that runs already.
_TO_RUN = (TrialState.QUEUED, TrialState.RUNNING)


def claim(
    connection: Connection, digests: Sequence[str], number: int, *, holder: str, about: str, lease_s: float
) -> list[str]:
    """Lease the first `number` of these trials, in their order, that are to be run and that nobody else holds."""
    free: list[str] = []
    for part in chunks(digests, DIGESTS):
        states = writes.lock(connection, part)
        taken = {digest for digest, other, _, _ in valid(connection, part) if other != holder}
        free += [digest for digest in part if states[digest] in _TO_RUN and digest not in taken]
        if len(free) >= number:
            break
    del free[number:]
    row = {"holder": holder, "about": about, "expires": now(connection) + timedelta(seconds=lease_s)}
    writes.upsert(connection, LeaseRow, [{"trial": digest, **row} for digest in sorted(free)])
    return free


def renew(connection: Connection, holder: str, lease_s: float) -> set[str]:
    """Extend all leases of a holder, also those that are over and that nobody has taken; the trials that it holds."""
    expires = now(connection) + timedelta(seconds=lease_s)
    connection.execute(update(LeaseRow).where(LeaseRow.holder == holder).values(expires=expires))
    return set(connection.scalars(select(LeaseRow.trial).where(LeaseRow.holder == holder)))


def requeue(connection: Connection, digests: Iterable[str], holder: str) -> None:
    """sweeps.store.writes.requeue, without what anybody but `holder` has."""
    chosen = set(digests)
    writes.requeue(connection, chosen - {trial for trial, other, _, _ in valid(connection, chosen) if other != holder})


def release_all(connection: Connection, holder: str) -> None:
    """Give everything back that a holder has."""
    connection.execute(delete(LeaseRow).where(LeaseRow.holder == holder))


def valid(connection: Connection, digests: Iterable[str]) -> list[tuple[str, str, str, datetime]]:
    """(trial, holder, about, expires) of those of the trials that somebody holds now."""
    at = now(connection)
    columns = (LeaseRow.trial, LeaseRow.holder, LeaseRow.about, LeaseRow.expires)
    found: list[tuple[str, str, str, datetime]] = []
    for part in chunks(sorted(set(digests)), DIGESTS):
        query = select(*columns).where(LeaseRow.trial.in_(part), LeaseRow.expires > at)
        found += [(trial, holder, about, expires) for trial, holder, about, expires in connection.execute(query)]
    return found


def at_work(connection: Connection, study: str, preset: str) -> list[str]:
    """The launches, in words, that hold any trial of the study now."""
    of_study = select(StudyTrialRow.trial).where(StudyTrialRow.study == study, StudyTrialRow.preset == preset)
    held = select(LeaseRow.about).where(LeaseRow.trial.in_(of_study), LeaseRow.expires > now(connection))
    return sorted(connection.scalars(held.distinct()))


def now(connection: Connection) -> datetime:
    """The clock that leases go by."""
    if connection.dialect.name == "postgresql":
        found = connection.scalar(select(func.clock_timestamp()))
        assert isinstance(found, datetime)
        return found
    return datetime.now(UTC)
