"""MLflow as a mirror of the store: never read back as truth, and rebuilt from the store at any time.

One code path (sweeps.tracking.agreement) compares what MLflow holds with the store and sends what is missing. A launch
calls it every few seconds from a thread; `python -m sweeps.launch sync` calls it once, later or into an empty MLflow.
"""

import logging
import shlex
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from filelock import FileLock, Timeout

from sngan.errors import InputError, one_line
from sngan.results import Evaluation, Outcome
from sweeps.engine_interface import Attempt
from sweeps.provenance import hide_credentials, out_words
from sweeps.store import ResultStore
from sweeps.study import PlannedTrial, Study
from sweeps.tracking.agreement import Agreement
from sweeps.tracking.server import load
from sweeps.tracking.source import Source, SyncReport
from sweeps.tracking.view import TABLE, is_server, server_page, view_link

logger = logging.getLogger(__name__)

_LONGEST_PAUSE_S = 60.0
_LAST_SYNC_S = 15.0  # how long the end of a launch waits for MLflow
_LAST_SYNC_OF_A_STOP_S = 2.0
_WORK_TO_PAUSE = 10  # the thread pauses ten times as long as it worked: trials need the cores


_SCHEMES = ("sqlite", "postgresql", "mysql", "mssql", "http", "https")


def default_uri(storage_dir: Path) -> str:
    """The MLflow database below a folder of results."""
    return f"sqlite:///{storage_dir.resolve()}/mlflow.db"


def check_uri(uri: str) -> None:
    """Raise InputError for what is neither a database nor a server: MLflow would take it for a folder."""
    scheme = uri.partition("://")[0].partition("+")[0]
    if "://" not in uri or scheme not in _SCHEMES:
        known = ", ".join(f"{name}://" for name in _SCHEMES)
        raise InputError(f"MLflow URI {hide_credentials(uri)!r} is neither a database nor a server.\nKnown: {known}.")


