"""Robustness to the optimizer: a smaller spread over settings, a better worst setting."""

from dataclasses import dataclass

import numpy as np

from sweeps.rules.base import Rule, among, label, medians, metric, number, register, spread, unit, worst
from sweeps.rules.evidence import Contrast
from sweeps.scores import ScoreTable
from sweeps.statistics import FloatArray


@register("robustness")
@dataclass(frozen=True, kw_only=True)
class Robustness(Rule):
    """`method` has a smaller spread over the settings than each of `smaller_spread_than`, and a better worst
    setting than each of `better_worst_setting_than`.

    Both per seed: spread is the best minus the worst bounded score of the six runs with that seed, worst the
    lowest. This is the spread that a person meets who trains once at every setting; seed noise widens it for
    all methods, and a method with more of it is less robust. A method that is bad at every setting has a
    small spread, which is why the worst setting is asked for beside it.
    """

    method: str
    smaller_spread_than: tuple[str, ...] = ()
    better_worst_setting_than: tuple[str, ...] = ()

    @property
    def methods(self) -> tuple[str, ...]:
        """The method and all that it is compared with."""
        return tuple(dict.fromkeys((self.method, *self.smaller_spread_than, *self.better_worst_setting_than)))

    def contrasts(self, table: ScoreTable) -> tuple[Contrast, ...]:
        """One contrast per comparison: spreads first, then worst settings."""
        return (
            *(self._spread(table, other) for other in self.smaller_spread_than),
            *(self._worst(table, other) for other in self.better_worst_setting_than),
        )

    def _spread(self, table: ScoreTable, other: str) -> Contrast:
        ours, theirs = (table.pick(name, self.settings) for name in (self.method, other))
        return Contrast(
            label=f"spread over settings, {label(other)} minus {label(self.method)}",
            unit=unit(table),
            per_seed=spread(theirs) - spread(ours),
            reading=f"{self._range(table, self.method, ours)}, {self._range(table, other, theirs)}",
        )

    def _worst(self, table: ScoreTable, other: str) -> Contrast:
        ours, theirs = (table.pick(name, self.settings) for name in (self.method, other))
        found = {name: number(medians(table, name, self.settings)[-1]) for name in (self.method, other)}
        return Contrast(
            label=f"worst setting, {label(self.method)} minus {label(other)}",
            unit=unit(table),
            per_seed=worst(ours) - worst(theirs),
            reading=f"{metric(table)} in the worst setting{among(self.settings)} {found[self.method]} for "
            f"{label(self.method)}, {found[other]} for {label(other)}",
        )

    def _range(self, table: ScoreTable, name: str, scores: FloatArray) -> str:
        """The spread that is compared, and the metric behind it, which has another scale and can seem to say the
        contrary.
        """
        spreads, found = spread(scores), medians(table, name, self.settings)
        known = spreads[np.isfinite(spreads)]
        told = f" spreads by {np.median(known):.2g} in score" if len(known) else ""
        return f"{label(name)}{told} ({metric(table)} {number(found[0])} to {number(found[-1])})"
