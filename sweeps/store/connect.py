"""Database URLs, connections, and what goes wrong with them in words. No message ever holds a password."""

import contextlib
import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)

from sngan.errors import InputError, unknown
from sweeps.filesystems import file_system, is_network

BUSY_TIMEOUT_S = 30
CONNECT_TIMEOUT_S = 10
DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    # SQLAlchemy 2.0 and 2.1 understand a bare "postgresql" differently; here it is psycopg 3 with both.
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
EXAMPLES = "sqlite:///runs/results.db, postgresql://user@host/database"
# What only a wrong statement can cause.
_OURS = (DataError, IntegrityError, InterfaceError, NotSupportedError, ProgrammingError)
_SECRET = re.compile(r"pass|secret|token|key", re.IGNORECASE)
# Beginnings of SQLite's names of errors, and what to do.
_ADVICE = {
    "SQLITE_READONLY": "File or folder cannot be written; give another place, or change permissions.",
    "SQLITE_CANTOPEN": "The path must be a file that can be read and written; give another place.",
    "SQLITE_PERM": "The file cannot be written; give another place or change its permissions.",
    "SQLITE_NOTADB": "The file is something else and was left as it is; give another place.",
    "SQLITE_CORRUPT": "The file is damaged; restore a copy, or move it away and launch again.",
    "SQLITE_FULL": "The disk is full. What was stored is safe; make room and launch again.",
    "SQLITE_IOERR": "The disk cannot be written (is it full?). Mend that and launch again.",
    "SQLITE_BUSY": "Another process holds it; end that one, or wait and launch again.",
    "SQLITE_LOCKED": "Another process holds it; end that one, or wait and launch again.",
}
_POSTGRESQL_ADVICE = "Check that the server runs, and host, port, user, password and name of the database."


def parse_url(text: str) -> URL:
    """The database URL with its driver chosen and, for SQLite, an absolute path. Raises InputError."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise InputError(f"{_redacted(text)!r} is not a database URL.\nExamples: {EXAMPLES}.") from None
    if url.drivername not in DRIVERS:
        raise unknown("kind of database", url.drivername, DRIVERS)
    url = url.set(drivername=DRIVERS[url.drivername])
    return url.set(database=str(_sqlite_path(url))) if is_sqlite(url) else url


def is_sqlite(url: URL) -> bool:
    """True where the database is a file of SQLite."""
    return url.get_backend_name() == "sqlite"


def _sqlite_path(url: URL) -> Path:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:") or url.query:
        raise InputError(
            f"database {shown(url)} must name a file, without parameters.\nExample: sqlite:///runs/results.db."
        )
    return Path(url.database).expanduser().absolute()


def shown(url: URL) -> str:
    """The URL as messages show it: without any password, also one given as a parameter."""
    if is_sqlite(url) and not url.query:
        return f"sqlite:///{url.database or ''}"  # as typed: paths are not encoded
    hidden = {key: "hidden" for key in url.query if _SECRET.search(key)}
    return url.update_query_dict(hidden).render_as_string(hide_password=True)


def _redacted(text: str) -> str:
    """A text that could not be parsed as a URL, without what may be a password in it."""
    text = re.sub(r":(?!//).*@", ":***@", text)
    return re.sub(r"(?i)(\w*(?:pass|secret|token|key)\w*)=[^&]*", r"\1=***", text)


def connect(url: URL, *, create: bool = True) -> Engine:
    """An engine for `url`, which opens its first connection when one is needed.

    SQLite's folder is created. With `create` false a missing file is an error. Raises InputError.
    """
    sqlite = is_sqlite(url)
    if sqlite:
        _prepare_folder(url, create=create)
    arguments: dict[str, Any] = {"timeout": BUSY_TIMEOUT_S} if sqlite else {"connect_timeout": CONNECT_TIMEOUT_S}
    try:
        engine = create_engine(
            url,
            connect_args={key: value for key, value in arguments.items() if key not in url.query},
            pool_pre_ping=not sqlite,  # a server may have ended a connection that was idle
            hide_parameters=True,
            json_serializer=_to_json,
        )
    except ImportError as error:
        raise InputError(
            f"database {shown(url)}: its driver is missing ({error}).\n"
            "Install it with: pip install 'sngan-robustness[postgresql]'."
        ) from None
    if sqlite:
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _to_json(value: object) -> str:
    """One text per value: sorted keys, and no NaN, which PostgreSQL refuses."""
    return json.dumps(value, sort_keys=True, allow_nan=False)


def _prepare_folder(url: URL, *, create: bool) -> None:
    path = Path(str(url.database))
    if is_network(kind := file_system(path)):
        raise InputError(
            f"SQLite cannot be shared over a network, and {path} lies on a file system of kind {kind}.\n"
            "Give a PostgreSQL server with --database postgresql://..., or a file on a disk of this machine."
        )
    if not create:
        if not path.exists():
            raise NoResultsError(f"there is no database at {path}.\nGive another place, or launch a study first.")
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"folder {path.parent} cannot be created: {reason}.\nGive another place.") from None


def _set_up_sqlite(connection: sqlite3.Connection, record: object) -> None:  # noqa: ARG001
    """Settings that SQLite keeps per connection."""
    connection.isolation_level = None  # transactions begin where `_begin_sqlite` says so, reads included
    connection.execute("PRAGMA foreign_keys = ON")
    # With a write-ahead log, nothing is lost when the process dies, or damaged when the machine does.
    connection.execute("PRAGMA synchronous = NORMAL")


def _begin_sqlite(connection: Connection) -> None:
    """Writers take their lock at once: one that reads first and writes later cannot wait and would fail."""
    immediate = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


@contextlib.contextmanager
def transaction(engine: Engine, *, write: bool) -> Iterator[Connection]:
    """A connection inside one transaction, committed at the end; readers see one unchanging state.

    Raises InputError where the database, not the program, is at fault.
    """
    with explained(engine.url), engine.connect() as connection:
        connection.execution_options(write=write)
        if not write and engine.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


class NoResultsError(InputError):
    """A place that could hold a store and has none yet."""


class UnreachableError(InputError):
    """A server that does not answer, or has ended the connection."""


@contextlib.contextmanager
def explained(url: URL, *, opening: bool = False) -> Iterator[None]:
    """Errors of the database as InputError; errors of our own statements stay what they are.

    opening : while a database is opened, a statement that it refuses is its fault too.
    """
    try:
        yield
    except sqlite3.Error as error:  # from settings, which do not go through SQLAlchemy
        raise InputError(_message(url, error)) from None
    except DBAPIError as error:
        original = error.orig
        # 42501: the server's user may not do what we ask.
        privilege = getattr(original, "sqlstate", None) == "42501"
        if isinstance(error, _OURS) and not (opening or privilege):
            raise
        away = error.connection_invalidated or (isinstance(error, OperationalError) and not is_sqlite(url))
        kind = UnreachableError if away and not opening else InputError
        raise kind(_message(url, original)) from None


def _message(url: URL, original: BaseException | None) -> str:
    first_line = str(original).strip().partition("\n")[0].rstrip(".")
    if url.password:
        first_line = first_line.replace(str(url.password), "***")
    name = getattr(original, "sqlite_errorname", "")
    advice = next((text for start, text in _ADVICE.items() if name.startswith(start)), "")
    if not advice and not is_sqlite(url):
        advice = _POSTGRESQL_ADVICE
    return f"database {shown(url)}: {first_line}.\n{advice}".rstrip()
