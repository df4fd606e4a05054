"""Gives Tune the trials of a launch, one pack whenever there is room for it.

Trials that are claimed as late as that are shared between the launches of a study as fast as each of them works.
"""

import itertools
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sweeps.ray_environment  # noqa: F401

# isort: split
from ray.tune.search import Searcher

from sweeps.engine_interface import Claims

_ASK_AGAIN_S = 2.0  # of trials that others run
_SHORT_S = 300.0  # a pack that no other launch misses much


class PackQueue(Searcher):  # type: ignore[misc]  # Ray has no types
    """Packs of `size` trials, in their order; nothing while there is no room, and the end when all trials have ended.

    num_places : how many packs can run at the same time now. most : how many may run or wait; None: as many as can.
    grows : whether machines come where packs wait for them; then there are packs up to `most`, or one that waits.
    ended_elsewhere : told the trials that other launches have brought to their end.

    A new process imports PyTorch, 5 s of CPU. Tune gives the process of a pack that ends to one that waits for the
    same resources, be it one whose own process is about to start, which is then ended. Where none waits it keeps one
    process. So each place asks for resources of its own ("place" in the config), and a pack may wait behind one whose
    process is at work. They do where all packs are short so far, since what waits here could run elsewhere, and while
    none has lost its process, since it would wait behind them.
    """

    def __init__(
        self,
        digests: Sequence[str],
        size: int,
        claims: Claims,
        *,
        num_places: Callable[[], int],
        most: int | None,
        grows: bool,
        ended_elsewhere: Callable[[Mapping[str, str]], None],
    ) -> None:
        super().__init__()
        self._left = dict.fromkeys(digests)
        self._size, self._claims, self._ended_elsewhere = size, claims, ended_elsewhere
        self._num_places, self._most, self._grows = num_places, most, grows
        self._place_of: dict[str, int] = {}  # of the packs that run or wait
        self._begun_s: dict[str, float] = {}  # of those that run
        self._lost: set[str] = set()  # those that have lost their process, and wait for another
        self._longest_s: float | None = None  # of those that have run
        self._ask_at_s = float("-inf")
        self.error: Exception | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune saves what it was given, and this one holds the store."""
        return {}

    def suggest(self, trial_id: str) -> Any:
        """The next pack as Tune's config, None for later, or Searcher.FINISHED."""
        if not self._left:
            return Searcher.FINISHED
        place = self._free_place()
        if place is None or time.monotonic() < self._ask_at_s:
            return None
        try:
            pack = self._next_pack()
        except Exception as error:  # Tune would go on without us
            self.error = error
            return Searcher.FINISHED
        if pack:
            self._place_of[trial_id] = place
            return {"pack": pack, "place": place}
        self._ask_at_s = time.monotonic() + _ASK_AGAIN_S
        return None if self._left else Searcher.FINISHED

    def _free_place(self) -> int | None:
        """Where the next pack may run, or wait for one to end; None where there is no room."""
        if self._most is not None and len(self._place_of) >= self._most:
            return None
        num_places, taken = self._num_places(), Counter(self._place_of.values())
        free = next(place for place in itertools.count() if not taken[place])
        if free < num_places:
            return free
        if self._are_short() and not self._lost:
            at_work = {self._place_of[trial_id] for trial_id in self._begun_s}
            if behind := [place for place in at_work if taken[place] == 1]:
                return min(behind)
        asked_for = (self._most or num_places + 1) if self._grows else num_places
        return free if free < asked_for else None

    def _are_short(self) -> bool:
        """Whether no pack of this study takes long, as far as is known."""
        now_s = time.monotonic()
        known_s = [now_s - begun_s for begun_s in self._begun_s.values()]
        return self._longest_s is not None and max(self._longest_s, *known_s, 0.0) < _SHORT_S

    def _next_pack(self) -> list[str]:
        pack = self._claims.take(list(self._left), self._size)
        for digest in pack:
            del self._left[digest]
        if not pack:
            ended = self._claims.ended(list(self._left))
            for digest in ended:
                del self._left[digest]
            if ended:
                self._ended_elsewhere(ended)
        return pack

    def on_begin(self, trial_id: str) -> None:
        """The process of a pack is at work."""
        if trial_id in self._place_of:
            self._begun_s[trial_id] = time.monotonic()
            self._lost.discard(trial_id)

    def on_loss(self, trial_id: str) -> None:
        """A pack is to be tried again, by another process."""
        if self._begun_s.pop(trial_id, None) is not None:
            self._lost.add(trial_id)

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """There is room again."""
        self._place_of.pop(trial_id, None)
        self._lost.discard(trial_id)
        begun_s = self._begun_s.pop(trial_id, None)
        if begun_s is not None and not error:
            self._longest_s = max(self._longest_s or 0.0, time.monotonic() - begun_s)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the store remembers."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing."""

    def get_state(self) -> dict[str, Any]:
        """Nothing."""
        return {}
