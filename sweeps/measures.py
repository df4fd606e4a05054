"""Measures: what a whole run was like, as a table that claims are judged on exactly like scores.

A measure of a diagnostic names it, the layers and the part of the run that count, and how the values become one number
per run; a measure of a course compares the last score of a run with earlier ones. Numbers of two measures are never
compared, as those of two protocols are not.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from sngan.registry import Registry
from sweeps.scores import ScoreTable, axes, laid_out, refuse_mixtures
from sweeps.statistics import FloatArray
from sweeps.transforms import Transform

Summary = Literal["geometric-mean", "median", "max", "high"]

_SUMMARIES: Mapping[Summary, Callable[[FloatArray], float]] = {
    "geometric-mean": lambda values: float(np.exp(np.log(values).mean())),
    "median": lambda values: float(np.median(values)),
    "max": lambda values: float(values.max()),
    "high": lambda values: float(np.quantile(values, 0.9)),
}


@dataclass(frozen=True, kw_only=True)
class Measure(ABC):
    """One number >= 0 per run.

    name : how claims ask for it. title : how verdicts and figures write it, with its unit. lower_is_better : the
    direction in which a method is better. half : the value that scores 1/2. start, end : the part of the run that
    counts, as shares of its updates, both included. in_diverged : "worst" counts a run that diverged as the worst;
    "measured" keeps what was measured before, for what divergence does not touch, such as time.
    """

    name: str
    title: str
    lower_is_better: bool
    half: float
    start: float = 0.0
    end: float = 1.0
    in_diverged: Literal["worst", "measured"] = "worst"

    @abstractmethod
    def values(self, records: pd.DataFrame, trials: pd.DataFrame) -> dict[str, float]:
        """One number per digest, from the store's frames; runs without a value are absent."""

    def _counting(self, records: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
        """The rows of the part of the run that counts."""
        # Without rows pandas would take digests for texts here.
        share = records["update"] / records["digest"].map(_updates(trials)).astype(float)
        return records[(share >= self.start) & (share <= self.end)]


@dataclass(frozen=True, kw_only=True)
class DiagnosticMeasure(Measure):
    """What a diagnostic's values have in common, from the frame of diagnostics.

    diagnostic : its name in the store; with `layers`, that of "layer1/DIAGNOSTIC" and so on. layers : those that
    count, first and last; a last of 0 is the last one that there is, -1 the one before it, and so on. summary : of all
    these values; "high" is the value that nine of ten stay below.
    """

    diagnostic: str
    layers: tuple[int, int] | None = None
    summary: Summary = "median"

    def values(self, records: pd.DataFrame, trials: pd.DataFrame) -> dict[str, float]:
        """See Measure. A value that was not finite makes its run's number the worst there is, infinity or 0."""
        # A trial that stands in two cells stands twice in the frame.
        records = records.drop_duplicates(["digest", "update", "name"])
        chosen = self._counting(records[self._names_of(records["name"])], trials)
        groups = chosen.groupby("digest")["value"]
        return {str(digest): self._summarized(values.to_numpy(dtype=float)) for digest, values in groups}

    def _names_of(self, names: pd.Series) -> "pd.Series[bool]":
        if self.layers is None:
            return names == self.diagnostic
        found = names.str.extract(r"^layer(?P<layer>\d+)/(?P<diagnostic>.+)$")
        numbers = found["layer"].astype(float)
        first, last = self.layers
        # Counted from the end among the layers of the network, whatever is known of them.
        end = float(last) if last > 0 else float(numbers.max()) + last
        return (found["diagnostic"] == self.diagnostic) & (numbers >= first) & (numbers <= end)

    def _summarized(self, values: FloatArray) -> float:
        if not np.isfinite(values).all():
            return np.inf if self.lower_is_better else 0.0
        with np.errstate(divide="ignore"):
            return _SUMMARIES[self.summary](values)


@dataclass(frozen=True, kw_only=True)
class CourseMeasure(Measure):
    """How many times as bad the last score of a run is as its best one in the part that counts, from the frame of
    evaluations under one protocol.

    metric : "fid", whose value is how bad a run is, or "is", for which that is 1 / (IS - 1), as in Transform.
    """

    metric: Literal["fid", "is"]

    def values(self, records: pd.DataFrame, trials: pd.DataFrame) -> dict[str, float]:
        """See Measure. A run without a last score has no number."""
        # A trial that stands in two cells stands twice in the frame.
        records = records.drop_duplicates(["digest", "update"])
        measured = records.assign(bad=self._badness(records["value"].to_numpy(dtype=float))).dropna(subset=["bad"])
        last = measured[measured["update"] == measured["digest"].map(_updates(trials))].set_index("digest")["bad"]
        best = self._counting(measured, trials).groupby("digest")["bad"].min()
        return {str(digest): float(last[digest] / best[digest]) for digest in last.index.intersection(best.index)}

    def _badness(self, values: FloatArray) -> FloatArray:
        if self.metric == "fid":
            return np.maximum(values, 1e-9)
        return 1 / np.maximum(values - 1, 1e-9)


def _updates(trials: pd.DataFrame) -> "pd.Series[int]":
    """The length of every trial, by digest."""
    return trials.drop_duplicates("digest").set_index("digest")["updates"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureTransform(Transform):
    """A measure in its own units -> a score in [0, 1], higher better: 1 / (1 + x / h), or 1 / (1 + h / x).

    The form of Transform, so that "r times as bad" means r times as large, or as small, for every h.
    """

    title: str
    lower_is_better: bool

    def __call__(self, values: FloatArray) -> FloatArray:
        """Scores of values >= 0 or NaN, of the same shape; NaN stays NaN."""
        with np.errstate(divide="ignore"):
            ratio = values / self.half if self.lower_is_better else self.half / values
        return np.asarray(1 / (1 + ratio))

    def value(self, scores: FloatArray) -> FloatArray:
        """The inverse; 0, diverged, is infinite where lower is better, else 0."""
        with np.errstate(divide="ignore"):
            odds = scores / (1 - scores)
            return np.asarray(self.half / odds if self.lower_is_better else self.half * odds)

    @property
    def text(self) -> str:
        """The formula with its numbers."""
        ratio = f"x / {self.half:g}" if self.lower_is_better else f"{self.half:g} / x"
        return f"1 / (1 + {ratio}), x = {self.title}, diverged = 0"


@dataclass(frozen=True, kw_only=True, eq=False)
class MeasureTable(ScoreTable):
    """One measure's numbers of a study. metric and protocol are its name, kind is "final", there is no floor."""

    measure: Measure

    @property
    def transform(self) -> Transform:
        """How values become scores."""
        measure = self.measure
        return MeasureTransform(
            metric=measure.name, half=measure.half, title=measure.title, lower_is_better=measure.lower_is_better
        )

    @property
    def title(self) -> str:
        """The measure as people write it."""
        return self.measure.title


MEASURES: Registry[Measure] = Registry("measure")


def measure_table(records: pd.DataFrame, trials: pd.DataFrame, name: str) -> MeasureTable:
    """The table of one measure, from the store's frames. As for scores, only complete runs count.

    records : what the kind of measure looks at: diagnostics, or evaluations under one protocol.

    Raises InputError for an unknown measure and for trials that must not be compared (sweeps.scores).
    """
    measure = MEASURES[name]
    refuse_mixtures(trials)
    methods, settings, seeds = axes(trials)
    numbers = measure.values(records, trials)
    values, diverged = laid_out(trials, numbers, diverged_is_worst=measure.in_diverged == "worst")
    return MeasureTable(
        methods=methods,
        settings=settings,
        seeds=seeds,
        values=values,
        diverged=diverged,
        protocol=measure.name,
        metric=measure.name,
        lower_is_better=measure.lower_is_better,
        kind="final",
        floor=None,
        dataset=str(trials["dataset"].iloc[0]) if len(trials) else "",
        measure=measure,
    )


for _measure in (
    DiagnosticMeasure(
        name="seconds-per-update",
        title="seconds per generator update",
        diagnostic="seconds_per_update",
        lower_is_better=True,
        half=0.1,
        in_diverged="measured",
    ),
    # The last layer is dense, with one singular value; the layers are those of the paper's text on Fig. 3.
    DiagnosticMeasure(
        name="entropy-rank",
        title="entropy rank of layers 1 to 5 after the last update (geometric mean)",
        diagnostic="entropy-rank",
        layers=(1, 5),
        start=1.0,
        summary="geometric-mean",
        lower_is_better=False,
        half=20.0,
    ),
    # Every network begins with vectors u drawn at random; what Fig. 9 shows begins when they have come somewhere. The
    # last layer is dense with one singular value, which a power iteration finds at once: its error is always 0.
    DiagnosticMeasure(
        name="sigma-error-usual",
        title="|sigma - 1|, below which nine of ten values lie, after the first tenth",
        diagnostic="sigma-error",
        layers=(1, -1),
        start=0.1,
        summary="high",
        lower_is_better=True,
        half=0.05,
    ),
    DiagnosticMeasure(
        name="sigma-error-late",
        title="largest |sigma - 1| of any layer in the second half",
        diagnostic="sigma-error",
        layers=(1, -1),
        start=0.5,
        summary="max",
        lower_is_better=True,
        half=0.1,
    ),
    DiagnosticMeasure(
        name="first-gradient",
        title="gradient by a layer's effective weight before the first update (geometric mean over layers)",
        diagnostic="gradient",
        layers=(1, 0),
        end=0.0,
        summary="geometric-mean",
        lower_is_better=False,
        half=0.1,
    ),
    DiagnosticMeasure(
        name="late-gradient",
        title="gradient by a layer's effective weight in the second half (geometric mean over layers)",
        diagnostic="gradient",
        layers=(1, 0),
        start=0.5,
        summary="geometric-mean",
        lower_is_better=False,
        half=0.1,
    ),
    DiagnosticMeasure(
        name="largest-gradient",
        title="largest gradient by any layer's effective weight",
        diagnostic="gradient",
        layers=(1, 0),
        summary="max",
        lower_is_better=True,
        half=1.0,
    ),
    DiagnosticMeasure(
        name="largest-variance",
        title="largest variance x fan-in of any layer's effective weight",
        diagnostic="variance",
        layers=(1, 0),
        start=0.01,
        summary="max",
        lower_is_better=True,
        half=1.0,
    ),
    CourseMeasure(
        name="late-loss",
        title="FID at the end, as a multiple of the run's best FID",
        metric="fid",
        lower_is_better=True,
        half=1.0,
    ),
    CourseMeasure(
        name="late-gain",
        title="1 / (IS - 1) at the end, as a multiple of its best value in the first quarter",
        metric="is",
        end=0.25,
        lower_is_better=True,
        half=1.0,
    ),
):
    MEASURES.add(_measure.name, _measure)
