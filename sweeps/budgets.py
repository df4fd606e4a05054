"""What trying several configurations and keeping the best is worth, as a function of how many are tried.

Scores are higher-better and bounded (`sweeps.scores`), with a diverged run at 0. How good a method is after tuning says
little without the budget (Lucic et al. 2018, arXiv:1711.10337; Kurach et al. 2019, arXiv:1807.04720).
"""

import numpy as np
from scipy.special import gammaln

from sngan.fields import require
from sweeps.statistics import FloatArray


def expected_best(scores: FloatArray, tries: int) -> FloatArray:
    """Mean of the best of `tries` of the N scores, drawn without replacement, [..., N] -> [...].

    Exact, over all choices at once: the i-th smallest (from 1) is the best of C(i - 1, tries - 1) of the C(N, tries)
    choices. It is what a random search of that length would have found, seen from one that tried N. NaN where a score
    is. Raises InputError for more tries than scores, or none.
    """
    ordered = np.sort(scores, axis=-1)
    found = ordered @ best_weights(scores.shape[-1], tries)
    return np.where(np.isnan(scores).any(axis=-1), np.nan, found)


def best_weights(num_scores: int, tries: int) -> FloatArray:
    """[N]: probability of the i-th smallest score to be the best of `tries` drawn without replacement."""
    require(1 <= tries <= num_scores, "number of tries", tries, f"whole numbers from 1 to {num_scores}")
    rank = np.arange(1.0, num_scores + 1)
    weights = np.zeros(num_scores)
    able = rank >= tries
    logs = _log_choose(rank[able] - 1.0, tries - 1) - _log_choose(np.array(float(num_scores)), tries)
    weights[able] = np.exp(logs)
    return np.asarray(weights / weights.sum())  # the logarithms were rounded


def best_so_far(scores: FloatArray) -> FloatArray:
    """The best score up to every place, in the order of the last axis, [..., N] -> [..., N]; NaN from a NaN on."""
    return np.maximum.accumulate(scores, axis=-1)


def budget_curve(scores: FloatArray, *, ordered: bool) -> FloatArray:
    """Best score after 1 to N tries, [..., N] -> [..., N].

    ordered : the order matters, as where each choice depends on the results before: the best so far. Else the order is
    chance, and the mean over all orders is known.
    """
    if ordered:
        return best_so_far(scores)
    return np.stack([expected_best(scores, tries) for tries in range(1, scores.shape[-1] + 1)], axis=-1)


def best_share(scores: FloatArray, share: float) -> FloatArray:
    """The best `share` (0 to 1) of the scores [N] that are known, best first: ceil(share N) of them, at least one."""
    known = np.sort(scores[~np.isnan(scores)])[::-1]
    return known[: max(1, int(np.ceil(round(share * len(known), 9))))]


def _log_choose(n: FloatArray, k: int) -> FloatArray:
    return np.asarray(gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0))
