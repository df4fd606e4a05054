"""A hyperparameter along which some methods get worse and others do not."""

from dataclasses import dataclass

import numpy as np

from sngan.fields import require
from sngan.variants import varied_number
from sweeps.rules.base import Rule, label, medians, metric, number, register, unit
from sweeps.rules.evidence import Contrast
from sweeps.scores import ScoreTable
from sweeps.statistics import FloatArray
from sweeps.transforms import worsened


@register("trend")
@dataclass(frozen=True, kw_only=True)
class Trend(Rule):
    """Along the one number that `settings` vary in their names, the scores of each method in `falling` fall, and those
    of each in `holding` do not fall by more than a run loses that gets `ratio` times as bad (its FID times `ratio`, or
    IS - 1 divided by it).

    Per seed: the least-squares line of the score against the logarithm of the number; its change from the smallest to
    the largest number. That a trend is not found is no proof that there is none, so "does not fall" has to exclude a
    fall that matters, as for an equivalence.
    """

    falling: tuple[str, ...]
    holding: tuple[str, ...]
    ratio: float = 1.25

    def __post_init__(self) -> None:
        """Need a number, and two values of it. Raises InputError."""
        require(self.ratio > 1, "ratio of rule trend", self.ratio, "above 1")
        places = [varied_number(name) for name in self.settings]
        known = [place for place in places if place is not None and place[2] > 0]
        same = len({place[:2] for place in known}) == 1 and len(known) == len(places)
        require(same and len(known) >= 2, "settings of rule trend", self.settings, "one setting varied in one number")

    @property
    def methods(self) -> tuple[str, ...]:
        """Those that fall and those that hold."""
        return (*self.falling, *self.holding)

    @property
    def numbers(self) -> FloatArray:
        """The number of each setting, [S]."""
        places = [varied_number(name) for name in self.settings]
        return np.array([place[2] for place in places if place is not None])

    def contrasts(self, table: ScoreTable) -> tuple[Contrast, ...]:
        """One contrast per method."""
        falls = [self._contrast(table, name, "falls") for name in self.falling]
        return (*falls, *(self._contrast(table, name, "holds") for name in self.holding))

    def _contrast(self, table: ScoreTable, method: str, way: str) -> Contrast:
        scores, name = table.pick(method, self.settings), label(method)
        change = fitted_change(scores, self.numbers)
        allowed = (scores - worsened(scores, self.ratio)).mean(axis=0)
        low, high = (int(place) for place in (np.argmin(self.numbers), np.argmax(self.numbers)))
        ends = [f"{self._field} {self.numbers[end]:g}" for end in (low, high)]
        found = [number(float(medians(table, method, (self.settings[end],))[0])) for end in (low, high)]
        label_of = {
            "falls": f"fall of {name} from {ends[0]} to {ends[1]}",
            "holds": f"rise of {name} from {ends[0]} to {ends[1]}, plus the loss of a run {self.ratio:g} times as bad",
        }
        return Contrast(
            label=label_of[way],
            unit=unit(table),
            per_seed=-change if way == "falls" else change + allowed,
            reading=f"{name} has {metric(table)} {found[0]} at {ends[0]}, {found[1]} at {ends[1]}",
            bound=np.inf,  # a line that is fitted to scores from 0 to 1 may rise by more than 1
        )

    @property
    def _field(self) -> str:
        place = varied_number(self.settings[0])
        assert place is not None
        return place[1]


def fitted_change(scores: FloatArray, numbers: FloatArray) -> FloatArray:
    """[S, K] scores at `numbers` [S] > 0 -> [K]: what the least-squares line against log(number) rises over the range.

    NaN for a seed with a missing run.
    """
    x = np.log(numbers) - np.log(numbers).mean()
    slope = (x[:, None] * scores).sum(axis=0) / (x**2).sum()
    return np.asarray(slope * (x.max() - x.min()))
