"""A family of variants, of which the best one counts: a hyperparameter that is tuned."""

from dataclasses import dataclass

import numpy as np

from sngan.fields import require
from sweeps.rules.base import Rule, label, medians, metric, number, register, unit
from sweeps.rules.evidence import Contrast
from sweeps.scores import ScoreTable
from sweeps.statistics import FloatArray


@register("best-variant")
@dataclass(frozen=True, kw_only=True)
class BestVariant(Rule):
    """The best of `variants` scores above each of `others`, both as means over the settings.

    family : how the variants are called together. Per seed: the variant that is best on the *other* seeds, with its
    score on this one. The best of many noisy runs on the seeds that chose it would be flattered by the choice, and
    the more variants the more; chosen elsewhere it is not. With one seed there is no elsewhere, and no verdict.
    """

    variants: tuple[str, ...]
    others: tuple[str, ...]
    family: str

    def __post_init__(self) -> None:
        """Need something to choose from. Raises InputError."""
        require(len(self.variants) >= 2, "variants of rule best-variant", self.variants, "two or more")

    @property
    def methods(self) -> tuple[str, ...]:
        """The variants and the others."""
        return tuple(dict.fromkeys((*self.variants, *self.others)))

    def contrasts(self, table: ScoreTable) -> tuple[Contrast, ...]:
        """One contrast per other method."""
        scores = np.stack([table.pick(name, self.settings).mean(axis=0) for name in self.variants])
        ours = chosen_elsewhere(scores)
        return tuple(self._contrast(table, ours, other) for other in self.others)

    def _contrast(self, table: ScoreTable, ours: FloatArray, other: str) -> Contrast:
        values = [float(np.median(medians(table, name, self.settings))) for name in (*self.variants, other)]
        best = int(np.argmin(values[:-1]) if table.lower_is_better else np.argmax(values[:-1]))
        return Contrast(
            label=f"best {self.family}, chosen on the other seeds, minus {label(other)}",
            unit=unit(table),
            per_seed=ours - table.pick(other, self.settings).mean(axis=0),
            reading=f"{metric(table)} {number(values[best])} for {label(self.variants[best])}, the best {self.family}, "
            f"{number(values[-1])} for {label(other)}",
        )


def chosen_elsewhere(scores: FloatArray) -> FloatArray:
    """[V, K] -> [K]: at each seed the score of the variant that has the highest mean over all other seeds.

    NaN where a variant has no run with that seed. A variant without any other run cannot be chosen.
    """
    num_seeds = scores.shape[1]
    if num_seeds == 1:
        return np.asarray(scores.max(axis=0))
    found = np.full(num_seeds, np.nan)
    for seed in range(num_seeds):
        others = np.delete(scores, seed, axis=1)
        counts = (~np.isnan(others)).sum(axis=1)
        means = np.where(counts > 0, np.nansum(others, axis=1) / np.maximum(counts, 1), -np.inf)
        if not np.isnan(scores[:, seed]).any():
            found[seed] = scores[int(np.argmax(means)), seed]
    return found
