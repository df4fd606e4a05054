"""On what kind of file system a path lies."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psutil
from filelock import FileLock

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
