"""Bootstrap intervals over training seeds (Agarwal et al. 2021, arXiv:2108.13264) of the statistics of
sweeps.statistics, in NumPy and nothing else.
"""

from collections.abc import Sequence

import numpy as np

from sweeps.statistics import (
    LEVEL,
    Estimate,
    FloatArray,
    IntArray,
    Interval,
    PairStatistic,
    Statistic,
    num_runs,
    num_seeds,
)

# Largest number of elements that one chunk of bootstrap replicates may hold: 16 MB, friendly to caches.
_CHUNK = 2**21
# With more runs than 50,000 replicates of 100, there are fewer replicates, but never fewer than these.
_MOST_DRAWS, _FEWEST_REPLICATES = 5 * 10**6, 500


def stratified_bootstrap(
    scores: FloatArray, statistic: Statistic, *, num_replicates: int, stream: np.random.Generator
) -> Interval | None:
    """The percentile 95 % interval of `statistic` over training seeds, or None with fewer than two of them.

    Within every setting (stratum) as many seeds as there are, are drawn anew with replacement: settings are a
    fixed list, chosen by the paper, seeds are a sample from all seeds. Measuring noise is not resampled.
    `scores` is [S, K] or [..., S, K]; with leading axes (methods) all of them get the *same* seeds, because
    methods share the data order and latents of a seed, and a seed that is missing in one is left out in all.

    With 2 to 5 seeds the percentile interval is too narrow (two seeds can only mix two values; it then covers
    the truth far less often than 95 %): good enough to show how runs scatter, not to decide. Verdicts use a t
    interval over seeds instead (`sweeps.rules.evidence`).
    """
    lead = tuple(range(scores.ndim - 2))
    present = ~np.isnan(scores).any(axis=lead)
    counts = present.sum(axis=-1)
    fewest = int(counts.min(initial=scores.shape[-1]))
    if fewest < 2:
        return None
    packed = np.take_along_axis(
        scores, np.broadcast_to(np.argsort(~present, axis=-1, kind="stable"), scores.shape), axis=-1
    )
    chunk = max(1, _CHUNK // scores.size)
    sizes = [min(chunk, num_replicates - done) for done in range(0, num_replicates, chunk)]
    values = np.concatenate([statistic(_resampled(packed, counts, size, stream)) for size in sizes])
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return Interval(low=np.asarray(low), high=np.asarray(high), num_seeds=fewest)


def affordable_replicates(wanted: int, runs: int) -> int:
    """How many replicates of so many runs are drawn where `wanted` are: all up to 5 million draws, at least 500.

    With B replicates the ends of a 95 % interval err by about 2.7 / sqrt(B) standard errors of the statistic: 0.012 of
    them with 50,000 and 0.12, a thirtieth of the interval's length, with 500, while the standard errors themselves
    shrink with the number of runs.
    """
    return min(wanted, max(_MOST_DRAWS // max(runs, 1), _FEWEST_REPLICATES))


def estimate(
    scores: FloatArray, statistic: Statistic, *, stream: np.random.Generator, num_replicates: int = 50_000
) -> Estimate:
    """A statistic of one method's scores [S, K] with its bootstrap interval (see stratified_bootstrap)."""
    (found,) = estimates(scores, (statistic,), stream=stream, num_replicates=num_replicates)
    return found


def estimates(
    scores: FloatArray,
    statistics: Sequence[Statistic],
    *,
    stream: np.random.Generator,
    num_replicates: int = 50_000,
) -> tuple[Estimate, ...]:
    """Several statistics as `estimate` gives each, with the same replicates, which are drawn once."""

    def of_each(runs: FloatArray) -> FloatArray:
        return np.stack([statistic(runs) for statistic in statistics], axis=-1)

    number = affordable_replicates(num_replicates, scores.size)
    interval = stratified_bootstrap(scores, of_each, num_replicates=number, stream=stream)
    return tuple(
        _estimate(
            float(value),
            None
            if interval is None
            else Interval(low=interval.low[i], high=interval.high[i], num_seeds=interval.num_seeds),
            scores,
        )
        for i, value in enumerate(of_each(scores))
    )


def estimate_pair(
    first: FloatArray,
    second: FloatArray,
    statistic: PairStatistic,
    *,
    stream: np.random.Generator,
    num_replicates: int = 2_000,
) -> Estimate:
    """A statistic of two methods' scores, both [S, K] with the same seeds, with its paired bootstrap interval.

    Only cells that both methods have are used, in the value and in the interval, and both get the same
    resampled seeds: what a seed does to both alike cancels. The counts are pairs.
    """
    missing = np.isnan(first) | np.isnan(second)
    both = np.where(missing, np.nan, np.stack([first, second]))

    def of_both(pair: FloatArray) -> FloatArray:
        return statistic(pair[..., 0, :, :], pair[..., 1, :, :])

    number = affordable_replicates(num_replicates, both.size)
    interval = stratified_bootstrap(both, of_both, num_replicates=number, stream=stream)
    return _estimate(float(of_both(both)), interval, both[0])


def _estimate(value: float, interval: Interval | None, runs: FloatArray) -> Estimate:
    return Estimate(
        value=value,
        low=None if interval is None else float(interval.low),
        high=None if interval is None else float(interval.high),
        num_seeds=num_seeds(runs),
        num_runs=num_runs(runs),
        num_missing=runs.size - num_runs(runs),
    )


def _resampled(packed: FloatArray, counts: IntArray, size: int, stream: np.random.Generator) -> FloatArray:
    """`size` replicates [size, ..., S, K]: in setting s, counts[s] draws among its first counts[s] seeds, then NaN."""
    settings, seeds = packed.shape[-2:]
    drawn = (stream.random((size, settings, seeds)) * counts[:, None]).astype(np.intp)
    drawn += np.arange(settings)[:, None] * seeds
    flat = packed.reshape(*packed.shape[:-2], settings * seeds)
    replicates = np.moveaxis(np.take(flat, drawn, axis=-1), -3, 0)
    if int(counts.min()) < seeds:
        replicates = np.where(np.arange(seeds) < counts[:, None], replicates, np.nan)
    return replicates
