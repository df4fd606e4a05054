"""Official files of data sets: fetched, and known by their md5. The one door to torchvision."""

import hashlib
import http.client
import socket
import ssl
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sngan.datasets.array_file import writing_to
from sngan.errors import InputError, one_line

_NETWORK = (
    urllib.error.URLError,
    http.client.HTTPException,
    ssl.SSLError,
    ConnectionError,
    TimeoutError,
)


def check_md5(path: Path, dataset: str, official: str) -> None:
    """Raise InputError unless the file at `path` can be read and has the official md5."""
    digest = hashlib.md5(usedforsecurity=False)
    try:
        with path.open("rb") as file:
            while data := file.read(2**22):
                digest.update(data)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}.") from None
    if digest.hexdigest() != official:
        raise wrong_md5(path, dataset, digest.hexdigest(), official)


def wrong_md5(where: object, dataset: str, found: str, official: str) -> InputError:
    """The error for a file that is not the official one."""
    return InputError(
        f"{where} is not {dataset}'s official file: its md5 is {found}, the official one {official}.\n"
        "It is damaged, incomplete or of another data set; fetch it again."
    )


def download(folder: Path, url: str, md5: str, *, hint: str, unpack: bool) -> None:
    """Fetch a file into `folder` by torchvision, with its progress bar, and check it; an archive may be unpacked.

    hint : what a user without internet can do. Raises InputError without internet, for a wrong file, and on a
    full disk.
    """
    from torchvision.datasets.utils import download_and_extract_archive, download_url  # the import takes a second

    try:
        with writing_to(folder), _network_errors(url, hint), _timeout(30):
            fetch = download_and_extract_archive if unpack else download_url
            fetch(url, str(folder), md5=md5)
    except RuntimeError as error:  # torchvision's word for a wrong md5
        raise InputError(f"cannot download {url}: {one_line(error)}\n{hint}") from None


@contextmanager
def _network_errors(url: str, hint: str) -> Iterator[None]:
    """URLError and timeouts are OSErrors too, but say nothing about the disk."""
    try:
        yield
    except _NETWORK as error:
        reason = getattr(error, "reason", None) or error
        raise InputError(f"cannot download {url}: {reason}.\n{hint}") from None


@contextmanager
def _timeout(seconds: float) -> Iterator[None]:
    """Torchvision sets none, and a network that swallows packets would hold it for minutes."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
