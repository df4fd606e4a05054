"""What the app shows: snapshots of studies, read from the store in the background and shared by all readers."""

import contextlib
import json
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from dashboards.figures import StudyFrames
from sngan.errors import InputError, one_line
from sweeps.board import STATES, Board
from sweeps.claims import Verdict
from sweeps.commands.options import place_words
from sweeps.looks import Looks
from sweeps.plugins import PLUGIN_MARK, use_with_kept
from sweeps.provenance import hide_credentials
from sweeps.remaining import Remaining, remaining
from sweeps.store import NoResultsError, ResultStore, open_store
from sweeps.study import STUDIES, Preset, Study
from sweeps.variation import launched

_log = logging.getLogger(__name__)

Key = tuple[str, str]
_PAUSE_S = 2.0
_WORK_TO_PAUSE = 10  # looking for news takes at most this part of the time: trials may run on the same cores
_WATCHED_S = 30.0  # how long a study is watched after somebody last looked at it


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the app reads. out : the folder of results, which sample grids lie in. mlflow : URI, or "" for none."""

    out: Path
    database: str
    mlflow: str = ""

    @property
    def options(self) -> list[str]:
        """What commands are told of this place, without a password."""
        return place_words(self.out, self.database)


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A study at a preset: name and label, its question, when it was launched last, number of trials per state."""

    study: str
    preset: str
    question: str
    launched: str
    counts: Mapping[str, int]

    @property
    def key(self) -> Key:
        """Study and preset."""
        return self.study, self.preset

    @property
    def name(self) -> str:
        """As addresses and menus name it: "robustness-quick"."""
        return f"{self.study}-{self.preset}"


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A study at one moment. version : changes with any result. read_at : when it was read. at_work : the launches,
    in words, that ran its trials.
    """

    version: str
    read_at: datetime
    frames: StudyFrames
    values: Mapping[str, float]
    verdicts: tuple[Verdict, ...]
    looks: Looks | None
    provenance: Mapping[str, Any]
    at_work: tuple[str, ...]
    source: Source

    @property
    def store(self) -> ResultStore:
        """For questions about single trials."""
        return self.frames.records.store

    @cached_property
    def board(self) -> Board:
        """Its states and headline scores, as the terminal has them."""
        return Board.of_store(self.frames.trials, self.values, self.frames.preset.headline)

    @cached_property
    def remaining(self) -> Remaining:
        """What is left to do."""
        return remaining(self.frames.trials, self.store.expected_costs())


@dataclass(kw_only=True)
class _Watched:
    snapshot: Snapshot | None = None
    problem: str = ""
    asked_s: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Library:
    """The studies of one store. Any thread may ask; one of its own looks for news of what somebody reads."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._store: ResultStore | None = None
        self._opened: tuple[int, int] | None = None  # device and inode of SQLite's file
        self._opening = threading.Lock()
        self._listed: list[Listed] = []
        self._watched: dict[Key, _Watched] = {}
        threading.Thread(target=self._watch, name="library", daemon=True).start()

    def studies(self) -> tuple[list[Listed], str]:
        """What was launched into the store, and why that is not known anew, or ""; nothing while there is no store.

        Raises InputError for a store that cannot be read, and never could be.
        """
        try:
            self._listed = _listed(self._open().studies())
        except NoResultsError as error:
            return self._listed, str(error) if self._listed else ""
        except InputError as error:
            self._close()
            if not self._listed:
                raise
            return self._listed, str(error)
        return self._listed, ""

    def snapshot(self, key: Key) -> tuple[Snapshot, str]:
        """The newest snapshot of a study, and why there is no newer one, or "". The first one is read at once, and so
        is one that nobody has looked at for a while.

        Raises InputError where nothing could be read so far.
        """
        watched = self._watched.setdefault(key, _Watched())
        with watched.lock:
            forgotten = time.monotonic() - watched.asked_s > _WATCHED_S
            watched.asked_s = time.monotonic()
            if watched.snapshot is None:
                watched.snapshot = self._read(key)
            elif forgotten:
                self._refresh(key, watched)
            return watched.snapshot, watched.problem

    def state(self, key: Key) -> str:
        """What changes whenever a page would look different; asking means that somebody still reads."""
        watched = self._watched.get(key)
        if watched is None or watched.snapshot is None:
            return ""
        watched.asked_s = time.monotonic()
        return watched.snapshot.version + watched.problem

    def names(self) -> list[str]:
        """The studies that were found last, as menus name them."""
        return [each.name for each in self._listed]

    def _watch(self) -> None:
        while True:
            begun_s = time.monotonic()
            read = [(key, watched) for key, watched in list(self._watched.items())
                    if watched.snapshot is not None and begun_s - watched.asked_s < _WATCHED_S]  # fmt: skip
            for key, watched in read:
                self._refresh(key, watched)
            if read:
                with contextlib.suppress(Exception):  # what is wrong with a store is told with the snapshot
                    self.studies()
            time.sleep(max(_PAUSE_S, _WORK_TO_PAUSE * (time.monotonic() - begun_s)))

    def _refresh(self, key: Key, watched: _Watched) -> None:
        try:
            if self._version(self._open(), key) != (watched.snapshot and watched.snapshot.version):
                watched.snapshot = self._read(key)
            watched.problem = ""
        except InputError as error:
            watched.problem = str(error)
            self._close()
        except Exception as error:  # the thread outlives whatever happens to a store
            _log.exception("the store could not be read")
            watched.problem = one_line(error)

    def _read(self, key: Key) -> Snapshot:
        store = self._open()
        version = self._version(store, key)
        rows = store.studies()
        row = rows[(rows["study"] == key[0]) & (rows["preset"] == key[1])]
        if row.empty:
            raise InputError(f"{' '.join(key)} was never launched into {hide_credentials(self.source.database)}.")
        use_with_kept((), self.source.out, store.configs_with(*key, PLUGIN_MARK))
        study, preset = described(key, json.loads(row.iloc[0]["description"]))
        frames = StudyFrames.read(store, study, preset, self.source.out)
        # What pages need first, of one moment; the rest is read when a page asks for it.
        frames.trials, frames.evaluations  # noqa: B018
        return Snapshot(
            version=version,
            read_at=datetime.now(UTC),
            frames=frames,
            values=store.newest_values(*key, preset.headline),
            verdicts=tuple(store.verdicts(*key)),
            looks=store.looks(*key),
            provenance=json.loads(row.iloc[0]["provenance"]),
            at_work=tuple(store.at_work(*key)),
            source=self.source,
        )

    @staticmethod
    def _version(store: ResultStore, key: Key) -> str:
        verdicts = [(each.claim, each.verdict, each.effect) for each in store.verdicts(*key)]
        return f"{store.fingerprint(*key)} {verdicts} {store.at_work(*key)}"

    def _open(self) -> ResultStore:
        with self._opening:
            if self._store is not None and (file := self._store.file) is not None:
                if not file.exists():
                    self._store = None
                    raise NoResultsError(f"there is no database at {file} any more.")
                if _identity(file) != self._opened:  # deleted and made again
                    self._store = None
            if self._store is None:
                self._store = open_store(self.source.database, create=False)
                self._opened = None if self._store.file is None else _identity(self._store.file)
            return self._store

    def _close(self) -> None:
        """Open the store anew at the next question; readers of older snapshots may still need its connections."""
        with self._opening:
            self._store = None


def _identity(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_dev, found.st_ino


def _listed(rows: pd.DataFrame) -> list[Listed]:
    return [
        Listed(
            study=str(row["study"]),
            preset=str(row["preset"]),
            question=str(row["question"]),
            launched=max(json.loads(row["launches"]), default=""),
            counts={state: int(row[state]) for state in STATES},
        )
        for row in rows.to_dict("records")
    ]


def described(key: Key, description: Mapping[str, Any]) -> tuple[Study, Preset]:
    """The study and its preset as they were launched. Raises InputError where this version does not know them."""
    if key[0] not in STUDIES:
        raise InputError(f"this version of the program has no study {key[0]!r}; a newer one, or a plugin, launched it.")
    try:
        study = launched(STUDIES[key[0]], key[1], description)
    except KeyError as error:
        raise InputError(f"what the store keeps of {' '.join(key)} lacks {error}; another program wrote it.") from None
    return study, next(iter(study.presets.values()))
