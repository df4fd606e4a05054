"""From contrasts to a decision: t tests over training seeds, all-of composition, seeds still needed.

A contrast is computed once per seed, from all runs with that seed: a seed is one replication of the whole
sweep. Methods share a seed's data order and latents, so what a seed does to all of them cancels within a
contrast, and settings that share a seed may depend on each other in any way. What is left is one number per
seed, independent from seed to seed, and its mean has a t test. That is what a person learns who repeats the sweep
with other seeds.

Within a claim, which says that all of its contrasts are positive:

- Supported: *every* contrast lies above its boundary. The claim's p value is the largest of theirs, without
  correction (an intersection-union test): the claim is wrongly supported only if a false contrast passes its own test.
- Contradicted: *any* contrast lies below its boundary. Each of them is a further chance of error, so the claim's
  p value is the smallest of theirs times their number (Bonferroni).

Over the claims of a study (sweeps.claims): Holm's procedure at ALPHA among all "supported", another at ALPHA among
all "contradicted". So in at most 2.5 % of studies any claim is wrongly supported, in at most 2.5 % any is wrongly
contradicted, and in at most 5 % any verdict is wrong. Where seeds are added until verdicts fall, sweeps.looks turns
each p value into one for all looks together, and the same rates hold for the whole procedure.

Why not the bootstrap: with n seeds it knows n values and its percentile interval is too narrow; with 3 seeds it covers
the truth in about three of four cases. Student's t is exact for normal contrasts at every n >= 2. A contrast of two
equal methods is symmetric whatever their scores are like, and for such ones t errs in at most 5.4 % of cases (simulated
with uniform, log-normal and two-ended scores, 3 to 8 seeds). What it cannot survive is a contrast that takes one of a
few values, as when runs either work or collapse: seeds agree by chance and the interval has no width. Where two equal
methods collapse like a coin, the one works and the other does not in one seed of four; all of n seeds say so with
probability 4^-n. So no p value from n seeds is below 4^-n. For one claim with one contrast three seeds are the least
that decide, for nine such claims five (`least_seeds`). A claim with c contrasts has no p value of "contradicted" below
c 4^-n: it takes more seeds to contradict than to support, and an undecided verdict says where it has too few.

What no test of a few seeds can see is a rare event. A method that gains 0.05 in most seeds and loses 0.5 in one
of ten, so that it gains nothing on average, is called better in 45, 56 and 42 % of sweeps with 3, 5 and 8 seeds
(simulated; tests/sweeps/test_claims.py): its collapse was not among them. So every verdict says how frequent a collapse
could be that its seeds all missed (`unseen_rate`).

Without planned looks the levels hold for a number of seeds that was chosen before anything was seen. Who adds seeds one
by one from 3 on and judges as if each number had been chosen gets a false verdict on a single claim in 10 % of cases by
5 seeds and in 17 % by 10, instead of 5 % (computed by sweeps.looks.crossing_chance).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, log
from typing import Literal

import numpy as np
from scipy.special import stdtr, stdtrit

from sweeps.looks import ONCE, Looks
from sweeps.statistics import LEVEL, FloatArray

VerdictName = Literal["supported", "contradicted", "undecided"]

# One-sided level of each of the two kinds of wrong verdict; 1 - 2 ALPHA is the level of a single claim's interval.
ALPHA = (1 - LEVEL) / 2
# seeds_needed is not extrapolated further; MAX_SEEDS + 1 means "more than MAX_SEEDS".
MAX_SEEDS = 100
# Standard normal quantile: extrapolated seeds decide in 80 % of repetitions, not in half of them.
_POWER = 0.8416
# Chance per seed that of two equal methods, which collapse like a coin, the one works and the other does not.
_COINS = 0.25


@dataclass(frozen=True, kw_only=True, eq=False)
class Contrast:
    """A number per seed that a claim says is positive.

    label : what it measures, such as "worst-setting score, SN minus WGAN-GP". unit : what 1 means. per_seed :
    [K], NaN for a seed of which a needed run is missing. reading : the same comparison in the metric's own
    units, for people. support_above, contradict_below : the boundaries; between them the claim is neither
    right nor wrong. against : the contrast that contradicts in place of this one; for a boundary that these very runs
    would have to tell, whose own scatter a fixed number would hide. resolution : step of a contrast that takes discrete
    values, else 0. bound : no value lies further from 0.
    """

    label: str
    unit: str
    per_seed: FloatArray
    reading: str
    support_above: float = 0.0
    contradict_below: float = 0.0
    against: "Contrast | None" = None
    resolution: float = 0.0
    bound: float = 1.0

    @property
    def contrary(self) -> "Contrast":
        """The contrast that contradicts where it lies below its `contradict_below`: this one or `against`."""
        return self if self.against is None else self.against

    @cached_property
    def num_seeds(self) -> int:
        """Seeds of which every needed run has a result."""
        return int(np.count_nonzero(~np.isnan(self.per_seed)))

    @cached_property
    def mean(self) -> float:
        """Mean over seeds, the effect. NaN without seeds."""
        return float(np.nanmean(self.per_seed)) if self.num_seeds else float("nan")

    @cached_property
    def deviation(self) -> float | None:
        """Standard deviation over seeds; None with one seed, or when continuous values agree exactly.

        A discrete contrast may well agree in all seeds; its values then stand for intervals of one step,
        which adds the variance of a uniform distribution at least.
        """
        if self.num_seeds < 2:
            return None
        found = max(float(np.nanstd(self.per_seed, ddof=1)), self.resolution / float(np.sqrt(12)))
        # Below rounding error equal values are equal: their scatter is unknown, not tiny.
        return found if found > 1e-12 else None

    def half_width(self, alpha: float = ALPHA, looks: Looks = ONCE) -> float | None:
        """Half the width of the t interval of the mean with coverage 1 - 2 `alpha`; None without a deviation.

        With planned looks it covers the mean at all of them together with that probability, and is wider for it.
        """
        if self.deviation is None:
            return None
        quantile = _quantile(looks.level(alpha, self.num_seeds), self.num_seeds)
        return float(quantile * self.deviation / np.sqrt(self.num_seeds))

    def p_above(self, looks: Looks = ONCE) -> float:
        """One-sided p value of the mean being above support_above; 1 without a deviation."""
        return self._p_value(self.mean - self.support_above, looks)

    def p_below(self, looks: Looks = ONCE) -> float:
        """One-sided p value of the contrary's mean being below its boundary; 1 without a deviation."""
        tested = self.contrary
        return tested._p_value(tested.contradict_below - tested.mean, looks)

    def _p_value(self, distance: float, looks: Looks) -> float:
        if self.deviation is None:
            return 1.0
        return float(p_values(np.array(distance / self.deviation), self.num_seeds, looks))


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """The contrasts of a claim (at least one), as they stand at one look."""

    contrasts: Sequence[Contrast]
    looks: Looks = ONCE

    @property
    def num_seeds(self) -> int:
        """Complete seeds behind the weakest contrast."""
        return min(contrast.num_seeds for contrast in self.contrasts)

    @cached_property
    def p_supported(self) -> float:
        """One-sided p value of the claim: all contrasts are positive."""
        return max(contrast.p_above(self.looks) for contrast in self.contrasts)

    @cached_property
    def p_contradicted(self) -> float:
        """One-sided p value of the contrary: some contrast is negative."""
        return min(1.0, len(self.contrasts) * min(contrast.p_below(self.looks) for contrast in self.contrasts))


