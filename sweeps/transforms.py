"""From a metric in its own units to a score between 0 and 1."""

from dataclasses import dataclass

import numpy as np

from sngan.metrics.catalog import METRICS
from sweeps.statistics import FloatArray

_FRECHET = frozenset({"fid", "fid-infinity", "intra-fid"})
_SHARES = frozenset({"precision", "recall", "coverage"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Transform:
    """A metric in its own units -> a score in [0, 1], higher better: s = 1 / (1 + x / h).

    x is how bad a run is: x = FID, max(KID, 0), 1 / (IS - 1), 1 / density, or (1 - p) / p for a share p of images
    (precision, recall, coverage). h is the value of x that scores 1/2. Why this one:

    - Strictly monotone for FID, so it keeps every order, and two bad runs are told apart. KID and FID-infinity are cut
      at 0 (below it is chance: both are unbiased), IS at 1.
    - It is the logistic function of -log x: around h it is linear in log FID, the axis of Fig. 2 in
      arXiv:1802.05957, and further out a factor in FID counts for less and less.
    - x -> infinity gives 0, the score of a diverged run, without a gap between "very bad" and "diverged".
    - h belongs to the protocol, never to the runs: a score does not move when a method joins the study.

    h is 10 x floor for FID (floor: the FID of real images under the same protocol; 100 where it is not
    known), 0.1 for KID (unbiased, its floor is 0), and for IS the x halfway from 1, where all images look
    alike, to the real images' IS. Where that is not known, since too few images are left that are not trained on
    (CIFAR-10 and STL-10 have no 10 x 5,000 of them), 11 stands for it on every data set, about CIFAR-10's 11.24
    (Table 2 of arXiv:1802.05957; STL-10's is 26.08): then IS 6 scores 1/2. FID-infinity and the
    intra-class FID are Frechet distances and have h as FID has, each by its own floor. Shares have h = 1, so that
    their score is the share itself: it is bounded, higher is better, and 0 means that no image is right. Density
    has h = 1, its average for real images, which score 1/2. Order statistics
    (worst setting, ranks, probability of improvement, profiles read as curves) do not depend on h; means and
    differences do, so figures state `text`.
    """

    metric: str
    half: float

    @classmethod
    def of(cls, metric: str, floor: float | None) -> "Transform":
        """The transform of a protocol with this metric and floor."""
        if metric in _FRECHET:
            return cls(metric=metric, half=10 * floor if floor is not None and floor > 0 else 100.0)
        if metric == "kid":
            return cls(metric=metric, half=0.1)
        if metric == "is":
            real = floor if floor is not None and floor > 1 else 11.0
            return cls(metric=metric, half=2 / (real - 1))
        assert metric in (*_SHARES, "density"), f"no transform for {metric}"
        return cls(metric=metric, half=1.0)

    def __call__(self, values: FloatArray) -> FloatArray:
        """Scores of finite values or NaN, of the same shape; NaN stays NaN."""
        if self.metric in _SHARES:
            return np.asarray(values)
        if METRICS[self.metric].lower_is_better:
            return np.asarray(1 / (1 + np.maximum(values, 0) / self.half))
        excess = np.maximum(values - (self.metric == "is"), 0) * self.half
        return np.asarray(excess / (1 + excess))

    def value(self, scores: FloatArray) -> FloatArray:
        """The inverse: values in the metric's units of scores in [0, 1]; 0, diverged, is the worst value that there is:
        infinite where lower is better, 1 for IS, else 0.
        """
        if self.metric in _SHARES:
            return np.asarray(scores)
        with np.errstate(divide="ignore"):
            odds = scores / (1 - scores)
            if METRICS[self.metric].lower_is_better:
                return np.asarray(self.half / odds)
            return np.asarray(odds / self.half + (self.metric == "is"))

    @property
    def text(self) -> str:
        """The formula with its numbers, for figures and verdicts: "1 / (1 + FID / 78), diverged = 0"."""
        if self.metric == "is":
            return f"1 / (1 + {1 / self.half:.3g} / (IS - 1)), diverged = 0"
        label = METRICS[self.metric].label
        if self.metric in _SHARES:
            return f"{label}, diverged = 0"
        if self.metric == "density":
            return f"1 / (1 + 1 / {label}), diverged = 0"
        return f"1 / (1 + {label} / {self.half:.3g}), diverged = 0"


def worsened(scores: FloatArray, factor: float) -> FloatArray:
    """Scores of runs that are `factor` times as bad: FID times `factor`, or (IS - 1) divided by it. Exact at
    0.
    """
    return scores / (factor - (factor - 1) * scores)
