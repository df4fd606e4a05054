"""A method that degenerates at some settings."""

from dataclasses import dataclass

import numpy as np

from sngan.fields import require
from sweeps.rules.base import Rule, label, medians, metric, number, register, unit
from sweeps.rules.evidence import Contrast
from sweeps.scores import ScoreTable
from sweeps.transforms import worsened


@register("fails-at")
@dataclass(frozen=True, kw_only=True)
class FailsAt(Rule):
    """At each of the settings `at`, `method` is more than `factor` times as bad as it is itself at `unlike`.

    Per seed: its mean bounded score at `unlike`, turned into the score of a run with `factor` times the FID
    (or with IS - 1 divided by it), minus its score at the setting. Bounded scores let diverged runs take
    part, as the worst. The papers give no number; 2 stands for "fails" because no tuning of a working method
    doubles its FID.
    """

    method: str
    at: tuple[str, ...]
    unlike: tuple[str, ...]
    factor: float = 2.0

    def __post_init__(self) -> None:
        """Need all settings of both kinds. Raises InputError for a factor below 1 or no setting."""
        require(self.factor >= 1, "factor of rule fails-at", self.factor, "1 or more")
        require(bool(self.at and self.unlike), "settings of rule fails-at", (self.at, self.unlike), "at least one")
        object.__setattr__(self, "settings", tuple(dict.fromkeys((*self.at, *self.unlike))))

    @property
    def methods(self) -> tuple[str, ...]:
        """The one method."""
        return (self.method,)

    def contrasts(self, table: ScoreTable) -> tuple[Contrast, ...]:
        """One contrast per setting in `at`."""
        return tuple(self._contrast(table, setting) for setting in self.at)

    def _contrast(self, table: ScoreTable, setting: str) -> Contrast:
        usual = worsened(table.pick(self.method, self.unlike).mean(axis=0), self.factor)
        here = number(float(medians(table, self.method, (setting,))[0]))
        name, elsewhere = label(self.method), ", ".join(self.unlike)
        typical = number(float(np.median(medians(table, self.method, self.unlike))))
        return Contrast(
            label=f"{name} at {elsewhere} made {self.factor:g} times as bad, minus {name} at {setting}",
            unit=unit(table),
            per_seed=usual - table.pick(self.method, [setting])[0],
            reading=f"{name} has {metric(table)} {here} at {setting}, {typical} at {elsewhere}",
        )
