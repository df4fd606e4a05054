"""The part of a grid of settings in which a method works."""

from dataclasses import dataclass

import numpy as np

from sngan.fields import require
from sweeps.rules.base import Rule, label, register
from sweeps.rules.evidence import Contrast
from sweeps.scores import ScoreTable
from sweeps.statistics import FloatArray


@register("larger-region")
@dataclass(frozen=True, kw_only=True)
class LargerRegion(Rule):
    """`method` works at more of the settings than each of `others`, which are a grid that nobody has tuned for one.

    It works where its score is above `level`: 1/2 is an FID of 10 times the floor, which belongs to the protocol and
    not to the methods that are compared. Per seed: the share of the settings.
    """

    method: str
    others: tuple[str, ...]
    level: float = 0.5

    def __post_init__(self) -> None:
        """Refuse a level that all or none reach. Raises InputError."""
        require(0 < self.level < 1, "level of rule larger-region", self.level, "between 0 and 1")

    @property
    def methods(self) -> tuple[str, ...]:
        """The method and the others."""
        return (self.method, *self.others)

    def contrasts(self, table: ScoreTable) -> tuple[Contrast, ...]:
        """One contrast per other method."""
        return tuple(self._contrast(table, other) for other in self.others)

    def _contrast(self, table: ScoreTable, other: str) -> Contrast:
        ours, theirs = (working_share(table.pick(name, self.settings), self.level) for name in (self.method, other))
        return Contrast(
            label=f"share of the settings where it works, {label(self.method)} minus {label(other)}",
            unit="share of the settings",
            per_seed=ours - theirs,
            reading=f"{label(self.method)} works at {_percent(ours)} of the settings, {label(other)} at "
            f"{_percent(theirs)}",
            resolution=1 / len(self.settings),
        )


def working_share(scores: FloatArray, level: float) -> FloatArray:
    """[S, K] -> [K]: at which part of the settings the score is above `level`; NaN for a seed with a missing run."""
    return np.where(np.isnan(scores).any(axis=0), np.nan, (scores > level).mean(axis=0))


def _percent(shares: FloatArray) -> str:
    return "no share" if np.isnan(shares).all() else f"{100 * float(np.nanmean(shares)):.0f} %"
