"""A bound that a method keeps by itself, without comparison."""

from dataclasses import dataclass

import numpy as np

from sngan.fields import require
from sweeps.rules.base import Rule, label, medians, metric, number, register, unit
from sweeps.rules.evidence import Contrast
from sweeps.scores import ScoreTable
from sweeps.statistics import FloatArray


@register("keeps-limit")
@dataclass(frozen=True, kw_only=True)
class KeepsLimit(Rule):
    """`method` is better than the number `limit`, in the metric's own units, at its worst setting.

    Per seed: the lowest bounded score over the settings, minus the score of a run that has exactly the limit.
    """

    method: str
    limit: float

    def __post_init__(self) -> None:
        """Refuse a limit that no value has. Raises InputError."""
        require(self.limit > 0, "limit of rule keeps-limit", self.limit, "above 0")

    @property
    def methods(self) -> tuple[str, ...]:
        """The one method."""
        return (self.method,)

    def contrasts(self, table: ScoreTable) -> tuple[Contrast, ...]:
        """The one distance to the limit."""
        at_limit: FloatArray = table.transform(np.array(self.limit))
        worst = table.pick(self.method, self.settings).min(axis=0)
        found = number(medians(table, self.method, self.settings)[-1])
        return (
            Contrast(
                label=f"worst setting, {label(self.method)} minus the limit {self.limit:g}",
                unit=unit(table),
                per_seed=worst - float(at_limit),
                reading=f"{metric(table)} {found} for {label(self.method)}, {self.limit:g} is the limit",
            ),
        )
