"""From contrasts to a decision: t intervals over training seeds, all-of composition, seeds still needed.

A contrast is computed once per seed, from all runs with that seed: a seed is one replication of the whole
sweep. Methods share a seed's data order and latents, so what a seed does to all of them cancels within a
contrast, and settings that share a seed may depend on each other in any way. What is left is one number per
seed, independent from seed to seed, and its mean has a t interval. That is what a person learns who repeats
the sweep with other seeds.

Why not the bootstrap: with n seeds it knows n values and its percentile interval is too narrow; with 3 seeds it covers
the truth in about three of four cases. Student's t is exact for normal contrasts at every n >= 2. A contrast of two
equal methods is symmetric whatever their scores are like, and for such ones t errs in at most 5.4 % of cases (simulated
with uniform, log-normal and two-ended scores, 3 to 8 seeds). What it cannot survive is a contrast that takes one of a
few values, as when runs either work or collapse: two seeds agree by chance and the interval has no width. Hence no
verdict with fewer than MIN_SEEDS seeds.

What no interval from a few seeds can see is a rare event. A method that gains 0.05 in most seeds and loses 0.5 in one
of ten, so that it gains nothing on average, is called better in 45, 56 and 42 % of sweeps with 3, 5 and 8 seeds
(simulated; tests/sweeps/test_claims.py): its collapse was not among them. So every verdict says how frequent a collapse
could be that its seeds all missed (`unseen_rate`).

The levels hold for one claim and a number of seeds that was chosen before anything was seen. Who adds seeds one by
one from 3 on until a verdict falls gets a false one in 11 % of cases by 5 seeds and in 16 % by 10, instead of 5 %
(simulated with normal contrasts).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from scipy.special import stdtrit

from sweeps.statistics import LEVEL, FloatArray

VerdictName = Literal["supported", "contradicted", "undecided"]

# Two seeds that happen to agree look like certainty; three agree by chance in few enough cases.
MIN_SEEDS = 3
# seeds_needed is not extrapolated further; MAX_SEEDS + 1 means "more than MAX_SEEDS".
MAX_SEEDS = 100
# Standard normal quantile: extrapolated seeds decide in 80 % of repetitions, not in half of them.
_POWER = 0.8416


@dataclass(frozen=True, kw_only=True, eq=False)
class Contrast:
    """A number per seed that a claim says is positive.

    label : what it measures, such as "worst-setting score, SN minus WGAN-GP". unit : what 1 means. per_seed :
    [K], NaN for a seed of which a needed run is missing. reading : the same comparison in the metric's own
    units, for people. support_above, contradict_below : the boundaries; between them the claim is neither
    right nor wrong. resolution : step of a contrast that takes discrete values, else 0.
    """

    label: str
    unit: str
    per_seed: FloatArray
    reading: str
    support_above: float = 0.0
    contradict_below: float = 0.0
    resolution: float = 0.0

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

    def half_width(self, level: float = LEVEL) -> float | None:
        """Half the width of the t interval of the mean, or None where the deviation is unknown."""
        if self.deviation is None:
            return None
        return _quantile(self.num_seeds, level) * self.deviation / float(np.sqrt(self.num_seeds))


@dataclass(frozen=True, kw_only=True, eq=False)
class Decision:
    """What contrasts together say.

    limiting : the contrast that decided, or stands in the way. num_holding : how many have their 95 %
    interval above support_above. seeds_needed : seeds in all that would likely decide, MAX_SEEDS + 1 for more
    than MAX_SEEDS, None when decided or not foreseeable.
    """

    verdict: VerdictName
    limiting: Contrast
    num_holding: int
    num_contrasts: int
    num_seeds: int
    seeds_needed: int | None


def decide(contrasts: Sequence[Contrast]) -> Decision:
    """The decision on a claim that says all of `contrasts` (at least one) are positive.

    Supported: *every* 95 % interval lies above its boundary. This is an intersection-union test: the claim is wrongly
    supported only if a false contrast passes its own test, so its error stays at 2.5 % however many contrasts there
    are, without correction.

    Contradicted: *any* interval lies below its boundary. Here each further contrast is a further chance of error, so
    these intervals have level 1 - 0.05 / (number of contrasts) (Bonferroni), and several contrasts need one seed
    more: they share a method, and if that one's runs fail half of the time, all three do in one case of eight.
    """
    num_seeds = min(contrast.num_seeds for contrast in contrasts)
    to_contradict = MIN_SEEDS + (len(contrasts) > 1)
    corrected = 1 - (1 - LEVEL) / len(contrasts)
    holding = [c for c in contrasts if _above(c)]
    failing = [c for c in contrasts if _below(c, corrected)]
    verdict: VerdictName = "undecided"
    if num_seeds >= to_contradict and failing:
        verdict = "contradicted"
    elif num_seeds >= MIN_SEEDS and len(holding) == len(contrasts):
        verdict = "supported"
    return Decision(
        verdict=verdict,
        limiting=min(failing if verdict == "contradicted" else contrasts, key=_strength),
        num_holding=len(holding),
        num_contrasts=len(contrasts),
        num_seeds=num_seeds,
        seeds_needed=_seeds_needed(contrasts, num_seeds, corrected) if verdict == "undecided" else None,
    )


def unseen_rate(num_seeds: int, level: float = LEVEL) -> float:
    """Highest rate per seed at which an event is absent from all `num_seeds` (>= 1) with probability 1 - `level`."""
    return float(1 - (1 - level) ** (1 / num_seeds))


def _above(contrast: Contrast) -> bool:
    half = contrast.half_width()
    return half is not None and contrast.mean - half > contrast.support_above


def _below(contrast: Contrast, level: float) -> bool:
    half = contrast.half_width(level)
    return half is not None and contrast.mean + half < contrast.contradict_below


def _strength(contrast: Contrast) -> float:
    """How clearly a contrast is positive, in half widths where they are known: the lowest one limits the claim."""
    distance = contrast.mean - contrast.support_above
    half = contrast.half_width()
    return distance if half is None else distance / half


def _seeds_needed(contrasts: Sequence[Contrast], num_seeds: int, corrected: float) -> int | None:
    """Seeds in all at which the claim would likely be decided if effects and scatter stay as they are."""
    if any(contrast.deviation is None for contrast in contrasts):
        return None
    if all(c.mean > c.support_above for c in contrasts):
        needed = max(_enough(c, c.mean - c.support_above, LEVEL) for c in contrasts)
    else:
        wrong = [c for c in contrasts if c.mean < c.contradict_below]
        if not wrong:
            return None
        needed = min(_enough(c, c.contradict_below - c.mean, corrected) for c in wrong)
        needed = max(needed, MIN_SEEDS + (len(contrasts) > 1))
    return min(max(needed, num_seeds + 1), MAX_SEEDS + 1)


def _enough(contrast: Contrast, distance: float, level: float) -> int:
    """Fewest seeds at which a boundary at `distance` from the mean lies outside the interval, four times in five."""
    assert contrast.deviation is not None
    seeds = np.arange(MIN_SEEDS, MAX_SEEDS + 1)
    reach = (_quantile(seeds, level) + _POWER) * contrast.deviation / np.sqrt(seeds)
    found = np.flatnonzero(reach < distance)
    return int(seeds[found[0]]) if len(found) else MAX_SEEDS + 1


def _quantile(num_seeds: int | np.ndarray, level: float) -> float:
    """Two-sided quantile of Student's t with num_seeds - 1 degrees of freedom."""
    return stdtrit(np.asarray(num_seeds) - 1.0, 0.5 + level / 2)  # type: ignore[no-any-return]
