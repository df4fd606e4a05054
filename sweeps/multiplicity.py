"""Several tests at once: Holm's step-down procedure, whatever the tests have in common."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Step:
    """One test among several.

    adjusted : the smallest family-wise level at which it is rejected, 0 to 1. alpha : the level at which it was tested
    by itself, or would be next; its p value is at most `alpha` exactly where `adjusted` is at most the family's.
    """

    adjusted: float
    alpha: float


def step_down(p_values: Sequence[float], alpha: float) -> list[Step]:
    """Holm 1979: the smallest of n p values is tested at alpha / n, the next at alpha / (n - 1), until one fails.

    The chance that any true hypothesis is rejected is at most `alpha`, however the tests depend on each other. The
    steps stand in the order of the p values given; of equal ones the first comes first.
    """
    order = np.argsort(np.asarray(p_values, dtype=np.float64), kind="stable")
    steps: dict[int, Step] = {}
    adjusted, tested_at, failed = 0.0, alpha / max(1, len(order)), False
    for rank, index in enumerate(order):
        left = len(order) - rank
        adjusted = max(adjusted, min(1.0, left * p_values[index]))
        tested_at = tested_at if failed else alpha / left
        failed = failed or p_values[index] > tested_at
        steps[int(index)] = Step(adjusted=adjusted, alpha=tested_at)
    return [steps[index] for index in range(len(order))]


def adjusted_p_values(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p values: those up to a level are wrong somewhere in at most that part of all families."""
    return [step.adjusted for step in step_down(p_values, 1.0)]
