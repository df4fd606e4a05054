"""Statistics over training seeds and optimizer settings, in NumPy and nothing else.

Every statistic is a function of an array [..., S, K] (settings, seeds) and works on the last two axes, so
that a bootstrap can hand it all its replicates at once. Scores are higher-better and bounded
(`sweeps.scores`), with a diverged run at 0, the worst score. NaN means missing: it is left out, and
`num_runs`, `num_seeds` say what was used.

What varies is the training seed. The noise of measuring one trained model (the spread of ten Inception
Scores) is something else and never enters here. The definitions follow Agarwal et al. 2021, arXiv:2108.13264,
with a setting in the place of a task and a seed in that of a run.
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.intp]
Statistic = Callable[[FloatArray], FloatArray]
PairStatistic = Callable[[FloatArray, FloatArray], FloatArray]

LEVEL = 0.95
# Up to as many pairs of runs are compared one by one, all replicates at once.
_FEW_PAIRS = 2**10


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A statistic with the 95 % interval over training seeds.

    value : the statistic of all runs, NaN where it cannot be computed. low, high : ends of the interval; None
    where a setting has fewer than two seeds, since one run says nothing about the next. num_seeds : fewest
    seeds of any setting. num_runs, num_missing : runs used and left out.
    """

    value: float
    low: float | None
    high: float | None
    num_seeds: int
    num_runs: int
    num_missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """The ends of a percentile interval, each of the statistic's own shape, and the fewest seeds of any setting."""

    low: FloatArray
    high: FloatArray
    num_seeds: int


# --- How many runs stand behind a number ---


def num_runs(values: FloatArray) -> int:
    """Number of runs of an array [..., S, K] that are not missing."""
    return int(np.count_nonzero(~np.isnan(values)))


def num_seeds(values: FloatArray) -> int:
    """Fewest seeds of any setting of an array [S, K]: what the weakest part of a statistic rests on."""
    return int((~np.isnan(values)).sum(axis=-1).min(initial=values.shape[-1])) if values.size else 0


# --- Aggregates of one method: [..., S, K] -> [...] ---


def median(scores: FloatArray) -> FloatArray:
    """Median of all runs, pooled over settings and seeds: half of all runs are at least this good."""
    return _median_last(_pooled(scores))


def iqm(scores: FloatArray) -> FloatArray:
    """Interquartile mean: the mean of the middle half of all runs, pooled over settings and seeds.

    As a 25 % trimmed mean drops floor(n / 4) runs at each end. Nearly as robust as the median and about as
    precise as the mean with few runs.
    """
    pooled = np.sort(_pooled(scores), axis=-1)
    count = _count(pooled)
    lowest = count // 4
    position = np.arange(pooled.shape[-1])
    middle = (position >= lowest[..., None]) & (position < (count - lowest)[..., None])
    return _ratio(np.where(middle, pooled, 0.0).sum(axis=-1), count - 2 * lowest)


def mean(scores: FloatArray) -> FloatArray:
    """Mean of all runs, pooled over settings and seeds."""
    return _mean_last(_pooled(scores))


def median_of_means(scores: FloatArray) -> FloatArray:
    """Median over settings of the mean over seeds, the "median" of arXiv:2108.13264; NaN while a setting has no run."""
    return np.asarray(np.median(_mean_last(scores), axis=-1))


def optimality_gap(scores: FloatArray, target: float) -> FloatArray:
    """By how much runs fall short of `target` on average, in [0, target]; what is beyond it is worth nothing.

    `target` is a score in (0, 1], that of real images for example. A run beyond it does not make up for one below.
    """
    return target - _mean_last(np.minimum(_pooled(scores), target))


def setting_medians(values: FloatArray) -> FloatArray:
    """Median over the seeds of every setting, [..., S, K] -> [..., S]; NaN for a setting without runs.

    Infinite values are allowed: they stand for diverged runs in the metric's own units.
    """
    return _median_last(values)


