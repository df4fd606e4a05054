"""Opening a store: the schema that migrations make, other schemas, and processes that open and write at once."""

import argparse
import contextlib
import multiprocessing
import runpy
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Engine, inspect, text

from sngan.errors import InputError
from sweeps.claims import Verdict
from sweeps.store import NoResultsError, ResultStore, open_store, schema
from sweeps.store.connect import connect, parse_url, transaction
from sweeps.store.tables import Base
from tests.sweeps.store.samples import PRESET, STUDY, evaluation, filled, outcome, planned

HEAD = ScriptDirectory.from_config(schema.configuration()).get_current_head()


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """An engine beside the store, without any schema yet."""
    made = connect(parse_url(url))
    yield made
    made.dispose()


def run(engine: Engine, *statements: str) -> None:
    with transaction(engine, write=True) as connection:
        for statement in statements:
            connection.execute(text(statement))


def tables(engine: Engine) -> set[str]:
    with transaction(engine, write=False) as connection:
        return set(inspect(connection).get_table_names())


def test_migrations_make_exactly_the_declared_tables(url: str, engine: Engine) -> None:
    open_store(url).close()
    assert tables(engine) == {*Base.metadata.tables, schema.VERSION_TABLE}
    with transaction(engine, write=False) as connection:
        context = MigrationContext.configure(
            connection,
            opts={"version_table": schema.VERSION_TABLE, "compare_type": True, "compare_server_default": True},
        )
        assert compare_metadata(context, Base.metadata) == []
        # Alembic does not compare these.
        found = inspect(connection)
        for name, table in Base.metadata.tables.items():
            checks = {str(c.name) for c in table.constraints if isinstance(c, CheckConstraint)}
            assert {check["name"] for check in found.get_check_constraints(name)} == checks


def test_in_sqlite_the_migrated_tables_are_the_declared_ones_to_the_letter(tmp_path: Path) -> None:
    def definitions(engine: Engine) -> dict[str, set[str]]:
        query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name != 'store_revision'"
        with transaction(engine, write=False) as connection:
            # Constraints of a table stand in no particular order.
            return {
                name: {line.strip().rstrip(",") for line in sql.splitlines()}
                for name, sql in connection.execute(text(query))
            }

    open_store(f"sqlite:///{tmp_path / 'migrated.db'}").close()
    migrated, declared = (connect(parse_url(f"sqlite:///{tmp_path / name}.db")) for name in ("migrated", "declared"))
    with transaction(declared, write=True) as connection:
        Base.metadata.create_all(connection)
    assert definitions(migrated) == definitions(declared)
    migrated.dispose()
    declared.dispose()


def test_migrations_go_back_and_forth(url: str, engine: Engine) -> None:
    open_store(url).close()
    with transaction(engine, write=True) as connection:
        command.downgrade(schema.configuration(connection), "base")
    assert tables(engine) == {schema.VERSION_TABLE}
    with open_store(url) as store:
        filled(store)


def test_verdicts_of_an_earlier_revision_stay_when_columns_join_them(url: str, engine: Engine) -> None:
    with open_store(url) as store:
        filled(store)
        kept = Verdict(claim="c", verdict="undecided", effect=0.5, low=0.25, high=0.75, explanation="e")
        store.record_verdicts(STUDY, PRESET, [kept])
    with transaction(engine, write=True) as connection:
        command.downgrade(schema.configuration(connection), "0001")
        assert "level" not in {column["name"] for column in inspect(connection).get_columns("verdicts")}
    with open_store(url) as store:
        assert store.verdicts(STUDY, PRESET) == [kept]
        assert store.looks(STUDY, PRESET) is None


def test_a_developer_can_write_the_next_revision_with_alembic(tmp_path: Path) -> None:
    shutil.copytree(Path(schema.__file__).parent / "migrations", tmp_path / "migrations")
    url = f"sqlite:///{tmp_path / 'scratch.db'}"
    config = schema.configuration()
    config.set_main_option("script_location", str(tmp_path / "migrations"))
    config.cmd_opts = argparse.Namespace(x=[f"database={url}"])
    command.upgrade(config, "head")
    open_store(url, create=False).close()
    command.revision(config, "nothing changes", autogenerate=True, rev_id="next")
    made = runpy.run_path(str(tmp_path / "migrations" / "versions" / "next_nothing_changes.py"))
    assert (made["revision"], made["down_revision"]) == ("next", HEAD)
    assert made["upgrade"].__code__.co_names == ()  # nothing to do: tables and migrations agree
    command.upgrade(config, "head")
    with pytest.raises(InputError, match="schema revision 'next'"):
        open_store(url)


def test_opening_again_keeps_everything(url: str) -> None:
    with open_store(url) as store:
        filled(store)
        before = store.fingerprint(STUDY, PRESET)
    with open_store(url, create=False) as store:
        assert store.fingerprint(STUDY, PRESET) == before


@pytest.mark.parametrize("revision", ["9999", "abcdef012345"])
def test_an_unknown_revision_is_refused_and_left_alone(url: str, engine: Engine, revision: str) -> None:
    open_store(url).close()
    run(engine, f"UPDATE store_revision SET version_num = '{revision}'")
    with pytest.raises(InputError) as raised:
        open_store(url)
    message = str(raised.value)
    assert f"schema revision '{revision}'" in message
    assert f"needs '{HEAD}'" in message
    assert "update the program, or give another database" in message
    assert message.count("\n") == 1
    with transaction(engine, write=False) as connection:
        assert schema.revision(connection) == revision


