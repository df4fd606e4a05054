"""What a user can get wrong about a database, or a machine can fail at: one or two lines, never a password."""

import contextlib
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, make_url, text

from sngan.errors import InputError
from sweeps import patience
from sweeps.store import connect, open_store
from sweeps.store.connect import transaction
from tests.sweeps.store.samples import (
    PRESET,
    STUDY,
    evaluation,
    fresh_database,
    many_trials,
    planned,
    postgresql_url,
)

SECRET = "s3cr3t"


def refused(url: str) -> str:
    """The message of the InputError for `url`, which never holds the password and has at most two lines."""
    with pytest.raises(InputError) as raised:
        open_store(url)
    message = str(raised.value)
    assert SECRET not in message
    assert message.count("\n") <= 1
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None or raised.value.__suppress_context__
    return message


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("runs/results.db", "'runs/results.db' is not a database URL"),
        ("", "'' is not a database URL"),
        (f"user:{SECRET}@host/database", "is not a database URL"),
        (f"postgresql://user:{SECRET}@host:port/database", "'postgresql://user:***@host:port/database' is not"),
        (f"postgresql://user:{SECRET}@@host:port/?password={SECRET}", "is not a database URL"),
        (f"postgres://user:{SECRET}@host/database", "Did you mean 'postgresql'?"),
        (f"postgresql+psycopg2://user:{SECRET}@host/database", "Did you mean 'postgresql+psycopg'?"),
        (f"mysql://user:{SECRET}@host/database", "Known: postgresql, postgresql+psycopg, sqlite, sqlite+pysqlite"),
        ("sqlite://", "must name a file"),
        ("sqlite:///:memory:", "must name a file"),
        ("sqlite:///file:results.db?uri=true", "must name a file"),
        ("sqlite:///results.db?mode=ro", "must name a file"),
    ],
)
def test_urls_that_cannot_be_meant(url: str, words: str) -> None:
    assert words in refused(url)


def test_a_missing_driver_is_named_and_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    message = refused(f"postgresql://user:{SECRET}@host/database")
    assert "postgresql+psycopg://user:***@host/database: its driver is missing" in message
    assert "pip install 'sngan-robustness[postgresql]'" in message


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"postgresql://user:{SECRET}@127.0.0.1:1/database", "port 1 failed"),
        (f"postgresql://user:{SECRET}@no-such-host.invalid/database", "no-such-host.invalid"),
        (f"postgresql://user@127.0.0.1:1/database?password={SECRET}", "password=hidden"),
        (f"postgresql://127.0.0.1:1/database?no_such_option={SECRET}", "no_such_option"),
    ],
)
def test_a_server_that_cannot_be_reached(url: str, words: str) -> None:
    pytest.importorskip("psycopg", reason="needs the PostgreSQL driver")
    if "no_such_option" in url:
        with pytest.raises(InputError, match=words):
            open_store(url)
        return
    message = refused(url)
    assert words in message
    assert "Check that the server runs" in message


def test_postgresql_with_wrong_password_database_or_rights() -> None:
    server = make_url(postgresql_url())
    if server.password is None:
        pytest.skip("needs a PostgreSQL that asks for a password")
    wrong = server.set(password=SECRET).render_as_string(hide_password=False)
    assert "password authentication failed" in refused(wrong)
    missing = server.set(database="no_such_database").render_as_string(hide_password=False)
    message = refused(missing)
    assert 'database "no_such_database" does not exist' in message
    assert str(server.password) not in message


def test_a_postgresql_that_cannot_be_written(tmp_path: Path) -> None:
    with fresh_database("postgresql", tmp_path) as url:
        message = refused(f"{url}%20-cdefault_transaction_read_only%3Don")
        assert "read-only transaction" in message


def test_a_postgresql_connection_that_was_cut_is_made_again(tmp_path: Path) -> None:
    with fresh_database("postgresql", tmp_path) as url, open_store(url) as store, open_store(url) as other:
        store.register(STUDY, PRESET, {}, planned())
        with transaction(store._engine, write=False) as connection:
            number = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with transaction(other._engine, write=True) as connection:
            connection.execute(text("SELECT pg_terminate_backend(:number)"), {"number": number})
        assert len(store.trials(STUDY, PRESET)) == 8
        tries: list[int] = []

        def cut_once(connection: Connection) -> None:
            tries.append(len(tries))
            if len(tries) == 1:
                connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

        store._write(cut_once)
        assert len(tries) == 2


def test_a_postgresql_that_stays_away_is_an_error_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(patience, "PATIENCE_S", 1)
    monkeypatch.setattr(patience, "_PAUSE_S", 0.1)
    ended = text("SELECT pg_terminate_backend(pg_backend_pid())")
    with (
        fresh_database("postgresql", tmp_path) as url,
        open_store(url) as store,
        pytest.raises(InputError, match="terminating connection"),
    ):
        store._write(lambda connection: connection.execute(ended))
    assert caplog.text.count("Trying again for 1 s") == 1


