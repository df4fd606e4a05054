"""StudyFrames: everything that figures may look at, read from the store once."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from sngan.methods import METHODS, SETTINGS
from sngan.metrics.catalog import METRICS
from sngan.metrics.protocols import parse, short_name
from sweeps.records import StudyRecords
from sweeps.scores import Kind, ScoreTable
from sweeps.store import ResultStore
from sweeps.study import Preset, Study


@dataclass(frozen=True, kw_only=True)
class StudyFrames:
    """A study's records as figures look at them. storage_dir : the folder that sample paths are relative to."""

    records: StudyRecords
    storage_dir: Path

    @classmethod
    def read(cls, store: ResultStore, study: Study, preset: Preset, storage_dir: Path) -> Self:
        """What the store knows of a study at a preset; empty frames where it knows nothing."""
        return cls(records=StudyRecords(store=store, study=study, preset=preset), storage_dir=storage_dir)

    @property
    def study(self) -> Study:
        """The study."""
        return self.records.study

    @property
    def preset(self) -> Preset:
        """Its preset."""
        return self.records.preset

    @property
    def trials(self) -> pd.DataFrame:
        """A row per trial."""
        return self.records.trials

    @property
    def evaluations(self) -> pd.DataFrame:
        """A row per score."""
        return self.records.evaluations

    @property
    def diagnostics(self) -> pd.DataFrame:
        """A row per diagnostic value."""
        return self.records.diagnostics

    @property
    def spectra(self) -> pd.DataFrame:
        """A row per spectrum."""
        return self.records.spectra

    @property
    def samples(self) -> pd.DataFrame:
        """A row per sample grid."""
        return self.records.samples

    @property
    def name(self) -> str:
        """The study and its preset, as folders of reports are named: "robustness-quick"."""
        return f"{self.study.name}-{self.preset.name}"

    @cached_property
    def methods(self) -> tuple[str, ...]:
        """Methods that have trials, in the catalog's order."""
        return METHODS.ordered(self.trials["method"].unique())

    @cached_property
    def settings(self) -> tuple[str, ...]:
        """Settings that have trials, in the catalog's order."""
        return SETTINGS.ordered(self.trials["setting"].unique())

    @cached_property
    def num_seeds(self) -> int:
        """Number of seeds that have trials."""
        return int(self.trials["seed"].nunique())

    @cached_property
    def headline(self) -> ScoreTable:
        """The final scores under the preset's headline protocol."""
        return self.scores(self.preset.headline)

    @cached_property
    def each_once(self) -> ScoreTable:
        """The headline scores without settings that only repeat runs, such as a search's shared first round."""
        order = {name: position for position, name in enumerate(self.settings)}
        trials = self.trials.assign(order=self.trials["setting"].map(order)).sort_values("order", kind="stable")
        first = trials.drop_duplicates(["method", "seed", "digest"])
        return self.headline.of_settings(np.isin(self.headline.settings, first["setting"].unique()))

    @cached_property
    def headline_evaluations(self) -> pd.DataFrame:
        """The evaluations under the headline protocol, those of unfinished trials among them."""
        of_headline = self.evaluations["protocol"] == self.headline.protocol
        return self.evaluations.loc[of_headline, ["digest", "method", "setting", "seed", "update", "value"]]

    def scores(self, protocol: str, kind: Kind = "final") -> ScoreTable:
        """The scores of all trials under a protocol (short name), as an array over methods, settings, seeds."""
        return self.records.scores(protocol, kind)

    def scores_of(self, metric: str) -> ScoreTable | None:
        """The final scores under the first protocol with this metric, None without one; "" is the headline."""
        if not metric:
            return self.headline
        names = sorted({short_name(name) for name in self._names_of(metric)})
        return self.scores(names[0]) if names else None

    def _names_of(self, metric: str) -> list[str]:
        names = map(str, self.evaluations["protocol"].unique())
        return [name for name in names if parse(short_name(name)).metric == metric]


def records(frame: pd.DataFrame, *columns: str) -> Iterator[tuple[Any, ...]]:
    """The rows of some columns as tuples of plain values."""
    return zip(*(frame[column].tolist() for column in columns), strict=True)


def metric_label(metric: str) -> str:
    """How axes and tables write a metric."""
    return METRICS[metric].label


def has_results(table: ScoreTable | None) -> bool:
    """Whether any trial of the table has a result: a score, or that it diverged."""
    return table is not None and bool(np.isfinite(table.values).any() or table.diverged.any())


def shown_seeds(table: ScoreTable, at_most: int = 1_500) -> int:
    """How many seeds, the first ones, a figure draws run by run: all of them up to `at_most` runs."""
    cells = max(1, len(table.methods) * len(table.settings))
    return min(len(table.seeds), max(1, at_most // cells))


def sample_sentence(table: ScoreTable, shown: int) -> str:
    """What a figure says that draws the runs of the first seeds alone; "" where these are all."""
    if shown == len(table.seeds):
        return ""
    return f" Single runs are drawn for the first {shown} seeds; medians are over all {len(table.seeds)}."


def seeds_sentence(table: ScoreTable) -> str:
    """How many seeds stand behind the cells of a table, and what that permits to say."""
    counts = (~table.missing).sum(axis=-1)
    least, most, planned = int(counts.min()), int(counts.max()), len(table.seeds)
    if planned == 1:
        return "One seed: nothing is known yet about the spread between training runs."
    if least == planned:
        return f"{planned} seeds per method and setting."
    found = str(most) if least == most else f"{least} to {most}"
    return f"{found} of {planned} seeds per method and setting have a result so far."
