"""One launch of a study at a time in a folder of results."""

import contextlib
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from sngan.errors import InputError
from sweeps.provenance import host_name


@contextlib.contextmanager
def only_launch(folder: Path, name: str) -> Iterator[None]:
    """Hold the lock `folder`/NAME.lock, which the system gives back whatever becomes of this process.

    Raises InputError that names the holder where another process has it.
    """
    lock = FileLock(folder / f"{name}.lock")
    holder = folder / f"{name}.lock.json"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(
            f"{name} is being run in {folder} by {_described(holder)}.\n"
            "Wait until it ends or stop it; another folder is chosen with --out."
        ) from None
    try:
        about = {"pid": os.getpid(), "host": host_name(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
        holder.write_text(json.dumps(about))
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _described(holder: Path) -> str:
    try:
        about = json.loads(holder.read_text())
        return f"process {about['pid']} on {about['host']} since {about['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
