"""Who runs which trial: leases of launches that share a study, over SQLite and PostgreSQL."""

import threading
import time

import pytest

from sweeps.store import ResultStore, TrialState, open_store
from tests.sweeps.store.samples import PRESET, STUDY, outcome, planned

LONG_S = 60.0


@pytest.fixture
def digests(store: ResultStore) -> list[str]:
    trials = planned()
    store.register(STUDY, PRESET, {}, trials)
    return [trial.digest for trial in trials]


def claim(store: ResultStore, digests: list[str], number: int, holder: str, lease_s: float = LONG_S) -> list[str]:
    return store.claim(digests, number, holder=holder, about=f"launch {holder}", lease_s=lease_s)


def test_trials_are_claimed_once_in_the_order_that_was_asked_for(store: ResultStore, digests: list[str]) -> None:
    backwards = digests[::-1]
    assert claim(store, backwards, 3, "a") == backwards[:3]
    assert claim(store, backwards, 3, "b") == backwards[3:6]
    assert claim(store, digests, 100, "c") == digests[:-6]
    assert claim(store, digests, 1, "b") == [digests[-6]]  # its own
    assert claim(store, digests, 1, "d") == []
    assert set(store.leased(digests)) == set(digests)
    assert store.leased(digests[-1:]) == {digests[-1]: ("a", "launch a")}


def test_a_lease_ends_with_the_result_and_with_a_failure(store: ResultStore, digests: list[str]) -> None:
    first, second, third = claim(store, digests, 3, "a")
    store.finish(first, outcome("completed", 1000))
    store.fail(second, "out of luck")
    store.fail(third, "out of luck", final=False)
    assert set(store.leased(digests)) == {third}
    assert store.known_states([first, second, third]) == {
        first: TrialState.COMPLETED, second: TrialState.FAILED, third: TrialState.QUEUED,
    }  # fmt: skip
    # What has a result, or was given up, is not claimed again.
    assert claim(store, digests, 2, "b") == digests[3:5]


def test_leases_run_out_unless_they_are_renewed(store: ResultStore, digests: list[str]) -> None:
    claim(store, digests, 2, "a", lease_s=0.2)
    claim(store, digests[2:], 2, "b", lease_s=0.2)
    assert store.renew("b", LONG_S) == set(digests[2:4])
    time.sleep(0.3)
    assert set(store.leased(digests)) == set(digests[2:4])
    assert claim(store, digests, 1, "c") == digests[:1]
    # Late, but nobody has taken the second one.
    assert store.renew("a", LONG_S) == {digests[1]}


def test_a_holder_gives_everything_back(store: ResultStore, digests: list[str]) -> None:
    claim(store, digests, 2, "a")
    claim(store, digests, 1, "b")
    store.release("a")
    assert set(store.leased(digests)) == {digests[2]}


def test_launches_at_work_are_those_with_valid_leases_in_the_study(store: ResultStore, digests: list[str]) -> None:
    assert store.at_work(STUDY, PRESET) == []
    claim(store, digests, 2, "b")
    claim(store, digests[2:], 1, "a")
    claim(store, digests[3:], 1, "c", lease_s=0.1)
    time.sleep(0.2)
    assert store.at_work(STUDY, PRESET) == ["launch a", "launch b"]
    assert store.at_work(STUDY, "another preset") == []
    store.release("b")
    assert store.at_work(STUDY, PRESET) == ["launch a"]


def test_what_another_launch_runs_is_not_queued_again(store: ResultStore, digests: list[str]) -> None:
    first, second = claim(store, digests, 1, "a") + claim(store, digests, 1, "b")
    for digest in (first, second, digests[2]):
        store.start_attempt(digest, host="here", device="cpu", versions={})
    store.requeue(digests, "b")
    assert store.known_states(digests[:3]) == {
        first: TrialState.RUNNING, second: TrialState.QUEUED, digests[2]: TrialState.QUEUED,
    }  # fmt: skip


def test_a_trial_that_was_never_registered_cannot_be_claimed(store: ResultStore) -> None:
    with pytest.raises(LookupError, match="not registered"):
        claim(store, ["0123456789ab"], 1, "a")


def test_many_launches_at_once_never_share_a_trial(store: ResultStore, url: str, digests: list[str]) -> None:
    taken: dict[str, list[str]] = {}

    def launch(holder: str) -> None:
        with open_store(url) as own:
            mine: list[str] = []
            while new := claim(own, [digest for digest in digests if digest not in mine], 1, holder):
                mine += new
            taken[holder] = mine

    threads = [threading.Thread(target=launch, args=(name,)) for name in "abcde"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    everything = [digest for mine in taken.values() for digest in mine]
    assert sorted(everything) == sorted(digests)
