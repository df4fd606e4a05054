"""A method that is far worse than another, such as one that collapses."""

from dataclasses import dataclass

from sngan.fields import require
from sweeps.rules.base import Rule, best, label, medians, metric, number, register, unit
from sweeps.rules.evidence import Contrast
from sweeps.scores import ScoreTable
from sweeps.transforms import worsened


@register("worse-by")
@dataclass(frozen=True, kw_only=True)
class WorseBy(Rule):
    """`method` at its best setting is more than `ratio` times as bad as `reference` at its best.

    Per seed: the reference's score made `ratio` times as bad (its FID times `ratio`, or IS - 1 divided by it), minus
    the method's. A diverged run is worse than any.
    """

    method: str
    reference: str
    ratio: float

    def __post_init__(self) -> None:
        """Refuse a ratio that means nothing. Raises InputError."""
        require(self.ratio >= 1, "ratio of rule worse-by", self.ratio, "1 or more")

    @property
    def methods(self) -> tuple[str, ...]:
        """The method and its reference."""
        return (self.method, self.reference)

    def contrasts(self, table: ScoreTable) -> tuple[Contrast, ...]:
        """The one contrast."""
        limit = worsened(best(table.pick(self.reference, self.settings)), self.ratio)
        found = [number(medians(table, name, self.settings)[0]) for name in (self.method, self.reference)]
        return (
            Contrast(
                label=f"{label(self.reference)} made {self.ratio:g} times as bad, minus {label(self.method)}",
                unit=unit(table),
                per_seed=limit - best(table.pick(self.method, self.settings)),
                reading=f"{metric(table)} {found[0]} for {label(self.method)}, {found[1]} for {label(self.reference)}",
            ),
        )