def test_tables_of_another_program_are_refused_and_left_alone(url: str, engine: Engine) -> None:
    run(
        engine,
        "CREATE TABLE studies (study_id INTEGER)",
        "CREATE TABLE trials (trial_id INTEGER)",
        "CREATE TABLE alembic_version (version_num VARCHAR(32))",
        "INSERT INTO alembic_version VALUES ('v3.2.0.a')",
    )
    with pytest.raises(InputError, match=rf"no schema revision of this program \(needed: '{HEAD}'\).*studies, trials"):
        open_store(url)
    assert tables(engine) == {"studies", "trials", "alembic_version"}


def test_other_tables_in_the_same_database_do_no_harm(url: str, engine: Engine) -> None:
    run(
        engine,
        "CREATE TABLE experiments (experiment_id INTEGER)",
        "CREATE TABLE alembic_version (version_num VARCHAR(32))",
        "INSERT INTO alembic_version VALUES ('1b5f0d9ad7c1')",
    )
    with open_store(url) as store:
        filled(store)
    with transaction(engine, write=False) as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "1b5f0d9ad7c1"


def test_an_empty_place_is_refused_when_nothing_may_be_created(url: str, engine: Engine, tmp_path: Path) -> None:
    run(engine, "CREATE TABLE experiments (experiment_id INTEGER)")
    with pytest.raises(InputError, match="holds no results"):
        open_store(url, create=False)
    assert tables(engine) == {"experiments"}
    missing = tmp_path / "nowhere" / "results.db"
    with pytest.raises(InputError, match="there is no database at"):
        open_store(f"sqlite:///{missing}", create=False)
    assert not missing.parent.exists()


def test_sqlite_is_set_up_for_one_writer_and_many_readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with open_store("sqlite:///new/folders/results.db") as store:
        monkeypatch.chdir("/")  # a relative path is meant from where the store was opened
        with transaction(store._engine, write=False) as connection:
            values = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            }
    assert values == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 30_000}
    assert (tmp_path / "new" / "folders" / "results.db").exists()


def test_one_thread_reads_while_another_writes(url: str) -> None:
    errors: list[Exception] = []
    seen: list[int] = []
    done = threading.Event()
    trials = planned(seeds=4)

    def read(store: ResultStore) -> None:
        try:
            while not done.is_set():
                frame = store.evaluations(STUDY, PRESET)
                # A transaction writes both scores or none.
                assert (frame.groupby(["digest", "update"]).size() == 2).all()
                seen.append(len(frame))
                store.progress(STUDY, PRESET)
        except Exception as error:
            errors.append(error)

    with open_store(url) as store:
        store.register(STUDY, PRESET, {}, trials)
        reader = threading.Thread(target=read, args=(store,))
        reader.start()
        for trial in trials:
            store.start_attempt(trial.digest, host="here", device="cpu", versions={})
            for update in (250, 500, 750, 1000):
                store.record(trial.digest, evaluation(update))
            store.finish(trial.digest, outcome())
        done.set()
        reader.join()
        assert errors == []
        assert seen == sorted(seen)
        assert len(store.evaluations(STUDY, PRESET)) == len(trials) * 8


def test_two_threads_write_to_the_same_trials(url: str) -> None:
    errors: list[Exception] = []
    trials = planned()

    def write(store: ResultStore, order: int) -> None:
        try:
            for trial in trials[::order]:
                store.start_attempt(trial.digest, host="here", device="cpu", versions={})
                store.record(trial.digest, evaluation(500))
                store.finish(trial.digest, outcome(update=500))
        except Exception as error:
            errors.append(error)

    with open_store(url) as store:
        store.register(STUDY, PRESET, {}, trials)
        threads = [threading.Thread(target=write, args=(store, order)) for order in (1, -1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert set(store.trials(STUDY, PRESET)["state"]) == {"completed"}
        assert (store.trials(STUDY, PRESET)["num_attempts"] == 2).all()


def _process(url: str, study: str, ready: "multiprocessing.synchronize.Barrier") -> None:
    ready.wait(60)
    with open_store(url) as store:
        filled(store, study)


@pytest.mark.thorough
def test_two_processes_create_and_fill_the_same_store_at_once(url: str) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(2)
    processes = [context.Process(target=_process, args=(url, study, ready)) for study in ("one", "two")]
    for process in processes:
        process.start()
    for process in processes:
        process.join(90)
    assert [process.exitcode for process in processes] == [0, 0]
    with open_store(url, create=False) as store:
        assert store.fingerprint("one", PRESET) == store.fingerprint("two", PRESET)
        assert store.studies()["completed"].tolist() == [7, 7]
        assert len(store.evaluations("one", PRESET)) == 32


def test_a_database_is_begun_while_somebody_looks_for_it(tmp_path: Path) -> None:
    over = threading.Event()

    def look(url: str) -> None:
        while not over.is_set():
            with contextlib.suppress(NoResultsError), open_store(url, create=False) as store:
                store.studies()

    for number in range(5):
        url = f"sqlite:///{tmp_path / str(number) / 'results.db'}"
        over.clear()
        reader = threading.Thread(target=look, args=(url,))
        reader.start()
        try:
            with open_store(url) as store:
                assert store.studies().empty
        finally:
            over.set()
            reader.join()
