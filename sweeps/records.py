"""What the store holds of one study and preset, read when it is first asked for and once only."""

from dataclasses import dataclass, field
from functools import cached_property

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
    _tables: dict[tuple[str, Kind], ScoreTable] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def key(self) -> tuple[str, str]:
        """What the store's methods take."""
        return self.study.name, self.preset.name

    @cached_property
    def trials(self) -> pd.DataFrame:
        """A row per trial."""
        return self.store.trials(*self.key)

    @cached_property
    def evaluations(self) -> pd.DataFrame:
        """A row per score, with what judging and figures look at."""
        return self.store.evaluations(*self.key, columns=_LOOKED_AT)

    @cached_property
    def diagnostics(self) -> pd.DataFrame:
        """A row per diagnostic value."""
        return self.store.diagnostics(*self.key)

    @cached_property
    def spectra(self) -> pd.DataFrame:
        """A row per spectrum."""
        return self.store.spectra(*self.key)

    @cached_property
    def samples(self) -> pd.DataFrame:
        """A row per sample grid."""
        return self.store.samples(*self.key)

    def scores(self, protocol: str, kind: Kind = "final") -> ScoreTable:
        """The scores of all trials under a protocol (short name); see sweeps.scores.score_table."""
        if (protocol, kind) not in self._tables:
            self._tables[protocol, kind] = score_table(self.evaluations, self.trials, protocol, kind)
        return self._tables[protocol, kind]
