"""The Inception Score (Salimans et al. 2016, arXiv:1606.03498)."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def inception_score(logits: NDArray[np.floating], repeats: int) -> tuple[float, float]:
    """Mean and standard deviation over `repeats` of exp E_x KL(p(y|x) || p(y)), in float64.

    `logits` [n, k] are cut into `repeats` consecutive parts, each with a marginal p(y) of its own; n must be a
    multiple of `repeats`. The deviation divides by `repeats` (as the original code), not by repeats - 1.
    A score lies in [1, k].
    """
    assert len(logits) % repeats == 0, "parts of equal size"
    parts = torch.as_tensor(logits).double().chunk(repeats)
    scores = [_score(part) for part in parts]
    return float(np.mean(scores)), float(np.std(scores))


def _score(logits: Tensor) -> float:
    log_p = logits.log_softmax(dim=1)
    p = log_p.exp()
    marginal = p.mean(dim=0)
    # A class whose probability underflowed to 0 in every image adds nothing: 0 log 0 = 0.
    log_marginal = torch.where(marginal > 0, marginal.log(), 0.0)
    return float((p * (log_p - log_marginal)).sum(dim=1).mean().exp())
