"""When the queue gives Tune a pack, and which place's process takes it."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

import sweeps.ray_queue as ray_queue
from sweeps.engine_interface import Unshared
from sweeps.ray_queue import PackQueue, Searcher

DIGESTS = [f"trial-{number}" for number in range(20)]


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(ray_queue, "time", made)
    return made


def queue(places: int, digests: Sequence[str] = DIGESTS, **changes: Any) -> PackQueue:
    options = {"claims": Unshared(), "most": None, "grows": False, "ended_elsewhere": lambda states: None}
    return PackQueue(digests, 1, **{"num_places": lambda: places, **options, **changes})


def asked(packs: PackQueue, *names: str) -> list[int | None]:
    """The places that these get, one after another."""
    configs = [packs.suggest(name) for name in names]
    return [None if config is None else config["place"] for config in configs]


def test_each_place_is_given_a_pack_before_any_waits() -> None:
    packs = queue(3)
    assert asked(packs, "a", "b", "c", "d") == [0, 1, 2, None]


def ended(packs: PackQueue, clock: Clock, name: str, after_s: float) -> None:
    """A pack has run."""
    packs.on_begin(name)
    clock.now_s += after_s
    packs.on_trial_complete(name)


def test_short_packs_wait_each_behind_a_process_that_is_at_work(clock: Clock) -> None:
    """Tune would end a process that still starts, and give its pack to one that has ended its own."""
    packs = queue(3)
    assert asked(packs, "a", "b", "c", "d") == [0, 1, 2, None]
    packs.on_begin("b")
    assert asked(packs, "d") == [None], "whether they are short is not known yet"
    ended(packs, clock, "a", after_s=1.0)
    assert asked(packs, "d", "e", "f") == [0, 1, None]
    packs.on_begin("d")
    assert asked(packs, "f", "g") == [0, None], "never two behind one, none behind c, which still starts"


def test_long_packs_are_left_for_other_launches(clock: Clock) -> None:
    packs = queue(2)
    asked(packs, "a", "b")
    packs.on_begin("b")
    ended(packs, clock, "a", after_s=3600.0)
    assert asked(packs, "c", "d") == [0, None]
    ended(packs, clock, "c", after_s=1.0)
    assert asked(packs, "d", "e") == [0, None], "one that diverged early says nothing of the others"


def test_while_a_pack_takes_long_none_waits(clock: Clock) -> None:
    packs = queue(2)
    asked(packs, "a", "b")
    packs.on_begin("b")
    ended(packs, clock, "a", after_s=1.0)
    clock.now_s += 3600.0
    assert asked(packs, "c", "d") == [0, None]


def test_a_failure_does_not_tell_how_long_packs_take(clock: Clock) -> None:
    packs = queue(2)
    asked(packs, "a", "b")
    packs.on_begin("a")
    packs.on_begin("b")
    packs.on_trial_complete("a", error=True)
    assert asked(packs, "c", "d") == [0, None]


def test_none_waits_while_one_has_lost_its_process(clock: Clock) -> None:
    """It would be overtaken by all that follow."""
    packs = queue(2)
    asked(packs, "a", "b")
    packs.on_begin("b")
    ended(packs, clock, "a", after_s=1.0)
    packs.on_loss("b")
    assert asked(packs, "c", "d") == [0, None]
    packs.on_begin("c")
    assert asked(packs, "d") == [None]
    packs.on_begin("b")
    assert asked(packs, "d", "e", "f") == [0, 1, None]


def test_a_place_whose_process_has_ended_starts_anew() -> None:
    packs = queue(1)
    asked(packs, "a")
    packs.on_begin("a")
    packs.on_trial_complete("a")
    assert asked(packs, "b", "c") == [0, None]


def test_no_more_run_than_are_allowed_and_then_none_waits() -> None:
    packs = queue(8, most=2)
    assert asked(packs, "a", "b", "c") == [0, 1, None]
    packs.on_begin("a")
    assert asked(packs, "c") == [None]


def test_places_come_and_go_with_machines() -> None:
    machines = [1]
    packs = queue(0, num_places=lambda: machines[0])
    assert asked(packs, "a", "b") == [0, None]
    machines[0] = 2
    assert asked(packs, "b") == [1]
    machines[0] = 1
    packs.on_trial_complete("a")
    assert asked(packs, "c", "d") == [0, None]


def test_a_cluster_that_grows_is_asked_for_more_than_it_has(clock: Clock) -> None:
    packs = queue(2, grows=True)
    assert asked(packs, "a", "b", "c", "d") == [0, 1, 2, None]
    packs = queue(2, grows=True, most=5)
    assert asked(packs, "a", "b", "c", "d", "e", "f") == [0, 1, 2, 3, 4, None]


def test_short_packs_wait_behind_processes_at_work_also_where_machines_may_come(clock: Clock) -> None:
    packs = queue(2, grows=True, most=5)
    asked(packs, "a", "b", "c", "d", "e")
    packs.on_begin("b")
    ended(packs, clock, "a", after_s=1.0)
    ended(packs, clock, "e", after_s=1.0)
    assert asked(packs, "f", "g", "h") == [0, 1, None], "one at the free place, one behind b"


def test_machines_that_do_not_come_are_not_asked_for() -> None:
    assert asked(queue(2, most=5), "a", "b", "c") == [0, 1, None]


class HeldElsewhere(Unshared):
    """Another launch runs everything, and then has ended it."""

    def __init__(self) -> None:
        self.done = False

    def take(self, digests: Sequence[str], number: int) -> list[str]:
        return []

    def ended(self, digests: Sequence[str]) -> Mapping[str, str]:
        return dict.fromkeys(digests, "finished") if self.done else {}


def test_what_others_run_is_asked_for_now_and_then_and_told_when_it_has_ended(clock: Clock) -> None:
    claims, told = HeldElsewhere(), list[Mapping[str, str]]()
    packs = queue(2, DIGESTS[:2], claims=claims, ended_elsewhere=told.append)
    assert packs.suggest("a") is None
    claims.done = True
    assert packs.suggest("a") is None
    assert not told, "it is too early to ask again"
    clock.now_s += 3.0
    assert packs.suggest("a") == Searcher.FINISHED
    assert told == [dict.fromkeys(DIGESTS[:2], "finished")]


def test_an_error_of_the_claims_ends_the_queue_and_is_kept() -> None:
    class Broken(Unshared):
        def take(self, digests: Sequence[str], number: int) -> list[str]:
            raise OSError("the store is gone")

    packs = queue(1, claims=Broken())
    assert packs.suggest("a") == Searcher.FINISHED
    assert isinstance(packs.error, OSError)
