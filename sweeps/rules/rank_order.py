"""The order of methods at their best settings, compared with a published table."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from sngan.fields import require
from sngan.metrics.protocols import short_name
from sweeps.rules.base import Rule, best, label, medians, metric, number, register
from sweeps.rules.evidence import Contrast
from sweeps.scores import ScoreTable
from sweeps.statistics import FloatArray


@register("rank-order")
@dataclass(frozen=True, kw_only=True)
class RankOrder(Rule):
    """The order of the methods `ranked`, each at its best setting, resembles that of their `published` numbers.

    Ranks are compared, not values, so another length of training or protocol does no harm. Per seed:
    Kendall's rank correlation with the published order over the pairs of methods which that order separates,
    that is all but those closer than the fraction `tie` of their value; a tie here counts neither way. 1: the
    same order, 0: unrelated, -1: reversed. Supported above `threshold` (1/3: two of three pairs stand as
    published), contradicted below 0. In between the order is neither reproduced nor refuted; seed noise pulls
    the correlation of close methods towards 0, and must not count as a refutation.

    published_protocol : the protocol of the published numbers, by its short name, "" where none describes it;
    published_measured : how they were measured then, in plain words.
    """

    ranked: tuple[str, ...]
    published: tuple[float, ...]
    published_protocol: str
    published_measured: str = ""
    tie: float = 0.0
    threshold: float = 1 / 3

    def __post_init__(self) -> None:
        """Refuse numbers that do not match the methods. Raises InputError."""
        allowed = f"one number per method, at least 3, not {len(self.ranked)} methods"
        require(len(self.published) == len(self.ranked) >= 3, "published", self.published, allowed)
        told = bool(self.published_protocol) != bool(self.published_measured)
        require(told, "published_measured", self.published_measured, "words in place of published_protocol, not both")
        require(0 <= self.threshold < 1, "threshold of rule rank-order", self.threshold, "from 0 to below 1")

    @property
    def methods(self) -> tuple[str, ...]:
        """All that are ranked."""
        return self.ranked

    def remarks(self, table: ScoreTable) -> tuple[str, ...]:
        """Also whether the published numbers themselves may stand beside ours."""
        said = super().remarks(table)
        ours = short_name(table.protocol)
        if ours == self.published_protocol:
            return said
        theirs = self.published_protocol or f"measured on {self.published_measured}"
        return (*said, f"Only the orders are compared: the published numbers are {theirs}, ours {ours}.")

    def contrasts(self, table: ScoreTable) -> tuple[Contrast, ...]:
        """The one correlation."""
        scores = np.stack([best(table.pick(name, self.settings)) for name in self.ranked])
        pairs = self._pairs(table.lower_is_better)
        return (
            Contrast(
                label=f"rank correlation of {len(self.ranked)} best cases with the published order",
                unit=f"Kendall's tau: 1 the same order, 0 unrelated, -1 reversed; supported above {self.threshold:.2g}",
                per_seed=self._correlation(scores, pairs),
                reading=f"the order by best {metric(table)} is {self._ranking(table)}",
                support_above=self.threshold,
                contradict_below=0.0,
                resolution=2 / len(pairs),
            ),
        )

    def _pairs(self, lower_is_better: bool) -> list[tuple[int, int]]:
        """Pairs (better, worse) of positions in `ranked`, by the published numbers."""
        found = []
        for first, second in combinations(range(len(self.ranked)), 2):
            a, b = self.published[first], self.published[second]
            if abs(a - b) > self.tie * max(abs(a), abs(b)):
                found.append((first, second) if (a < b) == lower_is_better else (second, first))
        require(bool(found), "published", self.published, "numbers of which at least two differ")
        return found

    @staticmethod
    def _correlation(scores: FloatArray, pairs: list[tuple[int, int]]) -> FloatArray:
        """[methods, K] -> [K]: concordant minus discordant pairs, divided by all pairs; NaN where one is
        missing.
        """
        better, worse = (scores[list(side)] for side in zip(*pairs, strict=True))
        return np.asarray(np.sign(better - worse).mean(axis=0))

    def _ranking(self, table: ScoreTable) -> str:
        found = {name: float(medians(table, name, self.settings)[0]) for name in self.ranked}
        order = sorted(found, key=lambda name: found[name], reverse=not table.lower_is_better)
        return ", ".join(f"{label(name)} {number(found[name])}" for name in order)
