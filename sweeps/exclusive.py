"""One launch at a time in a folder of results, and one at a time that writes to a database."""

import contextlib
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from sngan.errors import InputError
from sweeps.provenance import host_name
from sweeps.store import ResultStore

_LOCK = "launch.lock"


@contextlib.contextmanager
def only_launch(out: Path, store: ResultStore, name: str) -> Iterator[None]:
    """Be the only launch in the folder of results and the only one that writes to the store.

    Two launches would train the trials that they share twice, and each would take the other's for abandoned. The
    system gives the locks back whatever becomes of this process. `name` is told to whoever comes second.

    Raises InputError that names the holder.
    """
    about = f"{name}, process {os.getpid()} on {host_name()} since {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    with contextlib.ExitStack() as stack:
        # Resolved: the same folder may be written in two ways, and a lock is one per file.
        for folder in sorted({out.resolve(), (store.folder or out).resolve()}):
            stack.enter_context(_only_in(folder, about))
        stack.enter_context(store.only_writer(about))
        yield


@contextlib.contextmanager
def _only_in(folder: Path, about: str) -> Iterator[None]:
    lock = FileLock(folder / _LOCK)
    holder = folder / f"{_LOCK}.json"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(
            f"a launch is already running in {folder}: {_described(holder)}.\n"
            "Wait until it ends or stop it; another folder is chosen with --out."
        ) from None
    try:
        holder.write_text(json.dumps({"holder": about}))
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _described(holder: Path) -> str:
    try:
        return str(json.loads(holder.read_text())["holder"])
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
