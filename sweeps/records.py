"""What the store holds of one study and preset, read when it is first asked for and once only."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import pandas as pd

from sweeps.scores import Kind, ScoreTable, score_table
from sweeps.store import ResultStore
from sweeps.study import Preset, Study

_LOOKED_AT = ("digest", "method", "setting", "seed", "update", "protocol", "value", "extractor", "floor")


@dataclass(frozen=True, kw_only=True)
class StudyRecords:
    """The store's frames for one study and preset, as ResultStore returns them, and the score tables made of them.

    For one look at a store that does not change meanwhile; a later look needs new records.
    """

    store: ResultStore
    study: Study
    preset: Preset
    _whole: "StudyRecords | None" = field(default=None, repr=False, compare=False)
    _kept: tuple[Collection[str], Collection[str], Collection[int]] = field(default=((), (), ()), repr=False)
    _tables: dict[tuple[str, Kind], ScoreTable] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def key(self) -> tuple[str, str]:
        """What the store's methods take."""
        return self.study.name, self.preset.name

    def part(self, methods: Collection[str], settings: Collection[str], seeds: Collection[int]) -> Self:
        """The records of these methods, settings and seeds alone; cut out of what was read, not read again."""
        return replace(self, _whole=self, _kept=(set(methods), set(settings), set(seeds)))

    @cached_property
    def trials(self) -> pd.DataFrame:
        """A row per trial."""
        return self.store.trials(*self.key) if self._whole is None else self._cut(self._whole.trials)

    @cached_property
    def evaluations(self) -> pd.DataFrame:
        """A row per score, with what judging and figures look at."""
        if self._whole is not None:
            return self._cut(self._whole.evaluations)
        return self.store.evaluations(*self.key, columns=_LOOKED_AT)

    @cached_property
    def diagnostics(self) -> pd.DataFrame:
        """A row per diagnostic value."""
        return self.store.diagnostics(*self.key) if self._whole is None else self._cut(self._whole.diagnostics)

    @cached_property
    def spectra(self) -> pd.DataFrame:
        """A row per spectrum."""
        return self.store.spectra(*self.key) if self._whole is None else self._cut(self._whole.spectra)

    @cached_property
    def samples(self) -> pd.DataFrame:
        """A row per sample grid."""
        return self.store.samples(*self.key) if self._whole is None else self._cut(self._whole.samples)

    def scores(self, protocol: str, kind: Kind = "final") -> ScoreTable:
        """The scores of all trials under a protocol (short name); see sweeps.scores.score_table."""
        if (protocol, kind) not in self._tables:
            self._tables[protocol, kind] = (
                score_table(self.evaluations, self.trials, protocol, kind)
                if self._whole is None
                else self._whole.scores(protocol, kind).part(*self._kept)
            )
        return self._tables[protocol, kind]

    def _cut(self, frame: pd.DataFrame) -> pd.DataFrame:
        methods, settings, seeds = self._kept
        kept = frame["method"].isin(methods) & frame["setting"].isin(settings) & frame["seed"].isin(seeds)
        return frame[kept].reset_index(drop=True)
