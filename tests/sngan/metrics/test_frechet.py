"""The Frechet distance against closed forms, an independent formula and pytorch-fid's own."""

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray
from pytorch_fid.fid_score import calculate_frechet_distance

from sngan.metrics.frechet import frechet_distance
from sngan.metrics.statistics import FeatureStatistics

Array = NDArray[np.float64]


def gaussian(mean: Array, covariance: Array) -> FeatureStatistics:
    return FeatureStatistics(101, mean, covariance * 100)


def features(n: int, d: int, seed: int, spread: float = 1.0) -> Array:
    stream = np.random.default_rng(seed)
    return spread * stream.normal(size=(n, d)) @ stream.normal(size=(d, d)) / np.sqrt(d)


def distance(first: Array, second: Array) -> float:
    return frechet_distance(FeatureStatistics.from_features(first), FeatureStatistics.from_features(second))


def independent_distance(first: Array, second: Array) -> float:
    """tr (S1 S2)^(1/2) is the nuclear norm of X1 X2^T for centred, scaled samples: no root, no eigenvalues."""
    scaled = [(x - x.mean(axis=0)) / np.sqrt(len(x) - 1) for x in (first, second)]
    gap = first.mean(axis=0) - second.mean(axis=0)
    traces = sum(np.square(x).sum() for x in scaled)
    return float(gap @ gap + traces - 2 * np.linalg.norm(scaled[0] @ scaled[1].T, ord="nuc"))


def test_shifted_copies_are_the_squared_shift_apart() -> None:
    x, shift = features(50, 6, seed=0), np.array([3.0, 0.0, -4.0, 0.0, 0.0, 1.0])
    assert distance(x, x + shift) == pytest.approx(26.0, rel=1e-10)


def test_equal_covariances_leave_the_squared_distance_of_the_means() -> None:
    covariance = np.cov(features(40, 5, seed=1), rowvar=False)
    means = np.random.default_rng(2).normal(size=(2, 5))
    expected = np.square(means[0] - means[1]).sum()
    assert frechet_distance(gaussian(means[0], covariance), gaussian(means[1], covariance)) == pytest.approx(expected)


def test_commuting_covariances_have_a_closed_form() -> None:
    axes, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(7, 7)))
    s, t = np.random.default_rng(4).uniform(0.1, 3, size=(2, 7))
    first = gaussian(np.zeros(7), axes @ np.diag(s**2) @ axes.T)
    second = gaussian(np.ones(7), axes @ np.diag(t**2) @ axes.T)
    assert frechet_distance(first, second) == pytest.approx(7 + np.square(s - t).sum(), rel=1e-10)


@pytest.mark.parametrize(("n", "d"), [(500, 20), (30, 64), (2, 16)])
def test_a_set_is_at_no_distance_from_itself(n: int, d: int) -> None:
    x = features(n, d, seed=5)
    assert 0 <= distance(x, x) < 1e-6


@pytest.mark.parametrize(("n", "m", "d"), [(300, 200, 24), (20, 200, 64), (200, 20, 64), (20, 30, 64), (2, 2, 8)])
def test_it_equals_the_nuclear_norm_also_with_fewer_samples_than_dimensions(n: int, m: int, d: int) -> None:
    x, y = features(n, d, seed=6), features(m, d, seed=7, spread=2.0) + 0.3
    assert distance(x, y) == pytest.approx(independent_distance(x, y), rel=1e-6)
    assert distance(y, x) == pytest.approx(distance(x, y), rel=1e-6)


def test_sets_without_any_spread_leave_the_means() -> None:
    assert distance(np.zeros((4, 3)), np.ones((5, 3))) == pytest.approx(3.0)
    assert np.isfinite(distance(np.zeros((4, 3)), features(50, 3, seed=8)))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_it_scales_with_the_square_of_the_features(scale: float) -> None:
    x, y = features(100, 10, seed=9), features(100, 10, seed=10) + 1
    assert distance(scale * x, scale * y) == pytest.approx(scale**2 * distance(x, y), rel=1e-8)


def test_more_noise_is_farther_away() -> None:
    x, noise = features(400, 12, seed=11), np.random.default_rng(12).normal(size=(400, 12))
    values = [distance(x, x + level * noise) for level in (0, 0.5, 1, 2, 4)]
    assert values == sorted(values)
    assert values[-1] > 10 * values[1]


@pytest.mark.parametrize(("n", "m", "d"), [(400, 300, 32), (2000, 1000, 64)])
def test_it_agrees_with_pytorch_fid(n: int, m: int, d: int) -> None:
    x, y = features(n, d, seed=13), features(m, d, seed=14, spread=1.5) + 0.2
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The `disp` argument is deprecated", category=DeprecationWarning)
        theirs = calculate_frechet_distance(
            x.mean(axis=0), np.cov(x, rowvar=False), y.mean(axis=0), np.cov(y, rowvar=False)
        )
    assert distance(x, y) == pytest.approx(float(theirs), rel=1e-6)
