"""Precision and recall (Kynkäänniemi et al. 2019, arXiv:1904.06991), density and coverage (Naeem et al. 2020,
arXiv:2002.09797): which images of one set lie among the nearest neighbours of the other set's.

The papers use features of a VGG-16; here those of the protocol's network, which stands in the name. Distances are
computed a block at a time, each block once for all four metrics: no matrix of all pairs is ever in memory.

Distances are summed in float64 and rounded to float32 before they are compared. Rounding keeps equal distances equal
in whichever block they were computed: a point's distance to its own k-th neighbour is met again where the two sets
share points, and the last bits of a float64 sum depend on the block.
"""

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sngan.metrics.statistics import float64_device

# Part of every such protocol: the papers' numbers of neighbours.
NEIGHBOURS = {"precision": 3, "recall": 3, "density": 5, "coverage": 5}
MOST_NEIGHBOURS = max(NEIGHBOURS.values())

_BLOCK = 1024  # rows and columns of distances held at a time: 8 MB in float64, and twice 17 MB of Inception features
_RESOLUTION = 1e-6  # of their lengths: vectors closer than that are one. Float32 features of one image differ by less.


def nearest_distances(
    features: NDArray[Any] | Tensor, num_neighbours: int = MOST_NEIGHBOURS, *, device: str = "cpu"
) -> NDArray[np.float32]:
    """Squared Euclidean distances float32 [n, num_neighbours] of every row of [n, d] to its nearest other rows.

    Ascending. Another row with the same features is a neighbour at distance 0. n must exceed num_neighbours.
    """
    rows = torch.as_tensor(features, device=float64_device(device))
    assert len(rows) > num_neighbours, f"{len(rows)} points have no {num_neighbours} neighbours"
    nearest = torch.full((len(rows), num_neighbours), torch.inf, device=rows.device)
    centre = _centre(rows)
    for i, x in _blocks(rows, centre):
        for j, y in _blocks(rows, centre, start=i.start):  # what is left of the diagonal was seen as its mirror image
            distances = _squared_distances(x, y)
            if i == j:
                distances.fill_diagonal_(torch.inf)  # no point is its own neighbour
            else:
                nearest[j] = _smallest(nearest[j], distances.T)
            nearest[i] = _smallest(nearest[i], distances)
    return nearest.cpu().numpy()


def neighbour_scores(
    generated: NDArray[Any] | Tensor,
    real: NDArray[Any] | Tensor,
    real_nearest: NDArray[np.float32],
    metrics: Collection[str] = tuple(NEIGHBOURS),
    *,
    device: str = "cpu",
) -> dict[str, float]:
    """Some of precision, recall, density and coverage of features [n, d] against [m, d], in one pass over all pairs.

    real_nearest : nearest_distances(real), which is the same for every generator.

    With B_k(x) the ball around x that reaches to its k-th neighbour in x's own set:
    precision = share of generated points in the union of real B_3, eq. 1 and 2 of arXiv:1904.06991, closed balls;
    recall = share of real points in the union of generated B_3, likewise;
    density = real B_5 that hold a generated point, counted per generated point, / 5 (arXiv:2002.09797);
    coverage = share of real points whose B_5 holds a generated point; both with open balls, as its authors' code.
    Precision, recall and coverage lie in [0, 1]; density is at least 0, and for equal distributions 1 on average.
    """
    where = float64_device(device)
    x, y = (torch.as_tensor(rows, device=where) for rows in (generated, real))
    radii = {metric: torch.as_tensor(real_nearest, device=where)[:, k - 1] for metric, k in NEIGHBOURS.items()}
    if "recall" in metrics:  # the only one that needs distances among generated points
        nearest = nearest_distances(x, NEIGHBOURS["recall"], device=device)
        radii["recall"] = torch.as_tensor(nearest, device=where)[:, -1]
    centre = _centre(y)
    inside = torch.zeros(len(x), dtype=torch.bool, device=where)
    counts = torch.zeros(len(x), dtype=torch.int64, device=where)
    reached, covered = (torch.zeros(len(y), dtype=torch.bool, device=where) for _ in range(2))
    for i, a in _blocks(x, centre):
        for j, b in _blocks(y, centre):
            distances = _squared_distances(a, b)
            inside[i] |= (distances <= radii["precision"][j]).any(dim=1)
            counts[i] += (distances < radii["density"][j]).sum(dim=1)
            covered[j] |= (distances < radii["coverage"][j]).any(dim=0)
            if "recall" in metrics:
                reached[j] |= (distances <= radii["recall"][i, None]).any(dim=0)
    found = {"precision": inside, "recall": reached, "density": counts, "coverage": covered}
    means = {metric: float(found[metric].double().mean()) for metric in metrics}
    return {metric: value / NEIGHBOURS[metric] if metric == "density" else value for metric, value in means.items()}


def _centre(rows: Tensor) -> Tensor:
    """A point, float64 [d], in the middle of the first rows: distances lose fewer digits when measured from there."""
    return rows[:_BLOCK].double().mean(dim=0)


def _blocks(rows: Tensor, centre: Tensor, start: int = 0) -> Iterator[tuple[slice, Tensor]]:
    """Positions and centred float64 rows of every block from row `start` on."""
    for first in range(start, len(rows), _BLOCK):
        block = rows[first : first + _BLOCK]
        yield slice(first, first + len(block)), block.double() - centre


def _squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """|x|^2 + |y|^2 - 2 x.y, float32 [n, m], of float64 rows; 0 for rows that are one up to _RESOLUTION."""
    lengths = x.square().sum(dim=1)[:, None] + y.square().sum(dim=1)
    squares = torch.addmm(lengths, x, y.T, alpha=-2.0)
    return squares.masked_fill_(squares < _RESOLUTION**2 * lengths, 0.0).float()


def _smallest(known: Tensor, distances: Tensor) -> Tensor:
    """The smallest values of each row of [n, k] and [n, m] together, [n, k], ascending."""
    return torch.cat([known, distances], dim=1).topk(known.shape[1], dim=1, largest=False).values
