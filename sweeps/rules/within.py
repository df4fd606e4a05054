"""Equivalence: two best cases that lie within a margin of each other."""

from dataclasses import dataclass

from sngan.fields import require
from sweeps.rules.base import Rule, best, label, medians, metric, number, register, unit
from sweeps.rules.evidence import Contrast
from sweeps.scores import ScoreTable
from sweeps.transforms import worsened


@register("within")
@dataclass(frozen=True, kw_only=True)
class Within(Rule):
    """`method` at its best setting is less than `ratio` times as bad as `reference` at its best; with
    `both_sides` the reference is less than `ratio` times as bad as the method, too.

    The two one-sided tests of an equivalence (TOST, Schuirmann 1987): an effect that is not found is no proof that
    there is none, so "as good as" has to exclude a difference that matters. Per seed and side: the score of the one,
    minus the other's score made `ratio` times as bad (its FID times `ratio`, or IS - 1 divided by it).

    Supported: both sides are above 0, so the difference is within the margin, each at the full level. Contradicted: one
    side is below 0, so the difference is beyond the margin; at half the level, because either side would do. Undecided:
    the interval reaches over an end of the margin; more seeds narrow it.
    """

    method: str
    reference: str
    ratio: float
    both_sides: bool = True

    def __post_init__(self) -> None:
        """Refuse a margin that nothing can lie within. Raises InputError."""
        require(self.ratio > 1, "ratio of rule within", self.ratio, "above 1")

    @property
    def methods(self) -> tuple[str, ...]:
        """The method and its reference."""
        return (self.method, self.reference)

    def contrasts(self, table: ScoreTable) -> tuple[Contrast, ...]:
        """One contrast per side."""
        sides = [(self.method, self.reference), (self.reference, self.method)]
        return tuple(self._contrast(table, *side) for side in (sides if self.both_sides else sides[:1]))

    def _contrast(self, table: ScoreTable, ours: str, theirs: str) -> Contrast:
        found = [number(medians(table, name, self.settings)[0]) for name in (self.method, self.reference)]
        limit = worsened(best(table.pick(theirs, self.settings)), self.ratio)
        return Contrast(
            label=f"best setting, {label(ours)} minus {label(theirs)} made {self.ratio:g} times as bad",
            unit=unit(table),
            per_seed=best(table.pick(ours, self.settings)) - limit,
            reading=f"{metric(table)} in the best setting {found[0]} for {label(self.method)}, "
            f"{found[1]} for {label(self.reference)}",
        )
