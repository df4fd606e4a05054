"""Gives Tune the trials of a launch, one pack whenever there is room for it.

Trials that are claimed as late as that are shared between the launches of a study as fast as each of them works.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sweeps.ray_environment  # noqa: F401

# isort: split
from ray.tune.search import Searcher

from sweeps.engine_interface import Claims

_ASK_AGAIN_S = 2.0  # of trials that others run


class PackQueue(Searcher):  # type: ignore[misc]  # Ray has no types
    """Packs of `size` trials, in their order; nothing while there is no room, and the end when all trials have ended.

    room : how many packs may run or wait for their place now. ended_elsewhere : told the trials that other launches
    have brought to their end.
    """

    def __init__(
        self,
        digests: Sequence[str],
        size: int,
        claims: Claims,
        *,
        room: Callable[[], int],
        ended_elsewhere: Callable[[Mapping[str, str]], None],
    ) -> None:
        super().__init__()
        self._left = dict.fromkeys(digests)
        self._size, self._claims, self._room, self._ended_elsewhere = size, claims, room, ended_elsewhere
        self._live: set[str] = set()
        self._ask_at_s = float("-inf")
        self.error: Exception | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune saves what it was given, and this one holds the store."""
        return {}

    def suggest(self, trial_id: str) -> Any:
        """The next pack as Tune's config, None for later, or Searcher.FINISHED."""
        if not self._left:
            return Searcher.FINISHED
        if len(self._live) >= self._room() or time.monotonic() < self._ask_at_s:
            return None
        try:
            pack = self._next_pack()
        except Exception as error:  # Tune would go on without us
            self.error = error
            return Searcher.FINISHED
        if pack:
            self._live.add(trial_id)
            return {"pack": pack}
        self._ask_at_s = time.monotonic() + _ASK_AGAIN_S
        return None if self._left else Searcher.FINISHED

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

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """There is room again."""
        self._live.discard(trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the store remembers."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing."""

    def get_state(self) -> dict[str, Any]:
        """Nothing."""
        return {}
