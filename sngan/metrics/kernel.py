"""The kernel distance (KID, Binkowski et al. 2018, arXiv:1801.01401, section 4): unbiased at any number of images."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sngan.metrics.statistics import float64_device
from sngan.seeding import numpy_stream

# Part of every kid protocol: the original code's subsets.
NUM_SUBSETS = 100
SUBSET_SIZE = 1000

_BLOCK = 1024  # rows of a kernel matrix held at a time: 1024 x 50,000 float64 are 0.4 GB


def kernel_distance(
    generated: NDArray[Any] | Tensor,
    real: NDArray[Any] | Tensor,
    *,
    num_subsets: int = NUM_SUBSETS,
    subset_size: int = SUBSET_SIZE,
    device: str = "cpu",
) -> tuple[float, float | None]:
    """Mean and standard deviation over random subsets of the unbiased MMD^2 between features [n, d] and [m, d].

    Kernel k(x, y) = (x.y / d + 1)^3. A subset is min(subset_size, n, m) >= 2 rows of either set without replacement,
    drawn from the stream "metric", the same at every call. The mean may be slightly negative. Where a subset is
    both whole sets there is only one: the value is its MMD^2 and the deviation None. Float64, on `device` (CPU
    where the device has no float64).
    """
    where = float64_device(device)
    x, y = (torch.as_tensor(rows, dtype=torch.float64, device=where) for rows in (generated, real))
    size = min(subset_size, len(x), len(y))
    if size == len(x) == len(y):
        num_subsets = 1
    in_x, in_y = _draw(len(x), len(y), size, num_subsets)
    # The subsets' kernel matrices, or the whole one of which they are parts, whichever has fewer entries.
    entries_whole = len(x) ** 2 + len(y) ** 2 + len(x) * len(y)
    sums = _sums_of_parts if entries_whole <= 3 * num_subsets * size**2 else _sums_one_by_one
    values = _unbiased(sums(x, y, in_x, in_y), size)
    spread = float(values.std(correction=0)) if num_subsets > 1 else None
    return float(values.mean()), spread


def _draw(num_x: int, num_y: int, size: int, num_subsets: int) -> tuple[Tensor, Tensor]:
    """Row numbers int64 [subsets, size] of every subset in x and in y."""
    stream = numpy_stream(0, "metric")
    rows = [[stream.choice(n, size, replace=False) for n in (num_x, num_y)] for _ in range(num_subsets)]
    return torch.from_numpy(np.stack([x for x, _ in rows])), torch.from_numpy(np.stack([y for _, y in rows]))


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    """The polynomial kernel between all rows, [n, m]."""
    return (x @ y.T).div_(x.shape[1]).add_(1.0).pow_(3)


def _unbiased(sums: Tensor, size: int) -> Tensor:
    """MMD^2 per subset from the sums [subsets, 3] of the kernel within x, within y (no diagonals) and across.

    The unbiased estimate of Gretton et al. 2012 (JMLR 13), eq. 3.
    """
    within_x, within_y, across = sums.unbind(dim=1)
    return (within_x + within_y) / (size * (size - 1)) - 2.0 * across / size**2


def _sums_one_by_one(x: Tensor, y: Tensor, in_x: Tensor, in_y: Tensor) -> Tensor:
    """Sums [subsets, 3] of the kernel, one subset after the other."""
    sums = []
    for rows_x, rows_y in zip(in_x.to(x.device), in_y.to(y.device), strict=True):
        a, b = x[rows_x], y[rows_y]
        within = [matrix.sum() - matrix.diagonal().sum() for matrix in (_kernel(a, a), _kernel(b, b))]
        sums.append(torch.stack([*within, _kernel(a, b).sum()]))
    return torch.stack(sums)


def _sums_of_parts(x: Tensor, y: Tensor, in_x: Tensor, in_y: Tensor) -> Tensor:
    """The same sums from the whole kernel matrices: with U the subsets' 0/1 rows, U K V^T has them on its diagonal."""
    u, v = _membership(in_x, x), _membership(in_y, y)
    within = [_sums_between(rows, rows, member, member) for rows, member in ((x, u), (y, v))]
    diagonals = [member @ (rows.square().sum(dim=1) / rows.shape[1] + 1.0).pow(3) for rows, member in ((x, u), (y, v))]
    return torch.stack([within[0] - diagonals[0], within[1] - diagonals[1], _sums_between(x, y, u, v)], dim=1)


def _membership(subsets: Tensor, rows: Tensor) -> Tensor:
    """Float64 [subsets, n]: 1 where the row is in the subset, else 0."""
    members = torch.zeros(len(subsets), len(rows), dtype=torch.float64, device=rows.device)
    return members.scatter_(1, subsets.to(rows.device), 1.0)


def _sums_between(x: Tensor, y: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Per subset, the kernel summed over its rows of x and of y; the matrix [n, m] is made a block at a time."""
    total = torch.zeros(len(u), dtype=torch.float64, device=x.device)
    for start in range(0, len(x), _BLOCK):
        rows = slice(start, start + _BLOCK)
        total += ((u[:, rows] @ _kernel(x[rows], y)) * v).sum(dim=1)
    return total
