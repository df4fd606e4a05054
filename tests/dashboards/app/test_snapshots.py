"""Snapshots: read once for all readers, renewed when there is news, kept when the store goes away."""

import threading
import time
from pathlib import Path

import pytest

from dashboards.app import snapshots as snapshots_module
from dashboards.app.snapshots import Library, Source
from sngan.errors import InputError
from sngan.results import Outcome
from sweeps.commands.line import run
from sweeps.store import open_store
from sweeps.wording import duration
from tests.dashboards.app.conftest import Sources
from tests.dashboards.app.stores import LAUNCH, STORES, start, told
from tests.dashboards.synthetic import Story

SOON_S = 20.0


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots_module, "_PAUSE_S", 0.05)


def wait_for(shelf: Library, key: tuple[str, str], before: str) -> str:
    """The state of a study once it is another one."""
    deadline = time.monotonic() + SOON_S
    while (state := shelf.state(key)) == before:
        assert time.monotonic() < deadline, "nobody looked for news"
        time.sleep(0.02)
    return state


def test_a_snapshot_is_read_once_for_all_readers(sources: Sources) -> None:
    shelf = Library(sources("one trial"))
    ((listed,), _) = shelf.studies()
    found = []
    readers = [threading.Thread(target=lambda: found.append(shelf.snapshot(listed.key)[0])) for _ in range(8)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert len(found) == 8
    assert len({id(snapshot) for snapshot in found}) == 1


def test_the_terminal_tells_the_same_time_that_is_left(sources: Sources, capsys: pytest.CaptureFixture[str]) -> None:
    source = sources("running")
    shelf = Library(source)
    ((listed,), _) = shelf.studies()
    left_s = shelf.snapshot(listed.key)[0].remaining.wall_s
    assert left_s is not None
    assert left_s > 0
    assert run(["status", listed.study, "--preset", listed.preset, "--out", str(source.out)]) == 0
    told = capsys.readouterr().out
    assert f"at work: {LAUNCH}\nleft: about {duration(left_s)}\n" in told


def test_news_of_the_store_makes_a_new_snapshot(tmp_path: Path) -> None:
    source = STORES["planned"](tmp_path)
    shelf = Library(source)
    key = shelf.studies()[0][0].key
    first, _ = shelf.snapshot(key)
    state = shelf.state(key)
    with open_store(source.database) as store:
        digest = start(store)
        state = wait_for(shelf, key, state)
        assert shelf.snapshot(key)[0].board.counts()["running"] == 1
        store.finish(digest, Outcome(state="diverged", update=200, reason="loss", train_s=1.0, evaluate_s=0.0))
        wait_for(shelf, key, state)
    assert shelf.snapshot(key)[0].board.counts()["diverged"] == 1
    assert first.board.counts()["running"] == 0


def test_nothing_new_means_nothing_is_read_again(sources: Sources) -> None:
    shelf = Library(sources("one trial"))
    key = shelf.studies()[0][0].key
    first, _ = shelf.snapshot(key)
    time.sleep(0.5)
    assert shelf.snapshot(key)[0] is first


def test_a_store_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    source = STORES["one trial"](tmp_path)
    shelf = Library(source)
    key = shelf.studies()[0][0].key
    first, problem = shelf.snapshot(key)
    assert problem == ""
    state = shelf.state(key)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for file in tmp_path.glob("results.db*"):
        file.rename(elsewhere / file.name)
    state = wait_for(shelf, key, state)
    kept, problem = shelf.snapshot(key)
    assert kept is first
    assert "results.db" in problem
    for file in elsewhere.iterdir():
        file.rename(tmp_path / file.name)
    wait_for(shelf, key, state)
    assert shelf.snapshot(key)[1] == ""


def test_a_store_that_was_deleted_and_made_again_is_another_one(tmp_path: Path) -> None:
    source = STORES["one trial"](tmp_path)
    shelf = Library(source)
    (listed,), _ = shelf.studies()
    shelf.snapshot(listed.key)
    state = shelf.state(listed.key)
    for file in tmp_path.glob("results.db*"):
        file.unlink()
    STORES["planned"](tmp_path)
    wait_for(shelf, listed.key, state)
    deadline = time.monotonic() + SOON_S
    while (queued := shelf.studies()[0][0].counts["queued"]) != 60:
        assert time.monotonic() < deadline, f"{queued} are queued, {shelf.studies()[1]}, {shelf._opened}"
        time.sleep(0.02)
    while shelf.snapshot(listed.key)[0].board.counts()["queued"] != 60:
        assert time.monotonic() < deadline, "the snapshot stays the old one"
        time.sleep(0.02)


def test_a_study_that_is_launched_while_another_is_read_is_found(tmp_path: Path) -> None:
    source = told(tmp_path, Story(), study="cost", seeds=1, most=1)
    shelf = Library(source)
    (listed,) = shelf.studies()[0]
    shelf.snapshot(listed.key)
    STORES["planned"](tmp_path)
    deadline = time.monotonic() + SOON_S
    while len(shelf.names()) < 2:
        assert time.monotonic() < deadline
        shelf.state(listed.key)  # somebody reads
        time.sleep(0.02)
    assert listed.name in shelf.names()


def test_a_study_that_nobody_looked_at_for_long_is_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = STORES["planned"](tmp_path)
    shelf = Library(source)
    key = shelf.studies()[0][0].key
    shelf.snapshot(key)
    monkeypatch.setattr(snapshots_module, "_WATCHED_S", -1.0)
    time.sleep(0.2)  # a turn of the thread that has begun
    with open_store(source.database) as store:
        start(store)
    assert shelf.snapshot(key)[0].board.counts()["running"] == 1


def test_a_place_without_a_database_has_no_studies_and_stays_empty(tmp_path: Path) -> None:
    shelf = Library(Source(out=tmp_path, database=f"sqlite:///{tmp_path}/results.db"))
    assert shelf.studies() == ([], "")
    with pytest.raises(InputError):
        shelf.snapshot(("robustness", "quick"))
    assert not list(tmp_path.iterdir())


def test_a_changed_preset_is_understood_as_it_was_launched(sources: Sources) -> None:
    shelf = Library(sources("landscape"))
    ((listed,), _) = shelf.studies()
    snapshot, _ = shelf.snapshot(listed.key)
    assert snapshot.frames.preset.name == listed.preset
    assert snapshot.frames.preset.config["updates"] == 800
    assert snapshot.frames.study.claims