@dataclass(frozen=True, kw_only=True, eq=False)
class Decision:
    """What contrasts together say.

    limiting : the contrast that decided, or stands in the way. half_width, level : of its interval, which excludes the
    boundary where the claim is decided; None without a deviation. num_holding : how many contrasts lie above their
    boundary. seeds_needed : seeds in all that would likely decide, None when decided or not foreseeable, and one more
    than the last that is considered (MAX_SEEDS, or the last look) where those would not do. least_for, least_against :
    the fewest seeds with which it could be supported, and contradicted, at the levels at which it was tested.
    """

    verdict: VerdictName
    limiting: Contrast
    half_width: float | None
    level: float
    num_holding: int
    num_contrasts: int
    num_seeds: int
    seeds_needed: int | None
    least_for: int
    least_against: int


def decide(evidence: Evidence, *, alpha: float = ALPHA, against: float = ALPHA) -> Decision:
    """The decision on a claim whose support is tested at level `alpha` and its contradiction at level `against`.

    Both are one-sided; among several claims they are those of a step in Holm's procedure.
    """
    contrasts, looks = evidence.contrasts, evidence.looks
    verdict: VerdictName = "undecided"
    if evidence.p_contradicted <= against:
        verdict = "contradicted"
    elif evidence.p_supported <= alpha:
        verdict = "supported"
    corrected = against / len(contrasts)
    failing = [c.contrary for c in contrasts if c.p_below(looks) <= corrected]
    limiting = min(failing if verdict == "contradicted" else contrasts, key=_strength)
    tested_at = corrected if verdict == "contradicted" else alpha
    return Decision(
        verdict=verdict,
        limiting=limiting,
        half_width=limiting.half_width(tested_at, looks),
        level=1 - 2 * tested_at,
        num_holding=sum(c.p_above(looks) <= alpha for c in contrasts),
        num_contrasts=len(contrasts),
        num_seeds=evidence.num_seeds,
        seeds_needed=_seeds_needed(evidence, alpha, corrected) if verdict == "undecided" else None,
        least_for=least_seeds(alpha),
        least_against=least_seeds(corrected),
    )


