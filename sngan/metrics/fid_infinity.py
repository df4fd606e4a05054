"""FID without its bias in the number of generated images (Chong and Forsyth 2020, arXiv:1911.07023).

FID of N images exceeds its limit by about c / N, with a c that depends on the generator, so that equal counts do not
make two models' FIDs comparable. The line through FID_N at several N, continued to 1/N = 0, is the limit.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sngan.metrics.catalog import METRICS
from sngan.metrics.frechet import frechet_distance
from sngan.metrics.statistics import Array, FeatureStatistics, float64_device
from sngan.seeding import numpy_stream

Positions = NDArray[np.int64]

# Part of every fid-infinity protocol: the paper's 15 sizes, the smallest of 5,000 images for 2,048 features. With fewer
# per feature FID_N is no line in 1/N: from one image per feature on, the intercept overshoots by a fifth to a third of
# the bias, from 2.4 on by about a twentieth (simulated normal features). A line needs a lever too: twice as many.
NUM_SIZES = 15
LEAST_PER_FEATURE = METRICS["fid-infinity"].images_per_feature / 2
_NUM_BLOCKS = 100  # of which subsets are put together: a scatter matrix is computed once, not once per subset
_STREAM = 1  # position in the stream "metric", whose beginning belongs to the kernel distance


def fid_infinity(
    reference: FeatureStatistics, features: NDArray[Any] | Tensor, *, device: str = "cpu"
) -> tuple[float, float]:
    """The limit of the Frechet distance to `reference` for infinitely many rows like `features` [n, d].

    And its standard error from the residuals of the line. It knows the noise of choosing subsets, not that the rows
    from which they are chosen are themselves few: over new rows the limit varied 1.5 to 2.6 times as much (simulated
    normal features, n = 5 to 25 d).

    Least squares in 1/N, unweighted as in the authors' code, over NUM_SIZES random subsets with
    N from LEAST_PER_FEATURE * d to n; n must be at least twice the smallest N. The limit may be negative by chance.
    The reference's own bias, of its finite number of images, stays.
    """
    rows = torch.as_tensor(features, device=float64_device(device))
    counts, distances = [], []
    for subset in _subset_statistics(rows):
        counts.append(subset.count)
        distances.append(frechet_distance(reference, subset))
    return _intercept(1 / np.array(counts), np.array(distances))


def _subset_statistics(rows: Tensor) -> Iterator[FeatureStatistics]:
    """Statistics of random subsets of all sizes; the last one is the whole set.

    A subset is a union of random blocks of the shuffled rows, so that each set of its size is equally likely.
    """
    blocks, chosen = _draw(*rows.shape)
    centre = rows[blocks[0]].double().mean(dim=0)  # sums of squares around a point in the middle lose fewer digits
    sums = torch.zeros(NUM_SIZES, rows.shape[1], dtype=torch.float64, device=rows.device)
    squares = torch.zeros(NUM_SIZES, rows.shape[1], rows.shape[1], dtype=torch.float64, device=rows.device)
    for number, positions in enumerate(blocks):
        block = rows[positions].double() - centre
        total, square = block.sum(dim=0), block.T @ block
        for subset, members in enumerate(chosen):
            if number in members:
                sums[subset] += total
                squares[subset] += square
    for members, total, square in zip(chosen, sums, squares, strict=True):
        count = sum(len(blocks[number]) for number in members)
        mean = total / count
        scatter = square - count * torch.outer(mean, mean)
        yield FeatureStatistics(count, (centre + mean).cpu().numpy(), scatter.cpu().numpy())


def _draw(num_rows: int, dim: int) -> tuple[list[Positions], list[Positions]]:
    """The rows of every block, and the blocks of every subset: sizes evenly spaced, up to a block too large."""
    sizes = np.linspace(LEAST_PER_FEATURE * dim, num_rows, NUM_SIZES)
    assert 2 * sizes[0] <= num_rows, f"{num_rows} rows of {dim} features are too few for a line"
    stream = numpy_stream(0, "metric", _STREAM)
    blocks = np.array_split(stream.permutation(num_rows), _NUM_BLOCKS)
    lengths = np.array([len(block) for block in blocks])
    chosen = []
    for size in sizes:
        order = stream.permutation(_NUM_BLOCKS)
        chosen.append(order[: np.searchsorted(lengths[order].cumsum(), size) + 1])
    return blocks, chosen


def _intercept(x: Array, y: Array) -> tuple[float, float]:
    """Where the least-squares line through the points meets x = 0, and the standard error of that height."""
    offsets = x - x.mean()
    slope = offsets @ y / (offsets @ offsets)
    intercept = y.mean() - slope * x.mean()
    residuals = y - intercept - slope * x
    variance = residuals @ residuals / (len(x) - 2)
    return float(intercept), float(np.sqrt(variance * (1 / len(x) + x.mean() ** 2 / (offsets @ offsets))))
