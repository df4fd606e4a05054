"""Checkpoints and image grids in an object store, or in a folder that is not OUT, by pyarrow's file systems.

Credentials never stand in a URL: they come from where the store's own tools have them, AWS_ACCESS_KEY_ID and
AWS_SECRET_ACCESS_KEY, ~/.aws, Google's application default, Azure's.
"""

import dataclasses
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from pathlib import Path, PurePath
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from sngan.checkpoints import checkpoint_path
from sngan.errors import InputError, unknown
from sngan.results import RunOptions
from sweeps.patience import patiently
from sweeps.provenance import holds_credential

T = TypeVar("T")
SCHEMES = ("s3", "gs", "abfs", "abfss", "hdfs", "file")
_EXAMPLES = "s3://BUCKET/FOLDER, gs://BUCKET/FOLDER, file:///FOLDER, /FOLDER"
_ADVICE = "Check its name, endpoint (AWS_ENDPOINT_URL) and credentials (AWS_ACCESS_KEY_ID and its secret, or ~/.aws)."
_WHOLE_ON_CLOSE = ("s3", "gcs", "abfs")  # nobody sees an object before it is closed
_GOOGLE_RETRIES_S = 15  # Google's library tries again for 15 minutes by itself
_REQUEST = re.compile(r"\s*\(Request ID: .*?\)")
_LONGEST_REASON = 300


class StorageError(Exception):
    """A store that does not do what it is asked: an ordinary failure, after which a trial is tried again."""


def check_url(url: str) -> None:
    """Raise InputError for what names no storage, and for a URL with a credential, which is not repeated."""
    if holds_credential(url) or (url.startswith("s3://") and "@" in urlsplit(url).netloc):
        raise InputError(
            "--storage holds a credential, which others could read.\n"
            "Put it into the environment of all machines (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) or into ~/.aws."
        )
    scheme, separator, rest = url.partition("://")
    if not separator:
        if not Path(url).is_absolute():
            raise InputError(f"storage {url!r} is neither a URL nor an absolute path.\nExamples: {_EXAMPLES}.")
    elif scheme not in SCHEMES:
        raise unknown("kind of storage", scheme, SCHEMES)
    elif (scheme != "file" and not urlsplit(url).netloc) or not rest.strip("/"):
        raise InputError(f"storage {url!r} names no place.\nExamples: {_EXAMPLES}.")


