"""Count, mean and covariance of features: streamed in blocks, merged, in float64."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[np.float64]


def float64_device(device: str) -> str:
    """Where float64 is computed for tensors of `device`: there, or on the CPU where it has none (Apple's MPS)."""
    return "cpu" if device.startswith("mps") else device


@dataclass(frozen=True, eq=False)
class FeatureStatistics:
    """Sufficient statistics of `count` feature vectors of dimension d.

    mean : float64 [d]. scatter : float64 [d, d], the sum of outer products of the centred features.
    """

    count: int
    mean: Array
    scatter: Array

    @classmethod
    def from_features(cls, features: torch.Tensor | NDArray[Any]) -> Self:
        """Statistics of features [n, d], n >= 1, summed in float64 on the device where they lie."""
        rows = torch.as_tensor(features)
        rows = rows.to(float64_device(str(rows.device))).double()
        mean = rows.mean(dim=0)
        centred = rows - mean
        return cls(len(rows), mean.cpu().numpy(), (centred.T @ centred).cpu().numpy())

    def merge(self, other: Self) -> Self:
        """Statistics of both sets together (Chan, Golub, LeVeque 1979, eq. 2.1): no cancellation for any mean."""
        count = self.count + other.count
        delta = other.mean - self.mean
        mean = self.mean + delta * (other.count / count)
        between = np.outer(delta, delta) * (self.count * other.count / count)
        return type(self)(count, mean, self.scatter + other.scatter + between)

    @classmethod
    def merged(cls, parts: Iterable[Self]) -> Self:
        """Statistics of at least one part, merged from left to right."""
        total, *others = parts
        for part in others:
            total = total.merge(part)
        return total

    @property
    def covariance(self) -> Array:
        """Unbiased covariance [d, d], divisor count - 1 as in numpy.cov; needs count >= 2."""
        assert self.count >= 2, "a covariance needs two samples"
        return self.scatter / (self.count - 1)

    @cached_property
    def covariance_root(self) -> Array:
        """A matrix A [d, r] with A A^T = covariance and r its numerical rank.

        From the eigendecomposition. Eigenvalues below d * eps * the largest are rounding noise around zero, there
        in full force when count <= d; they are left out, so that no later square root can magnify them.
        """
        values, vectors = np.linalg.eigh(self.covariance)
        keep = values > max(values[-1], 0.0) * len(values) * np.finfo(np.float64).eps
        return np.asarray(vectors[:, keep] * np.sqrt(values[keep]))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Plain arrays for an .npz file; `from_arrays` is the inverse."""
        return {"count": np.array([self.count]), "mean": self.mean, "scatter": self.scatter}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The statistics that `to_arrays` wrote. Raises ValueError or KeyError when they do not fit together."""
        count, mean, scatter = int(arrays["count"][0]), arrays["mean"], arrays["scatter"]
        if count < 1 or mean.ndim != 1 or scatter.shape != (mean.size, mean.size):
            raise ValueError(f"not feature statistics: count {count}, mean {mean.shape}, scatter {scatter.shape}")
        return cls(count, np.asarray(mean, np.float64), np.asarray(scatter, np.float64))
