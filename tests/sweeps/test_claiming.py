"""The leases of a launch: kept alive, lost, and taken over from the dead."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sngan.config import TrialConfig
from sngan.results import Outcome, Report, RunOptions
from sweeps.claiming import StoreClaims, claiming
from sweeps.engine import run
from sweeps.store import ResultStore, TrialState, open_store
from sweeps.store.connect import UnreachableError
from tests.sweeps.recording import Recorder, engine_options
from tests.sweeps.store.samples import PRESET, STUDY, outcome, planned

_DYING = """
import os, signal, sys, time
from pathlib import Path
from sweeps.claiming import claiming
from sweeps.store import open_store
url, folder, digest = sys.argv[1:]
with open_store(url) as store, claiming(store, Path(folder), "the first launch", lease_s=600.0) as claims:
    assert claims.take([digest], 1) == [digest]
    print("claimed", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ResultStore]:
    with open_store(f"sqlite:///{tmp_path / 'results.db'}") as opened:
        opened.register(STUDY, PRESET, {}, planned())
        yield opened


@pytest.fixture
def digests() -> list[str]:
    return [trial.digest for trial in planned()]


def wait_until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_leases_are_kept_alive_and_given_back_at_the_end(
    store: ResultStore, digests: list[str], tmp_path: Path
) -> None:
    with claiming(store, tmp_path, "first", lease_s=0.6) as first:
        assert first.take(digests, 2) == digests[:2]
        with claiming(store, tmp_path, "second") as second:
            time.sleep(1.0)
            assert second.take(digests, 1) == digests[2:3]
            assert second.others(digests) == ["first"]
            assert not first.lost()
    assert not store.leased(digests)
    assert not list(tmp_path.glob(".launch-*"))


def test_what_was_taken_over_is_lost_and_what_has_ended_is_not(
    store: ResultStore, digests: list[str], tmp_path: Path
) -> None:
    claims = StoreClaims(store, tmp_path, "first", lease_s=0.2)  # whose thread does not run, as one that is stopped
    assert claims.take(digests, 3) == digests[:3]
    store.finish(digests[0], outcome("completed", 1000))
    store.fail(digests[1], "no luck")
    time.sleep(0.3)
    # It was away for longer than its leases last, and nobody has missed it.
    assert claims.lost() == set()
    assert claims.take(digests[3:], 1) == digests[3:4]
    time.sleep(0.3)
    store.claim(digests, 1, holder="other", about="other", lease_s=60.0)
    assert claims.lost() == {digests[2]}


def test_without_a_database_everything_may_be_lost(
    store: ResultStore, digests: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise UnreachableError("the server is gone")

    claims = StoreClaims(store, tmp_path, "first", lease_s=0.2)
    claims.take(digests, 1)
    monkeypatch.setattr(store, "_write", unreachable)
    assert claims.lost() == set()
    time.sleep(0.3)
    assert claims.lost() == set(digests[:1])


def test_the_trials_of_a_launch_that_was_killed_are_free_at_once(
    store: ResultStore, digests: list[str], tmp_path: Path
) -> None:
    arguments = [f"sqlite:///{tmp_path / 'results.db'}", str(tmp_path), digests[0]]
    with subprocess.Popen([sys.executable, "-c", _DYING, *arguments], stdout=subprocess.PIPE, text=True) as dying:
        assert dying.stdout is not None
        assert dying.stdout.readline() == "claimed\n"
        with claiming(store, tmp_path, "second") as claims:
            claims.bury()
            assert claims.take(digests[:1], 1) == []
            assert claims.others(digests) == ["the first launch"]
            dying.kill()
            dying.wait()
            assert claims.ended(digests[:1]) == {}
            assert claims.take(digests[:1], 1) == digests[:1]


def test_ended_trials_are_those_with_a_result_and_those_given_up(
    store: ResultStore, digests: list[str], tmp_path: Path
) -> None:
    with claiming(store, tmp_path, "first") as claims:
        store.finish(digests[0], outcome("diverged", 3, reason="loss not finite"))
        store.fail(digests[1], "no luck")
        store.fail(digests[2], "no luck", final=False)
        assert claims.ended(digests) == {
            digests[0]: str(TrialState.DIVERGED), digests[1]: str(TrialState.FAILED),
        }  # fmt: skip


def test_a_launch_leaves_to_another_what_that_one_runs_and_ends_when_all_have_ended(
    store: ResultStore, digests: list[str], tmp_path: Path
) -> None:
    """The engine takes what is free, waits for the rest, and takes over what was given back."""
    trials = planned()[:4]
    ended, given_back = digests[:2]
    store.claim(digests, 2, holder="other", about="other", lease_s=0.5)
    ran: list[int] = []

    def other_launch(config: TrialConfig, options: RunOptions, report: Report) -> Outcome:
        ran.append(len(ran))
        if len(ran) == 2:  # while we run our last free trial, the other launch ends one of its own
            store.finish(ended, outcome("completed", 1000))
        return outcome("completed", 1000)

    recorder = Recorder()
    with claiming(store, tmp_path, "ours") as claims:
        options = engine_options(tmp_path, engine="in-process")
        result = run(trials, options, recorder, other_launch, claims=claims)
    assert result.finished == {trial.digest for trial in trials} - {ended}
    assert given_back in result.finished  # its lease ran out
    assert [states for name, _, states in recorder.events if name == "elsewhere"] == [{ended: "completed"}]
    assert len(ran) == 3