class ObjectStorage:
    """A place for files, named by paths relative to it.

    patient : ask a store that does not answer again for a minute.
    Methods raise InputError for a URL that pyarrow cannot use, and StorageError for what the store refuses.
    """

    def __init__(self, url: str, *, patient: bool = True) -> None:
        check_url(url)
        self.url = url
        self._patient = patient

    def place(self, relative: PurePath | str) -> str:
        """The file as messages name it."""
        base, _, _ = self.url.partition("?")
        return f"{base.rstrip('/')}/{PurePath(relative).as_posix()}"

    def put(self, folder: Path, relative: Path) -> None:
        """Store a file of a folder: whole, or not at all."""
        self._try(partial(self._write, folder / relative, relative))

    def get(self, folder: Path, relative: Path) -> bool:
        """Fetch a file into a folder: whole, or not at all. False where the storage has none."""
        data = self._try(partial(self._read, relative))
        if not data:  # Azure shows an empty object while one is being written for the first time
            return False
        path = folder / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        return True

    def check(self) -> None:
        """Write a small object, read it back and remove it. Raises InputError with what the store says."""
        path = Path(f".sngan-check-{secrets.token_hex(8)}")
        try:
            with tempfile.NamedTemporaryFile() as file:
                file.write(data := secrets.token_bytes(32))
                file.flush()
                self._write(Path(file.name), path)
            same = self._read(path) == data
            with suppress(OSError):  # nothing else is ever removed: a store that keeps everything will do
                self._files.delete_file(self._path(path))
        except StorageError as error:
            raise InputError(f"{error}\n{_ADVICE}") from error
        if not same:
            raise InputError(f"storage {self.url} gives back other bytes than were written.")

    def _try(self, function: Callable[[], T]) -> T:
        return patiently(function, StorageError) if self._patient else function()

    def _path(self, relative: Path) -> str:
        return f"{self._opened[1].rstrip('/')}/{relative.as_posix()}"

    @property
    def _files(self) -> Any:
        return self._opened[0]

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        """The file system, and the path of the storage in it."""
        from pyarrow import fs  # half a second, which only a storage needs

        if "://" not in self.url:
            return fs.LocalFileSystem(), self.url
        try:
            files, path = fs.FileSystem.from_uri(_completed(self.url))
        except ValueError as error:  # pyarrow's own
            raise InputError(f"storage {self.url}: {_reason(error)}.\nExamples: {_EXAMPLES}.") from None
        return files, str(path)

    def _write(self, source: Path, relative: Path) -> None:
        from pyarrow import fs

        with self._explained():
            path = written = self._path(relative)
            if self._files.type_name not in _WHOLE_ON_CLOSE:
                self._files.create_dir(path.rpartition("/")[0], recursive=True)
                written = f"{path}.{secrets.token_hex(4)}.tmp"
            # In one call: a stop between the opening of a stream and its end would leave a part of the file.
            fs.copy_files(
                str(source),
                written,
                source_filesystem=fs.LocalFileSystem(),
                destination_filesystem=self._files,
                use_threads=False,
            )
            if written != path:
                if self._files.type_name == "hdfs":  # which replaces nothing
                    with suppress(FileNotFoundError):
                        self._files.delete_file(path)
                self._files.move(written, path)

    def _read(self, relative: Path) -> bytes:
        with self._explained():
            try:
                with self._files.open_input_file(self._path(relative)) as stream:
                    return bytes(stream.read())
            except FileNotFoundError:
                return b""

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(f"storage {self.url}: {_reason(error)}.") from None


def _completed(url: str) -> str:
    """The URL with what keeps pyarrow from asking Amazon, or for a quarter of an hour."""
    scheme, given = urlsplit(url).scheme, dict(parse_qsl(urlsplit(url).query))
    more = ""
    if scheme == "s3":
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        if "endpoint_override" in given or "AWS_ENDPOINT_URL" in os.environ or "AWS_ENDPOINT_URL_S3" in os.environ:
            # A machine outside Amazon's network would wait for its service of credentials, 8 to 70 s each time.
            os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
        elif region and "region" not in given:
            more = f"region={region}"  # else the bucket is looked for all over Amazon
    elif scheme == "gs" and "retry_limit_seconds" not in given:
        more = f"retry_limit_seconds={_GOOGLE_RETRIES_S}"
    return url + (("&" if "?" in url else "?") + more if more else "")


def _reason(error: Exception) -> str:
    """What a store said, in one line."""
    text = " ".join(_REQUEST.sub("", str(error)).split()).rstrip(". ")
    return text if len(text) <= _LONGEST_REASON else f"{text[: _LONGEST_REASON - 1]}…"


class LocalFolder:
    """Where trials of one process find and keep their files: a private folder of this machine that stands for the
    storage, or OUT, where there is no storage.

    private : a folder that whoever made it removes.
    """

    def __init__(self, storage: str | None, private: Path) -> None:
        self._storage = None if storage is None else ObjectStorage(storage)
        self._folder = private / "results"

    @contextmanager
    def options(self, options: RunOptions, digests: Sequence[str]) -> Iterator[RunOptions]:
        """Inside, these trials' options: their checkpoints have been fetched, and every file they write is sent."""
        if self._storage is None:
            yield options
            return
        try:
            for digest in digests:
                self._storage.get(self._folder, checkpoint_path(Path(), digest))
            yield dataclasses.replace(
                options, storage_dir=self._folder, on_write=partial(self._storage.put, self._folder)
            )
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def told(self, text: str) -> str:
        """A message in which files are named by their places in the storage."""
        if self._storage is None:
            return text
        return re.sub(re.escape(f"{self._folder}/") + r"([\w./-]*\w)", lambda m: self._storage_place(m[1]), text)

    def _storage_place(self, relative: str) -> str:
        assert self._storage is not None, "there are no private files without a storage"
        return self._storage.place(relative)