def test_a_folder_or_another_file_in_place_of_the_database(tmp_path: Path) -> None:
    assert "unable to open database file" in refused(f"sqlite:///{tmp_path}")
    (tmp_path / "notes.txt").write_text("not a database, and not to be lost " * 40)
    assert "file is not a database" in refused(f"sqlite:///{tmp_path / 'notes.txt'}")
    assert (tmp_path / "notes.txt").read_text().startswith("not a database")
    assert "cannot be created" in refused(f"sqlite:///{tmp_path / 'notes.txt' / 'results.db'}")
    assert "cannot be created" in refused("sqlite:////proc/nowhere/results.db")


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """Whoever runs the tests, permissions count inside."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach, unlike pytest's."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_place_without_permission_to_write(open_folder: Path) -> None:
    place = open_folder / "runs" / "results.db"
    with open_store(f"sqlite:///{place}") as store:
        store.register(STUDY, PRESET, {}, planned())
    place.chmod(0o444)
    place.parent.chmod(0o555)
    open_folder.chmod(0o555)
    with unprivileged():
        message = refused(f"sqlite:///{place}")
        assert "File or folder cannot be written" in message or "unable to open" in message
        assert "Permission denied" in refused(f"sqlite:///{open_folder / 'new' / 'results.db'}")
        assert "unable to open database file" in refused(f"sqlite:///{open_folder / 'results.db'}")
    open_folder.chmod(0o755)
    place.parent.chmod(0o755)


def test_a_damaged_file(tmp_path: Path) -> None:
    place = tmp_path / "results.db"
    with open_store(f"sqlite:///{place}") as store:
        store.register(STUDY, PRESET, {}, planned())
    content = bytearray(place.read_bytes())
    content[200:] = b"\xff" * (len(content) - 200)
    place.write_bytes(content)
    assert "The file is damaged" in refused(f"sqlite:///{place}")


def test_a_full_disk_keeps_what_was_stored(tmp_path: Path) -> None:
    place = tmp_path / "results.db"
    with open_store(f"sqlite:///{place}") as store:
        trials = planned()
        store.register(STUDY, PRESET, {}, trials)
        store.record(trials[0].digest, evaluation(500))

        def limit(connection: sqlite3.Connection, record: object) -> None:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages}")

        event.listen(store._engine, "connect", limit)
        store._engine.dispose()
        with pytest.raises(InputError, match=r"database or disk is full\.\nThe disk is full\. What was stored is safe"):
            store.register(STUDY, PRESET, {}, many_trials(2000))
        event.remove(store._engine, "connect", limit)
        store._engine.dispose()
        assert len(store.trials(STUDY, PRESET)) == 8
        assert len(store.evaluations(STUDY, PRESET)) == 2
        store.register(STUDY, PRESET, {}, many_trials(2000))


@pytest.mark.thorough
def test_files_that_may_not_grow(tmp_path: Path) -> None:
    """The operating system's refusal to write, in a process of its own."""
    program = """
import resource, signal, sys
from sngan.errors import InputError
from sweeps.store import open_store
from tests.sweeps.store.samples import PRESET, STUDY, many_trials
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = open_store(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
try:
    store.register(STUDY, PRESET, {}, many_trials(3000))
except InputError as error:
    print(error)
"""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    place = f"sqlite:///{tmp_path / 'results.db'}"
    done = subprocess.run([sys.executable, "-c", program, place], capture_output=True, text=True, check=True)
    assert "is it full?" in done.stdout
    assert done.stdout.count("\n") <= 2
    with open_store(place) as store:
        assert len(store.studies()) == 0


def test_a_database_that_another_process_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "BUSY_TIMEOUT_S", 0.1)
    place = tmp_path / "results.db"
    with open_store(f"sqlite:///{place}") as store, contextlib.closing(sqlite3.connect(place)) as other:
        store.register(STUDY, PRESET, {}, planned())
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(InputError, match=r"database is locked\.\nAnother process holds it"):
            store.record(planned()[0].digest, evaluation(500))
        assert len(store.trials(STUDY, PRESET)) == 8  # readers do not wait
        other.execute("ROLLBACK")
        store.record(planned()[0].digest, evaluation(500))


def test_the_store_shows_its_url_without_password(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'results.db'}") as store:
        assert store.url == f"sqlite:///{tmp_path / 'results.db'}"
    with fresh_database("postgresql", tmp_path) as url, open_store(url) as store:
        password = make_url(url).password
        if password is None:
            pytest.skip("needs a PostgreSQL that asks for a password")
        assert str(password) not in store.url
        assert "***" in store.url