def p_values(effects: FloatArray, num_seeds: int, looks: Looks = ONCE) -> FloatArray:
    """One-sided p values of means that are `effects` standard deviations above their boundaries, over `num_seeds`."""
    tests = stdtr(num_seeds - 1.0, -effects * np.sqrt(num_seeds))
    return np.maximum(looks.p_value(tests, num_seeds), _COINS**num_seeds)


def least_seeds(alpha: float) -> int:
    """Fewest seeds that can pass a test at the one-sided level `alpha`, however clear they are."""
    return max(2, ceil(log(alpha) / log(_COINS)))


def unseen_rate(num_seeds: int, level: float = LEVEL) -> float:
    """Highest rate per seed at which an event is absent from all `num_seeds` (>= 1) with probability 1 - `level`."""
    return float(1 - (1 - level) ** (1 / num_seeds))


def _strength(contrast: Contrast) -> float:
    """How clearly a contrast is positive, in half widths where they are known: the lowest one limits the claim."""
    distance = contrast.mean - contrast.support_above
    half = contrast.half_width()
    return distance if half is None else distance / half


def _seeds_needed(evidence: Evidence, alpha: float, corrected: float) -> int | None:
    """Seeds in all at which the claim would likely be decided if effects and scatter stay as they are."""
    contrasts, looks = evidence.contrasts, evidence.looks
    if any(c.deviation is None or c.contrary.deviation is None for c in contrasts):
        return None
    if all(c.mean > c.support_above for c in contrasts):
        needed = max(_enough(c, c.mean - c.support_above, alpha, looks) for c in contrasts)
    else:
        wrong = [c for c in (c.contrary for c in contrasts) if c.mean < c.contradict_below]
        if not wrong:
            return None
        needed = min(_enough(c, c.contradict_below - c.mean, corrected, looks) for c in wrong)
    return min(max(needed, evidence.num_seeds + 1), _last_considered(looks) + 1)


def _enough(contrast: Contrast, distance: float, alpha: float, looks: Looks) -> int:
    """Fewest seeds at which a boundary at `distance` from the mean lies outside the interval, four times in five."""
    assert contrast.deviation is not None
    first, last = (2 if looks == ONCE else looks.first), _last_considered(looks)
    seeds = np.arange(max(first, least_seeds(alpha)), last + 1)
    levels = np.array([looks.level(alpha, int(n)) for n in seeds])
    reach = (_quantile(levels, seeds) + _POWER) * contrast.deviation / np.sqrt(seeds)
    found = np.flatnonzero(reach < distance)
    return int(seeds[found[0]]) if len(found) else last + 1


def _last_considered(looks: Looks) -> int:
    return MAX_SEEDS if looks == ONCE else looks.last


def _quantile(alpha: float | FloatArray, num_seeds: int | np.ndarray) -> FloatArray:
    """One-sided quantile of Student's t with num_seeds - 1 degrees of freedom."""
    return np.asarray(-stdtrit(np.asarray(num_seeds) - 1.0, alpha))
