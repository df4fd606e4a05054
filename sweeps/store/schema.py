"""Brings a database to the schema of `sweeps.store.tables`, or says why it cannot."""

import sqlite3
import threading
import time
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, func, inspect, select

from sngan.errors import InputError
from sweeps.store.connect import BUSY_TIMEOUT_S, NoResultsError, shown, transaction
from sweeps.store.tables import Base

# Not Alembic's default name: MLflow or Optuna may live in the same database under theirs.
VERSION_TABLE = "store_revision"
# Locks of a PostgreSQL server are numbers; this one means "the schema of the store is being changed".
_ADVISORY_LOCK = 1802_05957
_PAUSE_S = 0.02
# Alembic runs one migration per process at a time.
_IN_THIS_PROCESS = threading.Lock()


def prepare(engine: Engine, *, create: bool = True) -> None:
    """Create the schema, upgrade it from an earlier revision, or find it right.

    Two processes may do this at once: the second waits for the first. Raises InputError for a revision
    that this version does not know, for tables of the same names that are not ours and, unless `create`,
    NoResultsError for an empty database.
    """
    with _IN_THIS_PROCESS, transaction(engine, write=True) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
        found = revision(connection)
        wanted = ScriptDirectory.from_config(configuration()).get_current_head()
        if found != wanted:
            _check(connection, found, wanted, create=create)
            command.upgrade(configuration(connection), "head")
    if engine.dialect.name == "sqlite" and create:
        _write_ahead_log(engine)


def revision(connection: Connection) -> str | None:
    """The revision of the schema that the database has, None when it has none of ours."""
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration for our migrations, run on `connection`."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _write_ahead_log(engine: Engine) -> None:
    """Lets one process write while others read. The file remembers it.

    SQLite does not wait for somebody who reads at this moment, as an app may that looks for the first launch.
    """
    deadline_s = time.monotonic() + BUSY_TIMEOUT_S
    with engine.connect() as connection:
        raw = connection.connection.dbapi_connection
        assert raw is not None
        while raw.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            try:
                raw.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError:
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(_PAUSE_S)


def _check(connection: Connection, found: str | None, wanted: str | None, *, create: bool) -> None:
    """Raise InputError unless the database can be upgraded from `found` to `wanted`."""
    where = f"database {shown(connection.engine.url)}"
    if found is not None:
        known = {script.revision for script in ScriptDirectory.from_config(configuration()).walk_revisions()}
        if found not in known:
            raise InputError(
                f"{where} has schema revision {found!r}, but this version of the program needs {wanted!r}.\n"
                "A newer version wrote it: update the program, or give another database."
            )
        return
    foreign = sorted(set(inspect(connection).get_table_names()) & set(Base.metadata.tables))
    if foreign:
        raise InputError(
            f"{where} has no schema revision of this program (needed: {wanted!r}), but has tables named "
            f"{', '.join(foreign)}.\nAnother program made them: give another database."
        )
    if not create:
        raise NoResultsError(f"{where} holds no results.\nGive another place, or launch a study first.")
