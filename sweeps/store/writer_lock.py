"""One launch at a time writes to a server's database. SQLite's file is guarded where it lies, by its folder's lock."""

import contextlib
from collections.abc import Iterator

from sqlalchemy import Connection, Engine, func, select, text

from sngan.errors import InputError
from sweeps.store.connect import explained, shown

# Locks of a PostgreSQL server are pairs of numbers: "a launch writes", and the schema that it writes to.
_LOCK = 1802
_HOLDER = text(
    "SELECT activity.application_name FROM pg_locks AS held JOIN pg_stat_activity AS activity USING (pid) "
    "WHERE held.locktype = 'advisory' AND held.granted AND held.classid = :lock "
    "AND held.objid::bigint & 4294967295 = hashtext(current_schema())::bigint & 4294967295 "
    "AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


@contextlib.contextmanager
def only_writer(engine: Engine, about: str) -> Iterator[None]:
    """Hold the database's lock on a connection of its own, which the server gives back when that one ends.

    Raises InputError with the holder's `about` where another launch has it.
    """
    if engine.dialect.name != "postgresql":
        yield
        return
    with explained(engine.url), engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.scalar(select(func.pg_try_advisory_lock(_LOCK, func.hashtext(func.current_schema())))):
            raise InputError(
                f"another launch writes to database {shown(engine.url)}: {_holder(connection)}.\n"
                "Wait until it ends or stop it, or give another database."
            )
        # Names have at most 63 bytes; the server cuts what is longer.
        connection.execute(select(func.set_config("application_name", about, False)))
        try:
            yield
        finally:
            # Explicitly: the connection goes back to the pool and may live on.
            connection.execute(select(func.pg_advisory_unlock_all()))


def _holder(connection: Connection) -> str:
    return str(connection.scalar(_HOLDER, {"lock": _LOCK}) or "another process")
