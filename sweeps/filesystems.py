"""On what kind of file system a path lies."""

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

# Of those that several machines write to: locks of SQLite, and memory that its processes share, do not work there.
_NETWORK = ("afs", "beegfs", "ceph", "cifs", "fuse.ceph", "fuse.glusterfs", "fuse.s3fs", "fuse.sshfs", "glusterfs",
            "gpfs", "lustre", "ncpfs", "nfs", "nfs3", "nfs4", "panfs", "smb", "smb2", "smb3", "smbfs",
            "wekafs")  # fmt: skip


def file_system(path: Path) -> str:
    """The kind of file system that a path lies on, or will once it is made, as the system calls it; "" if unknown."""
    found = path.absolute()
    while not found.exists() and found != found.parent:
        found = found.parent
    found = found.resolve()
    kinds = {Path(mount.mountpoint): mount.fstype for mount in psutil.disk_partitions(all=True)}
    return next((kinds[place] for place in (found, *found.parents) if place in kinds), "").lower()


def is_network(kind: str) -> bool:
    """Whether several machines may write to such a file system."""
    return kind in _NETWORK


@contextlib.contextmanager
def locked(file: Path) -> Iterator[bool]:
    """Inside, this process holds the lock of a file; False where the file system knows no locks."""
    lock = FileLock(file)
    try:
        lock.acquire()
    except (OSError, NotImplementedError):
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


@contextlib.contextmanager
def private_folder(base: Path) -> Iterator[Path]:
    """Inside, a new folder below `base` that belongs to this process. Those whose processes were killed are removed:
    each process holds the lock of its own, which the system gives back.
    """
    base.mkdir(parents=True, exist_ok=True)
    for file in base.glob("*.lock"):
        with contextlib.suppress(Timeout, OSError), FileLock(file, timeout=0):
            shutil.rmtree(file.with_suffix(""), ignore_errors=True)
            file.unlink(missing_ok=True)
    folder = base / secrets.token_hex(8)
    lock = folder.with_suffix(".lock")
    with locked(lock):
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)
