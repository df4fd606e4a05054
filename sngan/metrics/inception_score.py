"""The Inception Score (Salimans et al. 2016, arXiv:1606.03498)."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax


def inception_score(logits: NDArray[np.floating], repeats: int) -> tuple[float, float]:
    """Mean and standard deviation over `repeats` of exp E_x KL(p(y|x) || p(y)), in float64.

    `logits` [n, k] are cut into `repeats` consecutive parts, each with a marginal p(y) of its own; n must be a
    multiple of `repeats`. The deviation divides by `repeats` (as the original code), not by repeats - 1.
    A score lies in [1, k].
    """
    scores = [_score(part) for part in np.split(logits.astype(np.float64), repeats)]
    return float(np.mean(scores)), float(np.std(scores))


def _score(logits: NDArray[np.float64]) -> float:
    log_p = log_softmax(logits, axis=1)
    p = np.exp(log_p)
    marginal = p.mean(axis=0)
    # A class whose probability underflowed to 0 in every image adds nothing: 0 log 0 = 0.
    log_marginal = np.log(marginal, out=np.zeros_like(marginal), where=marginal > 0)
    return float(np.exp((p * (log_p - log_marginal)).sum(axis=1).mean()))
