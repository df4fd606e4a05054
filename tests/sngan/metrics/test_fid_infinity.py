"""FID-infinity on normal features, whose Frechet distance is known."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import linregress

from sngan.metrics import fid_infinity as module
from sngan.metrics.fid_infinity import LEAST_PER_FEATURE, NUM_SIZES, fid_infinity
from sngan.metrics.frechet import frechet_distance
from sngan.metrics.statistics import FeatureStatistics

Array = NDArray[np.float64]

DIM, ROWS, POOLS = 32, 32 * 30, 60
MEAN = np.linspace(0, 0.4, DIM)
DEVIATIONS = np.linspace(0.5, 1.5, DIM)
# Normal distributions with diagonal covariances: eq. 6 of arXiv:1706.08500 in closed form.
TRUTH = float(MEAN @ MEAN + np.square(DEVIATIONS - 1).sum())
REFERENCE = FeatureStatistics(1001, np.zeros(DIM), 1000 * np.eye(DIM))  # mean 0, covariance 1, exactly


def pool(seed: int) -> Array:
    return MEAN + DEVIATIONS * np.random.default_rng(seed).normal(size=(ROWS, DIM))


@pytest.fixture(scope="module")
def limits() -> Array:
    """Limit and standard error [POOLS, 2] of pools drawn anew."""
    return np.array([fid_infinity(REFERENCE, pool(seed)) for seed in range(POOLS)])


def test_it_is_unbiased_where_fid_is_not(limits: Array) -> None:
    error = limits[:, 0].std(ddof=1) / np.sqrt(POOLS)
    fids = [frechet_distance(REFERENCE, FeatureStatistics.from_features(pool(seed))) for seed in range(POOLS)]
    bias = np.mean(fids) - TRUTH
    assert bias > 10 * error, "the test can tell FID from the truth"
    assert limits[:, 0].mean() == pytest.approx(TRUTH, abs=3 * error)


def test_its_spread_is_part_of_what_new_images_change(limits: Array) -> None:
    ratio = limits[:, 0].std(ddof=1) / limits[:, 1].mean()
    assert 1 < ratio < 4


def test_a_model_against_itself_has_limit_zero_within_noise() -> None:
    rows = np.random.default_rng(5).normal(size=(40 * DIM, DIM))
    limit, error = fid_infinity(REFERENCE, rows)
    fid = frechet_distance(REFERENCE, FeatureStatistics.from_features(rows))
    assert abs(limit) < min(fid / 3, 5 * error)


def test_the_subsets_are_the_same_at_every_call() -> None:
    assert fid_infinity(REFERENCE, pool(0)) == fid_infinity(REFERENCE, pool(0))
    assert fid_infinity(REFERENCE, pool(0).astype(np.float32)) == pytest.approx(
        fid_infinity(REFERENCE, pool(0)), rel=1e-4
    )


def test_the_order_of_rows_hardly_matters() -> None:
    rows = pool(0)
    in_order = rows[np.argsort(rows[:, -1])]  # as a folder of images sorted by class
    limit, error = fid_infinity(REFERENCE, rows)
    assert fid_infinity(REFERENCE, in_order)[0] == pytest.approx(limit, abs=5 * error)


def test_statistics_of_subsets_are_those_of_their_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAST_PER_FEATURE", 0.1)
    rows = torch.eye(230)  # a subset's mean tells its members
    subsets = list(module._subset_statistics(rows))
    memberships = [subset.mean * subset.count for subset in subsets]
    for subset, members in zip(subsets, memberships, strict=True):
        np.testing.assert_allclose(members, members.round(), atol=1e-9)
        inside = members.round() == 1
        assert inside.sum() == subset.count
        expected = FeatureStatistics.from_features(rows[inside])
        np.testing.assert_allclose(subset.scatter, expected.scatter, atol=1e-9)
    assert subsets[-1].count == 230
    assert not np.allclose(memberships[0][:23], 1)  # shuffled, not the first rows


@pytest.mark.parametrize("num_rows", [157, 250, 960, 5000])
def test_sizes_go_evenly_from_the_least_to_all(num_rows: int) -> None:
    rows = torch.from_numpy(np.random.default_rng(1).normal(size=(num_rows, DIM)))
    counts = [subset.count for subset in module._subset_statistics(rows)]
    assert len(counts) == NUM_SIZES
    targets = np.linspace(LEAST_PER_FEATURE * DIM, num_rows, NUM_SIZES)
    above = np.array(counts) - targets
    assert (above >= 0).all()
    assert (above < num_rows / 100 + 1).all()  # a block
    assert counts[-1] == num_rows


def test_the_papers_sizes_for_inception() -> None:
    assert LEAST_PER_FEATURE * 2048 == 5000
    blocks, chosen = module._draw(50_000, 2048)
    sizes = [sum(len(blocks[number]) for number in members) for members in chosen]
    assert (sizes[0], sizes[-1], len(sizes)) == (5000, 50_000, 15)


def test_too_few_rows_are_a_bug() -> None:
    with pytest.raises(AssertionError, match="150 rows of 32 features are too few"):
        fid_infinity(REFERENCE, pool(0)[:150])


def test_the_line_is_least_squares() -> None:
    stream = np.random.default_rng(2)
    x = 1 / np.linspace(100, 1000, NUM_SIZES)
    y = 3 + 200 * x
    assert module._intercept(x, y) == pytest.approx((3, 0), abs=1e-10)
    y += stream.normal(size=NUM_SIZES)
    line = linregress(x, y)
    assert module._intercept(x, y) == pytest.approx((line.intercept, line.intercept_stderr))
