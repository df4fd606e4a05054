"""Image grids that trials have sent to a storage, fetched below OUT, where MLflow's mirror and the report find them."""

import logging
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sngan.errors import InputError
from sngan.results import Evaluation, Outcome
from sweeps.engine_interface import Attempt
from sweeps.object_storage import ObjectStorage, StorageError
from sweeps.store import ResultStore
from sweeps.study import PlannedTrial

logger = logging.getLogger(__name__)
_AT_ONCE = 8
_PAUSE_S = 60.0  # after a failure, so that a store that does not answer delays nothing for long


class GridFetcher:
    """The listener that fetches the grid of every evaluation; must be told before the mirror can know of it.

    Without a storage there is nothing to fetch. A failure is one warning; what is missing is tried again at the end.
    """

    def __init__(self, storage: str | None, out: Path) -> None:
        self._storage = None if storage is None else ObjectStorage(storage, patient=False)
        self._out = out
        self._not_before_s = float("-inf")
        self._told = False

    def on_start(self, trial: PlannedTrial, attempt: Attempt) -> None:
        """Nothing."""

    def on_evaluation(self, trial: PlannedTrial, evaluation: Evaluation) -> None:
        """Fetch its grid."""
        if evaluation.samples is not None and time.monotonic() > self._not_before_s:
            self._fetch([evaluation.samples])

    def on_finish(self, trial: PlannedTrial, outcome: Outcome) -> None:
        """Nothing."""

    def on_failure(self, trial: PlannedTrial, error: str, final: bool) -> None:
        """Nothing."""

    def on_elsewhere(self, states: Mapping[str, str]) -> None:
        """Nothing: what other launches have made is fetched at the end."""

    def fetch_missing(self, store: ResultStore, study: str, preset: str) -> None:
        """Fetch the grids of all evaluations of a study that are not here."""
        if self._storage is not None:
            self._fetch(Path(path) for path in store.samples(study, preset)["path"])

    def _fetch(self, relatives: Iterable[Path]) -> None:
        if self._storage is None:
            return
        missing = [relative for relative in relatives if not (self._out / relative).exists()]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            try:
                for fetched in [pool.submit(self._storage.get, self._out, relative) for relative in missing]:
                    fetched.result()
            except (InputError, StorageError, OSError) as error:
                pool.shutdown(cancel_futures=True)
                self._not_before_s = time.monotonic() + _PAUSE_S
                self._warn(error)

    def _warn(self, error: Exception) -> None:
        if not self._told:
            logger.warning("image grids are not fetched: %s", str(error).partition("\n")[0])
        self._told = True
