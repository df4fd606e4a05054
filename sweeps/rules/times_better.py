"""Not only better, but by a factor."""

from dataclasses import dataclass, replace

import numpy as np

from sngan.fields import require
from sweeps.rules.base import Rule, label, medians, metric, number, register, unit
from sweeps.rules.evidence import Contrast
from sweeps.scores import ScoreTable
from sweeps.transforms import worsened


@register("times-better")
@dataclass(frozen=True, kw_only=True)
class TimesBetter(Rule):
    """`method` is more than `factor` times as good as each of `others`, over all of the settings.

    Per seed: the method's mean bounded score over the settings, minus what the other's would be if all its runs were
    `factor` times as good (its values divided by it, or multiplied where higher is better). "Much greater" has no
    number in the papers; 2 stands for it, as for "fails". Contradicted only when the method is worse than the other, by
    the plain difference of their mean scores: one that is smaller than claimed is no contradiction of its direction.
    """

    method: str
    others: tuple[str, ...]
    factor: float = 2.0

    def __post_init__(self) -> None:
        """Refuse a factor that is no improvement. Raises InputError."""
        require(self.factor >= 1, "factor of rule times-better", self.factor, "1 or more")

    @property
    def methods(self) -> tuple[str, ...]:
        """The method and the others."""
        return (self.method, *self.others)

    def contrasts(self, table: ScoreTable) -> tuple[Contrast, ...]:
        """One contrast per other method."""
        return tuple(self._contrast(table, other) for other in self.others)

    def _contrast(self, table: ScoreTable, other: str) -> Contrast:
        ours, theirs = (table.pick(name, self.settings) for name in (self.method, other))
        improved = worsened(theirs, 1 / self.factor)
        found = [number(float(np.median(medians(table, name, self.settings)))) for name in (self.method, other)]
        plain = Contrast(
            label=f"{label(self.method)} minus {label(other)}",
            unit=unit(table),
            per_seed=ours.mean(axis=0) - theirs.mean(axis=0),
            reading=f"{metric(table)} {found[0]} for {label(self.method)}, {found[1]} for {label(other)}",
        )
        return replace(
            plain,
            label=f"{plain.label} made {self.factor:g} times as good",
            per_seed=ours.mean(axis=0) - improved.mean(axis=0),
            against=plain,
        )