def setting_quartiles(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The runs at a quarter and at three quarters of every setting's order, two arrays [..., S]; NaN without runs.

    Between two runs the outer one is taken, never a mixture: infinite values are allowed, and the quartiles of up to
    four runs are the lowest and the highest of them.
    """
    ordered, count = np.sort(values, axis=-1), _count(values)
    ends = (count - 1) // 4, count - 1 - (count - 1) // 4
    low, high = (_taken(ordered, np.maximum(end, 0)[..., None])[..., 0] for end in ends)
    return low, high


def worst_setting(scores: FloatArray) -> FloatArray:
    """Lowest of the settings' medians; NaN while a setting has no run, for that one might be the worst."""
    medians = setting_medians(scores)
    return np.asarray(medians.min(axis=-1))


def best_setting(scores: FloatArray) -> FloatArray:
    """Highest of the settings' medians: the best case, as in Table 2 of arXiv:1802.05957. NaN as in worst_setting."""
    medians = setting_medians(scores)
    return np.asarray(medians.max(axis=-1))


def spread_range(scores: FloatArray) -> FloatArray:
    """Best minus worst setting's median score, in [0, 1]: how much the choice of optimizer matters. NaN as above.

    On bounded scores, not on FID, because a diverged run has a score (0) and no FID. The bounded score is the
    logistic function of log FID, so that around its half point this is the range on the log axis of the
    paper's Fig. 2 up to a factor. A method that is bad everywhere has a small spread too: read it beside
    worst_setting.
    """
    medians = setting_medians(scores)
    return np.asarray(medians.max(axis=-1) - medians.min(axis=-1))


def performance_profile(scores: FloatArray, thresholds: FloatArray) -> FloatArray:
    """Fraction of all runs with score > threshold, [..., S, K] and [T] -> [..., T]; falls from at most 1 to 0."""
    pooled = _pooled(scores)
    # NaN sorts last, beyond every threshold: what is neither NaN nor at most the threshold is above it.
    above = _count(pooled)[..., None] - _numbers_at_most(np.sort(pooled, axis=-1), thresholds)
    return _ratio(above.astype(np.float64), _count(pooled)[..., None])


# --- Two methods: [..., S, K] and [..., S, L] -> [...] ---


def probability_of_improvement(first: FloatArray, second: FloatArray) -> FloatArray:
    """P(a run of `first` scores above a run of `second`), averaged over settings; ties count 1/2.

    In every setting the Mann-Whitney statistic divided by the number of pairs. Settings in which either has
    no run are left out; NaN when none remains.
    """
    pairs = _count(first) * _count(second)
    per_setting = _ratio(_wins(first, second), pairs)
    return _ratio(np.nansum(per_setting, axis=-1), _count(per_setting))


def _wins(first: FloatArray, second: FloatArray) -> FloatArray:
    """Pairs [...] of runs [..., K] and [..., L] in which the first one is higher, ties counted half."""
    if first.shape[-1] * second.shape[-1] <= _FEW_PAIRS:
        higher = (first[..., :, None] > second[..., None, :]).sum(axis=(-2, -1))
        equal = (first[..., :, None] == second[..., None, :]).sum(axis=(-2, -1))
        return np.asarray(higher + 0.5 * equal)
    # Places among the other's sorted runs: K log L steps instead of K L, which many seeds would not permit.
    ordered, known = np.sort(second, axis=-1), _count(second)
    wins = np.empty(known.shape)
    for index in np.ndindex(known.shape):
        # Sorted, too: neighbours are then looked up next to each other.
        runs, others = np.sort(first[index]), ordered[index][: known[index]]
        runs = runs[~np.isnan(runs)]
        wins[index] = (np.searchsorted(others, runs, "left") + np.searchsorted(others, runs, "right")).sum() / 2
    return wins


def difference(statistic: Statistic) -> PairStatistic:
    """The contrast "statistic of the first minus statistic of the second", for `estimate_pair`."""
    return lambda first, second: statistic(first) - statistic(second)


# --- Two kinds of numbers ---


def pareto_front(costs: FloatArray, values: FloatArray) -> BoolArray:
    """Which of the points [n] no other one beats: none is at most as costly and as low, and lower in one of the two.

    Points that are not finite (missing, diverged) are never on the front. Equal points are on it together.
    """
    finite = np.isfinite(costs) & np.isfinite(values)
    no_worse = (costs[None, :] <= costs[:, None]) & (values[None, :] <= values[:, None])
    better = (costs[None, :] < costs[:, None]) | (values[None, :] < values[:, None])
    return np.asarray(finite & ~(no_worse & better & finite[None, :]).any(axis=1))


# --- Divergence ---


def divergence_rate(diverged: BoolArray, missing: BoolArray) -> Estimate:
    """Fraction of the runs [S, K] that diverged, with Wilson's 95 % score interval, which is sound at 0 and at 1.

    Wilson's interval takes runs as independent draws with one rate. Settings with different rates make it too
    wide rather than too narrow; a seed that breaks several settings at once makes it too narrow. One seed
    gives an interval for the rate of these runs only, so there is none (None).
    """
    present = ~missing
    total, count = int(present.sum()), int((diverged & present).sum())
    seeds = int(present.sum(axis=-1).min(initial=present.shape[-1])) if present.size else 0
    low, high = wilson_interval(count, total) if seeds >= 2 else (None, None)
    return Estimate(
        value=count / total if total else float("nan"),
        low=low,
        high=high,
        num_seeds=seeds,
        num_runs=total,
        num_missing=int(missing.sum()),
    )


def wilson_interval(count: int, total: int, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's score interval for a proportion of `count` in `total` (>= 1), within [0, 1]."""
    z = NormalDist().inv_cdf(0.5 + level / 2)
    rate, shrink = count / total, 1 + z**2 / total
    center = (rate + z**2 / (2 * total)) / shrink
    half = z * np.sqrt(rate * (1 - rate) / total + z**2 / (4 * total**2)) / shrink
    return max(0.0, float(center - half)), min(1.0, float(center + half))


# --- NaN-aware pieces: NaN sorts last, so the first `count` entries are the runs ---


def _pooled(scores: FloatArray) -> FloatArray:
    return scores.reshape(*scores.shape[:-2], -1)


def _count(values: FloatArray) -> IntArray:
    return np.asarray((~np.isnan(values)).sum(axis=-1))


def _ratio(total: FloatArray, count: IntArray) -> FloatArray:
    """The ratio total / count, NaN where the count is 0."""
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _mean_last(values: FloatArray) -> FloatArray:
    return _ratio(np.where(np.isnan(values), 0.0, values).sum(axis=-1), _count(values))


def _median_last(values: FloatArray) -> FloatArray:
    """Median over the last axis without NaN; infinite values keep their place in the order."""
    ordered, count = np.sort(values, axis=-1), _count(values)
    middle = np.maximum(np.stack([(count - 1) // 2, count // 2], axis=-1), 0)
    return np.asarray(_taken(ordered, middle).mean(axis=-1))


def _numbers_at_most(ordered: FloatArray, thresholds: FloatArray) -> IntArray:
    """How many of the sorted entries [..., N] are at most each threshold [T], [..., T]; NaN is beyond all."""
    flat = ordered.reshape(-1, ordered.shape[-1])
    counts = [np.searchsorted(row, thresholds, "right") for row in flat]
    return np.asarray(counts, dtype=np.intp).reshape(*ordered.shape[:-1], len(thresholds))


def _taken(ordered: FloatArray, at: IntArray) -> FloatArray:
    """The entries at positions `at` of the last axis; the first of an empty slice is NaN, the statistic of nothing."""
    return np.take_along_axis(ordered, np.minimum(at, max(ordered.shape[-1] - 1, 0)), axis=-1)
