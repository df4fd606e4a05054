"""Whether nothing is heard of any trial for much longer than it should be: what a sweep that is stuck looks like."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from sweeps.costs import CostEstimate
from sweeps.study import PlannedTrial

_LONGEST_TICK_S = 60.0
_TICKS = 10  # in the time after which a silence is too long


@dataclass(frozen=True, kw_only=True)
class Patience:
    """When a silence is too long, in seconds.

    times : so many times the longest interval between two evaluations of one trial that is expected or was seen, and
    at least `least_s`. unknown_s : where no interval is known. The first evaluation may prepare data and measure real
    images, which takes half an hour for the paper's protocol on two cores.
    """

    times: float = 5.0
    least_s: float = 900.0
    unknown_s: float = 3600.0


class Silence:
    """The time since the last news of any trial, of this launch or another one. For several threads.

    expected_s : the longest interval between two evaluations of a trial that is expected, None where nothing is.
    """

    def __init__(
        self, patience: Patience, expected_s: float | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._patience, self._clock = patience, clock
        self._lock = threading.Lock()
        self._since_s: dict[str, float] = {}  # trial -> clock at its last news
        self._heard = True
        self._mark: str | None = None
        self._checked_s = clock()
        self._lasted_s = 0.0
        self._stuck = False
        self.slowest_s = expected_s

    @property
    def limit_s(self) -> float:
        """A silence is too long after so many seconds."""
        if self.slowest_s is None:
            return self._patience.unknown_s
        return max(self._patience.least_s, self._patience.times * self.slowest_s)

    @property
    def tick_s(self) -> float:
        """How often to call `check`."""
        return min(_LONGEST_TICK_S, self.limit_s / _TICKS)

    def begin(self, digest: str) -> None:
        """An attempt at a trial has begun."""
        with self._lock:
            self._since_s[digest] = self._clock()
            self._heard = True

    def evaluated(self, digest: str) -> None:
        """A trial has reached an evaluation: the time that it took is one that the next may take."""
        with self._lock:
            now = self._clock()
            self.slowest_s = max(self.slowest_s or 0.0, now - self._since_s.get(digest, now))
            self._since_s[digest] = now
            self._heard = True

    def end(self, digests: Sequence[str]) -> None:
        """Trials, or attempts at them, have ended in whatever way."""
        with self._lock:
            for digest in digests:
                self._since_s.pop(digest, None)
            self._heard = True

    def check(self, mark: Callable[[], str]) -> tuple[Literal["stuck", "resumed"], float] | None:
        """Whether it has been silent for too long, or is so no more, and for how many seconds; each is said once.

        `mark` gives a text that changes with any result in the store. It is asked only while nothing is heard here:
        other launches may be running the trials.
        """
        with self._lock:
            heard, self._heard = self._heard, False
        if heard:
            self._mark = None  # taken anew when it is quiet: what was heard has changed it
        else:
            before, self._mark = self._mark, mark()
            heard = before is not None and before != self._mark
        now = self._clock()
        # A process that did not run for an hour has missed no news in it.
        lasted_s = self._lasted_s + min(now - self._checked_s, 2 * self.tick_s)
        self._checked_s, self._lasted_s = now, 0.0 if heard else lasted_s
        was_stuck, self._stuck = self._stuck, not heard and lasted_s > self.limit_s
        if self._stuck == was_stuck:
            return None
        return ("stuck" if self._stuck else "resumed"), lasted_s


def longest_interval_s(trials: Sequence[PlannedTrial], expected: CostEstimate) -> float | None:
    """Seconds between two evaluations of the slowest of the trials whose cost is known; None where none is."""
    known = [
        seconds * min(1.0, trial.config.evaluate_every / trial.config.updates)
        for trial in trials
        if (seconds := expected.seconds.get(trial.digest)) is not None
    ]
    return max(known, default=None)