class Mirror:
    """Keeps one study and preset in MLflow in agreement with the store.

    Parameters
    ----------
    uri : MLflow's database or server; see `default_uri`.
    store : the truth; only read.
    preset_label : the preset as the store names it.
    storage_dir : the folder of results; sample grids and reports are found below, and a database's files kept.
    """

    def __init__(self, uri: str, store: ResultStore, study: Study, preset_label: str, storage_dir: Path) -> None:
        self.uri = uri
        self.source = Source(store=store, study=study, label=preset_label, storage_dir=storage_dir)
        self._agreement = Agreement(uri, self.source)
        self._file_lock = FileLock(storage_dir / f".mlflow-{self.source.file_name}.lock", thread_local=False)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._failures = 0

    @property
    def shown_uri(self) -> str:
        """The URI without user and password, for messages."""
        return hide_credentials(self.uri)

    @property
    def shown(self) -> str | None:
        """Where to look once MLflow was reached: an address on a server; the command that serves a database."""
        experiment_id = self._agreement.experiment_id
        if experiment_id is None:
            return None
        if is_server(self.uri):
            return view_link(server_page(self.uri), experiment_id, TABLE)
        return self._command("ui", self.source.study.name)

    def sync(self) -> SyncReport:
        """Send everything that MLflow lacks, and say what that was. Trials that nobody runs are shown as killed.

        Raises InputError where MLflow cannot be reached or written, where a running launch does this already, and
        for a study that the store does not know.
        """
        try:
            with self._exclusive(), self._lock:
                return self._agreement.bring(live=self._thread is not None and self._thread.is_alive())
        except InputError:
            raise
        except Exception as error:
            text = f"MLflow at {self.shown_uri} cannot be used: {self._reason(error)}\nThe results are in the store."
            raise InputError(text) from error

    def start(self, interval_s: float = 5.0) -> None:
        """Begin to sync in the background, at once and then every `interval_s` seconds."""
        assert self._thread is None, "a mirror is started once"
        self.load()
        arguments = {"name": "mlflow-mirror", "args": (interval_s,), "daemon": True}
        self._thread = threading.Thread(target=self._mirror, **arguments)  # type: ignore[arg-type]
        self._thread.start()

    def load(self) -> None:
        """Import MLflow, in two seconds; `start` does it where it was not done.

        Not in the thread of the mirror: the main thread may be importing, too.
        """
        try:
            load()
        except Exception as error:
            self._failed(self._reason(error))

    def stop(self, timeout_s: float = 15.0) -> bool:
        """End the background sync with a last one, which also sends verdicts and report; True if all was sent.

        Waits `timeout_s` seconds at most. What is missing then is sent by a later `sync`.
        """
        if self._thread is None:
            return True
        self._stopping.set()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            self._failed("no answer within the time that was left")
        return self._failures == 0

    def _mirror(self, interval_s: float) -> None:
        """The thread: sync, pause, and once more at the end."""
        pause_s = 0.0
        held = False
        while not self._stopping.wait(pause_s):
            held, pause_s = self._attempt(interval_s, held=held, live=True)
        held, _ = self._attempt(interval_s, held=held, live=False)
        if held:
            self._file_lock.release()

    def _attempt(self, interval_s: float, *, held: bool, live: bool) -> tuple[bool, float]:
        """One sync of the thread, whatever happens: whether it holds the lock now, and how long to pause."""
        began_s = time.thread_time()
        try:
            if not held:
                self._acquire()
                held = True
            with self._lock:
                self._agreement.bring(live=live)
        except _BusyError:  # another launch of the study sends for both
            return held, interval_s
        except Exception as error:
            logger.debug("sync failed", exc_info=True)
            self._failed(self._reason(error))
            return held, min(_LONGEST_PAUSE_S, interval_s * 2 ** min(10, self._failures))
        if self._failures:
            logger.info("MLflow at %s answers again; nothing is missing there.", self.shown_uri)
        self._failures = 0
        return held, max(interval_s, _WORK_TO_PAUSE * (time.thread_time() - began_s))

    def _failed(self, reason: str) -> None:
        """Warn once per outage."""
        self._failures += 1
        if self._failures == 1:
            logger.warning(
                "MLflow at %s does not get the results: %s. The sweep is not affected. "
                "What is missing is sent when MLflow answers, or by:\n%s",
                self.shown_uri,
                reason,
                self._command("sync", self.source.study.name, "--preset", self.source.label),
            )

    def _command(self, *words: str) -> str:
        """A command of sweeps.launch about this MLflow."""
        place = self.source.storage_dir
        elsewhere = () if self.uri == default_uri(place) else ("--mlflow", self.shown_uri)
        return shlex.join(["python", "-m", "sweeps.launch", *words, *out_words(place), *elsewhere])

    def _reason(self, error: Exception) -> str:
        return hide_credentials(one_line(error)).rstrip(".")

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Hold the lock: two processes that send the same trials would create their runs twice."""
        self._acquire()
        try:
            yield
        finally:
            self._file_lock.release()
            if not self._file_lock.is_locked:
                self._agreement.forget()

    def _acquire(self) -> None:
        self.source.storage_dir.mkdir(parents=True, exist_ok=True)
        try:
            self._file_lock.acquire(timeout=0)
        except Timeout:
            raise _BusyError(
                f"another process is sending {self.source.name} to MLflow.\nA running launch does so by itself."
            ) from None


class _BusyError(InputError):
    """Another process is the mirror of this study."""


class Mirrored:
    """MLflow kept in agreement with the store from the first trial on, and brought up to date at the end; or nothing.

    It is imported at once, while Ray starts, and used from the first trial on, to which it listens: making its tables
    takes seconds of a core, which trials need to begin. `hurried` : the end waits for MLflow only as long as a stop
    allows.
    """

    def __init__(self, uri: str | None, store: ResultStore, study: Study, preset_label: str, storage_dir: Path) -> None:
        self._mirror = None if uri is None else Mirror(uri, store, study, preset_label, storage_dir)
        self._begun = False
        self.hurried = False

    @property
    def shown(self) -> str | None:
        """Where the trials can be looked at, once MLflow was reached: an address, or a command."""
        return None if self._mirror is None else self._mirror.shown

    def on_start(self, trial: PlannedTrial, attempt: Attempt) -> None:
        """Begin, with the first trial."""
        self.begin()

    def on_evaluation(self, trial: PlannedTrial, evaluation: Evaluation) -> None:
        """Nothing: the store is read."""

    def on_finish(self, trial: PlannedTrial, outcome: Outcome) -> None:
        """Nothing: the store is read."""

    def on_failure(self, trial: PlannedTrial, error: str, final: bool) -> None:
        """Nothing: the store is read."""

    def on_elsewhere(self, states: Mapping[str, str]) -> None:
        """Nothing: the store is read."""

    def begin(self) -> None:
        """Keep them in agreement from now on."""
        if self._mirror is not None and not self._begun:
            self._begun = True
            self._mirror.start()

    def __enter__(self) -> Self:
        if self._mirror is not None:
            self._mirror.load()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        in_a_hurry = self.hurried or kind is not None
        if not in_a_hurry:
            self.begin()
        if self._mirror is not None:
            self._mirror.stop(_LAST_SYNC_OF_A_STOP_S if in_a_hurry else _LAST_SYNC_S)
