"""The Frechet distance between two Gaussians fitted to features (FID, Heusel et al. 2017, arXiv:1706.08500)."""

import numpy as np

from sngan.metrics.statistics import FeatureStatistics


def frechet_distance(first: FeatureStatistics, second: FeatureStatistics) -> float:
    """|m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2), in float64, never NaN or complex for finite input.

    Eq. 6 of arXiv:1706.08500. With S1 = A A^T, the matrix S1 S2 = A (A^T S2) has the same non-zero eigenvalues as
    A^T S2 A, which is symmetric and positive semi-definite: its eigenvalues are real, and negative ones are
    rounding noise around zero, so they are clipped. The trace of the square root is the sum of their roots.
    No matrix square root is taken, which for fewer samples than dimensions (a singular S1 S2) can turn
    complex or NaN. `first` keeps its root: give the reference first.
    """
    root = first.covariance_root
    covariance = second.covariance
    eigenvalues = np.linalg.eigvalsh(root.T @ covariance @ root)
    trace_of_root = np.sqrt(np.clip(eigenvalues, 0.0, None)).sum()
    gap = first.mean - second.mean
    traces = np.trace(first.covariance) + np.trace(covariance)
    distance = gap @ gap + traces - 2.0 * trace_of_root
    return float(np.maximum(distance, 0.0))  # equal sets give 0, not the -1e-14 of rounding; NaN would stay NaN
