"""Which methods' ranks differ by more than chance: Friedman's test, and Wilcoxon's on all pairs with Holm's correction.

The comparison of Demsar 2006 ("Statistical comparisons of classifiers over multiple data sets", JMLR 7), with a block
(one setting with one seed) in the place of a data set. In every block the methods are ranked by score, 1 the best;
runs that diverged share the last ranks. Pairs are compared by Wilcoxon's signed-rank test rather than by their mean
ranks, because whether two mean ranks differ depends on which other methods took part (Benavoli et al. 2016, JMLR 17).

Blocks count as independent, which is more than verdicts assume: a verdict takes one number per seed
(`sweeps.rules.evidence`). Among 8 equal methods (6 settings, 5 seeds, 800 simulated sweeps) some pair is called
different in 3.6 % of sweeps. Where a seed is lucky for a method at all settings alike, half as strongly as runs
scatter, it is 34 %. And the settings are those of the study: nothing follows for others.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.special import chdtrc, ndtr
from scipy.stats import rankdata

from sweeps.multiplicity import adjusted_p_values
from sweeps.rules.evidence import ALPHA, least_seeds
from sweeps.scores import ScoreTable
from sweeps.statistics import LEVEL, FloatArray

_MOST_EXACT = 300  # blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class PairTest:
    """Two methods' scores over blocks: `p_value` of Wilcoxon's test by itself, `adjusted` by Holm among all pairs."""

    first: str
    second: str
    p_value: float
    adjusted: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RankComparison:
    """The ranks of methods over the blocks in which all of them have a result.

    methods : best mean rank first. mean_ranks : theirs, 1 to the number of methods. num_blocks, num_seeds : complete
    blocks, and the seeds among them. friedman, p_value : Friedman's chi-square with the correction for ties, and the
    probability of one as large among equal methods. pairs : every pair once; empty with fewer than three seeds, which
    decide nothing. groups : the largest sets of at least two methods, no two of which differ at level 5 %.
    """

    methods: tuple[str, ...]
    mean_ranks: tuple[float, ...]
    num_blocks: int
    num_seeds: int
    friedman: float
    p_value: float
    pairs: tuple[PairTest, ...]
    groups: tuple[tuple[str, ...], ...]


def compare_ranks(table: ScoreTable) -> RankComparison | None:
    """The comparison of all methods that have any run; None with fewer than three of them or without a common block."""
    present = [m for m in range(len(table.methods)) if not table.missing[m].all()]
    scores = table.scores[present]
    complete = ~np.isnan(scores).any(axis=0)
    if len(present) < 3 or not complete.any():
        return None
    blocks, num_seeds = scores[:, complete], int(complete.any(axis=0).sum())
    ranks = block_ranks(blocks)
    order = np.argsort(ranks.mean(axis=1), kind="stable")
    methods = tuple(table.methods[present[position]] for position in order)
    statistic, p_value = friedman(ranks)
    pairs = _pairs(methods, blocks[order]) if num_seeds >= least_seeds(ALPHA) else ()
    return RankComparison(
        methods=methods,
        mean_ranks=tuple(map(float, ranks.mean(axis=1)[order])),
        num_blocks=blocks.shape[1],
        num_seeds=num_seeds,
        friedman=statistic,
        p_value=p_value,
        pairs=pairs,
        groups=_groups(methods, pairs) if pairs else (),
    )


def block_ranks(blocks: FloatArray) -> FloatArray:
    """Ranks of scores [M, B] within every block, 1 the best; equal scores share the mean of their ranks."""
    return np.asarray(rankdata(-blocks, axis=0), dtype=np.float64)


def friedman(ranks: FloatArray) -> tuple[float, float]:
    """Friedman's chi-square of ranks [M, B], corrected for ties, and its p value; 0 and 1 where everything ties."""
    num_methods, num_blocks = ranks.shape
    middle = (num_methods + 1) / 2
    spread = float(((ranks - middle) ** 2).sum())
    if spread == 0:
        return 0.0, 1.0
    between = num_blocks**2 * float(((ranks.mean(axis=1) - middle) ** 2).sum())
    statistic = (num_methods - 1) * between / spread
    return statistic, float(chdtrc(num_methods - 1, statistic))


def wilcoxon(differences: FloatArray) -> float:
    """Two-sided p value of Wilcoxon's signed-rank test that differences [B] are symmetric about 0.

    Exact up to 300 blocks, with ties too: the probability, over all signs of these very ranks, of a sum at least as far
    from its middle. Beyond, where the exact one would take time with the cube of the blocks, from the normal
    distribution with the variance of these very ranks. A difference of 0 takes part in the ranking and counts half for
    each side.
    """
    # Twice the ranks are whole numbers, ties or not.
    doubled = np.rint(2 * rankdata(np.abs(differences))).astype(np.intp)
    signed = doubled[differences != 0]
    positive, total = int(doubled[differences > 0].sum()), int(signed.sum())
    distance_of_ours = abs(2 * positive - total)
    if len(signed) > _MOST_EXACT:
        # A sum of independent signs times ranks; sums lie 2 apart in these units, hence the correction by 1.
        deviation = float(np.sqrt(np.square(signed, dtype=np.float64).sum()))
        return min(1.0, 2 * float(ndtr(-max(distance_of_ours - 1, 0) / deviation)))
    chances = np.zeros(total + 1)
    chances[0] = 1.0
    for rank in signed:
        chances[rank:] = (chances[rank:] + chances[:-rank]) / 2
        chances[:rank] /= 2
    distance = np.abs(2 * np.arange(total + 1) - total)
    return min(1.0, float(chances[distance >= distance_of_ours].sum()))


def _pairs(methods: tuple[str, ...], blocks: FloatArray) -> tuple[PairTest, ...]:
    found = list(combinations(range(len(methods)), 2))
    p_values = [wilcoxon(blocks[i] - blocks[j]) for i, j in found]
    return tuple(
        PairTest(first=methods[i], second=methods[j], p_value=p, adjusted=adjusted)
        for (i, j), p, adjusted in zip(found, p_values, adjusted_p_values(p_values), strict=True)
    )


def _groups(methods: tuple[str, ...], pairs: tuple[PairTest, ...]) -> tuple[tuple[str, ...], ...]:
    """Maximal cliques of the graph of pairs that do not differ, the one with the best method first."""
    alike: dict[str, set[str]] = {name: set() for name in methods}
    for pair in pairs:
        if pair.adjusted >= 1 - LEVEL:
            alike[pair.first].add(pair.second)
            alike[pair.second].add(pair.first)
    place = {name: position for position, name in enumerate(methods)}
    cliques = _cliques(set(), set(methods), set(), alike)
    ordered = (tuple(sorted(clique, key=place.__getitem__)) for clique in cliques if len(clique) > 1)
    return tuple(sorted(ordered, key=lambda group: [place[name] for name in group]))


def _cliques(chosen: set[str], open_: set[str], closed: set[str], alike: dict[str, set[str]]) -> Iterator[set[str]]:
    """Bron and Kerbosch's enumeration of the maximal cliques that extend `chosen` by names of `open_`."""
    if not open_ and not closed:
        yield chosen
        return
    pivot = max(open_ | closed, key=lambda name: len(alike[name] & open_))
    for name in sorted(open_ - alike[pivot]):
        yield from _cliques(chosen | {name}, open_ & alike[name], closed & alike[name], alike)
        open_, closed = open_ - {name}, closed | {name}
