"""A better best case: the best setting of one method against the best settings of others."""

from dataclasses import dataclass

from sweeps.rules.base import Rule, among, best, label, medians, metric, number, register, unit
from sweeps.rules.evidence import Contrast
from sweeps.scores import ScoreTable


@register("better-best")
@dataclass(frozen=True, kw_only=True)
class BetterBest(Rule):
    """`method` at its best setting scores above each of `others` at theirs.

    Per seed: the best of the runs with that seed, one per setting, as in a paper's table of best settings. The best
    of several noisy runs is flattered: most where several settings are about equally good and seeds scatter, hardly
    where one setting stands out. So this compares what tuning over these settings finds, not what settings are worth.
    """

    method: str
    others: tuple[str, ...]

    @property
    def methods(self) -> tuple[str, ...]:
        """The method and the others."""
        return (self.method, *self.others)

    def contrasts(self, table: ScoreTable) -> tuple[Contrast, ...]:
        """One contrast per other method."""
        return tuple(self._contrast(table, other) for other in self.others)

    def _contrast(self, table: ScoreTable, other: str) -> Contrast:
        ours, theirs = (best(table.pick(name, self.settings)) for name in (self.method, other))
        found = {name: number(medians(table, name, self.settings)[0]) for name in (self.method, other)}
        return Contrast(
            label=f"best setting, {label(self.method)} minus {label(other)}",
            unit=unit(table),
            per_seed=ours - theirs,
            reading=f"{metric(table)} in the best setting{among(self.settings)} {found[self.method]} for "
            f"{label(self.method)}, {found[other]} for {label(other)}",
        )
