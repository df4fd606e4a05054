"""When a silence is too long: from what is known of the pace, and not where another launch makes progress."""

import dataclasses

import pytest

from sngan.config import TrialConfig
from sweeps.costs import CostEstimate
from sweeps.silence import Patience, Silence, longest_interval_s
from tests.sweeps.recording import planned

PATIENCE = Patience(times=5, least_s=100, unknown_s=1000)


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Followed:
    """A silence under a clock that is set by hand, looked at as often as it wants."""

    def __init__(self, expected_s: float | None = None) -> None:
        self.clock = Clock()
        self.silence = Silence(PATIENCE, expected_s, self.clock)
        self.results = 0

    def wait(self, seconds: float) -> list[tuple[str, float]]:
        """What is found in so many seconds."""
        found, end_s = [], self.clock.now_s + seconds
        while self.clock.now_s < end_s:
            self.clock.now_s += self.silence.tick_s
            found.append(self.silence.check(lambda: str(self.results)))
        return [each for each in found if each is not None]


def test_without_any_pace_it_takes_long_and_is_said_once() -> None:
    followed = Followed()
    assert followed.wait(1000) == []
    ((what, lasted_s),) = followed.wait(5000)
    assert what == "stuck"
    assert 1000 < lasted_s <= 1000 + 2 * followed.silence.tick_s
    followed.silence.begin("a")
    ((what, lasted_s),) = followed.wait(100)
    assert what == "resumed"
    assert lasted_s > 5000
    assert followed.wait(900) == []
    assert [what for what, _ in followed.wait(1000)] == ["stuck"], "another silence"


def test_the_limit_is_a_multiple_of_the_slowest_interval_and_at_least_the_floor() -> None:
    followed = Followed(expected_s=1.0)
    assert followed.silence.limit_s == 100
    followed.silence.begin("a")
    followed.clock.now_s += 40
    followed.silence.evaluated("a")
    assert followed.silence.limit_s == 200
    followed.clock.now_s += 30
    followed.silence.evaluated("a")
    assert followed.silence.limit_s == 200, "the slowest counts"
    followed.silence.end(["a"])
    followed.clock.now_s += 500
    followed.silence.begin("a")
    followed.silence.evaluated("a")
    assert followed.silence.limit_s == 200, "a trial that waited to be tried again was not slow"
    assert Followed(expected_s=60.0).silence.limit_s == 300


def test_progress_of_another_launch_is_news() -> None:
    followed = Followed(expected_s=1.0)
    for _ in range(20):
        assert followed.wait(60) == []
        followed.results += 1
    assert [what for what, _ in followed.wait(300)] == ["stuck"]
    followed.results += 1
    assert [what for what, _ in followed.wait(20)] == ["resumed"]


def test_a_process_that_was_stopped_has_missed_nothing() -> None:
    followed = Followed(expected_s=1.0)
    followed.wait(50)
    followed.clock.now_s += 10_000
    assert followed.wait(10) == []


def test_a_store_that_does_not_answer_leaves_everything_as_it_is() -> None:
    followed = Followed(expected_s=1.0)

    def broken() -> str:
        raise OSError("away")

    followed.wait(50)
    for _ in range(10):
        followed.clock.now_s += 10
        with pytest.raises(OSError, match="away"):
            followed.silence.check(broken)
    assert followed.wait(10) == []
    assert [what for what, _ in followed.wait(100)] == ["stuck"]


def test_the_expected_interval_is_that_of_the_slowest_trial_that_is_known() -> None:
    config = TrialConfig(updates=1000, evaluate_every=100)
    trials = planned(config, 3)
    slow = dataclasses.replace(trials[2], config=config.replace(evaluate_every=5000, seed=9))
    seconds = {trials[0].digest: 100.0, trials[1].digest: None, slow.digest: 30.0}
    expected = CostEstimate(seconds=seconds, unmeasured=())
    assert longest_interval_s([trials[0]], expected) == 10.0
    assert longest_interval_s([trials[0], trials[1], slow], expected) == 30.0, "one evaluation, at its end"
    assert longest_interval_s([trials[1]], expected) is None
    assert longest_interval_s([], expected) is None
