"""Methods after tuning: the best that a search finds, with the number of configurations that it tries."""

from dataclasses import dataclass

import numpy as np

from sngan.errors import unknown
from sngan.fields import require
from sweeps.budgets import budget_curve
from sweeps.rules.base import Rule, label, metric, number, register, unit
from sweeps.rules.evidence import Contrast
from sweeps.scores import ScoreTable
from sweeps.spaces import SAMPLERS, places_in
from sweeps.statistics import FloatArray
from sweeps.transforms import worsened


@register("tuned")
@dataclass(frozen=True, kw_only=True)
class Tuned(Rule):
    """`method`, tuned, scores above each of `others`, tuned, made `ratio` times as bad.

    sampler : the search that tunes both. tries, others_tries : configurations that the method, and each other, may try;
    0 for the whole budget. ratio : 1 asks for a better method, more for one that is not much worse.

    Per seed, which is a repetition of the whole search: with 0, the mean score of the best configuration *trained
    again* with other seeds, because the score that chose it is flattered by the choice, and by the more the more were
    tried. With a number, the best score among so many tries, flattered on both sides alike where the numbers are alike:
    its mean over all choices of so many for random search, the first so many for a sampler that learns. A seed whose
    search is not complete is left out.
    """

    method: str
    others: tuple[str, ...]
    sampler: str = "random"
    tries: int = 0
    others_tries: int = 0
    ratio: float = 1.0
    settings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no search answers. Raises InputError."""
        if self.sampler not in SAMPLERS:
            raise unknown("sampler", self.sampler, SAMPLERS)
        require(bool(self.others), "others of rule tuned", self.others, "at least one method")
        require(self.ratio >= 1, "ratio of rule tuned", self.ratio, "1 or more")
        for tries in (self.tries, self.others_tries):
            require(tries >= 0, "tries of rule tuned", tries, "0 for the whole budget, or a number of configurations")

    @property
    def methods(self) -> tuple[str, ...]:
        """The method and the others."""
        return (self.method, *self.others)

    def contrasts(self, table: ScoreTable) -> tuple[Contrast, ...]:
        """One contrast per other method."""
        return tuple(self._contrast(table, other) for other in self.others)

    def _contrast(self, table: ScoreTable, other: str) -> Contrast:
        ours = self._found(table, self.method, self.tries)
        theirs = self._found(table, other, self.others_tries)
        worse = "" if self.ratio == 1 else f" made {self.ratio:g} times as bad"
        return Contrast(
            label=f"{self._told(self.method, self.tries)}, minus {self._told(other, self.others_tries)}{worse}",
            unit=unit(table),
            per_seed=ours - worsened(theirs, self.ratio),
            reading=f"{metric(table)} {_typical(table, ours)} for {self._told(self.method, self.tries)}, "
            f"{_typical(table, theirs)} for {self._told(other, self.others_tries)}",
        )

    def _told(self, method: str, tries: int) -> str:
        how = f"after {tries} tries of" if tries else "tuned by"
        return f"{label(method)} {how} {SAMPLERS[self.sampler]}"

    def _found(self, table: ScoreTable, method: str, tries: int) -> FloatArray:
        """The score at every seed, [K]; NaN where the search is not complete or has fewer tries."""
        wanted = places_in(table.settings, self.sampler, best=tries == 0)
        if len(wanted) < max(1, tries):
            return np.full(len(table.seeds), np.nan)
        scores = table.pick(method, wanted)
        if tries == 0:
            return np.asarray(scores.mean(axis=0))
        return budget_curve(scores.T, ordered=self.sampler != "random")[:, tries - 1]


def _typical(table: ScoreTable, scores: FloatArray) -> str:
    """The median over seeds, in the metric's units."""
    known = scores[~np.isnan(scores)]
    return number(float(table.transform.value(np.asarray(np.median(known))))) if len(known) else "unknown"
