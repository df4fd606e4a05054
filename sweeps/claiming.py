"""Which trials this launch runs, where several launches share a study: leases, kept alive while it lives.

The store only says who has claimed what; Ray schedules. A launch claims a trial when it has room for it, keeps its
leases alive in a thread, and ends where another launch has taken over one of its trials, which only happens to a launch
that was cut off from the database, or stopped, for longer than a lease lasts. Both would compute the same numbers.

A launch also holds the lock of a file while it lives, which the system gives back whatever becomes of it: launches on
the same machine need not wait until the leases of a dead one have run out.
"""

import contextlib
import logging
import secrets
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from sngan.errors import InputError
from sweeps.filesystems import locked
from sweeps.provenance import host_name
from sweeps.store import ResultStore, TrialState

logger = logging.getLogger(__name__)
LEASE_S = 120.0  # how long a trial waits whose launch has died
_RENEWALS = 6  # in the time of a lease


class StoreClaims:
    """The leases of one launch; made by `claiming`.

    folder : of the lock files of launches. about : the launch in words, told to others.
    """

    def __init__(self, store: ResultStore, folder: Path, about: str, lease_s: float = LEASE_S) -> None:
        self._store, self._folder, self._about, self._lease_s = store, folder, about, lease_s
        self.holder = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._held: set[str] = set()
        self._lost: set[str] = set()
        self._sure_until_s = float("inf")
        self._ended = threading.Event()

    def take(self, digests: Sequence[str], number: int) -> list[str]:
        """Claim the first `number` of these trials that are free; those are ours now."""
        begun_s = time.monotonic()
        taken = self._store.claim(digests, number, holder=self.holder, about=self._about, lease_s=self._lease_s)
        with self._lock:
            self._sure_until_s = min(self._sure_until_s, begun_s + self._lease_s)
            self._held |= set(taken)
            self._lost -= set(taken)
            return taken

    def ended(self, digests: Sequence[str]) -> Mapping[str, str]:
        """Those of the trials that have a result, or were given up by the launch that ran them."""
        self.bury()
        states = self._store.known_states(digests)
        over = (TrialState.COMPLETED, TrialState.DIVERGED, TrialState.FAILED)
        return {digest: str(state) for digest, state in states.items() if state in over}

    def lost(self) -> set[str]:
        """Trials of ours that another launch runs by now, or may be running where the database does not answer."""
        if time.monotonic() > self._sure_until_s:  # this process was stopped for a while, or the database was away
            try:
                self.renew()
            except InputError:
                with self._lock:
                    return set(self._held)
        with self._lock:
            return set(self._lost)

    def others(self, digests: Sequence[str]) -> list[str]:
        """The launches, in words, that run some of these trials now, without this one."""
        leased = self._store.leased(digests).values()
        return sorted({about for holder, about in leased if holder != self.holder})

    def bury(self) -> None:
        """Give back the trials of launches on this machine that have died. Those of others run out."""
        for file in self._folder.glob(_lock_file(self._folder, "*").name):
            holder = file.stem.rpartition("-")[2]
            if holder != self.holder:
                with contextlib.suppress(Timeout, OSError), FileLock(file, timeout=0):
                    self._store.release(holder)
                    file.unlink(missing_ok=True)

    def renew(self) -> None:
        """Extend the leases, and notice what was taken over meanwhile."""
        with self._lock:
            held, begun_s = set(self._held), time.monotonic()
        gone = held - self._store.renew(self.holder, self._lease_s)  # without the lock: it may take long
        over = set(self.ended(sorted(gone))) if gone else set()
        with self._lock:
            self._sure_until_s = begun_s + self._lease_s
            self._held -= over
            self._lost |= gone - over

    def _keep(self) -> None:
        """The thread. Without a database the leases run out, which `lost` knows by the clock."""
        while not self._ended.wait(self._lease_s / _RENEWALS):
            try:
                self.renew()
            except InputError as error:
                logger.debug("leases were not renewed: %s", error)


@contextlib.contextmanager
def claiming(store: ResultStore, folder: Path, about: str, lease_s: float = LEASE_S) -> Iterator[StoreClaims]:
    """Inside, leases are kept alive; at the end all are given back."""
    claims = StoreClaims(store, folder, about, lease_s)
    file = _lock_file(folder, claims.holder)
    thread = threading.Thread(target=claims._keep, name="leases", daemon=True)
    with locked(file) as there:
        if not there:
            file.unlink(missing_ok=True)  # else others would take this launch for dead
        thread.start()
        try:
            yield claims
        finally:
            claims._ended.set()
            thread.join()
            with contextlib.suppress(InputError):  # they run out by themselves
                store.release(claims.holder)
            file.unlink(missing_ok=True)


def _lock_file(folder: Path, holder: str) -> Path:
    """The file of a launch on this machine: locks of another machine's processes need not be seen here."""
    return folder / f".launch-{host_name()}-{holder}.lock"
